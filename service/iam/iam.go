// Package iam is AWS Identity and Access Management: the handlers of its parts put
// together. Each part is a package of its own; what they share is in internal.
package iam

import (
	api "neargate/aws/iam"
	"neargate/service"
	"neargate/service/iam/account"
	"neargate/service/iam/group"
	"neargate/service/iam/internal/call"
	"neargate/service/iam/managed"
	"neargate/service/iam/mfa"
	"neargate/service/iam/profile"
	"neargate/service/iam/provider"
	"neargate/service/iam/role"
	"neargate/service/iam/simulate"
	"neargate/service/iam/user"
)

// Names under which the handlers are embedded.
type (
	accounts  = account.Handler
	devices   = mfa.Handler
	groups    = group.Handler
	policies  = managed.Handler
	profiles  = profile.Handler
	providers = provider.Handler
	roles     = role.Handler
	simulator = simulate.Handler
	users     = user.Handler
)

// Service answers every operation by the handler that has it.
type Service struct {
	*accounts
	*devices
	*groups
	*policies
	*profiles
	*providers
	*roles
	*simulator
	*users
}

var _ api.API = (*Service)(nil)

// New returns the IAM API.
func New(d service.Deps) *Service {
	e := call.New(d)
	return &Service{
		account.New(e), mfa.New(e), group.New(e), managed.New(e), profile.New(e), provider.New(e), role.New(e), simulate.New(e), user.New(e),
	}
}
