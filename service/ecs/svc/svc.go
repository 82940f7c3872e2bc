// Package svc creates, changes, deletes and shows ECS services. It writes what is
// wanted; control/deploy makes it so.
package svc

import (
	"neargate/aws/ecs"
	"neargate/resource/compute"
	"neargate/service/ecs/internal/call"
	"neargate/service/ecs/internal/lookup"
	"neargate/service/ecs/internal/view"
	"neargate/store"
	"neargate/store/tables"
)

// Service answers the service operations.
type Service struct{ call.Env }

// New makes the service.
func New(e call.Env) *Service { return &Service{e} }

// Values of the API that this package decides on.
const (
	enabled  = "ENABLED"
	disabled = "DISABLED"
	replica  = "REPLICA"
	daemon   = "DAEMON"
)

func invalid(message string) error { return ecs.InvalidParameterException(message) }

func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// around gathers what an answer shows beside the record.
func around(tx store.Tx, s *compute.Service) (view.Around, error) {
	a := view.Around{Counts: lookup.Deployments(tx, s)}
	if s.Status == compute.Inactive {
		return a, nil
	}
	for e, err := range tables.ServiceEvents.List(tx, s.Account, s.Region, s.Cluster, s.Name) {
		if err != nil {
			return a, err
		}
		// Events of a deleted service of the same name are not its own.
		if !e.At.Before(s.CreatedAt) {
			a.Events = append([]compute.ServiceEvent{e}, a.Events...)
		}
	}
	return a, nil
}
