package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"neargate/internal/encode"
)

// Table keeps records of type T as JSON under Name. Records are values: what
// Get and List return may be assigned to, but the slices, maps and pointers in it
// are shared with every other reader and must be replaced, never written through
// (Clone makes a private copy; the mem store checks this in tests).
type Table[T any] struct {
	Name    string
	Key     func(*T) []string // the segments of the primary key, tenant first
	Indexes []Index[T]

	// JSON writes a record as encoding/json does, and faster; nil for what is not written
	// often.
	JSON *encode.Encoder[T]

	// Flat says that a record has no pointers, slices and maps, and is what its JSON
	// decodes to: who reads it after Put gets it without decoding.
	Flat bool
}

// Index orders the same records by other segments. An index entry holds the
// primary key, so the record itself is read only when asked for.
type Index[T any] struct {
	Name string // key space of the index, by convention "table@name"
	// Keys returns the segments under which r is found; the primary key's
	// segments are appended. Nil leaves r out of the index.
	Keys func(r *T) [][]string
}

// Get returns the record with the primary key segments, or ErrNotFound.
func (t Table[T]) Get(tx Tx, segments ...string) (T, error) {
	var zero T
	v, err := tx.Get(Key(t.Name, segments...))
	if err != nil {
		return zero, err
	}
	return t.decode(v)
}

// Find is Get that reports absence by ok instead of an error.
func (t Table[T]) Find(tx Tx, segments ...string) (r T, ok bool, err error) {
	r, err = t.Get(tx, segments...)
	if errors.Is(err, ErrNotFound) {
		return r, false, nil
	}
	return r, err == nil, err
}

// Shared is Find without the copy: the record that every reader shares, nil when
// absent. Nothing of it may be assigned to, not even its own fields.
func (t Table[T]) Shared(tx Tx, segments ...string) (*T, error) {
	return t.at(tx, Key(t.Name, segments...))
}

func (t Table[T]) at(tx Tx, key string) (*T, error) {
	v, err := tx.Get(key)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return t.shared(v)
}

// List yields the records whose primary key starts with the segments.
func (t Table[T]) List(tx Tx, segments ...string) iter.Seq2[T, error] {
	return t.Page(tx, segments, nil, 0)
}

// Page is List for records after the primary key after (nil: from the start),
// at most limit of them (0: all).
func (t Table[T]) Page(tx Tx, segments, after []string, limit int) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		from := ""
		if after != nil {
			from = Key(t.Name, after...)
		}
		for _, v := range tx.List(Prefix(t.Name, segments...), from, limit) {
			r, err := t.decode(v)
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// By yields the records found in the index under the segments, in index order.
func (t Table[T]) By(tx Tx, index string, segments ...string) iter.Seq2[T, error] {
	return t.ByPage(tx, index, segments, "", 0)
}

// ByPage is By for at most limit records (0: all) after the index key after,
// which IndexKey returns for the last record of the page before.
func (t Table[T]) ByPage(tx Tx, index string, segments []string, after string, limit int) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		for k, v := range tx.List(Prefix(index, segments...), after, limit) {
			pv, err := tx.Get(string(v.Bytes()))
			if err != nil {
				yield(zero, fmt.Errorf("index %q: %w", k, err))
				return
			}
			r, err := t.decode(pv)
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// CountBy counts index entries under the segments without reading records.
func (t Table[T]) CountBy(tx Tx, index string, segments ...string) int {
	return tx.Count(Prefix(index, segments...))
}

// Put writes r and keeps the indexes in step.
func (t Table[T]) Put(tx Tx, r *T) error {
	key, now := t.keys(r)
	if err := t.encode(r, func(b []byte) error { return t.put(tx, key, now, b, r) }); err != nil || !t.Flat {
		return err
	}
	v, err := tx.Get(key)
	if err == nil {
		kept := *r
		v.Remember(&kept, t.fresh)
	}
	return err
}

// encode calls use with the JSON of r.
func (t Table[T]) encode(r *T, use func([]byte) error) error {
	if t.JSON != nil {
		return t.JSON.Encode(r, use)
	}
	b, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("store: encode %s: %w", t.Name, err)
	}
	return use(b)
}

// put writes r, as b, under key and keeps its index entries, which are now to be these, in
// step.
func (t Table[T]) put(tx Tx, key string, now []string, b []byte, r *T) error {
	if len(t.Indexes) == 0 {
		tx.Put(key, b)
		return nil
	}
	old, err := t.at(tx, key)
	if err != nil {
		return err
	}
	if old == nil {
		tx.PutRecord(key, b, now, now)
		return nil
	}
	if t.sameEntries(old, r) {
		tx.PutRecord(strings.Clone(key), b, now, nil)
		return nil
	}
	var added []string
	_, was := t.keys(old)
	for _, k := range was {
		if !slices.Contains(now, k) {
			tx.Delete(k)
		}
	}
	for _, k := range now {
		if !slices.Contains(was, k) {
			added = append(added, strings.Clone(k)) // to be kept without those it was made with
		}
	}
	tx.PutRecord(strings.Clone(key), b, now, added)
	return nil
}

// Delete removes the record with the primary key segments and its index
// entries; removing an absent record is no error.
func (t Table[T]) Delete(tx Tx, segments ...string) error {
	key := Key(t.Name, segments...)
	if len(t.Indexes) > 0 {
		old, err := t.at(tx, key)
		if err != nil || old == nil {
			return err
		}
		_, entries := t.keys(old)
		for _, k := range entries {
			tx.Delete(k)
		}
	}
	tx.Delete(key)
	return nil
}

// Decode returns the record in an event's value.
func (t Table[T]) Decode(val []byte) (T, error) {
	var r T
	err := json.Unmarshal(val, &r)
	return r, err
}

// IndexKey returns the key of r in the index, for ByPage; "" when r is not in it.
func (t Table[T]) IndexKey(index string, r *T) string {
	for _, ix := range t.Indexes {
		if ix.Name == index {
			if under := ix.Keys(r); len(under) > 0 {
				return Key(index, slices.Concat(under[0], t.Key(r))...)
			}
		}
	}
	return ""
}

// Prefixes are the key spaces Put and Delete write: the table and its indexes.
func (t Table[T]) Prefixes() []string {
	p := []string{Prefix(t.Name)}
	for _, ix := range t.Indexes {
		p = append(p, Prefix(ix.Name))
	}
	return p
}

// sameEntries reports whether two forms of a record are under the same keys of the indexes.
func (t Table[T]) sameEntries(a, b *T) bool {
	for _, ix := range t.Indexes {
		if !slices.EqualFunc(ix.Keys(a), ix.Keys(b), slices.Equal[[]string]) {
			return false
		}
	}
	return true
}

// keys are the primary key of r and the keys of its index entries, which have their
// memory in common.
func (t Table[T]) keys(r *T) (key string, entries []string) {
	primary := t.Key(r)
	tail, size := 0, len(t.Name)
	for _, s := range primary {
		tail += len(Sep) + len(s)
	}
	size += tail
	under := make([][][]string, len(t.Indexes))
	n := 0
	for i, ix := range t.Indexes {
		under[i] = ix.Keys(r)
		n += len(under[i])
		for _, segments := range under[i] {
			size += len(ix.Name) + tail
			for _, s := range segments {
				size += len(Sep) + len(s)
			}
		}
	}
	var b strings.Builder
	b.Grow(size)
	write := func(name string, segments []string) string {
		from := b.Len()
		b.WriteString(name)
		for _, s := range segments {
			b.WriteString(Sep)
			b.WriteString(s)
		}
		for _, s := range primary {
			b.WriteString(Sep)
			b.WriteString(s)
		}
		return b.String()[from:]
	}
	key = write(t.Name, nil)
	if n == 0 {
		return key, nil
	}
	entries = make([]string, 0, n)
	for i, ix := range t.Indexes {
		for _, segments := range under[i] {
			entries = append(entries, write(ix.Name, segments))
		}
	}
	return key, entries
}

func (t Table[T]) decode(v Value) (r T, err error) {
	p, err := t.shared(v)
	if err != nil {
		return r, err
	}
	return *p, nil
}

func (t Table[T]) shared(v Value) (*T, error) {
	p, err := v.Decoded(t.fresh)
	if err != nil {
		return nil, err
	}
	return p.(*T), nil
}

// fresh decodes a record.
func (t Table[T]) fresh(b []byte) (any, error) {
	r := new(T)
	if err := json.Unmarshal(b, r); err != nil {
		return nil, fmt.Errorf("store: decode %s: %w", t.Name, err)
	}
	return r, nil
}

// Collect gathers a listing, stopping at its first error.
func Collect[T any](seq iter.Seq2[T, error]) ([]T, error) {
	var out []T
	for r, err := range seq {
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}
