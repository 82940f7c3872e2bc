// Command fill writes a cluster of running tasks into the data directory of an
// installation that is not running, so that a daemon can be measured with them.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"time"

	"neargate/arn"
	"neargate/internal/install"
	"neargate/resource/compute"
	"neargate/resource/node"
	"neargate/store"
	"neargate/store/etcd"
	"neargate/store/tables"
)

const (
	account, region, cluster = arn.DefaultAccount, arn.DefaultRegion, "large"
	batch                    = 250 // tasks in a transaction
)

func main() {
	dir := flag.String("data-dir", "", "`DIR` of the installation")
	nodes := flag.Int("nodes", 5000, "how many nodes the tasks are on")
	tasks := flag.Int("tasks", 100_000, "how many tasks; their ids are the numbers from 0 as 32 hexadecimal digits")
	flag.Parse()
	if err := fill(context.Background(), install.Dir(*dir), *nodes, *tasks); err != nil {
		log.Fatal(err)
	}
}

func fill(ctx context.Context, dir install.Dir, nodes, tasks int) error {
	release, err := dir.Lock()
	if err != nil {
		return err
	}
	defer release()
	st, err := etcd.Open(ctx, etcd.Config{Dir: dir.Store()})
	if err != nil {
		return err
	}
	defer st.Close()
	now := time.Now().UTC()
	err = st.Update(ctx, func(tx store.Tx) error {
		return tables.Clusters.Put(tx, &compute.Cluster{
			Account: account, Region: region, Name: cluster, Status: compute.Active, CreatedAt: now,
		})
	})
	if err != nil {
		return err
	}
	each := func(n int, put func(tx store.Tx, i int) error) {
		for from := 0; from < n && err == nil; from += batch {
			err = st.Update(ctx, func(tx store.Tx) error {
				for i := from; i < min(from+batch, n); i++ {
					if err := put(tx, i); err != nil {
						return err
					}
				}
				return nil
			})
		}
	}
	each(nodes, func(tx store.Tx, i int) error { return putNode(tx, i, now, (tasks-i+nodes-1)/nodes) })
	each(tasks, func(tx store.Tx, i int) error {
		t := running(i, i%nodes, now)
		return tables.Tasks.Put(tx, &t)
	})
	return err
}

func nodeName(i int) string { return fmt.Sprintf("node-%05d", i) }

// putNode records a node with its allocation. It registers in the future, so that
// nobody misses its heartbeats meanwhile.
func putNode(tx store.Tx, i int, now time.Time, tasks int) error {
	n := node.Node{Name: nodeName(i), Architecture: "x86_64", CPU: 16 << 10, Memory: 64 << 10, RegisteredAt: now.Add(time.Hour)}
	if err := tables.Nodes.Put(tx, &n); err != nil {
		return err
	}
	return tables.Allocations.Put(tx, &node.Allocation{Name: n.Name, CPU: 256 * tasks, Memory: 512 * tasks, Tasks: tasks})
}

// running is the task with number i, on the given node, as DescribeTasks shows a
// Fargate task that runs.
func running(i, on int, now time.Time) compute.Task {
	id := fmt.Sprintf("%032x", i)
	ip := fmt.Sprintf("172.31.%d.%d", i>>8&0xff, i&0xff)
	return compute.Task{
		Account: account, Region: region, Cluster: cluster, ID: id, CreatedAt: now, Node: nodeName(on), Zone: region + "a",
		Spec: compute.TaskSpec{
			Family: "web", Revision: 1, Group: "family:web", LaunchType: "FARGATE", PlatformVersion: "1.4.0", PlatformFamily: "Linux",
			Architecture: "x86_64", CPU: 256, Memory: 512, EphemeralGiB: 20,
			Network:    compute.Network{Subnets: []string{"subnet-1"}, SecurityGroups: []string{"sg-1"}, AssignPublicIP: "DISABLED"},
			Containers: []compute.ContainerSpec{{ID: id, Name: "app", Image: "public.ecr.aws/docker/library/httpd:latest", Essential: true, CPU: "0"}},
			CreatedBy:  "arn:aws:iam::" + account + ":root",
		},
		Intent: compute.Intent{Desired: compute.Running},
		Attachment: compute.Attachment{ID: id, Status: compute.Attached, Subnet: "subnet-1", ENI: "eni-" + id[15:],
			MAC: "02:00:00:00:00:01", PrivateIP: ip, PrivateDNS: "ip-" + ip + ".ec2.internal"},
		State: compute.TaskState{
			Last: compute.Running, Version: 3, Health: compute.UnknownHealth, Connectivity: "CONNECTED", ConnectivityAt: now,
			PullStartedAt: now, PullStoppedAt: now, StartedAt: now,
			Containers: []compute.ContainerState{{Name: "app", Last: compute.Running, RuntimeID: id + "-1", Started: true}},
		},
	}
}
