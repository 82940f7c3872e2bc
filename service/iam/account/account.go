// Package account answers IAM's operations on an account as a whole: alias, password
// policy, passwords, summary and everything at once.
package account

import (
	"context"

	"neargate/arn"
	"neargate/auth"
	api "neargate/aws/iam"
	"neargate/resource/identity"
	"neargate/service/iam/internal/call"
	"neargate/store"
	"neargate/store/tables"
	"neargate/store/tables/identities"
)

// Handler answers the operations.
type Handler struct{ env call.Env }

// New makes the handler.
func New(e call.Env) *Handler { return &Handler{e} }

// change lets f change the settings of the caller's account and stores them.
func (h *Handler) change(ctx context.Context, f func(store.Tx, *identity.Settings) error) error {
	account := auth.CallerFrom(ctx).Account
	return h.env.Store.Update(ctx, func(tx store.Tx) error {
		s, _, err := identities.Settings.Find(tx, account)
		if err != nil {
			return err
		}
		s.Account = account
		if err := f(tx, &s); err != nil {
			return err
		}
		return identities.Settings.Put(tx, &s)
	})
}

// settings reads the settings of the caller's account.
func (h *Handler) settings(ctx context.Context) (s identity.Settings, err error) {
	err = h.env.Store.View(ctx, func(tx store.Tx) error {
		s, _, err = identities.Settings.Find(tx, auth.CallerFrom(ctx).Account)
		return err
	})
	return s, err
}

// CreateAccountAlias gives the account a name, in place of one it has. No two
// accounts have the same.
func (h *Handler) CreateAccountAlias(ctx context.Context, in *api.CreateAccountAliasInput) (*api.CreateAccountAliasOutput, error) {
	if arn.ValidAccount(*in.AccountAlias) {
		return nil, api.InvalidInputException("The account alias must not be a 12 digit number.")
	}
	return &api.CreateAccountAliasOutput{}, h.change(ctx, func(tx store.Tx, s *identity.Settings) error {
		if tx.Count(store.Prefix(identities.SettingsByAlias, *in.AccountAlias)) > 0 {
			return api.EntityAlreadyExistsException("The account alias " + *in.AccountAlias + " already exists.")
		}
		s.Alias = *in.AccountAlias
		return nil
	})
}

// DeleteAccountAlias takes the account's name away.
func (h *Handler) DeleteAccountAlias(ctx context.Context, in *api.DeleteAccountAliasInput) (*api.DeleteAccountAliasOutput, error) {
	return &api.DeleteAccountAliasOutput{}, h.change(ctx, func(_ store.Tx, s *identity.Settings) error {
		if s.Alias != *in.AccountAlias {
			return api.NoSuchEntityException("The account alias " + *in.AccountAlias + " cannot be found.")
		}
		s.Alias = ""
		return nil
	})
}

// ListAccountAliases lists the account's name, if it has one.
func (h *Handler) ListAccountAliases(ctx context.Context, in *api.ListAccountAliasesInput) (*api.ListAccountAliasesOutput, error) {
	w, err := h.env.Window(ctx, in.Marker, in.MaxItems, "ListAccountAliases")
	if err != nil {
		return nil, err
	}
	s, err := h.settings(ctx)
	if err != nil {
		return nil, err
	}
	var all []string
	if s.Alias != "" {
		all = append(all, s.Alias)
	}
	out := &api.ListAccountAliasesOutput{}
	out.AccountAliases, out.IsTruncated, out.Marker = call.Numbered(h.env, w, all)
	return out, nil
}

func noPolicy(account string) error {
	return api.NoSuchEntityException("The Password Policy with domain name " + account + " cannot be found.")
}

// UpdateAccountPasswordPolicy replaces the password policy: what the request leaves
// out goes back to its default.
func (h *Handler) UpdateAccountPasswordPolicy(ctx context.Context, in *api.UpdateAccountPasswordPolicyInput) (*api.UpdateAccountPasswordPolicyOutput, error) {
	is := func(b *bool) bool { return call.Deref(b, false) }
	p := &identity.PasswordPolicy{
		MinLength: call.Deref(in.MinimumPasswordLength, 6),
		Symbols:   is(in.RequireSymbols), Numbers: is(in.RequireNumbers),
		Uppercase: is(in.RequireUppercaseCharacters), Lowercase: is(in.RequireLowercaseCharacters),
		MayChange: is(in.AllowUsersToChangePassword), HardExpiry: is(in.HardExpiry),
		MaxAge: call.Deref(in.MaxPasswordAge, 0), Reuse: call.Deref(in.PasswordReusePrevention, 0),
	}
	return &api.UpdateAccountPasswordPolicyOutput{}, h.change(ctx, func(_ store.Tx, s *identity.Settings) error {
		s.Passwords = p
		return nil
	})
}

// GetAccountPasswordPolicy describes the password policy that was set.
func (h *Handler) GetAccountPasswordPolicy(ctx context.Context, _ *api.GetAccountPasswordPolicyInput) (*api.GetAccountPasswordPolicyOutput, error) {
	s, err := h.settings(ctx)
	if err != nil {
		return nil, err
	}
	p := s.Passwords
	if p == nil {
		return nil, noPolicy(auth.CallerFrom(ctx).Account)
	}
	v := &api.PasswordPolicy{
		MinimumPasswordLength: &p.MinLength, RequireSymbols: &p.Symbols, RequireNumbers: &p.Numbers,
		RequireUppercaseCharacters: &p.Uppercase, RequireLowercaseCharacters: &p.Lowercase,
		AllowUsersToChangePassword: &p.MayChange, ExpirePasswords: new(p.MaxAge > 0), HardExpiry: &p.HardExpiry,
	}
	if p.MaxAge > 0 {
		v.MaxPasswordAge = &p.MaxAge
	}
	if p.Reuse > 0 {
		v.PasswordReusePrevention = &p.Reuse
	}
	return &api.GetAccountPasswordPolicyOutput{PasswordPolicy: v}, nil
}

// DeleteAccountPasswordPolicy goes back to AWS's default.
func (h *Handler) DeleteAccountPasswordPolicy(ctx context.Context, _ *api.DeleteAccountPasswordPolicyInput) (*api.DeleteAccountPasswordPolicyOutput, error) {
	return &api.DeleteAccountPasswordPolicyOutput{}, h.change(ctx, func(_ store.Tx, s *identity.Settings) error {
		if s.Passwords == nil {
			return noPolicy(s.Account)
		}
		s.Passwords = nil
		return nil
	})
}

// GetAccountSummary counts what the account has and may have.
func (h *Handler) GetAccountSummary(ctx context.Context, _ *api.GetAccountSummaryInput) (*api.GetAccountSummaryOutput, error) {
	account, m := auth.CallerFrom(ctx).Account, map[string]int32{
		"UsersQuota": 5000, "GroupsQuota": 300, "RolesQuota": 1000, "InstanceProfilesQuota": 1000, "PoliciesQuota": 1500,
		"PolicyVersionsInUseQuota": 10000, "ServerCertificatesQuota": 20, "AccessKeysPerUserQuota": 2,
		"SigningCertificatesPerUserQuota": 2, "GroupsPerUserQuota": 10, "VersionsPerPolicyQuota": 5,
		"AttachedPoliciesPerUserQuota": 10, "AttachedPoliciesPerGroupQuota": 10, "AttachedPoliciesPerRoleQuota": 10,
		"UserPolicySizeQuota": 2048, "GroupPolicySizeQuota": 5120, "RolePolicySizeQuota": 10240,
		"PolicySizeQuota": 6144, "AssumeRolePolicySizeQuota": 2048, "GlobalEndpointTokenVersion": 1,
		"ServerCertificates": 0, "AccountMFAEnabled": 0,
		"AccountSigningCertificatesPresent": 0, "AccountPasswordPresent": 0,
	}
	err := h.env.Store.View(ctx, func(tx store.Tx) error {
		count := func(table string) int32 { return int32(tx.Count(store.Prefix(table, account))) }
		m["Users"], m["Roles"], m["Policies"] = count(tables.Users.Name), count(tables.Roles.Name), count(tables.Policies.Name)
		m["MFADevices"], m["MFADevicesInUse"] = count(identities.Devices.Name), int32(identities.Devices.CountBy(tx, identities.DevicesByUser, account))
		m["Groups"], m["InstanceProfiles"] = count(identities.Groups.Name), count(identities.Profiles.Name)
		m["Providers"] = count(identities.OIDCProviders.Name) + count(identities.SAMLProviders.Name)
		m["AccountAccessKeysPresent"] = int32(tables.AccessKeys.CountBy(tx, tables.AccessKeysByUser, account, ""))
		m["PolicyVersionsInUse"] = 0
		for p, err := range tables.Policies.List(tx, account) {
			if err != nil {
				return err
			}
			m["PolicyVersionsInUse"] += int32(len(p.Versions))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.GetAccountSummaryOutput{SummaryMap: m}, nil
}
