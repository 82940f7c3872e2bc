// Package ecstest is a small world in which ECS operations are tested: a store in
// memory, a clock, a caller, a cluster, a network and task definitions.
package ecstest

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"neargate/arn"
	"neargate/auth"
	"neargate/resource/compute"
	"neargate/resource/compute/taskdef"
	"neargate/resource/network"
	"neargate/service"
	"neargate/service/ecs/internal/call"
	"neargate/store"
	"neargate/store/mem"
	"neargate/store/tables"
)

// Account and Region are where the tests play.
const (
	Account = arn.DefaultAccount
	Region  = arn.DefaultRegion
)

// World is a store with a cluster "c" that has the Fargate capacity providers.
type World struct {
	T       *testing.T
	Ctx     context.Context
	Env     call.Env
	Now     time.Time
	Subnets []string // of the default VPC
	Group   string   // its default security group
}

type source struct{ *rand.ChaCha8 }

func (s source) Read(b []byte) (int, error) { return s.ChaCha8.Read(b) }

// New makes a world.
func New(t *testing.T) *World {
	st := mem.New(mem.Paranoid())
	t.Cleanup(func() { st.Close() })
	w := &World{T: t, Now: time.Date(2026, 9, 16, 10, 0, 0, 0, time.UTC)}
	w.Env = call.New(service.Deps{
		Store: st, Now: func() time.Time { return w.Now }, IDs: arn.NewSource(source{rand.NewChaCha8([32]byte{7})}),
	})
	w.Ctx = auth.WithCaller(t.Context(), auth.Caller{
		Account: Account, Region: Region, Partition: "aws", ARN: "arn:aws:iam::" + Account + ":root", UserID: Account,
	})
	net := network.Defaults(Account, Region)
	for _, s := range net.Subnets {
		w.Subnets = append(w.Subnets, s.ID)
	}
	w.Group = net.SecurityGroup.ID
	w.Update(func(tx store.Tx) error {
		return tables.Clusters.Put(tx, &compute.Cluster{
			Account: Account, Region: Region, Name: "c", Status: compute.Active, CreatedAt: w.Now,
			CapacityProviders: []string{compute.Fargate, compute.FargateSpot},
		})
	})
	return w
}

// Update runs fn in a transaction.
func (w *World) Update(fn func(store.Tx) error) {
	w.T.Helper()
	if err := w.Env.Store.Update(context.Background(), fn); err != nil {
		w.T.Fatal(err)
	}
}

// Cluster changes the cluster.
func (w *World) Cluster(change func(*compute.Cluster)) {
	w.T.Helper()
	w.Update(func(tx store.Tx) error {
		c, err := tables.Clusters.Get(tx, Account, Region, "c")
		if err != nil {
			return err
		}
		change(&c)
		return tables.Clusters.Put(tx, &c)
	})
}

// Definition registers the next revision of a Fargate definition with one
// container, "main", and returns its ARN.
func (w *World) Definition(family string, change func(*taskdef.Definition)) string {
	w.T.Helper()
	d := taskdef.Definition{
		Account: Account, Region: Region, Family: family, Status: compute.Active,
		Cpu: new("256"), Memory: new("512"), NetworkMode: new("awsvpc"),
		Compatibilities: []string{"EC2", "FARGATE"}, RequiresCompatibilities: []string{"FARGATE"},
		ContainerDefinitions: []taskdef.Container{{Name: "main", Image: "httpd:2.4", Essential: true}},
	}
	if change != nil {
		change(&d)
	}
	w.Update(func(tx store.Tx) error {
		f, _, err := tables.Families.Find(tx, Account, Region, family)
		if err != nil {
			return err
		}
		f.Account, f.Region, f.Name = Account, Region, family
		f.Last++
		d.Revision = f.Last
		if d.Status == compute.Active {
			f.Active++
			f.LatestActive = f.Last
		}
		if err := tables.Families.Put(tx, &f); err != nil {
			return err
		}
		return tables.TaskDefinitions.Put(tx, &d)
	})
	return d.ARN()
}

// Task changes the stored task with the id.
func (w *World) Task(id string, change func(*compute.Task)) {
	w.T.Helper()
	w.Update(func(tx store.Tx) error {
		t, err := tables.Tasks.Get(tx, Account, Region, "c", id)
		if err != nil {
			return err
		}
		change(&t)
		return tables.Tasks.Put(tx, &t)
	})
}

// Fails fails the test unless err is the AWS error "Code: message…".
func (w *World) Fails(err error, want string) {
	w.T.Helper()
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		w.T.Errorf("error %v, want %s", err, want)
	}
}
