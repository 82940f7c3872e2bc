package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"neargate/store"
)

type task struct {
	Account, ID, Service, Status string
	Tags                         map[string]string
	Ports                        []int
}

func taskTable() store.Table[task] {
	return store.Table[task]{
		Name: "task",
		Key:  func(r *task) []string { return []string{r.Account, r.ID} },
		Indexes: []store.Index[task]{
			{Name: "task@service", Keys: func(r *task) [][]string {
				if r.Service == "" {
					return nil
				}
				return [][]string{{r.Account, r.Service}}
			}},
			{Name: "task@status", Keys: func(r *task) [][]string {
				return [][]string{{r.Account, r.Status}, {r.Account, "any"}}
			}},
		},
	}
}

// records: what PutRecord puts under other keys is there, is told of, and goes, as if it
// had been put by itself.
func records(t *testing.T, s store.Store) {
	base := rev(t, s)
	val := []byte("1")
	update(t, s, func(tx store.Tx) {
		tx.PutRecord("r", val, []string{"e/a", "e/b"}, []string{"e/a", "e/b"})
		val[0] = 'x'
		equal(t, "own", list(tx, "e/", "", 0), "e/a=r e/b=r")
	})
	update(t, s, func(tx store.Tx) {
		tx.Delete("e/a")
		tx.PutRecord("r", []byte("2"), []string{"e/b", "e/c"}, []string{"e/c"})
	})
	view(t, s, func(tx store.Tx) {
		equal(t, "record", get(tx, "r"), "2")
		equal(t, "entries", list(tx, "e/", "", 0), "e/b=r e/c=r")
		equal(t, "count", tx.Count("e/"), 2)
	})
	update(t, s, func(tx store.Tx) { write(tx, "r", "e/b", "e/c") })
	equal(t, "events", words(events(t, s, base, 9, "r", "e/"), base), "e/a=r@1 e/b=r@1 r=1@1 e/a@2 e/c=r@2 r=2@2 e/b@3 e/c@3 r@3")
	view(t, s, func(tx store.Tx) { equal(t, "in the end", list(tx, "", "", 0), "") })
}

func tables(t *testing.T, s store.Store) {
	tt := taskTable()
	ids := func(seq func(func(task, error) bool)) (out string) {
		for r, err := range seq {
			if err != nil {
				t.Error(err)
			}
			out += r.ID + " "
		}
		return out
	}
	save := func(r task) {
		if err := s.Update(limited(t), func(tx store.Tx) error { return tt.Put(tx, &r) }); err != nil {
			t.Fatal(err)
		}
	}
	save(task{Account: "1", ID: "b", Service: "web", Status: "RUNNING", Ports: []int{80}})
	save(task{Account: "1", ID: "a", Service: "web", Status: "PENDING"})
	save(task{Account: "1", ID: "c", Status: "RUNNING"})
	save(task{Account: "2", ID: "a", Service: "web", Status: "RUNNING"})
	view(t, s, func(tx store.Tx) {
		r, err := tt.Get(tx, "1", "b")
		equal(t, "get", fmt.Sprint(r.Service, r.Ports, err), "web[80] <nil>")
		_, err = tt.Get(tx, "1", "nope")
		equal(t, "absent", errors.Is(err, store.ErrNotFound), true)
		equal(t, "list", ids(tt.List(tx, "1")), "a b c ")
		equal(t, "by service", ids(tt.By(tx, "task@service", "1", "web")), "a b ")
		equal(t, "by status", ids(tt.By(tx, "task@status", "1", "RUNNING")), "b c ")
		equal(t, "count by any", tt.CountBy(tx, "task@status", "1", "any"), 3)
		equal(t, "page", ids(tt.Page(tx, []string{"1"}, []string{"1", "a"}, 1)), "b ")
	})
	save(task{Account: "1", ID: "b", Service: "api", Status: "STOPPED"})
	err := s.Update(limited(t), func(tx store.Tx) error {
		return errors.Join(tt.Delete(tx, "1", "c"), tt.Delete(tx, "1", "nope"))
	})
	equal(t, "delete", err, nil)
	view(t, s, func(tx store.Tx) {
		equal(t, "left the index", ids(tt.By(tx, "task@service", "1", "web")), "a ")
		equal(t, "entered the index", ids(tt.By(tx, "task@service", "1", "api")), "b ")
		equal(t, "running", ids(tt.By(tx, "task@status", "1", "RUNNING")), "")
		equal(t, "any", ids(tt.By(tx, "task@status", "1", "any")), "a b ")
		n := 0
		for _, p := range tt.Prefixes() {
			n += tx.Count(p)
		}
		equal(t, "keys in all", n, 3+3+6)
	})
}

// indexPages: pages by index are complete and in order while records move.
func indexPages(t *testing.T, s store.Store) {
	tt := taskTable()
	rnd := rand.New(rand.NewPCG(1, 2))
	var wg sync.WaitGroup
	for w := range 4 {
		moves := rand.New(rand.NewPCG(rnd.Uint64(), 3))
		wg.Go(func() {
			for range 60 {
				r := task{Account: "1", ID: fmt.Sprintf("%02d", moves.IntN(40)), Status: "RUNNING"}
				r.Service = fmt.Sprint("s", moves.IntN(3))
				err := s.Update(limited(t), func(tx store.Tx) error {
					if w == 0 {
						return tt.Delete(tx, "1", r.ID)
					}
					return tt.Put(tx, &r)
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	view(t, s, func(tx store.Tx) {
		byService := map[string][]string{}
		for r, err := range tt.List(tx, "1") {
			if err != nil {
				t.Fatal(err)
			}
			byService[r.Service] = append(byService[r.Service], r.ID)
		}
		for service, want := range byService {
			var got []string
			after := ""
			for range 50 {
				page, err := store.Collect(tt.ByPage(tx, "task@service", []string{"1", service}, after, 3))
				if err != nil {
					t.Fatal(err)
				}
				for i := range page {
					got = append(got, page[i].ID)
					after = tt.IndexKey("task@service", &page[i])
				}
			}
			equal(t, service, fmt.Sprint(got), fmt.Sprint(sorted(want)))
			equal(t, "count", tt.CountBy(tx, "task@service", "1", service), len(want))
		}
	})
}

// sharedDecoding: a record is decoded once for all readers, and what one
// assigns in its copy no other sees.
func sharedDecoding(t *testing.T, s store.Store) {
	tt := taskTable()
	r := task{Account: "1", ID: "a", Tags: map[string]string{"k": "v"}}
	if err := s.Update(limited(t), func(tx store.Tx) error { return tt.Put(tx, &r) }); err != nil {
		t.Fatal(err)
	}
	r.Tags["k"] = "the writer's own map"
	decoded := 0
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			view(t, s, func(tx store.Tx) {
				got, err := tt.Get(tx, "1", "a")
				if err != nil || got.Tags["k"] != "v" || got.Service != "" {
					t.Errorf("got %v, %v", got, err)
				}
				got.Service = fmt.Sprint(i)
				got.Tags = map[string]string{"k": fmt.Sprint(i)}
			})
		})
	}
	wg.Wait()
	view(t, s, func(tx store.Tx) {
		v, err := tx.Get(store.Key("task", "1", "a"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = v.Decoded(func([]byte) (any, error) { decoded++; return nil, errors.New("again") })
		equal(t, "error", err, nil)
		equal(t, "decoded again", decoded, 0)
	})
	put(t, s, store.Key("task", "1", "bad")+"={")
	view(t, s, func(tx store.Tx) {
		if _, err := tt.Get(tx, "1", "bad"); err == nil {
			t.Error("a damaged record is read")
		}
	})
}
