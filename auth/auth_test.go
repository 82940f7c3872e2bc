package auth

import (
	"context"
	"errors"
	"math/rand"
	"testing"
	"time"

	"neargate/arn"
	"neargate/auth/policy"
	"neargate/resource/identity"
	"neargate/store"
	"neargate/store/mem"
	"neargate/store/tables"
)

const account = "123456789012"

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// world is a store with a root key, the user alice with an active and an
// inactive key, and a session of the role worker.
type world struct {
	*Directory
	store    store.Store
	root     identity.AccessKey
	alice    identity.AccessKey
	inactive identity.AccessKey
	session  identity.Session
	token    string
}

func newWorld(t *testing.T, grants identity.Grants) *world {
	t.Helper()
	ids := arn.NewSource(rand.New(rand.NewSource(1)))
	w := &world{store: mem.New(mem.Paranoid())}
	w.Directory = NewDirectory(w.store, func() time.Time { return now })
	first, root := identity.NewAccount(account, "main", now, ids)
	w.root = root
	w.alice = identity.NewAccessKey(account, "alice", now, ids)
	w.inactive = identity.NewAccessKey(account, "alice", now, ids)
	w.inactive.Status = identity.KeyInactive
	w.session = identity.Session{Account: account, Role: "worker", RoleID: "AROAWORKER", Name: "s", IssuedAt: now, Expires: now.Add(time.Hour)}
	w.token = w.session.Issue(ids)
	put(t, w.store, tables.Accounts, &first)
	put(t, w.store, tables.AccessKeys, &w.root, &w.alice, &w.inactive)
	put(t, w.store, tables.Users, &identity.User{Account: account, Path: "/team/", Name: "Alice", ID: "AIDAALICE", Grants: grants,
		Tags: []identity.Tag{{Key: "team", Value: "red"}}})
	put(t, w.store, tables.Roles, &identity.Role{Account: account, Path: "/", Name: "worker", ID: "AROAWORKER", Grants: grants})
	put(t, w.store, tables.Sessions, &w.session)
	return w
}

func put[T any](t *testing.T, s store.Store, table store.Table[T], records ...*T) {
	t.Helper()
	if err := s.Update(context.Background(), func(tx store.Tx) error {
		for _, r := range records {
			if err := table.Put(tx, r); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func TestLookup(t *testing.T) {
	w := newWorld(t, identity.Grants{})
	tests := []struct {
		name, key, token string
		err              error
		arn, userID      string
	}{
		{"root", w.root.ID, "", nil, "arn:aws:iam::123456789012:root", account},
		{"user", w.alice.ID, "", nil, "arn:aws:iam::123456789012:user/team/Alice", "AIDAALICE"},
		{"session", w.session.ID, w.token, nil, "arn:aws:sts::123456789012:assumed-role/worker/s", "AROAWORKER:s"},
		{"unknown", "AKIANOSUCH", "", ErrUnknownKey, "", ""},
		{"inactive", w.inactive.ID, "", ErrInactiveKey, "", ""},
		{"session without token", w.session.ID, "", ErrBadToken, "", ""},
		{"session with another token", w.session.ID, w.token + "x", ErrBadToken, "", ""},
		{"long-term key with a token", w.alice.ID, w.token, ErrBadToken, "", ""},
	}
	for _, tt := range tests {
		c, err := w.Lookup(t.Context(), tt.key, tt.token)
		if !errors.Is(err, tt.err) || c.Caller.ARN != tt.arn || c.Caller.UserID != tt.userID {
			t.Errorf("%s: %+v %v", tt.name, c, err)
		}
		if err == nil && (len(c.Secret) != 40 || c.Caller.Account != account || c.Caller.AccessKeyID != tt.key) {
			t.Errorf("%s: %+v", tt.name, c)
		}
	}
	w.now = func() time.Time { return now.Add(time.Hour) }
	if _, err := w.Lookup(t.Context(), w.session.ID, w.token); !errors.Is(err, ErrExpiredToken) {
		t.Errorf("expired: %v", err)
	}
	w.now = func() time.Time { return now }
	put(t, w.store, tables.Roles, &identity.Role{Account: account, Path: "/", Name: "Worker", ID: "AROAANOTHER"})
	if _, err := w.Lookup(t.Context(), w.session.ID, w.token); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("session of a deleted role: %v", err)
	}
}

type cluster struct{ Cluster *string }

func TestAuthorize(t *testing.T) {
	const (
		reads  = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ecs:Describe*","iam:Get*","logs:*"],"Resource":"*"}]}`
		denies = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"ecs:DescribeTasks","Resource":"*"}]}`
		passes = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ecs:RegisterTaskDefinition"],"Resource":"*"},
			{"Effect":"Allow","Action":"iam:PassRole","Resource":"arn:aws:iam::123456789012:role/app-*","Condition":{"StringEquals":{"iam:PassedToService":"ecs-tasks.amazonaws.com"}}}]}`
		tagged = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ecs:CreateCluster","Resource":"arn:aws:ecs:*:*:cluster/${aws:PrincipalTag/team}-*","Condition":{"ForAllValues:StringEquals":{"aws:TagKeys":["stage"]},"StringEquals":{"aws:RequestTag/stage":"dev"}}}]}`
	)
	const admin = "arn:aws:iam::aws:policy/AdministratorAccess"
	const readOnly = "arn:aws:iam::aws:policy/AmazonSSMReadOnlyAccess"
	inline := func(docs ...string) (g identity.Grants) {
		for _, d := range docs {
			g.Inline = append(g.Inline, identity.Inline{Name: "p", Document: d})
		}
		return g
	}
	type tag struct{ Key, Value *string }
	tests := []struct {
		name   string
		grants identity.Grants
		call   Call
		want   string // what follows "User: … is not authorized to perform: "
	}{
		{"nothing allowed", identity.Grants{}, Call{"ecs", "RunTask", &struct{ TaskDefinition *string }{new("web")}},
			"ecs:RunTask on resource: arn:aws:ecs:us-east-1:123456789012:task-definition/web because no identity-based policy allows the ecs:RunTask action"},
		{"attached", identity.Grants{Attached: []string{admin}}, Call{"ecs", "RunTask", &struct{}{}}, ""},
		{"inline", inline(reads), Call{"ecs", "DescribeTasks", &struct{ Tasks []string }{[]string{"a", "b"}}}, ""},
		{"deny wins", inline(reads, denies), Call{"ecs", "DescribeTasks", &struct{ Tasks []string }{[]string{"a"}}},
			"ecs:DescribeTasks on resource: arn:aws:ecs:us-east-1:123456789012:task/default/a with an explicit deny in an identity-based policy"},
		{"boundary", identity.Grants{Attached: []string{admin}, Boundary: readOnly}, Call{"ecs", "ListClusters", &struct{}{}},
			"ecs:ListClusters on resource: * because no permissions boundary allows the ecs:ListClusters action"},
		{"boundary that is gone", identity.Grants{Attached: []string{admin}, Boundary: "arn:aws:iam::123456789012:policy/gone"},
			Call{"ecs", "ListClusters", &struct{}{}},
			"ecs:ListClusters on resource: * because no permissions boundary allows the ecs:ListClusters action"},
		{"no permission needed", identity.Grants{}, Call{"sts", "GetCallerIdentity", &struct{}{}}, ""},
		{"pass role", inline(passes), Call{"ecs", "RegisterTaskDefinition", &struct{ TaskRoleArn *string }{new("arn:aws:iam::123456789012:role/app-1")}}, ""},
		{"pass another role", inline(passes), Call{"ecs", "RegisterTaskDefinition", &struct{ ExecutionRoleArn *string }{new("worker")}},
			"iam:PassRole on resource: arn:aws:iam::123456789012:role/worker because no identity-based policy allows the iam:PassRole action"},
		{"stream", identity.Grants{}, Call{"logs", "CreateLogStream", &struct{ LogGroupName, LogStreamName *string }{new("/g"), new("s")}},
			"logs:CreateLogStream on resource: arn:aws:logs:us-east-1:123456789012:log-group:/g:log-stream:s because no identity-based policy allows the logs:CreateLogStream action"},
		{"group by ARN", identity.Grants{}, Call{"logs", "FilterLogEvents", &struct{ LogGroupIdentifier *string }{new("arn:aws-cn:logs:us-east-1:123456789012:log-group:/g:*")}},
			"logs:FilterLogEvents on resource: arn:aws:logs:us-east-1:123456789012:log-group:/g:log-stream: because no identity-based policy allows the logs:FilterLogEvents action"},
		{"groups", identity.Grants{}, Call{"logs", "DescribeLogGroups", &struct{}{}},
			"logs:DescribeLogGroups on resource: arn:aws:logs:us-east-1:123456789012:log-group::log-stream: because no identity-based policy allows the logs:DescribeLogGroups action"},
		{"role in another case", identity.Grants{}, Call{"iam", "GetRole", &struct{ RoleName *string }{new("WORKER")}},
			"iam:GetRole on resource: arn:aws:iam::123456789012:role/worker because no identity-based policy allows the iam:GetRole action"},
		{"cluster", identity.Grants{}, Call{"ecs", "DeleteCluster", &cluster{new("arn:aws:ecs:us-east-1:123456789012:cluster/c")}},
			"ecs:DeleteCluster on resource: arn:aws:ecs:us-east-1:123456789012:cluster/c because no identity-based policy allows the ecs:DeleteCluster action"},
		{"budget", identity.Grants{}, Call{"budgets", "UpdateBudget", &struct{ NewBudget *struct{ BudgetName *string } }{&struct{ BudgetName *string }{new("b")}}},
			"budgets:ModifyBudget on resource: arn:aws:budgets::123456789012:budget/b because no identity-based policy allows the budgets:ModifyBudget action"},
		{"budgets", inline(`{"Statement":[{"Effect":"Allow","Action":"budgets:ViewBudget","Resource":"arn:aws:budgets::*:budget/*"}]}`), Call{"budgets", "DescribeBudgets", &struct{}{}}, ""},
		{"costs", identity.Grants{}, Call{"ce", "GetCostAndUsage", &struct{}{}},
			"ce:GetCostAndUsage on resource: * because no identity-based policy allows the ce:GetCostAndUsage action"},
		{"tags", inline(tagged), Call{"ecs", "CreateCluster", &struct {
			ClusterName *string
			Tags        []tag
		}{new("red-1"), []tag{{new("stage"), new("dev")}}}}, ""},
		{"other tags", inline(tagged), Call{"ecs", "CreateCluster", &struct {
			ClusterName *string
			Tags        []tag
		}{new("red-1"), []tag{{new("stage"), new("dev")}, {new("x"), new("")}}}},
			"ecs:CreateCluster on resource: arn:aws:ecs:us-east-1:123456789012:cluster/red-1 because no identity-based policy allows the ecs:CreateCluster action"},
	}
	for _, tt := range tests {
		w := newWorld(t, tt.grants)
		cred, err := w.Lookup(t.Context(), w.alice.ID, "")
		if err != nil {
			t.Fatal(err)
		}
		caller := cred.Caller
		caller.Region = "us-east-1"
		err = w.Authorize(t.Context(), caller, tt.call)
		want := ""
		if tt.want != "" {
			want = "User: " + caller.ARN + " is not authorized to perform: " + tt.want
		}
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %q, want %q", tt.name, got, want)
		}
		root := Caller{Account: account, UserID: account}
		if err := w.Authorize(t.Context(), root, tt.call); err != nil {
			t.Errorf("%s: root is refused: %v", tt.name, err)
		}
	}
}

func TestAuthorizeSession(t *testing.T) {
	w := newWorld(t, identity.Grants{Attached: []string{"arn:aws:iam::aws:policy/AdministratorAccess"}})
	c := Caller{Account: account, Region: "eu-west-1", ARN: w.session.ARN(), UserID: w.session.UserID(), AccessKeyID: w.session.ID}
	call := Call{"ecs", "ListClusters", &struct{}{}}
	if err := w.Authorize(t.Context(), c, call); err != nil {
		t.Fatal(err)
	}
	use := func() (u identity.RoleUse) {
		if err := w.store.View(t.Context(), func(tx store.Tx) (err error) {
			u, err = tables.RoleUses.Get(tx, account, "worker")
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return u
	}
	if u := use(); !u.At.Equal(now) || u.Region != "eu-west-1" {
		t.Errorf("use %+v", u)
	}
	w.now = func() time.Time { return now.Add(30 * time.Minute) }
	second, other := w.session, c
	second.ID = "ASIASECOND"
	put(t, w.store, tables.Sessions, &second)
	other.AccessKeyID = second.ID
	for _, c := range []Caller{c, other} {
		if err := w.Authorize(t.Context(), c, call); err != nil || !use().At.Equal(now) {
			t.Errorf("%v, use %+v", err, use())
		}
	}
	for _, s := range []identity.Session{
		{Policy: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`},
		{PolicyARNs: []string{"arn:aws:iam::aws:policy/AmazonSSMReadOnlyAccess"}},
	} {
		limited := w.session
		limited.Policy, limited.PolicyARNs = s.Policy, s.PolicyARNs
		put(t, w.store, tables.Sessions, &limited)
		err := w.Authorize(t.Context(), c, call)
		var denied *Denied
		if !errors.As(err, &denied) || denied.Reason != "because no session policy allows the ecs:ListClusters action" {
			t.Errorf("%v", err)
		}
	}
}

func TestManagedPoliciesAreValid(t *testing.T) {
	for _, p := range identity.AWSPolicies() {
		if _, err := policy.Check(p.Document(), policy.Managed); err != nil {
			t.Errorf("%s: %v", p.Name, err)
		}
	}
	for _, service := range []string{"ecs.amazonaws.com", "autoscaling.amazonaws.com"} {
		r, _, _ := identity.ServiceLinkedRole(account, service, "", now, arn.NewSource(rand.New(rand.NewSource(1))))
		if _, err := policy.Check(r.Trust, policy.Trust); err != nil {
			t.Errorf("%s: %v", service, err)
		}
	}
}
