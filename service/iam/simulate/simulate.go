// Package simulate answers IAM's policy simulator, by the evaluator that decides about
// real calls.
package simulate

import (
	"context"
	"encoding/base64"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"neargate/arn"
	"neargate/auth/policy"
	api "neargate/aws/iam"
	"neargate/resource/identity"
	"neargate/service/iam/internal/call"
)

// Handler answers the operations.
type Handler struct{ env call.Env }

// New makes the handler.
func New(e call.Env) *Handler { return &Handler{e} }

// document is a policy in a simulation.
type document struct {
	id, kind string
	*policy.Document
}

// Kinds of policies as the simulator names them.
const (
	kindIdentity = "IAM Policy"
	kindBoundary = "IAM Permissions Boundary Policy"
	kindResource = "Resource Policy"
)

// scene is what is simulated.
type scene struct {
	identity, boundary []document
	bounded            bool
	resource           *document
	caller             string // ARN; "" when not known
	owner              string // account of the resources; "" for the caller's
	keys               policy.Context
	actions, resources []string
}

// request is what both simulations take.
type request struct {
	actions, resources    []string
	policies, boundaries  []string
	entries               []api.ContextEntry
	resourcePolicy, owner *string
	caller                string
}

// SimulateCustomPolicy says what given policies allow.
func (h *Handler) SimulateCustomPolicy(ctx context.Context, in *api.SimulateCustomPolicyInput) (*api.SimulateCustomPolicyOutput, error) {
	if len(in.OrderedOrganizationPolicyInputList) > 0 {
		return nil, api.InvalidInputException("Organization policies are not supported.")
	}
	w, err := h.env.Window(ctx, in.Marker, in.MaxItems, "SimulateCustomPolicy")
	if err != nil {
		return nil, err
	}
	s, err := newScene(&request{
		in.ActionNames, in.ResourceArns, in.PolicyInputList, in.PermissionsBoundaryPolicyInputList,
		in.ContextEntries, in.ResourcePolicy, in.ResourceOwner, call.Deref(in.CallerArn, ""),
	})
	if err != nil {
		return nil, err
	}
	out := &api.SimulateCustomPolicyOutput{}
	out.EvaluationResults, out.IsTruncated, out.Marker = call.Numbered(h.env, w, s.results())
	return out, nil
}

// SimulatePrincipalPolicy says what the policies of a user, group or role, and given
// ones, allow.
func (h *Handler) SimulatePrincipalPolicy(ctx context.Context, in *api.SimulatePrincipalPolicyInput) (*api.SimulatePrincipalPolicyOutput, error) {
	w, err := h.env.Window(ctx, in.Marker, in.MaxItems, "SimulatePrincipalPolicy", *in.PolicySourceArn)
	if err != nil {
		return nil, err
	}
	of, err := h.source(ctx, *in.PolicySourceArn)
	if err != nil {
		return nil, err
	}
	caller := call.Deref(in.CallerArn, "")
	if caller == "" && of.user {
		caller = *in.PolicySourceArn
	}
	s, err := newScene(&request{
		in.ActionNames, in.ResourceArns, in.PolicyInputList, in.PermissionsBoundaryPolicyInputList,
		in.ContextEntries, in.ResourcePolicy, in.ResourceOwner, caller,
	})
	if err != nil {
		return nil, err
	}
	if s.identity, err = parsed(s.identity, of.policies, kindIdentity, in.PolicyExclusionList); err != nil {
		return nil, err
	}
	if !s.bounded && of.bounded {
		s.bounded = true
		if s.boundary, err = parsed(nil, of.boundary, kindBoundary, in.PolicyExclusionList); err != nil {
			return nil, err
		}
	}
	for k, v := range of.keys {
		if _, given := s.keys[k]; !given {
			s.keys[k] = v
		}
	}
	out := &api.SimulatePrincipalPolicyOutput{}
	out.EvaluationResults, out.IsTruncated, out.Marker = call.Numbered(h.env, w, s.results())
	return out, nil
}

func newScene(r *request) (*scene, error) {
	s := &scene{actions: r.actions, resources: r.resources, caller: r.caller, bounded: len(r.boundaries) > 0}
	var err error
	if s.identity, err = parse(r.policies, "PolicyInputList", kindIdentity); err != nil {
		return nil, err
	}
	if s.boundary, err = parse(r.boundaries, "PermissionsBoundaryPolicyInputList", kindBoundary); err != nil {
		return nil, err
	}
	if s.keys, err = contextKeys(r.entries); err != nil {
		return nil, err
	}
	for _, a := range r.actions {
		if service, name, ok := strings.Cut(a, ":"); !ok || service == "" || name == "" || strings.ContainsAny(a, "*? ") || strings.Contains(name, ":") {
			return nil, api.InvalidInputException("Invalid Action: " + a)
		}
	}
	for _, a := range r.resources {
		if _, err := arn.Parse(a); err != nil && a != "*" {
			return nil, api.InvalidInputException("Invalid Entity Arn: " + a)
		}
	}
	if r.resourcePolicy != nil {
		if r.caller == "" {
			return nil, api.InvalidInputException("CallerArn must be specified when a ResourcePolicy is specified.")
		}
		d, err := parse([]string{*r.resourcePolicy}, "ResourcePolicy", kindResource)
		if err != nil {
			return nil, err
		}
		d[0].id = "ResourcePolicy"
		s.resource = &d[0]
	}
	if r.owner != nil {
		a, err := arn.Parse(*r.owner)
		if err != nil || !arn.ValidAccount(a.Account) {
			return nil, api.InvalidInputException("Invalid Entity Arn: " + *r.owner)
		}
		s.owner = a.Account
	}
	if r.caller != "" {
		if a, err := arn.Parse(r.caller); err != nil || a.Service != "iam" && a.Service != "sts" || !arn.ValidAccount(a.Account) {
			return nil, api.InvalidInputException("Invalid Entity Arn: " + r.caller)
		}
		if _, given := s.keys["aws:principalarn"]; !given {
			s.keys.Set("aws:PrincipalArn", r.caller)
		}
	}
	return s, nil
}

func parse(texts []string, list, kind string) ([]document, error) {
	var out []document
	for i, text := range texts {
		d, err := policy.Parse(text)
		if err != nil {
			return nil, api.InvalidInputException("Invalid policy in " + list + ": Syntax errors in policy.")
		}
		out = append(out, document{list + "." + strconv.Itoa(i+1), kind, d})
	}
	return out, nil
}

// literals say what the values of a context entry must be, by its type.
var literals = map[string]func(string) bool{
	"numeric": func(v string) bool { _, err := strconv.ParseFloat(v, 64); return err == nil },
	"boolean": func(v string) bool { return strings.EqualFold(v, "true") || strings.EqualFold(v, "false") },
	"ip": func(v string) bool {
		_, err := netip.ParseAddr(v)
		_, perr := netip.ParsePrefix(v)
		return err == nil || perr == nil
	},
	"binary": func(v string) bool { _, err := base64.StdEncoding.DecodeString(v); return err == nil },
}

func contextKeys(entries []api.ContextEntry) (policy.Context, error) {
	keys := policy.Context{}
	for _, e := range entries {
		name, kind := call.Deref(e.ContextKeyName, ""), call.Deref(e.ContextKeyType, "string")
		if name == "" {
			return nil, api.InvalidInputException("ContextKeyName must be specified.")
		}
		base, list := strings.CutSuffix(kind, "List")
		if !list && len(e.ContextKeyValues) > 1 {
			return nil, api.InvalidInputException("Context key " + name + " of type " + kind + " must have one value.")
		}
		if ok := literals[base]; ok != nil {
			for _, v := range e.ContextKeyValues {
				if !ok(v) {
					return nil, api.InvalidInputException("Invalid value " + v + " of context key " + name + " of type " + kind + ".")
				}
			}
		}
		keys.Set(name, e.ContextKeyValues...)
	}
	return keys, nil
}

// results evaluates every action on every resource.
func (s *scene) results() []api.EvaluationResult {
	resources := s.resources
	if len(resources) == 0 {
		resources = []string{"*"}
	}
	var out []api.EvaluationResult
	for _, action := range s.actions {
		for _, resource := range resources {
			out = append(out, s.result(action, resource))
		}
	}
	return out
}

func (s *scene) result(action, resource string) api.EvaluationResult {
	r := &policy.Request{Action: action, Resource: resource, Context: s.keys, Principals: s.principals()}
	set := policy.Set{Identity: bare(s.identity)}
	if s.bounded {
		set.Boundary = bare(s.boundary)
	}
	account := ""
	if len(r.Principals) > 0 {
		a, _ := arn.Parse(s.caller) // checked by newScene
		account = a.Account
	}
	guard := &policy.Guard{Foreign: s.owner != "" && account != "" && s.owner != account}
	all := append(append([]document{}, s.identity...), s.boundary...)
	if s.resource != nil {
		guard.Document = s.resource.Document
		all = append(all, *s.resource)
	}
	decision, want := "implicitDeny", policy.Neutral
	switch v := set.Decide(r, guard); {
	case v.Allowed:
		decision, want = "allowed", policy.Allow
	case v.Denied:
		decision, want = "explicitDeny", policy.Deny
	}
	matched, missing := []api.Statement{}, []string{}
	for _, d := range all {
		effect, statements := d.Matches(r)
		for _, i := range statements {
			if effect == want && want != policy.Neutral {
				matched = append(matched, d.shown(i))
			}
		}
		for _, k := range d.Missing(r) {
			if !slices.Contains(missing, k) {
				missing = append(missing, k)
			}
		}
	}
	out := api.EvaluationResult{
		EvalActionName: &action, EvalResourceName: &resource, EvalDecision: &decision, MatchedStatements: matched, MissingContextValues: missing,
	}
	if s.bounded {
		allowed := policy.Set{Identity: set.Boundary}
		out.PermissionsBoundaryDecisionDetail = &api.PermissionsBoundaryDecisionDetail{AllowedByPermissionsBoundary: new(allowed.Decide(r, nil).Allowed)}
	}
	if len(s.resources) > 0 {
		out.ResourceSpecificResults = []api.ResourceSpecificResult{{
			EvalResourceName: &resource, EvalResourceDecision: &decision, MatchedStatements: matched, MissingContextValues: missing,
			PermissionsBoundaryDecisionDetail: out.PermissionsBoundaryDecisionDetail,
		}}
	}
	return out
}

// principals are the names under which the resource's policy may name the caller.
func (s *scene) principals() []policy.Principal {
	a, err := arn.Parse(s.caller)
	if err != nil {
		return nil
	}
	out := []policy.Principal{{Type: "AWS", ID: s.caller}}
	if root := identity.RootARN(a.Account); root != s.caller {
		out = append(out, policy.Principal{Type: "AWS", ID: root})
	}
	return out
}

func bare(docs []document) []*policy.Document {
	out := []*policy.Document{}
	for _, d := range docs {
		out = append(out, d.Document)
	}
	return out
}

func (d document) shown(statement int) api.Statement {
	start, end := d.Span(statement)
	at := func(p policy.Position) *api.Position {
		return &api.Position{Line: new(int32(p.Line)), Column: new(int32(p.Column))}
	}
	return api.Statement{SourcePolicyId: &d.id, SourcePolicyType: &d.kind, StartPosition: at(start), EndPosition: at(end)}
}
