package trailstore

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"

	"neargate/resource/trail"
)

// What one lookup reads: events, and bytes of segments.
const (
	scanLimit = 20_000
	readLimit = 16 << 20
)

// Lookup finds events, newest first. It reads a bounded number of them: a page may be
// short and have a next one.
func (s *Store) Lookup(ctx context.Context, q trail.Query) (trail.Page, error) {
	c := cursor{store: s, account: q.Account, region: q.Region, from: nanos(q.From), below: key{math.MaxInt64, 0}}
	if to := nanos(q.To); to < math.MaxInt64 {
		c.below = key{to + 1, 0}
	}
	if q.After != "" {
		after, err := parseKey(q.After)
		if err != nil {
			return trail.Page{}, err
		}
		if after.compare(c.below) < 0 {
			c.below = after
		}
	}
	if c.below.compare(key{c.from, 0}) <= 0 {
		return trail.Page{}, nil
	}
	c.find()
	return c.page(ctx, &q)
}

// String is the key as a position of a query.
func (k key) String() string {
	b := binary.BigEndian.AppendUint64(nil, uint64(k.time))
	return hex.EncodeToString(binary.BigEndian.AppendUint64(b, k.position))
}

// parseKey reads a position of a query. Earlier versions had more before it.
func parseKey(text string) (key, error) {
	b, err := hex.DecodeString(text)
	if err == nil && len(b) < 16 {
		err = errors.New("it is too short")
	}
	if err != nil {
		return key{}, fmt.Errorf("trailstore: position: %w", err)
	}
	b = b[len(b)-16:]
	return key{int64(binary.BigEndian.Uint64(b)), binary.BigEndian.Uint64(b[8:])}, nil
}

// cursor goes through the events of an account and region, newest first. Pages are in
// the order of arrival, which is nearly that of time: it reads a page when no event
// that it has is newer than all of the page's.
type cursor struct {
	store           *Store
	account, region string
	from            int64 // time, inclusive
	below           key   // exclusive
	pages           []located
	events          []trail.Arrival // that have been read, newest last
	read            int64           // bytes
}

func keyOf(a *trail.Arrival) key { return key{nanos(a.Time), a.Position} }

// find finds the pages, the one with the newest event last.
func (c *cursor) find() {
	scope := scope(c.account, c.region)
	c.pages = c.store.located(func(p *page) bool {
		return p.newest.time >= c.from && p.oldest <= c.below.time && slices.Contains(p.scopes, scope)
	})
	slices.SortStableFunc(c.pages, func(a, b located) int { return a.page.newest.compare(b.page.newest) })
}

// next takes the newest event that is left; nil: there is none, or so much has been read
// that it is time to answer. Then rest is where to go on, and "" at the end.
func (c *cursor) next(ctx context.Context) (a *trail.Arrival, rest string, err error) {
	for n := len(c.pages); n > 0; n = len(c.pages) {
		p := c.pages[n-1]
		if e := len(c.events); e > 0 && keyOf(&c.events[e-1]).compare(p.page.newest) > 0 {
			break
		}
		if from := (key{p.page.newest.time, p.page.newest.position + 1}); c.read >= readLimit && from.compare(c.below) < 0 {
			return nil, from.String(), nil
		}
		if err := ctx.Err(); err != nil {
			return nil, "", err
		}
		c.pages = c.pages[:n-1]
		if err := c.load(p); err != nil {
			return nil, "", err
		}
	}
	n := len(c.events)
	if n == 0 {
		return nil, "", nil
	}
	a = &c.events[n-1]
	c.events = c.events[:n-1]
	return a, "", nil
}

// load reads a page.
func (c *cursor) load(p located) error {
	read, err := c.store.each(p, func(a *trail.Arrival) {
		if k := keyOf(a); a.Account == c.account && a.Region == c.region && k.time >= c.from && k.compare(c.below) < 0 {
			c.events = append(c.events, *a)
		}
	})
	c.read += read
	slices.SortFunc(c.events, func(a, b trail.Arrival) int {
		return cmp.Or(cmp.Compare(nanos(a.Time), nanos(b.Time)), cmp.Compare(a.Position, b.Position))
	})
	return err
}

// page goes on until a page is full or enough has been read.
func (c *cursor) page(ctx context.Context, q *trail.Query) (page trail.Page, err error) {
	for scanned := 0; ; {
		a, rest, err := c.next(ctx)
		if err != nil || a == nil {
			page.Next = rest
			return page, err
		}
		if len(page.Events) == q.Limit || scanned == scanLimit {
			k := keyOf(a)
			page.Next = key{k.time, k.position + 1}.String()
			return page, nil
		}
		if scanned++; q.Matches(&a.Event) {
			page.Events = append(page.Events, a.Event)
		}
	}
}
