package tables

import (
	"neargate/resource/network"
	"neargate/store"
)

// Subnets keeps subnets by account, region, id.
var Subnets = store.Table[network.Subnet]{
	Name: "ec2/subnet",
	Key:  func(s *network.Subnet) []string { return []string{s.Account, s.Region, s.ID} },
}
