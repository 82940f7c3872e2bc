package mem_test

import (
	"strings"
	"testing"

	"neargate/store"
	"neargate/store/mem"
	"neargate/store/storetest"
)

func TestStore(t *testing.T) {
	for name, opts := range map[string][]mem.Option{
		"plain":         nil,
		"paranoid":      {mem.Paranoid()},
		"short history": {mem.History(4000)},
	} {
		t.Run(name, func(t *testing.T) {
			storetest.Run(t, func(t *testing.T) store.Store {
				s := mem.New(opts...)
				t.Cleanup(func() { s.Close() })
				return s
			})
		})
	}
}

type record struct {
	ID   string
	Tags map[string]string
}

func TestParanoidFindsWritersThroughSharedMemory(t *testing.T) {
	table := store.Table[record]{Name: "record", Key: func(r *record) []string { return []string{r.ID} }}
	s := mem.New(mem.Paranoid())
	err := s.Update(t.Context(), func(tx store.Tx) error {
		return table.Put(tx, &record{ID: "x", Tags: map[string]string{"k": "v"}})
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if p, _ := recover().(string); !strings.Contains(p, `"record\x00x"`) {
			t.Errorf("panicked with %q", p)
		}
	}()
	s.View(t.Context(), func(tx store.Tx) error {
		r, err := table.Get(tx, "x")
		r.Tags["k"] = "written through"
		return err
	})
}
