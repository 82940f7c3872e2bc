// Package parameters names the key spaces of SSM Parameter Store.
package parameters

import (
	"fmt"
	"time"

	"neargate/resource/param"
	"neargate/store"
)

// Parameters keeps parameters by account, region, path.
var Parameters = store.Table[param.Parameter]{
	Name: "ssm/parameter",
	Key:  func(p *param.Parameter) []string { return []string{p.Account, p.Region, p.Path} },
	Indexes: []store.Index[param.Parameter]{
		{Name: ByExpiry, Keys: func(p *param.Parameter) [][]string {
			if at := p.Expires(); !at.IsZero() {
				return [][]string{{at.UTC().Format(time.RFC3339)}}
			}
			return nil
		}},
		{Name: ByTier, Keys: func(p *param.Parameter) [][]string { return [][]string{{p.Account, p.Region, p.Latest.Tier}} }},
	},
}

// The orders of parameters beside that of their paths.
const (
	ByExpiry = "ssm/parameter@expiry" // those that expire, by when
	ByTier   = "ssm/parameter@tier"   // by account, region, tier
)

// Versions keeps the versions of parameters by account, region, path, number.
var Versions = store.Table[param.Version]{
	Name: "ssm/version",
	Key:  func(v *param.Version) []string { return []string{v.Account, v.Region, v.Path, Number(v.Number)} },
}

// Number is a version's number as a segment of a key.
func Number(n int64) string { return fmt.Sprintf("%012d", n) }

// Delete deletes a parameter with all its versions.
func Delete(tx store.Tx, p *param.Parameter) error {
	for n := p.Oldest; n <= p.Latest.Number; n++ {
		if err := Versions.Delete(tx, p.Account, p.Region, p.Path, Number(n)); err != nil {
			return err
		}
	}
	return Parameters.Delete(tx, p.Account, p.Region, p.Path)
}
