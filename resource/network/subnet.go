// Package network holds the stored records of VPCs.
package network

// Subnet is a stub until the network domain lands.
type Subnet struct{ Account, Region, ID, VPC, Zone, CIDR string }
