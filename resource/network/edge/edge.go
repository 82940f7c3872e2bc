// Package edge holds the stored records of what leads out of a VPC: NAT gateways,
// Elastic IP addresses, egress-only internet gateways, VPC endpoints, managed
// prefix lists, peering connections and flow logs; and what follows from them
// alone.
package edge

import (
	"cmp"
	"time"

	"neargate/resource/network"
)

// States that several kinds share.
const (
	Pending   = "pending"
	Available = "available"
	Deleting  = "deleting"
	Deleted   = "deleted"
	Failed    = "failed"
)

// ElasticIP is a public address that an account keeps. Its address is taken in
// the table of public addresses too, with its allocation.
type ElasticIP struct {
	Account, Region, ID string // eipalloc-…
	Address             string
	Association         string        `json:",omitempty"` // eipassoc-…; empty: of no interface
	ENI, PrivateIP      string        `json:",omitempty"`
	Borrower            string        `json:",omitempty"` // account of the interface, if not Account
	NatGateway          string        `json:",omitempty"` // the NAT gateway that has it, which alone may let it go
	Reverse             string        `json:",omitempty"` // domain name that its owner gave it, with the last dot
	Tags                []network.Tag `json:",omitempty"`
}

// Holder is the account of the interface that has the address.
func (a *ElasticIP) Holder() string { return cmp.Or(a.Borrower, a.Account) }

// Lend gives the address to one of an interface's private addresses, in the record only.
func (a *ElasticIP) Lend(e *network.NetworkInterface, private, association string) {
	a.Association, a.ENI, a.PrivateIP, a.Borrower = association, e.ID, private, ""
	if e.Account != a.Account {
		a.Borrower = e.Account
	}
}

// Return takes the address back, in the record only.
func (a *ElasticIP) Return() {
	a.Association, a.ENI, a.PrivateIP, a.Borrower, a.NatGateway = "", "", "", "", ""
}

// NatGateway translates what a VPC's private subnets send.
type NatGateway struct {
	Account, Region, ID string // nat-…
	Vpc, Subnet         string
	Private             bool // connectivity type
	State               string
	CreatedAt           time.Time
	DeletedAt           time.Time     `json:",omitzero"`
	FailureCode         string        `json:",omitempty"`
	FailureMessage      string        `json:",omitempty"`
	Addresses           []NatAddress  // the primary first
	Token, TokenHash    string        `json:",omitempty"`
	Tags                []network.Tag `json:",omitempty"`
}

// NatAddress is an address of a NAT gateway.
type NatAddress struct {
	ENI, PrivateIP          string
	Allocation, Association string    `json:",omitempty"`
	PublicIP                string    `json:",omitempty"`
	Status                  string    `json:",omitempty"` // of one that comes, goes or cannot be had; empty: it is there
	FailureMessage          string    `json:",omitempty"`
	Until                   time.Time `json:",omitzero"` // when one that goes is gone, or one that failed is forgotten
}

// What becomes of an address of a NAT gateway. Source: Amazon EC2 API Reference,
// NatGatewayAddress.
const (
	Associating    = "associating" // an Elastic IP address and a private one
	Assigning      = "assigning"   // a private address
	Disassociating = "disassociating"
	Unassigning    = "unassigning"
	Succeeded      = "succeeded"
)

// Comes reports whether the address is still to be had.
func (a *NatAddress) Comes() bool { return a.Status == Associating || a.Status == Assigning }

// Goes reports whether no connection takes the address any more.
func (a *NatAddress) Goes() bool { return a.Status == Disassociating || a.Status == Unassigning }

// Works reports whether packets have the address.
func (a *NatAddress) Works() bool { return a.PrivateIP != "" && !a.Comes() && a.Status != Failed }

// EgressOnlyGateway lets IPv6 traffic out and answers in.
type EgressOnlyGateway struct {
	Account, Region, ID, Vpc string        // eigw-…
	Token                    string        `json:",omitempty"`
	Tags                     []network.Tag `json:",omitempty"`
}

// Types of VPC endpoints.
const (
	InterfaceEndpoint = "Interface"
	GatewayEndpoint   = "Gateway"
)

// Endpoint is a VPC endpoint: a private way from a VPC to one service of AWS.
type Endpoint struct {
	Account, Region, ID, Vpc string   // vpce-…
	Type                     string   // InterfaceEndpoint or GatewayEndpoint
	Service                  string   // com.amazonaws.REGION.NAME
	State                    string   // Pending, Available, Deleting, Deleted
	Policy                   string   // JSON
	PrivateDNS               bool     // of interface endpoints
	Subnets                  []string `json:",omitempty"` // of interface endpoints
	Groups                   []string `json:",omitempty"` // of interface endpoints
	ENIs                     []string `json:",omitempty"` // one for each of Subnets, in their order
	RouteTables              []string `json:",omitempty"` // of gateway endpoints; each has a route to it
	IPType                   string   `json:",omitempty"` // ipv4
	DNSRecordIPType          string   `json:",omitempty"`
	CreatedAt                time.Time
	DeletedAt                time.Time     `json:",omitzero"`
	Token, TokenHash         string        `json:",omitempty"`
	Tags                     []network.Tag `json:",omitempty"`
}

// PrefixList is a managed prefix list of an account. Those of AWS are not stored;
// see AmazonPrefixLists.
type PrefixList struct {
	Account, Region, ID string // pl-…
	Name, Family        string // IPv4 or IPv6
	MaxEntries          int
	Version             int64
	Entries             []PrefixEntry   // of the current version
	Old                 []PrefixVersion `json:",omitempty"`
	Token, TokenHash    string          `json:",omitempty"`
	Tags                []network.Tag   `json:",omitempty"`
}

// PrefixEntry is an entry of a prefix list.
type PrefixEntry struct {
	CIDR        string // canonical prefix
	Description string `json:",omitempty"`
}

// PrefixVersion is what a prefix list was.
type PrefixVersion struct {
	Version int64
	Entries []PrefixEntry
}

// States of a peering connection. Source: Amazon VPC Peering Guide, life cycle.
const (
	PeeringInitiating = "initiating-request"
	PeeringPending    = "pending-acceptance"
	PeeringActive     = "active"
	PeeringRejected   = "rejected"
	PeeringExpired    = "expired"
	PeeringDeleted    = "deleted"
)

// Peering is a peering connection between two VPCs, possibly of two accounts or
// regions. It is kept in the requester's account and region and indexed for both.
type Peering struct {
	ID                   string // pcx-…
	Requester, Accepter  PeeringSide
	State, Message       string
	CreatedAt, ExpiresAt time.Time
	EndedAt              time.Time     `json:",omitzero"`
	Tags                 []network.Tag `json:",omitempty"` // of the requester
	AccepterTags         []network.Tag `json:",omitempty"`
}

// PeeringSide is one VPC of a peering connection.
type PeeringSide struct {
	Account, Region, Vpc string
	CIDRs                []string // once active
	AllowRemoteDNS       bool     // AllowDnsResolutionFromRemoteVpc
}
