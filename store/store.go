// Package store keeps records in a transactional, ordered, watchable key space.
// It is generic: it knows nothing of AWS. Implementations are store/mem and
// store/etcd; both pass store/storetest.
//
// # Keys
//
// A key is a table name followed by segments, joined with Sep. Sep sorts below
// every byte a segment may contain, so keys order as tuples do and names may
// contain slashes.
package store

import (
	"context"
	"errors"
	"iter"
	"strings"
)

// Sep joins the segments of a key. Segments must not contain it.
const Sep = "\x00"

// Rev is a revision of the whole store; it grows by one with each commit that
// changes something.
type Rev int64

// Errors of the store.
var (
	// ErrNotFound reports that a key holds no record.
	ErrNotFound = errors.New("store: not found")
	// ErrCompacted ends a watch whose starting revision is no longer kept; the
	// watcher lists again and resumes from the revision it listed at.
	ErrCompacted = errors.New("store: revision compacted")
	// ErrTooLarge refuses a transaction with too many or too large writes.
	ErrTooLarge = errors.New("store: transaction too large")
	// ErrFull refuses a commit because the disk has no room for it. Nothing was
	// written.
	ErrFull = errors.New("store: the disk is full")
	// ErrClosed reports use after Close.
	ErrClosed = errors.New("store: closed")
)

// Store is a transactional key space.
type Store interface {
	// View runs fn on one consistent revision that includes every commit this
	// process has been told of (read your writes).
	View(ctx context.Context, fn func(Tx) error) error
	// Update runs fn and commits its writes atomically if nothing fn read has
	// changed meanwhile (point reads, absent keys and listed ranges alike, so
	// also phantoms and deletions); otherwise it runs fn again. fn must be a
	// pure function of the transaction. If fn returns an error nothing is
	// written and the error is returned unchanged. When Update returns nil the
	// writes are durable.
	Update(ctx context.Context, fn func(Tx) error) error
	// Watch yields every change after the given revision under any of the
	// prefixes, in revision order, changes of one commit together, until ctx
	// ends or the consumer stops. A non-nil error is the last element.
	Watch(ctx context.Context, after Rev, prefixes ...string) iter.Seq2[Event, error]
}

// Event is one changed key.
type Event struct {
	Key string
	Rev Rev
	Val []byte // nil when deleted
}

// Value is a stored record as a transaction sees it. Decoded memoises the
// decoded form across readers: Table owns it, nobody else calls it. The record it
// returns is shared and must never be modified.
type Value interface {
	Bytes() []byte
	Decoded(decode func([]byte) (any, error)) (any, error)
	// Remember memoises decoded, which decode would return, unless there is a form.
	Remember(decoded any, decode func([]byte) (any, error))
}

// Tx is the view a transaction has. Writes are visible to later reads of the
// same transaction. Errors of reads other than ErrNotFound abort the
// transaction and are returned by View or Update.
type Tx interface {
	// Rev is the revision the transaction reads at.
	Rev() Rev
	// Get returns the record under key or ErrNotFound.
	Get(key string) (Value, error)
	// List yields the keys with the prefix that sort after the key after (""
	// starts at the beginning), in order, at most limit (0: all).
	List(prefix, after string, limit int) iter.Seq2[string, Value]
	// Count returns how many keys have the prefix, without reading records.
	Count(prefix string) int
	// Put and Delete write. Deleting an absent key is no error.
	Put(key string, val []byte)
	Delete(key string)
	// PutRecord puts val under key, and key under each of added. Entries are all keys
	// that hold key because of val, those added and those that hold it already: a
	// durable store may keep them with the record instead of each by itself. Who puts
	// the record without an entry, or deletes it, deletes the entry too.
	PutRecord(key string, val []byte, entries, added []string)
}

// Key joins a table name and segments.
func Key(table string, segments ...string) string {
	if len(segments) == 0 {
		return table + Sep
	}
	n := len(table)
	for _, s := range segments {
		n += len(Sep) + len(s)
	}
	var b strings.Builder
	b.Grow(n)
	b.WriteString(table)
	for _, s := range segments {
		b.WriteString(Sep)
		b.WriteString(s)
	}
	return b.String()
}

// Prefix is Key for a listing: it ends with Sep so that it matches whole
// segments only.
func Prefix(table string, segments ...string) string {
	if len(segments) == 0 {
		return table + Sep
	}
	return Key(table, segments...) + Sep
}

// Segments splits a key into its table name and segments.
func Segments(key string) (table string, segments []string) {
	parts := strings.Split(key, Sep)
	return parts[0], parts[1:]
}
