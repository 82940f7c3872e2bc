// Package ssm answers AWS Systems Manager, of which there is Parameter Store.
package ssm

import (
	"context"
	"errors"
	"slices"
	"time"

	"neargate/auth"
	api "neargate/aws/ssm"
	"neargate/resource/param"
	"neargate/service"
	"neargate/service/internal/page"
	"neargate/store"
	"neargate/store/tables/parameters"
	"neargate/wire/shape"
)

// Keys encrypts in the name of the caller, under keys the caller may use.
type Keys interface {
	Seal(ctx context.Context, service, action, key string, plaintext []byte, context map[string]string) (blob []byte, keyARN string, err error)
	Open(ctx context.Context, service string, blob []byte, context map[string]string) ([]byte, error)
}

// Service is the Systems Manager API.
type Service struct {
	deps  service.Deps
	keys  Keys
	pages *page.Sealer
}

var _ api.API = (*Service)(nil)

// New returns the Systems Manager API. SecureStrings are encrypted with keys.
func New(d service.Deps, keys Keys) *Service {
	return &Service{deps: d, keys: keys, pages: page.NewSealer(d.TokenKey)}
}

// now is the time in the precision of Systems Manager.
func (s *Service) now() time.Time { return s.deps.Now().UTC().Truncate(time.Millisecond) }

func invalid(format string, args ...any) error {
	return shape.Errorf("ValidationException", format, args...)
}

// notFound is the recorded answer about a parameter that is not there: it has no
// message.
func notFound() error { return api.ParameterNotFound("").WithoutMessage() }

func noVersion(selector string, p *param.Parameter) error {
	return api.ParameterVersionNotFound("Systems Manager could not find version " + selector + " of " + p.Name + ". Verify the version and try again.")
}

// reference reads how a request names a parameter.
func reference(ctx context.Context, text string) (param.Reference, error) {
	c := auth.CallerFrom(ctx)
	r, ok := param.Parse(text, c.Account, c.Region)
	if !ok {
		return r, invalid("Invalid parameter name. Please use correct syntax for referencing a version/label  <name>:<version/label>")
	}
	return r, nil
}

// plain is reference for operations that take no selector.
func plain(ctx context.Context, text string) (param.Reference, error) {
	r, err := reference(ctx, text)
	if err == nil && r.Selector != "" {
		err = invalid("Parameter name must not contain a version or label.")
	}
	return r, err
}

// find finds a parameter of the caller's account and region.
func find(ctx context.Context, tx store.Tx, r param.Reference) (param.Parameter, error) {
	c := auth.CallerFrom(ctx)
	p, ok, err := parameters.Parameters.Find(tx, c.Account, c.Region, r.Path)
	if err == nil && (!ok || r.Account != c.Account || r.Region != c.Region) {
		err = notFound()
	}
	return p, err
}

// version finds the version of a parameter that a reference selects.
func version(tx store.Tx, p *param.Parameter, r param.Reference) (param.Version, error) {
	n := r.Version
	switch {
	case r.Selector == "":
		return p.Latest, nil
	case r.Label != "":
		if n = p.Labels[r.Label]; n == 0 {
			return param.Version{}, noVersion(r.Label, p)
		}
	}
	if n == p.Latest.Number {
		return p.Latest, nil
	}
	v, ok, err := parameters.Versions.Find(tx, p.Account, p.Region, p.Path, parameters.Number(n))
	if err == nil && !ok {
		err = noVersion(r.Selector[1:], p)
	}
	return v, err
}

// change lets f change a parameter and stores it.
func (s *Service) change(ctx context.Context, r param.Reference, f func(store.Tx, *param.Parameter) error) error {
	return s.deps.Store.Update(ctx, func(tx store.Tx) error {
		p, err := find(ctx, tx, r)
		if err != nil {
			return err
		}
		if err := f(tx, &p); err != nil {
			return err
		}
		return parameters.Parameters.Put(tx, &p)
	})
}

// DeleteParameter deletes a parameter with all its versions.
func (s *Service) DeleteParameter(ctx context.Context, in *api.DeleteParameterInput) (*api.DeleteParameterOutput, error) {
	r, err := plain(ctx, *in.Name)
	if err != nil {
		return nil, err
	}
	err = s.deps.Store.Update(ctx, func(tx store.Tx) error {
		p, err := find(ctx, tx, r)
		if err != nil {
			return err
		}
		return parameters.Delete(tx, &p)
	})
	return &api.DeleteParameterOutput{}, err
}

// DeleteParameters deletes the parameters there are.
func (s *Service) DeleteParameters(ctx context.Context, in *api.DeleteParametersInput) (*api.DeleteParametersOutput, error) {
	out := &api.DeleteParametersOutput{DeletedParameters: []string{}, InvalidParameters: []string{}}
	for _, name := range slices.Compact(slices.Sorted(slices.Values(in.Names))) {
		_, err := s.DeleteParameter(ctx, &api.DeleteParameterInput{Name: &name})
		switch {
		case err == nil:
			out.DeletedParameters = append(out.DeletedParameters, name)
		case shape.IsCode(err, "ParameterNotFound", "ValidationException"):
			out.InvalidParameters = append(out.InvalidParameters, name)
		default:
			return nil, err
		}
	}
	return out, nil
}

// open returns the position in a pagination token and the scope to seal the next
// one with.
func (s *Service) open(ctx context.Context, token *string, scope ...string) (string, []string, error) {
	c := auth.CallerFrom(ctx)
	scope = append([]string{"ssm", c.Account, c.Region}, scope...)
	if token == nil {
		return "", scope, nil
	}
	position, err := s.pages.Open(*token, scope...)
	if errors.Is(err, page.ErrBad) {
		err = api.InvalidNextToken("The specified token is not valid.")
	}
	return position, scope, err
}

// given is nil for "".
func given(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
