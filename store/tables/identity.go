package tables

import (
	"neargate/resource/identity"
	"neargate/store"
)

// Accounts keeps accounts by id.
var Accounts = store.Table[identity.Account]{
	Name: "identity/account",
	Key:  func(a *identity.Account) []string { return []string{a.ID} },
}

// AccessKeysByUser indexes access keys by account, folded user name ("" for the
// root user).
const AccessKeysByUser = "identity/accesskey@user"

// AccessKeys keeps long-term access keys by access key id: the id alone leads
// to the account.
var AccessKeys = store.Table[identity.AccessKey]{
	Name: "identity/accesskey",
	Key:  func(k *identity.AccessKey) []string { return []string{k.ID} },
	Indexes: []store.Index[identity.AccessKey]{
		{Name: AccessKeysByUser, Keys: func(k *identity.AccessKey) [][]string {
			return [][]string{{k.Account, identity.Fold(k.User)}}
		}},
	},
}

// KeyUses keeps when access keys were last used, by access key id.
var KeyUses = store.Table[identity.KeyUse]{
	Name: "identity/keyuse",
	Key:  func(u *identity.KeyUse) []string { return []string{u.ID} },
}

// SessionsByExpiry indexes sessions by the stamp of their expiry.
const SessionsByExpiry = "identity/session@expiry"

// Sessions keeps temporary credentials by access key id.
var Sessions = store.Table[identity.Session]{
	Name: "identity/session",
	Key:  func(s *identity.Session) []string { return []string{s.ID} },
	Indexes: []store.Index[identity.Session]{
		{Name: SessionsByExpiry, Keys: func(s *identity.Session) [][]string {
			return [][]string{{Stamp(s.Expires)}}
		}},
	},
}

// Users keeps IAM users by account, folded name.
var Users = store.Table[identity.User]{
	Name: "identity/user",
	Key:  func(u *identity.User) []string { return []string{u.Account, identity.Fold(u.Name)} },
	Indexes: []store.Index[identity.User]{
		{Name: UsersByPolicy, Keys: func(u *identity.User) [][]string { return attached(u.Account, &u.Grants) }},
		{Name: UsersByBoundary, Keys: func(u *identity.User) [][]string { return bounded(u.Account, &u.Grants) }},
		{Name: UsersByGroup, Keys: func(u *identity.User) [][]string {
			var keys [][]string
			for _, group := range u.Groups {
				keys = append(keys, []string{u.Account, group})
			}
			return keys
		}},
	},
}

// Names of the indexes of Users and Roles.
const (
	// UsersByPolicy and RolesByPolicy: account, ARN of an attached managed policy.
	UsersByPolicy = "identity/user@policy"
	RolesByPolicy = "identity/role@policy"
	// UsersByBoundary and RolesByBoundary: account, ARN of the permissions boundary.
	UsersByBoundary = "identity/user@boundary"
	RolesByBoundary = "identity/role@boundary"
	// UsersByGroup: account, id of a group the user is in.
	UsersByGroup = "identity/user@group"
)

// Roles keeps IAM roles by account, folded name.
var Roles = store.Table[identity.Role]{
	Name: "identity/role",
	Key:  func(r *identity.Role) []string { return []string{r.Account, identity.Fold(r.Name)} },
	Indexes: []store.Index[identity.Role]{
		{Name: RolesByPolicy, Keys: func(r *identity.Role) [][]string { return attached(r.Account, &r.Grants) }},
		{Name: RolesByBoundary, Keys: func(r *identity.Role) [][]string { return bounded(r.Account, &r.Grants) }},
	},
}

func attached(account string, g *identity.Grants) [][]string {
	var keys [][]string
	for _, policy := range g.Attached {
		keys = append(keys, []string{account, policy})
	}
	return keys
}

func bounded(account string, g *identity.Grants) [][]string {
	if g.Boundary == "" {
		return nil
	}
	return [][]string{{account, g.Boundary}}
}

// RoleUses keeps when roles were last used, by account, folded role name.
var RoleUses = store.Table[identity.RoleUse]{
	Name: "identity/roleuse",
	Key:  func(u *identity.RoleUse) []string { return []string{u.Account, identity.Fold(u.Role)} },
}

// Policies keeps customer managed policies by account, folded name. AWS's own
// are not stored: identity.AWSPolicies has them.
var Policies = store.Table[identity.Policy]{
	Name: "identity/policy",
	Key:  func(p *identity.Policy) []string { return []string{p.Account, identity.Fold(p.Name)} },
}

// FindPolicy returns the managed policy with the ARN, AWS's own included; ok is
// false when there is none.
func FindPolicy(tx store.Tx, policyARN string) (p identity.Policy, ok bool, err error) {
	if p, ok := identity.AWSPolicy(policyARN); ok {
		return p, true, nil
	}
	account, name, ok := identity.PolicyName(policyARN)
	if !ok {
		return identity.Policy{}, false, nil
	}
	p, ok, err = Policies.Find(tx, account, identity.Fold(name))
	return p, ok && p.ARN() == policyARN, err
}

// DeletionTasksByAge indexes deletion tasks by the stamp of their start.
const DeletionTasksByAge = "identity/deletiontask@age"

// DeletionTasks keeps deletions of service-linked roles by account, task id.
var DeletionTasks = store.Table[identity.DeletionTask]{
	Name: "identity/deletiontask",
	Key:  func(t *identity.DeletionTask) []string { return []string{t.Account, t.ID} },
	Indexes: []store.Index[identity.DeletionTask]{
		{Name: DeletionTasksByAge, Keys: func(t *identity.DeletionTask) [][]string {
			return [][]string{{Stamp(t.CreatedAt)}}
		}},
	},
}
