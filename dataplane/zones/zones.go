// Package zones answers the resolver of a VPC from the hosted zones of Amazon Route
// 53. It reads the store for every query, so that a change counts from its commit on.
//
// A VPC sees the private zones it is associated with, and the public zones of its own
// account: nobody delegates domains to an installation, so what one account says of a
// domain must not count for others.
package zones

import (
	"context"
	"strings"

	"github.com/miekg/dns"

	"neargate/resource/zone"
	"neargate/resource/zone/rdata"
	"neargate/store"
	"neargate/store/tables/zones"
)

// Zones are the hosted zones that one VPC sees.
type Zones struct {
	Store           store.Store
	Account, Region string
	VPC             string
}

// maxLinks is how many aliases and canonical names are followed for one question.
const maxLinks = 16

// Private answers a question that is about a private zone; nil, where it is about
// none. An answer that ends with a name outside the private zones says which.
func (z Zones) Private(ctx context.Context, q dns.Question) (reply *dns.Msg, outside string, err error) {
	return z.answer(ctx, q, true)
}

// Public is Private for public zones.
func (z Zones) Public(ctx context.Context, q dns.Question) (reply *dns.Msg, outside string, err error) {
	return z.answer(ctx, q, false)
}

// Within is the name of the private zone that holds a name, with the last dot; empty:
// none does.
func (z Zones) Within(ctx context.Context, name string) (own string, err error) {
	err = z.Store.View(ctx, func(tx store.Tx) error {
		best, err := z.find(tx, strings.ToLower(dns.Fqdn(name)), true)
		if own = ""; best != nil {
			own = best.Name
		}
		return err
	})
	return own, err
}

func (z Zones) answer(ctx context.Context, q dns.Question, private bool) (reply *dns.Msg, outside string, err error) {
	err = z.Store.View(ctx, func(tx store.Tx) error {
		reply, outside = nil, ""
		a := answer{tx: tx, zones: z, private: private, kind: q.Qtype, reply: new(dns.Msg)}
		found, err := a.name(q.Name)
		if found {
			reply, outside = a.reply, a.outside
		}
		return err
	})
	return reply, outside, err
}

// find is the zone with the longest name that holds a name, among those of a kind that
// the VPC sees; of equal names the oldest. It is nil when there is none.
func (z Zones) find(tx store.Tx, name string, private bool) (best *zone.Zone, err error) {
	for at := name; best == nil; at = zone.Parent(at) {
		same := zones.Zones.By(tx, zones.ByName, z.Account, zone.Order(at))
		if private {
			same = zones.Zones.By(tx, zones.ByVPC, z.Region, z.VPC, zone.Order(at))
		}
		for o, err := range same {
			if err != nil {
				return nil, err
			}
			if o.Private == private && (best == nil || o.CreatedAt.Before(best.CreatedAt)) {
				best = &o
			}
		}
		if at == "." {
			break
		}
	}
	return best, nil
}

// answer is an answer while it is made.
type answer struct {
	tx      store.Tx
	zones   Zones
	private bool
	kind    uint16
	reply   *dns.Msg
	links   int
	outside string
}

// name answers a name in the presentation form of DNS, and the names it leads to. It
// returns false when no zone holds the name.
func (a *answer) name(owner string) (bool, error) {
	name := rdata.Canonical(owner)
	z, err := a.zones.find(a.tx, name, a.private)
	if z == nil || err != nil {
		return false, err
	}
	if away, err := a.delegated(z, name); away || err != nil {
		return false, err
	}
	node, err := a.node(z, name)
	switch {
	case err != nil:
		return true, err
	case node == "":
		return true, a.negative(z, dns.RcodeNameError)
	}
	sets, err := zones.Sets(a.tx, z, node)
	if err != nil {
		return true, err
	}
	before := len(a.reply.Answer)
	for _, typ := range typesOf(sets) {
		if number, _ := rdata.Type(typ); a.kind != number && a.kind != dns.TypeANY {
			continue
		}
		records, err := a.records(z, owner, choose(ofType(sets, typ)), 0)
		if err != nil {
			return true, err
		}
		a.reply.Answer = append(a.reply.Answer, records...)
	}
	if len(a.reply.Answer) > before {
		return true, nil
	}
	return true, a.follow(z, owner, ofType(sets, "CNAME"))
}

// follow answers with a canonical name and with what that is; or that there is nothing.
func (a *answer) follow(z *zone.Zone, owner string, sets []zone.RecordSet) error {
	records, err := a.records(z, owner, choose(sets), 0)
	if err != nil {
		return err
	}
	if len(records) == 0 {
		return a.negative(z, dns.RcodeSuccess)
	}
	a.reply.Answer = append(a.reply.Answer, records[0])
	if a.links++; a.links > maxLinks {
		a.reply.Rcode = dns.RcodeServerFailure
		return nil
	}
	target := records[0].(*dns.CNAME).Target
	found, err := a.name(target)
	if err == nil && !found {
		a.outside = target
	}
	return err
}

// delegated reports whether a public zone leaves a name to the name servers of a
// domain below its own.
func (a *answer) delegated(z *zone.Zone, name string) (bool, error) {
	if z.Private {
		return false, nil
	}
	for at := name; at != z.Name; at = zone.Parent(at) {
		if at == name && a.kind == dns.TypeDS {
			continue
		}
		sets, err := zones.Sets(a.tx, z, at, "NS")
		if err != nil || len(sets) > 0 {
			return true, err
		}
	}
	return false, nil
}

// node is the name whose records answer for a name: itself, or the wildcard next to
// it; "" when there is none. Source: RFC 4592, 2.2.1 and 4.3.2.
func (a *answer) node(z *zone.Zone, name string) (string, error) {
	if zones.Exists(a.tx, z, name) {
		return name, nil
	}
	closest := name
	for closest != z.Name && !zones.Exists(a.tx, z, closest) {
		closest = zone.Parent(closest)
	}
	sets, err := zones.Sets(a.tx, z, zone.Wildcard(closest))
	if err != nil || len(sets) == 0 {
		return "", err
	}
	return zone.Wildcard(closest), nil
}

// records are the records of record sets, also by way of aliases, which show none of
// the names on the way.
func (a *answer) records(z *zone.Zone, owner string, sets []zone.RecordSet, depth int) (all []dns.RR, err error) {
	for i := range sets {
		r := &sets[i]
		if r.Alias != nil {
			if depth >= maxLinks || r.Alias.Zone != z.ID {
				continue
			}
			targets, err := zones.Sets(a.tx, z, r.Alias.Name, r.Type)
			if err != nil {
				return nil, err
			}
			behind, err := a.records(z, owner, choose(targets), depth+1)
			if err != nil {
				return nil, err
			}
			all = append(all, behind...)
			continue
		}
		for _, v := range r.Values {
			rr, err := rdata.Parse(r.Type, v)
			if err != nil {
				return nil, err
			}
			rr.Header().Name, rr.Header().Ttl = owner, uint32(r.TTL)
			all = append(all, rr)
		}
	}
	return all, nil
}

// negative says that a name, or records of a type, are not in a zone.
func (a *answer) negative(z *zone.Zone, code int) error {
	a.reply.Rcode = code
	sets, err := zones.Sets(a.tx, z, z.Name, "SOA")
	if err != nil {
		return err
	}
	records, err := a.records(z, rdata.Presentation(z.Name), sets, 0)
	for _, rr := range records {
		if soa, ok := rr.(*dns.SOA); ok {
			soa.Hdr.Ttl = min(soa.Hdr.Ttl, soa.Minttl)
			a.reply.Ns = append(a.reply.Ns, soa)
		}
	}
	return err
}
