package vpc

import (
	"context"

	wire "neargate/aws/ec2"
	"neargate/service/ec2/internal/admit"
	"neargate/service/ec2/internal/call"
	"neargate/store/tables"
	"neargate/wire/shape"
)

// one refuses a request that changes no attribute, or several.
func one(given ...bool) error {
	n := 0
	for _, g := range given {
		if g {
			n++
		}
	}
	switch n {
	case 0:
		return shape.Errorf("InvalidParameterCombination", "No attributes specified.")
	case 1:
		return nil
	}
	return shape.Errorf("InvalidParameterCombination", "Fields for multiple attribute types specified")
}

// ModifyVpcAttribute changes one attribute of a VPC.
func (s *Handler) ModifyVpcAttribute(ctx context.Context, in *wire.ModifyVpcAttributeInput) (*wire.ModifyVpcAttributeOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	usage := in.EnableNetworkAddressUsageMetrics
	if in.VpcId == nil {
		return nil, call.Missing("vpcId")
	}
	if err := one(in.EnableDnsSupport != nil, in.EnableDnsHostnames != nil, usage != nil); err != nil {
		return nil, err
	}
	if usage != nil && call.Val(usage.Value) {
		return nil, admit.Unsupported("EnableNetworkAddressUsageMetrics")
	}
	err := s.Update(ctx, func(sc call.Scope) error {
		v, err := call.Vpcs.Get(sc, *in.VpcId)
		switch {
		case err != nil:
			return err
		case in.EnableDnsSupport != nil:
			v.DNSSupport = call.Val(in.EnableDnsSupport.Value)
		case in.EnableDnsHostnames != nil:
			v.DNSHostnames = call.Val(in.EnableDnsHostnames.Value)
			if v.DNSHostnames && !v.DNSSupport {
				return call.Invalid("DNS hostnames cannot be enabled for %s because DNS support is disabled", v.ID)
			}
		default:
			v.AddressUsageMetrics = false
		}
		return tables.Vpcs.Put(sc.Tx, &v)
	})
	return &wire.ModifyVpcAttributeOutput{}, err
}

// ModifyVpcTenancy lets instances of a VPC share hardware again; the other way
// there is none.
func (s *Handler) ModifyVpcTenancy(ctx context.Context, in *wire.ModifyVpcTenancyInput) (*wire.ModifyVpcTenancyOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	switch {
	case in.VpcId == nil:
		return nil, call.Missing("vpcId")
	case in.InstanceTenancy == nil:
		return nil, call.Missing("instanceTenancy")
	case *in.InstanceTenancy != tenancyDefault:
		return nil, call.Invalid("Value (%s) for parameter instanceTenancy is invalid.", *in.InstanceTenancy)
	}
	err := s.Update(ctx, func(sc call.Scope) error {
		v, err := call.Vpcs.Get(sc, *in.VpcId)
		if err != nil {
			return err
		}
		v.Tenancy = tenancyDefault
		return tables.Vpcs.Put(sc.Tx, &v)
	})
	if err != nil {
		return nil, err
	}
	return &wire.ModifyVpcTenancyOutput{ReturnValue: new(true)}, nil
}

// ModifySubnetAttribute changes one attribute of a subnet.
func (s *Handler) ModifySubnetAttribute(ctx context.Context, in *wire.ModifySubnetAttributeInput) (*wire.ModifySubnetAttributeOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	if in.SubnetId == nil {
		return nil, call.Missing("subnetId")
	}
	err := one(in.MapPublicIpOnLaunch != nil, in.AssignIpv6AddressOnCreation != nil, in.EnableDns64 != nil,
		in.EnableResourceNameDnsARecordOnLaunch != nil, in.EnableResourceNameDnsAAAARecordOnLaunch != nil,
		in.PrivateDnsHostnameTypeOnLaunch != nil)
	if err != nil {
		return nil, err
	}
	if in.EnableDns64 != nil && call.Val(in.EnableDns64.Value) {
		return nil, admit.Unsupported("EnableDns64")
	}
	hostname := call.Val(in.PrivateDnsHostnameTypeOnLaunch)
	if in.PrivateDnsHostnameTypeOnLaunch != nil && hostname != hostnameIP && hostname != hostnameResource {
		return nil, call.Invalid("Value (%s) for parameter privateDnsHostnameTypeOnLaunch is invalid.", hostname)
	}
	err = s.Update(ctx, func(sc call.Scope) error {
		r, err := call.Subnets.Get(sc, *in.SubnetId)
		switch {
		case err != nil:
			return err
		case in.MapPublicIpOnLaunch != nil:
			r.MapPublicIP = call.Val(in.MapPublicIpOnLaunch.Value)
		case in.AssignIpv6AddressOnCreation != nil:
			if r.AssignIPv6 = call.Val(in.AssignIpv6AddressOnCreation.Value); r.AssignIPv6 && len(r.IPv6) == 0 {
				return call.Invalid("Invalid value 'true' for assignIpv6AddressOnCreation. "+
					"The subnet '%s' has no associated IPv6 CIDR block.", r.ID)
			}
		case in.EnableResourceNameDnsAAAARecordOnLaunch != nil:
			if r.HostnameAAAA = call.Val(in.EnableResourceNameDnsAAAARecordOnLaunch.Value); r.HostnameAAAA && len(r.IPv6) == 0 {
				return call.Invalid("Invalid value 'true' for enableResourceNameDnsAAAARecordOnLaunch. "+
					"The subnet '%s' has no associated IPv6 CIDR block.", r.ID)
			}
		case in.EnableResourceNameDnsARecordOnLaunch != nil:
			r.HostnameA = call.Val(in.EnableResourceNameDnsARecordOnLaunch.Value)
		case hostname != "":
			r.HostnameType = hostname
		}
		return tables.Subnets.Put(sc.Tx, &r)
	})
	return &wire.ModifySubnetAttributeOutput{}, err
}
