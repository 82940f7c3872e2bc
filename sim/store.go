package sim

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"

	"neargate/store"
)

// Errors that the simulated store is made to return.
var (
	errRerun   = errors.New("sim: rerun")
	errOffline = errors.New("sim: the store cannot be reached")
	errUnknown = errors.New("sim: the connection broke during the commit")
)

// recorder is a store that tells of every commit as it happens. It passes
// transactions to inner, which nobody else may use.
type recorder struct {
	inner  store.Store
	commit func(events []store.Event)
}

func (r *recorder) View(ctx context.Context, fn func(store.Tx) error) error {
	return r.inner.View(ctx, fn)
}

func (r *recorder) Update(ctx context.Context, fn func(store.Tx) error) error {
	var rec *recordingTx
	err := r.inner.Update(ctx, func(tx store.Tx) error {
		rec = &recordingTx{Tx: tx, changed: map[string][]byte{}}
		return fn(rec)
	})
	if err != nil || len(rec.changed) == 0 {
		return err
	}
	var events []store.Event
	for _, k := range slices.Sorted(maps.Keys(rec.changed)) {
		events = append(events, store.Event{Key: k, Val: rec.changed[k]})
	}
	r.commit(events)
	return nil
}

// Watch is not offered: commits are told of by the commit function.
func (r *recorder) Watch(context.Context, store.Rev, ...string) iter.Seq2[store.Event, error] {
	return func(yield func(store.Event, error) bool) { yield(store.Event{}, errors.ErrUnsupported) }
}

type recordingTx struct {
	store.Tx
	changed map[string][]byte
}

func (t *recordingTx) Put(key string, val []byte) {
	t.changed[key] = bytes.Clone(val)
	t.Tx.Put(key, val)
}

func (t *recordingTx) PutRecord(key string, val []byte, entries, added []string) {
	t.changed[key] = bytes.Clone(val)
	for _, e := range added {
		t.changed[e] = []byte(key)
	}
	t.Tx.PutRecord(key, val, entries, added)
}

func (t *recordingTx) Delete(key string) {
	t.changed[key] = nil
	t.Tx.Delete(key)
}

// faulty is a store as one process sees it: sometimes a transaction loses a race
// and runs again, sometimes an error hides that it was committed, sometimes
// nothing gets through.
type faulty struct {
	store.Store
	rand    *rand.Rand
	on      func() bool // whether faults are injected now
	offline bool
}

func (f *faulty) View(ctx context.Context, fn func(store.Tx) error) error {
	if f.offline {
		return errOffline
	}
	return f.Store.View(ctx, fn)
}

func (f *faulty) Update(ctx context.Context, fn func(store.Tx) error) error {
	if f.offline {
		return errOffline
	}
	if f.on() && f.rand.IntN(20) == 0 {
		// The store runs transactions that lost a race again from the start.
		err := f.Store.Update(ctx, func(tx store.Tx) error { return errors.Join(fn(tx), errRerun) })
		if !errors.Is(err, errRerun) {
			return err
		}
	}
	err := f.Store.Update(ctx, fn)
	if err == nil && f.on() && f.rand.IntN(200) == 0 {
		return errUnknown
	}
	return err
}
