package auth

import (
	"context"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"neargate/auth/policy"
	"neargate/auth/target"
	"neargate/resource/identity"
	"neargate/store"
	"neargate/store/tables"
	"neargate/store/tables/identities"
)

// Denied refuses a call. Its text is AWS's message.
type Denied struct {
	Caller, Action, Resource string
	Reason                   string // e.g. "because no identity-based policy allows the ecs:RunTask action"
}

// Error implements error.
func (e *Denied) Error() string {
	return "User: " + e.Caller + " is not authorized to perform: " + e.Action +
		" on resource: " + e.Resource + " " + e.Reason
}

// Call is an operation about to be served.
type Call struct {
	Service, Operation string // e.g. "ecs", "RunTask"
	Input              any    // pointer to the operation's input
}

// Authorize answers nil when the caller may make the call, a *Denied when not,
// and any other error when that could not be found out. The root user may do
// everything that policies of resources do not deny. GetCallerIdentity needs no permission, and AssumeRole is decided
// by the role's trust policy, which is the service's to read.
func (d *Directory) Authorize(ctx context.Context, c Caller, call Call) error {
	now := d.now()
	if err := d.permit(ctx, c, call, now); err != nil {
		return err
	}
	return d.note(ctx, c, call.Service, now)
}

// permit decides about a call.
func (d *Directory) permit(ctx context.Context, c Caller, call Call, now time.Time) error {
	action := call.Service + ":" + call.Operation
	if call.Service == "iam" || call.Service == "sts" {
		if err := d.sessionMay(ctx, c, call); err != nil {
			return err
		}
	}
	open := slices.Contains(unguarded, action)
	if c.Via == nil && (open || c.Root() && !target.Guarded(call.Service)) {
		return nil
	}
	return d.store.View(ctx, func(tx store.Tx) error {
		p, err := d.parse.principal(tx, c)
		if err != nil {
			return err
		}
		if open {
			p.Set = policy.Set{Identity: everything}
		}
		way, err := d.parse.endpoint(tx, c)
		if err != nil {
			return err
		}
		in := target.Input{Value: reflect.Indirect(reflect.ValueOf(call.Input)), Caller: c.asks(), Tx: tx}
		for _, t := range target.Of(in, call.Service, call.Operation) {
			p.Set.Endpoint = nil // what the service does besides does not pass there
			if strings.HasPrefix(t.Action, call.Service+":") {
				p.Set.Endpoint = way
			}
			for _, resource := range t.Resources {
				u := Use{Action: t.Action, Resource: resource, Keys: t.Context}
				if err := u.find(in, c.Root()); err != nil {
					return err
				}
				if err := d.parse.allow(c, &p, now, &u); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// sessionMay refuses what the caller's session may not do whatever policies say.
func (d *Directory) sessionMay(ctx context.Context, c Caller, call Call) error {
	if !strings.HasPrefix(c.AccessKeyID, "ASIA") {
		return nil
	}
	return d.store.View(ctx, func(tx store.Tx) error {
		s, ok, err := tables.Sessions.Find(tx, c.AccessKeyID)
		if err != nil || !ok {
			return err
		}
		return usable(&s, c, call)
	})
}

// unguarded are the actions that need no permission, or whose service decides.
var unguarded = []string{"sts:GetCallerIdentity", "sts:AssumeRole", "sts:AssumeRoleWithSAML", "sts:AssumeRoleWithWebIdentity", "sts:GetSessionToken"}

// usable refuses what sessions of users may not do: call IAM without MFA, or any of STS but
// GetCallerIdentity and, unless federated, AssumeRole.
func usable(s *identity.Session, c Caller, call Call) error {
	switch {
	case s.Kind == identity.SessionRole:
	case call.Service == "iam" && s.MFAAt.IsZero():
		return ErrNotForSessions
	case call.Service != "sts" || slices.Contains(unguarded, "sts:"+call.Operation) && call.Operation != "AssumeRole", call.Operation == "GetFederationToken":
	case call.Operation != "AssumeRole" || s.Kind == identity.SessionFederated:
		return &Denied{c.ARN, "sts:" + call.Operation, "*", "because it cannot be called with session credentials"}
	}
	return nil
}

// conditionKeys are the global condition keys that the request itself sets.
func (c Caller) conditionKeys(now time.Time) policy.Context {
	keys := policy.Context{}
	keys.Set("aws:PrincipalIsAWSService", "false")
	keys.Set("aws:ViaAWSService", "false")
	if !c.Anonymous() {
		keys.Set("aws:PrincipalArn", c.ARN)
		keys.Set("aws:PrincipalAccount", c.Account)
		keys.Set("aws:userid", c.UserID)
	} else {
		keys.Set("aws:PrincipalType", "Anonymous")
	}
	keys.Set("aws:RequestedRegion", c.Region)
	keys.Set("aws:CurrentTime", now.UTC().Format(time.RFC3339))
	keys.Set("aws:EpochTime", strconv.FormatInt(now.Unix(), 10))
	keys.Set("aws:SecureTransport", strconv.FormatBool(c.Secure))
	c.cameFrom(keys)
	if c.By != "" {
		forwarded(keys, c.By)
	}
	if c.UserAgent != "" {
		keys.Set("aws:UserAgent", c.UserAgent)
	}
	if c.Root() {
		keys.Set("aws:PrincipalType", "Account")
	}
	return keys
}

// ConditionKeys are the global condition keys of a request by the caller at now.
func ConditionKeys(c Caller, now time.Time) policy.Context { return c.conditionKeys(now) }

// Principal is what is stored about a caller and decides what they may do.
type Principal struct {
	Set     policy.Set
	Context policy.Context // condition keys of the principal
	// Names are the forms under which a Principal block may name the caller,
	// the account last.
	Names []policy.Principal
	// Session is set for temporary credentials of a role.
	Session *identity.Session
	// MFAAt is when an MFA device vouched for the caller; zero: none did.
	MFAAt time.Time
}

// keys are the condition keys of a request by the caller at now.
func (p *Principal) keys(c Caller, now time.Time) policy.Context {
	keys := c.conditionKeys(now)
	maps.Copy(keys, p.Context)
	if !p.MFAAt.IsZero() {
		MFAKeys(keys, p.MFAAt, now)
	}
	return keys
}

// decide answers a *Denied unless the principal's policies allow the request.
func (p *Principal) decide(c Caller, r *policy.Request) error {
	if v := p.Set.Decide(r, nil); !v.Allowed {
		return &Denied{c.ARN, r.Action, r.Resource, v.Reason}
	}
	return nil
}

// FindPrincipal gathers what decides about the caller.
func FindPrincipal(tx store.Tx, c Caller) (Principal, error) {
	return new(parser).principal(tx, c)
}

func (p *parser) principal(tx store.Tx, c Caller) (Principal, error) {
	switch {
	case c.Anonymous():
		return Principal{Context: policy.Context{}}, nil
	case c.Root() && !strings.HasPrefix(c.AccessKeyID, "ASIA"):
		return Principal{Set: policy.Set{Identity: everything}, Context: policy.Context{}, Names: names(c.Account)}, nil
	}
	if c.session != nil {
		return p.session(tx, c.session)
	}
	s, ok, err := tables.Sessions.Find(tx, c.AccessKeyID)
	if err != nil {
		return Principal{}, err
	}
	if ok {
		return p.session(tx, &s)
	}
	k, err := tables.AccessKeys.Get(tx, c.AccessKeyID)
	if err != nil {
		return Principal{}, err
	}
	user, err := tables.Users.Get(tx, k.Account, identity.Fold(k.User))
	if err != nil {
		return Principal{}, err
	}
	return p.user(tx, &user)
}

// user is the principal that a user is.
func (p *parser) user(tx store.Tx, user *identity.User) (Principal, error) {
	out := Principal{Context: policy.Context{}, Names: names(user.Account, user.ARN())}
	out.Context.Set("aws:PrincipalType", "User")
	out.Context.Set("aws:username", user.Name)
	principalTags(out.Context, user.Tags)
	var err error
	out.Set, err = p.grants(tx, &user.Grants)
	for _, id := range user.Groups {
		if err != nil {
			break
		}
		err = p.join(tx, &out.Set, user.Account, id)
	}
	return out, err
}

// join adds the policies of a group to those of its member. A group that is gone
// grants nothing.
func (p *parser) join(tx store.Tx, set *policy.Set, account, id string) error {
	g, ok, err := identities.FindGroup(tx, account, id)
	if err != nil || !ok {
		return err
	}
	of, err := p.grants(tx, &g.Grants)
	set.Identity = append(set.Identity, of.Identity...)
	return err
}

func (p *parser) session(tx store.Tx, s *identity.Session) (Principal, error) {
	switch s.Kind {
	case identity.SessionUser:
		return p.sessionUser(tx, s)
	case identity.SessionFederated:
		return p.federated(tx, s)
	}
	role, err := sessionRole(tx, s)
	if err != nil {
		return Principal{}, err
	}
	out := Principal{Context: policy.Context{}, Names: names(s.Account, s.ARN(), role.ARN()), Session: s}
	out.Context.Set("aws:PrincipalType", "AssumedRole")
	out.Context.Set("aws:PrincipalArn", role.ARN())
	temporaryKeys(out.Context, s)
	principalTags(out.Context, role.Tags)
	principalTags(out.Context, s.Tags)
	if out.Set, err = p.grants(tx, &role.Grants); err != nil {
		return Principal{}, err
	}
	out.Set.Session, err = p.limits(tx, s)
	return out, err
}

// sessionUser is the principal of a session that acts as a user, or as the root user,
// itself.
func (p *parser) sessionUser(tx store.Tx, s *identity.Session) (out Principal, err error) {
	user, err := sessionUser(tx, s)
	if err != nil {
		return out, err
	}
	if s.User == "" {
		out = Principal{Set: policy.Set{Identity: everything}, Context: policy.Context{}, Names: names(s.Account)}
	} else if out, err = p.user(tx, &user); err != nil {
		return out, err
	}
	temporaryKeys(out.Context, s)
	out.MFAAt = s.MFAAt
	return out, nil
}

// federated is the principal of somebody a user vouches for, who may do what both the
// user's policies and those of the session allow.
func (p *parser) federated(tx store.Tx, s *identity.Session) (Principal, error) {
	of, err := p.sessionUser(tx, s)
	if err != nil {
		return of, err
	}
	out := Principal{Context: policy.Context{}, Names: names(s.Account, s.ARN()), Set: of.Set}
	out.Context.Set("aws:PrincipalType", "FederatedUser")
	temporaryKeys(out.Context, s)
	principalTags(out.Context, s.Tags)
	out.Set.Session, err = p.limits(tx, s)
	if out.Set.Session == nil {
		out.Set.Session = []*policy.Document{}
	}
	return out, err
}

// MFAKeys sets the condition keys of whom an MFA device has vouched for.
func MFAKeys(keys policy.Context, at, now time.Time) {
	keys.Set("aws:MultiFactorAuthPresent", "true")
	keys.Set("aws:MultiFactorAuthAge", strconv.FormatInt(int64(max(0, now.Sub(at))/time.Second), 10))
}

// temporaryKeys are the condition keys of every session.
func temporaryKeys(keys policy.Context, s *identity.Session) {
	keys.Set("aws:TokenIssueTime", s.IssuedAt.UTC().Format(time.RFC3339))
	keys.Set("aws:MultiFactorAuthPresent", strconv.FormatBool(!s.MFAAt.IsZero()))
	if s.SourceIdentity != "" {
		keys.Set("aws:SourceIdentity", s.SourceIdentity)
	}
	if s.Provider != "" {
		keys.Set("aws:FederatedProvider", s.Provider)
	}
}

// limits parses the policies of a session itself; nil without any.
func (p *parser) limits(tx store.Tx, s *identity.Session) ([]*policy.Document, error) {
	var texts []string
	if s.Policy != "" {
		texts = append(texts, s.Policy)
	}
	for _, a := range s.PolicyARNs {
		text, err := managed(tx, a)
		if err != nil {
			return nil, err
		}
		texts = append(texts, text)
	}
	if len(texts) == 0 {
		return nil, nil
	}
	return p.documents(texts)
}

func names(account string, arns ...string) []policy.Principal {
	var out []policy.Principal
	for _, a := range append(arns, identity.RootARN(account)) {
		out = append(out, policy.Principal{Type: "AWS", ID: a})
	}
	return out
}

func principalTags(keys policy.Context, tags []identity.Tag) {
	for _, t := range tags {
		keys.Set("aws:PrincipalTag/"+t.Key, t.Value)
	}
}

// grants parses the policies a user or a role holds.
func (p *parser) grants(tx store.Tx, g *identity.Grants) (set policy.Set, err error) {
	var texts []string
	for _, in := range g.Inline {
		texts = append(texts, in.Document)
	}
	for _, a := range g.Attached {
		text, err := managed(tx, a)
		if err != nil {
			return set, err
		}
		texts = append(texts, text)
	}
	if set.Identity, err = p.documents(texts); err != nil || g.Boundary == "" {
		return set, err
	}
	text, err := managed(tx, g.Boundary)
	if err != nil {
		return set, err
	}
	set.Boundary, err = p.documents([]string{text})
	return set, err
}

// managed is the text of a managed policy; "" when it is gone, which documents
// leaves out: a policy that no longer exists allows nothing.
func managed(tx store.Tx, policyARN string) (string, error) {
	found, ok, err := tables.FindPolicy(tx, policyARN)
	if err != nil || !ok {
		return "", err
	}
	return found.Document(), nil
}

// documents parses the texts; the result is never nil. A text that is stored
// and yet does not parse is an error: leaving it out could lose a Deny.
func (p *parser) documents(texts []string) ([]*policy.Document, error) {
	docs := []*policy.Document{}
	for _, text := range texts {
		if strings.TrimSpace(text) == "" {
			continue
		}
		d, err := p.document(text)
		if err != nil {
			return nil, errors.Join(errors.New("auth: stored policy"), err)
		}
		docs = append(docs, d)
	}
	return docs, nil
}
