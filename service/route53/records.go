package route53

import (
	"context"
	"errors"
	"strings"

	api "neargate/aws/route53"
	"neargate/resource/zone"
	"neargate/store"
	"neargate/store/tables/zones"
)

// shown is a record set as answers have it.
func shown(r *zone.RecordSet) api.ResourceRecordSet {
	out := api.ResourceRecordSet{Name: &r.Name, Type: &r.Type, SetIdentifier: text(r.SetID), Weight: r.Weight, MultiValueAnswer: r.MultiValue}
	if a := r.Alias; a != nil {
		out.AliasTarget = &api.AliasTarget{HostedZoneId: &a.Zone, DNSName: &a.Name, EvaluateTargetHealth: &a.Evaluate}
		return out
	}
	out.TTL = &r.TTL
	for i := range r.Values {
		out.ResourceRecords = append(out.ResourceRecords, api.ResourceRecord{Value: &r.Values[i]})
	}
	return out
}

// ListResourceRecordSets lists the record sets of a hosted zone in the order of their
// names, types and identifiers, from any on.
func (s *Service) ListResourceRecordSets(ctx context.Context, in *api.ListResourceRecordSetsInput) (*api.ListResourceRecordSetsOutput, error) {
	n, err := maxItems(in.MaxItems, maxSetPage)
	if err != nil {
		return nil, err
	}
	var from []string
	switch {
	case in.StartRecordName == nil && in.StartRecordType != nil:
		return nil, api.InvalidInput("The input is not valid: a record type requires a record name.")
	case in.StartRecordType == nil && in.StartRecordIdentifier != nil:
		return nil, api.InvalidInput("The input is not valid: a record identifier requires a record type.")
	case in.StartRecordName != nil:
		name, err := zone.Canonical(*in.StartRecordName)
		if e, ok := errors.AsType[*zone.NameError](err); ok {
			return nil, api.InvalidInput(e.Error())
		}
		from = append(from, zone.Order(name))
		for _, part := range []*string{in.StartRecordType, in.StartRecordIdentifier} {
			if part != nil {
				from = append(from, *part)
			}
		}
	}
	out := &api.ListResourceRecordSetsOutput{}
	err = s.view(ctx, *in.HostedZoneId, func(tx store.Tx, z *zone.Zone) error {
		*out = api.ListResourceRecordSetsOutput{ResourceRecordSets: []api.ResourceRecordSet{}, MaxItems: items(n), IsTruncated: new(false)}
		all, err := startingAt(tx, z, from, n+1)
		if err != nil {
			return err
		}
		for i := range all {
			r := &all[i]
			if i == n {
				out.IsTruncated, out.NextRecordName, out.NextRecordType, out.NextRecordIdentifier = new(true), &r.Name, &r.Type, text(r.SetID)
				break
			}
			out.ResourceRecordSets = append(out.ResourceRecordSets, shown(r))
		}
		return nil
	})
	return out, err
}

// startingAt reads at most n record sets from a name on, or a name and type, or a name, type
// and identifier.
func startingAt(tx store.Tx, z *zone.Zone, from []string, n int) (all []zone.RecordSet, err error) {
	var after []string
	if from != nil {
		after = append([]string{z.Account, z.ID}, from...)
	}
	if len(from) == 3 { // a whole key, which pages begin after
		r, ok, err := zones.RecordSets.Find(tx, after...)
		if err != nil {
			return nil, err
		}
		if ok {
			all = append(all, r)
		}
	}
	if len(all) == n {
		return all, nil
	}
	rest, err := store.Collect(zones.RecordSets.Page(tx, []string{z.Account, z.ID}, after, n-len(all)))
	return append(all, rest...), err
}

// named is a change as the messages about its form name it.
func named(c *api.Change) string {
	id := "null"
	if c.ResourceRecordSet.SetIdentifier != nil {
		id = *c.ResourceRecordSet.SetIdentifier
	}
	return "Change with [Action=" + *c.Action + ", Name=" + *c.ResourceRecordSet.Name + ", Type=" + *c.ResourceRecordSet.Type + ", SetIdentifier=" + id + "]"
}

// form checks which members a change has.
func form(c *api.Change) error {
	r := c.ResourceRecordSet
	policies := 0
	for _, has := range []bool{
		r.Weight != nil, r.Region != nil, r.Failover != nil, r.GeoLocation != nil, r.MultiValueAnswer != nil,
		r.GeoProximityLocation != nil, r.CidrRoutingConfig != nil,
	} {
		if has {
			policies++
		}
	}
	const kinds = "[Weight, Region, Failover, GeoLocation, MultiValueAnswer, GeoProximityLocation, or CidrRoutingConfig]"
	const values = "[AliasTarget, all of [TTL, and ResourceRecords], or TrafficPolicyInstanceId]"
	switch {
	case policies > 1:
		return api.InvalidInput("Invalid request: Expected exactly one of " + kinds + ", but found more than one in " + named(c))
	case policies == 1 && r.SetIdentifier == nil:
		return api.InvalidInput("Invalid request: Missing field 'SetIdentifier' in " + named(c))
	case policies == 0 && r.SetIdentifier != nil:
		return api.InvalidInput("Invalid request: Expected exactly one of " + kinds + ", but found none in " + named(c))
	case r.TrafficPolicyInstanceId != nil:
		return api.InvalidInput("Invalid request: traffic policies are not supported, in " + named(c))
	case r.AliasTarget != nil && (r.TTL != nil || r.ResourceRecords != nil):
		return api.InvalidInput("Invalid request: Expected exactly one of " + values + ", but found more than one in " + named(c))
	case r.AliasTarget == nil && (r.TTL == nil || r.ResourceRecords == nil):
		return api.InvalidInput("Invalid request: Expected exactly one of " + values + ", but found none in " + named(c))
	case r.HealthCheckId != nil:
		return noHealthCheck(*r.HealthCheckId)
	case r.MultiValueAnswer != nil && (r.AliasTarget != nil || *r.Type == "NS" || *r.Type == "CNAME"):
		return api.InvalidInput("Invalid request: MultiValueAnswer is not allowed in " + named(c))
	}
	for name, has := range map[string]bool{
		"Region": r.Region != nil, "Failover": r.Failover != nil, "GeoLocation": r.GeoLocation != nil,
		"GeoProximityLocation": r.GeoProximityLocation != nil, "CidrRoutingConfig": r.CidrRoutingConfig != nil,
	} {
		if has {
			return api.InvalidInput("Invalid request: " + name + " routing is not supported, in " + named(c))
		}
	}
	return nil
}

// record reads the record set of a change; what is wrong with its names is said in
// problem.
func record(z *zone.Zone, c *api.Change) (r zone.RecordSet, problem string) {
	in := c.ResourceRecordSet
	name, err := zone.Canonical(*in.Name)
	if err != nil {
		return r, err.Error()
	}
	r = zone.RecordSet{
		Account: z.Account, Zone: z.ID, Name: name, Type: *in.Type, SetID: deref(in.SetIdentifier), TTL: deref(in.TTL),
		Weight: in.Weight, MultiValue: in.MultiValueAnswer,
	}
	for _, v := range in.ResourceRecords {
		r.Values = append(r.Values, *v.Value)
	}
	if a := in.AliasTarget; a != nil {
		target, err := zone.Canonical(*a.DNSName)
		if err != nil {
			return r, err.Error()
		}
		r.Alias = &zone.Alias{Zone: strings.TrimPrefix(*a.HostedZoneId, zonePath), Name: target, Evaluate: *a.EvaluateTargetHealth}
	}
	if !zone.Under(r.Name, z.Name) {
		return r, "RRSet with DNS name " + r.Name + " is not permitted in zone " + z.Name
	}
	return r, ""
}
