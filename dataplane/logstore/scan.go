package logstore

import (
	"container/heap"
	"context"
	"iter"

	"github.com/cockroachdb/pebble/v2"

	"neargate/resource/logs"
)

// A scan of several streams holds at most this many events, and for each stream
// at most chunkBytes of messages and one event, in memory.
const (
	scanEvents = 1 << 14
	chunkMax   = 512
	chunkBytes = 64 << 10
)

// Scan yields the events of streams that lie in a span, in order over all of
// them, or in reverse. It reads the store as it is when the scan starts.
func (s *Store) Scan(ctx context.Context, ids []logs.StreamID, span logs.Span, backward bool) iter.Seq2[logs.Event, error] {
	return func(yield func(logs.Event, error) bool) {
		err := s.scan(ctx, ids, span, backward, func(e logs.Event) bool { return yield(e, nil) })
		if err != nil {
			yield(logs.Event{}, err)
		}
	}
}

func (s *Store) scan(ctx context.Context, ids []logs.StreamID, span logs.Span, backward bool, yield func(logs.Event) bool) error {
	it, err := s.db.NewIter(bounds([]byte{kindEvent}))
	if err != nil {
		return err
	}
	defer it.Close()
	m := merge{it: it, span: span, backward: backward, chunk: min(max(scanEvents/max(len(ids), 1), 1), chunkMax)}
	for _, id := range ids {
		stat, ok, err := s.stat(id)
		if err != nil {
			return err
		}
		if ok {
			m.add(id, stat)
		}
	}
	heap.Init(&m)
	for len(m.open) > 0 && ctx.Err() == nil {
		c := m.open[0]
		if len(c.read) == 0 {
			if err := m.fill(c); err != nil {
				return err
			}
		} else {
			if !yield(c.read[0]) {
				return nil
			}
			c.read = c.read[1:]
		}
		if len(c.read) == 0 && c.ended {
			heap.Pop(&m)
		} else {
			heap.Fix(&m, 0)
		}
	}
	return ctx.Err()
}

// cursor reads one stream.
type cursor struct {
	id    logs.StreamID
	read  []logs.Event // read and not yielded
	at    logs.Position
	ended bool // nothing is left behind read
}

// head says that no event of the cursor comes before it in the scan's order.
func (c *cursor) head() logs.Position {
	if len(c.read) > 0 {
		return c.read[0].At
	}
	return c.at
}

// merge is a heap of cursors. A cursor reads nothing before its stream's turn
// comes, so that only streams that overlap in time take memory.
type merge struct {
	it       *pebble.Iterator
	span     logs.Span
	backward bool
	chunk    int
	open     []*cursor
}

// add opens a cursor unless the stat says that the stream has nothing in the
// span. The end of the stream's last millisecond is an upper bound.
func (m *merge) add(id logs.StreamID, stat logs.Stat) {
	first, end := logs.Position{Time: stat.First}, logs.Position{Time: stat.Last + 1}
	if first.Compare(m.span.To) >= 0 || end.Compare(m.span.From) <= 0 {
		return
	}
	c := &cursor{id: id, at: first}
	if m.backward {
		if c.at = end; end.Compare(m.span.To) > 0 {
			c.at = m.span.To
		}
	} else if first.Compare(m.span.From) < 0 {
		c.at = m.span.From
	}
	m.open = append(m.open, c)
}

// fill reads the cursor's next events.
func (m *merge) fill(c *cursor) error {
	var key [eventKeyLen]byte
	start, lo, hi := putEventKey(key[:0], c.id, c.at), m.span.From, m.span.To
	step, ok := m.it.Next, false
	if m.backward {
		step, ok = m.it.Prev, m.it.SeekLT(start)
	} else {
		ok = m.it.SeekGE(start)
	}
	size := 0
	for ; ok; ok = step() {
		k := m.it.Key()
		if getUint(k[1:]) != c.id.Group || getUint(k[9:]) != c.id.Stream {
			break
		}
		at := eventPosition(k)
		if at.Compare(lo) < 0 || at.Compare(hi) >= 0 {
			break
		}
		if len(c.read) == m.chunk || size > chunkBytes {
			return m.it.Error()
		}
		v := m.it.Value()
		size += len(v)
		c.read = append(c.read, logs.Event{Stream: c.id, At: at, Message: string(v)})
		if c.at = at; !m.backward {
			c.at = at.Next()
		}
	}
	c.ended = true
	return m.it.Error()
}

func (m *merge) Len() int { return len(m.open) }

func (m *merge) Less(i, j int) bool {
	c := m.open[i].head().Compare(m.open[j].head())
	return c < 0 != m.backward && c != 0
}

func (m *merge) Swap(i, j int) { m.open[i], m.open[j] = m.open[j], m.open[i] }
func (m *merge) Push(x any)    { m.open = append(m.open, x.(*cursor)) }

func (m *merge) Pop() any {
	last := m.open[len(m.open)-1]
	m.open = m.open[:len(m.open)-1]
	return last
}
