package meter

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"neargate/control/expire"
	"neargate/control/loop"
	"neargate/resource/billing"
	"neargate/resource/compute"
	"neargate/store"
	"neargate/store/mem"
	"neargate/store/tables"
	"neargate/store/tables/usages"
)

var t0 = time.Unix(1_700_000_000, 0).UTC()

func run(t *testing.T, st store.Store, r loop.Runner, now time.Time) {
	t.Helper()
	s := r.Stepper(1)
	if err := s.List(t.Context(), st); err != nil {
		t.Fatal(err)
	}
	for ran, p := s.Step(t.Context(), st, now); ran; ran, p = s.Step(t.Context(), st, now) {
		if p.Err != nil {
			t.Fatal(p.Err)
		}
	}
}

func task(id string, running time.Duration) *compute.Task {
	t := &compute.Task{Account: "1", Region: "us-east-1", Cluster: "c", ID: id}
	t.Spec = compute.TaskSpec{Family: "f", Revision: 3, LaunchType: compute.Fargate, CPU: 256, Memory: 512, Service: "web", EphemeralGiB: 20}
	t.Tags = []compute.Tag{{Key: "team", Value: "a"}}
	t.State.Last, t.State.PullStartedAt, t.State.StoppedAt = compute.Stopped, t0, t0.Add(running)
	return t
}

func put(t *testing.T, st store.Store, tasks ...*compute.Task) {
	t.Helper()
	err := st.Update(t.Context(), func(tx store.Tx) error {
		for _, k := range tasks {
			if err := tables.Tasks.Put(tx, k); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func pending(t *testing.T, st store.Store) (out []billing.Record) {
	t.Helper()
	err := st.View(context.WithoutCancel(t.Context()), func(tx store.Tx) (err error) {
		out, err = store.Collect(usages.Pending.List(tx))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestMeter takes what stopped, once, and lets expire remove it only then.
func TestMeter(t *testing.T) {
	st := mem.New(mem.Paranoid())
	defer st.Close()
	running, external, addressed := task("running", 0), task("external", time.Hour), task("addressed", 90*time.Second)
	running.State.Last, running.State.StoppedAt = compute.Running, time.Time{}
	external.Spec.LaunchType = "EXTERNAL"
	addressed.Attachment = compute.Attachment{Status: compute.Deleted, PublicIP: "198.18.0.1", AttachedAt: t0.Add(-3500 * time.Millisecond)}
	put(t, st, task("over", 61*time.Second), running, external, addressed)
	run(t, st, expire.Tasks(), t0.Add(100*time.Hour))
	for range 3 {
		run(t, st, New(billing.DefaultTerms()), t0.Add(time.Hour))
	}
	var got string
	for _, r := range pending(t, st) {
		got += fmt.Sprintln(r.Task, r.Service, r.Family, r.Revision, r.Tag("team"), r.Dimension.Usage(), r.Seconds, r.Units)
	}
	const want = `addressed web f 3 a Fargate-GB-Hours 90 512
addressed web f 3 a Fargate-vCPU-Hours:perCPU 90 256
addressed web f 3 a PublicIPv4:InUseAddress 94 1
over web f 3 a Fargate-GB-Hours 61 512
over web f 3 a Fargate-vCPU-Hours:perCPU 61 256
`
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	run(t, st, expire.Tasks(), t0.Add(100*time.Hour))
	err := st.View(t.Context(), func(tx store.Tx) error {
		left, err := store.Collect(tables.Tasks.List(tx))
		if len(left) != 1 || left[0].ID != "running" || left[0].Metered {
			t.Errorf("left: %+v", left)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// TestCrashes stops tasks at random, kills the controller at random (what it was
// told is forgotten), and wants each task's records exactly once.
func TestCrashes(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 6))
	st := mem.New()
	defer st.Close()
	want := map[string]int64{}
	s, now := New(billing.DefaultTerms()).Stepper(0), t0
	for i := range 400 {
		took := time.Duration(rnd.Int64N(int64(time.Hour)))
		k := task(fmt.Sprint(i), took)
		put(t, st, k)
		want[k.ID] = max(60, int64((took+time.Second-1)/time.Second))
		switch rnd.IntN(4) {
		case 0: // killed, started again
			s = New(billing.DefaultTerms()).Stepper(uint64(i))
			if err := s.List(t.Context(), st); err != nil {
				t.Fatal(err)
			}
		case 1:
			err := s.Notify(t.Context(), st, []store.Event{{Key: tables.Tasks.IndexKey(tables.TasksByStop, k), Val: []byte(store.Key(tables.Tasks.Name, tables.Tasks.Key(k)...))}})
			if err != nil {
				t.Fatal(err)
			}
		}
		for range rnd.IntN(3) {
			if _, p := s.Step(t.Context(), st, now); p.Err != nil {
				t.Fatal(p.Err)
			}
		}
		if rnd.IntN(8) == 0 {
			run(t, st, expire.Tasks(), t0.Add(100*time.Hour))
		}
	}
	run(t, st, New(billing.DefaultTerms()), now)
	records := pending(t, st)
	if len(records) != 2*len(want) {
		t.Errorf("%d records of %d tasks", len(records), len(want))
	}
	for _, r := range records {
		if r.Seconds != want[r.Task] {
			t.Errorf("%s: %d s, want %d", r.Task, r.Seconds, want[r.Task])
		}
	}
}
