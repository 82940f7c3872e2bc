package iam

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"neargate/auth"
	api "neargate/aws/iam"
	"neargate/resource/identity"
	"neargate/store"
	"neargate/store/tables"
)

func TestAlias(t *testing.T) {
	w := newWorld(t)
	create := func(name string) error {
		_, err := w.CreateAccountAlias(w.ctx, &api.CreateAccountAliasInput{AccountAlias: &name})
		return err
	}
	list := func() []string {
		out, err := w.ListAccountAliases(w.ctx, &api.ListAccountAliasesInput{})
		w.must(err)
		return out.AccountAliases
	}
	if got := list(); got == nil || len(got) != 0 {
		t.Errorf("%v", got)
	}
	w.must(create("acme"))
	w.must(create("acme-dev"))
	if got := list(); !slices.Equal(got, []string{"acme-dev"}) {
		t.Errorf("%v", got)
	}
	other := auth.WithCaller(w.ctx, auth.Caller{Account: "210987654321", UserID: "210987654321"})
	_, err := w.CreateAccountAlias(other, &api.CreateAccountAliasInput{AccountAlias: new("acme-dev")})
	w.fails(err, "EntityAlreadyExistsException: The account alias acme-dev already exists.")
	_, err = w.DeleteAccountAlias(w.ctx, &api.DeleteAccountAliasInput{AccountAlias: new("acme")})
	w.fails(err, "NoSuchEntityException: The account alias acme cannot be found.")
	_, err = w.DeleteAccountAlias(w.ctx, &api.DeleteAccountAliasInput{AccountAlias: new("acme-dev")})
	w.must(err)
	if got := list(); len(got) != 0 {
		t.Errorf("%v", got)
	}
}

// TestPasswords gives a user a password under policies that refuse some.
func TestPasswords(t *testing.T) {
	w := newWorld(t)
	w.user("ann")
	ann := new("ann")
	_, err := w.GetAccountPasswordPolicy(w.ctx, &api.GetAccountPasswordPolicyInput{})
	w.fails(err, "NoSuchEntityException: The Password Policy with domain name 123456789012 cannot be found.")
	create := func(password string) error {
		_, err := w.CreateLoginProfile(w.ctx, &api.CreateLoginProfileInput{UserName: ann, Password: &password, PasswordResetRequired: new(true)})
		return err
	}
	w.fails(create("short"), "PasswordPolicyViolationException: Password should have a minimum length of 8")
	_, err = w.UpdateAccountPasswordPolicy(w.ctx, &api.UpdateAccountPasswordPolicyInput{
		MinimumPasswordLength: new(int32(10)), RequireUppercaseCharacters: new(true), RequireLowercaseCharacters: new(true),
		RequireNumbers: new(true), RequireSymbols: new(true), PasswordReusePrevention: new(int32(2)),
	})
	w.must(err)
	p, err := w.GetAccountPasswordPolicy(w.ctx, &api.GetAccountPasswordPolicyInput{})
	w.must(err)
	if *p.PasswordPolicy.MinimumPasswordLength != 10 || *p.PasswordPolicy.ExpirePasswords || p.PasswordPolicy.MaxPasswordAge != nil || *p.PasswordPolicy.PasswordReusePrevention != 2 {
		t.Errorf("%+v", p.PasswordPolicy)
	}
	for password, missing := range map[string]string{
		"abcdefg1!x": "uppercase letter", "ABCDEFG1!X": "lowercase letter", "Abcdefgh!x": "number", "Abcdefgh1x": "symbol",
	} {
		w.fails(create(password), "PasswordPolicyViolationException: Password should have at least one "+missing)
	}
	w.must(create("Abcdefg1!0"))
	w.fails(create("Abcdefg1!0"), "EntityAlreadyExistsException: Login Profile for user ann already exists.")
	got, err := w.GetLoginProfile(w.ctx, &api.GetLoginProfileInput{UserName: ann})
	w.must(err)
	if *got.LoginProfile.UserName != "ann" || !*got.LoginProfile.PasswordResetRequired {
		t.Errorf("%+v", got.LoginProfile)
	}
	_, err = w.ChangePassword(w.ctx, &api.ChangePasswordInput{OldPassword: new("x"), NewPassword: new("y")})
	w.fails(err, "InvalidUserTypeException: Only IAM Users can change their own password")
	put(w, tables.AccessKeys, &identity.AccessKey{ID: "AKIAANN", Account: acct, User: "ann"})
	asAnn := auth.WithCaller(w.ctx, auth.Caller{Account: acct, UserID: "AIDAANN", AccessKeyID: "AKIAANN"})
	change := func(from, to string) error {
		_, err := w.ChangePassword(asAnn, &api.ChangePasswordInput{OldPassword: &from, NewPassword: &to})
		return err
	}
	w.fails(change("wrong", "Abcdefg1!1"), "AccessDenied: The old password was incorrect.")
	const reused = "PasswordPolicyViolationException: Password cannot be one of the previous passwords"
	w.fails(change("Abcdefg1!0", "Abcdefg1!0"), reused)
	w.must(change("Abcdefg1!0", "Abcdefg1!1"))
	w.fails(change("Abcdefg1!1", "Abcdefg1!0"), reused)
	w.must(change("Abcdefg1!1", "Abcdefg1!2"))
	w.must(change("Abcdefg1!2", "Abcdefg1!0"))
	if u := w.stored("ann"); u.Login.Reset || strings.Contains(fmt.Sprintf("%+v", u), "Abcdefg") {
		t.Errorf("%+v", u.Login)
	}
	_, err = w.DeleteUser(w.ctx, &api.DeleteUserInput{UserName: ann})
	w.fails(err, "DeleteConflictException: Cannot delete entity, must delete login profile first.")
	_, err = w.DeleteLoginProfile(w.ctx, &api.DeleteLoginProfileInput{UserName: ann})
	w.must(err)
	_, err = w.GetLoginProfile(w.ctx, &api.GetLoginProfileInput{UserName: ann})
	w.fails(err, "NoSuchEntityException: Login Profile for User ann cannot be found.")
	_, err = w.DeleteAccountPasswordPolicy(w.ctx, &api.DeleteAccountPasswordPolicyInput{})
	w.must(err)
	_, err = w.DeleteAccountPasswordPolicy(w.ctx, &api.DeleteAccountPasswordPolicyInput{})
	w.fails(err, "NoSuchEntityException: The Password Policy with domain name 123456789012 cannot be found.")
}

// TestAccountDetails pages through everything an account has.
func TestAccountDetails(t *testing.T) {
	w := newWorld(t)
	w.user("ann")
	w.group("ops")
	w.role("app")
	p := w.policy("p")
	_, err := w.AddUserToGroup(w.ctx, &api.AddUserToGroupInput{GroupName: new("ops"), UserName: new("ann")})
	w.must(err)
	_, err = w.AttachRolePolicy(w.ctx, &api.AttachRolePolicyInput{RoleName: new("app"), PolicyArn: new(exec)})
	w.must(err)
	in, got := &api.GetAccountAuthorizationDetailsInput{MaxItems: new(int32(2))}, []string{}
	for {
		out, err := w.GetAccountAuthorizationDetails(w.ctx, in)
		w.must(err)
		for _, u := range out.UserDetailList {
			got = append(got, "user "+*u.UserName+" in "+strings.Join(u.GroupList, ","))
		}
		for _, g := range out.GroupDetailList {
			got = append(got, "group "+*g.GroupName)
		}
		for _, r := range out.RoleDetailList {
			got = append(got, fmt.Sprintf("role %s with %d", *r.RoleName, len(r.AttachedManagedPolicies)))
		}
		for _, p := range out.Policies {
			got = append(got, "policy "+*p.PolicyName)
		}
		if in.Marker = out.Marker; in.Marker == nil {
			break
		}
	}
	want := []string{"user ann in ops", "group ops", "role app with 1", "policy p", "policy AmazonECSTaskExecutionRolePolicy"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	only, err := w.GetAccountAuthorizationDetails(w.ctx, &api.GetAccountAuthorizationDetailsInput{Filter: []string{"LocalManagedPolicy"}})
	w.must(err)
	if len(only.Policies) != 1 || *only.Policies[0].Arn != *p || len(only.UserDetailList) != 0 {
		t.Errorf("%+v", only)
	}
	sum, err := w.GetAccountSummary(w.ctx, &api.GetAccountSummaryInput{})
	w.must(err)
	if m := sum.SummaryMap; m["Users"] != 1 || m["Groups"] != 1 || m["Roles"] != 1 || m["Policies"] != 1 || m["PolicyVersionsInUse"] != 1 {
		t.Errorf("%v", m)
	}
	// What no operation makes is not there; the user has to be.
	mfa, err := w.ListMFADevices(w.ctx, &api.ListMFADevicesInput{UserName: new("ann")})
	w.must(err)
	if mfa.MFADevices == nil || len(mfa.MFADevices) != 0 {
		t.Errorf("%+v", mfa)
	}
	_, err = w.ListSigningCertificates(w.ctx, &api.ListSigningCertificatesInput{UserName: new("bob")})
	w.fails(err, "NoSuchEntityException: The user with name bob cannot be found.")
}

func TestOIDCProviders(t *testing.T) {
	w := newWorld(t)
	create := func(url string) (string, error) {
		out, err := w.CreateOpenIDConnectProvider(w.ctx, &api.CreateOpenIDConnectProviderInput{Url: &url, ClientIDList: []string{"sts.amazonaws.com"}})
		if err != nil {
			return "", err
		}
		return *out.OpenIDConnectProviderArn, nil
	}
	const url = "https://token.actions.githubusercontent.com"
	arn, err := create(url)
	w.must(err)
	if arn != "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com" {
		t.Error(arn)
	}
	_, err = create(url)
	w.fails(err, "EntityAlreadyExistsException: Provider with url "+url+" already exists.")
	for _, bad := range []string{"http://a.example", "a.example", "https://", "https://a.example?x=1"} {
		_, err = create(bad)
		w.fails(err, "ValidationError: Invalid Open ID Connect Provider URL")
	}
	_, err = w.AddClientIDToOpenIDConnectProvider(w.ctx, &api.AddClientIDToOpenIDConnectProviderInput{OpenIDConnectProviderArn: &arn, ClientID: new("x")})
	w.must(err)
	_, err = w.RemoveClientIDFromOpenIDConnectProvider(w.ctx, &api.RemoveClientIDFromOpenIDConnectProviderInput{OpenIDConnectProviderArn: &arn, ClientID: new("sts.amazonaws.com")})
	w.must(err)
	thumb := strings.Repeat("a1", 20)
	_, err = w.UpdateOpenIDConnectProviderThumbprint(w.ctx, &api.UpdateOpenIDConnectProviderThumbprintInput{OpenIDConnectProviderArn: &arn, ThumbprintList: []string{thumb}})
	w.must(err)
	_, err = w.UpdateOpenIDConnectProviderThumbprint(w.ctx, &api.UpdateOpenIDConnectProviderThumbprintInput{OpenIDConnectProviderArn: &arn, ThumbprintList: slices.Repeat([]string{thumb}, 6)})
	w.fails(err, "InvalidInputException: Thumbprint list must contain fewer than 5 entries.")
	_, err = w.TagOpenIDConnectProvider(w.ctx, &api.TagOpenIDConnectProviderInput{OpenIDConnectProviderArn: &arn, Tags: []api.Tag{tagged("k", "v"), tagged("K", "w")}})
	w.must(err)
	_, err = w.UntagOpenIDConnectProvider(w.ctx, &api.UntagOpenIDConnectProviderInput{OpenIDConnectProviderArn: &arn, TagKeys: []string{"k"}})
	w.must(err)
	got, err := w.GetOpenIDConnectProvider(w.ctx, &api.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: &arn})
	w.must(err)
	if *got.Url != "token.actions.githubusercontent.com" || !slices.Equal(got.ClientIDList, []string{"x"}) || !slices.Equal(got.ThumbprintList, []string{thumb}) ||
		len(got.Tags) != 1 || *got.Tags[0].Key != "K" {
		t.Errorf("%+v", got)
	}
	_, err = w.DeleteOpenIDConnectProvider(w.ctx, &api.DeleteOpenIDConnectProviderInput{OpenIDConnectProviderArn: &arn})
	w.must(err)
	_, err = w.GetOpenIDConnectProvider(w.ctx, &api.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: &arn})
	w.fails(err, "NoSuchEntityException: OpenIDConnect Provider not found for arn "+arn)
}

func TestSAMLProviders(t *testing.T) {
	w := newWorld(t)
	document := `<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="https://idp.example" validUntil="2030-01-02T03:04:05Z"><IDPSSODescriptor/></EntityDescriptor>`
	out, err := w.CreateSAMLProvider(w.ctx, &api.CreateSAMLProviderInput{Name: new("idp"), SAMLMetadataDocument: &document})
	w.must(err)
	got, err := w.GetSAMLProvider(w.ctx, &api.GetSAMLProviderInput{SAMLProviderArn: out.SAMLProviderArn})
	w.must(err)
	if *out.SAMLProviderArn != "arn:aws:iam::123456789012:saml-provider/idp" || *got.SAMLMetadataDocument != document || got.ValidUntil.Year() != 2030 {
		t.Errorf("%+v", got)
	}
	for _, bad := range []string{"<a/>", "{}", `<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="x"/>`} {
		_, err = w.UpdateSAMLProvider(w.ctx, &api.UpdateSAMLProviderInput{SAMLProviderArn: out.SAMLProviderArn, SAMLMetadataDocument: &bad})
		w.fails(err, "InvalidInputException: Could not parse metadata")
	}
	list, err := w.ListSAMLProviders(w.ctx, &api.ListSAMLProvidersInput{})
	w.must(err)
	if len(list.SAMLProviderList) != 1 {
		t.Errorf("%+v", list)
	}
	_, err = w.DeleteSAMLProvider(w.ctx, &api.DeleteSAMLProviderInput{SAMLProviderArn: out.SAMLProviderArn})
	w.must(err)
	_, err = w.GetSAMLProvider(w.ctx, &api.GetSAMLProviderInput{SAMLProviderArn: out.SAMLProviderArn})
	w.fails(err, "NoSuchEntityException: Manifest not found for arn "+*out.SAMLProviderArn)
}

// stored reads a user as it is stored.
func (w *world) stored(name string) (u identity.User) {
	w.t.Helper()
	w.must(w.deps.Store.View(w.ctx, func(tx store.Tx) (err error) {
		u, err = tables.Users.Get(tx, acct, name)
		return err
	}))
	return u
}
