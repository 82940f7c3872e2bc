package common

import (
	"context"
	"slices"

	"neargate/arn"
	"neargate/auth"
	wire "neargate/aws/ec2"
	"neargate/service/ec2/internal/admit"
	"neargate/service/ec2/internal/call"
	"neargate/service/ec2/internal/filter"
)

// optIn are the regions an AWS account must enable before use. Here every region
// is enabled. Source: AWS Account Management Reference, Enable or disable Regions.
var optIn = []string{
	"af-south-1", "ap-east-1", "ap-east-2", "ap-south-2", "ap-southeast-3", "ap-southeast-4", "ap-southeast-5",
	"ap-southeast-6", "ap-southeast-7", "ca-west-1", "eu-central-2", "eu-south-1", "eu-south-2", "il-central-1",
	"me-central-1", "me-south-1", "mx-central-1",
}

var regionFilters = filter.Set{Fields: map[string]string{
	"endpoint": "Endpoint", "opt-in-status": "OptInStatus", "region-name": "RegionName",
}}

// DescribeRegions lists the regions of the caller's partition. All are enabled,
// so asking for all regions adds none.
func (s *Handler) DescribeRegions(ctx context.Context, in *wire.DescribeRegionsInput) (*wire.DescribeRegionsOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	match, err := filter.Compile[wire.Region](regionFilters, call.FiltersOf(in.Filters))
	if err != nil {
		return nil, err
	}
	partition := arn.Partition(auth.CallerFrom(ctx).Region)
	known := func(name string) bool { return arn.KnownRegion(name) && arn.Partition(name) == partition }
	for _, name := range in.RegionNames {
		if !known(name) {
			return nil, call.Invalid("Invalid region: [%s]", name)
		}
	}
	out := &wire.DescribeRegionsOutput{Regions: []wire.Region{}}
	for _, name := range arn.Regions() {
		if !known(name) || len(in.RegionNames) > 0 && !slices.Contains(in.RegionNames, name) {
			continue
		}
		r := wire.Region{
			RegionName: new(name), Endpoint: new("ec2." + name + "." + arn.DNSSuffix(name)), OptInStatus: new("opt-in-not-required"),
		}
		if slices.Contains(optIn, name) {
			r.OptInStatus = new("opted-in")
		}
		if match(&r) {
			out.Regions = append(out.Regions, r)
		}
	}
	return out, nil
}

var zoneFilters = filter.Set{Fields: map[string]string{
	"group-long-name": "GroupLongName", "group-name": "GroupName", "message": "Messages.Message",
	"opt-in-status": "OptInStatus", "parent-zone-id": "ParentZoneId", "parent-zone-name": "ParentZoneName",
	"region-name": "RegionName", "state": "State", "zone-id": "ZoneId", "zone-name": "ZoneName", "zone-type": "ZoneType",
}}

// DescribeAvailabilityZones lists the zones of the caller's region. All are
// enabled, so asking for all zones adds none.
func (s *Handler) DescribeAvailabilityZones(ctx context.Context, in *wire.DescribeAvailabilityZonesInput) (*wire.DescribeAvailabilityZonesOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	match, err := filter.Compile[wire.AvailabilityZone](zoneFilters, call.FiltersOf(in.Filters))
	if err != nil {
		return nil, err
	}
	region := auth.CallerFrom(ctx).Region
	zones := arn.Zones(region)
	for _, name := range in.ZoneNames {
		if !slices.ContainsFunc(zones, func(z arn.Zone) bool { return z.Name == name }) {
			return nil, call.Invalid("Invalid availability zone: [%s]", name)
		}
	}
	for _, id := range in.ZoneIds {
		if !slices.ContainsFunc(zones, func(z arn.Zone) bool { return z.ID == id }) {
			return nil, call.Invalid("Invalid availability zone-id: [%s]", id)
		}
	}
	out := &wire.DescribeAvailabilityZonesOutput{AvailabilityZones: []wire.AvailabilityZone{}}
	for _, z := range zones {
		named := len(in.ZoneNames)+len(in.ZoneIds) == 0 || slices.Contains(in.ZoneNames, z.Name) || slices.Contains(in.ZoneIds, z.ID)
		w := wire.AvailabilityZone{
			GroupName: new(region + "-zg-1"), Messages: []wire.AvailabilityZoneMessage{}, NetworkBorderGroup: new(region),
			OptInStatus: new("opt-in-not-required"), RegionName: new(region), State: new("available"),
			ZoneId: new(z.ID), ZoneName: new(z.Name), ZoneType: new("availability-zone"),
		}
		if named && match(&w) {
			out.AvailabilityZones = append(out.AvailabilityZones, w)
		}
	}
	return out, nil
}

// DescribeAccountAttributes shows the default VPC and the classic quotas.
func (s *Handler) DescribeAccountAttributes(ctx context.Context, in *wire.DescribeAccountAttributesInput) (*wire.DescribeAccountAttributesOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	names := []string{
		"supported-platforms", "vpc-max-security-groups-per-interface", "max-elastic-ips", "max-instances",
		"vpc-max-elastic-ips", "default-vpc",
	}
	values := map[string]string{
		"supported-platforms": "VPC", "vpc-max-security-groups-per-interface": "5", "max-elastic-ips": "5",
		"max-instances": "20", "vpc-max-elastic-ips": "5", "default-vpc": "none",
	}
	err := s.View(ctx, func(sc call.Scope) error {
		id, err := call.DefaultVpc(sc)
		if id != "" {
			values["default-vpc"] = id
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(in.AttributeNames) > 0 {
		names = in.AttributeNames
	}
	out := &wire.DescribeAccountAttributesOutput{}
	for _, name := range names {
		v, ok := values[name]
		if !ok {
			return nil, call.Invalid("Value (%s) for parameter attributeName is invalid. Unknown attribute.", name)
		}
		out.AccountAttributes = append(out.AccountAttributes, wire.AccountAttribute{
			AttributeName: new(name), AttributeValues: []wire.AccountAttributeValue{{AttributeValue: new(v)}},
		})
	}
	return out, nil
}
