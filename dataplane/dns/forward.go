package dns

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// ednsSize is the size of UDP messages that pass everywhere. Source: DNS flag
// day 2020.
const ednsSize = 1232

// key is what two queries have in common that may get the same answer.
type key struct {
	name     string
	kind     uint16
	edns, do bool
	cd       bool
}

// forwarder asks the upstream what nobody asked lately or asks just now. A query
// that comes back to where it came from waits for itself, and so ends with its
// time.
type forwarder struct {
	up    Upstream
	cache *cache
	now   func() time.Time

	mu     sync.Mutex
	flying map[key]*flight
}

// flight is a query on its way; reply is nil when nobody answered.
type flight struct {
	done  chan struct{}
	reply *dns.Msg
}

func newForwarder(up Upstream, bytes int, now func() time.Time) *forwarder {
	return &forwarder{up: up, cache: newCache(bytes), now: now, flying: map[key]*flight{}}
}

// ask returns an answer of the caller's own: the upstream's, or SERVFAIL.
func (f *forwarder) ask(ctx context.Context, q *dns.Msg) *dns.Msg {
	out, private := outgoing(q)
	var reply *dns.Msg
	if private {
		reply, _ = f.exchange(ctx, out)
	} else {
		reply = f.shared(ctx, keyOf(q), out)
	}
	if reply == nil {
		return refuse(q, dns.RcodeServerFailure)
	}
	opt := q.IsEdns0()
	if !q.AuthenticatedData && (opt == nil || !opt.Do()) {
		reply.AuthenticatedData = false
	}
	return reply
}

func (f *forwarder) shared(ctx context.Context, k key, out *dns.Msg) *dns.Msg {
	if m := f.cache.get(k, f.now()); m != nil {
		return m
	}
	f.mu.Lock()
	fl := f.flying[k]
	if fl == nil {
		fl = &flight{done: make(chan struct{})}
		f.flying[k] = fl
		go f.fly(k, fl, out)
	}
	f.mu.Unlock()
	select {
	case <-fl.done:
	case <-ctx.Done():
		return nil
	}
	if fl.reply == nil {
		return nil
	}
	return fl.reply.Copy()
}

// fly outlives whoever asked first, because others may wait too.
func (f *forwarder) fly(k key, fl *flight, out *dns.Msg) {
	ctx, cancel := context.WithTimeout(context.Background(), answerWithin)
	defer cancel()
	m, err := f.exchange(ctx, out)
	if err == nil {
		f.cache.put(k, m, f.now())
	}
	f.mu.Lock()
	delete(f.flying, k)
	f.mu.Unlock()
	fl.reply = m
	close(fl.done)
}

// exchange is the upstream's, without what a reply may not bring along.
func (f *forwarder) exchange(ctx context.Context, out *dns.Msg) (*dns.Msg, error) {
	m, err := f.up.Exchange(ctx, out)
	if err != nil {
		return nil, err
	}
	if opt := m.IsEdns0(); opt != nil {
		opt.SetUDPSize(ednsSize)
		opt.Option = slices.DeleteFunc(opt.Option, hopByHop)
	}
	return m, nil
}

// outgoing is the query to ask for q, and whether its answer is for nobody else.
func outgoing(q *dns.Msg) (out *dns.Msg, private bool) {
	out = new(dns.Msg)
	out.Question = slices.Clone(q.Question)
	out.RecursionDesired, out.CheckingDisabled, out.AuthenticatedData = true, q.CheckingDisabled, true
	if opt := q.IsEdns0(); opt != nil {
		out.SetEdns0(ednsSize, opt.Do())
		options := slices.DeleteFunc(slices.Clone(opt.Option), hopByHop)
		out.IsEdns0().Option = options
		private = len(options) > 0
	}
	return out, private
}

// hopByHop reports whether an EDNS option is between two neighbours only.
func hopByHop(o dns.EDNS0) bool {
	switch o.Option() {
	case dns.EDNS0COOKIE, dns.EDNS0TCPKEEPALIVE, dns.EDNS0PADDING:
		return true
	}
	return false
}

func keyOf(q *dns.Msg) key {
	k := key{name: strings.ToLower(q.Question[0].Name), kind: q.Question[0].Qtype, cd: q.CheckingDisabled}
	if opt := q.IsEdns0(); opt != nil {
		k.edns, k.do = true, opt.Do()
	}
	return k
}

func without(section []dns.RR, rr dns.RR) []dns.RR {
	return slices.DeleteFunc(section, func(r dns.RR) bool { return r == rr })
}
