// Package call holds what the parts of the ECR API share: finding the repository a
// call is about, ECR's errors, pages.
package call

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"neargate/auth"
	api "neargate/aws/ecr"
	"neargate/resource/image"
	"neargate/service"
	"neargate/service/internal/page"
	"neargate/store"
	"neargate/store/tables/repositories"
)

// Call is what a part of the API works with.
type Call struct {
	service.Deps
	Pages *page.Sealer
}

// New returns it for the service's dependencies.
func New(d service.Deps) Call { return Call{d, page.NewSealer(d.TokenKey)} }

// Registry is the registry a call is about: the caller's own unless it names one.
func Registry(ctx context.Context, id *string) (account, region string) {
	c := auth.CallerFrom(ctx)
	if id != nil {
		return *id, c.Region
	}
	return c.Account, c.Region
}

// Find is a repository, or ECR's error that there is none.
func Find(tx store.Tx, account, region, name string) (image.Repository, error) {
	r, ok, err := repositories.Repositories.Find(tx, account, region, name)
	if err == nil && !ok {
		err = NoRepository(account, name)
	}
	return r, err
}

// Read finds the repository of a call and lets f read what belongs to it.
func (c Call) Read(ctx context.Context, registry, name *string, f func(tx store.Tx, r *image.Repository) error) error {
	account, region := Registry(ctx, registry)
	return c.Store.View(ctx, func(tx store.Tx) error {
		r, err := Find(tx, account, region, *name)
		if err != nil {
			return err
		}
		return f(tx, &r)
	})
}

// Change finds the repository of a call and lets f change it and what belongs to it.
func (c Call) Change(ctx context.Context, registry, name *string, f func(tx store.Tx, r *image.Repository) error) error {
	account, region := Registry(ctx, registry)
	return c.Store.Update(ctx, func(tx store.Tx) error {
		r, err := Find(tx, account, region, *name)
		if err != nil {
			return err
		}
		return f(tx, &r)
	})
}

// NoRepository is ECR's error for a repository that does not exist.
func NoRepository(account, name string) error {
	return api.RepositoryNotFoundException(fmt.Sprintf("The repository with name '%s' does not exist in the registry with id '%s'", name, account))
}

// Invalid is ECR's error for a parameter.
func Invalid(at, why string) error {
	return api.InvalidParameterException("Invalid parameter at '" + at + "' failed to satisfy constraint: '" + why + "'")
}

// mostResults is the size of a page that a request does not limit.
const mostResults = 100

// Position is where a page begins: after the key in the request's token, or at the
// start. A token is good for the scope it was made for.
func (c Call) Position(token *string, scope ...string) ([]string, error) {
	if token == nil {
		return nil, nil
	}
	at, err := c.Pages.Open(*token, scope...)
	if err != nil {
		return nil, Invalid("nextToken", "Invalid nextToken")
	}
	return strings.Split(at, store.Sep), nil
}

// Page gathers a page of a listing that begins where the request says. show may
// leave records out.
func Page[T, S any](c Call, token *string, most *int32, scope []string, list func(after []string) iter.Seq2[T, error],
	key func(*T) []string, show func(*T) (S, bool, error)) (out []S, next *string, err error) {
	after, err := c.Position(token, scope...)
	if err != nil {
		return nil, nil, err
	}
	limit := mostResults
	if most != nil {
		limit = int(*most)
	}
	out = []S{}
	var last []string
	for r, err := range list(after) {
		if err != nil {
			return nil, nil, err
		}
		s, ok, err := show(&r)
		if err != nil {
			return nil, nil, err
		}
		if !ok {
			continue
		}
		if len(out) == limit {
			return out, new(c.Pages.Seal(strings.Join(last, store.Sep), scope...)), nil
		}
		out, last = append(out, s), key(&r)
	}
	return out, nil, nil
}

// Text is what a pointer points to, "" for none.
func Text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// Some points to a text, nil for "".
func Some(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
