package dns

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func example() Config {
	return Config{
		Region: "us-east-1", Support: true, Hostnames: true,
		CIDRs:  []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("100.64.0.0/24")},
		Pool:   netip.MustParsePrefix("198.18.0.0/15"),
		Public: map[netip.Addr]netip.Addr{addr("198.18.0.7"): addr("10.1.0.7")},
		Names: func(name string) ([]netip.Addr, bool) {
			switch name {
			case "web-1.us-east-1.elb.amazonaws.com":
				return []netip.Addr{addr("10.1.0.50"), addr("10.1.0.51")}, true
			case "six.example.amazonaws.com":
				return []netip.Addr{addr("fd00::1")}, true
			case "empty.example.amazonaws.com":
				return nil, true
			}
			return nil, false
		},
	}
}

// function is an upstream.
type function func(ctx context.Context, q *dns.Msg) (*dns.Msg, error)

func (f function) Exchange(ctx context.Context, q *dns.Msg) (*dns.Msg, error) { return f(ctx, q) }

// nobody fails the test when it is asked.
func nobody(t testing.TB) Upstream {
	return function(func(_ context.Context, q *dns.Msg) (*dns.Msg, error) {
		t.Errorf("%v was asked outside", q.Question)
		return nil, errors.New("not here")
	})
}

func query(name string, kind uint16) *dns.Msg {
	m := new(dns.Msg)
	m.SetQuestion(dns.Fqdn(name), kind)
	return m
}

var alice = client{"vpc-1", addr("10.1.0.9")}

func TestOwnNames(t *testing.T) {
	west := example()
	west.Region = "us-west-2"
	plain := example()
	plain.Hostnames = false
	const nx, empty, forwarded = "NXDOMAIN", "NODATA", "forwarded"
	for _, c := range []struct {
		config Config
		name   string
		kind   uint16
		want   string // addresses or names, or one of the above
		zone   string // of the SOA
	}{
		{example(), "ip-10-1-2-3.ec2.internal", dns.TypeA, "10.1.2.3", ""},
		{example(), "IP-10-1-2-3.EC2.internal", dns.TypeA, "10.1.2.3", ""},
		{example(), "ip-100-64-0-5.ec2.internal", dns.TypeANY, "100.64.0.5", ""},
		{example(), "ip-10-1-2-3.ec2.internal", dns.TypeAAAA, empty, "ec2.internal."},
		{example(), "ip-10-1-2-3.ec2.internal", dns.TypeTXT, empty, "ec2.internal."},
		{example(), "ip-10-2-2-3.ec2.internal", dns.TypeA, nx, "ec2.internal."},
		{example(), "ip-10-1-2-300.ec2.internal", dns.TypeA, nx, "ec2.internal."},
		{example(), "ip-10-1-02-3.ec2.internal", dns.TypeA, nx, "ec2.internal."},
		{example(), "a.ip-10-1-2-3.ec2.internal", dns.TypeA, nx, "ec2.internal."},
		{example(), "ec2.internal", dns.TypeA, empty, "ec2.internal."},
		{example(), "ip-10-1-2-3.us-east-1.compute.internal", dns.TypeA, nx, "us-east-1.compute.internal."},
		{example(), "ip-10-1-2-3.compute-1.internal", dns.TypeA, nx, "compute-1.internal."},
		{example(), "compute.internal", dns.TypeA, empty, "compute.internal."},
		{west, "ip-10-1-2-3.us-west-2.compute.internal", dns.TypeA, "10.1.2.3", ""},
		{west, "ip-10-1-2-3.ec2.internal", dns.TypeA, nx, "ec2.internal."},
		{plain, "ip-10-1-2-3.ec2.internal", dns.TypeA, nx, "ec2.internal."},

		{example(), "ec2-198-18-0-7.compute-1.amazonaws.com", dns.TypeA, "10.1.0.7", ""},
		{example(), "ec2-198-18-0-8.compute-1.amazonaws.com", dns.TypeA, "198.18.0.8", ""},
		{plain, "ec2-198-18-0-7.compute-1.amazonaws.com", dns.TypeA, "198.18.0.7", ""},
		{example(), "ec2-198-18-0-8.eu-west-1.compute.amazonaws.com", dns.TypeA, "198.18.0.8", ""},
		{example(), "ec2-198-18-0-8.compute-1.amazonaws.com", dns.TypeAAAA, empty, "compute-1.amazonaws.com."},
		{example(), "ec2-52-1-2-3.compute-1.amazonaws.com", dns.TypeA, forwarded, ""},
		{example(), "ec2-198-18-0-8.us-east-1.compute.amazonaws.com", dns.TypeA, forwarded, ""},
		{example(), "ec2-198-18-0-8.mars-1.compute.amazonaws.com", dns.TypeA, forwarded, ""},

		{example(), "3.2.1.10.in-addr.arpa", dns.TypePTR, "ip-10-1-2-3.ec2.internal.", ""},
		{example(), "5.0.64.100.in-addr.arpa", dns.TypePTR, "ip-100-64-0-5.ec2.internal.", ""},
		{example(), "3.2.1.10.in-addr.arpa", dns.TypeA, empty, "2.1.10.in-addr.arpa."},
		{example(), "3.2.2.10.in-addr.arpa", dns.TypePTR, nx, "10.in-addr.arpa."},
		{example(), "10.in-addr.arpa", dns.TypeNS, empty, "10.in-addr.arpa."},
		{example(), "1.31.172.in-addr.arpa", dns.TypePTR, nx, "31.172.in-addr.arpa."},
		{example(), "1.1.32.172.in-addr.arpa", dns.TypePTR, forwarded, ""},
		{plain, "3.2.1.10.in-addr.arpa", dns.TypePTR, nx, "10.in-addr.arpa."},
		{example(), "7.0.18.198.in-addr.arpa", dns.TypePTR, "ec2-198-18-0-7.compute-1.amazonaws.com.", ""},
		{example(), "8.0.18.198.in-addr.arpa", dns.TypePTR, forwarded, ""},
		{example(), "1.0.0.127.in-addr.arpa", dns.TypePTR, "localhost.", ""},

		{example(), "localhost", dns.TypeA, "127.0.0.1", ""},
		{example(), "x.localhost", dns.TypeAAAA, "::1", ""},
		{example(), "web-1.us-east-1.elb.amazonaws.com", dns.TypeA, "10.1.0.50 10.1.0.51", ""},
		{example(), "Web-1.us-east-1.elb.amazonaws.com", dns.TypeAAAA, empty, "us-east-1.elb.amazonaws.com."},
		{example(), "six.example.amazonaws.com", dns.TypeAAAA, "fd00::1", ""},
		{example(), "empty.example.amazonaws.com", dns.TypeA, empty, "example.amazonaws.com."},
		{example(), "example.com", dns.TypeA, forwarded, ""},
		{example(), "notec2.internal", dns.TypeA, forwarded, ""},
		{example(), ".", dns.TypeNS, forwarded, ""},
	} {
		asked := false
		r := New(function(func(_ context.Context, q *dns.Msg) (*dns.Msg, error) {
			asked = true
			m := new(dns.Msg)
			return m.SetReply(q), nil
		}))
		r.Set("vpc-1", c.config)
		q := query(c.name, c.kind)
		m := r.answer(t.Context(), alice, q)
		if m == nil {
			t.Errorf("%s %s: no reply", c.name, dns.TypeToString[c.kind])
			continue
		}
		if _, err := m.Pack(); err != nil {
			t.Errorf("%s %s: %v", c.name, dns.TypeToString[c.kind], err)
		}
		got, zone := describe(m)
		if asked {
			got = forwarded
		}
		if got != c.want || zone != c.zone {
			t.Errorf("%s %s: %s, SOA %q; want %s, SOA %q", c.name, dns.TypeToString[c.kind], got, zone, c.want, c.zone)
		}
		if m.Id != q.Id || !m.Response || !m.RecursionAvailable || m.Authoritative || !slices.Equal(m.Question, q.Question) {
			t.Errorf("%s: header %+v", c.name, m.MsgHdr)
		}
	}
}

// describe is what a reply says: its addresses or names, or why there are none.
func describe(m *dns.Msg) (what, zone string) {
	var all []string
	for _, rr := range m.Answer {
		switch rr := rr.(type) {
		case *dns.A:
			all = append(all, rr.A.String())
		case *dns.AAAA:
			all = append(all, rr.AAAA.String())
		case *dns.PTR:
			all = append(all, rr.Ptr)
		}
		if rr.Header().Ttl == 0 {
			all = append(all, "without TTL")
		}
	}
	for _, rr := range m.Ns {
		zone = rr.Header().Name
	}
	slices.Sort(all)
	switch {
	case len(all) > 0:
		return strings.Join(all, " "), zone
	case m.Rcode == dns.RcodeSuccess:
		return "NODATA", zone
	}
	return dns.RcodeToString[m.Rcode], zone
}

func TestRefusals(t *testing.T) {
	r := New(nobody(t))
	r.Set("vpc-1", example())
	off := example()
	off.Support = false
	r.Set("vpc-off", off)

	for name, c := range map[string]struct {
		change func(*dns.Msg)
		code   int
	}{
		"two questions": {func(m *dns.Msg) { m.Question = append(m.Question, m.Question[0]) }, dns.RcodeFormatError},
		"no question":   {func(m *dns.Msg) { m.Question = nil }, dns.RcodeFormatError},
		"chaos":         {func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassCHAOS }, dns.RcodeRefused},
		"transfer":      {func(m *dns.Msg) { m.Question[0].Qtype = dns.TypeAXFR }, dns.RcodeRefused},
		"update":        {func(m *dns.Msg) { m.Opcode = dns.OpcodeUpdate }, dns.RcodeNotImplemented},
		"notify":        {func(m *dns.Msg) { m.Opcode = dns.OpcodeNotify }, dns.RcodeNotImplemented},
		"EDNS 1":        {func(m *dns.Msg) { m.SetEdns0(1232, false).IsEdns0().SetVersion(1) }, dns.RcodeBadVers},
	} {
		q := query("ip-10-1-2-3.ec2.internal", dns.TypeA)
		c.change(q)
		m := r.answer(t.Context(), alice, q)
		if m == nil || m.Rcode != c.code || len(m.Answer) != 0 {
			t.Errorf("%s: %v, want %s", name, m, dns.RcodeToString[c.code])
		} else if _, err := m.Pack(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	q := query("ip-10-1-2-3.ec2.internal", dns.TypeA)
	for _, vpc := range []string{"vpc-off", "vpc-unknown"} {
		if m := r.answer(t.Context(), client{vpc, alice.addr}, q); m != nil {
			t.Errorf("%s answers %v", vpc, m)
		}
	}
	r.Remove("vpc-1")
	if m := r.answer(t.Context(), alice, q); m != nil {
		t.Errorf("a removed VPC answers %v", m)
	}
}

// Equal addresses of two VPCs are two clients with names of their own.
func TestTenants(t *testing.T) {
	r := New(nobody(t))
	for _, vpc := range []string{"a", "b"} {
		c := example()
		c.Public = map[netip.Addr]netip.Addr{}
		if vpc == "a" {
			c.Public[addr("198.18.0.9")] = addr("10.1.0.9")
		}
		r.Set(vpc, c)
	}
	for vpc, want := range map[string]string{"a": "10.1.0.9", "b": "198.18.0.9"} {
		m := r.answer(t.Context(), client{vpc, alice.addr}, query("ec2-198-18-0-9.compute-1.amazonaws.com", dns.TypeA))
		if got, _ := describe(m); got != want {
			t.Errorf("%s: %s, want %s", vpc, got, want)
		}
	}
}

func TestPacketLimit(t *testing.T) {
	r := New(nobody(t))
	now := time.Unix(1000, 0)
	r.now = func() time.Time { return now }
	r.Set("vpc-1", example())
	q := query("localhost", dns.TypeA)
	count := func(c client, n int) (answered int) {
		for range n {
			if r.answer(t.Context(), c, q) != nil {
				answered++
			}
		}
		return answered
	}
	if n := count(alice, 2000); n != packetsPerSecond {
		t.Errorf("%d answered in one moment, want %d", n, packetsPerSecond)
	}
	if n := count(client{"vpc-1", addr("10.1.0.10")}, 10); n != 10 {
		t.Errorf("another interface: %d of 10 answered", n)
	}
	now = now.Add(time.Second / 2)
	if n := count(alice, 2000); n != packetsPerSecond/2 {
		t.Errorf("%d answered half a second later, want %d", n, packetsPerSecond/2)
	}
}

// sockets is a port's two kinds at every one of the addresses.
func sockets(t testing.TB, ips ...string) (port int, udp []net.PacketConn, tcp []net.Listener) {
	t.Helper()
	var err error
	for range 50 { // until a port is free at all
		port, udp, tcp = 0, nil, nil
		for _, ip := range ips {
			var u net.PacketConn
			if u, err = net.ListenPacket("udp", fmt.Sprintf("%s:%d", ip, port)); err != nil {
				break
			}
			udp = append(udp, u)
			port = u.LocalAddr().(*net.UDPAddr).Port
			var l net.Listener
			if l, err = net.Listen("tcp", fmt.Sprintf("%s:%d", ip, port)); err != nil {
				break
			}
			tcp = append(tcp, l)
		}
		if err == nil {
			return port, udp, tcp
		}
		for _, u := range udp {
			u.Close()
		}
		for _, l := range tcp {
			l.Close()
		}
	}
	t.Fatal(err)
	return 0, nil, nil
}

// handle answers a query that came by a network.
type handle func(network string, w dns.ResponseWriter, q *dns.Msg)

// servers are name servers on loopback addresses, with one port.
func servers(t testing.TB, at map[string]handle) (port int) {
	t.Helper()
	ips := slices.Collect(maps.Keys(at))
	port, udp, tcp := sockets(t, ips...)
	for i, ip := range ips {
		for _, s := range []*dns.Server{
			{PacketConn: udp[i], Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) { at[ip]("udp", w, q) })},
			{Listener: tcp[i], Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) { at[ip]("tcp", w, q) })},
		} {
			started := make(chan struct{})
			s.NotifyStartedFunc = func() { close(started) }
			go s.ActivateAndServe()
			<-started
			t.Cleanup(func() { s.Shutdown() })
		}
	}
	return port
}

// reply answers every A question with the address.
func reply(q *dns.Msg, ip string, ttl uint32) *dns.Msg {
	m := new(dns.Msg)
	m.SetReply(q)
	m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: ttl}, A: net.ParseIP(ip)}}
	return m
}

func resolvConf(t testing.TB, servers ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "resolv.conf")
	write(t, path, servers...)
	return path
}

func write(t testing.TB, path string, servers ...string) {
	t.Helper()
	text := "# test\nsearch example.com\n"
	for _, s := range servers {
		text += "nameserver " + s + "\n"
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// listen serves a VPC on loopback and returns the address.
func listen(t testing.TB, r *Resolver, vpc string) (address string, stop func() error) {
	t.Helper()
	_, udp, tcp := sockets(t, "127.0.0.1")
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Serve(ctx, vpc, udp[0], tcp[0]) }()
	stop = sync.OnceValue(func() error {
		cancel()
		select {
		case err := <-done:
			return err
		case <-time.After(10 * time.Second):
			return errors.New("still serving")
		}
	})
	t.Cleanup(func() { stop() })
	return udp[0].LocalAddr().String(), stop
}

func ask(t testing.TB, network, address string, q *dns.Msg) *dns.Msg {
	t.Helper()
	m, _, err := (&dns.Client{Net: network, Timeout: 8 * time.Second}).Exchange(q, address)
	if err != nil {
		t.Fatalf("%s %v: %v", network, q.Question, err)
	}
	return m
}

// From the client's socket to the host's resolver and back.
func TestEndToEnd(t *testing.T) {
	var udp, tcp atomic.Int32
	port := servers(t, map[string]handle{"127.0.0.1": func(network string, w dns.ResponseWriter, q *dns.Msg) {
		m := reply(q, "192.0.2.1", 300)
		if strings.HasPrefix(q.Question[0].Name, "large.") {
			for i := range 200 {
				m.Answer = append(m.Answer, reply(q, fmt.Sprintf("192.0.2.%d", i), 300).Answer...)
			}
		}
		if network == "udp" {
			udp.Add(1)
			m.Truncate(dns.MinMsgSize)
		} else {
			tcp.Add(1)
		}
		w.WriteMsg(m)
	}})
	host := NewHost(resolvConf(t, "127.0.0.1"))
	host.port = fmt.Sprint(port)
	r := New(host)
	r.Set("vpc-1", example())
	address, stop := listen(t, r, "vpc-1")

	for _, network := range []string{"udp", "tcp"} {
		if got, _ := describe(ask(t, network, address, query("ip-10-1-2-3.ec2.internal", dns.TypeA))); got != "10.1.2.3" {
			t.Errorf("%s: own name: %s", network, got)
		}
		if got, _ := describe(ask(t, network, address, query("www.example.com", dns.TypeA))); got != "192.0.2.1" {
			t.Errorf("%s: forwarded: %s", network, got)
		}
	}
	if udp.Load() != 1 || tcp.Load() != 0 {
		t.Errorf("the host's resolver was asked %d+%d times, want once: the second answer is kept", udp.Load(), tcp.Load())
	}

	// Too large for any UDP message: asked by TCP there, told to ask by TCP here.
	m := ask(t, "udp", address, query("large.example.com", dns.TypeA))
	m.Compress = true
	if !m.Truncated || m.Len() > dns.MinMsgSize {
		t.Errorf("large by UDP: truncated %v, %d bytes", m.Truncated, m.Len())
	}
	if tcp.Load() != 1 {
		t.Errorf("the host's resolver was asked %d times by TCP, want once", tcp.Load())
	}
	if m := ask(t, "tcp", address, query("large.example.com", dns.TypeA)); m.Truncated || len(m.Answer) != 201 {
		t.Errorf("large by TCP: truncated %v, %d answers", m.Truncated, len(m.Answer))
	}
	q := query("large.example.com", dns.TypeA)
	q.SetEdns0(4096, false)
	if m := ask(t, "udp", address, q); m.Truncated || len(m.Answer) != 201 || m.IsEdns0() == nil {
		t.Errorf("large by EDNS: truncated %v, %d answers, %v", m.Truncated, len(m.Answer), m.IsEdns0())
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if c, err := net.Dial("tcp", address); err == nil {
		c.Close()
		t.Error("the sockets are still open")
	}
}

// Garbage gets an error or silence, and the next query its answer.
func TestGarbage(t *testing.T) {
	r := New(nobody(t))
	r.Set("vpc-1", example())
	address, _ := listen(t, r, "vpc-1")
	c, err := net.Dial("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, b := range []string{"", "x", strings.Repeat("\xff", 40), "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\xc0\x0c\x00\x01\x00\x01"} {
		if _, err := c.Write([]byte(b)); err != nil {
			t.Fatal(err)
		}
	}
	if got, _ := describe(ask(t, "udp", address, query("localhost", dns.TypeA))); got != "127.0.0.1" {
		t.Error(got)
	}
}

// Serve tells when a socket breaks under it.
func TestServeFails(t *testing.T) {
	r := New(nobody(t))
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- r.Serve(t.Context(), "vpc-1", udp, tcp) }()
	tcp.Close()
	select {
	case err := <-done:
		if err == nil {
			t.Error("no error")
		}
	case <-time.After(10 * time.Second):
		t.Error("still serving")
	}
}

func FuzzAnswer(f *testing.F) {
	for _, q := range []*dns.Msg{query("ip-10-1-2-3.ec2.internal", dns.TypeA), query("3.2.1.10.in-addr.arpa", dns.TypePTR),
		query("ec2-198-18-0-7.compute-1.amazonaws.com", dns.TypeANY), query("a\\.b.example.com", dns.TypeMX).SetEdns0(4096, true)} {
		b, err := q.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	r := New(function(func(_ context.Context, q *dns.Msg) (*dns.Msg, error) { return reply(q, "192.0.2.1", 60), nil }))
	r.Set("vpc-1", example())
	var at atomic.Int64
	r.now = func() time.Time { return time.Unix(at.Add(1), 0) }
	f.Fuzz(func(t *testing.T, b []byte) {
		q := new(dns.Msg)
		if q.Unpack(b) != nil {
			return
		}
		m := r.answer(t.Context(), alice, q)
		if m == nil {
			t.Fatal("no reply")
		}
		m.Truncate(dns.MinMsgSize)
		if m.Id != q.Id || !m.Response {
			t.Errorf("header %+v", m.MsgHdr)
		}
		if _, err := m.Pack(); err != nil && q.Rcode <= 0xF {
			t.Errorf("%v of %v", err, q)
		}
	})
}
