package policy

import (
	"slices"
	"strings"
)

// Request is what a caller wants to do.
type Request struct {
	Action   string // service:Operation
	Resource string // ARN, or "*" for an operation without resource
	Context  Context
	// Principals are the forms under which a Principal block may name the
	// caller, most exact first and the account last: service principals as
	// Service, everything else as AWS. Only trust and resource policies look at
	// them; nobody in particular has none.
	Principals []Principal
	literal    bool // "*" names nobody
}

// Effect is what a policy says of a request.
type Effect int

// The effects; a later one wins over an earlier one.
const (
	Neutral Effect = iota
	Allow
	Deny
)

// Evaluate says what the document says of the request: Deny if any statement
// denies it, else Allow if any allows it.
func (d *Document) Evaluate(r *Request) Effect {
	effect := Neutral
	for i := range d.Statements {
		if s := &d.Statements[i]; s.applies(r) {
			effect = max(effect, s.effect())
		}
	}
	return effect
}

func (s *Statement) effect() Effect {
	if s.Deny {
		return Deny
	}
	return Allow
}

func (s *Statement) applies(r *Request) bool {
	if !s.about(r) {
		return false
	}
	if r.literal && s.NotPrincipal {
		return false
	}
	if s.principalSeen && s.NotPrincipal == slices.ContainsFunc(s.Principals, func(p Principal) bool { return p.names(r) }) {
		return false
	}
	for i := range s.conditions {
		if !s.conditions[i].holds(r.Context) {
			return false
		}
	}
	return true
}

// about reports whether the action and the resource are the statement's. A statement
// without resources is about everything where it belongs to a resource itself, as a
// trust policy does, and about nothing elsewhere.
func (s *Statement) about(r *Request) bool {
	if s.NotAction == some(s.actions, func(p *pattern) bool { return p.matchAction(r.Action) }) {
		return false
	}
	if s.Resources == nil {
		return s.principalSeen
	}
	return s.NotResource != some(s.resources, func(p *pattern) bool { return p.matchARN(r.Resource, r.Context) })
}

func some(patterns []pattern, match func(*pattern) bool) bool {
	for i := range patterns {
		if match(&patterns[i]) {
			return true
		}
	}
	return false
}

// names reports whether a principal of a policy is one of the request's. A bare
// account id stands for the account's root principal.
func (p Principal) names(r *Request) bool {
	id := p.ID
	if p.Type == "AWS" {
		if id == "*" {
			return !r.literal
		}
		if len(id) == 12 && strings.Trim(id, "0123456789") == "" {
			id = "arn:aws:iam::" + id + ":root"
		}
	}
	return slices.Contains(r.Principals, Principal{p.Type, id})
}

// Set is everything that decides about one principal's requests. A nil
// Boundary, Session or Endpoint is no limit; an empty one allows nothing.
type Set struct {
	Identity []*Document // inline and attached policies
	Boundary []*Document // permissions boundary
	Session  []*Document // session policies
	Endpoint []*Document // policy of the VPC endpoint that the request came through
}

// Verdict is the decision about a request with the reason for a refusal.
type Verdict struct {
	Allowed bool
	Denied  bool   // refused by a Deny rather than for want of an Allow
	Reason  string // as AWS ends its AccessDenied messages; "" when allowed
}

// Guard is the policy of the resource that a request is about, and how it counts.
type Guard struct {
	Document *Document // nil when the resource has none
	Foreign  bool      // the resource is not of the caller's account
	Sole     bool      // nothing is allowed unless Document allows it
}

// grant is whom a resource's policy allows a request: later ones include earlier.
type grant int

const (
	nobody    grant = iota
	account         // the account of the caller, who needs a policy of their own
	principal       // the caller under some name, or everybody
	exactly         // the user or session itself, by its ARN
	beyond          // more than any policy gives
)

// Decide evaluates the set and the guard, which may be nil. Any Deny refuses. Else
// every kind of policy in the set must allow, unless the guard allows more: within
// one account, a policy of the resource that names the caller takes the place of
// identity-based policies, and one that names the user or session itself is not
// limited by boundary and session policies either. A guard that is Foreign or Sole
// must allow too.
//
// Source: IAM User Guide, "Policy evaluation logic" and "Permissions boundaries".
func (s *Set) Decide(r *Request, g *Guard) Verdict {
	kinds := [...]struct {
		name, article string
		documents     []*Document
		limits        bool
		waiver        grant // what lifts the limit
	}{
		{"identity-based policy", "an", s.Identity, true, principal},
		{"permissions boundary", "a", s.Boundary, s.Boundary != nil, exactly},
		{"session policy", "a", s.Session, s.Session != nil, exactly},
		{"VPC endpoint policy", "a", s.Endpoint, s.Endpoint != nil, beyond},
	}
	effect, given := g.evaluate(r)
	if effect == Deny {
		return Verdict{Denied: true, Reason: "with an explicit deny in a resource-based policy"}
	}
	refusal := ""
	if g != nil && (g.Foreign || g.Sole) && given == nobody {
		refusal = lacking("resource-based policy", r)
	}
	for _, k := range kinds {
		switch evaluateAll(k.documents, r) {
		case Deny:
			return Verdict{Denied: true, Reason: "with an explicit deny in " + k.article + " " + k.name}
		case Neutral:
			if k.limits && refusal == "" && (given < k.waiver || g.Foreign) {
				refusal = lacking(k.name, r)
			}
		}
	}
	return Verdict{Allowed: refusal == "", Reason: refusal}
}

func lacking(kind string, r *Request) string {
	return "because no " + kind + " allows the " + r.Action + " action"
}

// evaluate says what the policy of the resource says of the request, and whom it
// allows it.
func (g *Guard) evaluate(r *Request) (Effect, grant) {
	if g == nil || g.Document == nil {
		return Neutral, nobody
	}
	effect := g.Document.Evaluate(r)
	if effect != Allow {
		return effect, nobody
	}
	direct := *r
	if n := len(r.Principals); n > 1 {
		direct.Principals = r.Principals[:n-1]
	}
	if !g.Document.allows(&direct) {
		return effect, account
	}
	direct.Principals, direct.literal = direct.Principals[:min(1, len(direct.Principals))], true
	if !g.Document.allows(&direct) {
		return effect, principal
	}
	return effect, exactly
}

// allows reports whether a statement allows the request, whatever others deny.
func (d *Document) allows(r *Request) bool {
	for i := range d.Statements {
		if s := &d.Statements[i]; !s.Deny && s.applies(r) {
			return true
		}
	}
	return false
}

func evaluateAll(documents []*Document, r *Request) Effect {
	effect := Neutral
	for _, d := range documents {
		effect = max(effect, d.Evaluate(r))
	}
	return effect
}
