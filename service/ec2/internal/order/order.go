// Package order reads requests for network interfaces.
package order

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/netip"
	"slices"
	"strings"

	wire "neargate/aws/ec2"
	"neargate/resource/network"
	"neargate/service/ec2/internal/tag"
	"neargate/wire/shape"
)

// MaxGroups is how many security groups an interface may have. Source: Amazon VPC
// quotas.
const MaxGroups = 5

// MaxAddresses is how many private addresses an interface may have.
const MaxAddresses = 50

const maxToken = 64

// Order is a network interface asked for. Its JSON form identifies the request for
// idempotency: tags are no part of it, nor is the order of groups.
type Order struct {
	Subnet      string
	Description *string
	Type        *string       // "interface", which is not the same request as none
	Primary     string        // explicit primary address, "" to have one chosen
	Secondary   []string      // explicit secondary addresses
	IPv6        []string      `json:",omitempty"` // explicit IPv6 addresses
	ExtraIPv6   int           `json:",omitempty"` // IPv6 addresses to choose
	Extra       int           // secondary addresses to choose
	Sorted      []string      // the groups, sorted; none means the VPC's default group
	Groups      []string      `json:"-"` // in the order given
	Token       string        `json:"-"` // client token, "" for none
	Tags        []network.Tag `json:"-"`
}

// Hash identifies what is asked for.
func (o *Order) Hash() (string, error) {
	b, err := json.Marshal(o)
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), err
}

// Of reads and checks a request.
func Of(in *wire.CreateNetworkInterfaceInput) (Order, error) {
	o := Order{
		Subnet: val(in.SubnetId), Description: in.Description, Type: in.InterfaceType, Extra: int(val(in.SecondaryPrivateIpAddressCount)),
		Token: strings.TrimSpace(val(in.ClientToken)), Groups: in.Groups, Sorted: slices.Sorted(slices.Values(in.Groups)),
	}
	var err error
	if o.Tags, err = tag.Specified(in.TagSpecifications, "network-interface"); err != nil {
		return o, err
	}
	switch {
	case o.Subnet == "":
		return o, missing("subnetId")
	case in.ClientToken != nil && *in.ClientToken == "":
		return o, invalid("Value () for parameter clientToken is invalid")
	case len(o.Token) > maxToken:
		return o, invalid("Value (%s) for parameter clientToken is invalid", o.Token)
	case o.Extra < 0:
		return o, invalid("Value (%d) for parameter secondaryPrivateIpAddressCount is invalid", o.Extra)
	case o.Type != nil && *o.Type != "interface":
		return o, shape.Errorf("UnsupportedOperation", "The interface type %s is not supported.", *o.Type)
	case len(in.Groups) > MaxGroups:
		return o, TooManyGroups()
	}
	for _, a := range in.Ipv6Addresses {
		o.IPv6 = append(o.IPv6, val(a.Ipv6Address))
	}
	if o.IPv6, o.ExtraIPv6, err = IPv6(o.IPv6, in.Ipv6AddressCount); err != nil {
		return o, err
	}
	if err := o.addresses(in); err != nil {
		return o, err
	}
	if 1+len(o.Secondary)+o.Extra > MaxAddresses {
		return o, TooManyAddresses()
	}
	return o, nil
}

// addresses reads the explicit addresses of a request.
func (o *Order) addresses(in *wire.CreateNetworkInterfaceInput) error {
	o.Primary = val(in.PrivateIpAddress)
	for _, a := range in.PrivateIpAddresses {
		ip := val(a.PrivateIpAddress)
		switch {
		case ip == "":
			return missing("privateIpAddress")
		case !val(a.Primary):
			o.Secondary = append(o.Secondary, ip)
		case o.Primary != "" && o.Primary != ip:
			return invalid("Only one primary private IP address can be specified.")
		default:
			o.Primary = ip
		}
	}
	if len(o.Secondary) > 0 && o.Extra > 0 {
		return shape.Errorf("InvalidParameterCombination", "The parameter secondaryPrivateIpAddressCount cannot be used with the parameter privateIpAddresses")
	}
	for i, ip := range o.Explicit() {
		if a, err := netip.ParseAddr(ip); err != nil || !a.Is4() {
			return invalid("invalid value for parameter address: %s", ip)
		}
		if slices.Contains(o.Explicit()[:i], ip) {
			return invalid("Duplicate private IP address %s", ip)
		}
	}
	return nil
}

// IPv6 reads which IPv6 addresses a request wants: those named, in their canonical
// form, or a number of free ones.
func IPv6(named []string, count *int32) ([]string, int, error) {
	switch n := val(count); {
	case len(named) > 0 && n > 0:
		return nil, 0, shape.Errorf("InvalidParameterCombination", "The parameter ipv6AddressCount cannot be used with the parameter ipv6Addresses")
	case n < 0:
		return nil, 0, invalid("Value (%d) for parameter ipv6AddressCount is invalid.", n)
	case int(n) > MaxAddresses || len(named) > MaxAddresses:
		return nil, 0, TooManyAddresses()
	}
	var out []string
	for _, s := range named {
		a, err := netip.ParseAddr(s)
		if err != nil || !a.Is6() || a.Is4In6() || a.Zone() != "" {
			return nil, 0, invalid("invalid value for parameter ipv6-addresses: %s", s)
		}
		if slices.Contains(out, a.String()) {
			return nil, 0, invalid("Duplicate IPv6 address %s", a)
		}
		out = append(out, a.String())
	}
	return out, int(val(count)), nil
}

// Explicit are the addresses named, the primary first.
func (o *Order) Explicit() []string {
	if o.Primary == "" {
		return o.Secondary
	}
	return append([]string{o.Primary}, o.Secondary...)
}

// TooManyGroups refuses more groups than an interface may have.
func TooManyGroups() error {
	return shape.Errorf("SecurityGroupsPerInterfaceLimitExceeded", "The maximum number of security groups per interface has been reached.")
}

// TooManyAddresses refuses more private addresses than an interface may have.
func TooManyAddresses() error {
	return shape.Errorf("PrivateIpAddressLimitExceeded", "Number of private addresses will exceed limit.")
}

func missing(name string) error {
	return shape.Errorf("MissingParameter", "The request must contain the parameter %s", name)
}

func invalid(format string, args ...any) error {
	return shape.Errorf("InvalidParameterValue", format, args...)
}

func val[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
