package route53

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"neargate/auth"
	api "neargate/aws/route53"
	"neargate/resource/zone"
	"neargate/store"
	"neargate/store/tables"
	"neargate/store/tables/zones"
)

func vpcsOf(vpcs []zone.VPC) []api.VPC {
	out := []api.VPC{}
	for _, v := range vpcs {
		out = append(out, api.VPC{VPCId: &v.ID, VPCRegion: &v.Region})
	}
	return out
}

// given reads the VPC of a request.
func given(v *api.VPC) (zone.VPC, error) {
	switch {
	case v.VPCId == nil || *v.VPCId == "":
		return zone.VPC{}, api.InvalidInput("1 validation error detected: Value null at 'vPC.vPCId' failed to satisfy constraint: Member must not be null")
	case v.VPCRegion == nil:
		return zone.VPC{}, api.InvalidInput("1 validation error detected: Value null at 'vPC.vPCRegion' failed to satisfy constraint: Member must not be null")
	}
	return zone.VPC{Region: *v.VPCRegion, ID: *v.VPCId}, nil
}

// owned is a VPC of a request that is the account's own.
func owned(tx store.Tx, account string, in *api.VPC) (zone.VPC, error) {
	v, err := given(in)
	if err != nil {
		return v, err
	}
	_, ok, err := tables.Vpcs.Find(tx, account, v.Region, v.ID)
	if err == nil && !ok {
		err = api.InvalidVPCId(fmt.Sprintf("The VPC %s in region %s does not exist or is not owned by account %s.", v.ID, v.Region, account))
	}
	return v, err
}

// associate makes a VPC of the caller see a private zone, unless it sees another of
// the same name.
func (s *Service) associate(ctx context.Context, tx store.Tx, z *zone.Zone, in *api.VPC) error {
	v, err := owned(tx, auth.CallerFrom(ctx).Account, in)
	if err != nil {
		return err
	}
	for o, err := range zones.Zones.By(tx, zones.ByVPC, v.Region, v.ID) {
		if err != nil {
			return err
		}
		if o.Name == z.Name {
			return api.ConflictingDomainExists(fmt.Sprintf("The VPC %s in region %s has already been associated with the hosted zone %s with the same domain name.", v.ID, v.Region, o.ID))
		}
	}
	if len(z.VPCs) >= maxVPCs {
		return api.LimitsExceeded(fmt.Sprintf("The hosted zone %s is already associated with the maximum number of VPCs, which is %d.", z.ID, maxVPCs))
	}
	z.VPCs = append(slices.Clone(z.VPCs), v)
	return nil
}

// AssociateVPCWithHostedZone makes a VPC see a private zone: of the VPC's account, or
// of one that authorized it.
func (s *Service) AssociateVPCWithHostedZone(ctx context.Context, in *api.AssociateVPCWithHostedZoneInput) (*api.AssociateVPCWithHostedZoneOutput, error) {
	change := s.newID("C")
	out := &api.AssociateVPCWithHostedZoneOutput{}
	err := s.deps.Store.Update(ctx, func(tx store.Tx) error {
		z, err := reachable(ctx, tx, *in.HostedZoneId, in.VPC)
		switch {
		case err != nil:
			return err
		case !z.Private:
			return api.PublicZoneVPCAssociation("You're trying to associate a VPC with a public hosted zone. Amazon Route 53 doesn't support associating a VPC with a public hosted zone.")
		}
		if err := s.associate(ctx, tx, &z, in.VPC); err != nil {
			return err
		}
		if out.ChangeInfo, err = s.note(ctx, tx, change, deref(in.Comment)); err != nil {
			return err
		}
		return zones.Zones.Put(tx, &z)
	})
	return out, err
}

// reachable is a hosted zone that the caller may associate a VPC with, or take it
// from: the caller's own, or another account's that authorized the VPC or has it.
func reachable(ctx context.Context, tx store.Tx, id string, in *api.VPC) (zone.Zone, error) {
	v, err := given(in)
	if err != nil {
		return zone.Zone{}, err
	}
	id = strings.TrimPrefix(id, zonePath)
	z, ok, err := zones.Find(tx, id)
	switch {
	case err != nil:
		return z, err
	case !ok:
		return z, api.NoSuchHostedZone("No hosted zone found with ID: " + id)
	case z.Account == auth.CallerFrom(ctx).Account || slices.Contains(z.Authorized, v) || z.Sees(v):
		return z, nil
	}
	return z, api.NotAuthorizedException(fmt.Sprintf("The VPC: %s has not been authorized to be associated with your hosted zone.", v.ID))
}

// DisassociateVPCFromHostedZone takes a private zone from the sight of a VPC, which is
// not its last. The zone's account and the VPC's may do it.
func (s *Service) DisassociateVPCFromHostedZone(ctx context.Context, in *api.DisassociateVPCFromHostedZoneInput) (*api.DisassociateVPCFromHostedZoneOutput, error) {
	account := auth.CallerFrom(ctx).Account
	change := s.newID("C")
	out := &api.DisassociateVPCFromHostedZoneOutput{}
	err := s.deps.Store.Update(ctx, func(tx store.Tx) error {
		z, err := reachable(ctx, tx, *in.HostedZoneId, in.VPC)
		if err != nil {
			return err
		}
		v, err := given(in.VPC)
		if err == nil && z.Account != account {
			_, err = owned(tx, account, in.VPC)
		}
		switch {
		case err != nil:
			return err
		case !z.Sees(v):
			return api.VPCAssociationNotFound(fmt.Sprintf("The VPC %s in region %s is not associated with the hosted zone %s.", v.ID, v.Region, z.ID))
		case len(z.VPCs) == 1:
			return api.LastVPCAssociation("Cannot remove last VPC association for the private zone")
		}
		z.VPCs = slices.DeleteFunc(slices.Clone(z.VPCs), func(o zone.VPC) bool { return o == v })
		if out.ChangeInfo, err = s.note(ctx, tx, change, deref(in.Comment)); err != nil {
			return err
		}
		return zones.Zones.Put(tx, &z)
	})
	return out, err
}

// maxAuthorized is how many VPCs a zone may have authorized.
const maxAuthorized = 1000

// CreateVPCAssociationAuthorization lets another account associate a VPC with a
// private zone of the caller.
func (s *Service) CreateVPCAssociationAuthorization(ctx context.Context, in *api.CreateVPCAssociationAuthorizationInput) (*api.CreateVPCAssociationAuthorizationOutput, error) {
	v, err := given(in.VPC)
	if err != nil {
		return nil, err
	}
	err = s.update(ctx, *in.HostedZoneId, func(_ store.Tx, z *zone.Zone) error {
		switch {
		case !z.Private:
			return api.InvalidInput("The hosted zone " + z.ID + " is public: no VPC can be associated with it.")
		case slices.Contains(z.Authorized, v):
			return nil
		case len(z.Authorized) >= maxAuthorized:
			return api.TooManyVPCAssociationAuthorizations(fmt.Sprintf("The hosted zone %s has the maximum number of authorizations, which is %d.", z.ID, maxAuthorized))
		}
		z.Authorized = append(slices.Clone(z.Authorized), v)
		return nil
	})
	return &api.CreateVPCAssociationAuthorizationOutput{HostedZoneId: in.HostedZoneId, VPC: in.VPC}, err
}

// DeleteVPCAssociationAuthorization takes an authorization back. What was associated
// with it stays.
func (s *Service) DeleteVPCAssociationAuthorization(ctx context.Context, in *api.DeleteVPCAssociationAuthorizationInput) (*api.DeleteVPCAssociationAuthorizationOutput, error) {
	v, err := given(in.VPC)
	if err != nil {
		return nil, err
	}
	err = s.update(ctx, *in.HostedZoneId, func(_ store.Tx, z *zone.Zone) error {
		if !slices.Contains(z.Authorized, v) {
			return api.VPCAssociationAuthorizationNotFound(fmt.Sprintf("The VPC %s in region %s has not been authorized for the hosted zone %s.", v.ID, v.Region, z.ID))
		}
		z.Authorized = slices.DeleteFunc(slices.Clone(z.Authorized), func(o zone.VPC) bool { return o == v })
		return nil
	})
	return &api.DeleteVPCAssociationAuthorizationOutput{}, err
}

// maxAuthorizedPage is how many authorizations a page may have.
const maxAuthorizedPage = 50

// ListVPCAssociationAuthorizations lists the VPCs a zone has authorized.
func (s *Service) ListVPCAssociationAuthorizations(ctx context.Context, in *api.ListVPCAssociationAuthorizationsInput) (*api.ListVPCAssociationAuthorizationsOutput, error) {
	n, err := maxItems(in.MaxResults, maxAuthorizedPage)
	if err != nil {
		return nil, err
	}
	scope := []string{auth.CallerFrom(ctx).Account, "ListVPCAssociationAuthorizations", *in.HostedZoneId}
	first, err := s.position(in.NextToken, scope...)
	if err != nil {
		return nil, err
	}
	out := &api.ListVPCAssociationAuthorizationsOutput{HostedZoneId: in.HostedZoneId}
	err = s.view(ctx, *in.HostedZoneId, func(_ store.Tx, z *zone.Zone) error {
		rest := z.Authorized[min(first, len(z.Authorized)):]
		out.NextToken = nil
		if len(rest) > n {
			rest, out.NextToken = rest[:n], new(s.pages.Seal(strconv.Itoa(first+n), scope...))
		}
		out.VPCs = vpcsOf(rest)
		return nil
	})
	return out, err
}

// position reads a token that seals a number.
func (s *Service) position(token *string, scope ...string) (int, error) {
	if token == nil {
		return 0, nil
	}
	text, err := s.pages.Open(*token, scope...)
	n, bad := strconv.Atoi(text)
	if err != nil || bad != nil {
		return 0, api.InvalidPaginationToken("The value that you specified to get the second or subsequent page of results is invalid.")
	}
	return n, nil
}

// ListHostedZonesByVPC lists the private zones that a VPC of the caller sees, of
// whatever account.
func (s *Service) ListHostedZonesByVPC(ctx context.Context, in *api.ListHostedZonesByVPCInput) (*api.ListHostedZonesByVPCOutput, error) {
	account := auth.CallerFrom(ctx).Account
	n, err := maxItems(in.MaxItems, maxListed)
	if err != nil {
		return nil, err
	}
	scope := []string{account, "ListHostedZonesByVPC", *in.VPCRegion, *in.VPCId}
	first, err := s.position(in.NextToken, scope...)
	if err != nil {
		return nil, err
	}
	out := &api.ListHostedZonesByVPCOutput{}
	err = s.deps.Store.View(ctx, func(tx store.Tx) error {
		*out = api.ListHostedZonesByVPCOutput{HostedZoneSummaries: []api.HostedZoneSummary{}, MaxItems: items(n)}
		v, err := owned(tx, account, &api.VPC{VPCId: in.VPCId, VPCRegion: in.VPCRegion})
		if err != nil {
			return err
		}
		at := 0
		for z, err := range zones.Zones.By(tx, zones.ByVPC, v.Region, v.ID) {
			if err != nil {
				return err
			}
			if at++; at <= first {
				continue
			}
			if len(out.HostedZoneSummaries) == n {
				out.NextToken = new(s.pages.Seal(strconv.Itoa(first+n), scope...))
				return nil
			}
			out.HostedZoneSummaries = append(out.HostedZoneSummaries, api.HostedZoneSummary{
				HostedZoneId: &z.ID, Name: &z.Name, Owner: &api.HostedZoneOwner{OwningAccount: &z.Account},
			})
		}
		return nil
	})
	return out, err
}
