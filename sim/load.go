package sim

import (
	"fmt"
	"time"

	"neargate/arn"
	"neargate/resource/compute"
	"neargate/resource/compute/taskdef"
	"neargate/store"
	"neargate/store/tables"
)

// load is the customer, and the trouble: it runs and stops tasks, interrupts
// some, and breaks hosts.
type load struct {
	diary
	w           *World
	definitions []taskdef.Definition
	subnets     []string      // by zone
	every       time.Duration // mean time between calls; 0: none
	live        []*compute.Task
	services    []string
}

func newLoad(w *World) *load {
	l := &load{w: w, definitions: definitions()}
	w.must(w.store.Update(w.ctx, func(tx store.Tx) error {
		byZone := map[string]string{}
		for s, err := range tables.Subnets.List(tx, Account, Region) {
			if err != nil {
				return err
			}
			byZone[s.Zone] = s.ID
		}
		l.subnets = nil
		for _, z := range arn.Zones(Region) {
			l.subnets = append(l.subnets, byZone[z.Name])
		}
		for i := range l.definitions {
			if err := tables.TaskDefinitions.Put(tx, &l.definitions[i]); err != nil {
				return err
			}
		}
		return nil
	}))
	return l
}

// definitions are task definitions with all kinds of dependencies.
func definitions() []taskdef.Definition {
	check := &taskdef.HealthCheck{Command: []string{"CMD", "true"}}
	on := func(name, condition string) []taskdef.Dependency {
		return []taskdef.Dependency{{ContainerName: name, Condition: condition}}
	}
	app := func(deps ...taskdef.Dependency) taskdef.Container {
		return taskdef.Container{Name: "app", Image: "app", Essential: true, DependsOn: deps}
	}
	all := [][]taskdef.Container{
		{app()},
		{{Name: "init", Image: "init"}, app(on("init", "SUCCESS")...)},
		{{Name: "init", Image: "init"}, app(on("init", "COMPLETE")...)},
		{app(), {Name: "log", Image: "log", StopTimeout: new(int32(2)), DependsOn: on("app", "START")}},
		{{Name: "db", Image: "db", Essential: true, HealthCheck: check, StartTimeout: new(int32(60))}, app(on("db", "HEALTHY")...)},
		{app(), {Name: "log", Image: "log"}, {Name: "proxy", Image: "proxy", Essential: true,
			DependsOn: []taskdef.Dependency{{ContainerName: "app", Condition: "START"}, {ContainerName: "log", Condition: "START"}}}},
	}
	var defs []taskdef.Definition
	for i, cs := range all {
		defs = append(defs, taskdef.Definition{
			Account: Account, Region: Region, Family: fmt.Sprintf("family%d", i), Revision: 1,
			Status: compute.Active, ContainerDefinitions: cs,
		})
	}
	return defs
}

// Load makes customers call, on average once in every; 0 makes them stop.
func (w *World) Load(every time.Duration) {
	w.load.every = every
	w.plan(w.load, w.Now)
}

func (l *load) act(now time.Time) time.Time {
	if l.every == 0 {
		return time.Time{}
	}
	switch n := l.w.rand.IntN(100); {
	case n < 50:
		l.w.RunTasks(1 + l.w.rand.IntN(4))
	case n < 85:
		l.stopSome(compute.UserInitiated, "Task stopped by user")
	case n < 90:
		l.stopSome(compute.SpotInterruption, "Your Spot Task was interrupted.")
	case l.w.Faults && n < 94:
		l.breakHost()
	case n >= 96:
		l.w.changeService()
	}
	return now.Add(l.w.upTo(2 * l.every))
}

// breakHost makes one host crash, reboot or lose the network, mostly for less
// than it takes to be lost.
func (l *load) breakHost() {
	h := l.w.hosts[l.w.rand.IntN(len(l.w.hosts))]
	d := l.w.upTo(50 * time.Second)
	if h.agent == nil || h.store.offline {
		return
	}
	switch l.w.rand.IntN(3) {
	case 0:
		h.crash(d)
	case 1:
		h.reboot(d)
	default:
		h.cutOff(d)
	}
}

// RunTasks asks for n tasks of one kind.
func (w *World) RunTasks(n int) {
	l := w.load
	def := &l.definitions[w.rand.IntN(len(l.definitions))]
	sizes := [][2]int{{256, 512}, {256, 512}, {512, 1024}, {2048, 8192}}
	size := sizes[w.rand.IntN(len(sizes))]
	var subnets []string
	for _, s := range l.subnets[:3] {
		if len(subnets) == 0 || w.rand.IntN(2) == 0 {
			subnets = append(subnets, s)
		}
	}
	if w.rand.IntN(100) == 0 {
		subnets = []string{l.subnets[5]} // no host serves this zone
	}
	tasks := make([]compute.Task, n)
	for i := range tasks {
		tasks[i] = w.task(def, size[0], size[1], subnets)
		l.live = append(l.live, &tasks[i])
	}
	w.must(w.store.Update(w.ctx, func(tx store.Tx) error {
		for i := range tasks {
			if err := tables.Tasks.Put(tx, &tasks[i]); err != nil {
				return err
			}
		}
		return nil
	}))
}

// task is a new task as RunTask records it.
func (w *World) task(def *taskdef.Definition, cpu, memory int, subnets []string) compute.Task {
	public := "DISABLED"
	if w.rand.IntN(2) == 0 {
		public = "ENABLED"
	}
	t := compute.Task{
		Account: Account, Region: Region, Cluster: Cluster, ID: w.ids.Hex(32), CreatedAt: w.Now,
		Spec: compute.TaskSpec{
			Family: def.Family, Revision: def.Revision, Group: "family:" + def.Family,
			LaunchType: "FARGATE", Architecture: "x86_64", CPU: cpu, Memory: memory,
			Network: compute.Network{Subnets: subnets, AssignPublicIP: public},
		},
		Intent:     compute.Intent{Desired: compute.Running},
		Attachment: compute.Attachment{ID: w.ids.UUID(), Status: compute.PreCreated, Subnet: subnets[0]},
		State:      compute.TaskState{Last: compute.Provisioning, Version: 1, Health: "UNKNOWN"},
	}
	for _, c := range def.ContainerDefinitions {
		t.Spec.Containers = append(t.Spec.Containers, compute.ContainerSpec{
			ID: w.ids.UUID(), Name: c.Name, Image: c.Image, Essential: c.Essential, HealthCheck: c.HealthCheck != nil,
		})
		t.State.Containers = append(t.State.Containers, compute.ContainerState{Name: c.Name, Last: compute.Pending, Health: "UNKNOWN"})
	}
	return t
}

// stopSome stops up to three tasks.
func (l *load) stopSome(code compute.StopCode, reason string) {
	for range 1 + l.w.rand.IntN(3) {
		if len(l.live) == 0 {
			return
		}
		i := l.w.rand.IntN(len(l.live))
		t := l.live[i]
		l.live[i] = l.live[len(l.live)-1]
		l.live = l.live[:len(l.live)-1]
		l.w.stop(t, code, reason)
	}
}

// StopAll stops every task that is not a service's.
func (w *World) StopAll() {
	for _, t := range w.load.live {
		w.stop(t, compute.UserInitiated, "Task stopped by user")
	}
	w.load.live = nil
}

// stop records the wish to stop a task, as StopTask does.
func (w *World) stop(t *compute.Task, code compute.StopCode, reason string) {
	w.must(w.store.Update(w.ctx, func(tx store.Tx) error {
		now, ok, err := tables.Tasks.Find(tx, t.Account, t.Region, t.Cluster, t.ID)
		if err != nil || !ok || now.Intent.Desired == compute.Stopped {
			return err
		}
		now.Intent = compute.Intent{Desired: compute.Stopped, StopCode: code, StopReason: reason, StoppingAt: w.Now}
		now.State.Version++
		return tables.Tasks.Put(tx, &now)
	}))
}
