package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"

	"neargate/store"
)

// keeper is a store that can be saved and replaced.
type keeper interface {
	store.Store
	Backup(context.Context, io.Writer) error
	Restore(context.Context, io.Reader) error
}

func keeperOf(t *testing.T, s store.Store) keeper {
	k, ok := s.(keeper)
	if !ok {
		t.Skip("the store has no Backup and Restore")
	}
	return k
}

func save(t *testing.T, k keeper) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := k.Backup(limited(t), &b); err != nil {
		t.Fatalf("Backup: %v", err)
	}
	return b.Bytes()
}

// backup: pairs written together are both or neither in a backup taken while the
// store is written to; a restore replaces everything, as one commit.
func backup(t *testing.T, s store.Store) {
	k := keeperOf(t, s)
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 50 {
				put(t, s, fmt.Sprintf("left%d=%d", w, i), fmt.Sprintf("right%d=%d", w, i))
			}
		})
	}
	put(t, s, "kept=1", "changed=old", "removed=1")
	archive := save(t, k)
	wg.Wait()
	put(t, s, "changed=new", "removed", "added=1")
	before := rev(t, s)
	if err := k.Restore(limited(t), bytes.NewReader(archive)); err != nil {
		t.Fatalf("Restore: %v", err)
	}
	view(t, s, func(tx store.Tx) {
		equal(t, "kept", get(tx, "kept"), "1")
		equal(t, "changed", get(tx, "changed"), "old")
		equal(t, "removed", get(tx, "removed"), "1")
		equal(t, "added", get(tx, "added"), "-")
		for w := range 4 {
			equal(t, "pair", get(tx, fmt.Sprint("left", w)), get(tx, fmt.Sprint("right", w)))
		}
	})
	got := events(t, s, before, 3, "added", "changed", "kept", "removed")
	equal(t, "events", words(got, before), "added@1 changed=old@1 removed=1@1")
	put(t, s, "after=1")
	equal(t, "again", bytes.Equal(save(t, k), archive), false)
	put(t, s, "after")
	equal(t, "the same content", bytes.Equal(save(t, k), archive), true)
}

// backupDamage: whatever is cut off or altered is noticed and changes nothing.
func backupDamage(t *testing.T, s store.Store) {
	k := keeperOf(t, s)
	put(t, s, "a=1", "b=2", "c="+string(bytes.Repeat([]byte("x"), 300)))
	archive := save(t, k)
	put(t, s, "a=now")
	content := save(t, k)
	try := func(what string, damaged []byte) {
		if err := k.Restore(limited(t), bytes.NewReader(damaged)); !errors.Is(err, store.ErrArchive) {
			t.Errorf("%s: %v", what, err)
		}
	}
	step := max(1, len(archive)/40)
	for n := 0; n < len(archive); n += step {
		try(fmt.Sprint("cut at ", n), archive[:n])
		altered := bytes.Clone(archive)
		altered[n] ^= 1
		try(fmt.Sprint("altered at ", n), altered)
	}
	try("longer", append(bytes.Clone(archive), 0))
	equal(t, "unchanged", bytes.Equal(save(t, k), content), true)
	empty := bytes.NewBuffer(nil)
	if err := store.WriteArchive(empty, func(func(string, []byte) bool) {}, func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	if err := k.Restore(limited(t), empty); err != nil {
		t.Fatalf("Restore: %v", err)
	}
	view(t, s, func(tx store.Tx) { equal(t, "emptied", tx.Count(""), 0) })
}
