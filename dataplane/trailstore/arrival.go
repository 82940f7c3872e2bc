package trailstore

import (
	"context"
	"slices"

	"neargate/resource/trail"
)

// arrivedBytes bounds the texts of the events that Arrived answers at a time.
const arrivedBytes = 4 << 20

// Arrived reads events in the order in which they came, after a position, at most a
// number of them and of bytes; more reports that there are others behind them. Events
// that have been deleted meanwhile are left out. What it answers is on disk.
func (s *Store) Arrived(ctx context.Context, after uint64, limit int) (out []trail.Arrival, more bool, err error) {
	if err := s.Sync(); err != nil {
		return nil, false, err
	}
	bytes := 0
	for _, p := range s.located(func(p *page) bool { return p.last > after }) {
		if len(out) == limit || bytes >= arrivedBytes {
			return out, true, nil
		}
		if err := ctx.Err(); err != nil {
			return nil, false, err
		}
		_, err := s.each(p, func(a *trail.Arrival) {
			switch {
			case a.Position <= after:
			case len(out) == limit || bytes >= arrivedBytes:
				more = true
			default:
				out = append(out, *a)
				bytes += len(a.Text)
			}
		})
		if err != nil || more {
			return out, more, err
		}
	}
	return out, false, nil
}

// located is a page and where it is.
type located struct {
	*segment
	page
}

// located finds pages, in the order of arrival.
func (s *Store) located(want func(*page) bool) (all []located) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range s.segments {
		if len(g.pages) == 0 || !want(&page{summary: g.summary}) {
			continue
		}
		for i := range g.pages {
			if want(&g.pages[i]) {
				all = append(all, located{g, g.pages[i]})
			}
		}
	}
	return slices.Clip(all)
}

// each calls f for all events of a page, in the order of arrival, and returns how many
// bytes it read. f must copy what it keeps. Frames that are damaged are left out.
func (s *Store) each(p located, f func(*trail.Arrival)) (read int64, err error) {
	b, err := p.read(&p.page)
	for len(b) > 0 && err == nil {
		n, body, ok := cut(b)
		if !ok {
			s.log.Error("CloudTrail events are damaged and left out", "file", p.path, "offset", p.offset+read)
			return p.length, nil
		}
		if body == nil || unpack(body, f) != nil {
			s.log.Error("CloudTrail events are damaged and left out", "file", p.path, "offset", p.offset+read)
		}
		b, read = b[n:], read+n
	}
	return read, err
}
