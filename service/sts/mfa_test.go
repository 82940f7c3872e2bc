package sts

import (
	"testing"
	"time"

	"neargate/auth"
	api "neargate/aws/sts"
	"neargate/resource/identity"
	"neargate/store/tables/identities"
)

const (
	noSuchDevice = "AccessDenied: MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial number is valid and associated with this user."
	wrongCode    = "AccessDenied: MultiFactorAuthentication failed with invalid MFA one time pass code."
)

// TestMFA proves to have a device, which policies and trust policies ask for.
func TestMFA(t *testing.T) {
	w := newWorld(t, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ecs:*","iam:*"],"Resource":"*","Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"},"NumericLessThan":{"aws:MultiFactorAuthAge":"3600"}}},{"Effect":"Allow","Action":"sts:*","Resource":"*"}]}`)
	d := identity.MFADevice{Account: home, Path: "/", Name: "phone", Secret: []byte("12345678901234567890"), User: "alice", UserIs: "AIDAALICE", EnabledAt: start}
	other := identity.MFADevice{Account: home, Path: "/", Name: "other", Secret: []byte("12345678901234567890"), User: "bob", UserIs: "AIDABOB", EnabledAt: start}
	put(t, w, identities.Devices, &d)
	put(t, w, identities.Devices, &other)
	now := start
	w.deps.Now = func() time.Time { return now }
	code := func() *string { return new(d.Code(now)) }
	serial := new(d.SerialNumber())
	for name, tt := range map[string]struct {
		serial, code *string
		want         string
	}{
		"no code":      {serial, nil, "AccessDenied: MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code."},
		"no device":    {new("arn:aws:iam::123456789012:mfa/none"), code(), noSuchDevice},
		"no ARN":       {new("GAHT12345678"), code(), noSuchDevice},
		"another's":    {new(other.SerialNumber()), code(), noSuchDevice},
		"wrong code":   {serial, new("000000"), wrongCode},
		"another time": {serial, new(d.Code(start.Add(time.Hour))), wrongCode},
	} {
		if _, err := w.GetSessionToken(w.ctx, &api.GetSessionTokenInput{SerialNumber: tt.serial, TokenCode: tt.code}); text(err) != tt.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	out, err := w.GetSessionToken(w.ctx, &api.GetSessionTokenInput{SerialNumber: serial, TokenCode: code()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.GetSessionToken(w.ctx, &api.GetSessionTokenInput{SerialNumber: serial, TokenCode: code()}); text(err) != wrongCode {
		t.Errorf("a code counts twice: %v", err)
	}

	dir := auth.NewDirectory(w.deps.Store, func() time.Time { return now })
	can := func(c auth.Caller, service, operation string) error {
		c.Region = "us-east-1"
		return dir.Authorize(t.Context(), c, auth.Call{Service: service, Operation: operation, Input: &struct{}{}})
	}
	session := func(c *api.Credentials) auth.Caller {
		t.Helper()
		cred, err := dir.Lookup(t.Context(), *c.AccessKeyId, *c.SessionToken)
		if err != nil {
			t.Fatal(err)
		}
		return cred.Caller
	}
	if err := can(auth.CallerFrom(w.ctx), "ecs", "ListClusters"); err == nil {
		t.Error("allowed without MFA")
	}
	proven := session(out.Credentials)
	for _, service := range []string{"ecs", "iam"} {
		if err := can(proven, service, map[string]string{"ecs": "ListClusters", "iam": "ListUsers"}[service]); err != nil {
			t.Errorf("%s: %v", service, err)
		}
	}
	now = now.Add(2 * time.Hour)
	if err := can(proven, "ecs", "ListClusters"); err == nil {
		t.Error("allowed long after")
	}

	role := w.role(t, home, "ops", trusting(named, `,"Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"}}`))
	assume := func(serial, code *string) error {
		_, err := w.AssumeRole(w.ctx, &api.AssumeRoleInput{RoleArn: &role, RoleSessionName: new("s1"), SerialNumber: serial, TokenCode: code})
		return err
	}
	if err := assume(nil, nil); text(err) != "AccessDenied: User: arn:aws:iam::123456789012:user/alice is not authorized to perform: sts:AssumeRole on resource: "+role {
		t.Error(err)
	}
	if err := assume(serial, new("123456")); text(err) != wrongCode {
		t.Error(err)
	}
	if err := assume(serial, code()); err != nil {
		t.Error(err)
	}
	proven.Region = "us-east-1"
	if _, err := w.AssumeRole(auth.WithCaller(t.Context(), proven), &api.AssumeRoleInput{RoleArn: &role, RoleSessionName: new("s2")}); err != nil {
		t.Errorf("with a session that MFA vouches for: %v", err)
	}
}
