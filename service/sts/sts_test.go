package sts

import (
	"context"
	"fmt"
	"math/rand"
	"strings"
	"testing"
	"time"

	"neargate/arn"
	"neargate/auth"
	api "neargate/aws/sts"
	"neargate/resource/identity"
	"neargate/service"
	"neargate/store"
	"neargate/store/mem"
	"neargate/store/tables"
)

const (
	home  = "123456789012"
	other = "210987654321"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// world is an STS with the user alice of the home account.
type world struct {
	*Service
	alice identity.AccessKey
	ctx   context.Context // alice's
}

func newWorld(t *testing.T, permissions string) *world {
	t.Helper()
	ids := arn.NewSource(rand.New(rand.NewSource(1)))
	s := New(service.Deps{Store: mem.New(mem.Paranoid()), Now: func() time.Time { return start }, IDs: ids})
	w := &world{Service: s, alice: identity.NewAccessKey(home, "alice", start, ids)}
	alice := identity.User{Account: home, Path: "/", Name: "alice", ID: "AIDAALICE"}
	if permissions != "" {
		alice.Inline = []identity.Inline{{Name: "p", Document: permissions}}
	}
	put(t, w, tables.AccessKeys, &w.alice)
	put(t, w, tables.Users, &alice)
	w.ctx = auth.WithCaller(t.Context(), auth.Caller{Account: home, Region: "us-east-1", ARN: alice.ARN(), UserID: alice.ID, AccessKeyID: w.alice.ID})
	return w
}

func put[T any](t *testing.T, w *world, table store.Table[T], r *T) {
	t.Helper()
	if err := w.deps.Store.Update(t.Context(), func(tx store.Tx) error { return table.Put(tx, r) }); err != nil {
		t.Fatal(err)
	}
}

func (w *world) role(t *testing.T, account, name, trust string) string {
	t.Helper()
	r := identity.Role{Account: account, Path: "/p/", Name: name, ID: "AROA" + strings.ToUpper(name), Trust: trust, MaxSession: 7200}
	put(t, w, tables.Roles, &r)
	return r.ARN()
}

func trusting(principal, extra string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"],"Principal":` + principal + extra + `}]}`
}

const (
	mayAssume = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:*","Resource":"*"}]}`
	mayNot    = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"sts:*","Resource":"*"}]}`
	account   = `{"AWS":"arn:aws:iam::123456789012:root"}`
	named     = `{"AWS":"arn:aws:iam::123456789012:user/alice"}`
	tasks     = `{"Service":"ecs-tasks.amazonaws.com"}`
)

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestAssumeRoleTrust(t *testing.T) {
	const refused = "AccessDenied: User: arn:aws:iam::123456789012:user/alice is not authorized to perform: %s on resource: %s"
	tests := []struct {
		name, permissions, account, trust string
		change                            func(*api.AssumeRoleInput)
		denied                            string // action
	}{
		{"account trusted and permitted", mayAssume, home, trusting(account, ""), nil, ""},
		{"account trusted, not permitted", "", home, trusting(account, ""), nil, "sts:AssumeRole"},
		{"user trusted by name", "", home, trusting(named, ""), nil, ""},
		{"user trusted by name but denied", mayNot, home, trusting(named, ""), nil, "sts:AssumeRole"},
		{"service trusted", mayAssume, home, trusting(tasks, ""), nil, "sts:AssumeRole"},
		{"other account's role, both allow", mayAssume, other, trusting(named, ""), nil, ""},
		{"other account's role, not permitted", "", other, trusting(named, ""), nil, "sts:AssumeRole"},
		{"external id missing", mayAssume, home, trusting(account, `,"Condition":{"StringEquals":{"sts:ExternalId":"x1"}}`), nil, "sts:AssumeRole"},
		{"external id", mayAssume, home, trusting(account, `,"Condition":{"StringEquals":{"sts:ExternalId":"x1"}}`),
			func(in *api.AssumeRoleInput) { in.ExternalId = new("x1") }, ""},
		{"tags not trusted", mayAssume, home, strings.Replace(trusting(account, ""), `,"sts:TagSession"`, "", 1),
			func(in *api.AssumeRoleInput) { in.Tags = []api.Tag{{Key: new("k"), Value: new("v")}} }, "sts:TagSession"},
		{"source identity not trusted", mayAssume, home, strings.Replace(trusting(account, ""), `,"sts:SetSourceIdentity"`, "", 1),
			func(in *api.AssumeRoleInput) { in.SourceIdentity = new("alice") }, "sts:SetSourceIdentity"},
	}
	for _, tt := range tests {
		w := newWorld(t, tt.permissions)
		role := w.role(t, tt.account, "r", tt.trust)
		in := &api.AssumeRoleInput{RoleArn: &role, RoleSessionName: new("s1")}
		if tt.change != nil {
			tt.change(in)
		}
		out, err := w.AssumeRole(w.ctx, in)
		want := ""
		if tt.denied != "" {
			want = fmt.Sprintf(refused, tt.denied, role)
		}
		if text(err) != want {
			t.Errorf("%s: %v, want %s", tt.name, err, want)
		}
		if err == nil && *out.AssumedRoleUser.Arn != "arn:aws:sts::"+tt.account+":assumed-role/r/s1" {
			t.Errorf("%s: %s", tt.name, *out.AssumedRoleUser.Arn)
		}
	}
}

func TestAssumeRoleInput(t *testing.T) {
	w := newWorld(t, mayAssume)
	role := w.role(t, home, "r", trusting(account, ""))
	tests := []struct {
		change func(*api.AssumeRoleInput)
		want   string
	}{
		{func(in *api.AssumeRoleInput) { in.RoleArn = new("arn:aws:iam::123456789012:user/r") }, "ValidationError: arn:aws:iam::123456789012:user/r is invalid"},
		{func(in *api.AssumeRoleInput) { in.RoleArn = new("arn:aws:iam::123456789012:role/r") },
			"AccessDenied: User: arn:aws:iam::123456789012:user/alice is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::123456789012:role/r"},
		{func(in *api.AssumeRoleInput) { in.DurationSeconds = new(int32(7201)) },
			"ValidationError: The requested DurationSeconds exceeds the MaxSessionDuration set for this role."},
		{func(in *api.AssumeRoleInput) { in.Policy = new("{") }, "MalformedPolicyDocumentException: Syntax errors in policy."},
		{func(in *api.AssumeRoleInput) {
			in.Policy = new(strings.Replace(mayAssume, `"sts:*"`, `["`+strings.Repeat("s3:a\",\"", 400)+`s3:b"]`, 1))
		}, "PackedPolicyTooLargeException: Packed policy consumes 141% of allotted space, please use smaller policy."},
		{func(in *api.AssumeRoleInput) {
			in.SerialNumber, in.TokenCode = new("arn:aws:iam::123456789012:mfa/a"), new("123456")
		},
			noSuchDevice},
		{func(in *api.AssumeRoleInput) {
			in.PolicyArns = []api.PolicyDescriptorType{{Arn: new("arn:aws:iam::aws:policy/NoSuch")}}
		},
			"ValidationError: ARN arn:aws:iam::aws:policy/NoSuch is not valid."},
		{func(in *api.AssumeRoleInput) { in.TransitiveTagKeys = []string{"k"} },
			"InvalidParameterValue: The specified transitive tag key must be included in the requested tags."},
	}
	for _, tt := range tests {
		in := &api.AssumeRoleInput{RoleArn: &role, RoleSessionName: new("s")}
		tt.change(in)
		if _, err := w.AssumeRole(w.ctx, in); text(err) != tt.want {
			t.Errorf("%v, want %s", err, tt.want)
		}
	}
	root := auth.WithCaller(t.Context(), auth.Caller{Account: home, UserID: home, ARN: identity.RootARN(home)})
	_, err := w.AssumeRole(root, &api.AssumeRoleInput{RoleArn: &role, RoleSessionName: new("s")})
	if text(err) != "AccessDenied: Roles may not be assumed by root accounts." {
		t.Error(err)
	}
}

func TestSession(t *testing.T) {
	w := newWorld(t, mayAssume)
	role := w.role(t, home, "r", trusting(account, ""))
	out, err := w.AssumeRole(w.ctx, &api.AssumeRoleInput{
		RoleArn: &role, RoleSessionName: new("s"), DurationSeconds: new(int32(900)), Policy: new(mayAssume), SourceIdentity: new("alice"),
		Tags: []api.Tag{{Key: new("Team"), Value: new("red")}}, TransitiveTagKeys: []string{"team"},
	})
	if err != nil {
		t.Fatal(err)
	}
	c := out.Credentials
	if !c.Expiration.Equal(start.Add(15*time.Minute)) || *out.PackedPolicySize < 1 || *out.SourceIdentity != "alice" {
		t.Errorf("%+v", out)
	}
	dir := auth.NewDirectory(w.deps.Store, w.deps.Now)
	cred, err := dir.Lookup(t.Context(), *c.AccessKeyId, *c.SessionToken)
	if err != nil || cred.Secret != *c.SecretAccessKey || cred.Caller.UserID != *out.AssumedRoleUser.AssumedRoleId {
		t.Fatalf("%+v %v", cred, err)
	}
	info, err := w.GetAccessKeyInfo(w.ctx, &api.GetAccessKeyInfoInput{AccessKeyId: c.AccessKeyId})
	if err != nil || *info.Account != home {
		t.Errorf("%+v %v", info, err)
	}
	if _, err := w.GetAccessKeyInfo(w.ctx, &api.GetAccessKeyInfoInput{AccessKeyId: new("AKIANOSUCHKEY0000000")}); err == nil {
		t.Error("an unknown key has an account")
	}
	chained := auth.WithCaller(t.Context(), cred.Caller)
	id, err := w.GetCallerIdentity(chained, &api.GetCallerIdentityInput{})
	if err != nil || *id.Arn != "arn:aws:sts::123456789012:assumed-role/r/s" || *id.UserId != "AROAR:s" || *id.Account != home {
		t.Errorf("%+v %v", id, err)
	}

	second := w.role(t, home, "second", trusting(`{"AWS":"arn:aws:iam::123456789012:role/p/r"}`, ""))
	_, err = w.AssumeRole(chained, &api.AssumeRoleInput{RoleArn: &second, RoleSessionName: new("t"), DurationSeconds: new(int32(3601))})
	if text(err) != "ValidationError: The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining." {
		t.Error(err)
	}
	_, err = w.AssumeRole(chained, &api.AssumeRoleInput{RoleArn: &second, RoleSessionName: new("t"), Tags: []api.Tag{{Key: new("TEAM"), Value: new("x")}}})
	if !strings.Contains(text(err), "conflicts with a transitive tag key") {
		t.Error(err)
	}
	out, err = w.AssumeRole(chained, &api.AssumeRoleInput{RoleArn: &second, RoleSessionName: new("t")})
	if err != nil {
		t.Fatal(err)
	}
	if *out.SourceIdentity != "alice" || out.PackedPolicySize != nil {
		t.Errorf("%+v", out)
	}
	if err := w.deps.Store.View(t.Context(), func(tx store.Tx) error {
		s, err := tables.Sessions.Get(tx, *out.Credentials.AccessKeyId)
		if len(s.Tags) != 1 || s.Tags[0] != (identity.Tag{Key: "Team", Value: "red"}) {
			t.Errorf("tags %v", s.Tags)
		}
		return err
	}); err != nil {
		t.Error(err)
	}
}
