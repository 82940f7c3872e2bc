package main

import (
	"net/netip"
	"time"

	"neargate/arn"
	awsec2 "neargate/aws/ec2"
	awsecr "neargate/aws/ecr"
	awsecs "neargate/aws/ecs"
	awsiam "neargate/aws/iam"
	awskms "neargate/aws/kms"
	awslogs "neargate/aws/logs"
	awssecrets "neargate/aws/secretsmanager"
	awsssm "neargate/aws/ssm"
	awssts "neargate/aws/sts"
	"neargate/control/attach"
	"neargate/control/deploy"
	"neargate/control/expire"
	"neargate/control/images"
	keycontrol "neargate/control/keys"
	"neargate/control/loop"
	"neargate/control/place"
	"neargate/control/vault"
	"neargate/service"
	"neargate/service/ec2"
	"neargate/service/ecr"
	"neargate/service/ecs"
	"neargate/service/ecs/task"
	"neargate/service/iam"
	"neargate/service/kms"
	"neargate/service/logs"
	"neargate/service/secretsmanager"
	"neargate/service/ssm"
	"neargate/service/sts"
	"neargate/wire/shape"
)

// services are the AWS APIs the front door serves.
func services(d service.Deps, launches task.Rate, l *logs.Service, k *kms.Service, e *ecr.Service) []shape.Service {
	return []shape.Service{
		awsec2.Describe(ec2.New(d)),
		awsecr.Describe(e),
		awsecs.Describe(ecs.New(d, launches)),
		awsiam.Describe(iam.New(d)),
		awskms.Describe(k),
		awslogs.Describe(l),
		awssecrets.Describe(secretsmanager.New(d, k)),
		awsssm.Describe(ssm.New(d, k)),
		awssts.Describe(sts.New(d)),
	}
}

// controllers are all loops of the control plane. docs/controllers.md draws them.
func controllers(now func() time.Time, ids *arn.Source, public netip.Prefix, master [32]byte) []loop.Runner {
	return []loop.Runner{
		deploy.New(now, ids), place.Place(), place.Hosts(), attach.New(ids, public),
		expire.Tasks(), expire.Services(), expire.Clusters(),
		expire.Sessions(), expire.DeletionTasks(), keycontrol.New(ids, master), vault.Parameters(), vault.Secrets(),
		images.Lifecycle(), images.Replicate(ids, mayReplicate(now)),
	}
}

// env is what controllers run with.
func (d *daemon) env() loop.Env {
	return loop.Env{Store: d.store, Seed: seed(), Log: d.log, Observe: func(p loop.Pass) { d.tel.Pass(p.Controller, p.Took, p.Err) }}
}
