package etcd

import (
	"context"
	"errors"
	"runtime"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"neargate/store/internal/mvcc"
)

// answerTime is how long etcd may take to answer before it is asked again.
const answerTime = 7 * time.Second

// flight is a transaction that etcd has not answered clearly.
type flight struct {
	token string
	batch *mvcc.Batch // nil for a switch of generations
	won   bool        // it was found in the sequence of commits
}

// run is the one goroutine that talks of commits with etcd.
func (s *Store) run(ctx context.Context) {
	defer s.cancel()
	for ctx.Err() == nil {
		select {
		case <-s.core.Pending():
			runtime.Gosched() // who is about to write travels along, which halves the requests of a busy process
			s.commit(ctx)
		case r, open := <-s.events:
			s.observe(ctx, r, open)
		case sw := <-s.switches:
			sw.answer <- s.switchGeneration(ctx, sw)
		case <-s.stop:
			for s.commit(ctx) {
			}
			return
		}
	}
}

// commit sends one batch; it returns false if there is none.
func (s *Store) commit(ctx context.Context) bool {
	b, ok := s.core.Next(s.txnOps-1, s.batchBytes())
	if !ok || ctx.Err() != nil {
		return false
	}
	prefix := s.dataKey + s.gen + "/"
	put, remove := clientv3.OpPut("", ""), clientv3.OpDelete("")
	ops := make([]clientv3.Op, 0, len(b.Writes)+1)
	for _, w := range b.Writes {
		if w.Item != nil && w.Item.Kept() {
			continue
		}
		op := &put
		if w.Item == nil {
			op = &remove
		} else {
			put.WithValueBytes(w.Item.Stored())
		}
		op.WithKeyBytes(append(append(make([]byte, 0, len(prefix)+len(w.Key)), prefix...), w.Key...))
		ops = append(ops, *op)
	}
	o := s.propose(ctx, s.nextHead(b.Rev, s.gen), &b, ops)
	switch {
	case o.won && o.revision > 0:
		s.applied.Store(o.revision)
		s.core.Durable(b)
	case o.err != nil && !errors.Is(o.err, ErrUnknown):
		s.core.Fail(b, o.err)
	}
	return true
}

// outcome of a proposal. It either won, at a revision unless the watch has applied
// it already; or was refused with err; or another commit came first, which the
// watch has applied. With ErrUnknown the core has been told, or is about to close.
type outcome struct {
	won      bool
	revision int64
	err      error
}

// propose sends ops with a new head until it is known what became of them.
func (s *Store) propose(ctx context.Context, h head, b *mvcc.Batch, ops []clientv3.Op, also ...clientv3.Cmp) outcome {
	conditions := append(also, clientv3.Compare(clientv3.ModRevision(s.headKey), "=", s.applied.Load()))
	ops = append(ops, clientv3.OpPut(s.headKey, h.encode()))
	asked := false // an earlier attempt may still be carried out
	for wait := time.Millisecond; ; wait = min(2*wait, time.Second) {
		r, err := s.txn(ctx, conditions, ops)
		switch {
		case err == nil && r.Succeeded:
			return outcome{won: true, revision: r.Header.Revision}
		case err == nil:
			return s.lost(ctx, h, b, asked, r)
		case ctx.Err() != nil:
			return outcome{err: ErrUnknown}
		case errors.Is(err, rpctypes.ErrNoSpace) && s.server != nil && s.server.reclaim(ctx, s.applied.Load()):
		case !asked && refused(err):
			return outcome{err: err}
		default:
			asked = true
			s.log.Warn("etcd did not answer a commit; asking again", "err", err)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return outcome{err: ErrUnknown}
		}
	}
}

func (s *Store) txn(ctx context.Context, conditions []clientv3.Cmp, ops []clientv3.Op) (*clientv3.TxnResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	return s.kv.Txn(ctx).If(conditions...).Then(ops...).Else(clientv3.OpGet(s.headKey)).Commit()
}

// refused reports whether etcd certainly did not and will not carry a request out,
// and would answer the same again.
func refused(err error) bool {
	for _, e := range []error{rpctypes.ErrNoSpace, rpctypes.ErrRequestTooLarge, rpctypes.ErrTooManyOps,
		rpctypes.ErrPermissionDenied, rpctypes.ErrDuplicateKey, rpctypes.ErrEmptyKey} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// errUnmet refuses a proposal for a condition other than the head.
var errUnmet = errors.New("store: a condition of the commit is not met")

// lost waits until the watch has applied the head that a proposal met instead of
// the expected one. If that is the proposal's own, from an earlier attempt, it won.
func (s *Store) lost(ctx context.Context, h head, b *mvcc.Batch, asked bool, r *clientv3.TxnResponse) outcome {
	met := int64(0)
	if kvs := r.Responses[0].GetResponseRange().Kvs; len(kvs) > 0 {
		met = kvs[0].ModRevision
	}
	if met == s.applied.Load() {
		return outcome{err: errUnmet}
	}
	f := &flight{token: h.Token, batch: b}
	if asked {
		s.flight = f
	}
	err := s.catchUp(ctx)
	s.flight = nil
	return outcome{won: f.won, err: err}
}
