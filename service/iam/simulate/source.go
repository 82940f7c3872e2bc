package simulate

import (
	"context"
	"slices"
	"strings"

	"neargate/arn"
	"neargate/auth"
	"neargate/auth/policy"
	api "neargate/aws/iam"
	"neargate/resource/identity"
	"neargate/service/iam/internal/look"
	"neargate/store"
	"neargate/store/tables"
)

// source is what a simulation takes from a stored user, group or role.
type source struct {
	user     bool
	policies []held
	boundary []held
	bounded  bool
	keys     policy.Context
}

// held is a policy that a user, group or role holds; an inline one has no ARN.
type held struct{ kind, owner, arn, name, text string }

// parsed parses policies and adds them, but for those excluded.
func parsed(to []document, policies []held, kind string, exclude []api.PolicyIdentifier) ([]document, error) {
	for _, p := range policies {
		if excluded(p, exclude) {
			continue
		}
		d, err := policy.Parse(p.text)
		if err != nil {
			return nil, api.PolicyEvaluationException("The policy " + p.name + " cannot be evaluated.")
		}
		to = append(to, document{p.name, kind, d})
	}
	return to, nil
}

// excluded reports whether a policy is left out of a simulation.
func excluded(p held, list []api.PolicyIdentifier) bool {
	return slices.ContainsFunc(list, func(id api.PolicyIdentifier) bool {
		if in := id.InlinePolicyIdentifier; in != nil {
			return p.arn == "" && p.kind == *in.AttachmentType &&
				identity.Fold(p.owner) == identity.Fold(*in.AttachmentName) && identity.Fold(p.name) == identity.Fold(*in.PolicyName)
		}
		return id.PolicyArn != nil && *id.PolicyArn == p.arn
	})
}

// source gathers the policies of a user, group or role of the caller's account.
func (h *Handler) source(ctx context.Context, sourceARN string) (out *source, err error) {
	a, err := arn.Parse(sourceARN)
	if err != nil || a.Service != "iam" || a.Account != auth.CallerFrom(ctx).Account {
		return nil, api.InvalidInputException("Invalid Entity Arn: " + sourceARN)
	}
	kind, path, _ := strings.Cut(a.Resource, "/")
	name := path[strings.LastIndexByte(path, '/')+1:]
	err = h.env.Store.View(ctx, func(tx store.Tx) error {
		out = &source{keys: policy.Context{}}
		switch kind {
		case "user":
			return out.ofUser(ctx, tx, name)
		case "group":
			g, err := look.Group(ctx, tx, name)
			if err != nil {
				return err
			}
			return out.hold(tx, "group", g.Name, &g.Grants)
		case "role":
			r, err := look.Role(ctx, tx, name)
			if err != nil {
				return err
			}
			out.principal(r.ARN(), r.Account, "AssumedRole", r.Tags)
			return out.hold(tx, "role", r.Name, &r.Grants)
		}
		return api.InvalidInputException("Invalid Entity Arn: " + sourceARN)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (s *source) ofUser(ctx context.Context, tx store.Tx, name string) error {
	u, err := look.User(ctx, tx, name)
	if err != nil {
		return err
	}
	s.user = true
	s.principal(u.ARN(), u.Account, "User", u.Tags)
	s.keys.Set("aws:username", u.Name)
	s.keys.Set("aws:userid", u.ID)
	if err := s.hold(tx, "user", u.Name, &u.Grants); err != nil {
		return err
	}
	groups, err := look.Groups(tx, &u)
	if err != nil {
		return err
	}
	for _, g := range groups {
		if err := s.hold(tx, "group", g.Name, &g.Grants); err != nil {
			return err
		}
	}
	return nil
}

func (s *source) principal(principalARN, account, kind string, tags []identity.Tag) {
	s.keys.Set("aws:PrincipalArn", principalARN)
	s.keys.Set("aws:PrincipalAccount", account)
	s.keys.Set("aws:PrincipalType", kind)
	for _, t := range tags {
		s.keys.Set("aws:PrincipalTag/"+t.Key, t.Value)
	}
}

// hold adds what is granted, and the boundary.
func (s *source) hold(tx store.Tx, kind, owner string, g *identity.Grants) error {
	for _, in := range g.Inline {
		s.policies = append(s.policies, held{kind, owner, "", in.Name, in.Document})
	}
	var err error
	for _, a := range g.Attached {
		if s.policies, err = managed(tx, s.policies, a); err != nil {
			return err
		}
	}
	if g.Boundary != "" {
		s.bounded = true
		s.boundary, err = managed(tx, s.boundary, g.Boundary)
	}
	return err
}

// managed adds a managed policy; one that is gone grants nothing.
func managed(tx store.Tx, to []held, policyARN string) ([]held, error) {
	p, ok, err := tables.FindPolicy(tx, policyARN)
	if err != nil || !ok {
		return to, err
	}
	return append(to, held{arn: policyARN, name: p.Name, text: p.Document()}), nil
}

// GetContextKeysForCustomPolicy lists the condition keys that policies ask for.
func (h *Handler) GetContextKeysForCustomPolicy(_ context.Context, in *api.GetContextKeysForCustomPolicyInput) (*api.GetContextKeysForCustomPolicyOutput, error) {
	docs, err := parse(in.PolicyInputList, "PolicyInputList", kindIdentity)
	if err != nil {
		return nil, err
	}
	return &api.GetContextKeysForCustomPolicyOutput{ContextKeyNames: keysOf(docs)}, nil
}

// GetContextKeysForPrincipalPolicy lists the condition keys that the policies of a
// user, group or role, and given ones, ask for.
func (h *Handler) GetContextKeysForPrincipalPolicy(ctx context.Context, in *api.GetContextKeysForPrincipalPolicyInput) (*api.GetContextKeysForPrincipalPolicyOutput, error) {
	docs, err := parse(in.PolicyInputList, "PolicyInputList", kindIdentity)
	if err != nil {
		return nil, err
	}
	of, err := h.source(ctx, *in.PolicySourceArn)
	if err != nil {
		return nil, err
	}
	if docs, err = parsed(docs, of.policies, kindIdentity, nil); err != nil {
		return nil, err
	}
	return &api.GetContextKeysForPrincipalPolicyOutput{ContextKeyNames: keysOf(docs)}, nil
}

// keysOf are the condition keys of documents, each once in any case, in order.
func keysOf(docs []document) []string {
	out := []string{}
	for _, d := range docs {
		for _, k := range d.Keys() {
			if !slices.ContainsFunc(out, func(o string) bool { return strings.EqualFold(o, k) }) {
				out = append(out, k)
			}
		}
	}
	slices.Sort(out)
	return out
}
