package sts

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"neargate/auth"
	"neargate/auth/policy"
	api "neargate/aws/sts"
	"neargate/resource/identity"
	"neargate/store"
	"neargate/store/tables"
	"neargate/wire/shape"
)

// chainedMax is the longest session, in seconds, of a role assumed with the
// credentials of another.
const chainedMax = 3600

// packedMax is how many characters session policies may have together.
const packedMax = 2048

// maxSessionPolicies is how many managed session policies may be given.
const maxSessionPolicies = 10

// AssumeRole issues temporary credentials of a role whose trust policy lets the
// caller have them.
func (s *Service) AssumeRole(ctx context.Context, in *api.AssumeRoleInput) (*api.AssumeRoleOutput, error) {
	caller := auth.CallerFrom(ctx)
	if caller.Root() {
		return nil, accessDenied("Roles may not be assumed by root accounts.")
	}
	account, name, ok := identity.RoleName(*in.RoleArn)
	if !ok {
		return nil, invalid("%s is invalid", *in.RoleArn)
	}
	if err := checkInput(in); err != nil {
		return nil, err
	}
	proved, err := s.proveMFA(ctx, in.SerialNumber, in.TokenCode)
	if err != nil {
		return nil, err
	}
	now := s.deps.Now()
	var minted identity.Session
	token := minted.Issue(s.deps.IDs)
	var session identity.Session
	err = s.deps.Store.Update(ctx, func(tx store.Tx) error {
		principal, err := auth.FindPrincipal(tx, caller)
		if err != nil {
			return err
		}
		role, ok, err := tables.Roles.Find(tx, account, identity.Fold(name))
		if err != nil {
			return err
		}
		if !ok || role.ARN() != *in.RoleArn {
			return denied(caller, "sts:AssumeRole", *in.RoleArn)
		}
		if session, err = newSession(in, &role, principal.Session, now); err != nil {
			return err
		}
		if err := authorize(caller, &principal, &role, in, &session, proved, now); err != nil {
			return err
		}
		if err := checkPolicies(tx, role.Account, session.PolicyARNs); err != nil {
			return err
		}
		session.ID, session.Secret, session.TokenHash = minted.ID, minted.Secret, minted.TokenHash
		return tables.Sessions.Put(tx, &session)
	})
	if err != nil {
		return nil, err
	}
	out := &api.AssumeRoleOutput{
		AssumedRoleUser:  &api.AssumedRoleUser{Arn: new(session.ARN()), AssumedRoleId: new(session.UserID())},
		Credentials:      credentials(&session, &token),
		PackedPolicySize: packedShare(&session),
	}
	if session.SourceIdentity != "" {
		out.SourceIdentity = &session.SourceIdentity
	}
	return out, nil
}

// credentials are those of a session, with its token.
func credentials(s *identity.Session, token *string) *api.Credentials {
	return &api.Credentials{AccessKeyId: &s.ID, SecretAccessKey: &s.Secret, SessionToken: token, Expiration: &s.Expires}
}

// packedShare is how many percent of the space session policies take; nil without any.
func packedShare(s *identity.Session) *int32 {
	size := packed(s)
	if size == 0 {
		return nil
	}
	return new(int32((size*100 + packedMax - 1) / packedMax))
}

// checkInput checks what the request says on its own.
func checkInput(in *api.AssumeRoleInput) error {
	switch {
	case len(in.ProvidedContexts) > 0:
		return invalid("ProvidedContexts is not supported")
	case in.MinimumSessionTokenSize != nil:
		return invalid("MinimumSessionTokenSize is not supported")
	case len(in.PolicyArns) > maxSessionPolicies:
		return invalid("1 validation error detected: Value at 'policyArns' failed to satisfy constraint: Member must have length less than or equal to %d", maxSessionPolicies)
	}
	if in.Policy != nil {
		if _, err := policy.Check(*in.Policy, policy.Session); err != nil {
			return api.MalformedPolicyDocumentException(err.Error())
		}
	}
	seen := map[string]bool{}
	for _, t := range in.Tags {
		k := strings.ToLower(*t.Key)
		if seen[k] {
			return shape.Errorf("InvalidParameterValue", "Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		}
		if strings.HasPrefix(k, "aws:") {
			return shape.Errorf("InvalidParameterValue", "Tag keys beginning with aws: are reserved for system use.")
		}
		seen[k] = true
	}
	for _, k := range in.TransitiveTagKeys {
		if !seen[strings.ToLower(k)] {
			return shape.Errorf("InvalidParameterValue", "The specified transitive tag key must be included in the requested tags.")
		}
	}
	return nil
}

// newSession makes the session a request asks for, without credentials. Parent
// is the session of the caller, nil when the caller is a user.
func newSession(in *api.AssumeRoleInput, role *identity.Role, parent *identity.Session, now time.Time) (identity.Session, error) {
	duration := int32(identity.DefaultMaxSession)
	if in.DurationSeconds != nil {
		duration = *in.DurationSeconds
	}
	switch {
	case parent != nil && duration > chainedMax:
		return identity.Session{}, invalid("The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.")
	case duration > role.MaxSession:
		return identity.Session{}, invalid("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	issued := now.UTC().Truncate(time.Second)
	session := identity.Session{
		Account: role.Account, Role: role.Name, RoleID: role.ID, Name: *in.RoleSessionName,
		TransitiveTagKeys: in.TransitiveTagKeys, IssuedAt: issued,
		Expires: issued.Add(time.Duration(duration) * time.Second),
	}
	if err := fill(&session, in); err != nil {
		return identity.Session{}, err
	}
	if parent == nil {
		return session, nil
	}
	return session, inherit(&session, parent)
}

// fill sets what a request says of a session.
func fill(session *identity.Session, in *api.AssumeRoleInput) error {
	if in.SourceIdentity != nil {
		session.SourceIdentity = *in.SourceIdentity
	}
	if in.Policy != nil {
		session.Policy = *in.Policy
	}
	for _, p := range in.PolicyArns {
		if p.Arn != nil {
			session.PolicyARNs = append(session.PolicyARNs, *p.Arn)
		}
	}
	for _, t := range in.Tags {
		session.Tags = append(session.Tags, identity.Tag{Key: *t.Key, Value: *t.Value})
	}
	if size := packed(session); size > packedMax {
		return api.PackedPolicyTooLargeException(fmt.Sprintf(
			"Packed policy consumes %d%% of allotted space, please use smaller policy.", size*100/packedMax))
	}
	return nil
}

// inherit hands what a session passes on to the session it starts: its
// transitive tags and its source identity, neither of which can be changed.
func inherit(session, parent *identity.Session) error {
	for _, k := range parent.TransitiveTagKeys {
		same := func(t identity.Tag) bool { return strings.EqualFold(t.Key, k) }
		if slices.ContainsFunc(session.Tags, same) {
			return shape.Errorf("InvalidParameterValue", "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.")
		}
		if i := slices.IndexFunc(parent.Tags, same); i >= 0 {
			session.Tags = append(session.Tags, parent.Tags[i])
			session.TransitiveTagKeys = append(slices.Clip(session.TransitiveTagKeys), k)
		}
	}
	switch {
	case parent.SourceIdentity == "":
	case session.SourceIdentity == "":
		session.SourceIdentity = parent.SourceIdentity
	case session.SourceIdentity != parent.SourceIdentity:
		return accessDenied("The source identity of a session cannot be changed.")
	}
	return nil
}

// packed counts the characters of session policies.
func packed(s *identity.Session) int {
	n := len(s.Policy)
	for _, a := range s.PolicyARNs {
		n += len(a)
	}
	return n
}

// allowAll stands for the identity policies of a caller whom the trust policy
// names: what it says is enough, within the limits of boundary and session.
const allowAll = `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`

// authorize decides whether the caller may have the session: the role's trust
// policy must allow it, and unless it names the caller within the same account,
// the caller's own policies too. Neither may deny it. Session tags and a source
// identity are permissions of their own.
func authorize(caller auth.Caller, p *auth.Principal, role *identity.Role, in *api.AssumeRoleInput, session *identity.Session, proved, now time.Time) error {
	trust, err := policy.Parse(role.Trust)
	if err != nil {
		return errors.Join(errors.New("sts: stored trust policy"), err)
	}
	keys := auth.ConditionKeys(caller, now)
	maps.Copy(keys, p.Context)
	if proved.IsZero() {
		proved = p.MFAAt
	}
	if !proved.IsZero() {
		auth.MFAKeys(keys, proved, now)
	}
	requestKeys(keys, in, session)
	everything, err := policy.Parse(allowAll)
	if err != nil {
		return err
	}
	actions := []string{"sts:AssumeRole"}
	if len(in.Tags) > 0 || len(session.TransitiveTagKeys) > 0 {
		actions = append(actions, "sts:TagSession")
	}
	if session.SourceIdentity != "" {
		actions = append(actions, "sts:SetSourceIdentity")
	}
	for _, action := range actions {
		r := policy.Request{Action: action, Resource: role.ARN(), Context: keys, Principals: p.Names}
		byAccount := trust.Evaluate(&r)
		direct := r
		direct.Principals = p.Names[:len(p.Names)-1]
		named := caller.Account == role.Account && trust.Evaluate(&direct) == policy.Allow
		set := p.Set
		if named {
			set.Identity = append(slices.Clip(set.Identity), everything)
		}
		if byAccount != policy.Allow || !set.Decide(&r, nil).Allowed {
			return denied(caller, action, role.ARN())
		}
	}
	return nil
}

// requestKeys sets the condition keys that only AssumeRole has.
func requestKeys(keys policy.Context, in *api.AssumeRoleInput, session *identity.Session) {
	keys.Set("sts:RoleSessionName", session.Name)
	if in.ExternalId != nil {
		keys.Set("sts:ExternalId", *in.ExternalId)
	}
	if session.SourceIdentity != "" {
		keys.Set("sts:SourceIdentity", session.SourceIdentity)
	}
	var names []string
	for _, t := range in.Tags {
		keys.Set("aws:RequestTag/"+*t.Key, *t.Value)
		names = append(names, *t.Key)
	}
	keys.Set("aws:TagKeys", names...)
	keys.Set("sts:TransitiveTagKeys", in.TransitiveTagKeys...)
}

// checkPolicies checks that managed session policies exist in the account of the
// role or are AWS's own.
func checkPolicies(tx store.Tx, account string, arns []string) error {
	for _, a := range arns {
		owner, _, _ := identity.PolicyName(a)
		_, ok, err := tables.FindPolicy(tx, a)
		if err != nil {
			return err
		}
		if !ok || owner != account && owner != "aws" {
			return invalid("ARN %s is not valid.", a)
		}
	}
	return nil
}

func denied(c auth.Caller, action, resource string) error {
	return accessDenied("User: " + c.ARN + " is not authorized to perform: " + action + " on resource: " + resource)
}
