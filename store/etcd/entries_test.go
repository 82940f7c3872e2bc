package etcd

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"

	"neargate/store"
)

type pet struct {
	Name, Kind string
	Tags       []string
}

var pets = store.Table[pet]{
	Name: "pet",
	Key:  func(p *pet) []string { return []string{p.Name} },
	Indexes: []store.Index[pet]{
		{Name: "pet@kind", Keys: func(p *pet) [][]string { return [][]string{{p.Kind}} }},
		{Name: "pet@tag", Keys: func(p *pet) (tags [][]string) {
			for _, t := range p.Tags {
				tags = append(tags, []string{t})
			}
			return tags
		}},
	},
}

// farm is what a store of pets should hold.
type farm map[string]pet

// all are its keys and values.
func (f farm) all() map[string]string {
	all := map[string]string{}
	for name, p := range f {
		key := store.Key("pet", name)
		b, _ := json.Marshal(p)
		all[key] = string(b)
		all[store.Key("pet@kind", p.Kind, name)] = key
		for _, t := range p.Tags {
			all[store.Key("pet@tag", t, name)] = key
		}
	}
	return all
}

// change makes some random changes in one transaction, of a copy if it is run again.
func (f farm) change(t *testing.T, s *Store, r *rand.Rand) {
	t.Helper()
	n, seed := 1+r.IntN(3), r.Uint64()
	var next farm
	err := s.Update(t.Context(), func(tx store.Tx) error {
		r := rand.New(rand.NewPCG(seed, 0))
		next = maps.Clone(f)
		for range n {
			p := pet{Name: fmt.Sprint("n", r.IntN(12)), Kind: fmt.Sprint("k", r.IntN(3))}
			for i := range r.IntN(4) {
				p.Tags = append(p.Tags, fmt.Sprint("t", i*r.IntN(3)))
			}
			slices.Sort(p.Tags)
			p.Tags = slices.Compact(p.Tags)
			var err error
			if r.IntN(4) == 0 {
				delete(next, p.Name)
				err = pets.Delete(tx, p.Name)
			} else {
				next[p.Name] = p
				err = pets.Put(tx, &p)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	clear(f)
	maps.Copy(f, next)
}

// check compares a store with what it should hold.
func (f farm) check(t *testing.T, when string, s *Store) {
	t.Helper()
	got := map[string]string{}
	err := s.View(t.Context(), func(tx store.Tx) error {
		clear(got)
		for k, v := range tx.List("pet", "", 0) {
			got[k] = string(v.Bytes())
		}
		return nil
	})
	if want := f.all(); err != nil || !maps.Equal(got, want) {
		t.Fatalf("%s: %q, want %q, %v", when, got, want, err)
	}
}

// count is how many records etcd has.
func count(t *testing.T, s *Store) int {
	t.Helper()
	r, err := s.client.Get(t.Context(), s.dataKey, clientv3.WithPrefix(), clientv3.WithCountOnly())
	if err != nil {
		t.Fatal(err)
	}
	return int(r.Count)
}

// TestEntries: index entries are kept with their records, and are there again, those and
// no others, when a store is opened, also where earlier versions or a restore had put them
// by themselves.
func TestEntries(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	dir, f := t.TempDir(), farm{}
	s := openDir(t, dir)
	work := func(when string) {
		for i := range 120 {
			f.change(t, s, r)
			if r.IntN(20) == 0 {
				s.Close()
				s = openDir(t, dir)
			}
			f.check(t, fmt.Sprint(when, ", change ", i), s)
		}
	}
	work("new")
	if n := count(t, s); n != len(f) {
		t.Errorf("%d records in etcd of %d pets", n, len(f))
	}
	f["old"] = pet{"old", "k1", []string{"t0", "t9"}}
	f["older"] = pet{"older", "k2", []string{"t9"}}
	for k, v := range f.all() {
		if strings.Contains(k, "old") {
			set(t, s, k, v)
		}
	}
	s.Close()
	s = openDir(t, dir)
	f.check(t, "opened with entries of an earlier version", s)
	err := s.Update(t.Context(), func(tx store.Tx) error {
		f["old"] = pet{"old", "k2", []string{"t0", "t1"}}
		delete(f, "older")
		p := f["old"]
		if err := pets.Put(tx, &p); err != nil {
			return err
		}
		return pets.Delete(tx, "older")
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	s = openDir(t, dir)
	f.check(t, "entries of an earlier version changed", s)
	work("with entries of an earlier version")
	var archive bytes.Buffer
	if err := s.Backup(t.Context(), &archive); err != nil {
		t.Fatal(err)
	}
	kept := maps.Clone(f)
	f.change(t, s, r)
	if err := s.Restore(t.Context(), &archive); err != nil {
		t.Fatal(err)
	}
	f = kept
	f.check(t, "restored", s)
	work("restored")
}

// TestEntriesReachOthers: other processes have the entries of each other's records.
func TestEntriesReachOthers(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	sv, f := testServer(t), farm{}
	stores := []*Store{join(t, sv, nil, nil), join(t, sv, nil, nil)}
	for i := range 150 {
		f.change(t, stores[i%2], r)
		set(t, stores[i%2], "turn", fmt.Sprint(i))
		settle(t, stores[1-i%2], "turn", fmt.Sprint(i))
		for j, s := range stores {
			f.check(t, fmt.Sprint("change ", i, ", store ", j), s)
		}
	}
	f.check(t, "a newcomer", join(t, sv, nil, nil))
	if n := count(t, stores[0]); n != len(f)+1 {
		t.Errorf("%d records in etcd of %d pets and a turn", n, len(f))
	}
}

// TestAnyBytes: what begins like a record with entries is none.
func TestAnyBytes(t *testing.T) {
	dir := t.TempDir()
	s := openDir(t, dir)
	odd := []string{"\xff", "\xff\x00", "\xff\x01", "\xff\x01\x01a", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xffx", "", "x"}
	for i, v := range odd {
		set(t, s, fmt.Sprint("k", i), v)
	}
	s.Close()
	s = openDir(t, dir)
	for i, v := range odd {
		settle(t, s, fmt.Sprint("k", i), v)
	}
}
