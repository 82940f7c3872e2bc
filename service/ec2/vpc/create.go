package vpc

import (
	"context"

	"neargate/auth"
	wire "neargate/aws/ec2"
	"neargate/resource/network"
	"neargate/service/ec2/internal/admit"
	"neargate/service/ec2/internal/call"
	"neargate/service/ec2/internal/tag"
	"neargate/store"
	"neargate/store/tables"
	"neargate/wire/shape"
)

// maxVpcs is how many VPCs an account may have in a region. Source: Amazon VPC
// quotas.
const maxVpcs = 5

// Tenancies of a VPC. They matter to instances only, of which there are none.
const (
	tenancyDefault   = "default"
	tenancyDedicated = "dedicated"
)

// CreateVpc makes a VPC with its main route table, its default network ACL and its
// default security group.
func (s *Handler) CreateVpc(ctx context.Context, in *wire.CreateVpcInput) (*wire.CreateVpcOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	v, err := s.ordered(auth.CallerFrom(ctx), in)
	if err != nil {
		return nil, err
	}
	parts := v.Parts(s.newID)
	wanted := s.provided(in.AmazonProvidedIpv6CidrBlock)
	rule := s.newID(call.Rules.Prefix)
	var out wire.Vpc
	err = s.Update(ctx, func(sc call.Scope) error {
		if err := roomForVpc(sc); err != nil {
			return err
		}
		options := network.AmazonDhcpOptions(v.Account, v.Region)
		if _, found, err := tables.DhcpOptions.Find(sc.Tx, v.Account, v.Region, options.ID); err != nil {
			return err
		} else if !found {
			if err := tables.DhcpOptions.Put(sc.Tx, &options); err != nil {
				return err
			}
		}
		v.DhcpOptions, v.IPv6 = options.ID, nil
		parts := parts
		if wanted != nil {
			if err := s.provide(sc, &v, *wanted); err != nil {
				return err
			}
			furnish(&v, &parts, rule)
		}
		out, err = renderVpc(sc, &v)
		asCreated(&out)
		if err != nil {
			return err
		}
		return tables.PutVpc(sc.Tx, &v, &parts)
	})
	if err != nil {
		return nil, err
	}
	return &wire.CreateVpcOutput{Vpc: &out}, nil
}

// ordered reads what VPC a request asks for.
func (s *Handler) ordered(c auth.Caller, in *wire.CreateVpcInput) (network.Vpc, error) {
	v := network.Vpc{
		Account: c.Account, Region: c.Region, ID: s.newID(call.Vpcs.Prefix), CIDRAssociation: s.newID("vpc-cidr-assoc"),
		Tenancy: tenancyDefault, DNSSupport: true,
	}
	var err error
	if v.Tags, err = tag.Specified(in.TagSpecifications, call.Vpcs.Type); err != nil {
		return v, err
	}
	switch tenancy := call.Val(in.InstanceTenancy); tenancy {
	case "", tenancyDefault:
	case tenancyDedicated:
		v.Tenancy = tenancy
	default:
		return v, call.Invalid("Value (%s) for parameter instanceTenancy is invalid.", tenancy)
	}
	if in.CidrBlock == nil {
		return v, shape.Errorf("MissingParameter", "Either 'cidrBlock' or 'ipv4IpamPoolId' should be provided.")
	}
	cidr, err := vpcRange(in.CidrBlock)
	v.CIDR = cidr.String()
	return v, err
}

// newID makes the id of a new resource.
func (s *Handler) newID(prefix string, _ ...string) string { return s.Deps.IDs.EC2(prefix) }

// asCreated shows the VPC as the answer to its creation does.
func asCreated(w *wire.Vpc) {
	w.State, w.BlockPublicAccessStates = new("pending"), nil
	if w.Ipv6CidrBlockAssociationSet == nil {
		w.Ipv6CidrBlockAssociationSet = []wire.VpcIpv6CidrBlockAssociation{}
	}
	for i := range w.Ipv6CidrBlockAssociationSet {
		w.Ipv6CidrBlockAssociationSet[i].Ipv6CidrBlockState.State = new("associating")
	}
}

func roomForVpc(sc call.Scope) error {
	account, region := sc.Tenant()
	if sc.Tx.Count(store.Prefix(tables.Vpcs.Name, account, region)) >= maxVpcs {
		return shape.Errorf("VpcLimitExceeded", "The maximum number of VPCs has been reached.")
	}
	return nil
}

// CreateDefaultVpc makes a default VPC in place of the one that was deleted.
func (s *Handler) CreateDefaultVpc(ctx context.Context, in *wire.CreateDefaultVpcInput) (*wire.CreateDefaultVpcOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	c := auth.CallerFrom(ctx)
	f := network.Furnish(c.Account, c.Region, s.newID)
	var out wire.Vpc
	err := s.Update(ctx, func(sc call.Scope) error {
		if old, err := call.DefaultVpc(sc); err != nil {
			return err
		} else if old != "" {
			return shape.Errorf("DefaultVpcAlreadyExists", "A Default VPC already exists for this account in this region.")
		}
		if err := roomForVpc(sc); err != nil {
			return err
		}
		if err := roomForGateway(sc); err != nil {
			return err
		}
		var err error
		out, err = renderVpc(sc, &f.Vpc)
		asCreated(&out)
		if err != nil {
			return err
		}
		return tables.PutDefaultNetwork(sc.Tx, &f)
	})
	if err != nil {
		return nil, err
	}
	return &wire.CreateDefaultVpcOutput{Vpc: &out}, nil
}
