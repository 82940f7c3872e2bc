package logstore

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"neargate/resource/billing"
	"neargate/resource/logs"
	"neargate/store"
	"neargate/store/mem"
	"neargate/store/tables"
	"neargate/store/tables/usages"
)

// TestMeter appends to groups, opens the store anew, and meters at random, and wants
// each KiB in one record.
func TestMeter(t *testing.T) {
	rnd, fs := rand.New(rand.NewPCG(4, 4)), vfs.NewMem()
	open := func() *Store {
		s, err := Open(Config{Dir: "logs", FS: fs})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s, st := open(), mem.New(mem.Paranoid())
	defer st.Close()
	put := func(g logs.Group) {
		if err := st.Update(t.Context(), func(tx store.Tx) error { return tables.LogGroups.Put(tx, &g) }); err != nil {
			t.Fatal(err)
		}
	}
	for id := range uint64(3) {
		g := logs.Group{Account: "1", Region: "us-east-1", Name: fmt.Sprint("/g/", id), ID: id, Class: logs.Standard}
		if id == 2 {
			g.Class = logs.InfrequentAccess
		}
		put(g)
	}
	now, want := time.Unix(1_790_000_000, 0).UTC(), [3]int64{}
	for range 200 {
		now = now.Add(time.Duration(1 + rnd.IntN(int(time.Minute))))
		group := rnd.Uint64N(3)
		message := strings.Repeat("x", rnd.IntN(3000))
		want[group] += logs.Size(len(message))
		err := s.Append(logs.StreamID{Group: group, Stream: rnd.Uint64N(100)}, now, []logs.Record{{Time: now.UnixMilli(), Message: message}})
		if err != nil {
			t.Fatal(err)
		}
		switch rnd.IntN(10) {
		case 0:
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = open()
		case 1, 2:
			if err := s.Meter(t.Context(), st, now); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.Meter(t.Context(), st, now.Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	got := map[string]int64{}
	err := st.View(t.Context(), func(tx store.Tx) error {
		for r, err := range usages.Pending.List(tx) {
			if err != nil || r.Seconds != 1 || r.Dimension != billing.LogIngestion {
				t.Fatalf("%+v, %v", r, err)
			}
			got[r.Task] += r.Units
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got["log-group//g/0"] != want[0]>>10 || got["log-group//g/1"] != want[1]>>10 {
		t.Errorf("%v KiB, want %v bytes", got, want)
	}
	if n, err := s.Ingested(2); err != nil || n != want[2] {
		t.Errorf("%d, %v", n, err)
	}
	if err := s.DropGroup(1); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Ingested(1); err != nil || n != 0 {
		t.Errorf("%d after the group was dropped, %v", n, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
