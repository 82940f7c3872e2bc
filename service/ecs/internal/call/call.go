// Package call holds what every ECS operation begins with: the caller, the store,
// the clock, ids and page tokens.
package call

import (
	"context"

	"neargate/auth"
	"neargate/service"
	"neargate/service/ecs/internal/ref"
	"neargate/service/internal/page"
)

// Env is what the operations work with.
type Env struct {
	service.Deps
	Pages *page.Sealer
}

// New makes the environment of the operations.
func New(d service.Deps) Env { return Env{d, page.NewSealer(d.TokenKey)} }

// From returns the caller and the account and region the call is addressed to.
func From(ctx context.Context) (auth.Caller, ref.Tenant) {
	c := auth.CallerFrom(ctx)
	return c, ref.Of(c)
}
