package auth

import (
	"cmp"
	"maps"
	"strings"
	"time"

	"neargate/arn"
	"neargate/auth/policy"
	"neargate/auth/target"
	"neargate/store"
)

// Resource is what decides about the use of a resource besides the policies of the
// caller.
type Resource = target.Resource

// Use is one action on one resource that Allow is asked about.
type Use struct {
	Action   string         // e.g. s3:GetObject
	Resource string         // ARN, or "*"
	Keys     policy.Context // condition keys besides those of the caller; may be nil
	On       Resource
	guarded  bool // On counts
}

// Allow answers nil when the caller, who may be anonymous, may do something with a
// resource, and a *Denied when not. It decides as Authorize does: a Deny anywhere
// refuses; within an account, the caller's policies or the resource's must allow it;
// across accounts, both; boundary and session policies limit. It is for what is not
// an operation of a service with a generated input: the protocols of S3 and of the
// registry, a KMS key that a secret is encrypted with, a resource found in a record.
func Allow(tx store.Tx, c Caller, now time.Time, u Use) error {
	return new(parser).use(tx, c, now, u)
}

// Allow is the function Allow, remembering the policies it has parsed.
func (d *Directory) Allow(tx store.Tx, c Caller, u Use) error {
	return d.parse.use(tx, c, d.now(), u)
}

func (p *parser) use(tx store.Tx, c Caller, now time.Time, u Use) error {
	principal, err := p.principal(tx, c)
	if err != nil {
		return err
	}
	if principal.Set.Endpoint, err = p.endpoint(tx, c); err != nil {
		return err
	}
	u.guarded = true
	return p.allow(c, &principal, now, &u)
}

// allow decides about a use by the caller, of whom principal is known.
func (p *parser) allow(c Caller, principal *Principal, now time.Time, u *Use) error {
	r := policy.Request{Action: u.Action, Resource: u.Resource, Context: principal.keys(c, now), Principals: principal.Names}
	maps.Copy(r.Context, u.Keys)
	guard, err := p.guard(c, u, r.Context)
	if err != nil {
		return err
	}
	if v := principal.Set.Decide(&r, guard); !v.Allowed {
		return &Denied{c.ARN, u.Action, u.Resource, v.Reason}
	}
	return nil
}

// find looks up what the service knows of the resource.
func (u *Use) find(in target.Input, root bool) (err error) {
	service, _, _ := strings.Cut(u.Action, ":")
	u.On, u.guarded, err = target.About(in, service, u.Resource, root)
	return err
}

// guard sets the condition keys of the resource and returns its policy, nil when the
// caller's policies alone decide.
func (p *parser) guard(c Caller, u *Use, keys policy.Context) (*policy.Guard, error) {
	service, _, _ := strings.Cut(u.Action, ":")
	for _, t := range u.On.Tags {
		keys.Set("aws:ResourceTag/"+t.Key, t.Value)
		keys.Set(service+":ResourceTag/"+t.Key, t.Value)
	}
	if !u.guarded {
		return nil, nil
	}
	owner := u.On.Account
	if a, err := arn.Parse(u.Resource); err == nil {
		owner = cmp.Or(owner, a.Account)
	}
	if owner != "" {
		keys.Set("aws:ResourceAccount", owner)
	}
	g := &policy.Guard{Sole: u.On.Sole, Foreign: !c.Anonymous() && owner != "" && owner != c.Account}
	docs, err := p.documents([]string{u.On.Policy})
	if err == nil && len(docs) > 0 {
		g.Document = docs[0]
	}
	return g, err
}

// everything allows whatever there is.
var everything = []*policy.Document{policy.Everything()}
