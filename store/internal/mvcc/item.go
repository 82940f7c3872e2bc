package mvcc

import "sync/atomic"

// Item is one stored record. It never changes but for the memo, which is filled
// at most once, so items are shared freely between snapshots and goroutines.
type Item struct {
	val  []byte
	memo atomic.Pointer[memo]
}

type memo struct {
	value  any
	decode func([]byte) (any, error)
}

// NewItem makes an item that keeps val. Its bytes are never nil.
func NewItem(val []byte) *Item {
	if val == nil {
		val = []byte{}
	}
	return &Item{val: val}
}

// Bytes returns the stored bytes, which must not be written to.
func (it *Item) Bytes() []byte { return it.val }

// Decoded implements store.Value. Goroutines that decode at the same time all
// get the form that was memoised first.
func (it *Item) Decoded(decode func([]byte) (any, error)) (any, error) {
	if m := it.memo.Load(); m != nil {
		return m.value, nil
	}
	v, err := decode(it.val)
	if err != nil {
		return nil, err
	}
	it.memo.CompareAndSwap(nil, &memo{v, decode})
	return it.memo.Load().value, nil
}
