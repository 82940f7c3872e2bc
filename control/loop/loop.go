// Package loop runs controllers: level-triggered loops that load what is wanted
// and what is, decide with a pure function, and write the decision back, all in
// one store transaction.
//
// A controller is woken for a key by changes under its inputs and by the time
// its last plan asked for. Passes for one key never overlap; a change that
// arrives during a pass causes one more. A pass that fails is retried with
// growing, jittered delays. Losing a wake-up is impossible: a start, and a watch
// whose history was compacted, list every input again.
package loop

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"neargate/store"
)

// Controller keeps one kind of thing on course.
type Controller[K comparable, S, A any] struct {
	Name    string
	Inputs  []Input[K] // what wakes it
	Outputs []string   // the only key prefixes it may write; store.Table.Prefixes
	// Load gathers what a decision about key needs. It only reads.
	Load func(tx store.Tx, key K) (S, error)
	// Plan decides what to do at now, and when to look again though nothing
	// changes (zero: not; now or earlier: at once, for a plan that was cut to
	// the size of a transaction). It is pure.
	Plan func(now time.Time, s S) ([]A, time.Time)
	// Write records one action.
	Write func(tx store.Tx, a A) error
}

// Input is a key prefix whose changes wake a controller.
type Input[K comparable] struct {
	Prefix string
	// Keys tells which keys a change concerns. A deletion has a nil Val. At the
	// start it is called for every key under Prefix.
	Keys func(tx store.Tx, e store.Event) ([]K, error)
}

// ErrOutput reports a write outside a controller's Outputs, or during Load.
var ErrOutput = errors.New("loop: write outside the declared outputs")

// Pass describes one finished pass for metrics and logs.
type Pass struct {
	Controller string
	Key        string
	Actions    int
	Took       time.Duration
	Err        error
}

// Description says what a controller reads and writes.
type Description struct {
	Name    string
	Inputs  []string // prefixes
	Outputs []string // prefixes
}

// Runner is a controller with its types erased.
type Runner interface {
	// Describe says what wakes the controller and what it may write.
	Describe() Description
	// Run works until ctx ends and returns its error. Run it on the leader only;
	// two leaders for a moment are harmless, since every pass is a transaction.
	Run(ctx context.Context, env Env) error
	// Stepper runs the same engine without goroutines or a clock of its own.
	Stepper(seed uint64) Stepper
}

var _ Runner = Controller[int, int, int]{}

// Describe implements Runner.
func (c Controller[K, S, A]) Describe() Description {
	d := Description{Name: c.Name, Outputs: c.Outputs}
	for _, in := range c.Inputs {
		d.Inputs = append(d.Inputs, in.Prefix)
	}
	return d
}

// Once runs one pass for key and returns the number of actions written and when
// to look again.
func (c Controller[K, S, A]) Once(ctx context.Context, st store.Store, now time.Time, key K) (actions int, wake time.Time, err error) {
	err = st.Update(ctx, func(tx store.Tx) error {
		guard := &guardedTx{Tx: tx}
		s, err := c.Load(guard, key)
		if err != nil {
			return err
		}
		var do []A
		do, wake = c.Plan(now, s)
		actions = len(do)
		guard.outputs = c.Outputs
		for _, a := range do {
			if err := c.Write(guard, a); err != nil {
				return err
			}
		}
		return guard.err
	})
	return actions, wake, err
}

// keys tells which keys the events concern. Errors of single events do not hide
// the keys of the others.
func (c Controller[K, S, A]) keys(tx store.Tx, events []store.Event) ([]K, error) {
	var out []K
	var errs []error
	for _, e := range events {
		for _, in := range c.Inputs {
			if !strings.HasPrefix(e.Key, in.Prefix) {
				continue
			}
			ks, err := in.Keys(tx, e)
			if err != nil {
				errs = append(errs, fmt.Errorf("input %q: %w", e.Key, err))
				continue
			}
			out = append(out, ks...)
		}
	}
	return out, errors.Join(errs...)
}

// list tells which keys everything under the inputs concerns, and the revision
// from which a watch misses nothing.
func (c Controller[K, S, A]) list(ctx context.Context, st store.Store) (out []K, at store.Rev, err error) {
	err = st.View(ctx, func(tx store.Tx) error {
		out, at = nil, tx.Rev()
		var errs []error
		for _, in := range c.Inputs {
			for k, v := range tx.List(in.Prefix, "", 0) {
				ks, err := in.Keys(tx, store.Event{Key: k, Rev: at, Val: v.Bytes()})
				if err != nil {
					errs = append(errs, fmt.Errorf("input %q: %w", k, err))
					continue
				}
				out = append(out, ks...)
			}
		}
		return errors.Join(errs...)
	})
	return out, at, err
}

// guardedTx refuses writes outside the outputs.
type guardedTx struct {
	store.Tx
	outputs []string
	err     error
}

func (g *guardedTx) Put(key string, val []byte) {
	if g.allowed(key) {
		g.Tx.Put(key, val)
	}
}

func (g *guardedTx) PutRecord(key string, val []byte, entries, added []string) {
	for _, k := range added {
		if !g.allowed(k) {
			return
		}
	}
	if g.allowed(key) {
		g.Tx.PutRecord(key, val, entries, added)
	}
}

func (g *guardedTx) Delete(key string) {
	if g.allowed(key) {
		g.Tx.Delete(key)
	}
}

func (g *guardedTx) allowed(key string) bool {
	for _, p := range g.outputs {
		if strings.HasPrefix(key, p) {
			return true
		}
	}
	if g.err == nil {
		g.err = fmt.Errorf("%w: %q", ErrOutput, key)
	}
	return false
}
