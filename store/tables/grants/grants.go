// Package grants names the table of permissions that other accounts have on network
// interfaces.
package grants

import (
	"neargate/resource/network"
	"neargate/resource/network/grant"
	"neargate/store"
)

// Indexes of Permissions: by account, region, interface, and by account that may,
// region, interface.
const (
	ByInterface = "ec2/eni-perm@eni"
	ByGrantee   = "ec2/eni-perm@grantee"
)

// Permissions keeps permissions by account of the owner, region, id.
var Permissions = store.Table[grant.Permission]{
	Name: "ec2/eni-perm",
	Key:  func(p *grant.Permission) []string { return []string{p.Account, p.Region, p.ID} },
	Indexes: []store.Index[grant.Permission]{
		{Name: ByInterface, Keys: func(p *grant.Permission) [][]string { return [][]string{{p.Account, p.Region, p.Interface}} }},
		{Name: ByGrantee, Keys: func(p *grant.Permission) [][]string { return [][]string{{p.Grantee, p.Region, p.Interface}} }},
	},
}

// Find is the permission of a type that an account has on an interface.
func Find(tx store.Tx, grantee, region, eni, typ string) (grant.Permission, bool, error) {
	for p, err := range Permissions.By(tx, ByGrantee, grantee, region, eni) {
		if err != nil || p.Type == typ {
			return p, err == nil, err
		}
	}
	return grant.Permission{}, false, nil
}

// Drop removes all permissions on an interface.
func Drop(tx store.Tx, e *network.NetworkInterface) error {
	all, err := store.Collect(Permissions.By(tx, ByInterface, e.Account, e.Region, e.ID))
	for i := range all {
		if err == nil {
			err = Permissions.Delete(tx, e.Account, e.Region, all[i].ID)
		}
	}
	return err
}
