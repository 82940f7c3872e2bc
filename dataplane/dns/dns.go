// Package dns is the resolver that Amazon has in every VPC, at the VPC's second
// address and at 169.254.169.253.
//
// It answers the names of private and public addresses of the VPC, and those
// that the installation itself has, and asks the host's resolvers about the rest.
// Each VPC sees its own: addresses of two VPCs may be equal. Whoever makes a VPC
// real opens the sockets in its namespace and hands them to [Resolver.Serve].
//
// What is answered here and what not: Amazon VPC User Guide, DNS attributes for
// your VPC; Amazon Route 53 Developer Guide, What is Route 53 VPC Resolver.
package dns

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"github.com/miekg/dns"

	"neargate/internal/bucket"
)

// Config is what the resolver knows of a VPC. It is not changed once given.
type Config struct {
	Region    string
	CIDRs     []netip.Prefix
	Support   bool // enableDnsSupport: without, nothing is answered
	Hostnames bool // enableDnsHostnames: without, the VPC's addresses have no names
	// Pool holds the installation's public addresses. The name of one is answered
	// with the private address if it belongs to an interface of this VPC.
	Pool   netip.Prefix
	Public map[netip.Addr]netip.Addr // public to private
	// Names answers the names that the installation has for this VPC: lower case,
	// without the last dot. A name without addresses exists and has none.
	Names func(name string) (addresses []netip.Addr, ok bool)
	// Hidden answers the names that interface endpoints of the VPC have taken over:
	// each is in a private zone of the endpoint's own. zone is empty for other names;
	// nil: there are none.
	Hidden func(name string) (zone string, addresses []netip.Addr)
	Zones  Zones // hosted zones that the VPC sees; nil: none
}

// Zones answers questions from hosted zones. A nil reply says that the question is
// about none of them, and outside is the name that the answer leads to and that is to
// be asked elsewhere.
type Zones interface {
	Private(ctx context.Context, q dns.Question) (reply *dns.Msg, outside string, err error)
	Public(ctx context.Context, q dns.Question) (reply *dns.Msg, outside string, err error)
	// Within is the name of the private zone that holds a name, with the last dot;
	// empty: none does.
	Within(ctx context.Context, name string) (zone string, err error)
	// Reverse is the name that its owner gave an Elastic IP address, with the last dot;
	// empty: none.
	Reverse(ctx context.Context, a netip.Addr) (name string, err error)
}

// Upstream answers what is not known here. It returns within its context, and an
// error means that nobody answered.
type Upstream interface {
	Exchange(ctx context.Context, query *dns.Msg) (*dns.Msg, error)
}

// Limits. Source: Amazon VPC User Guide, DNS quotas (packets), and this
// package's own bounds.
const (
	packetsPerSecond = 1024 // from one address
	inFlight         = 4096 // queries of all VPCs
	inFlightPerHost  = 256
	answerWithin     = 4 * time.Second // less than resolver libraries wait
	cacheBytes       = 16 << 20
)

// Resolver answers the queries of many VPCs. Its methods may be called from many
// goroutines.
type Resolver struct {
	vpcs    sync.Map // of *Config by VPC
	forward *forwarder
	limit   bucket.Set[client]
	busy    *slots
	now     func() time.Time
}

// client is who asks: addresses are only unique within a VPC.
type client struct {
	vpc  string
	addr netip.Addr
}

// New returns a resolver that knows no VPC yet.
func New(upstream Upstream) *Resolver {
	return &Resolver{forward: newForwarder(upstream, cacheBytes, time.Now), busy: newSlots(inFlight, inFlightPerHost), now: time.Now}
}

// Set gives the resolver a VPC's configuration, from the next query on.
func (r *Resolver) Set(vpc string, c Config) { r.vpcs.Store(vpc, &c) }

// Remove makes the resolver forget a VPC; its sockets stay silent.
func (r *Resolver) Remove(vpc string) { r.vpcs.Delete(vpc) }

// answer is the reply to a query; nil: none is sent.
func (r *Resolver) answer(ctx context.Context, from client, q *dns.Msg) *dns.Msg {
	known, _ := r.vpcs.Load(from.vpc)
	c, ok := known.(*Config)
	if !ok || !c.Support || !r.limit.Take(from, bucket.Rate{Burst: packetsPerSecond, PerSecond: packetsPerSecond}, r.now(), 1) {
		return nil
	}
	if code, ok := acceptable(q); !ok {
		return finish(q, refuse(q, code))
	}
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	if reply := r.resolve(ctx, from, c, q, 0); reply != nil {
		return finish(q, reply)
	}
	return nil
}

// acceptable reports whether a query is one to be answered, else with which code
// it is refused.
func acceptable(q *dns.Msg) (code int, ok bool) {
	if q.Response || q.Opcode == dns.OpcodeQuery && len(q.Question) != 1 {
		return dns.RcodeFormatError, false
	}
	if opt := q.IsEdns0(); opt != nil && opt.Version() != 0 {
		return dns.RcodeBadVers, false
	}
	if q.Opcode != dns.OpcodeQuery {
		return dns.RcodeNotImplemented, false
	}
	switch question := q.Question[0]; {
	case question.Qclass != dns.ClassINET, question.Qtype == dns.TypeAXFR, question.Qtype == dns.TypeIXFR:
		return dns.RcodeRefused, false
	}
	return 0, true
}

func refuse(q *dns.Msg, code int) *dns.Msg {
	m := new(dns.Msg)
	m.SetRcode(q, code)
	m.RecursionAvailable = true
	return m
}

// finish gives a reply the header and the EDNS record that go with the query.
// Source: RFC 6891, 7 (a reply has an OPT record exactly if the query has one).
func finish(q, reply *dns.Msg) *dns.Msg {
	reply.Id, reply.Response, reply.Opcode = q.Id, true, q.Opcode
	reply.RecursionDesired, reply.RecursionAvailable, reply.CheckingDisabled = q.RecursionDesired, true, q.CheckingDisabled
	reply.Authoritative = false
	reply.Question = q.Question
	theirs, ours := q.IsEdns0(), reply.IsEdns0()
	switch {
	case theirs == nil && ours != nil:
		reply.Extra = without(reply.Extra, ours)
		if reply.Rcode > 0xF {
			reply.Rcode = dns.RcodeServerFailure
		}
	case theirs != nil && ours == nil:
		reply.SetEdns0(ednsSize, theirs.Do())
	}
	return reply
}
