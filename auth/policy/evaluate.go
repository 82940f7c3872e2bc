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
	// caller: service principals as Service, everything else as AWS. Only trust
	// and resource policies look at them.
	Principals []Principal
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
	if s.NotAction == slices.ContainsFunc(s.Actions, func(a string) bool { return matchFold(a, r.Action) }) {
		return false
	}
	if !s.covers(r) {
		return false
	}
	if s.principalSeen && s.NotPrincipal == slices.ContainsFunc(s.Principals, func(p Principal) bool { return p.names(r) }) {
		return false
	}
	for i := range s.conditions {
		if !s.conditions[i].holds(r.Context, s.variables) {
			return false
		}
	}
	return true
}

// covers reports whether the resource is the statement's. A statement without
// resources covers everything where it belongs to a resource itself, as a trust
// policy does, and nothing elsewhere.
func (s *Statement) covers(r *Request) bool {
	if s.Resources == nil {
		return s.principalSeen
	}
	return s.NotResource != slices.ContainsFunc(s.Resources, func(p string) bool {
		return matchARN(p, r.Resource, r.Context, s.variables)
	})
}

// names reports whether a principal of a policy is one of the request's. A bare
// account id stands for the account's root principal.
func (p Principal) names(r *Request) bool {
	id := p.ID
	if p.Type == "AWS" {
		if id == "*" {
			return true
		}
		if len(id) == 12 && strings.Trim(id, "0123456789") == "" {
			id = "arn:aws:iam::" + id + ":root"
		}
	}
	return slices.Contains(r.Principals, Principal{p.Type, id})
}

// Set is everything that decides about one principal's requests. A nil
// Boundary or Session is no limit; an empty one allows nothing.
type Set struct {
	Identity []*Document // inline and attached policies
	Boundary []*Document // permissions boundary
	Session  []*Document // session policies
}

// Verdict is the decision about a request with the reason for a refusal.
type Verdict struct {
	Allowed bool
	Reason  string // as AWS ends its AccessDenied messages; "" when allowed
}

// Decide evaluates the set: any Deny refuses; else every kind of policy present
// must allow.
func (s *Set) Decide(r *Request) Verdict {
	kinds := []struct {
		name, article string
		documents     []*Document
		limits        bool
	}{
		{"identity-based policy", "an", s.Identity, true},
		{"permissions boundary", "a", s.Boundary, s.Boundary != nil},
		{"session policy", "a", s.Session, s.Session != nil},
	}
	refusal := ""
	for _, k := range kinds {
		switch evaluateAll(k.documents, r) {
		case Deny:
			return Verdict{Reason: "with an explicit deny in " + k.article + " " + k.name}
		case Neutral:
			if k.limits && refusal == "" {
				refusal = "because no " + k.name + " allows the " + r.Action + " action"
			}
		}
	}
	return Verdict{Allowed: refusal == "", Reason: refusal}
}

func evaluateAll(documents []*Document, r *Request) Effect {
	effect := Neutral
	for _, d := range documents {
		effect = max(effect, d.Evaluate(r))
	}
	return effect
}
