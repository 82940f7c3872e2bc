package main

import (
	"net/netip"
	"time"

	"neargate/arn"
	awsbudgets "neargate/aws/budgets"
	awsce "neargate/aws/ce"
	awsec2 "neargate/aws/ec2"
	awsecs "neargate/aws/ecs"
	awsiam "neargate/aws/iam"
	awslogs "neargate/aws/logs"
	awspricing "neargate/aws/pricing"
	awssts "neargate/aws/sts"
	"neargate/billing/book"
	"neargate/control"
	"neargate/control/expire"
	"neargate/control/loop"
	"neargate/service"
	"neargate/service/budgets"
	"neargate/service/ce"
	"neargate/service/ec2"
	"neargate/service/ecs"
	"neargate/service/ecs/task"
	"neargate/service/iam"
	"neargate/service/logs"
	"neargate/service/pricing"
	"neargate/service/sts"
	"neargate/wire/shape"
)

// services are the AWS APIs the front door serves.
func services(d service.Deps, launches task.Rate, l *logs.Service, u *book.Book) []shape.Service {
	return []shape.Service{
		awsbudgets.Describe(budgets.New(d, u)),
		awsce.Describe(ce.New(d, u)),
		awsec2.Describe(ec2.New(d)),
		awsecs.Describe(ecs.New(d, launches)),
		awsiam.Describe(iam.New(d)),
		awslogs.Describe(l),
		awspricing.Describe(pricing.New(d)),
		awssts.Describe(sts.New(d)),
	}
}

// controllers are all loops of the control plane. docs/controllers.md draws them.
func controllers(now func() time.Time, ids *arn.Source, public netip.Prefix) []loop.Runner {
	return append(control.Tasks(now, ids, public), expire.Sessions(), expire.DeletionTasks())
}

// env is what controllers run with.
func (d *daemon) env() loop.Env {
	return loop.Env{Store: d.store, Seed: seed(), Log: d.log, Observe: func(p loop.Pass) { d.tel.Pass(p.Controller, p.Took, p.Err) }}
}
