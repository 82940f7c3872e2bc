package storetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"neargate/store"
)

func watchResumes(t *testing.T, s store.Store) {
	base := rev(t, s)
	put(t, s, "a=1")
	put(t, s, "b=2")
	put(t, s, "a")
	all := events(t, s, base, 3, "")
	equal(t, "from the start", words(all, base), "a=1@1 b=2@2 a@3")
	equal(t, "from the middle", words(events(t, s, base+1, 2, ""), base), "b=2@2 a@3")
	equal(t, "a deletion has no value", all[2].Val == nil, true)
	update(t, s, func(tx store.Tx) { tx.Put("empty", nil) })
	equal(t, "an empty value is one", events(t, s, base+3, 1, "")[0].Val != nil, true)
	done := make(chan []store.Event)
	go func() { done <- events(t, s, rev(t, s), 1, "live") }()
	for i := 0; ; i++ {
		select {
		case got := <-done:
			equal(t, "live key", got[0].Key, "live")
			return
		default:
			put(t, s, fmt.Sprintf("live=%d", i))
		}
	}
}

func watchGroups(t *testing.T, s store.Store) {
	base := rev(t, s)
	put(t, s, "c=1", "a=1", "b=1")
	put(t, s, "b=2", "c")
	equal(t, "events", words(events(t, s, base, 5, ""), base), "a=1@1 b=1@1 c=1@1 b=2@2 c@2")
}

func watchPrefixes(t *testing.T, s store.Store) {
	base := rev(t, s)
	put(t, s, "a1=1", "b1=1", "c1=1")
	put(t, s, "c2=2")
	put(t, s, "aa=3", "b1=3")
	want := "a1=1@1 b1=1@1 aa=3@3 b1=3@3"
	equal(t, "two prefixes", words(events(t, s, base, 4, "a", "b"), base), want)
	equal(t, "nested prefixes", words(events(t, s, base, 2, "a", "aa", "a"), base), "a1=1@1 aa=3@3")
	live, stop := context.WithCancel(limited(t))
	defer stop()
	got := make(chan store.Event)
	go func() {
		defer close(got)
		for e := range s.Watch(live, base, "aa", "a", "b1") {
			got <- e
		}
	}()
	for range 4 {
		<-got
	}
	put(t, s, "x=4")
	put(t, s, "aa=5", "z=5", "b1=5")
	equal(t, "first live", (<-got).Key, "aa")
	equal(t, "second live", (<-got).Key, "b1")
	stop()
	if e, more := <-got; more {
		t.Errorf("an event after the end: %v", e)
	}
}

func watchEnds(t *testing.T, s store.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		var last error
		for _, err := range s.Watch(ctx, 0, "") {
			last = err
		}
		ended <- last
	}()
	cancel()
	select {
	case err := <-ended:
		equal(t, "last element", err, nil)
	case <-time.After(patience):
		t.Fatal("the watch goes on after its context")
	}
}

// watchCompacted: a watch from a forgotten revision says so; listing again and
// resuming from there loses nothing.
func watchCompacted(t *testing.T, s store.Store) {
	put(t, s, "first=1")
	old := rev(t, s)
	churn(t, s, 1000, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		for _, err := range s.Watch(ctx, old, "nothing") {
			if !errors.Is(err, store.ErrCompacted) {
				t.Errorf("Watch: %v", err)
			}
			return true
		}
		return false
	})
	var content string
	var at store.Rev
	view(t, s, func(tx store.Tx) { content, at = list(tx, "first", "", 0), tx.Rev() })
	equal(t, "listed", content, "first=1")
	put(t, s, "first=2")
	equal(t, "resumed", words(events(t, s, at, 1, "first"), at), "first=2@1")
}

// churn commits in rounds of n until done.
func churn(t *testing.T, s store.Store, n int, done func() bool) {
	t.Helper()
	for round := range 100 {
		var wg sync.WaitGroup
		for w := range 50 {
			wg.Go(func() {
				for i := range n / 50 {
					put(t, s, fmt.Sprintf("churn%d=%d.%d", w, round, i))
				}
			})
		}
		wg.Wait()
		if done() {
			return
		}
	}
	t.Fatal("the history never ends")
}

// watchLosesNothing: a slow consumer that lists again whenever it must ends with
// the content of the store.
func watchLosesNothing(t *testing.T, s store.Store) {
	const writers, each = 20, 40
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				k := fmt.Sprintf("k%d", (w*7+i)%30)
				if i%5 == 4 {
					put(t, s, k)
				} else {
					put(t, s, fmt.Sprintf("%s=%d.%d", k, w, i))
				}
			}
		})
	}
	go func() { wg.Wait(); put(t, s, "kend=1") }()
	copied, at, last := map[string]string{}, store.Rev(0), store.Rev(0)
	view(t, s, func(tx store.Tx) {
		at = tx.Rev()
		for k, v := range tx.List("k", "", 0) {
			copied[k] = string(v.Bytes())
		}
	})
	for e, err := range s.Watch(limited(t), at, "k") {
		if err != nil {
			t.Fatal(err)
		}
		if e.Rev < last || e.Rev <= at {
			t.Fatalf("revision %d after %d", e.Rev, last)
		}
		last = e.Rev
		copied[e.Key] = string(e.Val)
		if e.Val == nil {
			delete(copied, e.Key)
		}
		if e.Key == "kend" {
			break
		}
	}
	want := map[string]string{}
	view(t, s, func(tx store.Tx) {
		for k, v := range tx.List("k", "", 0) {
			want[k] = string(v.Bytes())
		}
	})
	if !maps.Equal(copied, want) {
		t.Errorf("the copy differs:\n%v\n%v", copied, want)
	}
}
