package sim_test

import (
	"flag"
	"testing"
	"time"

	"neargate/sim"
)

var seed = flag.Uint64("seed", 0, "run this seed only")

// seeds are those to run: the one asked for, or some.
func seeds(n int) []uint64 {
	if *seed != 0 {
		return []uint64{*seed}
	}
	if testing.Short() {
		n = 1
	}
	var s []uint64
	for i := range n {
		s = append(s, uint64(i)+1)
	}
	return s
}

// TestCluster runs customers against a cluster with faults, lets it settle, stops
// everything, and looks for what is left.
func TestCluster(t *testing.T) {
	for _, s := range seeds(4) {
		w := sim.New(sim.Config{Seed: s, Nodes: 12})
		w.Faults = true
		w.Services(3)
		w.Load(3 * time.Second)
		run(t, w, 40*time.Minute)
		w.Load(0)
		w.Faults = false
		w.StopAll()
		run(t, w, 40*time.Minute) // a service may wait a quarter of an hour after failures
		if err := w.Settled(); err != nil {
			t.Fatal(err)
		}
		w.DeleteServices()
		run(t, w, 10*time.Minute)
		if err := w.Settled(); err != nil {
			t.Fatal(err)
		}
		run(t, w, 65*time.Minute)
		if err := w.Empty(); err != nil {
			t.Fatal(err)
		}
		t.Logf("seed %d: %s", s, w.Summary())
	}
}

// TestDays runs two days of quiet cluster life.
func TestDays(t *testing.T) {
	for _, s := range seeds(1) {
		w := sim.New(sim.Config{Seed: s, Nodes: 4})
		w.Faults = true
		w.Services(3)
		w.Load(5 * time.Minute)
		long := 48 * time.Hour
		if testing.Short() {
			long = 6 * time.Hour
		}
		run(t, w, long)
		t.Logf("seed %d: %s", s, w.Summary())
	}
}

// TestSame runs a seed twice and expects the same history.
func TestSame(t *testing.T) {
	history := func() string {
		w := sim.New(sim.Config{Seed: 42, Nodes: 6})
		w.Faults = true
		w.Services(2)
		w.Load(time.Second)
		run(t, w, 3*time.Minute)
		return w.Summary()
	}
	if a, b := history(), history(); a != b {
		t.Errorf("the same seed gave\n%s\n%s", a, b)
	}
}

func run(t *testing.T, w *sim.World, d time.Duration) {
	t.Helper()
	if err := w.Run(d); err != nil {
		t.Fatal(err)
	}
}
