package main

import (
	"net/netip"
	"time"

	"neargate/arn"
	awsbudgets "neargate/aws/budgets"
	awsce "neargate/aws/ce"
	awscloudtrail "neargate/aws/cloudtrail"
	awsec2 "neargate/aws/ec2"
	awsecr "neargate/aws/ecr"
	awsecs "neargate/aws/ecs"
	awsiam "neargate/aws/iam"
	awskms "neargate/aws/kms"
	awslogs "neargate/aws/logs"
	awspricing "neargate/aws/pricing"
	awsroute53 "neargate/aws/route53"
	awssecrets "neargate/aws/secretsmanager"
	awssigner "neargate/aws/signer"
	awsssm "neargate/aws/ssm"
	awssts "neargate/aws/sts"
	"neargate/billing/book"
	"neargate/cmd/neargate/trailbuckets"
	"neargate/control"
	"neargate/control/edge"
	"neargate/control/expire"
	"neargate/control/images"
	keycontrol "neargate/control/keys"
	"neargate/control/loop"
	"neargate/control/meter"
	"neargate/control/vault"
	"neargate/service"
	"neargate/service/budgets"
	"neargate/service/ce"
	"neargate/service/cloudtrail"
	"neargate/service/ec2"
	"neargate/service/ecr"
	"neargate/service/ecs"
	"neargate/service/ecs/task"
	"neargate/service/iam"
	"neargate/service/kms"
	"neargate/service/logs"
	"neargate/service/pricing"
	"neargate/service/route53"
	"neargate/service/secretsmanager"
	"neargate/service/signer"
	"neargate/service/ssm"
	"neargate/service/sts"
	"neargate/wire/shape"
)

// apis are the services that the daemon keeps a hold of, and what others are made
// with.
type apis struct {
	launches task.Rate
	logs     *logs.Service
	events   cloudtrail.Events
	trails   trailbuckets.Buckets
	kms      *kms.Service
	signer   *signer.Service
	ecr      *ecr.Service
	usage    *book.Book
}

// services are the AWS APIs the front door serves.
func services(d service.Deps, a apis) []shape.Service {
	return []shape.Service{
		awsbudgets.Describe(budgets.New(d, a.usage)),
		awsce.Describe(ce.New(d, a.usage)),
		awscloudtrail.Describe(cloudtrail.New(d, a.events, a.trails, a.trails.Groups)),
		awsec2.Describe(ec2.New(d)),
		awsecr.Describe(a.ecr),
		awsecs.Describe(ecs.New(d, a.launches)),
		awsiam.Describe(iam.New(d)),
		awskms.Describe(a.kms),
		awslogs.Describe(a.logs),
		awsroute53.Describe(route53.New(d)),
		awssecrets.Describe(secretsmanager.New(d, a.kms)),
		awssigner.Describe(a.signer),
		awsssm.Describe(ssm.New(d, a.kms)),
		awspricing.Describe(pricing.New(d)),
		awssts.Describe(sts.New(d)),
	}
}

// controllers are all loops of the control plane. docs/controllers.md draws them.
func controllers(now func() time.Time, ids *arn.Source, public netip.Prefix, master [32]byte) []loop.Runner {
	return append(append(control.Tasks(now, ids, public), edge.New(ids)...),
		expire.Sessions(), expire.DeletionTasks(), meter.Things(), keycontrol.New(ids, master), vault.Parameters(), vault.Secrets(),
		vault.SigningProfiles(), vault.SigningJobs(), images.Lifecycle(), images.Replicate(ids, mayReplicate(now)))
}

// env is what controllers run with.
func (d *daemon) env() loop.Env {
	return loop.Env{Store: d.store, Seed: seed(), Log: d.log, Observe: func(p loop.Pass) { d.tel.Pass(p.Controller, p.Took, p.Err) }}
}
