package vpc

import (
	"context"
	"net/netip"
	"slices"
	"strconv"

	wire "neargate/aws/ec2"
	"neargate/resource/network"
	"neargate/service/ec2/internal/admit"
	"neargate/service/ec2/internal/call"
	"neargate/service/ec2/internal/filter"
	"neargate/service/ec2/internal/tag"
	"neargate/store/tables"
)

func renderDhcpOptions(_ call.Scope, d *network.DhcpOptions) (wire.DhcpOptions, error) {
	var options []wire.DhcpConfiguration
	for _, o := range d.Values {
		var values []wire.AttributeValue
		for _, v := range o.Values {
			values = append(values, wire.AttributeValue{Value: new(v)})
		}
		options = append(options, wire.DhcpConfiguration{Key: new(o.Key), Values: values})
	}
	return wire.DhcpOptions{
		DhcpConfigurations: options, DhcpOptionsId: &d.ID, OwnerId: &d.Account, Tags: tag.Listed(d.Tags),
	}, nil
}

var describeDhcpOptions = call.Listing[network.DhcpOptions, wire.DhcpOptions]{
	Op: "DescribeDhcpOptions", Kind: call.DhcpOptions, IDs: "DhcpOptionsIds", Render: renderDhcpOptions,
	Filters: filter.Set{
		Tags: "Tags",
		Fields: map[string]string{
			"dhcp-options-id": "DhcpOptionsId",
			"key":             "DhcpConfigurations.Key",
			"owner-id":        "OwnerId",
			"value":           "DhcpConfigurations.Values.Value",
		},
	},
}

// DescribeDhcpOptions lists sets of DHCP options.
func (s *Handler) DescribeDhcpOptions(ctx context.Context, in *wire.DescribeDhcpOptionsInput) (*wire.DescribeDhcpOptionsOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	out, next, err := describeDhcpOptions.Run(ctx, s.Env, call.Page(in.DhcpOptionsIds, in.Filters, in.MaxResults, in.NextToken))
	return &wire.DescribeDhcpOptionsOutput{DhcpOptions: out, NextToken: next}, err
}

// maxServers is how many addresses a DHCP option may list.
const maxServers = 4

// Names of further DHCP options. Source: Amazon EC2 API Reference, CreateDhcpOptions.
const (
	ntpServers  = "ntp-servers"
	netbios     = "netbios-name-servers"
	netbiosNode = "netbios-node-type"
	leaseTime   = "ipv6-address-preferred-lease-time"
)

// CreateDhcpOptions makes a set of DHCP options.
func (s *Handler) CreateDhcpOptions(ctx context.Context, in *wire.CreateDhcpOptionsInput) (*wire.CreateDhcpOptionsOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	tags, err := tag.Specified(in.TagSpecifications, call.DhcpOptions.Type)
	if err != nil {
		return nil, err
	}
	values, err := optionsOf(in.DhcpConfigurations)
	if err != nil {
		return nil, err
	}
	id := s.newID(call.DhcpOptions.Prefix)
	var out wire.DhcpOptions
	err = s.Update(ctx, func(sc call.Scope) error {
		account, region := sc.Tenant()
		d := network.DhcpOptions{Account: account, Region: region, ID: id, Values: values, Tags: tags}
		var err error
		if out, err = renderDhcpOptions(sc, &d); err != nil {
			return err
		}
		return tables.DhcpOptions.Put(sc.Tx, &d)
	})
	if err != nil {
		return nil, err
	}
	return &wire.CreateDhcpOptionsOutput{DhcpOptions: &out}, nil
}

// optionsOf reads the options of a request.
func optionsOf(in []wire.NewDhcpConfiguration) ([]network.DhcpOption, error) {
	if len(in) == 0 {
		return nil, call.Missing("dhcpConfiguration")
	}
	var out []network.DhcpOption
	for _, c := range in {
		o := network.DhcpOption{Key: call.Val(c.Key), Values: c.Values}
		if slices.ContainsFunc(out, func(b network.DhcpOption) bool { return b.Key == o.Key }) {
			return nil, call.Invalid("Duplicate option '%s' specified.", o.Key)
		}
		if len(o.Values) == 0 {
			return nil, call.Invalid("Value () for parameter value is invalid. Option '%s' must have a value.", o.Key)
		}
		if err := checkOption(o); err != nil {
			return nil, err
		}
		out = append(out, o)
	}
	return out, nil
}

// checkOption refuses values an option cannot have.
func checkOption(o network.DhcpOption) error {
	most, good := 1, func(v string) bool { return v != "" }
	switch o.Key {
	case network.OptionDomain:
	case network.OptionServers:
		most, good = maxServers, func(v string) bool { return v == network.AmazonDNS || isAddress(v) }
	case ntpServers:
		most, good = maxServers, isAddress
	case netbios:
		most, good = maxServers, func(v string) bool { a, err := netip.ParseAddr(v); return err == nil && a.Is4() }
	case netbiosNode:
		good = func(v string) bool { return slices.Contains([]string{"1", "2", "4", "8"}, v) }
	case leaseTime:
		good = func(v string) bool { n, err := strconv.Atoi(v); return err == nil && n >= 140 }
	default:
		return call.Invalid("Value (%s) for parameter key is invalid. Unknown DHCP option.", o.Key)
	}
	if len(o.Values) > most {
		return call.Invalid("Too many values for option '%s': at most %d can be specified.", o.Key, most)
	}
	for _, v := range o.Values {
		if !good(v) {
			return call.Invalid("Value (%s) for parameter value is invalid. Invalid value for option '%s'.", v, o.Key)
		}
	}
	return nil
}

func isAddress(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil
}

// DeleteDhcpOptions deletes a set of DHCP options that no VPC has.
func (s *Handler) DeleteDhcpOptions(ctx context.Context, in *wire.DeleteDhcpOptionsInput) (*wire.DeleteDhcpOptionsOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	if in.DhcpOptionsId == nil {
		return nil, call.Missing("dhcpOptionsId")
	}
	err := s.Update(ctx, func(sc call.Scope) error {
		d, err := call.DhcpOptions.Get(sc, *in.DhcpOptionsId)
		if err != nil {
			return err
		}
		for v, err := range tables.Vpcs.List(sc.Tx, d.Account, d.Region) {
			if err != nil {
				return err
			}
			if v.DhcpOptions == d.ID {
				return dependency("dhcpOptions", d.ID)
			}
		}
		return tables.DhcpOptions.Delete(sc.Tx, d.Account, d.Region, d.ID)
	})
	return &wire.DeleteDhcpOptionsOutput{}, err
}

// AssociateDhcpOptions gives a VPC a set of DHCP options in place of its own, or
// none.
func (s *Handler) AssociateDhcpOptions(ctx context.Context, in *wire.AssociateDhcpOptionsInput) (*wire.AssociateDhcpOptionsOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	switch {
	case in.DhcpOptionsId == nil:
		return nil, call.Missing("dhcpOptionsId")
	case in.VpcId == nil:
		return nil, call.Missing("vpcId")
	}
	err := s.Update(ctx, func(sc call.Scope) error {
		if *in.DhcpOptionsId != network.NoDhcpOptions {
			if _, err := call.DhcpOptions.Get(sc, *in.DhcpOptionsId); err != nil {
				return err
			}
		}
		v, err := call.Vpcs.Get(sc, *in.VpcId)
		if err != nil {
			return err
		}
		v.DhcpOptions = *in.DhcpOptionsId
		return tables.Vpcs.Put(sc.Tx, &v)
	})
	return &wire.AssociateDhcpOptionsOutput{}, err
}
