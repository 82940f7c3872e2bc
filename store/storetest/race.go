package storetest

import (
	"fmt"
	"strconv"
	"sync"
	"testing"

	"neargate/store"
)

func increments(t *testing.T, s store.Store) {
	const writers, each = 16, 50
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for range each {
				update(t, s, func(tx store.Tx) {
					for _, key := range []string{"all", fmt.Sprint("own", w)} {
						n, _ := strconv.Atoi(get(tx, key))
						tx.Put(key, fmt.Append(nil, n+1))
					}
				})
			}
		})
	}
	wg.Wait()
	view(t, s, func(tx store.Tx) {
		equal(t, "sum", get(tx, "all"), fmt.Sprint(writers*each))
		for w := range writers {
			equal(t, "own sum", get(tx, fmt.Sprint("own", w)), fmt.Sprint(each))
		}
	})
}

// race runs an Update whose function reads, lets another commit happen, and
// writes what it read; it returns how often the function ran.
func race(t *testing.T, s store.Store, read func(store.Tx) string, between ...string) (runs int) {
	t.Helper()
	update(t, s, func(tx store.Tx) {
		runs++
		saw := read(tx)
		if runs == 1 {
			put(t, s, between...)
		}
		tx.Put("result", []byte(saw))
	})
	return runs
}

func result(t *testing.T, s store.Store, want string) {
	t.Helper()
	view(t, s, func(tx store.Tx) { equal(t, "result", get(tx, "result"), want) })
}

func pointReadRace(t *testing.T, s store.Store) {
	put(t, s, "a=1", "b=1")
	read := func(tx store.Tx) string { return get(tx, "a") }
	equal(t, "runs beside another key's writer", race(t, s, read, "b=2", "aa=2"), 1)
	equal(t, "runs beside a writer", race(t, s, read, "a=2"), 2)
	result(t, s, "2")
	equal(t, "runs beside a deletion", race(t, s, read, "a"), 2)
	result(t, s, "-")
}

func absentKeyRace(t *testing.T, s store.Store) {
	read := func(tx store.Tx) string { return get(tx, "a") }
	equal(t, "runs beside a creation", race(t, s, read, "a=1"), 2)
	result(t, s, "1")
}

func deletionRace(t *testing.T, s store.Store) {
	put(t, s, "k1=1", "k2=2", "k3=3", "l=4")
	read := func(tx store.Tx) string { return list(tx, "k", "", 0) }
	equal(t, "runs beside a deletion outside", race(t, s, read, "l"), 1)
	equal(t, "runs beside a deletion inside", race(t, s, read, "k2"), 2)
	result(t, s, "k1=1 k3=3")
}

func phantomRace(t *testing.T, s store.Store) {
	put(t, s, "k1=1", "k5=5")
	read := func(tx store.Tx) string { return list(tx, "k", "", 0) }
	equal(t, "runs beside an insertion outside", race(t, s, read, "j=0", "l=0"), 1)
	equal(t, "runs beside an insertion inside", race(t, s, read, "k3=3"), 2)
	result(t, s, "k1=1 k3=3 k5=5")
	empty := func(tx store.Tx) string { return list(tx, "x", "", 0) }
	equal(t, "runs beside the first insertion", race(t, s, empty, "x1=1"), 2)
	result(t, s, "x1=1")
}

func countRace(t *testing.T, s store.Store) {
	put(t, s, "k1=1", "k2=2")
	read := func(tx store.Tx) string { return fmt.Sprint(tx.Count("k")) }
	equal(t, "runs beside an insertion", race(t, s, read, "k3=3"), 2)
	result(t, s, "3")
	equal(t, "runs beside a deletion", race(t, s, read, "k1"), 2)
	result(t, s, "2")
	equal(t, "runs beside another table's writer", race(t, s, read, "m=1"), 1)
}

// pageRace: a listing rests on what it covered, not on the rest of the prefix.
func pageRace(t *testing.T, s store.Store) {
	put(t, s, "k1=1", "k3=3", "k5=5", "k7=7")
	page := func(tx store.Tx) string { return list(tx, "k", "k1", 2) }
	equal(t, "runs beside a change after the page", race(t, s, page, "k6=6", "k7"), 1)
	equal(t, "runs beside a change before the page", race(t, s, page, "k1=one", "k0=0"), 1)
	equal(t, "runs beside an insertion in the page", race(t, s, page, "k4=4"), 2)
	result(t, s, "k3=3 k4=4")
	equal(t, "runs beside a deletion at its end", race(t, s, page, "k4"), 2)
	result(t, s, "k3=3 k5=5")
	first := func(tx store.Tx) string {
		for k := range tx.List("k", "", 0) {
			return k
		}
		return ""
	}
	equal(t, "runs beside a change after a loop's end", race(t, s, first, "k2=2"), 1)
	equal(t, "runs beside a change before a loop's end", race(t, s, first, "k0"), 2)
	result(t, s, "k1")
	short := func(tx store.Tx) string { return list(tx, "k", "k5", 5) }
	equal(t, "runs beside an insertion after a short page", race(t, s, short, "k9=9"), 2)
	result(t, s, "k6=6 k9=9")
}

// writeSkew: of two who each go off call only while the other is on, one stays.
func writeSkew(t *testing.T, s store.Store) {
	for range 50 {
		put(t, s, "a=on", "b=on")
		var wg sync.WaitGroup
		for _, who := range []string{"a", "b"} {
			wg.Go(func() {
				update(t, s, func(tx store.Tx) {
					if get(tx, "a") == "on" && get(tx, "b") == "on" {
						tx.Put(who, []byte("off"))
					}
				})
			})
		}
		wg.Wait()
		view(t, s, func(tx store.Tx) {
			if a, b := get(tx, "a"), get(tx, "b"); a == b {
				t.Errorf("a is %s and b is %s", a, b)
			}
		})
	}
}

// longTransactionWins: a transaction over everything commits among short ones.
func longTransactionWins(t *testing.T, s store.Store) {
	stop := make(chan bool)
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
					put(t, s, fmt.Sprintf("k%d=%d", w, i))
				}
			}
		})
	}
	for range 20 {
		update(t, s, func(tx store.Tx) {
			var all string
			for range 50 {
				all = list(tx, "k", "", 0)
			}
			tx.Put("sum", []byte(all))
		})
	}
	close(stop)
	wg.Wait()
}
