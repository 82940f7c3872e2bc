// Package grant holds the stored record of what the owner of a network interface
// lets another account do with it.
package grant

// What another account can be let do. Source: Amazon EC2 API Reference,
// CreateNetworkInterfacePermission.
const (
	Attach    = "INSTANCE-ATTACH" // to an instance of its own
	Associate = "EIP-ASSOCIATE"   // with an Elastic IP address of its own
)

// Permission lets one account do one thing with one interface. It goes with the
// interface.
type Permission struct {
	Account, Region, ID string // eni-perm-…; the account owns the interface
	Interface           string
	Grantee             string // the account that may
	Type                string // Attach or Associate
}
