// Package mem is a store in memory: commits are instant and gone with the
// process. It has the same semantics and limits as store/etcd.
package mem

import (
	"context"
	"io"
	"iter"

	"neargate/store"
	"neargate/store/internal/mvcc"
)

// Store is a store.Store in memory.
type Store struct{ core *mvcc.Core }

// Option changes how New makes a store.
type Option func(*mvcc.Options)

// Paranoid checks after every transaction, and at Close, that the decoded records
// readers share still encode to what is stored, and panics with the key of one
// that was written to. It is for tests.
func Paranoid() Option { return func(o *mvcc.Options) { o.Paranoid = true } }

// History keeps at most so many commits for watchers that resume.
func History(commits int) Option { return func(o *mvcc.Options) { o.HistoryItems = commits } }

// New makes an empty store.
func New(opts ...Option) *Store {
	o := mvcc.Defaults()
	for _, opt := range opts {
		opt(&o)
	}
	return &Store{mvcc.New(o)}
}

// View implements store.Store.
func (s *Store) View(ctx context.Context, fn func(store.Tx) error) error {
	return s.core.View(ctx, fn)
}

// Update implements store.Store.
func (s *Store) Update(ctx context.Context, fn func(store.Tx) error) error {
	return s.core.Update(ctx, fn)
}

// Watch implements store.Store.
func (s *Store) Watch(ctx context.Context, after store.Rev, prefixes ...string) iter.Seq2[store.Event, error] {
	return s.core.Watch(ctx, after, prefixes...)
}

// Close ends every watch; later calls return store.ErrClosed.
func (s *Store) Close() error {
	s.core.Close(store.ErrClosed)
	return nil
}

// Backup writes the content at one revision as an archive.
func (s *Store) Backup(ctx context.Context, w io.Writer) error { return s.core.Backup(ctx, w) }

// Restore replaces the whole content by an archive's, as one commit. A damaged
// archive changes nothing.
func (s *Store) Restore(ctx context.Context, r io.Reader) error {
	var items []mvcc.Change
	err := store.ReadArchive(r, func(key string, val []byte) error {
		items = append(items, mvcc.Change{Key: key, Item: mvcc.NewItem(val)})
		return ctx.Err()
	})
	if err == nil {
		s.core.Replace(0, items)
	}
	return err
}
