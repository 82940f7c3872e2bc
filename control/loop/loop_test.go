package loop

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"neargate/store"
	"neargate/store/mem"
)

// counter keeps under out/<key> the number under in/<key>.
func counter() Controller[string, [2]string, [2]string] {
	return Controller[string, [2]string, [2]string]{
		Name: "counter",
		Inputs: []Input[string]{{Prefix: "in\x00", Keys: func(_ store.Tx, e store.Event) ([]string, error) {
			_, s := store.Segments(e.Key)
			return s, nil
		}}},
		Outputs: []string{"out\x00"},
		Load: func(tx store.Tx, key string) (s [2]string, err error) {
			v, err := tx.Get(store.Key("in", key))
			if errors.Is(err, store.ErrNotFound) {
				return [2]string{key, ""}, nil
			}
			if err != nil {
				return s, err
			}
			return [2]string{key, string(v.Bytes())}, nil
		},
		Plan:  func(_ time.Time, s [2]string) ([][2]string, time.Time) { return [][2]string{s}, time.Time{} },
		Write: func(tx store.Tx, a [2]string) error { tx.Put(store.Key("out", a[0]), []byte(a[1])); return nil },
	}
}

func put(t *testing.T, st store.Store, key, val string) {
	t.Helper()
	if err := st.Update(t.Context(), func(tx store.Tx) error { tx.Put(key, []byte(val)); return nil }); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, st store.Store, key string) (val string) {
	t.Helper()
	if err := st.View(t.Context(), func(tx store.Tx) error {
		if v, err := tx.Get(key); err == nil {
			val = string(v.Bytes())
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return val
}

func TestRunFollowsInputs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := mem.New()
		put(t, st, "in\x00a", "1")
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- counter().Run(ctx, Env{Store: st}) }()
		synctest.Wait()
		if got := get(t, st, "out\x00a"); got != "1" {
			t.Errorf("what was there before the start: %q", got)
		}
		for i := range 1000 {
			put(t, st, "in\x00"+strconv.Itoa(i%10), strconv.Itoa(i))
		}
		synctest.Wait()
		for i := range 10 {
			if got, want := get(t, st, "out\x00"+strconv.Itoa(i)), strconv.Itoa(990+i); got != want {
				t.Errorf("key %d: %q, want %q", i, got, want)
			}
		}
		stop()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Run returned %v", err)
		}
	})
}

func TestRunSurvivesCompaction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := mem.New(mem.History(1))
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- counter().Run(ctx, Env{Store: st}) }()
		for i := range 5000 {
			put(t, st, "in\x00"+strconv.Itoa(i%100), strconv.Itoa(i))
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		for i := range 100 {
			if got, want := get(t, st, "out\x00"+strconv.Itoa(i)), strconv.Itoa(4900+i); got != want {
				t.Errorf("key %d: %q, want %q", i, got, want)
			}
		}
		stop()
		<-ended
	})
}

func TestPassesOfAKeyDoNotOverlap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := mem.New()
		var mu sync.Mutex
		running, most, passes := map[string]bool{}, 0, 0
		c := counter()
		plain := c.Load
		c.Load = func(tx store.Tx, key string) ([2]string, error) {
			mu.Lock()
			if running[key] {
				t.Errorf("two passes for %s at a time", key)
			}
			running[key] = true
			most, passes = max(most, len(running)), passes+1
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			delete(running, key)
			mu.Unlock()
			return plain(tx, key)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- c.Run(ctx, Env{Store: st, Workers: 3}) }()
		synctest.Wait()
		for i := range 100 {
			put(t, st, "in\x00"+strconv.Itoa(i%10), "x")
		}
		time.Sleep(time.Minute)
		stop()
		<-ended
		if most != 3 {
			t.Errorf("%d passes at a time, want 3", most)
		}
		if passes > 20 {
			t.Errorf("%d passes for 10 keys; changes should gather", passes)
		}
	})
}

func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := mem.New()
		var at []time.Duration
		begin := time.Now()
		c := counter()
		c.Load = func(store.Tx, string) ([2]string, error) {
			at = append(at, time.Since(begin))
			return [2]string{}, errors.New("broken")
		}
		put(t, st, "in\x00a", "1")
		var seen []Pass
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			ended <- c.Run(ctx, Env{Store: st, Workers: 1, Observe: func(p Pass) { seen = append(seen, p) }})
		}()
		time.Sleep(10 * time.Minute)
		stop()
		<-ended
		for i := 1; i < len(at); i++ {
			full := min(firstRetry<<min(i-1, 20), lastRetry)
			if d := at[i] - at[i-1]; d > full || d < full/2 {
				t.Errorf("pause %d was %v, want %v to %v", i, d, full/2, full)
			}
		}
		if len(at) < 40 || len(seen) != len(at) || seen[0].Err == nil || seen[0].Controller != "counter" {
			t.Errorf("%d passes, observed %+v", len(at), seen)
		}
	})
}

func TestOutputsAreEnforced(t *testing.T) {
	for name, change := range map[string]func(*Controller[string, [2]string, [2]string]){
		"write elsewhere": func(c *Controller[string, [2]string, [2]string]) {
			c.Write = func(tx store.Tx, _ [2]string) error {
				tx.Put("out\x00a", nil)
				tx.Put("elsewhere\x00a", nil)
				return nil
			}
		},
		"delete elsewhere": func(c *Controller[string, [2]string, [2]string]) {
			c.Write = func(tx store.Tx, _ [2]string) error { tx.Delete("in\x00a"); return nil }
		},
		"write while loading": func(c *Controller[string, [2]string, [2]string]) {
			c.Load = func(tx store.Tx, key string) ([2]string, error) { tx.Put("out\x00a", nil); return [2]string{}, nil }
		},
	} {
		st := mem.New()
		put(t, st, "in\x00a", "1")
		c := counter()
		change(&c)
		if _, _, err := c.Once(t.Context(), st, time.Now(), "a"); !errors.Is(err, ErrOutput) {
			t.Errorf("%s: %v, want ErrOutput", name, err)
		}
		if get(t, st, "out\x00a") != "" || get(t, st, "in\x00a") != "1" {
			t.Errorf("%s: something was written", name)
		}
	}
}

func TestStepper(t *testing.T) {
	st, now := mem.New(), time.Unix(1000, 0)
	put(t, st, "in\x00a", "1")
	c := counter()
	wake := now.Add(time.Minute)
	c.Plan = func(_ time.Time, s [2]string) ([][2]string, time.Time) { return [][2]string{s}, wake }
	s := c.Stepper(1)
	if ran, _ := s.Step(t.Context(), st, now); ran {
		t.Error("ran before anything was ready")
	}
	if err := s.List(t.Context(), st); err != nil {
		t.Fatal(err)
	}
	if ran, p := s.Step(t.Context(), st, now); !ran || p.Key != "a" || p.Actions != 1 || p.Err != nil {
		t.Errorf("pass %+v", p)
	}
	if at, ok := s.Next(); !ok || !at.Equal(wake) {
		t.Errorf("next at %v, want the wake time", at)
	}
	if ran, _ := s.Step(t.Context(), st, now); ran {
		t.Error("ran before its time")
	}
	wake = time.Time{}
	if ran, _ := s.Step(t.Context(), st, now.Add(time.Minute)); !ran {
		t.Error("did not run at its time")
	}
	if _, ok := s.Next(); ok {
		t.Error("the wake time was not replaced")
	}
	put(t, st, "in\x00b", "2")
	if err := s.Notify(t.Context(), st, []store.Event{{Key: "in\x00b"}, {Key: "other\x00c"}, {Key: "in\x00b"}}); err != nil {
		t.Fatal(err)
	}
	var keys []string
	for ran, p := s.Step(t.Context(), st, now); ran; ran, p = s.Step(t.Context(), st, now) {
		keys = append(keys, p.Key)
	}
	if fmt.Sprint(keys) != "[b]" {
		t.Errorf("ran %v, want [b]", keys)
	}
}

func TestQueueWakesInOrder(t *testing.T) {
	q, now := newQueue[int](1), time.Unix(1000, 0)
	for i := range 50 {
		q.add(i)
	}
	for i := range 50 {
		k, ok := q.pop(now)
		if !ok || k != i {
			t.Fatalf("popped %d, %v; want %d", k, ok, i)
		}
		q.done(k, now, now.Add(time.Duration((k*7)%50)*time.Second+time.Second), nil)
	}
	q.add(3) // wakes earlier by a change; its wake time is gone then
	if k, _ := q.pop(now); k != 3 {
		t.Fatalf("popped %d, want 3", k)
	}
	q.done(3, now, time.Time{}, nil)
	var last time.Time
	for n := range 49 {
		at, ok := q.next()
		if !ok || at.Before(last) {
			t.Fatalf("wake %d at %v, %v after %v", n, at, ok, last)
		}
		last = at
		k, ok := q.pop(at)
		if !ok || k == 3 {
			t.Fatalf("popped %d, %v", k, ok)
		}
		q.done(k, at, time.Time{}, nil)
	}
	if len(q.keys) != 0 {
		t.Errorf("%d keys are kept", len(q.keys))
	}
}

func TestGraph(t *testing.T) {
	g := Graph(counter())
	for _, want := range []string{"counter", "s0[(\"in\")]", "s0 --> c0", "c0 ==> s1", "| counter | in | out |"} {
		if !strings.Contains(g, want) {
			t.Errorf("no %q in\n%s", want, g)
		}
	}
}
