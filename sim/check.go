package sim

import (
	"context"
	"errors"
	"fmt"
	"time"

	"neargate/resource/compute"
	"neargate/resource/node"
	"neargate/store"
	"neargate/store/tables"
)

// checker holds what must always be true against every commit.
type checker struct {
	tasks     map[string]compute.Task // by key
	live      map[string]node.Allocation
	used      map[string]node.Allocation
	addresses map[string]string          // subnet and address, or public address, to the task's id
	services  map[string]compute.Service // by key
	active    map[string]int             // tasks of a service that run or will
	finished  map[compute.StopCode]int
	ran       int
}

func newChecker() *checker {
	return &checker{
		tasks: map[string]compute.Task{}, live: map[string]node.Allocation{}, used: map[string]node.Allocation{},
		addresses: map[string]string{}, services: map[string]compute.Service{}, active: map[string]int{}, finished: map[compute.StopCode]int{},
	}
}

// order ranks the states; a task never goes back.
var order = map[compute.Status]int{
	compute.Provisioning: 0, compute.Pending: 1, compute.Activating: 2, compute.Running: 3,
	compute.Deactivating: 4, compute.Stopping: 5, compute.Deprovisioning: 6, compute.Stopped: 7,
}

func (c *checker) commit(events []store.Event) error {
	touched, starts := map[string]bool{}, map[string]bool{}
	for _, e := range events {
		switch table, segs := store.Segments(e.Key); table {
		case tables.Tasks.Name:
			if err := c.task(e, touched, starts); err != nil {
				return err
			}
		case tables.Services.Name:
			if err := c.service(e); err != nil {
				return err
			}
		case tables.Allocations.Name:
			a, err := tables.Allocations.Decode(orNull(e.Val))
			if err != nil {
				return err
			}
			a.Name = segs[0]
			c.used[a.Name] = a
			touched[a.Name] = true
		}
	}
	for name := range starts {
		if err := c.started(name); err != nil {
			return err
		}
	}
	for name := range touched {
		live, used := c.live[name], c.used[name]
		if live.CPU > used.CPU || live.Memory > used.Memory || live.Tasks > used.Tasks {
			return fmt.Errorf("node %s is allocated %+v but has %+v", name, used, live)
		}
		if used.CPU > hostCPU || used.Memory > hostMemory {
			return fmt.Errorf("node %s is overcommitted: %+v", name, used)
		}
	}
	return nil
}

func orNull(b []byte) []byte {
	if b == nil {
		return []byte("null")
	}
	return b
}

// task compares a task with what it was.
func (c *checker) task(e store.Event, touched, starts map[string]bool) error {
	old, known := c.tasks[e.Key]
	if e.Val == nil {
		delete(c.tasks, e.Key)
		if old.State.Last != compute.Stopped {
			return fmt.Errorf("task %s was deleted while %s", old.ID, old.State.Last)
		}
		return nil
	}
	t, err := tables.Tasks.Decode(e.Val)
	if err != nil {
		return err
	}
	c.tasks[e.Key] = t
	if known {
		if err := moved(&old, &t); err != nil {
			return fmt.Errorf("task %s: %w", t.ID, err)
		}
	}
	if name := t.Spec.Service; name != "" {
		if known && live(&old) {
			c.active[name]--
		}
		if live(&t) {
			c.active[name]++
		}
		if !known {
			starts[name] = true
		}
	}
	c.count(&old, -1, touched)
	c.count(&t, +1, touched)
	if t.State.Last == compute.Stopped && old.State.Last != compute.Stopped {
		c.finished[t.Intent.StopCode]++
	}
	if t.State.Last == compute.Running && old.State.Last != compute.Running {
		c.ran++
	}
	return errors.Join(complete(&t), c.unique(&t))
}

// live reports whether a task runs or will.
func live(t *compute.Task) bool {
	p := compute.PhaseOf(t)
	return p == compute.PhaseStarting || p == compute.PhaseRunning
}

// count adds a live task to its node, or takes it away.
func (c *checker) count(t *compute.Task, n int, touched map[string]bool) {
	if t.Node == "" || t.State.Last == compute.Stopped {
		return
	}
	a := c.live[t.Node]
	a.CPU += n * t.Spec.CPU
	a.Memory += n * t.Spec.Memory
	a.Tasks += n
	c.live[t.Node] = a
	touched[t.Node] = true
}

// moved checks what may become of a task.
func moved(old, t *compute.Task) error {
	switch {
	case old.Node != "" && t.Node != old.Node:
		return fmt.Errorf("moved from node %s to %s", old.Node, t.Node)
	case order[t.State.Last] < order[old.State.Last]:
		return fmt.Errorf("went from %s back to %s", old.State.Last, t.State.Last)
	case t.State.Version < old.State.Version:
		return fmt.Errorf("version %d after %d", t.State.Version, old.State.Version)
	case t.State.Last != old.State.Last && t.State.Version == old.State.Version:
		return fmt.Errorf("went to %s with version %d unchanged", t.State.Last, t.State.Version)
	case old.Intent.Desired == compute.Stopped && t.Intent != old.Intent:
		return fmt.Errorf("the stop %+v became %+v", old.Intent, t.Intent)
	}
	for i := range old.State.Containers {
		a, b := old.State.Containers[i], t.State.Containers[i]
		switch {
		case a.Last == compute.Stopped && b.Last != compute.Stopped:
			return fmt.Errorf("container %s runs again", a.Name)
		case a.ExitCode != nil && (b.ExitCode == nil || *a.ExitCode != *b.ExitCode):
			return fmt.Errorf("container %s lost its exit code", a.Name)
		}
	}
	return nil
}

// complete checks that a task's state goes with itself.
func complete(t *compute.Task) error {
	s := &t.State
	fail := func(what string) error { return fmt.Errorf("task %s is %s %s: %+v", t.ID, s.Last, what, s) }
	switch {
	case s.Last == compute.Running && (s.StartedAt.IsZero() || t.Attachment.ENI == ""):
		return fail("without a start or an interface")
	case s.Last == compute.Stopped && (s.StoppedAt.IsZero() || t.Intent.StopCode == "" || t.Intent.StopReason == ""):
		return fail("without time, code or reason")
	case s.Last == compute.Stopped && t.Intent.Desired != compute.Stopped:
		return fail("though it should run")
	}
	times := []time.Time{t.CreatedAt, s.PullStartedAt, s.StartedAt, s.StoppedAt}
	for i, last := 1, times[0]; i < len(times); i++ {
		if !times[i].IsZero() {
			if times[i].Before(last) {
				return fail("with times out of order")
			}
			last = times[i]
		}
	}
	return nil
}

// unique checks that no two tasks have the same address.
func (c *checker) unique(t *compute.Task) error {
	a := &t.Attachment
	for _, addr := range []string{a.Subnet + " " + a.PrivateIP, a.PublicIP} {
		if a.PrivateIP == "" || addr == "" {
			continue
		}
		switch owner := c.addresses[addr]; {
		case a.Status == compute.Deleted && owner == t.ID:
			delete(c.addresses, addr)
		case a.Status != compute.Deleted && owner != "" && owner != t.ID:
			return fmt.Errorf("tasks %s and %s both have %s", owner, t.ID, addr)
		case a.Status != compute.Deleted:
			c.addresses[addr] = t.ID
		}
	}
	return nil
}

// Settled checks what must be true when nothing more is going to happen: hosts run
// what the records say, and allocations are exact.
func (w *World) Settled() error {
	if w.stranded != nil {
		return fmt.Errorf("seed %d: %w", w.Seed, w.stranded)
	}
	for name, used := range w.check.used {
		live := w.check.live[name]
		if used.CPU != live.CPU || used.Memory != live.Memory || used.Tasks != live.Tasks {
			return fmt.Errorf("seed %d: node %s is allocated %+v but has %+v", w.Seed, name, used, live)
		}
	}
	if err := w.check.steady(); err != nil {
		return fmt.Errorf("seed %d: %w", w.Seed, err)
	}
	where := map[string]string{}
	for _, h := range w.hosts {
		for _, s := range h.worker.host.List(w.Now) {
			if other := where[s.Task]; other != "" {
				return fmt.Errorf("seed %d: task %s is on %s and %s", w.Seed, s.Task, other, h.node.Name)
			}
			where[s.Task] = h.node.Name
		}
	}
	for _, t := range w.check.tasks {
		switch name, there := where[t.ID]; {
		case t.State.Last == compute.Stopped && there:
			return fmt.Errorf("seed %d: stopped task %s is still on %s", w.Seed, t.ID, name)
		case t.State.Last == compute.Running && name != t.Node:
			return fmt.Errorf("seed %d: task %s runs on %q, not %q", w.Seed, t.ID, name, t.Node)
		case t.State.Last == compute.Provisioning, t.State.Last == compute.Deprovisioning:
			return fmt.Errorf("seed %d: task %s is stuck: %+v", w.Seed, t.ID, t)
		case t.Intent.Desired == compute.Stopped && t.State.Last != compute.Stopped:
			return fmt.Errorf("seed %d: task %s should be stopped but is %s", w.Seed, t.ID, t.State.Last)
		}
		delete(where, t.ID)
	}
	for id, name := range where {
		return fmt.Errorf("seed %d: %s runs %s, which has no record", w.Seed, name, id)
	}
	return nil
}

// Empty checks that nothing is left of tasks that are over and expired.
func (w *World) Empty() error {
	if err := w.Settled(); err != nil {
		return err
	}
	return w.store.View(context.Background(), func(tx store.Tx) error {
		for _, prefixes := range [][]string{
			tables.Tasks.Prefixes(), tables.NetworkInterfaces.Prefixes(),
			tables.PrivateAddresses.Prefixes(), tables.PublicAddresses.Prefixes(), tables.Services.Prefixes(),
		} {
			for _, p := range prefixes {
				if n := tx.Count(p); n > 0 {
					return fmt.Errorf("seed %d: %d keys are left under %q", w.Seed, n, p)
				}
			}
		}
		for name, a := range w.check.used {
			if a.Tasks != 0 || a.CPU != 0 || a.Memory != 0 {
				return fmt.Errorf("seed %d: node %s keeps %+v", w.Seed, name, a)
			}
		}
		return nil
	})
}
