package mvcc

import (
	"encoding/binary"
	"slices"
	"strings"
	"sync/atomic"
	"unsafe"
)

// Item is one stored record. It never changes but for the memo, which is filled
// at most once, so items are shared freely between snapshots and goroutines.
type Item struct {
	stored []byte
	head   uint32 // where in stored the record begins
	kept   bool   // with the record whose key it holds
	memo   atomic.Pointer[memo]
}

type memo struct {
	value  any
	decode func([]byte) (any, error)
}

// mark begins what is stored of a record with entries: the mark, their number, the length
// of each and each, and then the record. Numbers are unsigned varints. A record without
// entries is stored as it is, unless it begins with the mark; JSON and keys do not.
const mark = 0xff

// NewItem makes an item that keeps val. Its bytes are never nil.
func NewItem(val []byte) *Item {
	if len(val) > 0 && val[0] == mark {
		it := &Item{}
		it.record(val, nil)
		return it
	}
	if val == nil {
		val = []byte{}
	}
	return &Item{stored: val}
}

// record makes a new item one of a copy of val and of its entries.
func (it *Item) record(val []byte, entries []string) {
	n := 1 + binary.MaxVarintLen64
	for _, e := range entries {
		n += len(e) + binary.MaxVarintLen64
	}
	head := make([]byte, 0, 256)
	if n > cap(head) {
		head = make([]byte, 0, n)
	}
	head = binary.AppendUvarint(append(head, mark), uint64(len(entries)))
	for _, e := range entries {
		head = append(binary.AppendUvarint(head, uint64(len(e))), e...)
	}
	it.stored, it.head = make([]byte, len(head)+len(val)), uint32(len(head))
	copy(it.stored[copy(it.stored, head):], val)
}

// bytesOf are those of a text, which are not to be written to.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// ItemOf makes an item of what a durable store has, which it keeps.
func ItemOf(stored []byte) *Item {
	it := &Item{stored: stored}
	if _, rest, ok := cutHead(stored); ok {
		it.head = uint32(len(stored) - len(rest))
	}
	if it.stored == nil {
		it.stored = []byte{}
	}
	return it
}

// Stored is what a durable store keeps of the item.
func (it *Item) Stored() []byte { return it.stored }

// Kept reports whether the record whose key the item holds brings the item along, so that
// a durable store need not have it by itself.
func (it *Item) Kept() bool { return it.kept }

// Bytes returns the stored bytes, which must not be written to.
func (it *Item) Bytes() []byte { return it.stored[it.head:] }

// entries are the keys of what the item brings along; nil for none.
func (it *Item) entries() []string {
	if it == nil || it.head == 0 {
		return nil
	}
	entries, _, _ := cutHead(it.stored)
	return entries
}

// cutHead splits what is stored of a record with entries.
func cutHead(stored []byte) (entries []string, rest []byte, ok bool) {
	if len(stored) == 0 || stored[0] != mark {
		return nil, nil, false
	}
	rest = stored[1:]
	number := func() (n uint64) {
		v, size := binary.Uvarint(rest)
		if ok = size > 0 && v <= uint64(len(stored)); ok {
			rest = rest[size:]
		}
		return v
	}
	n := number()
	for i := uint64(0); ok && i < n; i++ {
		size := number()
		if ok = ok && size <= uint64(len(rest)); ok {
			entries = append(entries, string(rest[:size]))
			rest = rest[size:]
		}
	}
	return entries, rest, ok
}

// spread adds to changes, as a durable store has them, what records bring along and what
// the records of before brought along and no longer do. The result is in key order.
func spread(changes []Change, before func(string) *Item) []Change {
	all := slices.Clone(changes)
	for _, ch := range changes {
		now := ch.Item.entries()
		for _, e := range before(ch.Key).entries() {
			if !slices.Contains(now, e) {
				all = append(all, Change{Key: e})
			}
		}
		for _, e := range now {
			all = append(all, Change{Key: e, Item: &Item{stored: bytesOf(ch.Key), kept: true}})
		}
	}
	slices.SortStableFunc(all, func(a, b Change) int { return strings.Compare(a.Key, b.Key) })
	return slices.CompactFunc(all, func(a, b Change) bool { return a.Key == b.Key })
}

// Decoded implements store.Value. Goroutines that decode at the same time all
// get the form that was memoised first.
func (it *Item) Decoded(decode func([]byte) (any, error)) (any, error) {
	if m := it.memo.Load(); m != nil {
		return m.value, nil
	}
	v, err := decode(it.Bytes())
	if err != nil {
		return nil, err
	}
	it.Remember(v, decode)
	return it.memo.Load().value, nil
}

// Remember implements store.Value.
func (it *Item) Remember(decoded any, decode func([]byte) (any, error)) {
	it.memo.CompareAndSwap(nil, &memo{decoded, decode})
}
