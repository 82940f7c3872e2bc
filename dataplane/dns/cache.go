package dns

import (
	"container/list"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// Answers are kept as long as their records say, within these bounds. Source:
// RFC 2308, 5 (how long absence may be remembered).
const (
	maxPositive = time.Hour
	maxNegative = 15 * time.Minute
)

// overhead is about what an entry takes besides its message.
const overhead = 256

// cache keeps answers packed, so that its bound in bytes is one; the least
// recently used go first.
type cache struct {
	max int

	mu    sync.Mutex
	size  int
	order *list.List // of *entry, the last used first
	at    map[key]*list.Element
}

type entry struct {
	key        key
	packed     []byte
	from, till time.Time
}

func (e *entry) cost() int { return len(e.packed) + len(e.key.name) + overhead }

func newCache(max int) *cache {
	return &cache{max: max, order: list.New(), at: map[key]*list.Element{}}
}

// get returns a kept answer with the times its records still have, nil without.
func (c *cache) get(k key, now time.Time) *dns.Msg {
	c.mu.Lock()
	el := c.at[k]
	if el == nil {
		c.mu.Unlock()
		return nil
	}
	e := el.Value.(*entry)
	if !now.Before(e.till) || now.Before(e.from) {
		c.remove(el)
		c.mu.Unlock()
		return nil
	}
	c.order.MoveToFront(el)
	c.mu.Unlock()
	m := new(dns.Msg)
	if m.Unpack(e.packed) != nil {
		return nil
	}
	age := uint32(now.Sub(e.from) / time.Second)
	records(m, func(h *dns.RR_Header) { h.Ttl -= min(h.Ttl, age) })
	return m
}

// put keeps an answer for as long as it may be, if at all.
func (c *cache) put(k key, m *dns.Msg, now time.Time) {
	life := lifetime(m)
	packed, err := m.Pack()
	if life <= 0 || err != nil {
		return
	}
	e := &entry{key: k, packed: packed, from: now, till: now.Add(life)}
	if e.cost() > c.max {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if old := c.at[k]; old != nil {
		c.remove(old)
	}
	c.at[k] = c.order.PushFront(e)
	c.size += e.cost()
	for c.size > c.max {
		c.remove(c.order.Back())
	}
}

func (c *cache) remove(el *list.Element) {
	e := c.order.Remove(el).(*entry)
	delete(c.at, e.key)
	c.size -= e.cost()
}

// lifetime is how long an answer may be kept; zero: not at all.
func lifetime(m *dns.Msg) time.Duration {
	if m.Truncated || m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError {
		return 0
	}
	shortest := uint32(maxPositive / time.Second)
	records(m, func(h *dns.RR_Header) { shortest = min(shortest, h.Ttl) })
	life := time.Duration(shortest) * time.Second
	if m.Rcode == dns.RcodeSuccess && len(m.Answer) > 0 {
		return life
	}
	for _, rr := range m.Ns {
		if soa, ok := rr.(*dns.SOA); ok {
			return min(life, time.Duration(soa.Minttl)*time.Second, maxNegative)
		}
	}
	return 0
}

// records visits the headers of all records but OPT, whose fields mean other things.
func records(m *dns.Msg, visit func(*dns.RR_Header)) {
	for _, section := range [][]dns.RR{m.Answer, m.Ns, m.Extra} {
		for _, rr := range section {
			if rr.Header().Rrtype != dns.TypeOPT {
				visit(rr.Header())
			}
		}
	}
}
