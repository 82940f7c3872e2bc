package query

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"neargate/resource/logs"
	"neargate/service/logs/insights"
)

var discard = slog.New(slog.DiscardHandler)

// clock is a clock that the tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func spec(t *testing.T, id, account string, events func(context.Context) iter.Seq2[insights.Event, error]) Spec {
	t.Helper()
	q, err := insights.Compile("fields @message")
	if err != nil {
		t.Fatal(err)
	}
	return Spec{ID: id, Account: account, Region: "r", Query: q, Events: events}
}

func yields(messages ...string) func(context.Context) iter.Seq2[insights.Event, error] {
	return func(context.Context) iter.Seq2[insights.Event, error] {
		return func(yield func(insights.Event, error) bool) {
			for _, m := range messages {
				if !yield(insights.Event{Event: logs.Event{Message: m}}, nil) {
					return
				}
			}
		}
	}
}

func fails(err error) func(context.Context) iter.Seq2[insights.Event, error] {
	return func(context.Context) iter.Seq2[insights.Event, error] {
		return func(yield func(insights.Event, error) bool) { yield(insights.Event{}, err) }
	}
}

// blocks yields one event and waits for its context.
func blocks(ctx context.Context) iter.Seq2[insights.Event, error] {
	return func(yield func(insights.Event, error) bool) {
		if yield(insights.Event{Event: logs.Event{Message: "first"}}, nil) {
			<-ctx.Done()
			yield(insights.Event{}, ctx.Err())
		}
	}
}

// until waits for a query to be as wanted.
func until(t *testing.T, r *Runner, id string, want func(State) bool) State {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		s, err := r.Get("a", "r", id)
		if err != nil {
			t.Fatal(err)
		}
		if want(s) {
			return s
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is %s", id, s.Status)
		}
	}
}

func is(status Status) func(State) bool { return func(s State) bool { return s.Status == status } }

func TestLife(t *testing.T) {
	c := &clock{at: time.UnixMilli(0)}
	r := New(c.now)
	ctx, cancel := context.WithCancel(t.Context())
	for id, events := range map[string]func(context.Context) iter.Seq2[insights.Event, error]{
		"good": yields("x", "y"), "bad": fails(errors.New("disk")), "slow": fails(context.DeadlineExceeded),
		"panics": func(context.Context) iter.Seq2[insights.Event, error] { panic("no") },
	} {
		if err := r.Start(spec(t, id, "a", events)); err != nil {
			t.Fatal(err)
		}
	}
	if s, err := r.Get("a", "r", "good"); err != nil || s.Status != Scheduled || s.Took != 0 {
		t.Errorf("%+v %v", s, err)
	}
	for _, other := range []string{"b r good", "a s good", "a r none"} {
		f := strings.Fields(other)
		if _, err := r.Get(f[0], f[1], f[2]); !errors.Is(err, ErrUnknown) {
			t.Errorf("%s: %v", other, err)
		}
		if err := r.Stop(f[0], f[1], f[2]); !errors.Is(err, ErrUnknown) {
			t.Errorf("%s: %v", other, err)
		}
	}
	if err := r.Start(spec(t, "unstarted", "a", yields("x"))); err != nil {
		t.Fatal(err)
	}
	if err := r.Stop("a", "r", "unstarted"); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() { r.Run(ctx, discard) })
	}
	for id, status := range map[string]Status{"good": Complete, "bad": Failed, "slow": Timeout, "panics": Failed, "unstarted": Cancelled} {
		until(t, r, id, is(status))
	}
	if s, _ := r.Get("a", "r", "good"); len(s.Rows) != 2 || s.Statistics.Scanned != 2 {
		t.Errorf("%+v", s)
	}
	if s, _ := r.Get("a", "r", "unstarted"); len(s.Rows) != 0 {
		t.Errorf("%+v", s)
	}
	if err := r.Stop("a", "r", "good"); !errors.Is(err, ErrNotRunning) {
		t.Error(err)
	}

	// A query that runs shows what it has, and keeps it when it is stopped.
	if err := r.Start(spec(t, "long", "a", blocks)); err != nil {
		t.Fatal(err)
	}
	until(t, r, "long", func(s State) bool { return s.Status == Running && len(s.Rows) == 1 })
	c.advance(time.Second)
	if err := r.Stop("a", "r", "long"); err != nil {
		t.Fatal(err)
	}
	if s, _ := r.Get("a", "r", "long"); s.Status != Cancelled || len(s.Rows) != 1 || s.Took != time.Second {
		t.Errorf("%+v", s)
	}
	// The workers are free again, and end with their context, whatever runs.
	if err := r.Start(spec(t, "last", "a", blocks)); err != nil {
		t.Fatal(err)
	}
	until(t, r, "last", is(Running))
	cancel()
	wg.Wait()
	until(t, r, "last", is(Cancelled))
	var ids []string
	for _, s := range r.List("a", "r") {
		ids = append(ids, s.ID)
	}
	if len(ids) != 7 || ids[0] != "last" || ids[1] != "long" {
		t.Error(ids)
	}
	c.advance(keepFor + time.Second)
	if left := r.List("a", "r"); len(left) != 0 {
		t.Errorf("%d queries after 7 days", len(left))
	}
}

func TestLimits(t *testing.T) {
	r := New(time.Now)
	for i := range MaxConcurrent {
		if err := r.Start(spec(t, fmt.Sprint(i), "a", yields())); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Start(spec(t, "more", "a", yields())); !errors.Is(err, ErrTooMany) {
		t.Error(err)
	}
	if err := r.Stop("a", "r", "7"); err != nil {
		t.Fatal(err)
	}
	if err := r.Start(spec(t, "more", "a", yields())); err != nil {
		t.Error(err)
	}
	for i := 0; ; i++ {
		err := r.Start(spec(t, "x", fmt.Sprint("account", i/MaxConcurrent), yields()))
		if errors.Is(err, ErrBusy) {
			break
		}
		if err != nil || i > maxWaiting {
			t.Fatal(i, err)
		}
	}
}

// TestForgets checks that the oldest results go when there is too much of them.
func TestForgets(t *testing.T) {
	r := New(time.Now)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { r.Run(ctx, discard) })
	big := strings.Repeat("x", 20<<20)
	for i := range 15 {
		if err := r.Start(spec(t, fmt.Sprint(i), "a", yields(big))); err != nil {
			t.Fatal(err)
		}
		until(t, r, fmt.Sprint(i), is(Complete))
	}
	cancel()
	wg.Wait()
	if left := r.List("a", "r"); len(left) != 12 || left[0].ID != "14" || left[11].ID != "3" {
		t.Errorf("%d are left", len(left))
	}
}
