package dns

import (
	"context"
	"strings"

	"github.com/miekg/dns"
)

// maxLinks is how often an answer may lead to a name that somebody else knows.
const maxLinks = 8

// resolve asks who may know, the private zones first: what is in one of them is never
// asked elsewhere. Source: Amazon Route 53 Developer Guide, Considerations when
// working with a private hosted zone. It returns nil when no reply is to be sent.
func (r *Resolver) resolve(ctx context.Context, from client, c *Config, q *dns.Msg, links int) *dns.Msg {
	if hidden, err := c.hidden(ctx, q); err != nil {
		return refuse(q, dns.RcodeServerFailure)
	} else if hidden != nil {
		return hidden
	}
	reply, outside, err := c.privateZones(ctx, q)
	if reply == nil && err == nil {
		reply, err = c.given(ctx, q)
	}
	if reply == nil && err == nil {
		if own := c.own(q); own != nil {
			return own
		}
		reply, outside, err = c.publicZones(ctx, q)
	}
	switch {
	case err != nil, links > maxLinks:
		return refuse(q, dns.RcodeServerFailure)
	case reply == nil:
		return r.outward(ctx, from, q)
	case outside == "":
		return reply
	}
	next := q.Copy()
	next.Question[0].Name = outside
	rest := r.resolve(ctx, from, c, next, links+1)
	if rest == nil {
		return nil
	}
	reply.Answer = append(reply.Answer, rest.Answer...)
	reply.Ns, reply.Rcode = rest.Ns, rest.Rcode
	return reply
}

// outward asks the host's resolvers.
func (r *Resolver) outward(ctx context.Context, from client, q *dns.Msg) *dns.Msg {
	if !r.busy.take(from) {
		return nil
	}
	defer r.busy.give(from)
	return r.forward.ask(ctx, q)
}

// hidden answers a name that an interface endpoint has taken over, unless a private
// zone of the VPC is about it more precisely. Of private zones the one with the
// longest name counts. Source: Amazon Route 53 Developer Guide, Considerations when
// working with a private hosted zone.
func (c *Config) hidden(ctx context.Context, q *dns.Msg) (*dns.Msg, error) {
	if c.Hidden == nil {
		return nil, nil
	}
	name := strings.ToLower(strings.TrimSuffix(q.Question[0].Name, "."))
	zone, addresses := c.Hidden(name)
	if zone == "" {
		return nil, nil
	}
	if c.Zones != nil && c.Hostnames {
		own, err := c.Zones.Within(ctx, q.Question[0].Name)
		if err != nil || dns.CountLabel(own) >= dns.CountLabel(zone) {
			return nil, err
		}
	}
	return found(q, name, addresses), nil
}

// privateZones asks the private zones, which need both attributes of the VPC.
func (c *Config) privateZones(ctx context.Context, q *dns.Msg) (reply *dns.Msg, outside string, err error) {
	if c.Zones == nil || !c.Hostnames {
		return nil, "", nil
	}
	return c.Zones.Private(ctx, q.Question[0])
}

// given answers the reverse name of an Elastic IP address whose owner gave it one.
func (c *Config) given(ctx context.Context, q *dns.Msg) (*dns.Msg, error) {
	name := strings.ToLower(strings.TrimSuffix(q.Question[0].Name, "."))
	if c.Zones == nil || !under(name, "in-addr.arpa") {
		return nil, nil
	}
	a, full := reversed(name)
	if !full || !c.Pool.Contains(a) {
		return nil, nil
	}
	owner, err := c.Zones.Reverse(ctx, a)
	if owner == "" || err != nil {
		return nil, err
	}
	return pointer(q, owner), nil
}

func (c *Config) publicZones(ctx context.Context, q *dns.Msg) (reply *dns.Msg, outside string, err error) {
	if c.Zones == nil {
		return nil, "", nil
	}
	return c.Zones.Public(ctx, q.Question[0])
}
