// Package storetest is the conformance suite of the stores: what every
// store.Store must do, run against each implementation.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"neargate/store"
)

// Run tests the stores that open makes. Each is empty and ends with the test; one
// with a Close method must answer store.ErrClosed after it, and one with Backup
// and Restore must carry its content over.
func Run(t *testing.T, open func(*testing.T) store.Store) {
	tests := []struct {
		name string
		run  func(*testing.T, store.Store)
	}{
		{"ReadAndWrite", readAndWrite},
		{"Listing", listing},
		{"PrefixBoundaries", prefixBoundaries},
		{"OwnWrites", ownWrites},
		{"WriteWhileListing", writeWhileListing},
		{"Revisions", revisions},
		{"ErrorWritesNothing", errorWritesNothing},
		{"ViewIsReadOnly", viewIsReadOnly},
		{"ViewIsStable", viewIsStable},
		{"PutCopies", putCopies},
		{"Records", records},
		{"ContextEnds", contextEnds},
		{"TooLarge", tooLarge},
		{"Closed", closed},
		{"Increments", increments},
		{"PointReadRace", pointReadRace},
		{"AbsentKeyRace", absentKeyRace},
		{"DeletionRace", deletionRace},
		{"PhantomRace", phantomRace},
		{"CountRace", countRace},
		{"PageRace", pageRace},
		{"WriteSkew", writeSkew},
		{"LongTransactionWins", longTransactionWins},
		{"WatchResumes", watchResumes},
		{"WatchGroups", watchGroups},
		{"WatchPrefixes", watchPrefixes},
		{"WatchEnds", watchEnds},
		{"WatchCompacted", watchCompacted},
		{"WatchLosesNothing", watchLosesNothing},
		{"Tables", tables},
		{"IndexPages", indexPages},
		{"SharedDecoding", sharedDecoding},
		{"Serializable", func(t *testing.T, s store.Store) { Serializable(t, s) }},
		{"Backup", backup},
		{"BackupDamage", backupDamage},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

func limited(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func update(t *testing.T, s store.Store, fn func(store.Tx)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := s.Update(ctx, func(tx store.Tx) error { fn(tx); return nil }); err != nil {
		t.Errorf("Update: %v", err)
	}
}

func view(t *testing.T, s store.Store, fn func(store.Tx)) {
	t.Helper()
	if err := s.View(t.Context(), func(tx store.Tx) error { fn(tx); return nil }); err != nil {
		t.Errorf("View: %v", err)
	}
}

// put writes "key=value" pairs in one transaction; "key" alone deletes.
func put(t *testing.T, s store.Store, pairs ...string) {
	t.Helper()
	update(t, s, func(tx store.Tx) { write(tx, pairs...) })
}

func write(tx store.Tx, pairs ...string) {
	for _, p := range pairs {
		if k, v, ok := strings.Cut(p, "="); ok {
			tx.Put(k, []byte(v))
		} else {
			tx.Delete(k)
		}
	}
}

// get returns the value under key, "-" when absent.
func get(tx store.Tx, key string) string {
	v, err := tx.Get(key)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return "-"
	case err != nil:
		return "error: " + err.Error()
	}
	return string(v.Bytes())
}

// list returns a listing as "key=value" words.
func list(tx store.Tx, prefix, after string, limit int) string {
	return join(tx.List(prefix, after, limit))
}

func join(seq iter.Seq2[string, store.Value]) string {
	var words []string
	for k, v := range seq {
		words = append(words, k+"="+string(v.Bytes()))
	}
	return strings.Join(words, " ")
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func rev(t *testing.T, s store.Store) (r store.Rev) {
	t.Helper()
	view(t, s, func(tx store.Tx) { r = tx.Rev() })
	return r
}

// events reads a watch until it has n events.
func events(t *testing.T, s store.Store, after store.Rev, n int, prefixes ...string) []store.Event {
	t.Helper()
	var got []store.Event
	if n == 0 {
		return nil
	}
	for e, err := range s.Watch(limited(t), after, prefixes...) {
		if err != nil {
			t.Fatalf("Watch: %v", err)
		}
		if got = append(got, e); len(got) == n {
			return got
		}
	}
	t.Fatalf("the watch ended after %d of %d events", len(got), n)
	return nil
}

// words renders events as key=value@rev relative to a revision.
func words(events []store.Event, base store.Rev) string {
	var w []string
	for _, e := range events {
		v := "=" + string(e.Val)
		if e.Val == nil {
			v = ""
		}
		w = append(w, fmt.Sprintf("%s%s@%d", e.Key, v, e.Rev-base))
	}
	return strings.Join(w, " ")
}

func sorted(keys []string) []string {
	slices.Sort(keys)
	return keys
}
