// Package iam answers AWS Identity and Access Management.
package iam

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"neargate/auth"
	api "neargate/aws/iam"
	"neargate/resource/identity"
	"neargate/service"
	"neargate/service/internal/page"
	"neargate/store"
	"neargate/store/tables"
	"neargate/wire/shape"
)

// Quotas of an account, as AWS sets them by default.
const (
	maxRoles       = 1000
	maxUsers       = 5000
	maxKeys        = 2
	maxPolicies    = 1500
	maxAttached    = 10
	maxTrustSize   = 2048
	maxManagedSize = 6144
	maxTags        = 50
)

// defaultItems is the page size of a request that names none.
const defaultItems = 100

// Service is the IAM API.
type Service struct {
	deps  service.Deps
	pages *page.Sealer
}

var _ api.API = (*Service)(nil)

// New returns the IAM API.
func New(d service.Deps) *Service { return &Service{d, page.NewSealer(d.TokenKey)} }

func invalid(format string, args ...any) error {
	return shape.Errorf("ValidationError", format, args...)
}

// findRole returns the caller's role with the name, in any case.
func findRole(ctx context.Context, tx store.Tx, name *string) (identity.Role, error) {
	r, ok, err := tables.Roles.Find(tx, auth.CallerFrom(ctx).Account, identity.Fold(*name))
	if err == nil && !ok {
		err = api.NoSuchEntityException("The role with name " + *name + " cannot be found.")
	}
	return r, err
}

// viewRole reads a role.
func (s *Service) viewRole(ctx context.Context, name *string) (r identity.Role, err error) {
	err = s.deps.Store.View(ctx, func(tx store.Tx) error {
		r, err = findRole(ctx, tx, name)
		return err
	})
	return r, err
}

// changeRole lets f change a role that is the customer's to change, and stores it.
func (s *Service) changeRole(ctx context.Context, name *string, f func(store.Tx, *identity.Role) error) error {
	return s.deps.Store.Update(ctx, func(tx store.Tx) error {
		r, err := findRole(ctx, tx, name)
		if err != nil {
			return err
		}
		if r.LinkedTo != "" {
			return protected(r.Name)
		}
		if err := f(tx, &r); err != nil {
			return err
		}
		return tables.Roles.Put(tx, &r)
	})
}

func protected(role string) error {
	return api.UnmodifiableEntityException("Cannot perform the operation on the protected role '" + role +
		"' - this role is only modifiable by AWS")
}

// findPolicy returns the managed policy with the ARN, if it is the caller's or
// AWS's own; missing is the text when there is none.
func findPolicy(ctx context.Context, tx store.Tx, policyARN, missing string) (identity.Policy, error) {
	owner, _, ok := identity.PolicyName(policyARN)
	if !ok {
		return identity.Policy{}, api.InvalidInputException("ARN " + policyARN + " is not valid.")
	}
	p, ok, err := tables.FindPolicy(tx, policyARN)
	if err == nil && (!ok || owner != "aws" && owner != auth.CallerFrom(ctx).Account) {
		err = api.NoSuchEntityException(missing)
	}
	return p, err
}

func notFound(policyARN string) string { return "Policy " + policyARN + " was not found." }

// changePolicy lets f change a customer managed policy and stores it.
func (s *Service) changePolicy(ctx context.Context, action, policyARN string, f func(store.Tx, *identity.Policy) error) error {
	caller := auth.CallerFrom(ctx)
	return s.deps.Store.Update(ctx, func(tx store.Tx) error {
		p, err := findPolicy(ctx, tx, policyARN, notFound(policyARN))
		if err != nil {
			return err
		}
		if p.Account != caller.Account {
			return awsOwned(caller, action, policyARN)
		}
		if err := f(tx, &p); err != nil {
			return err
		}
		return tables.Policies.Put(tx, &p)
	})
}

// awsOwned refuses to change an AWS managed policy.
func awsOwned(c auth.Caller, action, policyARN string) error {
	return shape.NewError("AccessDenied", http.StatusForbidden, (&auth.Denied{
		Caller: c.ARN, Action: "iam:" + action, Resource: "policy " + policyARN,
		Reason: "because no resource-based policy allows the iam:" + action + " action",
	}).Error())
}

// window is one page of a listing: what to skip and how much to take.
type window struct {
	after string // position of the last item of the page before
	limit int
	scope []string
}

// window opens the marker of a request. The scope is the operation and what the
// marker must not be used with anew.
func (s *Service) window(ctx context.Context, marker *string, items *int32, scope ...string) (window, error) {
	w := window{limit: defaultItems, scope: append([]string{"iam", auth.CallerFrom(ctx).Account}, scope...)}
	if items != nil {
		w.limit = int(*items)
	}
	if marker == nil {
		return w, nil
	}
	after, err := s.pages.Open(*marker, w.scope...)
	if errors.Is(err, page.ErrBad) {
		err = invalid("Invalid Marker.")
	}
	w.after = after
	return w, err
}

// listed reads the caller's records of a table by name, from the window's place
// on, whose path has the prefix: a page and one more if there is one.
func listed[T any](ctx context.Context, s *Service, w window, table store.Table[T], prefix string, path func(*T) string) (out []T, err error) {
	account := auth.CallerFrom(ctx).Account
	var after []string
	if w.after != "" {
		after = []string{account, w.after}
	}
	err = s.deps.Store.View(ctx, func(tx store.Tx) error {
		out = nil
		for r, err := range table.Page(tx, []string{account}, after, 0) {
			if err != nil {
				return err
			}
			if !strings.HasPrefix(path(&r), prefix) {
				continue
			}
			if out = append(out, r); len(out) > w.limit {
				break
			}
		}
		return nil
	})
	return out, err
}

// cut takes a window's page of items that are ordered by key; position is the
// marker for the next page, nil on the last.
func cut[T any](s *Service, w window, items []T, key func(T) string) (out []T, truncated *bool, marker *string) {
	if w.after != "" {
		start := slices.IndexFunc(items, func(i T) bool { return key(i) > w.after })
		if start < 0 {
			start = len(items)
		}
		items = items[start:]
	}
	if len(items) <= w.limit {
		return append([]T{}, items...), new(false), nil
	}
	items = items[:w.limit]
	return append([]T{}, items...), new(true), new(s.pages.Seal(key(items[w.limit-1]), w.scope...))
}

// numbered gives items that are few and have no order of their own positions to
// page by.
func numbered[T any](s *Service, w window, items []T) (out []T, truncated *bool, marker *string) {
	from := 0
	if w.after != "" {
		from, _ = strconv.Atoi(w.after) // sealed by this function
	}
	from = min(from, len(items))
	to := min(from+w.limit, len(items))
	out, truncated = append([]T{}, items[from:to]...), new(to < len(items))
	if *truncated {
		marker = new(s.pages.Seal(strconv.Itoa(to), w.scope...))
	}
	return out, truncated, marker
}
