package place

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"neargate/resource/compute"
	"neargate/resource/node"
	"neargate/store"
	"neargate/store/mem"
	"neargate/store/tables"
)

var t0 = time.Unix(1_000_000, 0).UTC()

func queued1(id string, cpu, memory int) compute.Task {
	return compute.Task{
		Account: "1", Region: "us-east-1", Cluster: "c", ID: id, CreatedAt: t0,
		Spec:   compute.TaskSpec{CPU: cpu, Memory: memory, Group: "family:f", Architecture: "x86_64"},
		Intent: compute.Intent{Desired: compute.Running},
		State:  compute.TaskState{Last: compute.Provisioning, Version: 1, Containers: []compute.ContainerState{{Name: "a", Last: compute.Pending}}},
	}
}

func host(name string, cpu, used int, zones ...string) Host {
	return Host{
		Node: node.Node{Name: name, Architecture: "x86_64", CPU: cpu, Memory: 2 * cpu, Zones: zones},
		Used: node.Allocation{Name: name, CPU: used, Memory: 2 * used},
	}
}

func queue(hosts []Host, zones []string, tasks ...compute.Task) Queue {
	q := Queue{Tasks: tasks, Hosts: hosts, Zones: map[string][]string{}, Count: map[Group]map[Zone]int{}}
	for i := range tasks {
		q.Zones[tasks[i].ID] = zones
		q.Count[groupOf(&tasks[i])] = map[Zone]int{}
	}
	return q
}

func TestSpreadsOverZonesThenHosts(t *testing.T) {
	hosts := []Host{host("a1", 4096, 1024, "a"), host("a2", 4096, 0, "a"), host("b1", 4096, 3072, "b"), host("c1", 4096, 0, "c")}
	var tasks []compute.Task
	for i := range 4 {
		tasks = append(tasks, queued1(fmt.Sprint(i), 512, 1024))
	}
	do, wake := Plan(t0, queue(hosts, []string{"us-east-1a", "us-east-1b"}, tasks...))
	var got string
	for _, c := range do {
		if c.Task != nil {
			got += c.Task.Node + "/" + c.Task.Zone + " "
		} else {
			got += fmt.Sprintf("%s=%d,%d,%d ", c.Used.Name, c.Used.CPU, c.Used.Memory, c.Used.Tasks)
		}
	}
	// b1 has room for two; a zone's tasks go to its emptier host.
	want := "a2/us-east-1a b1/us-east-1b a2/us-east-1a b1/us-east-1b a2=1024,2048,2 b1=4096,8192,2 "
	if got != want || !wake.IsZero() {
		t.Errorf("planned %s\nwant    %s, wake %v", got, want, wake)
	}
}

func TestZoneOfTheCreatorAndOfTheService(t *testing.T) {
	hosts := []Host{host("any", 4096, 0)}
	task := queued1("1", 256, 512)
	q := queue(hosts, []string{"us-east-1a", "us-east-1b", "us-east-1c"}, task)
	q.Count[groupOf(&task)] = map[Zone]int{"us-east-1a": 2, "us-east-1b": 1, "us-east-1c": 1}
	do, _ := Plan(t0, q)
	if do[0].Task.Zone != "us-east-1b" {
		t.Errorf("zone %s, want the first of those with the fewest tasks", do[0].Task.Zone)
	}
}

func TestWaitsThenFails(t *testing.T) {
	for name, h := range map[string]Host{
		"full":         host("a1", 1024, 1024),
		"architecture": {Node: node.Node{Name: "a1", Architecture: "arm64", CPU: 4096, Memory: 8192}},
		"zone":         host("a1", 4096, 0, "f"),
	} {
		task := queued1("1", 256, 512)
		q := queue([]Host{h}, []string{"us-east-1a"}, task)
		do, _ := Plan(t0, q)
		if len(do) != 1 || do[0].Task.Node != "" || !do[0].Task.PlaceAfter.Equal(t0.Add(retryEvery)) {
			t.Fatalf("%s: planned %+v, want to wait", name, do)
		}
		q.Tasks[0] = *do[0].Task
		if do, wake := Plan(t0.Add(time.Second), q); len(do) != 0 || !wake.Equal(t0.Add(retryEvery)) {
			t.Errorf("%s: too early planned %+v, wake %v", name, do, wake)
		}
		do, _ = Plan(t0.Add(CapacityWait), q)
		got := do[0].Task
		if got.Intent.StopCode != compute.TaskFailedToStart || got.Intent.StopReason != noCapacity || got.State.Last != compute.Deprovisioning {
			t.Errorf("%s: at last %+v %+v", name, got.Intent, got.State)
		}
	}
}

// TestStoppedBeforePlaced has the states and versions recorded from ECS.
func TestStoppedBeforePlaced(t *testing.T) {
	task := queued1("1", 256, 512)
	task.Intent = compute.Intent{Desired: compute.Stopped, StopCode: compute.UserInitiated, StopReason: "bye", StoppingAt: t0}
	task.State.Version = 2
	task.PlaceAfter = t0.Add(time.Hour)
	q := queue([]Host{host("a1", 4096, 0)}, []string{"us-east-1a"}, task)
	do, wake := Plan(t0.Add(time.Second), q)
	got := do[0].Task
	if s := got.State; len(do) != 1 || !wake.Equal(t0.Add(time.Second)) || s.Last != compute.Deprovisioning || s.Version != 3 || !s.StoppedAt.Equal(t0.Add(time.Second)) || s.Containers[0].Last != compute.Stopped {
		t.Fatalf("first %+v", do)
	}
	if q.Tasks[0].State.Containers[0].Last != compute.Pending {
		t.Error("the stored record was written to")
	}
	q.Tasks[0] = *got
	do, _ = Plan(t0.Add(2*time.Second), q)
	got = do[0].Task
	if s := got.State; s.Last != compute.Stopped || s.Version != 4 || !s.StoppedAt.Equal(t0.Add(time.Second)) || got.Node != "" || got.Intent != task.Intent {
		t.Errorf("then %+v", got)
	}
}

// TestPlanNeverOvercommits plans random queues on random hosts.
func TestPlanNeverOvercommits(t *testing.T) {
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 0))
		var hosts []Host
		for i := range r.IntN(8) {
			cpu := 1024 * (1 + r.IntN(4))
			hosts = append(hosts, host(fmt.Sprint("h", i), cpu, r.IntN(cpu), [][]string{nil, {"a"}, {"b"}}[r.IntN(3)]...))
		}
		var tasks []compute.Task
		for i := range r.IntN(30) {
			tasks = append(tasks, queued1(fmt.Sprint(i), 256<<r.IntN(4), 512<<r.IntN(4)))
		}
		q := queue(hosts, []string{"us-east-1a", "us-east-1b"}, tasks...)
		before := map[string]node.Allocation{}
		for _, h := range hosts {
			before[h.Name] = h.Used
		}
		do, _ := Plan(t0, q)
		after := map[string]node.Allocation{}
		for _, c := range do {
			switch {
			case c.Task != nil && c.Task.Node != "":
				a := before[c.Task.Node]
				a.CPU, a.Memory, a.Tasks = a.CPU+c.Task.Spec.CPU, a.Memory+c.Task.Spec.Memory, a.Tasks+1
				before[c.Task.Node] = a
			case c.Used != nil:
				after[c.Used.Name] = *c.Used
			}
		}
		for _, h := range q.Hosts {
			if u := before[h.Name]; u.CPU > h.CPU || u.Memory > h.Memory {
				t.Fatalf("seed %d: %s is overcommitted: %+v of %+v", seed, h.Name, u, h.Node)
			}
			if a, ok := after[h.Name]; ok && a != before[h.Name] {
				t.Fatalf("seed %d: %s is recorded as %+v, has %+v", seed, h.Name, a, before[h.Name])
			}
		}
	}
}

func TestPlanHost(t *testing.T) {
	live := node.Allocation{Name: "n", CPU: 512, Memory: 1024, Tasks: 1}
	task := queued1("1", 512, 1024)
	task.Node, task.State.Last, task.State.StartedAt, task.State.Connectivity = "n", compute.Running, t0, "CONNECTED"
	at := func(s time.Duration) time.Time { return t0.Add(s * time.Second) }
	base := HostState{Name: "n", Known: true, Seen: t0, Truth: live, Counted: true, Used: live}
	change := func(f func(*HostState)) HostState { s := base; f(&s); return s }
	lost := live
	lost.Lost = true
	for name, c := range map[string]struct {
		s    HostState
		now  time.Time
		do   string
		wake time.Time
	}{
		"nothing to do": {base, at(1), "", at(40)},
		"new":           {change(func(s *HostState) { s.Counted, s.Used, s.Truth = false, node.Allocation{}, node.Allocation{Name: "n"} }), at(1), "{n 0 0 0 false}", at(40)},
		"task ended":    {change(func(s *HostState) { s.Truth = node.Allocation{Name: "n"} }), at(1), "{n 0 0 0 false}", at(40)},
		"lost":          {base, at(40), "{n 512 1024 1 true}", at(40)},
		"lost, then":    {change(func(s *HostState) { s.Used, s.Tasks = lost, []compute.Task{task} }), at(41), "STOPPED {n 0 0 0 true}", at(51)},
		"back":          {change(func(s *HostState) { s.Used, s.Seen = lost, at(50) }), at(51), "{n 512 1024 1 false}", at(90)},
		"removed":       {change(func(s *HostState) { s.Known, s.Truth = false, node.Allocation{Name: "n"} }), at(1), "gone n", time.Time{}},
	} {
		do, wake := PlanHost(c.now, c.s)
		got := ""
		for _, d := range do {
			switch {
			case d.Task != nil:
				got += string(d.Task.State.Last) + " "
				if in := d.Task.Intent; in.StopCode != compute.InfrastructureHealth || d.Task.State.ExecutionStoppedAt.IsZero() || d.Task.State.Connectivity != "DISCONNECTED" {
					t.Errorf("%s: ended as %+v", name, d.Task)
				}
			case d.Used != nil:
				got += fmt.Sprint(*d.Used)
			default:
				got += "gone " + d.Gone
			}
		}
		if got != c.do || !wake.Equal(c.wake) {
			t.Errorf("%s: %q, wake %v; want %q, %v", name, got, wake.Sub(t0), c.do, c.wake.Sub(t0))
		}
	}
}

// TestQueueOrder has tasks to stop before those to place, these by their turn, and
// those of container instances not at all.
func TestQueueOrder(t *testing.T) {
	st := mem.New(mem.Paranoid())
	early, late, retry, stop, ec2 := queued1("1", 1, 1), queued1("0", 1, 1), queued1("3", 1, 1), queued1("9", 1, 1), queued1("5", 1, 1)
	late.CreatedAt = t0.Add(time.Second)
	retry.PlaceAfter = t0.Add(time.Minute)
	stop.PlaceAfter, stop.Intent.Desired = t0.Add(time.Hour), compute.Stopped
	ec2.Spec.Instance = "i"
	err := st.Update(t.Context(), func(tx store.Tx) error {
		for _, task := range []compute.Task{early, late, retry, stop, ec2} {
			if err := tables.Tasks.Put(tx, &task); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	if err := st.View(t.Context(), func(tx store.Tx) error {
		q, err := load(tx)
		for _, task := range q.Tasks {
			got += task.ID
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if got != "9103" {
		t.Errorf("order %s, want 9103", got)
	}
}
