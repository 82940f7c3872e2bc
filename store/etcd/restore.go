package etcd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"neargate/store"
	"neargate/store/internal/mvcc"
)

// errRestoring refuses a second Restore at a time.
var errRestoring = errors.New("store: another restore is running")

// markTime is how long, in seconds, the mark of a restore outlives its process.
const markTime = 30

// switchTo asks run to make a generation the present one.
type switchTo struct {
	gen    string
	answer chan error
}

// Restore replaces the whole content by an archive's. The records are staged as a
// new generation beside the present one, which goes on serving; then one commit
// switches to it. So every process and watcher sees one change from the old
// content to the new, commits made before it are gone, and a crash leaves the one
// or the other; an archive that proves damaged changes nothing. What a crash left
// staged is cleared when the store is opened after the mark of the restore has
// expired.
func (s *Store) Restore(ctx context.Context, r io.Reader) error {
	gen := fmt.Sprintf("%s.%d", s.process, s.serial.Add(1))
	lease, err := s.client.Grant(ctx, markTime)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerTime)
		defer cancel()
		s.client.Revoke(ctx, lease.ID)
		s.clear(ctx)
	}()
	alive, err := s.client.KeepAlive(ctx, lease.ID)
	if err != nil {
		return err
	}
	go func() {
		for range alive {
		}
	}()
	t, err := s.kv.Txn(ctx).If(clientv3.Compare(clientv3.CreateRevision(s.markKey), "=", 0)).
		Then(clientv3.OpPut(s.markKey, gen, clientv3.WithLease(lease.ID))).Commit()
	if err != nil {
		return err
	}
	if !t.Succeeded {
		return errRestoring
	}
	if err := s.stage(ctx, gen, r); err != nil {
		return err
	}
	sw := switchTo{gen, make(chan error, 1)}
	select {
	case s.switches <- sw:
	case <-s.stop:
		return store.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-sw.answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// marked is the condition that the restore of the generation still has its mark.
func (s *Store) marked(gen string) clientv3.Cmp {
	return clientv3.Compare(clientv3.Value(s.markKey), "=", gen)
}

// stage writes an archive's records as a generation.
func (s *Store) stage(ctx context.Context, gen string, r io.Reader) error {
	var ops []clientv3.Op
	size := 0
	send := func() error {
		t, err := s.kv.Txn(ctx).If(s.marked(gen)).Then(ops...).Commit()
		if err == nil && !t.Succeeded {
			err = errUnmet
		}
		ops, size = ops[:0], 0
		return err
	}
	prefix := s.dataKey + gen + "/"
	err := store.ReadArchive(r, func(key string, val []byte) error {
		n := len(prefix) + len(key) + len(val) + 64
		if n > s.batchBytes() {
			return fmt.Errorf("%w: a record of %d bytes", store.ErrTooLarge, n)
		}
		if len(ops) == s.txnOps-1 || size+n > s.batchBytes() {
			if err := send(); err != nil {
				return err
			}
		}
		ops, size = append(ops, clientv3.OpPut(prefix+key, string(mvcc.NewItem(val).Stored()))), size+n
		return nil
	})
	if err != nil || len(ops) == 0 {
		return err
	}
	return send()
}

// switchGeneration makes one commit that puts the staged generation in place.
func (s *Store) switchGeneration(ctx context.Context, sw switchTo) error {
	for {
		h := s.nextHead(s.core.Rev()+1, sw.gen)
		o := s.propose(ctx, h, nil, []clientv3.Op{clientv3.OpPut(s.genKey, sw.gen)}, s.marked(sw.gen))
		switch {
		case o.err != nil:
			return o.err
		case o.won && o.revision > 0:
			return s.catchUp(ctx)
		case o.won:
			return nil
		}
	}
}

// present is the condition that the generation is the present one.
func (s *Store) present(gen string) clientv3.Cmp {
	if gen == firstGen {
		return clientv3.Compare(clientv3.CreateRevision(s.genKey), "=", 0)
	}
	return clientv3.Compare(clientv3.Value(s.genKey), "=", gen)
}

// clear deletes the generations that are neither present nor being staged.
func (s *Store) clear(ctx context.Context) error {
	h, _, _, err := s.readHead(ctx, 0)
	if err != nil {
		return err
	}
	first, end := s.dataKey, clientv3.GetPrefixRangeEnd(s.dataKey)
	kept := s.dataKey + h.Gen + "/"
	t, err := s.kv.Txn(ctx).If(
		clientv3.Compare(clientv3.CreateRevision(s.markKey), "=", 0),
		s.present(h.Gen),
	).Then(
		clientv3.OpDelete(first, clientv3.WithRange(kept)),
		clientv3.OpDelete(clientv3.GetPrefixRangeEnd(kept), clientv3.WithRange(end)),
	).Commit()
	if err == nil && !t.Succeeded {
		err = errUnmet
	}
	return err
}

// sweep clears away what a crashed restore left, once nobody restores any
// more.
func (s *Store) sweep(ctx context.Context) {
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, time.Minute) {
		if err := s.clear(ctx); !errors.Is(err, errUnmet) {
			return
		}
		select {
		case <-time.After(wait):
		case <-s.stop:
			return
		case <-ctx.Done():
			return
		}
	}
}
