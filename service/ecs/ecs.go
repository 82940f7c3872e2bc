// Package ecs is the Amazon ECS API: the handlers of its parts put together. Each
// part is a package of its own; what they share is in internal.
package ecs

import (
	api "neargate/aws/ecs"
	"neargate/service"
	"neargate/service/ecs/account"
	"neargate/service/ecs/cluster"
	"neargate/service/ecs/definition"
	"neargate/service/ecs/instance"
	"neargate/service/ecs/internal/call"
	"neargate/service/ecs/rollout"
	"neargate/service/ecs/svc"
	"neargate/service/ecs/task"
)

// Names under which the handlers are embedded.
type (
	accounts    = account.Handler
	clusters    = cluster.Handler
	definitions = definition.Handler
	instances   = instance.Handler
	services    = svc.Service
	rollouts    = rollout.Service
	tasks       = task.Service
)

// Service answers every operation by the handler that has it.
type Service struct {
	*accounts
	*clusters
	*definitions
	*instances
	*services
	*rollouts
	*tasks
}

var _ api.API = (*Service)(nil)

// New returns the service; launches limits the launch rate of Fargate tasks.
func New(deps service.Deps, launches task.Rate) *Service {
	return &Service{
		account.New(deps), cluster.New(deps), definition.New(deps), instance.New(deps),
		svc.New(call.New(deps)), rollout.New(call.New(deps)), task.New(call.New(deps), launches),
	}
}
