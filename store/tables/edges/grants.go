package edges

import (
	"neargate/resource/network"
	"neargate/resource/network/grant"
	"neargate/store"
)

// Indexes of Permissions: by account, region, interface, and by account that may,
// region, interface.
const (
	PermissionsByInterface = "ec2/eni-perm@eni"
	PermissionsByGrantee   = "ec2/eni-perm@grantee"
)

// Permissions keeps what other accounts may do with interfaces by account of the owner,
// region, id.
var Permissions = store.Table[grant.Permission]{
	Name: "ec2/eni-perm",
	Key:  func(p *grant.Permission) []string { return []string{p.Account, p.Region, p.ID} },
	Indexes: []store.Index[grant.Permission]{
		{Name: PermissionsByInterface, Keys: func(p *grant.Permission) [][]string { return [][]string{{p.Account, p.Region, p.Interface}} }},
		{Name: PermissionsByGrantee, Keys: func(p *grant.Permission) [][]string { return [][]string{{p.Grantee, p.Region, p.Interface}} }},
	},
}

// Permitted is the permission of a type that an account has on an interface.
func Permitted(tx store.Tx, grantee, region, eni, typ string) (grant.Permission, bool, error) {
	for p, err := range Permissions.By(tx, PermissionsByGrantee, grantee, region, eni) {
		if err != nil || p.Type == typ {
			return p, err == nil, err
		}
	}
	return grant.Permission{}, false, nil
}

// Forbid removes all permissions on an interface.
func Forbid(tx store.Tx, e *network.NetworkInterface) error {
	all, err := store.Collect(Permissions.By(tx, PermissionsByInterface, e.Account, e.Region, e.ID))
	for i := range all {
		if err == nil {
			err = Permissions.Delete(tx, e.Account, e.Region, all[i].ID)
		}
	}
	return err
}
