package dns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// Answers are kept for as long as their records say, and age meanwhile.
func TestCacheTimes(t *testing.T) {
	soa := func(q *dns.Msg, code int, ttl, min uint32) *dns.Msg {
		m := negative(q, code, "example.com")
		m.Ns[0].(*dns.SOA).Minttl, m.Ns[0].Header().Ttl = min, ttl
		return m
	}
	for name, c := range map[string]struct {
		answer func(q *dns.Msg) *dns.Msg
		life   time.Duration
	}{
		"a record":    {func(q *dns.Msg) *dns.Msg { return reply(q, "192.0.2.1", 30) }, 30 * time.Second},
		"for ever":    {func(q *dns.Msg) *dns.Msg { return reply(q, "192.0.2.1", 1<<31) }, maxPositive},
		"not at all":  {func(q *dns.Msg) *dns.Msg { return reply(q, "192.0.2.1", 0) }, 0},
		"NXDOMAIN":    {func(q *dns.Msg) *dns.Msg { return soa(q, dns.RcodeNameError, 60, 20) }, 20 * time.Second},
		"NODATA":      {func(q *dns.Msg) *dns.Msg { return soa(q, dns.RcodeSuccess, 10, 20) }, 10 * time.Second},
		"long absent": {func(q *dns.Msg) *dns.Msg { return soa(q, dns.RcodeNameError, 86400, 86400) }, maxNegative},
		"no SOA":      {func(q *dns.Msg) *dns.Msg { return refuse(q, dns.RcodeNameError) }, 0},
		"SERVFAIL":    {func(q *dns.Msg) *dns.Msg { return refuse(q, dns.RcodeServerFailure) }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			asked, now := 0, time.Unix(1000, 0)
			f := newForwarder(function(func(_ context.Context, q *dns.Msg) (*dns.Msg, error) {
				asked++
				return c.answer(q), nil
			}), cacheBytes, func() time.Time { return now })
			get := func() *dns.Msg { return f.ask(t.Context(), query("www.example.com", dns.TypeA)) }
			first := get()
			if c.life == 0 {
				if get(); asked != 2 {
					t.Errorf("asked %d times, want 2", asked)
				}
				return
			}
			now = now.Add(c.life - time.Second)
			second := get()
			if asked != 1 {
				t.Fatalf("asked %d times before %s", asked, c.life)
			}
			if first.Rcode != second.Rcode || len(first.Answer) != len(second.Answer) {
				t.Errorf("%v, then %v", first, second)
			}
			for _, rr := range second.Answer {
				if c.life < maxPositive && rr.Header().Ttl != 1 {
					t.Errorf("%d seconds left, want 1", rr.Header().Ttl)
				}
			}
			now = now.Add(time.Second)
			if get(); asked != 2 {
				t.Errorf("asked %d times after %s, want 2", asked, c.life)
			}
		})
	}
}

// The cache stays within its bytes and forgets what was used longest ago.
func TestCacheBound(t *testing.T) {
	const max = 20_000
	c := newCache(max)
	now := time.Unix(1000, 0)
	k := func(i int) key { return key{name: fmt.Sprintf("n%d.example.com.", i), kind: dns.TypeA} }
	for i := range 1000 {
		c.put(k(i), reply(query(k(i).name, dns.TypeA), "192.0.2.1", 300), now)
		if c.size > max || c.order.Len() != len(c.at) {
			t.Fatalf("after %d: %d bytes, %d listed, %d found", i, c.size, c.order.Len(), len(c.at))
		}
		if c.get(k(0), now) == nil {
			t.Fatalf("after %d the one in use is gone", i)
		}
	}
	if len(c.at) < 30 || c.get(k(1), now) != nil || c.get(k(999), now) == nil {
		t.Errorf("%d kept; first %v, last %v", len(c.at), c.get(k(1), now), c.get(k(999), now))
	}
	for el := c.order.Front(); el != nil; el = c.order.Front() {
		c.remove(el)
	}
	if c.size != 0 || len(c.at) != 0 {
		t.Errorf("emptied: %d bytes, %d found", c.size, len(c.at))
	}
}

// What a client asks of EDNS reaches the upstream, what is between neighbours not;
// replies differ by it.
func TestEDNS(t *testing.T) {
	var seen []*dns.Msg
	f := newForwarder(function(func(_ context.Context, q *dns.Msg) (*dns.Msg, error) {
		seen = append(seen, q.Copy())
		m := reply(q, "192.0.2.1", 300)
		m.AuthenticatedData = true
		if opt := q.IsEdns0(); opt != nil {
			m.SetEdns0(4096, opt.Do())
			m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "0102030405060708"}, &dns.EDNS0_EDE{InfoCode: 3}}
		}
		return m, nil
	}), cacheBytes, time.Now)
	plain := query("www.example.com", dns.TypeA)
	edns := query("www.example.com", dns.TypeA)
	edns.SetEdns0(4096, true)
	edns.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "0102030405060708"}}
	subnet := query("www.example.com", dns.TypeA)
	subnet.SetEdns0(1232, false)
	subnet.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_SUBNET{Code: dns.EDNS0SUBNET, Family: 1, SourceNetmask: 24, Address: net.IPv4(192, 0, 2, 0)}}

	get := func(q *dns.Msg) *dns.Msg { return finish(q, f.ask(t.Context(), q)) }
	if m := get(plain); m.IsEdns0() != nil || m.AuthenticatedData {
		t.Errorf("without EDNS: %v", m)
	}
	if m := get(edns); m.IsEdns0() == nil || !m.IsEdns0().Do() || !m.AuthenticatedData || len(m.IsEdns0().Option) != 1 {
		t.Errorf("with EDNS: %v", m)
	}
	get(plain)
	get(edns)
	get(subnet)
	get(subnet)
	if len(seen) != 4 {
		t.Fatalf("asked %d times, want 4: two are kept, those with a subnet are not", len(seen))
	}
	if seen[0].IsEdns0() != nil || !seen[1].IsEdns0().Do() || len(seen[1].IsEdns0().Option) != 0 || len(seen[2].IsEdns0().Option) != 1 {
		t.Errorf("upstream saw %v", seen)
	}
	if m := get(plain); m.Id != plain.Id {
		t.Errorf("id %d, want %d", m.Id, plain.Id)
	}
}

// Many who ask the same at once are one query; each gets a reply of its own.
func TestJoined(t *testing.T) {
	var asked atomic.Int32
	gate := make(chan struct{})
	f := newForwarder(function(func(_ context.Context, q *dns.Msg) (*dns.Msg, error) {
		asked.Add(1)
		<-gate
		return reply(q, "192.0.2.1", 300), nil
	}), cacheBytes, time.Now)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			q := query("www.example.com", dns.TypeA)
			m := finish(q, f.ask(t.Context(), q))
			if got, _ := describe(m); got != "192.0.2.1" || m.Id != q.Id {
				t.Errorf("%v", m)
			}
			m.Answer[0].Header().Ttl = 7 // the race detector sees shared records
		})
	}
	for deadline := time.Now().Add(10 * time.Second); asked.Load() == 0; {
		if time.Now().After(deadline) {
			t.Fatal("nobody asked")
		}
		time.Sleep(time.Millisecond)
	}
	close(gate)
	wg.Wait()
	if n := asked.Load(); n != 1 {
		t.Errorf("asked %d times, want once", n)
	}
}

// A client whose queries hang takes no more than its share.
func TestInFlight(t *testing.T) {
	gate := make(chan struct{})
	var hanging atomic.Int32
	r := New(function(func(ctx context.Context, q *dns.Msg) (*dns.Msg, error) {
		hanging.Add(1)
		select {
		case <-gate:
		case <-ctx.Done():
		}
		return reply(q, "192.0.2.1", 0), nil
	}))
	now := time.Unix(1000, 0)
	r.now = func() time.Time { return now }
	r.Set("vpc-1", example())
	var answered, dropped atomic.Int32
	var wg sync.WaitGroup
	for i := range inFlightPerHost + 20 {
		wg.Go(func() {
			if r.answer(t.Context(), alice, query(fmt.Sprintf("n%d.example.com", i), dns.TypeA)) != nil {
				answered.Add(1)
			} else {
				dropped.Add(1)
			}
		})
	}
	for deadline := time.Now().Add(10 * time.Second); hanging.Load() < inFlightPerHost || dropped.Load() < 20; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d hang, %d were dropped", hanging.Load(), dropped.Load())
		}
	}
	if r.answer(t.Context(), alice, query("one-more.example.com", dns.TypeA)) != nil {
		t.Error("one more was taken")
	}
	if m := r.answer(t.Context(), alice, query("localhost", dns.TypeA)); m == nil {
		t.Error("own names hang with the others")
	}
	close(gate)
	if m := r.answer(t.Context(), client{"vpc-1", addr("10.1.0.77")}, query("other.example.com", dns.TypeA)); m == nil {
		t.Error("another interface was not served")
	}
	wg.Wait()
	if answered.Load() != inFlightPerHost {
		t.Errorf("%d answered, want %d", answered.Load(), inFlightPerHost)
	}
	if r.busy.total != 0 || len(r.busy.taken) != 0 {
		t.Errorf("left: %d, %v", r.busy.total, r.busy.taken)
	}
}

// When a server is dead or failing, the next is asked, and first from then on.
func TestHostServers(t *testing.T) {
	var first, second atomic.Int32
	port := servers(t, map[string]handle{
		"127.0.0.2": func(_ string, w dns.ResponseWriter, q *dns.Msg) {
			first.Add(1)
			w.WriteMsg(refuse(q, dns.RcodeServerFailure))
		},
		"127.0.0.3": func(_ string, w dns.ResponseWriter, q *dns.Msg) {
			second.Add(1)
			w.WriteMsg(reply(q, "192.0.2.3", 60))
		},
	})
	path := resolvConf(t, "127.0.0.2", "127.0.0.3")
	h := NewHost(path)
	h.port = fmt.Sprint(port)
	for range 3 {
		m, err := h.Exchange(t.Context(), query("www.example.com", dns.TypeA))
		if err != nil || m.Rcode != dns.RcodeSuccess {
			t.Fatal(m, err)
		}
	}
	if first.Load() != 1 || second.Load() != 3 {
		t.Errorf("asked %d and %d times, want 1 and 3", first.Load(), second.Load())
	}

	// The file changes: only the failing one is left, and its word is passed on.
	write(t, path, "127.0.0.2")
	h.looked = time.Time{}
	m, err := h.Exchange(t.Context(), query("www.example.com", dns.TypeA))
	if err != nil || m.Rcode != dns.RcodeServerFailure {
		t.Error(m, err)
	}
	// It goes away: what was there holds.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	h.looked = time.Time{}
	if m, err := h.Exchange(t.Context(), query("www.example.com", dns.TypeA)); err != nil || m.Rcode != dns.RcodeServerFailure {
		t.Error(m, err)
	}
	if _, err := NewHost(filepath.Join(t.TempDir(), "none")).Exchange(t.Context(), query("a.example.com", dns.TypeA)); err == nil {
		t.Error("no file, no error")
	}
}

// Replies to another question are nobody's answer.
func TestHostForged(t *testing.T) {
	port := servers(t, map[string]handle{"127.0.0.1": func(_ string, w dns.ResponseWriter, q *dns.Msg) {
		m := reply(q, "192.0.2.66", 60)
		m.Question[0].Name = "evil.example.com."
		w.WriteMsg(m)
	}})
	h := NewHost(resolvConf(t, "127.0.0.1"))
	h.port = fmt.Sprint(port)
	if m, err := h.Exchange(t.Context(), query("www.example.com", dns.TypeA)); err == nil {
		t.Error(m)
	}
}

// A silent upstream, and one that leads back here, end in SERVFAIL in time.
func TestBoundedTime(t *testing.T) {
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	dead := NewHost(resolvConf(t, "127.0.0.1"))
	dead.port = fmt.Sprint(netip.MustParseAddrPort(silent.LocalAddr().String()).Port())

	loop := NewHost(resolvConf(t, "127.0.0.1"))
	for name, h := range map[string]*Host{"dead": dead, "loop": loop} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := New(h)
			r.Set("vpc-1", example())
			address, _ := listen(t, r, "vpc-1")
			if name == "loop" {
				h.port = fmt.Sprint(netip.MustParseAddrPort(address).Port())
			}
			begin := time.Now()
			if m := ask(t, "udp", address, query("www.example.com", dns.TypeA)); m.Rcode != dns.RcodeServerFailure {
				t.Error(m)
			}
			if took := time.Since(begin); took > answerWithin+2*time.Second {
				t.Errorf("took %s", took)
			}
		})
	}
}

// Closing does not wait for a hanging upstream.
func TestStopWhileAsking(t *testing.T) {
	asked := make(chan struct{})
	r := New(function(func(ctx context.Context, _ *dns.Msg) (*dns.Msg, error) {
		close(asked)
		<-ctx.Done()
		return nil, errors.New("too late")
	}))
	r.Set("vpc-1", example())
	address, stop := listen(t, r, "vpc-1")
	c, err := net.Dial("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	b, _ := query("www.example.com", dns.TypeA).Pack()
	c.Write(b)
	select {
	case <-asked:
	case <-time.After(10 * time.Second):
		t.Fatal("the upstream was not asked")
	}
	begin := time.Now()
	if err := stop(); err != nil {
		t.Error(err)
	}
	if took := time.Since(begin); took > closingWithin {
		t.Errorf("took %s", took)
	}
}

func BenchmarkOwn(b *testing.B) {
	r := New(nobody(b))
	c := example()
	r.Set("vpc-1", c)
	q := query("ip-10-1-2-3.ec2.internal", dns.TypeA)
	at := time.Unix(1000, 0)
	r.now = func() time.Time { at = at.Add(time.Second); return at }
	for b.Loop() {
		if r.answer(b.Context(), alice, q) == nil {
			b.Fatal("dropped")
		}
	}
}

func BenchmarkKept(b *testing.B) {
	f := newForwarder(function(func(_ context.Context, q *dns.Msg) (*dns.Msg, error) { return reply(q, "192.0.2.1", 3000), nil }), cacheBytes, time.Now)
	q := query("www.example.com", dns.TypeA)
	for b.Loop() {
		f.ask(b.Context(), q)
	}
}
