package ledger

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"neargate/resource/billing"
)

// TestArchive carries a ledger over into an empty one, into itself, and into one
// that has some of it and more.
func TestArchive(t *testing.T) {
	rnd, want := rand.New(rand.NewPCG(5, 6)), map[string]billing.Record{}
	from, other := open(t, vfs.NewMem()), open(t, vfs.NewMem())
	defer from.Close()
	defer other.Close()
	both := map[string]billing.Record{}
	var all, some []billing.Record
	for i := range taken + 100 {
		r := random(rnd, i)
		r.Tags = append(r.Tags, random(rnd, i).Tags...)
		want[r.Task], both[r.Task] = r, r
		all = append(all, r)
		if i%3 == 0 {
			mine := random(rnd, i+1_000_000)
			both[mine.Task], some = mine, append(some, mine, r)
		}
	}
	if err := errors.Join(from.Add(all), other.Add(some)); err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	if err := from.Backup(t.Context(), &archive); err != nil {
		t.Fatal(err)
	}
	empty := open(t, vfs.NewMem())
	defer empty.Close()
	for _, c := range []struct {
		into *Ledger
		want map[string]billing.Record
	}{{empty, want}, {from, want}, {other, both}} {
		for range 2 {
			if err := c.into.Restore(t.Context(), bytes.NewReader(archive.Bytes())); err != nil {
				t.Fatal(err)
			}
		}
		check(t, c.into, c.want)
	}
}

// TestArchiveManyLabels carries over more labels than are remembered.
func TestArchiveManyLabels(t *testing.T) {
	from, into := open(t, vfs.NewMem()), open(t, vfs.NewMem())
	defer from.Close()
	defer into.Close()
	rnd, batch := rand.New(rand.NewPCG(7, 8)), []billing.Record{}
	for i := range known + 100 {
		r := random(rnd, i)
		r.Family, r.Seconds = r.Task, 60
		batch = append(batch, r)
	}
	if err := from.Add(batch); err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	if err := errors.Join(from.Backup(t.Context(), &archive), into.Restore(t.Context(), &archive)); err != nil {
		t.Fatal(err)
	}
	v, n := into.View(), 0
	defer v.Close()
	for r, err := range v.Records(t.Context(), time.Unix(0, 0), t0.AddDate(1, 0, 0)) {
		if err != nil || r.Family != r.Task {
			t.Fatalf("%+v, %v", r, err)
		}
		n++
	}
	if n != len(batch) {
		t.Errorf("%d records, want %d", n, len(batch))
	}
}

// TestArchiveDamage wants what is cut off to be noticed.
func TestArchiveDamage(t *testing.T) {
	from, into := open(t, vfs.NewMem()), open(t, vfs.NewMem())
	defer from.Close()
	defer into.Close()
	rnd := rand.New(rand.NewPCG(9, 9))
	if err := from.Add([]billing.Record{random(rnd, 1), random(rnd, 2)}); err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	if err := from.Backup(t.Context(), &archive); err != nil {
		t.Fatal(err)
	}
	whole := archive.Bytes()
	for n := range whole {
		if err := into.Restore(t.Context(), bytes.NewReader(whole[:n])); !errors.Is(err, ErrArchive) {
			t.Errorf("cut at %d: %v", n, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := into.Restore(ctx, bytes.NewReader(whole)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
