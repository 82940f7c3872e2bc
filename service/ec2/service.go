// Package ec2 answers the Amazon EC2 API as far as networking for Fargate needs
// it: VPCs and their parts are described, security groups, network interfaces and
// tags are managed.
package ec2

import (
	"context"

	"neargate/arn"
	"neargate/auth"
	wire "neargate/aws/ec2"
	"neargate/service"
	"neargate/service/internal/page"
	"neargate/store"
	"neargate/store/tables"
	"neargate/wire/shape"
)

// Service answers the operations.
type Service struct {
	deps   service.Deps
	sealer *page.Sealer
}

var _ wire.API = (*Service)(nil)

// New returns the service.
func New(deps service.Deps) *Service {
	return &Service{deps: deps, sealer: page.NewSealer(deps.TokenKey)}
}

// scope is a transaction on behalf of a caller.
type scope struct {
	tx     store.Tx
	caller auth.Caller
}

// account and region are the first segments of every key the caller may see.
func (s scope) tenant() (account, region string) { return s.caller.Account, s.caller.Region }

// view runs fn on the caller's network, which exists from the first look on.
func (s *Service) view(ctx context.Context, fn func(scope) error) error {
	c := auth.CallerFrom(ctx)
	furnished := true
	err := s.deps.Store.View(ctx, func(tx store.Tx) error {
		_, found, err := tables.DefaultNetworks.Find(tx, c.Account, c.Region)
		if err != nil {
			return err
		}
		if furnished = found || !arn.KnownRegion(c.Region); !furnished {
			return nil
		}
		return fn(scope{tx, c})
	})
	if err != nil || furnished {
		return err
	}
	err = s.update(ctx, func(scope) error { return nil })
	if err != nil {
		return err
	}
	return s.deps.Store.View(ctx, func(tx store.Tx) error { return fn(scope{tx, c}) })
}

// update runs fn in a transaction that may write. fn may run more than once.
func (s *Service) update(ctx context.Context, fn func(scope) error) error {
	c := auth.CallerFrom(ctx)
	return s.deps.Store.Update(ctx, func(tx store.Tx) error {
		if err := tables.EnsureDefaultNetwork(tx, c.Account, c.Region); err != nil {
			return err
		}
		return fn(scope{tx, c})
	})
}

// missing is the error for an absent parameter.
func missing(name string) error {
	return shape.Errorf("MissingParameter", "The request must contain the parameter %s", name)
}

func invalid(format string, args ...any) error {
	return shape.Errorf("InvalidParameterValue", format, args...)
}

// val is what p points to, or the zero value.
func val[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// optional is nil for an empty string.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
