package iam

import (
	"context"
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"
	"time"

	"neargate/arn"
	"neargate/auth"
	api "neargate/aws/iam"
	"neargate/resource/compute"
	"neargate/resource/identity"
	"neargate/service"
	"neargate/service/iam/internal/call"
	"neargate/store"
	"neargate/store/mem"
	"neargate/store/tables"
)

const (
	acct  = "123456789012"
	trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
	allow = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`
	admin = "arn:aws:iam::aws:policy/AdministratorAccess"
	exec  = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 5, time.UTC)

// world is an IAM and the context of its root user.
type world struct {
	*Service
	deps service.Deps
	ctx  context.Context
	t    *testing.T
}

func newWorld(t *testing.T) *world {
	t.Helper()
	deps := service.Deps{
		Store: mem.New(mem.Paranoid()), Now: func() time.Time { return start },
		IDs: arn.NewSource(rand.New(rand.NewSource(1))),
	}
	c := auth.Caller{Account: acct, Region: "us-east-1", ARN: identity.RootARN(acct), UserID: acct}
	w := &world{New(deps), deps, auth.WithCaller(t.Context(), c), t}
	put(w, tables.Accounts, &identity.Account{ID: acct, CreatedAt: start})
	return w
}

func put[T any](w *world, table store.Table[T], r *T) {
	w.t.Helper()
	w.must(w.deps.Store.Update(w.ctx, func(tx store.Tx) error { return table.Put(tx, r) }))
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// fails checks an error, "Code: message".
func (w *world) fails(err error, want string) {
	w.t.Helper()
	if err == nil || err.Error() != want {
		w.t.Errorf("error %v, want %s", err, want)
	}
}

func (w *world) role(name string) *api.Role {
	w.t.Helper()
	out, err := w.CreateRole(w.ctx, &api.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: new(trust)})
	w.must(err)
	return out.Role
}

func (w *world) policy(name string) *string {
	w.t.Helper()
	out, err := w.CreatePolicy(w.ctx, &api.CreatePolicyInput{PolicyName: &name, PolicyDocument: new(allow)})
	w.must(err)
	return out.Policy.Arn
}

func tagged(k, v string) api.Tag { return api.Tag{Key: &k, Value: &v} }

func TestRoleViews(t *testing.T) {
	w := newWorld(t)
	made, err := w.CreateRole(w.ctx, &api.CreateRoleInput{
		RoleName: new("App"), Path: new("/team/"), AssumeRolePolicyDocument: new(trust), Description: new("d"),
		MaxSessionDuration: new(int32(7200)), PermissionsBoundary: new(admin), Tags: []api.Tag{tagged("k", "v")},
	})
	w.must(err)
	r := made.Role
	if r.Description != nil || r.MaxSessionDuration != nil || r.RoleLastUsed != nil || *r.PermissionsBoundary.PermissionsBoundaryArn != admin || len(r.Tags) != 1 {
		t.Errorf("created %+v", r)
	}
	if *r.Arn != "arn:aws:iam::123456789012:role/team/App" || !strings.HasPrefix(*r.RoleId, "AROA") || r.CreateDate.Nanosecond() != 0 {
		t.Errorf("created %+v", r)
	}
	if want := "%7B%22Version%22%3A%222012-10-17%22%2C"; !strings.HasPrefix(*r.AssumeRolePolicyDocument, want) {
		t.Errorf("document %s", *r.AssumeRolePolicyDocument)
	}
	got, err := w.GetRole(w.ctx, &api.GetRoleInput{RoleName: new("aPP")})
	w.must(err)
	r = got.Role
	if *r.RoleName != "App" || *r.Description != "d" || *r.MaxSessionDuration != 7200 || *r.RoleLastUsed != (api.RoleLastUsed{}) || len(r.Tags) != 1 {
		t.Errorf("got %+v", r)
	}
	put(w, tables.RoleUses, &identity.RoleUse{Account: acct, Role: "App", At: start, Region: "eu-west-1"})
	got, err = w.GetRole(w.ctx, &api.GetRoleInput{RoleName: new("App")})
	w.must(err)
	if *got.Role.RoleLastUsed.Region != "eu-west-1" {
		t.Errorf("last used %+v", got.Role.RoleLastUsed)
	}
	list, err := w.ListRoles(w.ctx, &api.ListRolesInput{PathPrefix: new("/team/")})
	w.must(err)
	r = &list.Roles[0]
	if *r.Description != "d" || *r.MaxSessionDuration != 7200 || r.Tags != nil || r.PermissionsBoundary != nil || r.RoleLastUsed != nil {
		t.Errorf("listed %+v", r)
	}
	changed, err := w.UpdateRoleDescription(w.ctx, &api.UpdateRoleDescriptionInput{RoleName: new("App"), Description: new("e")})
	w.must(err)
	if r = changed.Role; *r.Description != "e" || r.MaxSessionDuration != nil || r.Tags != nil || r.PermissionsBoundary != nil {
		t.Errorf("changed %+v", r)
	}
	_, err = w.UpdateRole(w.ctx, &api.UpdateRoleInput{RoleName: new("App"), Description: new("")})
	w.must(err)
	got, err = w.GetRole(w.ctx, &api.GetRoleInput{RoleName: new("App")})
	w.must(err)
	if *got.Role.MaxSessionDuration != 7200 || got.Role.Description != nil {
		t.Errorf("updated %+v", got.Role)
	}
}

func TestRoleErrors(t *testing.T) {
	w := newWorld(t)
	w.role("r")
	_, err := w.GetRole(w.ctx, &api.GetRoleInput{RoleName: new("none")})
	w.fails(err, "NoSuchEntityException: The role with name none cannot be found.")
	for want, in := range map[string]*api.CreateRoleInput{
		"EntityAlreadyExistsException: Role with name R already exists.":                        {RoleName: new("R"), AssumeRolePolicyDocument: new(trust)},
		"MalformedPolicyDocumentException: This policy contains invalid Json":                   {RoleName: new("n"), AssumeRolePolicyDocument: new("{")},
		"MalformedPolicyDocumentException: Has prohibited field Resource":                       {RoleName: new("n"), AssumeRolePolicyDocument: new(allow)},
		"LimitExceededException: Cannot exceed quota for ACLSizePerRole: 2048":                  {RoleName: new("n"), AssumeRolePolicyDocument: new(strings.Repeat("x", 2049))},
		"InvalidInputException: Tag keys beginning with aws: are reserved for system use.":      {RoleName: new("n"), AssumeRolePolicyDocument: new(trust), Tags: []api.Tag{tagged("AWS:x", "")}},
		"InvalidInputException: ARN nonsense-nonsense-nonsense is not valid.":                   {RoleName: new("n"), AssumeRolePolicyDocument: new(trust), PermissionsBoundary: new("nonsense-nonsense-nonsense")},
		"NoSuchEntityException: Scope ARN: " + admin + "x does not exist or is not attachable.": {RoleName: new("n"), AssumeRolePolicyDocument: new(trust), PermissionsBoundary: new(admin + "x")},
		`MalformedPolicyDocumentException: Invalid principal in policy: "AWS":"arn:aws:iam::123456789012:role/none"`: {RoleName: new("n"),
			AssumeRolePolicyDocument: new(strings.Replace(trust, `"Service":"ecs-tasks.amazonaws.com"`, `"AWS":"arn:aws:iam::123456789012:role/none"`, 1))},
		`MalformedPolicyDocumentException: Invalid principal in policy: "AWS":"999999999999"`: {RoleName: new("n"),
			AssumeRolePolicyDocument: new(strings.Replace(trust, `"Service":"ecs-tasks.amazonaws.com"`, `"AWS":"999999999999"`, 1))},
	} {
		_, err := w.CreateRole(w.ctx, in)
		w.fails(err, want)
	}
	_, err = w.UpdateAssumeRolePolicy(w.ctx, &api.UpdateAssumeRolePolicyInput{RoleName: new("r"), PolicyDocument: new("[]")})
	w.fails(err, "MalformedPolicyDocumentException: Syntax errors in policy.")
	known := strings.Replace(trust, `"Service":"ecs-tasks.amazonaws.com"`, `"AWS":["arn:aws:iam::123456789012:root","arn:aws:iam::123456789012:role/r"]`, 1)
	_, err = w.UpdateAssumeRolePolicy(w.ctx, &api.UpdateAssumeRolePolicyInput{RoleName: new("r"), PolicyDocument: &known})
	w.must(err)
	profiles, err := w.ListInstanceProfilesForRole(w.ctx, &api.ListInstanceProfilesForRoleInput{RoleName: new("r")})
	w.must(err)
	if len(profiles.InstanceProfiles) != 0 || profiles.InstanceProfiles == nil {
		t.Errorf("%+v", profiles)
	}
	stranger := auth.WithCaller(w.ctx, auth.Caller{Account: "210987654321"})
	_, err = w.GetRole(stranger, &api.GetRoleInput{RoleName: new("r")})
	w.fails(err, "NoSuchEntityException: The role with name r cannot be found.")
}

func TestDeleteRole(t *testing.T) {
	w := newWorld(t)
	w.role("r")
	del := func() error { _, err := w.DeleteRole(w.ctx, &api.DeleteRoleInput{RoleName: new("R")}); return err }
	_, err := w.AttachRolePolicy(w.ctx, &api.AttachRolePolicyInput{RoleName: new("r"), PolicyArn: new(exec)})
	w.must(err)
	_, err = w.PutRolePolicy(w.ctx, &api.PutRolePolicyInput{RoleName: new("r"), PolicyName: new("p"), PolicyDocument: new(allow)})
	w.must(err)
	w.fails(del(), "DeleteConflictException: Cannot delete entity, must detach all policies first.")
	_, err = w.DetachRolePolicy(w.ctx, &api.DetachRolePolicyInput{RoleName: new("r"), PolicyArn: new(exec)})
	w.must(err)
	w.fails(del(), "DeleteConflictException: Cannot delete entity, must delete policies first.")
	_, err = w.DeleteRolePolicy(w.ctx, &api.DeleteRolePolicyInput{RoleName: new("r"), PolicyName: new("P")})
	w.must(err)
	w.must(del())
	w.fails(del(), "NoSuchEntityException: The role with name R cannot be found.")
}

func TestInlinePolicies(t *testing.T) {
	w := newWorld(t)
	w.role("r")
	for _, name := range []string{"MixedName", "mixedname", "b", "a"} {
		_, err := w.PutRolePolicy(w.ctx, &api.PutRolePolicyInput{RoleName: new("r"), PolicyName: &name, PolicyDocument: new(allow)})
		w.must(err)
	}
	var got []string
	in := &api.ListRolePoliciesInput{RoleName: new("r"), MaxItems: new(int32(2))}
	for {
		out, err := w.ListRolePolicies(w.ctx, in)
		w.must(err)
		got = append(got, out.PolicyNames...)
		if in.Marker = out.Marker; !*out.IsTruncated {
			break
		}
	}
	if !slices.Equal(got, []string{"a", "b", "MixedName"}) {
		t.Errorf("listed %v", got)
	}
	p, err := w.GetRolePolicy(w.ctx, &api.GetRolePolicyInput{RoleName: new("R"), PolicyName: new("mIXEDname")})
	w.must(err)
	if *p.PolicyName != "mIXEDname" || *p.RoleName != "r" || !strings.Contains(*p.PolicyDocument, "%22s3%3A%2A%22") {
		t.Errorf("%+v", p)
	}
	_, err = w.GetRolePolicy(w.ctx, &api.GetRolePolicyInput{RoleName: new("r"), PolicyName: new("c")})
	w.fails(err, "NoSuchEntityException: The role policy with name c cannot be found.")
	_, err = w.PutRolePolicy(w.ctx, &api.PutRolePolicyInput{RoleName: new("r"), PolicyName: new("c"), PolicyDocument: new("{}")})
	w.fails(err, "MalformedPolicyDocumentException: Syntax errors in policy.")
	big := strings.Replace(allow, `"s3:*"`, `"s3:`+strings.Repeat("x", 10240)+`"`, 1)
	_, err = w.PutRolePolicy(w.ctx, &api.PutRolePolicyInput{RoleName: new("r"), PolicyName: new("c"), PolicyDocument: &big})
	w.fails(err, "LimitExceededException: Maximum policy size of 10240 bytes exceeded for role r")
}

func TestAttach(t *testing.T) {
	w := newWorld(t)
	w.role("r")
	attach := func(policyARN string) error {
		_, err := w.AttachRolePolicy(w.ctx, &api.AttachRolePolicyInput{RoleName: new("r"), PolicyArn: &policyARN})
		return err
	}
	w.must(attach(exec))
	w.must(attach(exec))
	w.fails(attach(admin+"x"), "NoSuchEntityException: Policy "+admin+"x does not exist or is not attachable.")
	w.fails(attach("arn:aws:iam::123456789012:role/rrr"), "InvalidInputException: ARN arn:aws:iam::123456789012:role/rrr is not valid.")
	w.fails(attach("arn:aws:iam::aws:policy/aws-service-role/AmazonECSServiceRolePolicy"),
		"PolicyNotAttachableException: Cannot attach a Service Role Policy to a Customer Role.")
	_, err := w.DetachRolePolicy(w.ctx, &api.DetachRolePolicyInput{RoleName: new("r"), PolicyArn: new(admin)})
	w.fails(err, "NoSuchEntityException: Policy "+admin+" was not found.")
	for i := range 10 - 1 {
		w.must(attach(*w.policy(fmt.Sprint("p", i))))
	}
	w.fails(attach(admin), "LimitExceededException: Cannot exceed quota for PoliciesPerRole: 10")

	list := func(in *api.ListAttachedRolePoliciesInput) (names []string) {
		in.RoleName = new("r")
		for {
			out, err := w.ListAttachedRolePolicies(w.ctx, in)
			w.must(err)
			for _, p := range out.AttachedPolicies {
				names = append(names, *p.PolicyName)
			}
			if in.Marker = out.Marker; in.Marker == nil {
				return names
			}
		}
	}
	if got := list(&api.ListAttachedRolePoliciesInput{MaxItems: new(int32(3))}); len(got) != 10 || got[0] != "AmazonECSTaskExecutionRolePolicy" || got[9] != "p8" {
		t.Errorf("attached %v", got)
	}
	if got := list(&api.ListAttachedRolePoliciesInput{PathPrefix: new("/service-role/")}); len(got) != 1 {
		t.Errorf("attached under /service-role/: %v", got)
	}
}

func TestBoundary(t *testing.T) {
	w := newWorld(t)
	w.role("r")
	drop := func() error {
		_, err := w.DeleteRolePermissionsBoundary(w.ctx, &api.DeleteRolePermissionsBoundaryInput{RoleName: new("r")})
		return err
	}
	if drop() == nil {
		t.Error("deleted a boundary that is not there")
	}
	_, err := w.PutRolePermissionsBoundary(w.ctx, &api.PutRolePermissionsBoundaryInput{RoleName: new("r"), PermissionsBoundary: new(admin)})
	w.must(err)
	p, err := w.GetPolicy(w.ctx, &api.GetPolicyInput{PolicyArn: new(admin)})
	w.must(err)
	if *p.Policy.AttachmentCount != 0 || *p.Policy.PermissionsBoundaryUsageCount != 1 {
		t.Errorf("%+v", p.Policy)
	}
	w.must(drop())
}

func TestPolicyVersions(t *testing.T) {
	w := newWorld(t)
	made, err := w.CreatePolicy(w.ctx, &api.CreatePolicyInput{PolicyName: new("P"), Path: new("/a/"), Description: new("d"),
		PolicyDocument: new(allow), Tags: []api.Tag{tagged("k", "v"), tagged("K", "w")}})
	w.must(err)
	p := made.Policy.Arn
	if *p != "arn:aws:iam::123456789012:policy/a/P" || made.Policy.Description != nil || *made.Policy.DefaultVersionId != "v1" || *made.Policy.AttachmentCount != 0 {
		t.Errorf("%+v", made.Policy)
	}
	for range 4 {
		_, err = w.CreatePolicyVersion(w.ctx, &api.CreatePolicyVersionInput{PolicyArn: p, PolicyDocument: new(allow)})
		w.must(err)
	}
	_, err = w.CreatePolicyVersion(w.ctx, &api.CreatePolicyVersionInput{PolicyArn: p, PolicyDocument: new(allow)})
	w.fails(err, "LimitExceededException: A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing version.")
	_, err = w.SetDefaultPolicyVersion(w.ctx, &api.SetDefaultPolicyVersionInput{PolicyArn: p, VersionId: new("v3")})
	w.must(err)
	_, err = w.DeletePolicyVersion(w.ctx, &api.DeletePolicyVersionInput{PolicyArn: p, VersionId: new("v3")})
	w.fails(err, "DeleteConflictException: Cannot delete the default version of a policy.")
	_, err = w.DeletePolicyVersion(w.ctx, &api.DeletePolicyVersionInput{PolicyArn: p, VersionId: new("v5")})
	w.must(err)
	v, err := w.CreatePolicyVersion(w.ctx, &api.CreatePolicyVersionInput{PolicyArn: p, PolicyDocument: new(allow), SetAsDefault: new(true)})
	w.must(err)
	if *v.PolicyVersion.VersionId != "v6" || !*v.PolicyVersion.IsDefaultVersion || v.PolicyVersion.Document != nil {
		t.Errorf("%+v", v.PolicyVersion)
	}
	var ids []string
	in := &api.ListPolicyVersionsInput{PolicyArn: p, MaxItems: new(int32(2))}
	for {
		out, err := w.ListPolicyVersions(w.ctx, in)
		w.must(err)
		for _, v := range out.Versions {
			ids = append(ids, *v.VersionId)
		}
		if in.Marker = out.Marker; in.Marker == nil {
			break
		}
	}
	if strings.Join(ids, " ") != "v6 v4 v3 v2 v1" {
		t.Errorf("versions %v", ids)
	}
	one, err := w.GetPolicyVersion(w.ctx, &api.GetPolicyVersionInput{PolicyArn: p, VersionId: new("v1")})
	w.must(err)
	if *one.PolicyVersion.IsDefaultVersion || *one.PolicyVersion.Document != *call.Encode(allow) {
		t.Errorf("%+v", one.PolicyVersion)
	}
	_, err = w.GetPolicyVersion(w.ctx, &api.GetPolicyVersionInput{PolicyArn: p, VersionId: new("v9")})
	w.fails(err, "NoSuchEntityException: Policy "+*p+" version v9 does not exist or is not attachable.")
	_, err = w.DeletePolicy(w.ctx, &api.DeletePolicyInput{PolicyArn: p})
	if err == nil || !strings.HasPrefix(err.Error(), "DeleteConflictException: This policy has more than one version.") {
		t.Error(err)
	}
}

func TestPolicyErrors(t *testing.T) {
	w := newWorld(t)
	p := w.policy("p")
	_, err := w.CreatePolicy(w.ctx, &api.CreatePolicyInput{PolicyName: new("P"), PolicyDocument: new(allow)})
	w.fails(err, "EntityAlreadyExistsException: A policy called P already exists. Duplicate names are not allowed.")
	_, err = w.CreatePolicy(w.ctx, &api.CreatePolicyInput{PolicyName: new("q"), PolicyDocument: new("x")})
	w.fails(err, "MalformedPolicyDocumentException: Syntax errors in policy.")
	big := strings.Replace(allow, `"s3:*"`, `"s3:`+strings.Repeat("x", 6144)+`"`, 1)
	_, err = w.CreatePolicy(w.ctx, &api.CreatePolicyInput{PolicyName: new("q"), PolicyDocument: &big})
	w.fails(err, "LimitExceededException: Cannot exceed quota for PolicySize: 6144")
	_, err = w.GetPolicy(w.ctx, &api.GetPolicyInput{PolicyArn: new(*p + "x")})
	w.fails(err, "NoSuchEntityException: Policy "+*p+"x was not found.")
	_, err = w.GetPolicy(auth.WithCaller(w.ctx, auth.Caller{Account: "210987654321"}), &api.GetPolicyInput{PolicyArn: p})
	w.fails(err, "NoSuchEntityException: Policy "+*p+" was not found.")
	_, err = w.DeletePolicy(w.ctx, &api.DeletePolicyInput{PolicyArn: new(admin)})
	if err == nil || !strings.HasPrefix(err.Error(), "AccessDenied: ") {
		t.Error(err)
	}
	w.role("r")
	_, err = w.AttachRolePolicy(w.ctx, &api.AttachRolePolicyInput{RoleName: new("r"), PolicyArn: p})
	w.must(err)
	_, err = w.DeletePolicy(w.ctx, &api.DeletePolicyInput{PolicyArn: p})
	w.fails(err, "DeleteConflictException: Cannot delete a policy attached to entities.")
	_, err = w.DetachRolePolicy(w.ctx, &api.DetachRolePolicyInput{RoleName: new("r"), PolicyArn: p})
	w.must(err)
	_, err = w.DeletePolicy(w.ctx, &api.DeletePolicyInput{PolicyArn: p})
	w.must(err)
}

func TestListPolicies(t *testing.T) {
	w := newWorld(t)
	w.policy("zz")
	p := w.policy("Mine")
	w.role("r")
	_, err := w.AttachRolePolicy(w.ctx, &api.AttachRolePolicyInput{RoleName: new("r"), PolicyArn: p})
	w.must(err)
	_, err = w.PutRolePermissionsBoundary(w.ctx, &api.PutRolePermissionsBoundaryInput{RoleName: new("r"), PermissionsBoundary: new(admin)})
	w.must(err)
	all := []string{"Mine", "zz"}
	for _, a := range identity.AWSPolicies() {
		all = append(all, a.Name)
	}
	tests := []struct {
		in   api.ListPoliciesInput
		want []string
	}{
		{api.ListPoliciesInput{}, all},
		{api.ListPoliciesInput{Scope: new("AWS")}, all[2:]},
		{api.ListPoliciesInput{Scope: new("Local")}, all[:2]},
		{api.ListPoliciesInput{OnlyAttached: new(true)}, []string{"Mine", "AdministratorAccess"}},
		{api.ListPoliciesInput{OnlyAttached: new(true), PolicyUsageFilter: new("PermissionsPolicy")}, []string{"Mine"}},
		{api.ListPoliciesInput{PolicyUsageFilter: new("PermissionsBoundary")}, []string{"AdministratorAccess"}},
		{api.ListPoliciesInput{PathPrefix: new("/service-role/")}, []string{"AmazonEC2ContainerServiceEventsRole", "AmazonEC2ContainerServiceforEC2Role", "AmazonECSTaskExecutionRolePolicy"}},
	}
	for _, tt := range tests {
		for _, size := range []int32{1, 7, 1000} {
			in, got := tt.in, []string{}
			in.MaxItems = &size
			for {
				out, err := w.ListPolicies(w.ctx, &in)
				w.must(err)
				for _, p := range out.Policies {
					got = append(got, *p.PolicyName)
				}
				if in.Marker = out.Marker; in.Marker == nil {
					break
				}
				if len(*in.Marker) > 320 {
					t.Fatalf("a marker of %d characters", len(*in.Marker))
				}
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("%+v by %d: %v, want %v", tt.in, size, got, tt.want)
			}
		}
	}
	_, err = w.ListPolicies(w.ctx, &api.ListPoliciesInput{Marker: new("nonsense")})
	w.fails(err, "ValidationError: Invalid Marker.")
}

func TestListRolesPages(t *testing.T) {
	w := newWorld(t)
	var want []string
	for i := range 205 {
		want = append(want, fmt.Sprintf("role-%03d", i))
		w.role(want[i])
	}
	var got []string
	in := &api.ListRolesInput{}
	for pages := 1; ; pages++ {
		out, err := w.ListRoles(w.ctx, in)
		w.must(err)
		for _, r := range out.Roles {
			got = append(got, *r.RoleName)
		}
		if !*out.IsTruncated {
			if pages != 3 || out.Marker != nil {
				t.Errorf("%d pages, marker %v", pages, out.Marker)
			}
			break
		}
		again, err := w.ListRoles(w.ctx, &api.ListRolesInput{Marker: out.Marker, MaxItems: new(int32(1))})
		w.must(err)
		if *again.Roles[0].RoleName != want[len(got)] {
			t.Errorf("the marker leads to %s", *again.Roles[0].RoleName)
		}
		in.Marker = out.Marker
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %d roles: %v", len(got), got)
	}
}

func TestEntitiesForPolicy(t *testing.T) {
	w := newWorld(t)
	put(w, tables.Users, &identity.User{Account: acct, Path: "/", Name: "alice", ID: "AIDAALICE", Grants: identity.Grants{Attached: []string{admin}}})
	for i := range 3 {
		name := fmt.Sprint("r", i)
		w.role(name)
		_, err := w.AttachRolePolicy(w.ctx, &api.AttachRolePolicyInput{RoleName: &name, PolicyArn: new(admin)})
		w.must(err)
	}
	w.role("bounded")
	_, err := w.PutRolePermissionsBoundary(w.ctx, &api.PutRolePermissionsBoundaryInput{RoleName: new("bounded"), PermissionsBoundary: new(admin)})
	w.must(err)
	for want, in := range map[string]*api.ListEntitiesForPolicyInput{
		"bounded r0 r1 r2 alice": {},
		"bounded r0 r1 r2":       {EntityFilter: new("Role")},
		"alice":                  {EntityFilter: new("User")},
		"":                       {EntityFilter: new("Group")},
		"bounded":                {PolicyUsageFilter: new("PermissionsBoundary")},
		"r0 r1 r2 alice":         {PolicyUsageFilter: new("PermissionsPolicy")},
	} {
		got := []string{}
		in.PolicyArn, in.MaxItems = new(admin), new(int32(2))
		for {
			out, err := w.ListEntitiesForPolicy(w.ctx, in)
			w.must(err)
			for _, r := range out.PolicyRoles {
				got = append(got, *r.RoleName)
			}
			for _, u := range out.PolicyUsers {
				got = append(got, *u.UserName)
			}
			if in.Marker = out.Marker; in.Marker == nil {
				break
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%v, want %s", got, want)
		}
	}
}

func TestTags(t *testing.T) {
	w := newWorld(t)
	w.role("r")
	p := w.policy("p")
	role := func(tags ...api.Tag) error {
		_, err := w.TagRole(w.ctx, &api.TagRoleInput{RoleName: new("r"), Tags: tags})
		return err
	}
	pol := func(tags ...api.Tag) error {
		_, err := w.TagPolicy(w.ctx, &api.TagPolicyInput{PolicyArn: p, Tags: tags})
		return err
	}
	w.must(role(tagged("Team", "a"), tagged("x", "aws:fine")))
	w.must(role(tagged("team", "b")))
	w.must(pol(tagged("Team", "a"), tagged("team", "b"), tagged("x", "")))
	w.fails(role(tagged("y", ""), tagged("Y", "")), "InvalidInputException: Duplicate tag keys found. Please note that Tag keys are case insensitive.")
	w.fails(role(tagged("aws:y", "")), "InvalidInputException: Tag keys beginning with aws: are reserved for system use.")
	if err := role(); err == nil || !strings.HasPrefix(err.Error(), "InvalidInputException") {
		t.Error(err)
	}
	if err := role(tagged(" ", "")); err == nil || !strings.HasPrefix(err.Error(), "ValidationError") {
		t.Error(err)
	}
	var many []api.Tag
	for i := range 49 {
		many = append(many, tagged(fmt.Sprint(i), ""))
	}
	w.fails(role(many...), "LimitExceededException: The number of tags has reached the maximum limit.")

	var got []string
	in := &api.ListRoleTagsInput{RoleName: new("r"), MaxItems: new(int32(1))}
	for {
		out, err := w.ListRoleTags(w.ctx, in)
		w.must(err)
		for _, t := range out.Tags {
			got = append(got, *t.Key+"="+*t.Value)
		}
		if in.Marker = out.Marker; in.Marker == nil {
			break
		}
	}
	if strings.Join(got, " ") != "team=b x=aws:fine" {
		t.Errorf("role tags %v", got)
	}
	_, err := w.UntagRole(w.ctx, &api.UntagRoleInput{RoleName: new("r"), TagKeys: []string{"TEAM", "missing", "aws:x"}})
	w.must(err)
	_, err = w.UntagPolicy(w.ctx, &api.UntagPolicyInput{PolicyArn: p, TagKeys: []string{"TEAM", "team"}})
	w.must(err)
	roleTags, err := w.ListRoleTags(w.ctx, &api.ListRoleTagsInput{RoleName: new("r")})
	w.must(err)
	policyTags, err := w.ListPolicyTags(w.ctx, &api.ListPolicyTagsInput{PolicyArn: p})
	w.must(err)
	if len(roleTags.Tags) != 1 || len(policyTags.Tags) != 2 || *policyTags.Tags[0].Key != "Team" {
		t.Errorf("%+v %+v", roleTags.Tags, policyTags.Tags)
	}
}

func TestServiceLinkedRoles(t *testing.T) {
	w := newWorld(t)
	const name = "AWSServiceRoleForECS"
	create := func(service string, suffix *string) error {
		_, err := w.CreateServiceLinkedRole(w.ctx, &api.CreateServiceLinkedRoleInput{AWSServiceName: &service, CustomSuffix: suffix})
		return err
	}
	w.must(create("ecs.amazonaws.com", nil))
	w.fails(create("ecs.amazonaws.com", nil), "InvalidInputException: Service role name AWSServiceRoleForECS has been taken in this account, please try a different suffix.")
	w.fails(create("ecs.amazonaws.com", new("x")), "InvalidInputException: Custom suffix is not allowed for ecs.amazonaws.com")
	w.must(create("autoscaling.amazonaws.com", new("x")))
	w.fails(create("autoscaling.amazonaws.com", new("x")), "InvalidInputException: Service role name AWSServiceRoleForAutoScaling_x has been taken in this account, please try a different suffix.")
	got, err := w.GetRole(w.ctx, &api.GetRoleInput{RoleName: new(name)})
	w.must(err)
	if *got.Role.Path != "/aws-service-role/ecs.amazonaws.com/" || *got.Role.MaxSessionDuration != 3600 ||
		*got.Role.Description != "Policy to enable Amazon ECS to manage your EC2 instances and related resources." {
		t.Errorf("%+v", got.Role)
	}
	const protected = "UnmodifiableEntityException: Cannot perform the operation on the protected role 'AWSServiceRoleForECS' - this role is only modifiable by AWS"
	for _, f := range []func() error{
		func() error { _, err := w.DeleteRole(w.ctx, &api.DeleteRoleInput{RoleName: new(name)}); return err },
		func() error {
			_, err := w.AttachRolePolicy(w.ctx, &api.AttachRolePolicyInput{RoleName: new(name), PolicyArn: new(admin)})
			return err
		},
		func() error {
			_, err := w.PutRolePolicy(w.ctx, &api.PutRolePolicyInput{RoleName: new(name), PolicyName: new("p"), PolicyDocument: new(allow)})
			return err
		},
		func() error {
			_, err := w.UpdateAssumeRolePolicy(w.ctx, &api.UpdateAssumeRolePolicyInput{RoleName: new(name), PolicyDocument: new(trust)})
			return err
		},
		func() error {
			_, err := w.PutRolePermissionsBoundary(w.ctx, &api.PutRolePermissionsBoundaryInput{RoleName: new(name), PermissionsBoundary: new(admin)})
			return err
		},
	} {
		w.fails(f(), protected)
	}
	_, err = w.UpdateRole(w.ctx, &api.UpdateRoleInput{RoleName: new(name), MaxSessionDuration: new(int32(7200))})
	w.fails(err, "UnmodifiableEntityException: AWSServiceRoleForECS is an AWS service linked role, max session duration cannot be changed.")
	_, err = w.UpdateRole(w.ctx, &api.UpdateRoleInput{RoleName: new(name), Description: new("mine")})
	w.must(err)
	_, err = w.TagRole(w.ctx, &api.TagRoleInput{RoleName: new(name), Tags: []api.Tag{tagged("a", "b")}})
	w.must(err)
}

func TestDeleteServiceLinkedRole(t *testing.T) {
	w := newWorld(t)
	_, err := w.CreateServiceLinkedRole(w.ctx, &api.CreateServiceLinkedRoleInput{AWSServiceName: new("ecs.amazonaws.com")})
	w.must(err)
	cluster := compute.Cluster{Account: acct, Region: "eu-west-1", Name: "c", Status: compute.Active}
	put(w, tables.Clusters, &cluster)
	del := func() *api.GetServiceLinkedRoleDeletionStatusOutput {
		t.Helper()
		out, err := w.DeleteServiceLinkedRole(w.ctx, &api.DeleteServiceLinkedRoleInput{RoleName: new("AWSServiceRoleForECS")})
		w.must(err)
		if !strings.HasPrefix(*out.DeletionTaskId, "task/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS/") {
			t.Errorf("task id %s", *out.DeletionTaskId)
		}
		status, err := w.GetServiceLinkedRoleDeletionStatus(w.ctx, &api.GetServiceLinkedRoleDeletionStatusInput{DeletionTaskId: out.DeletionTaskId})
		w.must(err)
		return status
	}
	s := del()
	if *s.Status != "FAILED" || *s.Reason.Reason != "Role in use." || *s.Reason.RoleUsageList[0].Region != "eu-west-1" ||
		s.Reason.RoleUsageList[0].Resources[0] != "arn:aws:ecs:eu-west-1:123456789012:cluster/c" {
		t.Errorf("%+v", s)
	}
	cluster.Status = compute.Inactive
	put(w, tables.Clusters, &cluster)
	if s := del(); *s.Status != "SUCCEEDED" || s.Reason != nil {
		t.Errorf("%+v", s)
	}
	_, err = w.GetRole(w.ctx, &api.GetRoleInput{RoleName: new("AWSServiceRoleForECS")})
	w.fails(err, "NoSuchEntityException: The role with name AWSServiceRoleForECS cannot be found.")
	w.role("mine")
	_, err = w.DeleteServiceLinkedRole(w.ctx, &api.DeleteServiceLinkedRoleInput{RoleName: new("mine")})
	if err == nil || !strings.HasPrefix(err.Error(), "NoSuchEntityException") {
		t.Error(err)
	}
	_, err = w.GetServiceLinkedRoleDeletionStatus(w.ctx, &api.GetServiceLinkedRoleDeletionStatusInput{DeletionTaskId: new("task/x")})
	if err == nil || !strings.HasPrefix(err.Error(), "NoSuchEntityException") {
		t.Error(err)
	}
}

func TestGetUser(t *testing.T) {
	w := newWorld(t)
	root, err := w.GetUser(w.ctx, &api.GetUserInput{})
	w.must(err)
	if *root.User.Arn != "arn:aws:iam::123456789012:root" || *root.User.UserId != acct || root.User.UserName != nil {
		t.Errorf("%+v", root.User)
	}
	put(w, tables.Users, &identity.User{Account: acct, Path: "/", Name: "Alice", ID: "AIDAALICE", CreatedAt: start})
	put(w, tables.AccessKeys, &identity.AccessKey{ID: "AKIAALICE", Account: acct, User: "Alice"})
	alice := auth.WithCaller(w.ctx, auth.Caller{Account: acct, UserID: "AIDAALICE", AccessKeyID: "AKIAALICE"})
	self, err := w.GetUser(alice, &api.GetUserInput{})
	w.must(err)
	byName, err := w.GetUser(w.ctx, &api.GetUserInput{UserName: new("aLICE")})
	w.must(err)
	if *self.User.UserName != "Alice" || *byName.User.Arn != "arn:aws:iam::123456789012:user/Alice" {
		t.Errorf("%+v %+v", self.User, byName.User)
	}
	_, err = w.GetUser(w.ctx, &api.GetUserInput{UserName: new("bob")})
	w.fails(err, "NoSuchEntityException: The user with name bob cannot be found.")
	session := auth.WithCaller(w.ctx, auth.Caller{Account: acct, UserID: "AROAX:s", AccessKeyID: "ASIAX"})
	_, err = w.GetUser(session, &api.GetUserInput{})
	w.fails(err, "ValidationError: Must specify userName when calling with non-User credentials")
}
