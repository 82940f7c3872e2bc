// Package tokens names the table of client tokens of Amazon EC2.
package tokens

import (
	"time"

	"neargate/resource/network"
	"neargate/store"
)

// CreationsByTime indexes creations by account, region, time.
const CreationsByTime = "ec2/token@time"

// Creations keeps what client tokens created by account, region, operation, hash
// of the token.
var Creations = store.Table[network.Creation]{
	Name: "ec2/token",
	Key: func(c *network.Creation) []string {
		return []string{c.Account, c.Region, c.Operation, c.Token}
	},
	Indexes: []store.Index[network.Creation]{
		{Name: CreationsByTime, Keys: func(c *network.Creation) [][]string {
			return [][]string{{c.Account, c.Region, c.At.UTC().Format(time.RFC3339)}}
		}},
	},
}

// sweep is how many forgotten tokens one creation removes at most: more than it
// adds, so that they never pile up.
const sweep = 4

// Put records a creation and removes some that are older than a token lives.
func Put(tx store.Tx, c *network.Creation) error {
	var old []network.Creation
	for o, err := range Creations.ByPage(tx, CreationsByTime, []string{c.Account, c.Region}, "", sweep) {
		if err != nil {
			return err
		}
		if c.At.Sub(o.At) > network.TokenLife {
			old = append(old, o)
		}
	}
	for _, o := range old {
		if err := Creations.Delete(tx, o.Account, o.Region, o.Operation, o.Token); err != nil {
			return err
		}
	}
	return Creations.Put(tx, c)
}
