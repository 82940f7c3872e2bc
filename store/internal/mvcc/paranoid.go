package mvcc

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sync"
)

// The records decoded last are remembered, and some of them checked with those
// that a transaction touched.
const (
	remembered = 4096
	sample     = 32
)

// checker finds writers through shared memory: a memoised record must still
// encode as a fresh decode of its bytes does.
type checker struct {
	mu    sync.Mutex
	known map[*Item]bool
	list  []touched // a ring once it is full
	last  int       // the place in list last filled
	next  int       // the place in list checked next
}

// verify checks what the transaction touched and some records touched before;
// it panics with the key of a record that was written to.
func (c *Core) verify(t *tx) {
	if c.check != nil {
		c.check.verify(t.touched)
	}
}

func (k *checker) verify(ts []touched) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, t := range ts {
		k.remember(t)
		t.intact()
	}
	for range min(sample, len(k.list)) {
		k.next = (k.next + 1) % len(k.list)
		k.list[k.next].intact()
	}
}

func (k *checker) remember(t touched) {
	switch {
	case k.known[t.item]:
		return
	case len(k.list) < remembered:
		k.list = append(k.list, t)
	default:
		k.last = (k.last + 1) % remembered
		delete(k.known, k.list[k.last].item)
		k.list[k.last] = t
	}
	k.known[t.item] = true
}

// all checks every record remembered.
func (k *checker) all() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, t := range k.list {
		t.intact()
	}
}

func (t touched) intact() {
	key, m := t.key, t.item.memo.Load()
	if m == nil {
		return
	}
	fresh, err := m.decode(t.item.Bytes())
	if err != nil {
		panic(fmt.Sprintf("store: the bytes of %q were written to: %v", key, err))
	}
	want, err := json.Marshal(fresh)
	if err != nil {
		panic(fmt.Sprintf("store: %q does not encode: %v", key, err))
	}
	have, err := json.Marshal(m.value)
	if err != nil || !bytes.Equal(have, want) {
		panic(fmt.Sprintf("store: the shared record %q was written to:\nhave %s\nwant %s (%v)", key, have, want, err))
	}
}
