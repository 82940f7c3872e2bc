package main

import (
	"context"
	"time"

	"neargate/arn"
	"neargate/auth"
	awssts "neargate/aws/sts"
	"neargate/control/attach"
	"neargate/control/expire"
	"neargate/control/loop"
	"neargate/control/place"
	"neargate/service"
	"neargate/service/sts"
	"neargate/wire/shape"
)

// services are the AWS APIs the front door serves.
func services(d service.Deps, directory *auth.Directory) []shape.Service {
	return []shape.Service{
		awssts.Describe(sts.New(d)),
	}
}

// controllers are all loops of the control plane. docs/controllers.md draws them.
func controllers(now func() time.Time, ids *arn.Source) []loop.Runner {
	return []loop.Runner{
		place.Place(), place.Hosts(), attach.New(ids),
		expire.Tasks(), expire.Events(), expire.Services(), expire.Clusters(),
	}
}

// env is what controllers run with.
func (d *daemon) env() loop.Env {
	return loop.Env{Store: d.store, Seed: seed(), Log: d.log, Observe: func(p loop.Pass) { d.tel.Pass(p.Controller, p.Took, p.Err) }}
}

func (d *daemon) runNode(ctx context.Context) error { <-ctx.Done(); return nil }
