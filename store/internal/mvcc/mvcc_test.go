package mvcc

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"neargate/store"
)

func pipeline() *Core {
	o := Defaults()
	o.Pipeline = true
	return New(o)
}

// flush makes everything pending durable, in one batch.
func flush(c *Core) {
	if b, ok := c.Next(1000, 1<<20); ok {
		c.Durable(b)
	}
}

func change(key, val string) []Change { return []Change{{key, NewItem([]byte(val))}} }

func read(tx store.Tx, key string) string {
	v, err := tx.Get(key)
	if err != nil {
		return "-"
	}
	return string(v.Bytes())
}

func seen(c *Core, key string) (val string) {
	c.View(context.Background(), func(tx store.Tx) error { val = read(tx, key); return nil })
	return val
}

// start runs an Update that appends to a key and returns its result.
func start(c *Core, key, add string) <-chan error {
	done := make(chan error, 1)
	go func() {
		done <- c.Update(context.Background(), func(tx store.Tx) error {
			tx.Put(key, []byte(read(tx, key)+add))
			return nil
		})
	}()
	synctest.Wait()
	return done
}

func want[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// pendingly reports that no answer came yet.
func pendingly(t *testing.T, what string, done <-chan error) {
	t.Helper()
	synctest.Wait()
	select {
	case err := <-done:
		t.Errorf("%s is answered with %v before anything is durable", what, err)
	default:
	}
}

func TestNothingIsAnsweredBeforeItIsDurable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := pipeline()
		defer c.Close(store.ErrClosed)
		first, second := start(c, "k", "a"), start(c, "k", "b")
		oops := errors.New("oops")
		refused := make(chan error, 1)
		go func() {
			refused <- c.Update(t.Context(), func(tx store.Tx) error { return fmt.Errorf("%w %s", oops, read(tx, "k")) })
		}()
		same := start(c, "k2", "")
		pendingly(t, "a commit", first)
		pendingly(t, "a commit on a pending one", second)
		pendingly(t, "an error that rests on a pending commit", refused)
		pendingly(t, "another commit", same)
		want(t, "View before", seen(c, "k"), "-")
		flush(c)
		want(t, "first", <-first, nil)
		want(t, "second", <-second, nil)
		want(t, "refused", (<-refused).Error(), "oops -ab")
		want(t, "View after", seen(c, "k"), "-ab")
	})
}

func TestForeignCommitComesBeforePendingOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := pipeline()
		defer c.Close(store.ErrClosed)
		reads, apart := start(c, "k", "mine"), start(c, "other", "kept")
		looks := make(chan error, 1)
		go func() {
			looks <- c.Update(t.Context(), func(tx store.Tx) error {
				return errors.New(read(tx, "k") + read(tx, "other"))
			})
		}()
		synctest.Wait()
		c.Foreign(7, change("k", "theirs."))
		want(t, "View", seen(c, "k"), "theirs.")
		want(t, "revision", c.Rev(), 7)
		for range 3 {
			synctest.Wait()
			flush(c)
		}
		want(t, "reader of what changed", <-reads, nil)
		want(t, "the other", <-apart, nil)
		want(t, "one who only looked", (<-looks).Error(), "theirs.mine-kept")
		want(t, "k", seen(c, "k"), "theirs.mine")
		want(t, "revision", c.Rev(), 9)
	})
}

// An answer read before a foreign commit, of a state that never came true, is
// given again even if all it waited for succeeds.
func TestAnswersOfMovedCommitsAreGivenAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := pipeline()
		defer c.Close(store.ErrClosed)
		blind := make(chan error, 1)
		go func() {
			blind <- c.Update(t.Context(), func(tx store.Tx) error { tx.Put("k", []byte("mine")); return nil })
		}()
		synctest.Wait()
		looks := make(chan error, 1)
		go func() {
			looks <- c.Update(t.Context(), func(tx store.Tx) error { return errors.New(read(tx, "k") + read(tx, "x")) })
		}()
		synctest.Wait()
		c.Foreign(1, change("x", "theirs"))
		flush(c)
		want(t, "blind write", <-blind, nil)
		want(t, "look", (<-looks).Error(), "minetheirs")
	})
}

// A transaction that began before pending commits were undone runs again,
// although revisions repeat.
func TestUndoneCommitsAreNoBasis(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := pipeline()
		defer c.Close(store.ErrClosed)
		doomed := start(c, "k", "doomed")
		entered, resume, done := make(chan string), make(chan bool), make(chan error, 1)
		go func() {
			runs := 0
			done <- c.Update(t.Context(), func(tx store.Tx) error {
				saw := read(tx, "k")
				if runs++; runs == 1 {
					entered <- saw
					<-resume
				}
				tx.Put("copy", []byte(saw))
				return nil
			})
		}()
		want(t, "it saw", <-entered, "-doomed")
		b, _ := c.Next(1000, 1<<20)
		full := errors.New("full")
		c.Fail(b, full)
		want(t, "the doomed", <-doomed, full)
		resume <- true
		synctest.Wait()
		flush(c)
		want(t, "it ends with", <-done, nil)
		want(t, "copy", seen(c, "copy"), "-")
	})
}

func TestFailureMakesLaterCommitsRunAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := pipeline()
		defer c.Close(store.ErrClosed)
		first := start(c, "k", "a")
		b, _ := c.Next(1000, 1<<20)
		second := start(c, "k", "b")
		full := errors.New("full")
		c.Fail(b, full)
		want(t, "first", <-first, full)
		synctest.Wait()
		flush(c)
		want(t, "second", <-second, nil)
		want(t, "k", seen(c, "k"), "-b")
	})
}

func TestBatchesKeepToTheirLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := pipeline()
		defer c.Close(store.ErrClosed)
		var all []<-chan error
		for i := range 10 {
			all = append(all, start(c, fmt.Sprint("k", i%9), "x"))
		}
		sizes := ""
		for {
			b, ok := c.Next(4, 1<<20)
			if !ok {
				break
			}
			sizes += fmt.Sprint(len(b.Writes), " ")
			c.Durable(b)
		}
		want(t, "batches", sizes, "4 4 2 ")
		for _, done := range all {
			want(t, "result", <-done, nil)
		}
		b, ok := c.Next(4, 1<<20)
		want(t, "nothing is left", ok || b.Rev != 0, false)
	})
}

func TestHistoryForgets(t *testing.T) {
	o := Defaults()
	o.HistoryItems = 2
	c := New(o)
	for i := range 5 {
		err := c.Update(t.Context(), func(tx store.Tx) error { tx.Put("k", fmt.Append(nil, i)); return nil })
		if err != nil {
			t.Fatal(err)
		}
	}
	for after, known := range map[store.Rev]bool{0: false, 1: false, 2: false, 3: true, 4: true} {
		for e, err := range c.Watch(t.Context(), after, "") {
			if known {
				want(t, fmt.Sprint("first event after ", after), e.Rev, after+1)
			} else {
				want(t, fmt.Sprint("watch after ", after), err, store.ErrCompacted)
			}
			break
		}
	}
	runs := 0
	err := c.Update(t.Context(), func(tx store.Tx) error {
		if runs++; runs == 1 {
			for i := range 3 {
				c.Update(t.Context(), func(tx store.Tx) error { tx.Put("k", fmt.Append(nil, "x", i)); return nil })
			}
		}
		tx.Put("other", fmt.Append(nil, read(tx, "absent")))
		return nil
	})
	want(t, "error", err, nil)
	want(t, "runs when it cannot be told what changed", runs, 2)
}

// A watcher that asks for what is after a revision yet to come gets no more.
func TestWatchFromTheFuture(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Defaults())
		defer c.Close(store.ErrClosed)
		got := make(chan store.Event, 10)
		go func() {
			for e := range c.Watch(t.Context(), 2, "") {
				got <- e
			}
		}()
		synctest.Wait()
		for i := range 3 {
			c.Update(t.Context(), func(tx store.Tx) error { tx.Put("k", fmt.Append(nil, i)); return nil })
		}
		want(t, "first event", (<-got).Rev, 3)
	})
}

// A slow consumer is told to list again instead of holding memory without end.
func TestWatchFallsBehind(t *testing.T) {
	c := New(Defaults())
	defer c.Close(store.ErrClosed)
	c.Update(t.Context(), func(tx store.Tx) error { tx.Put("k", nil); return nil })
	n, last := 0, error(nil)
	for _, err := range c.Watch(t.Context(), 0, "") {
		if last = err; err != nil {
			break
		}
		if n++; n > 1 {
			t.Fatal("an event after the consumer fell behind")
		}
		for i := range backlog/1000 + 1 {
			c.Update(t.Context(), func(tx store.Tx) error {
				for k := range 1000 {
					tx.Put(fmt.Sprint("k", k), fmt.Append(nil, i))
				}
				return nil
			})
		}
	}
	want(t, "the watch ends with", last, store.ErrCompacted)
}

// An Update that loses every race to faster ones runs alone in the end.
func TestLoserRunsAlone(t *testing.T) {
	c := New(Defaults())
	defer c.Close(store.ErrClosed)
	runs := 0
	var rival chan error
	err := c.Update(t.Context(), func(tx store.Tx) error {
		if runs++; runs > 100 {
			return errors.New("it loses for ever")
		}
		mine := read(tx, "k")
		rival = make(chan error, 1)
		go func(n int) {
			rival <- c.Update(context.Background(), func(tx store.Tx) error { tx.Put("k", fmt.Append(nil, n)); return nil })
		}(runs)
		if runs <= patience {
			<-rival
		} else {
			select {
			case err := <-rival:
				rival <- err
				t.Error("a rival commits beside one that runs alone")
			case <-time.After(50 * time.Millisecond):
			}
		}
		tx.Put("k", []byte(mine+"!"))
		return nil
	})
	want(t, "error", err, nil)
	want(t, "runs", runs, patience+1)
	want(t, "the rival waits and succeeds", <-rival, nil)
}
