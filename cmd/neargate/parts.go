package main

import (
	"net/netip"
	"time"

	"neargate/arn"
	awscloudtrail "neargate/aws/cloudtrail"
	awsec2 "neargate/aws/ec2"
	awsecs "neargate/aws/ecs"
	awsiam "neargate/aws/iam"
	awslogs "neargate/aws/logs"
	awssts "neargate/aws/sts"
	"neargate/control/attach"
	"neargate/control/deploy"
	"neargate/control/expire"
	"neargate/control/loop"
	"neargate/control/place"
	"neargate/service"
	"neargate/service/cloudtrail"
	"neargate/service/ec2"
	"neargate/service/ecs"
	"neargate/service/ecs/task"
	"neargate/service/iam"
	"neargate/service/logs"
	"neargate/service/sts"
	"neargate/wire/shape"
)

// services are the AWS APIs the front door serves.
func services(d service.Deps, launches task.Rate, l *logs.Service, events cloudtrail.Events) []shape.Service {
	return []shape.Service{
		awscloudtrail.Describe(cloudtrail.New(d, events)),
		awsec2.Describe(ec2.New(d)),
		awsecs.Describe(ecs.New(d, launches)),
		awsiam.Describe(iam.New(d)),
		awslogs.Describe(l),
		awssts.Describe(sts.New(d)),
	}
}

// controllers are all loops of the control plane. docs/controllers.md draws them.
func controllers(now func() time.Time, ids *arn.Source, public netip.Prefix) []loop.Runner {
	return []loop.Runner{
		deploy.New(now, ids), place.Place(), place.Hosts(), attach.New(ids, public),
		expire.Tasks(), expire.Services(), expire.Clusters(),
		expire.Sessions(), expire.DeletionTasks(),
	}
}

// env is what controllers run with.
func (d *daemon) env() loop.Env {
	return loop.Env{Store: d.store, Seed: seed(), Log: d.log, Observe: func(p loop.Pass) { d.tel.Pass(p.Controller, p.Took, p.Err) }}
}
