package auth

import (
	"errors"
	"testing"

	"neargate/auth/policy"
	"neargate/resource/identity"
	"neargate/store"
	"neargate/store/tables"
)

// TestAllow decides about a resource with a policy, for callers with and without
// permissions of their own, of the account and of another.
func TestAllow(t *testing.T) {
	const (
		other    = "999999999999"
		user     = "arn:aws:iam::123456789012:user/team/Alice"
		role     = "arn:aws:iam::123456789012:role/worker"
		session  = "arn:aws:sts::123456789012:assumed-role/worker/s"
		readOnly = "arn:aws:iam::aws:policy/AmazonSSMReadOnlyAccess"

		noIdentity = "because no identity-based policy allows the kms:Decrypt action"
		noResource = "because no resource-based policy allows the kms:Decrypt action"
		noBoundary = "because no permissions boundary allows the kms:Decrypt action"
		noSession  = "because no session policy allows the kms:Decrypt action"
		denied     = "with an explicit deny in a resource-based policy"
	)
	named := func(effect, principal string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"` + effect + `","Principal":` + principal + `,"Action":"kms:*","Resource":"*"}]}`
	}
	aws := func(id string) string { return named("Allow", `{"AWS":"`+id+`"}`) }
	admin := identity.Grants{Attached: []string{"arn:aws:iam::aws:policy/AdministratorAccess"}}
	bounded := identity.Grants{Boundary: readOnly}
	narrow := identity.Session{PolicyARNs: []string{readOnly}}
	tests := []struct {
		name    string
		caller  string // alice, worker, root, nobody
		grants  identity.Grants
		session identity.Session
		owner   string
		policy  string
		sole    bool
		want    string
	}{
		{name: "no policies", caller: "alice", want: noIdentity},
		{name: "identity only", caller: "alice", grants: admin},
		{name: "user named", caller: "alice", policy: aws(user)},
		{name: "another user named", caller: "alice", policy: aws(user + "x"), want: noIdentity},
		{name: "account named", caller: "alice", policy: aws(account), want: noIdentity},
		{name: "account named, identity allows", caller: "alice", grants: admin, policy: aws(account)},
		{name: "everybody", caller: "alice", policy: named("Allow", `"*"`)},
		{name: "user named, bounded", caller: "alice", grants: bounded, policy: aws(user)},
		{name: "everybody, bounded", caller: "alice", grants: bounded, policy: named("Allow", `"*"`), want: noBoundary},
		{name: "denied", caller: "alice", grants: admin, policy: named("Deny", `{"AWS":"`+account+`"}`), want: denied},
		{name: "all but another denied", caller: "alice", grants: admin, policy: `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","NotPrincipal":{"AWS":"` + role + `"},"Action":"*","Resource":"*"}]}`, want: denied},

		{name: "role named", caller: "worker", policy: aws(role)},
		{name: "role named, bounded", caller: "worker", grants: bounded, policy: aws(role), want: noBoundary},
		{name: "role named, narrow session", caller: "worker", session: narrow, policy: aws(role), want: noSession},
		{name: "session named, bounded and narrow", caller: "worker", grants: bounded, session: narrow, policy: aws(session)},

		{name: "sole, no policy", caller: "alice", grants: admin, sole: true, want: noResource},
		{name: "sole, another named", caller: "alice", grants: admin, sole: true, policy: aws(role), want: noResource},
		{name: "sole, account named", caller: "alice", grants: admin, sole: true, policy: aws("arn:aws:iam::123456789012:root")},
		{name: "sole, account named, identity silent", caller: "alice", sole: true, policy: aws(account), want: noIdentity},
		{name: "sole, user named", caller: "alice", sole: true, policy: aws(user)},

		{name: "foreign, no policy", caller: "alice", grants: admin, owner: other, want: noResource},
		{name: "foreign, named, identity silent", caller: "alice", owner: other, policy: aws(user), want: noIdentity},
		{name: "foreign, named, identity allows", caller: "alice", owner: other, grants: admin, policy: aws(user)},
		{name: "foreign, account named, identity allows", caller: "alice", owner: other, grants: admin, policy: aws(account)},
		{name: "foreign, named, bounded", caller: "alice", owner: other, policy: aws(user),
			grants: identity.Grants{Attached: admin.Attached, Boundary: readOnly}, want: noBoundary},

		{name: "root", caller: "root"},
		{name: "root denied", caller: "root", policy: named("Deny", `"*"`), want: denied},
		{name: "root, sole", caller: "root", sole: true, policy: aws(user), want: noResource},
		{name: "root, sole, account named", caller: "root", sole: true, policy: aws(account)},
		{name: "root, foreign", caller: "root", owner: other, want: noResource},
		{name: "root, foreign, account named", caller: "root", owner: other, policy: aws(account)},

		{name: "nobody", caller: "nobody", want: noIdentity},
		{name: "nobody, public", caller: "nobody", policy: named("Allow", `"*"`)},
		{name: "nobody, account named", caller: "nobody", policy: aws(account), want: noIdentity},
	}
	for _, tt := range tests {
		w := newWorld(t, tt.grants)
		w.session.PolicyARNs = tt.session.PolicyARNs
		put(t, w.store, tables.Sessions, &w.session)
		c := Caller{}
		switch tt.caller {
		case "alice":
			cred, err := w.Lookup(t.Context(), w.alice.ID, "")
			if err != nil {
				t.Fatal(err)
			}
			c = cred.Caller
		case "worker":
			c = Caller{Account: account, ARN: w.session.ARN(), UserID: w.session.UserID(), AccessKeyID: w.session.ID}
		case "root":
			c = Caller{Account: account, ARN: identity.RootARN(account), UserID: account}
		}
		owner := tt.owner
		if owner == "" {
			owner = account
		}
		u := Use{Action: "kms:Decrypt", Resource: "arn:aws:kms:us-east-1:" + owner + ":key/k", On: Resource{Policy: tt.policy, Sole: tt.sole}}
		reason := ""
		err := w.store.View(t.Context(), func(tx store.Tx) error { return w.Allow(tx, c, u) })
		if d, ok := errors.AsType[*Denied](err); ok {
			reason = d.Reason
		} else if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if reason != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, reason, tt.want)
		}
	}
}

// TestAllowKeys finds the condition keys of the resource and those handed over.
func TestAllowKeys(t *testing.T) {
	const doc = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*","Condition":{"StringEquals":{
		"aws:ResourceTag/stage":"dev","s3:ResourceTag/stage":"dev","s3:prefix":"x","aws:ResourceAccount":"123456789012"}}}]}`
	w := newWorld(t, identity.Grants{Inline: []identity.Inline{{Name: "p", Document: doc}}})
	cred, err := w.Lookup(t.Context(), w.alice.ID, "")
	if err != nil {
		t.Fatal(err)
	}
	u := Use{Action: "s3:GetObject", Resource: "arn:aws:s3:::b/k", On: Resource{Account: account, Tags: []identity.Tag{{Key: "stage", Value: "dev"}}}}
	allow := func() error {
		return w.store.View(t.Context(), func(tx store.Tx) error { return Allow(tx, cred.Caller, now, u) })
	}
	if err := allow(); err == nil {
		t.Error("allowed without s3:prefix")
	}
	u.Keys = policy.Context{}
	u.Keys.Set("s3:prefix", "x")
	if err := allow(); err != nil {
		t.Error(err)
	}
	u.On.Account = "999999999999"
	if err := allow(); err == nil {
		t.Error("allowed in another account")
	}
}
