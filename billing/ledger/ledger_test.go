package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"neargate/resource/billing"
	"neargate/resource/compute"
	"neargate/store"
	"neargate/store/mem"
	"neargate/store/tables/usages"
)

var t0 = time.Date(2026, 9, 28, 22, 59, 58, 5e8, time.UTC)

func open(t *testing.T, fs vfs.FS) *Ledger {
	t.Helper()
	l, err := Open(Config{Dir: "ledger", FS: fs, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func random(rnd *rand.Rand, id int) billing.Record {
	r := billing.Record{Task: fmt.Sprint(id), Labels: billing.Labels{
		Account: "123456789012", Region: "us-east-1", Cluster: fmt.Sprint("c", rnd.IntN(3)), Family: "f", Revision: 1 + rnd.IntN(2),
		Dimension: []billing.Dimension{billing.VCPU, billing.Memory, billing.Storage}[rnd.IntN(3)],
	}}
	if n := rnd.IntN(4); n > 0 {
		r.Tags = []compute.Tag{{Key: "team", Value: fmt.Sprint(n)}}
	}
	r.Start = t0.Add(time.Duration(rnd.Int64N(int64(100 * time.Hour))))
	r.Seconds = 60 + rnd.Int64N(5*3600)
	r.End, r.Units = r.Start.Add(time.Duration(r.Seconds)*time.Second-time.Millisecond), 256<<rnd.IntN(4)
	return r
}

// tally are sums by what the ledger should be able to tell apart.
type tally map[string]int64

func (y tally) add(row billing.Row, hours, tags bool) {
	at := row.At
	if !hours {
		at = at.Truncate(24 * time.Hour)
	}
	tag := "-"
	if tags {
		tag = row.Tag("team")
	}
	key := fmt.Sprint(at.Format(time.RFC3339), row.Account, row.Region, row.Cluster, row.Family, row.Revision, tag, row.Dimension)
	y[key] += row.Amount
	y[key+" records"] += row.Records
}

func tallyOf(t *testing.T, l *Ledger, hours, tags bool) tally {
	t.Helper()
	v := l.View()
	defer v.Close()
	y, day := tally{}, t0.Truncate(24*time.Hour)
	for row, err := range v.Rows(t.Context(), billing.Scan{From: day, To: day.Add(20 * 24 * time.Hour), Hours: hours, Tags: tags}) {
		if err != nil {
			t.Fatal(err)
		}
		y.add(row, hours, tags)
	}
	return y
}

// check wants the ledger to hold the records and nothing else, by itself and in
// each of its sums.
func check(t *testing.T, l *Ledger, want map[string]billing.Record) {
	t.Helper()
	v := l.View()
	defer v.Close()
	n, last := 0, time.Time{}
	for r, err := range v.Records(t.Context(), time.Time{}.AddDate(1969, 0, 0), t0.AddDate(1, 0, 0)) {
		if err != nil {
			t.Fatal(err)
		}
		if w := want[r.Task]; fmt.Sprintf("%+v", w) != fmt.Sprintf("%+v", r) || r.Start.Before(last) {
			t.Fatalf("got  %+v\nwant %+v", r, w)
		}
		n, last = n+1, r.Start
	}
	if n != len(want) {
		t.Fatalf("%d records, want %d", n, len(want))
	}
	for _, m := range []struct{ hours, tags bool }{{false, false}, {false, true}, {true, true}} {
		sums := tally{}
		for _, r := range want {
			for row := range r.Rows() {
				sums.add(row, m.hours, m.tags)
			}
		}
		if got := tallyOf(t, l, m.hours, m.tags); !maps.Equal(got, sums) {
			t.Fatalf("%+v: got %d sums, want %d: %v, %v", m, len(got), len(sums), got, sums)
		}
	}
}

func TestAdd(t *testing.T) {
	l := open(t, vfs.NewMem())
	rnd, want := rand.New(rand.NewPCG(3, 4)), map[string]billing.Record{}
	check(t, l, want)
	for i := range 100 {
		var batch []billing.Record
		for j := range 1 + rnd.IntN(5) {
			r := random(rnd, i*10+j)
			want[r.Task] = r
			batch = append(batch, r)
		}
		batch = append(batch, batch[0])
		if err := errors.Join(l.Add(batch), l.Add(batch[:rnd.IntN(len(batch))])); err != nil {
			t.Fatal(err)
		}
	}
	check(t, l, want)
	some, absent := want["0"], random(rnd, 10_000)
	if has, err := l.Has([]billing.Record{some, absent}); err != nil || !has[0] || has[1] {
		t.Error(has, err)
	}
	v := l.View()
	defer v.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range v.Rows(ctx, billing.Scan{From: t0, To: t0.AddDate(0, 0, 9)}) {
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
	if err := l.Close(); err == nil {
		t.Error("closed under an open view")
	}
}

// flaky is a store whose updates sometimes fail, before or after they are done.
type flaky struct {
	store.Store
	rnd *rand.Rand
}

var errDown = errors.New("down")

func (f flaky) Update(ctx context.Context, fn func(store.Tx) error) error {
	switch f.rnd.IntN(3) {
	case 0:
		return errDown
	case 1:
		return errors.Join(f.Store.Update(ctx, fn), errDown)
	}
	return f.Store.Update(ctx, fn)
}

// TestDrainCrashes moves records from the store to the ledger, interrupts that
// anywhere, pulls the plug (what was not synced is lost, or some of it), restores
// records that had left the store, and wants every record once.
func TestDrainCrashes(t *testing.T) {
	for seed := range uint64(12) {
		rnd := rand.New(rand.NewPCG(seed, 9))
		st := mem.New()
		fs := vfs.NewCrashableMem()
		l := open(t, fs)
		want := map[string]billing.Record{}
		for i := range 60 {
			var put []billing.Record
			for j := range rnd.IntN(300) / (1 + rnd.IntN(60)) {
				r := random(rnd, i*1000+j)
				want[r.Task] = r
				put = append(put, r)
			}
			for _, r := range want { // a backup from before was restored
				if rnd.IntN(50) > 0 {
					break
				}
				put = append(put, r)
			}
			err := st.Update(t.Context(), func(tx store.Tx) error {
				for j := range put {
					if err := usages.Pending.Put(tx, &put[j]); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := l.Drain(t.Context(), flaky{st, rnd}); err != nil && !errors.Is(err, errDown) {
				t.Fatal(err)
			}
			if rnd.IntN(6) == 0 {
				after := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rnd.IntN(101), RNG: rnd})
				if err := l.Close(); err != nil {
					t.Fatal(err)
				}
				fs = after
				l = open(t, fs)
			}
		}
		if _, err := l.Drain(t.Context(), st); err != nil {
			t.Fatal(err)
		}
		check(t, l, want)
		if err := errors.Join(l.Close(), st.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRun takes what comes while it runs.
func TestRun(t *testing.T) {
	st, l := mem.New(), open(t, vfs.NewMem())
	defer st.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	done := make(chan error)
	go func() { done <- l.Run(ctx, st, slog.New(slog.DiscardHandler)) }()
	rnd := rand.New(rand.NewPCG(1, 1))
	for i := range 3 {
		r := random(rnd, i)
		if err := st.Update(ctx, func(tx store.Tx) error { return usages.Pending.Put(tx, &r) }); err != nil {
			t.Fatal(err)
		}
		for {
			has, err := l.Has([]billing.Record{r})
			if err != nil || ctx.Err() != nil {
				t.Fatal(err, ctx.Err())
			}
			if has[0] {
				break
			}
			time.Sleep(time.Millisecond)
		}
	}
	cancel()
	if err := errors.Join(<-done, l.Close()); err != nil {
		t.Error(err)
	}
}
