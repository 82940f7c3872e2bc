package network

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// NetworkInterface is an elastic network interface (ENI). Whoever creates one
// also records its addresses (PrivateAddress, PublicAddress) in the same
// transaction, and releases them when it deletes the interface.
type NetworkInterface struct {
	Account, Region, ID string
	Vpc, Subnet, Zone   string
	Description         string
	MAC                 string
	Addresses           []string  // private IPv4 addresses, the primary first
	IPv6                []string  `json:",omitempty"` // IPv6 addresses, in the order they were assigned
	Type                string    `json:",omitempty"` // one of the Type constants; empty: TypeInterface
	PublicIP            string    `json:",omitempty"` // of the primary address: lent by Amazon, or an Elastic IP
	Allocation          string    `json:",omitempty"` // eipalloc-… when PublicIP is an Elastic IP
	Association         string    `json:",omitempty"` // eipassoc-… when PublicIP is an Elastic IP
	Lender              string    `json:",omitempty"` // account of the Elastic IP, if not Account
	Mapped              []Mapping `json:",omitempty"` // Elastic IPs of secondary private addresses
	Groups              []string  // ids of security groups
	SourceDestCheck     bool
	RequesterID         string
	RequesterManaged    bool                 // belongs to an AWS service; the customer may only look
	Attachment          *InterfaceAttachment `json:",omitempty"`
	TokenHash           string               `json:",omitempty"` // of the client token and arguments that created it
	Token               string               `json:",omitempty"`
	RequestTags         []Tag                `json:",omitempty"` // what a replay of the creation answers
	Tags                []Tag                `json:",omitempty"`
}

// Mapping is a public address of one of an interface's private addresses.
type Mapping struct {
	PrivateIP, PublicIP     string
	Allocation, Association string // empty: lent by Amazon
	Lender                  string `json:",omitempty"` // account of the Elastic IP, if not the interface's
}

// Mappings are the public addresses of all the interface's private ones.
func (e *NetworkInterface) Mappings() []Mapping {
	if e.PublicIP == "" {
		return e.Mapped
	}
	return append([]Mapping{{e.Primary(), e.PublicIP, e.Allocation, e.Association, e.Lender}}, e.Mapped...)
}

// MappingOf is the public address of a private one of the interface's; none: empty.
func (e *NetworkInterface) MappingOf(private string) Mapping {
	for _, m := range e.Mappings() {
		if m.PrivateIP == private {
			return m
		}
	}
	return Mapping{PrivateIP: private}
}

// Map gives one of the interface's private addresses a public one in place of what it
// had; an empty one is none.
func (e *NetworkInterface) Map(m Mapping) {
	if m.PrivateIP == e.Primary() {
		e.PublicIP, e.Allocation, e.Association, e.Lender = m.PublicIP, m.Allocation, m.Association, m.Lender
		return
	}
	e.Mapped = slices.DeleteFunc(slices.Clone(e.Mapped), func(o Mapping) bool { return o.PrivateIP == m.PrivateIP })
	if m.PublicIP != "" {
		e.Mapped = append(e.Mapped, m)
	}
}

// Types of network interfaces, as DescribeNetworkInterfaces shows them.
const (
	TypeInterface  = "interface"
	TypeNatGateway = "nat_gateway"
	TypeEndpoint   = "vpc_endpoint"
)

// Kind is the interface's type.
func (e *NetworkInterface) Kind() string { return cmp.Or(e.Type, TypeInterface) }

// InterfaceAttachment says what an interface is plugged into.
type InterfaceAttachment struct {
	ID                  string // eni-attach-… or ela-attach-…
	InstanceOwner       string // account that owns the instance, or an AWS account
	Instance            string `json:",omitempty"`
	DeviceIndex         int
	DeleteOnTermination bool
	AttachedAt          time.Time
}

// FargateAccount is the account that owns what Fargate task interfaces are
// attached to, and their requester.
const FargateAccount = "578734482556"

// Primary is the primary private address.
func (e *NetworkInterface) Primary() string {
	if len(e.Addresses) == 0 {
		return ""
	}
	return e.Addresses[0]
}

// Status is "in-use" while the interface is attached, else "available".
func (e *NetworkInterface) Status() string {
	if e.Attachment != nil {
		return "in-use"
	}
	return "available"
}

// MAC derives the hardware address of the interface with the given id: locally
// administered, unicast.
func MAC(eni string) string {
	h := sha256.Sum256([]byte("mac/" + eni))
	return fmt.Sprintf("12:%02x:%02x:%02x:%02x:%02x", h[0], h[1], h[2], h[3], h[4])
}

// PrivateDNSName is the name Amazon's resolver knows a private address by.
// Source: Amazon VPC User Guide, DNS attributes for your VPC.
func PrivateDNSName(region, ip string) string {
	if ip == "" {
		return ""
	}
	return "ip-" + strings.ReplaceAll(ip, ".", "-") + "." + PrivateDomain(region)
}

// PrivateDomain is the domain of a region's private names.
func PrivateDomain(region string) string {
	if region == "us-east-1" {
		return "ec2.internal"
	}
	return region + ".compute.internal"
}

// PublicDNSName is the public name of a public address in a VPC with DNS host
// names on. Source: Amazon VPC User Guide, DNS attributes for your VPC.
func PublicDNSName(region, ip string) string {
	if ip == "" {
		return ""
	}
	return "ec2-" + strings.ReplaceAll(ip, ".", "-") + "." + PublicDomain(region)
}

// PublicDomain is the domain of a region's public names.
func PublicDomain(region string) string {
	if region == "us-east-1" {
		return "compute-1.amazonaws.com"
	}
	return region + ".compute.amazonaws.com"
}

// PrivateAddress says that an address of a subnet is taken, and by which
// interface.
type PrivateAddress struct {
	Account, Region, Subnet string
	Address, ENI            string
}

// PublicAddress says that an address of the installation's public pool is taken.
// Public addresses are unique in the whole installation.
type PublicAddress struct {
	Address              string
	Account, Region, ENI string
	Allocation           string `json:",omitempty"` // eipalloc-… : an Elastic IP, which stays without an interface
}

// FargateInterface is the interface of a Fargate task as Fargate makes it, still
// without addresses. attachment is the ARN of the task's attachment.
func FargateInterface(s *Subnet, id, attachmentID, attachment string, groups []string, at time.Time) NetworkInterface {
	return NetworkInterface{
		Account: s.Account, Region: s.Region, ID: id,
		Vpc: s.Vpc, Subnet: s.ID, Zone: s.Zone,
		Description: attachment, MAC: MAC(id), Groups: groups,
		SourceDestCheck: true, RequesterID: FargateAccount, RequesterManaged: true,
		Attachment: &InterfaceAttachment{ID: attachmentID, InstanceOwner: FargateAccount, DeviceIndex: 1, AttachedAt: at},
	}
}

// Canonical returns the prefix in s with its host bits cleared, which is how AWS
// keeps every CIDR. The address family is 4 or 6.
func Canonical(s string, family int) (netip.Prefix, bool) {
	p, err := netip.ParsePrefix(s)
	if err != nil || p.Addr().Is4() != (family == 4) || p.Addr().Is4In6() {
		return netip.Prefix{}, false
	}
	return p.Masked(), true
}
