// Package call holds what every EC2 operation begins with and answers with: the
// caller's network in a transaction, kinds of resource and their ids, filtered and
// paged listings, and errors.
package call

import (
	"context"
	"net/netip"

	"neargate/arn"
	"neargate/auth"
	"neargate/resource/network"
	"neargate/service"
	"neargate/service/internal/page"
	"neargate/store"
	"neargate/store/tables"
	"neargate/wire/shape"
)

// Env is what the operations work with.
type Env struct {
	service.Deps
	Pages *page.Sealer
}

// New makes the environment of the operations.
func New(d service.Deps) *Env { return &Env{d, page.NewSealer(d.TokenKey)} }

// PublicRange is where the installation takes its public addresses from.
func (s *Env) PublicRange() netip.Prefix {
	if !s.Public.IsValid() {
		return network.PublicRange()
	}
	return s.Public
}

// NotYours refuses to change what belongs to an AWS service.
func NotYours() error {
	return shape.Errorf("AuthFailure", "You do not have permission to access the specified resource.")
}

// Scope is a transaction on behalf of a caller.
type Scope struct {
	Tx     store.Tx
	Caller auth.Caller
}

// Tenant are the first segments of every key the caller may see.
func (s Scope) Tenant() (account, region string) { return s.Caller.Account, s.Caller.Region }

// View runs fn on the caller's network, which exists from the first look on.
func (s *Env) View(ctx context.Context, fn func(Scope) error) error {
	c := auth.CallerFrom(ctx)
	furnished := true
	err := s.Deps.Store.View(ctx, func(tx store.Tx) error {
		_, found, err := tables.DefaultNetworks.Find(tx, c.Account, c.Region)
		if err != nil {
			return err
		}
		if furnished = found || !arn.KnownRegion(c.Region); !furnished {
			return nil
		}
		return fn(Scope{tx, c})
	})
	if err != nil || furnished {
		return err
	}
	err = s.Update(ctx, func(Scope) error { return nil })
	if err != nil {
		return err
	}
	return s.Deps.Store.View(ctx, func(tx store.Tx) error { return fn(Scope{tx, c}) })
}

// Update runs fn in a transaction that may write. fn may run more than once.
func (s *Env) Update(ctx context.Context, fn func(Scope) error) error {
	c := auth.CallerFrom(ctx)
	return s.Deps.Store.Update(ctx, func(tx store.Tx) error {
		if err := tables.EnsureDefaultNetwork(tx, c.Account, c.Region); err != nil {
			return err
		}
		return fn(Scope{tx, c})
	})
}

// Missing is the error for an absent parameter.
func Missing(name string) error {
	return shape.Errorf("MissingParameter", "The request must contain the parameter %s", name)
}

// Invalid is the error for a value that a parameter cannot have.
func Invalid(format string, args ...any) error {
	return shape.Errorf("InvalidParameterValue", format, args...)
}

// Val is what p points to, or the zero value.
func Val[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// Optional is nil for an empty string.
func Optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// DefaultVpc is the id of the caller's default VPC, "" when there is none.
func DefaultVpc(sc Scope) (string, error) {
	account, region := sc.Tenant()
	d, _, err := tables.DefaultNetworks.Find(sc.Tx, account, region)
	return d.Vpc, err
}

// GroupNamed finds a group of a VPC by name.
func GroupNamed(sc Scope, vpc, name string) (network.SecurityGroup, bool, error) {
	account, region := sc.Tenant()
	found, err := store.Collect(tables.SecurityGroups.By(sc.Tx, tables.GroupsByName, account, region, vpc, name))
	if len(found) == 0 {
		return network.SecurityGroup{}, false, err
	}
	return found[0], true, err
}
