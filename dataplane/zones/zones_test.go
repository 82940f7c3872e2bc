package zones

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	resolver "neargate/dataplane/dns"
	"neargate/resource/zone"
	"neargate/store"
	"neargate/store/mem"
	"neargate/store/tables/zones"
)

const account = "123456789012"

// world is a resolver with sockets on loopback for the VPCs vpc-1, which sees the
// private zones, vpc-2, which sees none, and vpc-3 without host names.
type world struct {
	t       testing.TB
	store   store.Store
	servers map[string]string
	outside map[string]string // answers of the upstream: an address by name
	asked   []string
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, store: mem.New(mem.Paranoid()), servers: map[string]string{}, outside: map[string]string{}}
	r := resolver.New(w)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 3)
	for _, vpc := range []string{"vpc-1", "vpc-2", "vpc-3"} {
		r.Set(vpc, resolver.Config{
			Region: "us-east-1", CIDRs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/16")}, Support: true, Hostnames: vpc != "vpc-3",
			Pool: netip.MustParsePrefix("198.18.0.0/15"), Public: map[netip.Addr]netip.Addr{netip.MustParseAddr("198.18.0.9"): netip.MustParseAddr("10.0.0.9")},
			Names: func(name string) ([]netip.Addr, bool) {
				return []netip.Addr{netip.MustParseAddr("198.18.0.1")}, name == "ecs.us-east-1.amazonaws.com"
			},
			Hidden: func(name string) (string, []netip.Addr) {
				if name != "x.dkr.ecr.us-east-1.amazonaws.com" {
					return "", nil
				}
				return "dkr.ecr.us-east-1.amazonaws.com", []netip.Addr{netip.MustParseAddr("10.0.0.77")}
			},
			Zones: Zones{Store: w.store, Account: account, Region: "us-east-1", VPC: vpc},
		})
		udp, tcp := sockets(t)
		w.servers[vpc] = udp.LocalAddr().String()
		go func() { done <- r.Serve(ctx, vpc, udp, tcp) }()
	}
	t.Cleanup(func() {
		cancel()
		for range 3 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
	return w
}

// sockets are of both kinds at one port.
func sockets(t testing.TB) (net.PacketConn, net.Listener) {
	t.Helper()
	var err error
	for range 50 { // until a port is free in both kinds
		var udp net.PacketConn
		if udp, err = net.ListenPacket("udp", "127.0.0.1:0"); err != nil {
			break
		}
		var tcp net.Listener
		if tcp, err = net.Listen("tcp", udp.LocalAddr().String()); err == nil {
			return udp, tcp
		}
		udp.Close()
	}
	t.Fatal(err)
	return nil, nil
}

// Exchange is the upstream: it knows the names outside, and else says so.
func (w *world) Exchange(_ context.Context, q *dns.Msg) (*dns.Msg, error) {
	name := q.Question[0].Name
	w.asked = append(w.asked, name)
	m := new(dns.Msg)
	m.SetReply(q)
	a, ok := w.outside[name]
	switch {
	case a == "down":
		return nil, errors.New("nobody answers")
	case !ok:
		m.Rcode = dns.RcodeNameError
	case q.Question[0].Qtype == dns.TypeA:
		m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 5}, A: net.ParseIP(a)}}
	}
	return m, nil
}

// zone stores a hosted zone with record sets, "NAME TYPE TTL VALUE|VALUE".
func (w *world) zone(z zone.Zone, sets ...string) {
	w.t.Helper()
	z.Account, z.CallerReference = cmp.Or(z.Account, account), z.ID
	z.NameServers = zone.NameServers([4]int{})
	z.Private = len(z.VPCs) > 0
	all := zone.Born(&z)
	for _, s := range sets {
		f := strings.SplitN(s, " ", 4)
		r := zone.RecordSet{Account: z.Account, Zone: z.ID, Name: w.name(f[0]), Type: f[1], Values: strings.Split(f[3], "|")}
		if target, ok := strings.CutPrefix(f[3], "alias "); ok {
			r.Values, r.Alias = nil, &zone.Alias{Zone: z.ID, Name: w.name(target)}
		}
		fmt.Sscan(f[2], &r.TTL)
		all = append(all, r)
	}
	w.put(&z, all...)
}

func (w *world) name(s string) string {
	w.t.Helper()
	n, err := zone.Canonical(s)
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

func (w *world) put(z *zone.Zone, sets ...zone.RecordSet) {
	w.t.Helper()
	err := w.store.Update(context.Background(), func(tx store.Tx) error {
		for i := range sets {
			if err := zones.RecordSets.Put(tx, &sets[i]); err != nil {
				return err
			}
		}
		return zones.Zones.Put(tx, z)
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// ask asks the resolver of a VPC and returns the answer in short: its code where it is
// an error, its records, and the owner of the SOA record behind a "-".
func (w *world) ask(vpc, name string, kind uint16) string {
	w.t.Helper()
	q := new(dns.Msg)
	q.SetQuestion(dns.Fqdn(name), kind)
	c := dns.Client{Timeout: 5 * time.Second}
	m, _, err := c.Exchange(q, w.servers[vpc])
	if err == nil && m.Truncated {
		c.Net = "tcp"
		m, _, err = c.Exchange(q, w.servers[vpc])
	}
	if err != nil {
		w.t.Fatalf("%s: %v", name, err)
	}
	var parts []string
	if m.Rcode != dns.RcodeSuccess {
		parts = append(parts, dns.RcodeToString[m.Rcode])
	}
	var records []string
	for _, rr := range m.Answer {
		f := strings.SplitN(rr.String(), "\t", 5)
		records = append(records, f[0]+" "+f[1]+" "+f[3]+" "+f[4])
	}
	parts = append(parts, records...)
	for _, rr := range m.Ns {
		parts = append(parts, fmt.Sprintf("- %s %d", rr.Header().Name, rr.Header().Ttl))
	}
	return strings.Join(parts, "; ")
}

var here = []zone.VPC{{Region: "us-east-1", ID: "vpc-1"}, {Region: "us-east-1", ID: "vpc-3"}}

// TestEndpointNames asks for a name that an endpoint has, and that private zones of
// the VPC are about more or less precisely.
func TestEndpointNames(t *testing.T) {
	const name, theirs = "x.dkr.ecr.us-east-1.amazonaws.com", "x.dkr.ecr.us-east-1.amazonaws.com. 60 A 10.0.0.77"
	for _, c := range []struct{ zone, want string }{
		{"", theirs},
		{"amazonaws.com.", theirs},
		{"us-east-1.amazonaws.com.", theirs},
		{"dkr.ecr.us-east-1.amazonaws.com.", "x.dkr.ecr.us-east-1.amazonaws.com. 60 A 10.0.0.1"},
		{"x.dkr.ecr.us-east-1.amazonaws.com.", "x.dkr.ecr.us-east-1.amazonaws.com. 60 A 10.0.0.1"},
	} {
		w := newWorld(t)
		if c.zone != "" {
			w.zone(zone.Zone{ID: "Z1", Name: c.zone, VPCs: here}, name+" A 60 10.0.0.1")
		}
		for vpc, want := range map[string]string{"vpc-1": c.want, "vpc-2": theirs, "vpc-3": theirs} {
			if got := w.ask(vpc, name, dns.TypeA); got != want {
				t.Errorf("%s beside zone %q: %s, want %s", vpc, c.zone, got, want)
			}
		}
	}
}

func TestPrivateZones(t *testing.T) {
	w := newWorld(t)
	w.outside = map[string]string{"www.example.net.": "192.0.2.80", "x.corp.": "192.0.2.99"}
	w.zone(zone.Zone{ID: "Z1", Name: "corp.", VPCs: here},
		"a.corp A 60 10.0.0.1|10.0.0.2", "six.corp AAAA 60 fd00::1", "c.corp CNAME 30 a.corp", "cc.corp CNAME 30 c.corp", "lost.corp CNAME 30 none.corp",
		"out.corp CNAME 30 www.example.net", "gone.corp CNAME 30 gone.example.net", "ecs.corp CNAME 30 ecs.us-east-1.amazonaws.com",
		"ip.corp CNAME 30 ip-10-0-0-9.ec2.internal", "loop.corp CNAME 30 pool.corp", "pool.corp CNAME 30 loop.corp", "down.corp CNAME 30 c.sub.corp",
		`t.corp TXT 60 "one" "two"|"three"`, "mx.corp MX 60 10 a.corp", "_x._tcp.corp SRV 60 1 2 80 a.corp", `caa.corp CAA 60 0 issue "ca.example"`,
		"p.corp PTR 60 a.corp", "al.corp A 0 alias a.corp", "al2.corp A 0 alias al.corp", "dead.corp A 0 alias nothing.corp",
		"deep.er.corp A 60 10.0.0.3",
	)
	w.zone(zone.Zone{ID: "Z2", Name: "sub.corp.", VPCs: here}, "c.sub.corp CNAME 30 a.corp", "*.sub.corp A 60 10.0.0.5", "*.sub.corp TXT 60 \"w\"", "x.y.sub.corp A 60 10.0.0.6")
	w.zone(zone.Zone{ID: "Z3", Name: "0.10.in-addr.arpa.", VPCs: here}, "4.0.0.10.in-addr.arpa PTR 60 a.corp")
	w.zone(zone.Zone{ID: "Z4", Name: "amazonaws.com.", VPCs: []zone.VPC{{Region: "eu-west-1", ID: "vpc-1"}}})
	const none = "; - corp. 900"
	for _, tt := range []struct {
		name string
		kind uint16
		want string
	}{
		{"a.corp", dns.TypeA, "a.corp. 60 A 10.0.0.1; a.corp. 60 A 10.0.0.2"},
		{"A.Corp", dns.TypeA, "A.Corp. 60 A 10.0.0.1; A.Corp. 60 A 10.0.0.2"},
		{"a.corp", dns.TypeAAAA, none[2:]},
		{"six.corp", dns.TypeAAAA, "six.corp. 60 AAAA fd00::1"},
		{"x.corp", dns.TypeA, "NXDOMAIN" + none}, // though it is there outside
		{"x.a.corp", dns.TypeA, "NXDOMAIN" + none},
		{"er.corp", dns.TypeA, none[2:]}, // only something below it is there
		{"c.corp", dns.TypeA, "c.corp. 30 CNAME a.corp.; a.corp. 60 A 10.0.0.1; a.corp. 60 A 10.0.0.2"},
		{"c.corp", dns.TypeCNAME, "c.corp. 30 CNAME a.corp."},
		{"c.corp", dns.TypeTXT, "c.corp. 30 CNAME a.corp." + none},
		{"cc.corp", dns.TypeA, "cc.corp. 30 CNAME c.corp.; c.corp. 30 CNAME a.corp.; a.corp. 60 A 10.0.0.1; a.corp. 60 A 10.0.0.2"},
		{"down.corp", dns.TypeA, "down.corp. 30 CNAME c.sub.corp.; c.sub.corp. 30 CNAME a.corp.; a.corp. 60 A 10.0.0.1; a.corp. 60 A 10.0.0.2"},
		{"lost.corp", dns.TypeA, "NXDOMAIN; lost.corp. 30 CNAME none.corp." + none},
		{"out.corp", dns.TypeA, "out.corp. 30 CNAME www.example.net.; www.example.net. 5 A 192.0.2.80"},
		{"gone.corp", dns.TypeA, "NXDOMAIN; gone.corp. 30 CNAME gone.example.net."},
		{"ecs.corp", dns.TypeA, "ecs.corp. 30 CNAME ecs.us-east-1.amazonaws.com.; ecs.us-east-1.amazonaws.com. 60 A 198.18.0.1"},
		{"ip.corp", dns.TypeA, "ip.corp. 30 CNAME ip-10-0-0-9.ec2.internal.; ip-10-0-0-9.ec2.internal. 60 A 10.0.0.9"},
		{"t.corp", dns.TypeTXT, `t.corp. 60 TXT "one" "two"; t.corp. 60 TXT "three"`},
		{"mx.corp", dns.TypeMX, "mx.corp. 60 MX 10 a.corp."},
		{"_x._tcp.corp", dns.TypeSRV, "_x._tcp.corp. 60 SRV 1 2 80 a.corp."},
		{"caa.corp", dns.TypeCAA, `caa.corp. 60 CAA 0 issue "ca.example"`},
		{"p.corp", dns.TypePTR, "p.corp. 60 PTR a.corp."},
		{"corp", dns.TypeSOA, "corp. 900 SOA ns-1536.awsdns-00.co.uk. awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400"},
		{"corp", dns.TypeA, none[2:]},
		{"al.corp", dns.TypeA, "al.corp. 60 A 10.0.0.1; al.corp. 60 A 10.0.0.2"},
		{"al2.corp", dns.TypeA, "al2.corp. 60 A 10.0.0.1; al2.corp. 60 A 10.0.0.2"},
		{"dead.corp", dns.TypeA, none[2:]},
		{"q.sub.corp", dns.TypeA, "q.sub.corp. 60 A 10.0.0.5"},
		{"q.r.sub.corp", dns.TypeTXT, `q.r.sub.corp. 60 TXT "w"`},
		{"q.sub.corp", dns.TypeMX, "- sub.corp. 900"},
		{"y.sub.corp", dns.TypeA, "- sub.corp. 900"}, // it is there, so no wildcard
		{"q.y.sub.corp", dns.TypeA, "NXDOMAIN; - sub.corp. 900"},
		{"*.sub.corp", dns.TypeA, "*.sub.corp. 60 A 10.0.0.5"},
		{"sub.corp", dns.TypeA, "- sub.corp. 900"},
		{"4.0.0.10.in-addr.arpa", dns.TypePTR, "4.0.0.10.in-addr.arpa. 60 PTR a.corp."},
		{"5.0.0.10.in-addr.arpa", dns.TypePTR, "NXDOMAIN; - 0.10.in-addr.arpa. 900"},
		{"ecs.us-east-1.amazonaws.com", dns.TypeA, "ecs.us-east-1.amazonaws.com. 60 A 198.18.0.1"}, // of the VPC's zones in another region
	} {
		if got := w.ask("vpc-1", tt.name, tt.kind); got != tt.want {
			t.Errorf("%s %s: got %s\nwant %s", tt.name, dns.TypeToString[tt.kind], got, tt.want)
		}
	}
	if got := w.ask("vpc-1", "loop.corp", dns.TypeA); !strings.HasPrefix(got, "SERVFAIL") {
		t.Errorf("a loop: %s", got)
	}
	if got := w.ask("vpc-1", "corp", dns.TypeNS); strings.Count(got, "awsdns-00") != 4 {
		t.Errorf("name servers: %s", got)
	}
	for _, name := range w.asked {
		if strings.HasSuffix(name, "corp.") || strings.HasSuffix(name, "arpa.") {
			t.Errorf("%s was asked outside", name)
		}
	}
	// Other VPCs, and a VPC without host names, see nothing of it.
	for _, vpc := range []string{"vpc-2", "vpc-3"} {
		if got := w.ask(vpc, "x.corp", dns.TypeA); got != "x.corp. 5 A 192.0.2.99" {
			t.Errorf("%s: %s", vpc, got)
		}
		if got := w.ask(vpc, "a.corp", dns.TypeA); got != "NXDOMAIN" {
			t.Errorf("%s: %s", vpc, got)
		}
	}
}

func TestPublicZones(t *testing.T) {
	w := newWorld(t)
	w.outside = map[string]string{"www.example.net.": "192.0.2.80", "x.deleg.example.net.": "192.0.2.81"}
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	w.zone(zone.Zone{ID: "Z1", Name: "example.com.", CreatedAt: start}, "a.example.com A 60 192.0.2.1", "p.example.com CNAME 60 in.corp", "ns.example.com NS 60 ns.example.org")
	w.zone(zone.Zone{ID: "Z2", Name: "example.com.", CreatedAt: start.Add(time.Second)}, "a.example.com A 60 192.0.2.2")
	w.zone(zone.Zone{ID: "Z3", Name: "example.net.", Account: "210987654321"}, "www.example.net A 60 192.0.2.3")
	w.zone(zone.Zone{ID: "Z4", Name: "amazonaws.com."})
	w.zone(zone.Zone{ID: "Z5", Name: "corp.", VPCs: here}, "in.corp A 60 10.0.0.1", "up.corp CNAME 60 a.example.com")
	w.zone(zone.Zone{ID: "Z6", Name: "split.example.com.", VPCs: here}, "b.split.example.com A 60 10.0.0.2")
	for _, tt := range []struct{ vpc, name, want string }{
		{"vpc-2", "a.example.com", "a.example.com. 60 A 192.0.2.1"},
		{"vpc-3", "a.example.com", "a.example.com. 60 A 192.0.2.1"},
		{"vpc-2", "b.example.com", "NXDOMAIN; - example.com. 900"},
		{"vpc-2", "www.example.net", "www.example.net. 5 A 192.0.2.80"}, // another account's zone
		{"vpc-2", "ecs.us-east-1.amazonaws.com", "ecs.us-east-1.amazonaws.com. 60 A 198.18.0.1"},
		{"vpc-2", "ip-10-0-0-9.ec2.internal", "ip-10-0-0-9.ec2.internal. 60 A 10.0.0.9"},
		{"vpc-1", "p.example.com", "p.example.com. 60 CNAME in.corp.; in.corp. 60 A 10.0.0.1"},
		{"vpc-1", "up.corp", "up.corp. 60 CNAME a.example.com.; a.example.com. 60 A 192.0.2.1"},
		{"vpc-2", "x.ns.example.com", "NXDOMAIN"}, // delegated: asked outside
		{"vpc-1", "b.split.example.com", "b.split.example.com. 60 A 10.0.0.2"},
		{"vpc-2", "b.split.example.com", "NXDOMAIN; - example.com. 900"},
	} {
		if got := w.ask(tt.vpc, tt.name, dns.TypeA); got != tt.want {
			t.Errorf("%s %s: got %s\nwant %s", tt.vpc, tt.name, got, tt.want)
		}
	}
	if !slices.Equal(w.asked, []string{"www.example.net.", "x.ns.example.com."}) {
		t.Errorf("asked outside: %v", w.asked)
	}
}

// TestChangesCountAtOnce holds that an answer follows the commit before it.
func TestChangesCountAtOnce(t *testing.T) {
	w := newWorld(t)
	z := zone.Zone{Account: account, ID: "Z1", Name: "corp.", VPCs: here, Private: true, NameServers: zone.NameServers([4]int{}), CallerReference: "r"}
	w.put(&z, zone.Born(&z)...)
	for i := range 50 {
		want := fmt.Sprintf("10.0.0.%d", i)
		w.put(&z, zone.RecordSet{Account: account, Zone: "Z1", Name: "a.corp.", Type: "A", TTL: 60, Values: []string{want}})
		if got := w.ask("vpc-1", "a.corp", dns.TypeA); got != "a.corp. 60 A "+want {
			t.Fatalf("got %s, want %s", got, want)
		}
	}
	z.VPCs = z.VPCs[1:]
	w.put(&z)
	if got := w.ask("vpc-1", "a.corp", dns.TypeA); got != "NXDOMAIN" {
		t.Errorf("after the association ended: %s", got)
	}
}

func TestRouting(t *testing.T) {
	w := newWorld(t)
	z := zone.Zone{Account: account, ID: "Z1", Name: "corp.", VPCs: here, Private: true, NameServers: zone.NameServers([4]int{}), CallerReference: "r"}
	sets := zone.Born(&z)
	for i, weight := range []int64{1, 3, 0} {
		sets = append(sets, zone.RecordSet{Account: account, Zone: "Z1", Name: "w.corp.", Type: "A", SetID: fmt.Sprint(i), TTL: 1, Values: []string{fmt.Sprintf("10.0.0.%d", i)}, Weight: &weight})
	}
	for i := range 12 {
		sets = append(sets, zone.RecordSet{Account: account, Zone: "Z1", Name: "m.corp.", Type: "A", SetID: fmt.Sprint(i), TTL: 1, Values: []string{fmt.Sprintf("10.0.1.%d", i)}, MultiValue: new(true)})
	}
	w.put(&z, sets...)
	counts := map[string]int{}
	for range 400 {
		counts[w.ask("vpc-1", "w.corp", dns.TypeA)]++
	}
	// Expected 100 and 300; six standard deviations are 52.
	if one, three := counts["w.corp. 1 A 10.0.0.0"], counts["w.corp. 1 A 10.0.0.1"]; one+three != 400 || one < 48 || one > 152 {
		t.Errorf("weighted %v", counts)
	}
	seen := map[string]bool{}
	for range 50 {
		answer := strings.Split(w.ask("vpc-1", "m.corp", dns.TypeA), "; ")
		if len(answer) != maxMulti {
			t.Fatalf("answered %v", answer)
		}
		for _, a := range answer {
			seen[a] = true
		}
	}
	if len(seen) != 12 {
		t.Errorf("only %d of 12 values were ever answered", len(seen))
	}
}

func TestWeighted(t *testing.T) {
	sets := func(weights ...int64) (all []zone.RecordSet) {
		for _, w := range weights {
			all = append(all, zone.RecordSet{Weight: &w})
		}
		return all
	}
	for _, tt := range []struct {
		sets   []zone.RecordSet
		random int64
		below  int64
		want   int
	}{
		{sets(1, 3, 0), 0, 4, 0}, {sets(1, 3, 0), 1, 4, 1}, {sets(1, 3, 0), 3, 4, 1}, {sets(0, 0), 1, 2, 1}, {sets(0, 255), 0, 255, 1},
	} {
		got := weighted(tt.sets, func(n int64) int64 {
			if n != tt.below {
				t.Errorf("chance below %d, want %d", n, tt.below)
			}
			return tt.random
		})
		if got != tt.want {
			t.Errorf("%d of %v: got %d", tt.random, tt.sets, got)
		}
	}
}

func BenchmarkPrivate(b *testing.B) {
	w := &world{t: b, store: mem.New()}
	for i := range 50 {
		name := fmt.Sprintf("z%d.corp.", i)
		w.zone(zone.Zone{ID: fmt.Sprint("Z", i), Name: name, VPCs: here}, "a."+name+" A 60 10.0.0.1")
	}
	z := Zones{Store: w.store, Account: account, Region: "us-east-1", VPC: "vpc-1"}
	q := dns.Question{Name: "a.z7.corp.", Qtype: dns.TypeA, Qclass: dns.ClassINET}
	for b.Loop() {
		if m, _, err := z.Private(b.Context(), q); err != nil || len(m.Answer) != 1 {
			b.Fatal(m, err)
		}
	}
}
