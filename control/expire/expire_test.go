package expire

import (
	"fmt"
	"testing"
	"time"

	"neargate/control/loop"
	"neargate/resource/compute"
	"neargate/store"
	"neargate/store/mem"
	"neargate/store/tables"
)

var t0 = time.Unix(1_000_000, 0).UTC()

// run lets a controller do everything until now and returns when it looks again.
func run(t *testing.T, st store.Store, r loop.Runner, now time.Time) (wake time.Time) {
	t.Helper()
	s := r.Stepper(1)
	if err := s.List(t.Context(), st); err != nil {
		t.Fatal(err)
	}
	for ran, p := s.Step(t.Context(), st, now); ran; ran, p = s.Step(t.Context(), st, now) {
		if p.Err != nil || p.Actions > 4*batch {
			t.Fatalf("pass %+v", p)
		}
	}
	wake, _ = s.Next()
	return wake
}

func update(t *testing.T, st store.Store, f func(tx store.Tx) error) {
	t.Helper()
	if err := st.Update(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

func count(t *testing.T, st store.Store, prefixes ...string) (n int) {
	t.Helper()
	update(t, st, func(tx store.Tx) error {
		n = 0
		for _, p := range prefixes {
			n += tx.Count(p)
		}
		return nil
	})
	return n
}

func TestTasks(t *testing.T) {
	st := mem.New(mem.Paranoid())
	update(t, st, func(tx store.Tx) error {
		for i := range 501 {
			task := compute.Task{Account: "1", Region: "r", Cluster: "c", ID: fmt.Sprint(i), Node: "n", Metered: i != 498}
			task.State.Last, task.State.StoppedAt = compute.Stopped, t0.Add(time.Duration(i)*time.Second)
			switch i {
			case 499:
				task.Attachment.Status = compute.Attached
			case 500:
				task.State.Last = compute.Running
			}
			if err := tables.Tasks.Put(tx, &task); err != nil {
				return err
			}
		}
		return nil
	})
	tasks := store.Prefix(tables.Tasks.Name)
	if wake := run(t, st, Tasks(), t0.Add(time.Hour-1)); !wake.Equal(t0.Add(time.Hour)) || count(t, st, tasks) != 501 {
		t.Errorf("too early: wake %v, %d left", wake, count(t, st, tasks))
	}
	if wake := run(t, st, Tasks(), t0.Add(time.Hour+449*time.Second)); !wake.Equal(t0.Add(time.Hour+450*time.Second)) || count(t, st, tasks) != 51 {
		t.Errorf("in between: wake %v, %d left", wake, count(t, st, tasks))
	}
	// What still has an interface, what is not metered, and what runs, stays.
	run(t, st, Tasks(), t0.Add(100*time.Hour))
	if n := count(t, st, tasks); n != 3 {
		t.Errorf("%d left, want 3", n)
	}
	if n := count(t, st, tables.Tasks.Prefixes()...); n > 18 {
		t.Errorf("%d keys left of 3 tasks", n)
	}
}

func TestInactive(t *testing.T) {
	st := mem.New(mem.Paranoid())
	update(t, st, func(tx store.Tx) error {
		for _, name := range []string{"a", "gone"} {
			c := compute.Cluster{Account: "1", Region: "r", Name: name, Status: compute.Active}
			s := compute.Service{Account: "1", Region: "r", Cluster: "a", Name: name, Status: compute.Draining, DeletedAt: t0}
			if name == "gone" {
				c.Status, c.DeletedAt, s.Status = compute.Inactive, t0, compute.Inactive
			}
			if err := tables.Clusters.Put(tx, &c); err != nil {
				return err
			}
			if err := tables.Services.Put(tx, &s); err != nil {
				return err
			}
			for i := range 300 {
				r := compute.ServiceRevision{Account: "1", Region: "r", Cluster: "a", Service: name, ID: fmt.Sprint(i)}
				if err := tables.ServiceRevisions.Put(tx, &r); err != nil {
					return err
				}
			}
		}
		return nil
	})
	clusters, services := store.Prefix(tables.Clusters.Name), store.Prefix(tables.Services.Name)
	revisions := store.Prefix(tables.ServiceRevisions.Name)
	for _, c := range []loop.Runner{Clusters(), Services()} {
		if wake := run(t, st, c, t0.Add(InactiveFor-1)); !wake.Equal(t0.Add(InactiveFor)) {
			t.Errorf("wake %v", wake)
		}
	}
	if n := count(t, st, clusters, services, revisions); n != 604 {
		t.Errorf("%d left too early", n)
	}
	for _, c := range []loop.Runner{Clusters(), Services()} {
		run(t, st, c, t0.Add(InactiveFor))
	}
	if c, s, r := count(t, st, clusters), count(t, st, services), count(t, st, revisions); c != 1 || s != 1 || r != 300 {
		t.Errorf("%d clusters, %d services, %d revisions left", c, s, r)
	}
	// Index entries go with their records.
	if n := count(t, st, tables.Clusters.Prefixes()...); n != 2 {
		t.Errorf("%d keys left of one cluster and its index", n)
	}
}
