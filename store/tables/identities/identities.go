// Package identities names the key spaces of what an account has in IAM besides
// users, roles and policies: groups, instance profiles, identity providers, settings.
package identities

import (
	"neargate/resource/identity"
	"neargate/store"
)

// Names of indexes.
const (
	// GroupsByID: account, id. GroupsByPolicy: account, ARN of an attached policy.
	GroupsByID     = "identity/group@id"
	GroupsByPolicy = "identity/group@policy"
	// ProfilesByRole: account, folded role name.
	ProfilesByRole = "identity/profile@role"
	// SettingsByAlias: alias.
	SettingsByAlias = "identity/settings@alias"
)

// Groups keeps groups by account, folded name.
var Groups = store.Table[identity.Group]{
	Name: "identity/group",
	Key:  func(g *identity.Group) []string { return []string{g.Account, identity.Fold(g.Name)} },
	Indexes: []store.Index[identity.Group]{
		{Name: GroupsByID, Keys: func(g *identity.Group) [][]string { return [][]string{{g.Account, g.ID}} }},
		{Name: GroupsByPolicy, Keys: func(g *identity.Group) [][]string {
			var keys [][]string
			for _, policy := range g.Attached {
				keys = append(keys, []string{g.Account, policy})
			}
			return keys
		}},
	},
}

// FindGroup returns the group with the id.
func FindGroup(tx store.Tx, account, id string) (g identity.Group, ok bool, err error) {
	for g, err := range Groups.By(tx, GroupsByID, account, id) {
		return g, err == nil, err
	}
	return g, false, nil
}

// Profiles keeps instance profiles by account, folded name.
var Profiles = store.Table[identity.Profile]{
	Name: "identity/profile",
	Key:  func(p *identity.Profile) []string { return []string{p.Account, identity.Fold(p.Name)} },
	Indexes: []store.Index[identity.Profile]{
		{Name: ProfilesByRole, Keys: func(p *identity.Profile) [][]string {
			if p.Role == "" {
				return nil
			}
			return [][]string{{p.Account, identity.Fold(p.Role)}}
		}},
	},
}

// OIDCProviders keeps OpenID Connect providers by account, URL.
var OIDCProviders = store.Table[identity.OIDCProvider]{
	Name: "identity/oidcprovider",
	Key:  func(p *identity.OIDCProvider) []string { return []string{p.Account, p.URL} },
}

// SAMLProviders keeps SAML providers by account, name.
var SAMLProviders = store.Table[identity.SAMLProvider]{
	Name: "identity/samlprovider",
	Key:  func(p *identity.SAMLProvider) []string { return []string{p.Account, p.Name} },
}

// Settings keeps the settings of accounts by account.
var Settings = store.Table[identity.Settings]{
	Name: "identity/settings",
	Key:  func(s *identity.Settings) []string { return []string{s.Account} },
	Indexes: []store.Index[identity.Settings]{
		{Name: SettingsByAlias, Keys: func(s *identity.Settings) [][]string {
			if s.Alias == "" {
				return nil
			}
			return [][]string{{s.Alias}}
		}},
	},
}

// DevicesByUser: account, id of the user whom a device is enabled for.
const DevicesByUser = "identity/mfa@user"

// Devices keeps MFA devices by account, path, name.
var Devices = store.Table[identity.MFADevice]{
	Name: "identity/mfa",
	Key:  func(d *identity.MFADevice) []string { return []string{d.Account, d.Path, d.Name} },
	Indexes: []store.Index[identity.MFADevice]{
		{Name: DevicesByUser, Keys: func(d *identity.MFADevice) [][]string {
			if d.UserIs == "" {
				return nil
			}
			return [][]string{{d.Account, d.UserIs}}
		}},
	},
}

// FindDevice finds the MFA device with a serial number.
func FindDevice(tx store.Tx, serial string) (d identity.MFADevice, ok bool, err error) {
	account, path, name, ok := identity.MFAName(serial)
	if !ok {
		return d, false, nil
	}
	return Devices.Find(tx, account, path, name)
}
