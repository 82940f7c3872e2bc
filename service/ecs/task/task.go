// Package task runs, stops and shows ECS tasks.
package task

import (
	"time"

	"neargate/aws/ecs"
	"neargate/resource/compute"
	"neargate/service/ecs/internal/call"
	"neargate/service/ecs/internal/view"
)

// Service answers the task operations.
type Service struct {
	call.Env
	launches *launches
	shown    *view.Tasks
}

// New makes the service. Tasks on AWS Fargate are launched no faster than rate
// in each account and region, on-demand and Spot apart.
func New(e call.Env, rate Rate) *Service {
	return &Service{Env: e, launches: &launches{rate: rate}, shown: view.NewTasks()}
}

// tokenLife is how long RunTask remembers a client token.
const tokenLife = 24 * time.Hour

func invalid(message string) error { return ecs.InvalidParameterException(message) }

// failure says why nothing was done about a resource.
func failure(arn, reason string) ecs.Failure { return ecs.Failure{Arn: new(arn), Reason: new(reason)} }

func missing(t *compute.Task) ecs.Failure { return failure(t.ARN(), "MISSING") }

func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
