package backup

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"neargate/billing/ledger"
	"neargate/resource/billing"
	"neargate/store"
	"neargate/store/etcd"
	"neargate/store/tables/usages"
)

func open(t *testing.T) Keeper {
	t.Helper()
	dir := t.TempDir()
	st, err := etcd.Open(t.Context(), etcd.Config{Dir: filepath.Join(dir, "store")})
	if err != nil {
		t.Fatal(err)
	}
	l, err := ledger.Open(ledger.Config{Dir: filepath.Join(dir, "ledger"), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return Keeper{Store: st, Ledger: l, Dir: dir}
}

func record(i int) billing.Record {
	at := time.Date(2026, 10, 1, 0, 0, i, 0, time.UTC)
	return billing.Record{
		Labels: billing.Labels{Account: "111122223333", Region: "us-east-1", Cluster: "c", Family: "f", Revision: 1, Dimension: billing.VCPU},
		Task:   fmt.Sprint(i), Start: at, End: at.Add(time.Minute), Seconds: 60, Units: 256,
	}
}

// used are the tasks in the ledger once it has what waits in the store.
func used(t *testing.T, k Keeper) map[string]int {
	t.Helper()
	if _, err := k.Ledger.Drain(t.Context(), k.Store); err != nil {
		t.Fatal(err)
	}
	v := k.Ledger.View()
	defer v.Close()
	out := map[string]int{}
	for r, err := range v.Records(t.Context(), time.Unix(0, 0), time.Unix(1<<33, 0)) {
		if err != nil {
			t.Fatal(err)
		}
		out[r.Task]++
	}
	return out
}

// TestWhileRunning takes backups while usage moves from the store to the ledger. A
// backup has at least what was recorded before it began, each once, and what came
// later is still there after it was loaded.
func TestWhileRunning(t *testing.T) {
	k := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- k.Ledger.Run(ctx, k.Store, slog.New(slog.DiscardHandler)) }()
	const each = 40
	var saved []byte
	for round := range 5 {
		for i := range each {
			r := record(round*each + i)
			if err := k.Store.Update(t.Context(), func(tx store.Tx) error { return usages.Pending.Put(tx, &r) }); err != nil {
				t.Fatal(err)
			}
		}
		var b bytes.Buffer
		if err := k.Save(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
		saved = b.Bytes()
		fresh := open(t)
		if err := fresh.Load(t.Context(), bytes.NewReader(saved)); err != nil {
			t.Fatal(err)
		}
		got := used(t, fresh)
		if len(got) != (round+1)*each {
			t.Fatalf("round %d: %d tasks in the backup", round, len(got))
		}
		for id, n := range got {
			if n != 1 {
				t.Errorf("%s is there %d times", id, n)
			}
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	later := record(5 * each)
	if err := k.Store.Update(t.Context(), func(tx store.Tx) error { return usages.Pending.Put(tx, &later) }); err != nil {
		t.Fatal(err)
	}
	for _, cut := range []int{0, 10, 100, len(saved) - 1} {
		if err := k.Load(t.Context(), bytes.NewReader(saved[:cut])); err == nil {
			t.Errorf("cut at %d: loaded", cut)
		}
	}
	if err := k.Load(t.Context(), bytes.NewReader(saved)); err != nil {
		t.Fatal(err)
	}
	if got := used(t, k); len(got) != 5*each+1 || got[later.Task] != 1 {
		t.Errorf("%d tasks after loading, the later one %d times", len(got), got[later.Task])
	}
}

// TestStateAlone loads what backups once were.
func TestStateAlone(t *testing.T) {
	from, into := open(t), open(t)
	waiting, kept := record(1), record(2)
	err := from.Store.Update(t.Context(), func(tx store.Tx) error { return usages.Pending.Put(tx, &waiting) })
	if err != nil {
		t.Fatal(err)
	}
	if err := into.Ledger.Add([]billing.Record{kept}); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := from.Store.Backup(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	if err := into.Load(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	if got := used(t, into); len(got) != 2 {
		t.Errorf("%v", got)
	}
}
