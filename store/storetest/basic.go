package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"neargate/store"
)

func readAndWrite(t *testing.T, s store.Store) {
	put(t, s, "a=1", "b=2")
	put(t, s, "b=3", "c=4", "a", "absent")
	view(t, s, func(tx store.Tx) {
		equal(t, "deleted", get(tx, "a"), "-")
		equal(t, "replaced", get(tx, "b"), "3")
		equal(t, "added", get(tx, "c"), "4")
		equal(t, "never there", get(tx, "absent"), "-")
	})
	update(t, s, func(tx store.Tx) { tx.Put("empty", nil) })
	view(t, s, func(tx store.Tx) {
		equal(t, "empty value", get(tx, "empty"), "")
		equal(t, "content", list(tx, "", "", 0), "b=3 c=4 empty=")
	})
}

func listing(t *testing.T, s store.Store) {
	update(t, s, func(tx store.Tx) {
		for _, i := range []int{7, 3, 9, 1, 5} {
			tx.Put(fmt.Sprintf("k%d", i), fmt.Append(nil, i))
		}
	})
	view(t, s, func(tx store.Tx) {
		equal(t, "in order", list(tx, "k", "", 0), "k1=1 k3=3 k5=5 k7=7 k9=9")
		equal(t, "first page", list(tx, "k", "", 2), "k1=1 k3=3")
		equal(t, "second page", list(tx, "k", "k3", 2), "k5=5 k7=7")
		equal(t, "last page", list(tx, "k", "k7", 2), "k9=9")
		equal(t, "after the end", list(tx, "k", "k9", 2), "")
		equal(t, "after an absent key", list(tx, "k", "k4", 0), "k5=5 k7=7 k9=9")
		equal(t, "after below the prefix", list(tx, "k", "a", 1), "k1=1")
		equal(t, "after above the prefix", list(tx, "k", "z", 0), "")
		equal(t, "no such prefix", list(tx, "x", "", 0), "")
		equal(t, "count", tx.Count("k"), 5)
		equal(t, "count of one", tx.Count("k5"), 1)
		equal(t, "count of none", tx.Count("x"), 0)
		n := 0
		for range tx.List("k", "", 0) {
			if n++; n == 2 {
				break
			}
		}
		equal(t, "broken off", n, 2)
	})
	for round := range 10 {
		update(t, s, func(tx store.Tx) {
			for i := range 100 {
				tx.Put(store.Key("many", fmt.Sprintf("%04d", 10*i+round)), []byte("x"))
			}
		})
	}
	view(t, s, func(tx store.Tx) {
		equal(t, "count of many", tx.Count(store.Prefix("many")), 1000)
		n, after := 0, ""
		for page := 0; page < 20; page++ {
			for k := range tx.List(store.Prefix("many"), after, 77) {
				equal(t, "key", k, store.Key("many", fmt.Sprintf("%04d", n)))
				n, after = n+1, k
			}
		}
		equal(t, "keys in pages", n, 1000)
	})
}

func prefixBoundaries(t *testing.T, s store.Store) {
	one, two := store.Key("t", "a", "1"), store.Key("t", "ab", "1")
	put(t, s, one+"=1", two+"=2", store.Key("t2", "a")+"=3", "\xff=4", "\xff\xff=5", "\xfe\xff\xff=6", "\xfe\xff=7")
	view(t, s, func(tx store.Tx) {
		equal(t, "whole segments", tx.Count(store.Prefix("t", "a")), 1)
		equal(t, "whole table", list(tx, store.Prefix("t"), "", 0), one+"=1 "+two+"=2")
		equal(t, "highest byte", list(tx, "\xff", "", 0), "\xff=4 \xff\xff=5")
		equal(t, "carry", list(tx, "\xfe\xff", "", 0), "\xfe\xff=7 \xfe\xff\xff=6")
		equal(t, "everything", tx.Count(""), 7)
	})
}

func ownWrites(t *testing.T, s store.Store) {
	put(t, s, "k1=1", "k3=3", "k5=5")
	update(t, s, func(tx store.Tx) {
		write(tx, "k0=0", "k2=2", "k3", "k5=five", "k9=9", "k8=8", "k8", "gone")
		equal(t, "put", get(tx, "k2"), "2")
		equal(t, "deleted", get(tx, "k3"), "-")
		equal(t, "put and deleted", get(tx, "k8"), "-")
		equal(t, "merged", list(tx, "k", "", 0), "k0=0 k1=1 k2=2 k5=five k9=9")
		equal(t, "merged page", list(tx, "k", "k0", 3), "k1=1 k2=2 k5=five")
		equal(t, "merged rest", list(tx, "k", "k5", 3), "k9=9")
		equal(t, "count", tx.Count("k"), 5)
		write(tx, "k3=again")
		equal(t, "put again", list(tx, "k3", "", 0), "k3=again")
	})
	view(t, s, func(tx store.Tx) {
		equal(t, "committed", list(tx, "k", "", 0), "k0=0 k1=1 k2=2 k3=again k5=five k9=9")
	})
}

func writeWhileListing(t *testing.T, s store.Store) {
	put(t, s, "k1=1", "k2=2", "k3=3")
	update(t, s, func(tx store.Tx) {
		tx.Put("k2", []byte("own"))
		n := 0
		for k := range tx.List("k", "", 0) {
			n++
			tx.Delete(k)
			tx.Put(k+"+", []byte("moved"))
		}
		equal(t, "keys seen", n, 3)
	})
	view(t, s, func(tx store.Tx) {
		equal(t, "moved", list(tx, "k", "", 0), "k1+=moved k2+=moved k3+=moved")
	})
}

func revisions(t *testing.T, s store.Store) {
	base := rev(t, s)
	put(t, s, "a=1")
	equal(t, "after a commit", rev(t, s), base+1)
	put(t, s, "a=1", "absent")
	equal(t, "after a commit that changes nothing", rev(t, s), base+1)
	update(t, s, func(tx store.Tx) { get(tx, "a") })
	equal(t, "after a transaction without writes", rev(t, s), base+1)
	put(t, s, "a")
	equal(t, "after a deletion", rev(t, s), base+2)
}

func errorWritesNothing(t *testing.T, s store.Store) {
	put(t, s, "a=1")
	base, oops := rev(t, s), errors.New("oops")
	err := s.Update(t.Context(), func(tx store.Tx) error { write(tx, "a", "b=2"); return oops })
	if err != oops {
		t.Errorf("Update: %v, want the function's own error", err)
	}
	if err := s.View(t.Context(), func(store.Tx) error { return oops }); err != oops {
		t.Errorf("View: %v, want the function's own error", err)
	}
	view(t, s, func(tx store.Tx) { equal(t, "content", list(tx, "", "", 0), "a=1") })
	equal(t, "revision", rev(t, s), base)
}

func viewIsReadOnly(t *testing.T, s store.Store) {
	for name, w := range map[string]string{"put": "a=1", "delete": "a"} {
		if err := s.View(t.Context(), func(tx store.Tx) error { write(tx, w); return nil }); err == nil {
			t.Errorf("%s in a View is accepted", name)
		}
	}
	view(t, s, func(tx store.Tx) { equal(t, "content", tx.Count(""), 0) })
	if err := s.Update(t.Context(), func(tx store.Tx) error { tx.Put("", nil); return nil }); err == nil {
		t.Error("an empty key is accepted")
	}
}

func viewIsStable(t *testing.T, s store.Store) {
	put(t, s, "a=1", "b=1")
	view(t, s, func(tx store.Tx) {
		put(t, s, "a=2", "b", "c=2")
		equal(t, "content before the commit", list(tx, "", "", 0), "a=1 b=1")
		equal(t, "count before the commit", tx.Count(""), 2)
		view(t, s, func(tx store.Tx) { equal(t, "own commit", list(tx, "", "", 0), "a=2 c=2") })
	})
}

func putCopies(t *testing.T, s store.Store) {
	val := []byte("before")
	update(t, s, func(tx store.Tx) { tx.Put("a", val); copy(val, "after!") })
	copy(val, "later!")
	view(t, s, func(tx store.Tx) { equal(t, "value", get(tx, "a"), "before") })
}

func contextEnds(t *testing.T, s store.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	fn := func(tx store.Tx) error { t.Error("the function runs"); return nil }
	if err := s.View(ctx, fn); !errors.Is(err, context.Canceled) {
		t.Errorf("View: %v", err)
	}
	if err := s.Update(ctx, fn); !errors.Is(err, context.Canceled) {
		t.Errorf("Update: %v", err)
	}
}

func tooLarge(t *testing.T, s store.Store) {
	tests := map[string]func(store.Tx){
		"one huge value": func(tx store.Tx) { tx.Put("a", make([]byte, 4<<20)) },
		"many values": func(tx store.Tx) {
			for i := range 100 {
				tx.Put(fmt.Sprint("k", i), make([]byte, 100_000))
			}
		},
		"many keys": func(tx store.Tx) {
			for i := range 50_000 {
				tx.Put(fmt.Sprint("k", i), nil)
			}
		},
	}
	for name, fill := range tests {
		err := s.Update(limited(t), func(tx store.Tx) error { fill(tx); return nil })
		if !errors.Is(err, store.ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
	view(t, s, func(tx store.Tx) { equal(t, "content", tx.Count(""), 0) })
	big := bytes.Repeat([]byte("x"), 500_000)
	update(t, s, func(tx store.Tx) {
		for i := range 100 {
			tx.Put(fmt.Sprint("k", i), nil)
		}
		tx.Put("big", big)
	})
	view(t, s, func(tx store.Tx) { equal(t, "large", get(tx, "big"), string(big)) })
}

func closed(t *testing.T, s store.Store) {
	c, ok := s.(io.Closer)
	if !ok {
		t.Skip("the store has no Close")
	}
	put(t, s, "a=1")
	next := make(chan error, 10)
	first := make(chan bool)
	go func() {
		defer close(next)
		for _, err := range s.Watch(limited(t), 0, "") {
			if err == nil {
				close(first)
			} else {
				next <- err
			}
		}
	}()
	<-first
	if err := c.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	equal(t, "the watch ends with", <-next, store.ErrClosed)
	equal(t, "and then", <-next, nil)
	fn := func(store.Tx) error { return nil }
	if err := s.View(t.Context(), fn); !errors.Is(err, store.ErrClosed) {
		t.Errorf("View: %v", err)
	}
	if err := s.Update(t.Context(), fn); !errors.Is(err, store.ErrClosed) {
		t.Errorf("Update: %v", err)
	}
	for _, err := range s.Watch(t.Context(), 0, "") {
		equal(t, "a new watch", err, store.ErrClosed)
	}
	if err := c.Close(); err != nil {
		t.Errorf("Close again: %v", err)
	}
}
