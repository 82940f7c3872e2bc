package main

import (
	"context"
	"os"
	"runtime"
	"time"

	"neargate/arn"
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
	"neargate/internal/telemetry"
	"neargate/node"
	"neargate/node/sandbox/fake"
	reslogs "neargate/resource/logs"
	host "neargate/resource/node"
	"neargate/service"
	"neargate/service/ec2"
	"neargate/service/ecs"
	"neargate/service/ecs/task"
	"neargate/service/iam"
	"neargate/service/logs"
	"neargate/service/sts"
	"neargate/wire/shape"
)

// services are the AWS APIs the front door serves.
func services(d service.Deps, launches task.Rate, l *logs.Service) []shape.Service {
	return []shape.Service{
		awsec2.Describe(ec2.New(d)),
		awsecs.Describe(ecs.New(d, launches)),
		awsiam.Describe(iam.New(d)),
		awslogs.Describe(l),
		awssts.Describe(sts.New(d)),
	}
}

// queriesAtATime is how many Logs Insights queries run at a time; each may take
// 64 MiB of memory and a core.
const queriesAtATime = 4

// points counts what metric filters make, as long as there is no store of
// metrics to put it into.
type points struct{ tel *telemetry.Telemetry }

// Put implements meter.Metrics.
func (p points) Put(m reslogs.MetricPoint) { p.tel.MetricPoint(m.Account) }

// controllers are all loops of the control plane. docs/controllers.md draws them.
func controllers(now func() time.Time, ids *arn.Source) []loop.Runner {
	return []loop.Runner{
		deploy.New(now, ids), place.Place(), place.Hosts(), attach.New(ids),
		expire.Tasks(), expire.Services(), expire.Clusters(),
		expire.Sessions(), expire.DeletionTasks(),
	}
}

// env is what controllers run with.
func (d *daemon) env() loop.Env {
	return loop.Env{Store: d.store, Seed: seed(), Log: d.log, Observe: func(p loop.Pass) { d.tel.Pass(p.Controller, p.Took, p.Err) }}
}

// Size of the fake node: it runs nothing, so it has room for what a rack has.
const fakeCPU, fakeMemory = 4096 << 10, 16 << 20 // 4,096 vCPU in units, 16 TiB in MiB

// runNode is the agent of this host. Its sandbox is the fake one: tasks go
// through their life cycle and run nothing.
func (d *daemon) runNode(ctx context.Context) error {
	self, err := d.self()
	if err != nil {
		return err
	}
	worker := node.NewHost(ctx, fake.New(nil), noImages)
	return node.NewAgent(self, d.store, worker, d.log).Run(ctx, worker.Reports())
}

// self describes this host. Its name is the same at every start.
func (d *daemon) self() (host.Node, error) {
	name, err := os.Hostname()
	if err != nil {
		return host.Node{}, err
	}
	arch := "x86_64"
	if runtime.GOARCH == "arm64" {
		arch = "arm64"
	}
	return host.Node{Name: name, Architecture: arch, CPU: fakeCPU, Memory: fakeMemory}, nil
}

// noImages answers for the fake node, which pulls nothing and so knows no digest.
func noImages(context.Context, string) (string, error) { return "", nil }
