package iam

import (
	"slices"
	"strings"
	"testing"

	api "neargate/aws/iam"
)

func TestSimulateCustomPolicy(t *testing.T) {
	const bucket = "arn:aws:s3:::b/k"
	reads := "{\n    \"Version\": \"2012-10-17\",\n    \"Statement\": [\n        {\n            \"Effect\": \"Allow\",\n            \"Action\": \"s3:Get*\",\n            \"Resource\": \"*\"\n        }\n    ]\n}"
	denies := `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*","Condition":{"Bool":{"aws:SecureTransport":"false"}}}}`
	secure := func(v string) []api.ContextEntry {
		return []api.ContextEntry{{ContextKeyName: new("aws:SecureTransport"), ContextKeyType: new("boolean"), ContextKeyValues: []string{v}}}
	}
	public := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:user/ann"},"Action":"s3:*","Resource":"*"}]}`
	tests := []struct {
		name    string
		in      api.SimulateCustomPolicyInput
		want    string // decision
		matched string // policies of matched statements
		missing string
	}{
		{"allowed", api.SimulateCustomPolicyInput{PolicyInputList: []string{reads}}, "allowed", "PolicyInputList.1", ""},
		{"nothing", api.SimulateCustomPolicyInput{PolicyInputList: []string{denies}}, "implicitDeny", "", "aws:SecureTransport"},
		{"missing key", api.SimulateCustomPolicyInput{PolicyInputList: []string{reads, denies}}, "allowed", "PolicyInputList.1", "aws:SecureTransport"},
		{"denied", api.SimulateCustomPolicyInput{PolicyInputList: []string{reads, denies}, ContextEntries: secure("false")}, "explicitDeny", "PolicyInputList.2", ""},
		{"not denied", api.SimulateCustomPolicyInput{PolicyInputList: []string{reads, denies}, ContextEntries: secure("true")}, "allowed", "PolicyInputList.1", ""},
		{"bounded", api.SimulateCustomPolicyInput{PolicyInputList: []string{reads}, PermissionsBoundaryPolicyInputList: []string{strings.Replace(reads, "s3:Get*", "ec2:*", 1)}},
			"implicitDeny", "", ""},
		{"resource policy", api.SimulateCustomPolicyInput{PolicyInputList: []string{strings.Replace(reads, "s3:Get*", "ec2:*", 1)}, ResourcePolicy: &public, CallerArn: new("arn:aws:iam::123456789012:user/ann")},
			"allowed", "ResourcePolicy", ""},
		{"resource of another account", api.SimulateCustomPolicyInput{PolicyInputList: []string{strings.Replace(reads, "s3:Get*", "ec2:*", 1)}, ResourcePolicy: &public,
			CallerArn: new("arn:aws:iam::123456789012:user/ann"), ResourceOwner: new("arn:aws:iam::210987654321:root")}, "implicitDeny", "", ""},
	}
	w := newWorld(t)
	for _, tt := range tests {
		tt.in.ActionNames, tt.in.ResourceArns = []string{"s3:GetObject"}, []string{bucket}
		out, err := w.SimulateCustomPolicy(w.ctx, &tt.in)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		r := out.EvaluationResults[0]
		var matched []string
		for _, m := range r.MatchedStatements {
			matched = append(matched, *m.SourcePolicyId)
		}
		if *r.EvalDecision != tt.want || strings.Join(matched, " ") != tt.matched || strings.Join(r.MissingContextValues, " ") != tt.missing || *r.EvalResourceName != bucket {
			t.Errorf("%s: %s by %v, missing %v", tt.name, *r.EvalDecision, matched, r.MissingContextValues)
		}
	}
	out, err := w.SimulateCustomPolicy(w.ctx, &api.SimulateCustomPolicyInput{PolicyInputList: []string{reads}, ActionNames: []string{"s3:GetObject"}})
	w.must(err)
	// Positions as AWS's own example has them.
	m := out.EvaluationResults[0].MatchedStatements[0]
	if *m.StartPosition.Line != 3 || *m.StartPosition.Column != 19 || *m.EndPosition.Line != 8 || *m.EndPosition.Column != 10 {
		t.Errorf("from %d:%d to %d:%d", *m.StartPosition.Line, *m.StartPosition.Column, *m.EndPosition.Line, *m.EndPosition.Column)
	}
	for text, in := range map[string]*api.SimulateCustomPolicyInput{
		"Invalid Action: s3": {PolicyInputList: []string{reads}, ActionNames: []string{"s3"}},
		"Invalid policy in PolicyInputList: Syntax errors in policy.": {PolicyInputList: []string{"{"}, ActionNames: []string{"s3:a"}},
		"Invalid Entity Arn: x": {PolicyInputList: []string{reads}, ActionNames: []string{"s3:a"}, ResourceArns: []string{"x"}},
		"CallerArn must be specified when a ResourcePolicy is specified.":     {PolicyInputList: []string{reads}, ActionNames: []string{"s3:a"}, ResourcePolicy: &public},
		"Invalid value x of context key aws:SecureTransport of type boolean.": {PolicyInputList: []string{reads}, ActionNames: []string{"s3:a"}, ContextEntries: secure("x")},
	} {
		_, err := w.SimulateCustomPolicy(w.ctx, in)
		w.fails(err, "InvalidInputException: "+text)
	}
}

// TestSimulatePrincipalPolicy asks about a user with a group, a boundary and a policy of
// its own, a page at a time.
func TestSimulatePrincipalPolicy(t *testing.T) {
	w := newWorld(t)
	w.user("ann")
	w.group("ops")
	own := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::${aws:username}/*"}]}`
	_, err := w.PutUserPolicy(w.ctx, &api.PutUserPolicyInput{UserName: new("ann"), PolicyName: new("own"), PolicyDocument: &own})
	w.must(err)
	_, err = w.AttachGroupPolicy(w.ctx, &api.AttachGroupPolicyInput{GroupName: new("ops"), PolicyArn: new(admin)})
	w.must(err)
	source := "arn:aws:iam::123456789012:user/ann"
	simulate := func(in *api.SimulatePrincipalPolicyInput) (out []string) {
		in.PolicySourceArn = &source
		for {
			page, err := w.SimulatePrincipalPolicy(w.ctx, in)
			w.must(err)
			for _, r := range page.EvaluationResults {
				out = append(out, *r.EvalActionName+" "+*r.EvalDecision)
			}
			if in.Marker = page.Marker; in.Marker == nil {
				return out
			}
		}
	}
	ask := func() []string {
		return simulate(&api.SimulatePrincipalPolicyInput{ActionNames: []string{"s3:GetObject", "s3:PutObject", "ecs:RunTask"}, ResourceArns: []string{"arn:aws:s3:::ann/k"}, MaxItems: new(int32(2))})
	}
	if got := ask(); !slices.Equal(got, []string{"s3:GetObject allowed", "s3:PutObject implicitDeny", "ecs:RunTask implicitDeny"}) {
		t.Errorf("%q", got)
	}
	_, err = w.AddUserToGroup(w.ctx, &api.AddUserToGroupInput{GroupName: new("ops"), UserName: new("ann")})
	w.must(err)
	if got := ask(); !slices.Equal(got, []string{"s3:GetObject allowed", "s3:PutObject allowed", "ecs:RunTask allowed"}) {
		t.Errorf("%q", got)
	}
	if got := simulate(&api.SimulatePrincipalPolicyInput{ActionNames: []string{"s3:PutObject"}, PolicyExclusionList: []api.PolicyIdentifier{{PolicyArn: new(admin)}}}); got[0] != "s3:PutObject implicitDeny" {
		t.Errorf("%q", got)
	}
	_, err = w.PutUserPermissionsBoundary(w.ctx, &api.PutUserPermissionsBoundaryInput{UserName: new("ann"), PermissionsBoundary: w.policy("only-s3")})
	w.must(err)
	if got := ask(); !slices.Equal(got, []string{"s3:GetObject allowed", "s3:PutObject allowed", "ecs:RunTask implicitDeny"}) {
		t.Errorf("%q", got)
	}
	keys, err := w.GetContextKeysForPrincipalPolicy(w.ctx, &api.GetContextKeysForPrincipalPolicyInput{PolicySourceArn: &source,
		PolicyInputList: []string{`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"AWS:UserName":"x","ec2:Vpc":"y"}}}]}`}})
	w.must(err)
	if !slices.Equal(keys.ContextKeyNames, []string{"AWS:UserName", "ec2:Vpc"}) {
		t.Errorf("%q", keys.ContextKeyNames)
	}
	_, err = w.SimulatePrincipalPolicy(w.ctx, &api.SimulatePrincipalPolicyInput{PolicySourceArn: new("arn:aws:iam::123456789012:user/bob"), ActionNames: []string{"s3:a"}})
	w.fails(err, "NoSuchEntityException: The user with name bob cannot be found.")
}
