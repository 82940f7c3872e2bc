package etcd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"neargate/store/internal/mvcc"
)

// page is how many keys one request reads. etcd counts all that follow a page, so
// that small pages of many keys take quadratic time.
const page = 50_000

// content is everything under the prefix at one etcd revision.
type content struct {
	head     head
	modified int64 // the etcd revision of the head; 0 when there is none
	revision int64
	items    []mvcc.Change
}

// read returns the content at the etcd revision, or the newest for 0.
func (s *Store) read(ctx context.Context, revision int64) (content, error) {
	for {
		c, err := s.readAt(ctx, revision)
		if revision != 0 || !errors.Is(err, rpctypes.ErrCompacted) {
			return c, err
		}
	}
}

func (s *Store) readAt(ctx context.Context, revision int64) (c content, err error) {
	if c.head, c.modified, c.revision, err = s.readHead(ctx, revision); err != nil {
		return c, err
	}
	prefix := s.dataKey + c.head.Gen + "/"
	end := clientv3.GetPrefixRangeEnd(prefix)
	for from, more := prefix, true; more; {
		r, err := s.kv.Get(ctx, from, clientv3.WithRange(end), clientv3.WithLimit(page), clientv3.WithRev(c.revision))
		if err != nil {
			return c, err
		}
		for _, kv := range r.Kvs {
			c.items = append(c.items, mvcc.Change{Key: string(kv.Key[len(prefix):]), Item: mvcc.ItemOf(kv.Value)})
		}
		if more = r.More; more {
			from = string(r.Kvs[len(r.Kvs)-1].Key) + "\x00"
		}
	}
	return c, nil
}

// readHead returns the head at an etcd revision (0: the newest), the revision that
// put it, 0 if there is none, and the revision read at.
func (s *Store) readHead(ctx context.Context, revision int64) (h head, modified, at int64, err error) {
	h = head{Gen: firstGen}
	r, err := s.kv.Get(ctx, s.headKey, clientv3.WithRev(revision))
	if err != nil {
		return h, 0, 0, err
	}
	if at = revision; at == 0 {
		at = r.Header.Revision
	}
	if len(r.Kvs) == 0 {
		return h, 0, at, nil
	}
	if err := json.Unmarshal(r.Kvs[0].Value, &h); err != nil {
		return h, 0, 0, fmt.Errorf("store: the head of %q: %w", s.prefix, err)
	}
	return h, r.Kvs[0].ModRevision, at, nil
}

// follow watches other processes from where the last watch ended. An embedded
// server has none.
func (s *Store) follow(ctx context.Context) {
	if s.server != nil {
		return
	}
	if s.unfollow != nil {
		s.unfollow()
	}
	ctx, s.unfollow = context.WithCancel(clientv3.WithRequireLeader(ctx))
	s.events = s.client.Watch(ctx, s.prefix, clientv3.WithPrefix(), clientv3.WithRev(s.seen+1))
}

// catchUp waits until the head after the present one is applied.
func (s *Store) catchUp(ctx context.Context) error {
	if s.server != nil {
		return s.reload(ctx, 0)
	}
	for before := s.applied.Load(); s.applied.Load() == before; {
		select {
		case r, open := <-s.events:
			if err := s.observe(ctx, r, open); err != nil {
				return err
			}
		case <-ctx.Done():
			return ErrUnknown
		}
	}
	return nil
}

// observe applies what the watch says. It fails only if a commit in flight can no
// longer be accounted for.
func (s *Store) observe(ctx context.Context, r clientv3.WatchResponse, open bool) error {
	switch {
	case ctx.Err() != nil:
		return nil
	case r.CompactRevision != 0:
		return s.reload(ctx, 0)
	case !open || r.Err() != nil:
		s.log.Warn("the watch of etcd ended; watching again", "err", r.Err())
		pause(ctx)
		s.follow(ctx)
		return nil
	}
	for events := r.Events; len(events) > 0; {
		n := 1
		for n < len(events) && events[n].Kv.ModRevision == events[0].Kv.ModRevision {
			n++
		}
		if err := s.replay(ctx, events[:n]); err != nil {
			return err
		}
		events = events[n:]
	}
	return nil
}

// replay applies the events of one etcd revision.
func (s *Store) replay(ctx context.Context, events []*clientv3.Event) error {
	revision := events[0].Kv.ModRevision
	s.seen = max(s.seen, revision)
	if revision <= s.applied.Load() {
		return nil
	}
	var changes []mvcc.Change
	var h *head
	prefix := s.dataKey + s.gen + "/"
	for _, e := range events {
		key := string(e.Kv.Key)
		name, record := strings.CutPrefix(key, prefix)
		switch {
		case key == s.headKey && e.Type == clientv3.EventTypePut:
			h = new(head)
			if err := json.Unmarshal(e.Kv.Value, h); err != nil {
				s.log.Error("the head in etcd is damaged", "err", err)
			}
		case key == s.headKey:
			return s.reload(ctx, 0)
		case record && e.Type == clientv3.EventTypeDelete:
			changes = append(changes, mvcc.Change{Key: name})
		case record:
			changes = append(changes, mvcc.Change{Key: name, Item: mvcc.ItemOf(e.Kv.Value)})
		}
	}
	if h == nil {
		return nil // staging or clearing away, not a commit
	}
	mine := s.flight != nil && s.flight.token == h.Token
	if mine {
		s.flight.won = true
	}
	switch {
	case h.Gen != s.gen:
		return s.reload(ctx, revision)
	case mine:
		s.core.Durable(*s.flight.batch)
	default:
		s.core.Foreign(h.Rev, changes)
	}
	s.applied.Store(revision)
	return nil
}

// reload replaces the content by that of the etcd revision (0: the newest), which
// it reads in full, and watches on from there.
func (s *Store) reload(ctx context.Context, revision int64) error {
	var c content
	for {
		var err error
		if c, err = s.read(ctx, revision); err == nil {
			break
		}
		if ctx.Err() != nil {
			return ErrUnknown
		}
		if errors.Is(err, rpctypes.ErrCompacted) {
			revision = 0
		}
		s.log.Warn("cannot read from etcd; trying again", "err", err)
		pause(ctx)
	}
	var lost error
	if f := s.flight; f != nil && c.modified != s.applied.Load() {
		f.won = f.won || f.token == c.head.Token
		switch {
		case !f.won:
			lost = ErrUnknown
			if f.batch != nil {
				s.core.Fail(*f.batch, lost)
			}
		case f.batch != nil:
			s.core.Durable(*f.batch)
		}
		s.flight = nil
	}
	if c.modified != s.applied.Load() {
		s.core.Replace(c.head.Rev, c.items)
	}
	s.gen, s.seen = c.head.Gen, max(s.seen, c.revision)
	s.applied.Store(c.modified)
	s.follow(ctx)
	return lost
}

func pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(50 * time.Millisecond):
	}
}
