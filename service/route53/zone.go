package route53

import (
	"context"
	"strings"

	"neargate/auth"
	api "neargate/aws/route53"
	"neargate/resource/zone"
	"neargate/store"
	"neargate/store/tables/zones"
)

// Quotas. Source: Amazon Route 53 Developer Guide, Quotas.
const (
	maxZones   = 500 // of an account
	maxSets    = 10000
	maxVPCs    = 300
	maxListed  = 100 // zones of a page
	maxSetPage = 300
)

// CreateHostedZone makes a hosted zone with its NS and SOA records: a private one,
// where a VPC is given, else a public one.
func (s *Service) CreateHostedZone(ctx context.Context, in *api.CreateHostedZoneInput) (*api.CreateHostedZoneOutput, error) {
	c := auth.CallerFrom(ctx)
	name, err := domainName(*in.Name)
	if err != nil {
		return nil, err
	}
	config := deref(in.HostedZoneConfig)
	switch {
	case name == ".":
		return nil, api.InvalidDomainName("The root domain cannot be a hosted zone.")
	case in.DelegationSetId != nil:
		return nil, api.NoSuchDelegationSet("A delegation set with the id " + *in.DelegationSetId + " does not exist.")
	case deref(config.PrivateZone) && in.VPC == nil:
		return nil, api.InvalidInput("When you're creating a private hosted zone (when you specify true for PrivateZone), you must also specify values for VPCId and VPCRegion.")
	}
	z := zone.Zone{
		Account: c.Account, ID: s.newID("Z"), Name: name, CallerReference: *in.CallerReference, Comment: deref(config.Comment),
		Private: in.VPC != nil, CreatedAt: s.now(),
	}
	var n [4]int
	if !z.Private {
		for i, b := range s.deps.IDs.Bytes(8) {
			n[i/2] = (n[i/2]<<8 | int(b)) % 512
		}
	}
	z.NameServers = zone.NameServers(n)
	change := s.newID("C")
	out := &api.CreateHostedZoneOutput{}
	err = s.deps.Store.Update(ctx, func(tx store.Tx) (err error) {
		z := z
		if err := s.mayCreate(tx, &z); err != nil {
			return err
		}
		if z.Private {
			if err := s.associate(ctx, tx, &z, in.VPC); err != nil {
				return err
			}
		}
		for _, r := range zone.Born(&z) {
			if err := zones.RecordSets.Put(tx, &r); err != nil {
				return err
			}
			z.Count++
		}
		*out = api.CreateHostedZoneOutput{HostedZone: hosted(&z), Location: new("https://route53.amazonaws.com/2013-04-01/hostedzone/" + z.ID)}
		if z.Private {
			out.VPC = in.VPC
		} else {
			out.DelegationSet = &api.DelegationSet{NameServers: z.NameServers}
		}
		if out.ChangeInfo, err = s.note(ctx, tx, change, ""); err != nil {
			return err
		}
		return zones.Zones.Put(tx, &z)
	})
	return out, err
}

func (s *Service) mayCreate(tx store.Tx, z *zone.Zone) error {
	if zones.Zones.CountBy(tx, zones.ByReference, z.Account, z.CallerReference) > 0 {
		return api.HostedZoneAlreadyExists("A hosted zone has already been created with the specified caller reference.")
	}
	if zones.Zones.CountBy(tx, zones.ByReference, z.Account) >= maxZones {
		return api.TooManyHostedZones("This operation can't be completed because the current account has reached the limit on the number of hosted zones.")
	}
	return nil
}

// hosted is a zone as answers show it.
func hosted(z *zone.Zone) *api.HostedZone {
	return &api.HostedZone{
		Id: new(zonePath + z.ID), Name: &z.Name, CallerReference: &z.CallerReference, ResourceRecordSetCount: new(int64(z.Count)),
		Config: &api.HostedZoneConfig{Comment: text(z.Comment), PrivateZone: &z.Private},
	}
}

// GetHostedZone shows a hosted zone: with its VPCs, or with its name servers.
func (s *Service) GetHostedZone(ctx context.Context, in *api.GetHostedZoneInput) (*api.GetHostedZoneOutput, error) {
	out := &api.GetHostedZoneOutput{}
	err := s.view(ctx, *in.Id, func(_ store.Tx, z *zone.Zone) error {
		out.HostedZone = hosted(z)
		if z.Private {
			out.VPCs = vpcsOf(z.VPCs)
		} else {
			out.DelegationSet = &api.DelegationSet{NameServers: z.NameServers}
		}
		return nil
	})
	return out, err
}

// UpdateHostedZoneComment changes the comment of a hosted zone, or takes it away.
func (s *Service) UpdateHostedZoneComment(ctx context.Context, in *api.UpdateHostedZoneCommentInput) (*api.UpdateHostedZoneCommentOutput, error) {
	out := &api.UpdateHostedZoneCommentOutput{}
	err := s.update(ctx, *in.Id, func(_ store.Tx, z *zone.Zone) error {
		z.Comment = deref(in.Comment)
		out.HostedZone = hosted(z)
		return nil
	})
	return out, err
}

// DeleteHostedZone deletes a hosted zone in which nothing is left but what it was
// born with.
func (s *Service) DeleteHostedZone(ctx context.Context, in *api.DeleteHostedZoneInput) (*api.DeleteHostedZoneOutput, error) {
	change := s.newID("C")
	out := &api.DeleteHostedZoneOutput{}
	err := s.deps.Store.Update(ctx, func(tx store.Tx) error {
		z, err := find(ctx, tx, *in.Id)
		if err != nil {
			return err
		}
		for r, err := range zones.RecordSets.List(tx, z.Account, z.ID) {
			if err != nil {
				return err
			}
			if r.Name != z.Name || r.Type != "NS" && r.Type != "SOA" {
				return api.HostedZoneNotEmpty("The specified hosted zone contains non-required resource record sets and so cannot be deleted.")
			}
		}
		for _, typ := range []string{"NS", "SOA"} {
			if err := zones.RecordSets.Delete(tx, z.Account, z.ID, zone.Order(z.Name), typ, ""); err != nil {
				return err
			}
		}
		if out.ChangeInfo, err = s.note(ctx, tx, change, ""); err != nil {
			return err
		}
		return zones.Zones.Delete(tx, z.Account, z.ID)
	})
	return out, err
}

// GetHostedZoneCount counts the hosted zones of the account.
func (s *Service) GetHostedZoneCount(ctx context.Context, _ *api.GetHostedZoneCountInput) (*api.GetHostedZoneCountOutput, error) {
	out := &api.GetHostedZoneCountOutput{}
	err := s.deps.Store.View(ctx, func(tx store.Tx) error {
		out.HostedZoneCount = new(int64(zones.Zones.CountBy(tx, zones.ByReference, auth.CallerFrom(ctx).Account)))
		return nil
	})
	return out, err
}

// GetHostedZoneLimit shows a quota of a hosted zone and how much of it is used.
func (s *Service) GetHostedZoneLimit(ctx context.Context, in *api.GetHostedZoneLimitInput) (*api.GetHostedZoneLimitOutput, error) {
	out := &api.GetHostedZoneLimitOutput{}
	err := s.view(ctx, *in.HostedZoneId, func(_ store.Tx, z *zone.Zone) error {
		count, limit := z.Count, maxSets
		if *in.Type == "MAX_VPCS_ASSOCIATED_BY_ZONE" {
			if !z.Private {
				return api.HostedZoneNotPrivate("The specified hosted zone is a public hosted zone.")
			}
			count, limit = len(z.VPCs), maxVPCs
		}
		*out = api.GetHostedZoneLimitOutput{Count: new(int64(count)), Limit: &api.HostedZoneLimit{Type: in.Type, Value: new(int64(limit))}}
		return nil
	})
	return out, err
}

// GetDNSSEC says that a hosted zone is not signed, as none is.
func (s *Service) GetDNSSEC(ctx context.Context, in *api.GetDNSSECInput) (*api.GetDNSSECOutput, error) {
	err := s.view(ctx, *in.HostedZoneId, func(_ store.Tx, z *zone.Zone) error {
		if z.Private {
			return api.InvalidArgument("Operation is not supported for private hosted zones.")
		}
		return nil
	})
	return &api.GetDNSSECOutput{Status: &api.DNSSECStatus{ServeSignature: new("NOT_SIGNING")}, KeySigningKeys: []api.KeySigningKey{}}, err
}

// ListHostedZones lists the account's hosted zones by id.
func (s *Service) ListHostedZones(ctx context.Context, in *api.ListHostedZonesInput) (*api.ListHostedZonesOutput, error) {
	n, err := maxItems(in.MaxItems, maxListed)
	if err != nil {
		return nil, err
	}
	if in.DelegationSetId != nil {
		return nil, api.NoSuchDelegationSet("A delegation set with the id " + *in.DelegationSetId + " does not exist.")
	}
	from := strings.TrimPrefix(deref(in.Marker), zonePath)
	out := &api.ListHostedZonesOutput{}
	err = s.deps.Store.View(ctx, func(tx store.Tx) error {
		*out = api.ListHostedZonesOutput{HostedZones: []api.HostedZone{}, Marker: in.Marker, MaxItems: items(n), IsTruncated: new(false)}
		for z, err := range zones.Zones.List(tx, auth.CallerFrom(ctx).Account) {
			switch {
			case err != nil:
				return err
			case z.ID < from, in.HostedZoneType != nil && !z.Private:
				continue
			case len(out.HostedZones) == n:
				out.IsTruncated, out.NextMarker = new(true), &z.ID
				return nil
			}
			out.HostedZones = append(out.HostedZones, *hosted(&z))
		}
		return nil
	})
	return out, err
}

// ListHostedZonesByName lists the account's hosted zones in the order of their names.
func (s *Service) ListHostedZonesByName(ctx context.Context, in *api.ListHostedZonesByNameInput) (*api.ListHostedZonesByNameOutput, error) {
	n, err := maxItems(in.MaxItems, maxListed)
	if err != nil {
		return nil, err
	}
	var fromName string
	fromID := strings.TrimPrefix(deref(in.HostedZoneId), zonePath)
	switch {
	case in.DNSName != nil:
		name, err := domainName(*in.DNSName)
		if err != nil {
			return nil, err
		}
		fromName = zone.Order(name)
	case in.HostedZoneId != nil:
		return nil, api.InvalidInput("If you specify a value for HostedZoneId, you must also specify a value for DNSName.")
	}
	out := &api.ListHostedZonesByNameOutput{}
	err = s.deps.Store.View(ctx, func(tx store.Tx) error {
		*out = api.ListHostedZonesByNameOutput{
			HostedZones: []api.HostedZone{}, DNSName: in.DNSName, HostedZoneId: in.HostedZoneId, MaxItems: items(n), IsTruncated: new(false),
		}
		for z, err := range zones.Zones.By(tx, zones.ByName, auth.CallerFrom(ctx).Account) {
			switch order := zone.Order(z.Name); {
			case err != nil:
				return err
			case order < fromName, order == fromName && z.ID < fromID:
				continue
			case len(out.HostedZones) == n:
				out.IsTruncated, out.NextDNSName, out.NextHostedZoneId = new(true), &z.Name, &z.ID
				return nil
			}
			out.HostedZones = append(out.HostedZones, *hosted(&z))
		}
		return nil
	})
	return out, err
}
