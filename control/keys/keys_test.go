package keys

import (
	"fmt"
	"math/rand"
	"testing"
	"time"

	"neargate/arn"
	"neargate/internal/seal"
	"neargate/resource/key"
	"neargate/store"
	"neargate/store/mem"
	tables "neargate/store/tables/keys"
)

var t0 = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// run lets the controller do everything until now and returns when it looks again.
func run(t *testing.T, st store.Store, master [32]byte, now time.Time) time.Time {
	t.Helper()
	s := New(arn.NewSource(rand.New(rand.NewSource(7))), master).Stepper(1)
	if err := s.List(t.Context(), st); err != nil {
		t.Fatal(err)
	}
	for ran, p := s.Step(t.Context(), st, now); ran; ran, p = s.Step(t.Context(), st, now) {
		if p.Err != nil {
			t.Fatalf("pass %+v", p)
		}
	}
	wake, _ := s.Next()
	return wake
}

func update(t *testing.T, st store.Store, f func(tx store.Tx) error) {
	t.Helper()
	if err := st.Update(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, st store.Store, id string) (k key.Key, ok bool) {
	t.Helper()
	update(t, st, func(tx store.Tx) (err error) {
		k, ok, err = tables.Keys.Find(tx, "123456789012", "us-east-1", id)
		return err
	})
	return k, ok
}

func newKey(n int) key.Key {
	return key.Key{
		Account: "123456789012", Region: "us-east-1", ID: fmt.Sprintf("00000000-0000-0000-0000-%012d", n), State: key.Enabled,
		Materials: []key.Material{{ID: "first", CreatedAt: t0}},
	}
}

func TestDeletion(t *testing.T) {
	st := mem.New(mem.Paranoid())
	update(t, st, func(tx store.Tx) error {
		for n := range 3 {
			k := newKey(n)
			if n > 0 {
				k.State, k.DeletionAt = key.PendingDeletion, t0.AddDate(0, 0, 7*n)
			}
			for i := range 250 {
				g := key.Grant{Account: k.Account, Region: k.Region, Key: k.ID, ID: fmt.Sprint(i), Retiring: "arn:aws:iam::1:root"}
				a := key.Alias{Account: k.Account, Region: k.Region, Name: fmt.Sprintf("alias/%d/%d", n, i), Key: k.ID}
				if err := tables.Grants.Put(tx, &g); err != nil {
					return err
				}
				if err := tables.Aliases.Put(tx, &a); err != nil {
					return err
				}
			}
			if err := tables.Keys.Put(tx, &k); err != nil {
				return err
			}
		}
		return nil
	})
	count := func() (n int) {
		update(t, st, func(tx store.Tx) error {
			n = 0
			for _, p := range append(append(tables.Keys.Prefixes(), tables.Aliases.Prefixes()...), tables.Grants.Prefixes()...) {
				n += tx.Count(p)
			}
			return nil
		})
		return n
	}
	all := count()
	if wake := run(t, st, [32]byte{}, t0.AddDate(0, 0, 7).Add(-time.Second)); !wake.Equal(t0.AddDate(0, 0, 7)) || count() != all {
		t.Errorf("too early: looks again at %v, %d keys of %d", wake, count(), all)
	}
	if wake := run(t, st, [32]byte{}, t0.AddDate(0, 0, 7)); !wake.Equal(t0.AddDate(0, 0, 14)) {
		t.Errorf("looks again at %v", wake)
	}
	if _, ok := get(t, st, newKey(1).ID); ok || count() != all-1002 {
		t.Errorf("key 1 is there: %v; %d of %d keys left", ok, count(), all)
	}
	run(t, st, [32]byte{}, t0.AddDate(1, 0, 0))
	if _, ok := get(t, st, newKey(0).ID); !ok || count() != 1001 {
		t.Errorf("key 0 is there: %v; %d keys left", ok, count())
	}
}

func TestRotation(t *testing.T) {
	st, master := mem.New(mem.Paranoid()), [32]byte{9}
	update(t, st, func(tx store.Tx) error {
		k := newKey(0)
		k.Rotates, k.RotationDays, k.NextRotation = true, 90, t0.AddDate(0, 0, 90)
		off := newKey(1)
		off.Rotates, off.NextRotation, off.State = true, t0, key.Disabled
		if err := tables.Keys.Put(tx, &off); err != nil {
			return err
		}
		return tables.Keys.Put(tx, &k)
	})
	at := t0.AddDate(0, 0, 90)
	if wake := run(t, st, master, at.Add(-1)); !wake.Equal(at) {
		t.Errorf("looks again at %v", wake)
	}
	if wake := run(t, st, master, at.Add(time.Hour)); !wake.Equal(at.Add(time.Hour).AddDate(0, 0, 90)) {
		t.Errorf("looks again at %v", wake)
	}
	k, _ := get(t, st, newKey(0).ID)
	if len(k.Materials) != 2 || k.Materials[0].ID != "first" || k.Current().Rotation != key.Automatic {
		t.Fatalf("key %+v", k)
	}
	if b, err := seal.Open(master, k.Current().Sealed, k.Bound(k.Current().ID)); err != nil || len(b) != 32 {
		t.Errorf("material %x, %v", b, err)
	}
	// A daemon that was off for years rotates once.
	run(t, st, master, at.AddDate(5, 0, 0))
	if k, _ := get(t, st, newKey(0).ID); len(k.Materials) != 3 {
		t.Errorf("%d materials", len(k.Materials))
	}
	if k, _ := get(t, st, newKey(1).ID); len(k.Materials) != 1 {
		t.Errorf("a disabled key rotated: %+v", k)
	}
}
