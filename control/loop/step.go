package loop

import (
	"context"
	"fmt"
	"time"

	"neargate/store"
)

// Stepper drives one controller from outside, one pass at a time, for
// simulations: it starts no goroutine and reads no clock, so equal calls have
// equal effects.
type Stepper interface {
	// List makes everything under the inputs ready, as a start does.
	List(ctx context.Context, st store.Store) error
	// Notify makes ready what the events concern.
	Notify(ctx context.Context, st store.Store, events []store.Event) error
	// Step runs one pass if a key is ready at now. An error is that of the pass,
	// which will be retried.
	Step(ctx context.Context, st store.Store, now time.Time) (ran bool, pass Pass)
	// Next is the earliest time at which Step will run something; ok is false
	// when only an event can cause that.
	Next() (at time.Time, ok bool)
}

type stepper[K comparable, S, A any] struct {
	c Controller[K, S, A]
	q *queue[K]
}

// Stepper implements Runner.
func (c Controller[K, S, A]) Stepper(seed uint64) Stepper {
	return &stepper[K, S, A]{c: c, q: newQueue[K](seed)}
}

func (s *stepper[K, S, A]) List(ctx context.Context, st store.Store) error {
	keys, _, err := s.c.list(ctx, st)
	for _, k := range keys {
		s.q.add(k)
	}
	return err
}

func (s *stepper[K, S, A]) Notify(ctx context.Context, st store.Store, events []store.Event) error {
	return st.View(ctx, func(tx store.Tx) error {
		keys, err := s.c.keys(tx, events)
		for _, k := range keys {
			s.q.add(k)
		}
		return err
	})
}

func (s *stepper[K, S, A]) Step(ctx context.Context, st store.Store, now time.Time) (bool, Pass) {
	key, ok := s.q.pop(now)
	if !ok {
		return false, Pass{}
	}
	actions, wake, err := s.c.Once(ctx, st, now, key)
	s.q.done(key, now, wake, err)
	return true, Pass{Controller: s.c.Name, Key: fmt.Sprint(key), Actions: actions, Err: err}
}

func (s *stepper[K, S, A]) Next() (time.Time, bool) { return s.q.next() }
