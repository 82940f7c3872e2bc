package usage

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"
)

// meter is a task that uses a second of processor and a hundred bytes a second,
// under a clock that only the test moves.
type meter struct {
	at     time.Time
	reads  int
	waited time.Duration
	fail   error
}

func (m *meter) sampler() *Sampler {
	s := NewSampler(func(context.Context) (Figures, error) {
		m.reads++
		gone := m.at.Sub(time.Unix(1000, 0))
		return Figures{
			Containers: map[string]Container{"web": {CPU: gone}},
			Networks:   map[string]Traffic{"eth0": {ReceivedBytes: uint64(gone.Seconds() * 100), SentBytes: uint64(gone.Seconds() * 10)}},
		}, m.fail
	})
	s.now = func() time.Time { return m.at }
	s.wait = func(_ context.Context, d time.Duration) error {
		m.waited += d
		m.at = m.at.Add(d)
		return nil
	}
	return s
}

func TestSampler(t *testing.T) {
	m := &meter{at: time.Unix(1000, 0)}
	s := m.sampler()
	for i, step := range []struct {
		pass          time.Duration
		reads         int
		waited, apart time.Duration
	}{
		{0, 2, time.Second, time.Second},                      // the first time it waits
		{500 * time.Millisecond, 2, time.Second, time.Second}, // still fresh
		{500 * time.Millisecond, 3, time.Second, time.Second}, // a second after the last
		{10 * time.Second, 4, time.Second, 10 * time.Second},  // nobody asked meanwhile
		{100 * time.Millisecond, 4, time.Second, 10 * time.Second},
		{-time.Hour, 6, 2 * time.Second, time.Second}, // the clock was set back
	} {
		m.at = m.at.Add(step.pass)
		p, err := s.Pair(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if m.reads != step.reads || m.waited != step.waited || p.Now.At.Sub(p.Before.At) != step.apart {
			t.Errorf("step %d: %d reads, waited %s, %s apart; want %+v", i, m.reads, m.waited, p.Now.At.Sub(p.Before.At), step)
		}
		before, now, ok := p.Container("web")
		if !ok || (now.CPU-before.CPU) != step.apart {
			t.Errorf("step %d: %v %v %v", i, before, now, ok)
		}
		if in, out := p.Rate(); m.at.After(time.Unix(1000, 0)) && (in != 100 || out != 10) {
			t.Errorf("step %d: %v in, %v out a second", i, in, out)
		}
	}
}

func TestSamplerFails(t *testing.T) {
	m := &meter{at: time.Unix(1000, 0), fail: errors.New("no sandbox")}
	s := m.sampler()
	if _, err := s.Pair(t.Context()); !errors.Is(err, m.fail) {
		t.Error(err)
	}
	m.fail = nil
	if p, err := s.Pair(t.Context()); err != nil || p.Seconds() != 1 {
		t.Error(p, err)
	}

	// Whoever gives up while waiting leaves the first figures to the next.
	m = &meter{at: time.Unix(1000, 0)}
	s = m.sampler()
	wait := s.wait
	s.wait = func(context.Context, time.Duration) error { return context.Canceled }
	if _, err := s.Pair(t.Context()); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	s.wait = wait
	m.at = m.at.Add(300 * time.Millisecond)
	if p, err := s.Pair(t.Context()); err != nil || p.Seconds() != 1 || m.waited != 700*time.Millisecond || m.reads != 2 {
		t.Error(p, err, m.waited, m.reads)
	}
}

// Many who ask at once share one measurement, and none waits longer than it wants.
func TestSamplerTogether(t *testing.T) {
	var reads int
	s := NewSampler(func(context.Context) (Figures, error) { reads++; return Figures{}, nil })
	gate := make(chan struct{})
	s.wait = func(ctx context.Context, d time.Duration) error {
		<-gate
		return sleep(ctx, d)
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if p, err := s.Pair(t.Context()); err != nil || p.Seconds() < 1 {
				t.Error(p.Seconds(), err)
			}
		})
	}
	for deadline := time.Now().Add(10 * time.Second); len(s.one) == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nobody measures")
		}
	}
	hurried, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Pair(hurried); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	close(gate)
	wg.Wait()
	if reads != 2 {
		t.Errorf("%d reads, want 2", reads)
	}
}

func TestRates(t *testing.T) {
	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	c := func(cpu time.Duration) map[string]Container { return map[string]Container{"web": {CPU: cpu}} }
	n := func(in, out uint64) map[string]Traffic {
		return map[string]Traffic{"eth0": {ReceivedBytes: in, SentBytes: out}}
	}
	for name, x := range map[string]struct {
		p       Pair
		ok      bool
		in, out float64
	}{
		"usual":             {Pair{Figures{At: at(0), Containers: c(1), Networks: n(10, 5)}, Figures{At: at(2), Containers: c(3), Networks: n(20, 6)}}, true, 5, 0.5},
		"restarted":         {Pair{Figures{At: at(0), Containers: c(5), Networks: n(10, 5)}, Figures{At: at(2), Containers: c(3), Networks: n(20, 6)}}, false, 5, 0.5},
		"new":               {Pair{Figures{At: at(0)}, Figures{At: at(2), Containers: c(3), Networks: n(20, 6)}}, false, 0, 0},
		"gone":              {Pair{Figures{At: at(0), Containers: c(1), Networks: n(10, 5)}, Figures{At: at(2)}}, false, 0, 0},
		"counter went back": {Pair{Figures{At: at(0), Containers: c(1), Networks: n(10, 5)}, Figures{At: at(2), Containers: c(1), Networks: n(1, 6)}}, true, 0, 0},
		"no time between":   {Pair{Figures{At: at(2), Containers: c(1), Networks: n(10, 5)}, Figures{At: at(2), Containers: c(3), Networks: n(20, 6)}}, false, 0, 0},
	} {
		_, _, ok := x.p.Container("web")
		if in, out := x.p.Rate(); ok != x.ok || in != x.in || out != x.out {
			t.Errorf("%s: %v, %v and %v; want %+v", name, ok, in, out, x)
		}
	}
}
