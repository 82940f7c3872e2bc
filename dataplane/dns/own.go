package dns

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/miekg/dns"

	"neargate/arn"
	"neargate/resource/network"
)

// ttl of what is answered here, and of its absence.
const ttl = 60

// own answers what is known of the VPC itself; nil: somebody else may know. The
// names that only Amazon's resolver gives out are never asked elsewhere.
func (c *Config) own(q *dns.Msg) *dns.Msg {
	name := strings.ToLower(strings.TrimSuffix(q.Question[0].Name, "."))
	if c.Names != nil {
		if addresses, ok := c.Names(name); ok {
			return found(q, name, addresses)
		}
	}
	if under(name, "localhost") {
		return found(q, name, []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()})
	}
	if zone, ok := privateZone(name); ok {
		return c.private(q, name, zone)
	}
	if a, ok := publicName(name); ok && c.Pool.Contains(a) {
		if inside, ok := c.Public[a]; ok && c.Hostnames {
			a = inside
		}
		return found(q, name, []netip.Addr{a})
	}
	if under(name, "in-addr.arpa") {
		return c.reverse(q, name)
	}
	return nil
}

// private answers a name in a domain of private names.
func (c *Config) private(q *dns.Msg, name, zone string) *dns.Msg {
	host, domain, _ := strings.Cut(name, ".")
	if a, ok := dashed(host, "ip-"); ok && c.Hostnames && domain == network.PrivateDomain(c.Region) && c.contains(a) {
		return found(q, name, []netip.Addr{a})
	}
	if name == zone {
		return negative(q, dns.RcodeSuccess, zone)
	}
	return negative(q, dns.RcodeNameError, zone)
}

// reverse answers a name under in-addr.arpa: of an address of the VPC, or of one
// that has no meaning outside.
func (c *Config) reverse(q *dns.Msg, name string) *dns.Msg {
	a, full := reversed(name)
	switch {
	case full && c.Hostnames && c.contains(a):
		return pointer(q, network.PrivateDNSName(c.Region, a.String()))
	case full && a == netip.AddrFrom4([4]byte{127, 0, 0, 1}):
		return pointer(q, "localhost")
	case full && c.Hostnames && c.Public[a].IsValid():
		return pointer(q, network.PublicDNSName(c.Region, a.String()))
	}
	for _, z := range localReverse() {
		if under(name, z) {
			code := dns.RcodeNameError
			if name == z {
				code = dns.RcodeSuccess
			}
			return negative(q, code, z)
		}
	}
	return nil
}

func (c *Config) contains(a netip.Addr) bool {
	return slices.ContainsFunc(c.CIDRs, func(p netip.Prefix) bool { return p.Contains(a) })
}

// privateZone is the zone of private names that the name is in.
func privateZone(name string) (zone string, ok bool) {
	for _, zone := range []string{"ec2.internal", "compute-1.internal"} {
		if under(name, zone) {
			return zone, true
		}
	}
	if !under(name, "compute.internal") {
		return "", false
	}
	labels := strings.Split(name, ".")
	return strings.Join(labels[max(0, len(labels)-3):], "."), true
}

// publicName reads ec2-a-b-c-d and the domain of a region's public names.
func publicName(name string) (netip.Addr, bool) {
	host, domain, _ := strings.Cut(name, ".")
	a, ok := dashed(host, "ec2-")
	if !ok {
		return a, false
	}
	region := strings.TrimSuffix(domain, ".compute.amazonaws.com")
	if domain == network.PublicDomain("us-east-1") {
		region = "us-east-1"
	}
	return a, arn.KnownRegion(region) && domain == network.PublicDomain(region)
}

// dashed reads an IPv4 address written with dashes behind the prefix.
func dashed(label, prefix string) (netip.Addr, bool) {
	digits, ok := strings.CutPrefix(label, prefix)
	if !ok || strings.Contains(digits, ".") {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(strings.ReplaceAll(digits, "-", "."))
	return a, err == nil
}

// reversed reads the address of a name under in-addr.arpa; full, when all four
// parts are there.
func reversed(name string) (a netip.Addr, full bool) {
	labels := strings.Split(strings.TrimSuffix(name, ".in-addr.arpa"), ".")
	if len(labels) != 4 {
		return a, false
	}
	slices.Reverse(labels)
	a, err := netip.ParseAddr(strings.Join(labels, "."))
	return a, err == nil
}

// localReverse lists the reverse zones whose addresses mean something only where
// they are used. Source: Route 53 Developer Guide, autodefined rules; RFC 6303.
func localReverse() []string {
	zones := []string{"10.in-addr.arpa", "168.192.in-addr.arpa", "254.169.in-addr.arpa", "127.in-addr.arpa", "0.in-addr.arpa"}
	for i := 16; i < 32; i++ {
		zones = append(zones, strconv.Itoa(i)+".172.in-addr.arpa")
	}
	return zones
}

func under(name, zone string) bool { return name == zone || strings.HasSuffix(name, "."+zone) }

// found answers a name with the addresses it has. Their order is shuffled, so
// that clients that take the first are spread.
func found(q *dns.Msg, name string, addresses []netip.Addr) *dns.Msg {
	question := q.Question[0]
	m := new(dns.Msg)
	m.SetReply(q)
	header := func(t uint16) dns.RR_Header {
		return dns.RR_Header{Name: question.Name, Rrtype: t, Class: dns.ClassINET, Ttl: ttl}
	}
	for _, a := range addresses {
		a = a.Unmap()
		switch any := question.Qtype == dns.TypeANY; {
		case a.Is4() && (any || question.Qtype == dns.TypeA):
			m.Answer = append(m.Answer, &dns.A{Hdr: header(dns.TypeA), A: a.AsSlice()})
		case a.Is6() && (any || question.Qtype == dns.TypeAAAA):
			m.Answer = append(m.Answer, &dns.AAAA{Hdr: header(dns.TypeAAAA), AAAA: a.AsSlice()})
		}
	}
	if len(m.Answer) == 0 {
		_, zone, _ := strings.Cut(name, ".")
		if z, ok := privateZone(name); ok {
			zone = z
		}
		return negative(q, dns.RcodeSuccess, zone)
	}
	rand.Shuffle(len(m.Answer), func(i, j int) { m.Answer[i], m.Answer[j] = m.Answer[j], m.Answer[i] })
	return m
}

// pointer answers a reverse name with the name of its address.
func pointer(q *dns.Msg, name string) *dns.Msg {
	question := q.Question[0]
	if question.Qtype != dns.TypePTR && question.Qtype != dns.TypeANY {
		_, zone, _ := strings.Cut(strings.ToLower(strings.TrimSuffix(question.Name, ".")), ".")
		return negative(q, dns.RcodeSuccess, zone)
	}
	m := new(dns.Msg)
	m.SetReply(q)
	m.Answer = []dns.RR{&dns.PTR{Hdr: dns.RR_Header{Name: question.Name, Rrtype: dns.TypePTR, Class: dns.ClassINET, Ttl: ttl}, Ptr: dns.Fqdn(name)}}
	return m
}

// negative says that the name (or a record of the type) is not in the zone.
func negative(q *dns.Msg, code int, zone string) *dns.Msg {
	m := new(dns.Msg)
	m.SetRcode(q, code)
	zone = dns.Fqdn(zone)
	ns := "ns0." + zone
	if zone == "." {
		ns = "ns0."
	}
	m.Ns = []dns.RR{&dns.SOA{
		Hdr: dns.RR_Header{Name: zone, Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: ttl},
		Ns:  ns, Mbox: "hostmaster.amazon.com.", Serial: 2012103100, Refresh: 3600, Retry: 3600, Expire: 3600, Minttl: ttl,
	}}
	return m
}
