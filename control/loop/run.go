package loop

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"neargate/internal/pause"
	"neargate/store"
)

// Env is what a controller runs with.
type Env struct {
	Store   store.Store
	Workers int          // passes at a time; 0: 4
	Seed    uint64       // of the jitter
	Log     *slog.Logger // nil: discards
	Observe func(Pass)   // called after every pass, from many goroutines; may be nil
}

// Limits of one hand-over from the watch to the queue.
const eventBatch = 256

type engine[K comparable, S, A any] struct {
	c    Controller[K, S, A]
	env  Env
	log  *slog.Logger
	mu   sync.Mutex
	q    *queue[K]
	kick chan struct{} // the queue changed; capacity 1
}

// Run implements Runner.
func (c Controller[K, S, A]) Run(ctx context.Context, env Env) error {
	e := &engine[K, S, A]{c: c, env: env, log: env.Log, q: newQueue[K](env.Seed), kick: make(chan struct{}, 1)}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	e.log = e.log.With("controller", c.Name)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	wg.Go(func() { cancel(e.follow(ctx)) })
	e.work(ctx, &wg)
	wg.Wait()
	return context.Cause(ctx)
}

// follow lists the inputs and watches them from there, again and again.
func (e *engine[K, S, A]) follow(ctx context.Context) error {
	for failures := 0; ; failures++ {
		keys, at, err := e.c.list(ctx, e.env.Store)
		e.add(keys)
		if err == nil {
			failures = 0
			err = e.watch(ctx, at)
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, store.ErrClosed):
			return err
		case errors.Is(err, store.ErrCompacted):
			continue
		}
		e.log.Error("listing again", "error", err)
		e.mu.Lock()
		delay := e.q.delay(failures)
		e.mu.Unlock()
		if !pause.For(ctx, delay) {
			return ctx.Err()
		}
	}
}

// watch turns events into keys until the watch ends. Events that are waiting are
// handled together, on one view.
func (e *engine[K, S, A]) watch(ctx context.Context, at store.Rev) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	events := make(chan store.Event, eventBatch)
	ended := make(chan error, 1)
	go func() {
		defer close(events)
		for ev, err := range e.env.Store.Watch(ctx, at, e.c.Describe().Inputs...) {
			if err != nil {
				ended <- err
				return
			}
			select {
			case events <- ev:
			case <-ctx.Done():
				ended <- ctx.Err()
				return
			}
		}
		ended <- ctx.Err()
	}()
	for ev := range events {
		batch := []store.Event{ev}
		for len(batch) < eventBatch && len(events) > 0 {
			if ev, ok := <-events; ok {
				batch = append(batch, ev)
			}
		}
		err := e.env.Store.View(ctx, func(tx store.Tx) error {
			keys, err := e.c.keys(tx, batch)
			e.add(keys)
			return err
		})
		if err != nil {
			return err
		}
	}
	return <-ended
}

func (e *engine[K, S, A]) add(keys []K) {
	if len(keys) == 0 {
		return
	}
	e.mu.Lock()
	for _, k := range keys {
		e.q.add(k)
	}
	e.mu.Unlock()
	e.wake()
}

func (e *engine[K, S, A]) wake() {
	select {
	case e.kick <- struct{}{}:
	default:
	}
}

// work hands ready keys to workers until ctx ends.
func (e *engine[K, S, A]) work(ctx context.Context, wg *sync.WaitGroup) {
	workers := e.env.Workers
	if workers <= 0 {
		workers = 4
	}
	slots := make(chan struct{}, workers)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		key, ok := e.take(ctx, timer)
		if !ok {
			return
		}
		wg.Go(func() {
			e.pass(ctx, key)
			<-slots
		})
	}
}

// take waits for the next ready key; ok is false when ctx ended.
func (e *engine[K, S, A]) take(ctx context.Context, timer *time.Timer) (key K, ok bool) {
	for ctx.Err() == nil {
		e.mu.Lock()
		key, ok = e.q.pop(time.Now())
		next, waiting := e.q.next()
		e.mu.Unlock()
		if ok {
			return key, true
		}
		timer.Stop()
		if waiting {
			timer.Reset(time.Until(next))
		}
		select {
		case <-e.kick:
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	return key, false
}

func (e *engine[K, S, A]) pass(ctx context.Context, key K) {
	start := time.Now()
	actions, wake, err := e.c.Once(ctx, e.env.Store, start, key)
	end := time.Now()
	e.mu.Lock()
	e.q.done(key, end, wake, err)
	e.mu.Unlock()
	e.wake()
	p := Pass{Controller: e.c.Name, Key: fmt.Sprint(key), Actions: actions, Took: end.Sub(start), Err: err}
	switch {
	case err != nil && ctx.Err() == nil:
		e.log.Error("pass failed", "key", p.Key, "error", err)
	case actions > 0:
		e.log.Debug("pass", "key", p.Key, "actions", actions, "took", p.Took)
	}
	if e.env.Observe != nil {
		e.env.Observe(p)
	}
}
