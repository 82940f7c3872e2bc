// Package account answers the ECS operations that are about the account rather
// than one kind of resource: account settings, the tags of every resource, and
// attributes.
package account

import (
	"neargate/aws/ecs"
	"neargate/service"
	"neargate/service/internal/page"
)

// Handler answers the operations.
type Handler struct {
	deps service.Deps
	seal *page.Sealer
}

// New returns a handler.
func New(deps service.Deps) *Handler {
	return &Handler{deps, page.NewSealer(deps.TokenKey)}
}

// invalid is the usual error of these operations.
func invalid(message string) error { return ecs.InvalidParameterException(message) }

func deref[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
