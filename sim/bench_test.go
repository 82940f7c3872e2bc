package sim_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"neargate/control/loop"
	"neargate/control/place"
	"neargate/resource/compute"
	"neargate/resource/node"
	"neargate/sim"
	"neargate/store"
	"neargate/store/etcd"
	"neargate/store/tables"
)

const (
	benchNodes = 5_000
	benchTasks = 100_000
)

// BenchmarkLarge places 100,000 tasks on 5,000 nodes with the real controllers on
// etcd, where a placement counts when it is durable, and then reads tasks as
// DescribeTasks does. Run it with -benchtime 1x.
func BenchmarkLarge(b *testing.B) {
	for b.Loop() {
		st, err := etcd.Open(b.Context(), etcd.Config{Dir: b.TempDir()})
		if err != nil {
			b.Fatal(err)
		}
		ids := furnish(b, st)
		b.ReportMetric(float64(benchTasks)/placeAll(b, st).Seconds(), "placements/s")
		for _, n := range []int{1, 100} {
			p50, p99 := describe(b, st, ids, n)
			b.ReportMetric(float64(p50.Microseconds())/1000, fmt.Sprintf("p50-ms/describe-%d", n))
			b.ReportMetric(float64(p99.Microseconds())/1000, fmt.Sprintf("p99-ms/describe-%d", n))
		}
		if err := st.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// furnish records the nodes and the waiting tasks and returns the tasks' ids.
func furnish(b *testing.B, st store.Store) []string {
	update := func(f func(tx store.Tx) error) {
		if err := st.Update(b.Context(), f); err != nil {
			b.Fatal(err)
		}
	}
	var subnets []string
	update(func(tx store.Tx) error {
		if err := tables.EnsureDefaultNetwork(tx, sim.Account, sim.Region); err != nil {
			return err
		}
		subnets = nil
		for s, err := range tables.Subnets.List(tx, sim.Account, sim.Region) {
			if err != nil {
				return err
			}
			subnets = append(subnets, s.ID)
		}
		return nil
	})
	const batch = 250
	for from := 0; from < benchNodes; from += batch {
		update(func(tx store.Tx) error {
			for i := from; i < from+batch; i++ {
				n := node.Node{Name: fmt.Sprintf("node-%05d", i), Architecture: "x86_64", CPU: 16 << 10, Memory: 64 << 10,
					Zones: []string{string(rune('a' + i%3))}, RegisteredAt: time.Now().Add(time.Hour)}
				if err := tables.Nodes.Put(tx, &n); err != nil {
					return err
				}
				if err := tables.Allocations.Put(tx, &node.Allocation{Name: n.Name}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	var ids []string
	for from := 0; from < benchTasks; from += batch {
		update(func(tx store.Tx) error {
			ids = ids[:from]
			for i := from; i < from+batch; i++ {
				t := waiting(i, subnets[:3])
				ids = append(ids, t.ID)
				if err := tables.Tasks.Put(tx, &t); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return ids
}

func waiting(i int, subnets []string) compute.Task {
	service := fmt.Sprint("service", i%50)
	return compute.Task{
		Account: sim.Account, Region: sim.Region, Cluster: sim.Cluster, ID: fmt.Sprintf("%032x", i), CreatedAt: time.Now().Add(time.Hour),
		Spec: compute.TaskSpec{
			Family: "web", Revision: 1, Group: "service:" + service, Service: service, Deployment: "ecs-svc/1",
			LaunchType: "FARGATE", Architecture: "x86_64", CPU: 256, Memory: 512,
			Network:    compute.Network{Subnets: subnets, AssignPublicIP: "DISABLED"},
			Containers: []compute.ContainerSpec{{ID: "c", Name: "main", Image: "web", Essential: true}},
		},
		Intent:     compute.Intent{Desired: compute.Running},
		Attachment: compute.Attachment{ID: "a", Status: compute.PreCreated},
		State: compute.TaskState{Last: compute.Provisioning, Version: 1, Health: "UNKNOWN",
			Containers: []compute.ContainerState{{Name: "main", Last: compute.Pending, Health: "UNKNOWN"}}},
	}
}

// placeAll runs the controllers until no task waits.
func placeAll(b *testing.B, st store.Store) time.Duration {
	ctx, stop := context.WithCancel(b.Context())
	defer stop()
	begin := time.Now()
	for _, r := range []loop.Runner{place.Place(), place.Hosts()} {
		go r.Run(ctx, loop.Env{Store: st})
	}
	for {
		left := 0
		if err := st.View(ctx, func(tx store.Tx) error {
			left = tx.Count(store.Prefix(tables.TasksByNode, ""))
			return nil
		}); err != nil {
			b.Fatal(err)
		}
		if left == 0 {
			return time.Since(begin)
		}
		time.Sleep(time.Millisecond)
	}
}

// describe reads n tasks by id, again and again, and tells how long that took.
func describe(b *testing.B, st store.Store, ids []string, n int) (p50, p99 time.Duration) {
	r := rand.New(rand.NewPCG(1, 1))
	var took []time.Duration
	for range 2000 {
		begin := time.Now()
		if err := st.View(b.Context(), func(tx store.Tx) error {
			for range n {
				if _, err := tables.Tasks.Get(tx, sim.Account, sim.Region, sim.Cluster, ids[r.IntN(len(ids))]); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	return took[len(took)/2], took[len(took)*99/100]
}
