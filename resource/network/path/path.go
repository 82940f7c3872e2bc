// Package path says why packets between two places of stored networks pass or are
// dropped, hop by hop and rule by rule.
//
// It follows one packet there and its answer back: routes by longest prefix,
// network ACLs without state, security groups with it, the translation of internet
// and NAT gateways, peering connections and VPC endpoints. It reads nothing but
// its arguments; what it says agrees with what packages node/network and
// node/firewall make of the same records, which a test compares packet by packet.
// Sources: Amazon VPC Reachability Analyzer guide, How it works and Explanation
// codes; Amazon VPC User Guide; Amazon VPC Peering Guide.
package path

import (
	"net/netip"

	"neargate/resource/network"
	"neargate/resource/network/edge"
)

// Network is a copy of stored networks, of one or more accounts and regions. Ids
// are unique in it.
type Network struct {
	Pool        netip.Prefix // public addresses of the installation
	Services    []netip.Addr // of Pool: where services of AWS answer, on ports 443 and 80
	Vpcs        []network.Vpc
	Subnets     []network.Subnet
	RouteTables []network.RouteTable
	Acls        []network.NetworkAcl
	Groups      []network.SecurityGroup
	Rules       []network.SecurityGroupRule
	Interfaces  []network.NetworkInterface
	Gateways    []network.InternetGateway
	EgressOnly  []edge.EgressOnlyGateway
	NatGateways []edge.NatGateway
	Endpoints   []edge.Endpoint
	PrefixLists []edge.PrefixList // of customers; those of AWS follow from Pool
	Peerings    []edge.Peering
}

// Query is what is asked: whether packets pass from a source to a destination.
type Query struct {
	Source   string     // eni-… or igw-…
	From     netip.Addr // its address; invalid: an interface's first, of a gateway any public one
	To       netip.Addr // invalid: an address of Target
	Target   string     // eni-…, igw-…, vpce-… or pcx-…; empty: whatever has the address To
	Protocol int        // IANA number
	// Ports are the destination's ports of TCP and UDP, one of which is enough; zero:
	// all. FromPorts are the source's; zero: those that programs take when any will
	// do.
	Ports, FromPorts Range
	// Around lets the path leave through one internet gateway and come in by
	// another. AWS analyzes the two parts separately.
	Around bool
	Arrive Filter // what the packet must look like at the destination
	Pass   string // id of what the path must go through; empty: nothing
	Avoid  string // id of what the path must not go through
}

// Filter is what the header of a packet must be. What is not set may be anything.
type Filter struct {
	Source, Destination           netip.Addr
	SourcePorts, DestinationPorts Range
}

// Protocol numbers. Source: IANA, Assigned Internet Protocol Numbers.
const (
	ICMP = 1
	TCP  = 6
	UDP  = 17

	ICMPv6 = 58
)

// Kinds of components, as ARNs name them, and what is beyond gateways.
const (
	KindInterface       = "network-interface"
	KindGroup           = "security-group"
	KindAcl             = "network-acl"
	KindRouteTable      = "route-table"
	KindInternetGateway = "internet-gateway"
	KindNatGateway      = "natgateway"
	KindEgressOnly      = "egress-only-internet-gateway"
	KindEndpoint        = "vpc-endpoint"
	KindPeering         = "vpc-peering-connection"
	KindSubnet          = "subnet"
	KindVpc             = "vpc"
	KindPrefixList      = "prefix-list"
	KindInternet        = "internet" // without ARN
	KindService         = "service"  // of AWS, at a public address or in every VPC; without ARN
)

// Explanation codes. Source: Amazon VPC Reachability Analyzer guide, Explanation
// codes.
const (
	BadState            = "BAD_STATE"
	BadRoute            = "BAD_STATE_ROUTE"
	Disconnected        = "DISCONNECTED_VPCS"
	GroupsMismatch      = "ENI_SG_RULES_MISMATCH"
	GroupsEmpty         = "SG_HAS_NO_RULES"
	SourceDestCheck     = "ENI_SOURCE_DEST_CHECK_RESTRICTION"
	Spoofed             = "GATEWAY_REJECTS_SPOOFED_TRAFFIC"
	PrivateDestination  = "IGW_DESTINATION_ADDRESS_NOT_IN_RFC1918_EGRESS"
	SharedDestination   = "IGW_DESTINATION_ADDRESS_NOT_IN_RFC6598_EGRESS"
	PrivateSource       = "IGW_SOURCE_ADDRESS_NOT_IN_RFC1918_INGRESS"
	SharedSource        = "IGW_SOURCE_ADDRESS_NOT_IN_RFC6598_INGRESS"
	NotPublic           = "IGW_EXPECTS_PUBLIC_ADDRESS"
	Reflection          = "IGW_NAT_REFLECTION"
	NoPublicDestination = "IGW_PRIVATE_IP_ASSOCIATION_FOR_INGRESS"
	NoPublicSource      = "IGW_PUBLIC_IP_ASSOCIATION_FOR_EGRESS"
	NoDestination       = "NO_POSSIBLE_DESTINATION"
	UnknownDestination  = "UNKNOWN_DESTINATION"
	NoPath              = "NO_PATH"
	NoRoute             = "NO_ROUTE_TO_DESTINATION"
	NoSource            = "NO_SOURCE_OR_DESTINATION"
	PeeringAddress      = "PCX_REQUIRES_ADDRESS_IN_VPC_CIDR"
	ProtocolRestriction = "PROTOCOL_RESTRICTION"
	AclRestriction      = "SUBNET_ACL_RESTRICTION"
	Unassociated        = "UNASSOCIATED_COMPONENT"
	Unsupported         = "UNSUPPORTED_COMPONENT"
	EndpointProtocol    = "VPCE_GATEWAY_PROTOCOL_RESTRICTION"
	EndpointBegins      = "VPCE_INTRA_VPC_TRAFFIC"
	MissesComponent     = "COMPONENT_FILTER_RESTRICTION"
	HitsComponent       = "COMPONENT_FILTER_RESTRICTION_REMOVED_COMPONENT"
	ArrivesFrom         = "FILTER_AT_DESTINATION_SOURCE_ADDRESS"
	ArrivesAt           = "FILTER_AT_DESTINATION_DESTINATION_ADDRESS"
	ArrivesFromPort     = "FILTER_AT_DESTINATION_SOURCE_PORT_RANGE"
	ArrivesAtPort       = "FILTER_AT_DESTINATION_DESTINATION_PORT_RANGE"
)

// Result is the answer to a query.
type Result struct {
	Found        bool
	Forward      []Hop         `json:",omitempty"`
	Return       []Hop         `json:",omitempty"` // of the answer; only where the packet got there
	Explanations []Explanation `json:",omitempty"` // why not, in the order of the path
	// Ports are those of the source's ports whose answers come back: others than
	// all that were asked for where a network ACL is particular about them.
	Ports []Range `json:",omitempty"`
}

// Component is a part of the network.
type Component struct {
	Kind string
	ID   string
	ARN  string `json:",omitempty"`
	Name string `json:",omitempty"` // its tag Name
}

// Hop is a component that a packet comes to and what decides about it there.
type Hop struct {
	Component
	Vpc, Subnet  *Component                 `json:",omitempty"`
	AttachedTo   string                     `json:",omitempty"`
	Rule         *network.SecurityGroupRule `json:",omitempty"` // that lets it pass
	Entry        *network.NetworkAclEntry   `json:",omitempty"` // that decided
	Route        *Route                     `json:",omitempty"` // that is taken
	In, Out      *Header                    `json:",omitempty"` // where they are of interest, as where they change
	Explanations []Explanation              `json:",omitempty"` // why it does not pass
	Note         string                     `json:",omitempty"`
}

// Route is a route of a table with its state.
type Route struct {
	network.Route
	Table  string
	Active bool
}

// Header is the part of packets that decides about them.
type Header struct {
	Source, Destination           netip.Addr
	SourcePorts, DestinationPorts []Range `json:",omitempty"` // of TCP and UDP
	Protocol                      int
}

// Directions of an explanation.
const (
	Ingress = "ingress"
	Egress  = "egress"
)

// Explanation is one reason why a packet does not pass.
type Explanation struct {
	Code      string
	Direction string                   `json:",omitempty"`
	About     []Component              `json:",omitempty"` // the component that says no, and where
	Entry     *network.NetworkAclEntry `json:",omitempty"`
	Route     *Route                   `json:",omitempty"`
	Header    *Header                  `json:",omitempty"`
	Text      string                   // for people
}
