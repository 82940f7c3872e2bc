package sts

import (
	"errors"
	"testing"

	"neargate/auth"
	api "neargate/aws/sts"
	"neargate/store"
	"neargate/store/tables"
)

// TestSessionToken signs as the user with what GetSessionToken answers.
func TestSessionToken(t *testing.T) {
	const may = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ecs:*","iam:*"],"Resource":"*"}]}`
	w := newWorld(t, may)
	out, err := w.GetSessionToken(w.ctx, &api.GetSessionTokenInput{})
	if err != nil {
		t.Fatal(err)
	}
	if got := out.Credentials.Expiration.Sub(start).Hours(); got != 12 {
		t.Errorf("lives %v hours", got)
	}
	dir := auth.NewDirectory(w.deps.Store, w.deps.Now)
	cred, err := dir.Lookup(t.Context(), *out.Credentials.AccessKeyId, *out.Credentials.SessionToken)
	if err != nil {
		t.Fatal(err)
	}
	c := cred.Caller
	c.Region = "us-east-1"
	if c.ARN != "arn:aws:iam::123456789012:user/alice" || c.UserID != "AIDAALICE" {
		t.Errorf("%+v", c)
	}
	may1 := func(service, operation string) error {
		return dir.Authorize(t.Context(), c, auth.Call{Service: service, Operation: operation, Input: &struct{}{}})
	}
	if err := may1("ecs", "ListClusters"); err != nil {
		t.Error(err)
	}
	if err := may1("iam", "ListUsers"); !errors.Is(err, auth.ErrNotForSessions) {
		t.Errorf("IAM: %v", err)
	}
	for operation, allowed := range map[string]bool{"GetCallerIdentity": true, "AssumeRole": true, "GetAccessKeyInfo": false} {
		if err := may1("sts", operation); (err == nil) != allowed {
			t.Errorf("%s: %v", operation, err)
		}
	}
	_, err = w.GetSessionToken(auth.WithCaller(t.Context(), c), &api.GetSessionTokenInput{})
	if text(err) != "AccessDenied: Cannot call GetSessionToken with session credentials" {
		t.Error(err)
	}
	role := w.role(t, home, "ops", trusting(named, ""))
	if _, err := w.AssumeRole(auth.WithCaller(t.Context(), c), &api.AssumeRoleInput{RoleArn: &role, RoleSessionName: new("s1")}); err != nil {
		t.Errorf("a user's session assumes a role: %v", err)
	}
	if err := w.deps.Store.Update(t.Context(), func(tx store.Tx) error { return tables.Users.Delete(tx, home, "alice") }); err != nil {
		t.Fatal(err)
	}
	if _, err := dir.Lookup(t.Context(), c.AccessKeyID, *out.Credentials.SessionToken); !errors.Is(err, auth.ErrUnknownKey) {
		t.Errorf("the session outlives its user: %v", err)
	}
}

// TestFederationToken may what both the user's policies and the session's allow.
func TestFederationToken(t *testing.T) {
	w := newWorld(t, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ecs:*","logs:*"],"Resource":"*"}]}`)
	dir := auth.NewDirectory(w.deps.Store, w.deps.Now)
	for _, tt := range []struct{ policy, want string }{
		{"", "because no session policy allows the ecs:ListClusters action"},
		{`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ecs:*","Resource":"*"}]}`, ""},
		{`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"ecs:*","Resource":"*"}]}`, "with an explicit deny in a session policy"},
	} {
		in := &api.GetFederationTokenInput{Name: new("bob"), DurationSeconds: new(int32(900))}
		if tt.policy != "" {
			in.Policy = &tt.policy
		}
		out, err := w.GetFederationToken(w.ctx, in)
		if err != nil {
			t.Fatal(err)
		}
		if *out.FederatedUser.Arn != "arn:aws:sts::123456789012:federated-user/bob" || *out.FederatedUser.FederatedUserId != "123456789012:bob" || out.Credentials.Expiration.Sub(start).Minutes() != 15 {
			t.Errorf("%+v", out.FederatedUser)
		}
		cred, err := dir.Lookup(t.Context(), *out.Credentials.AccessKeyId, *out.Credentials.SessionToken)
		if err != nil {
			t.Fatal(err)
		}
		err = dir.Authorize(t.Context(), cred.Caller, auth.Call{Service: "ecs", Operation: "ListClusters", Input: &struct{}{}})
		denied, _ := errors.AsType[*auth.Denied](err)
		if got := ""; denied != nil {
			got = denied.Reason
			if got != tt.want {
				t.Errorf("%s: %s", tt.policy, got)
			}
		} else if err != nil || tt.want != "" {
			t.Errorf("%s: %v", tt.policy, err)
		}
	}
}
