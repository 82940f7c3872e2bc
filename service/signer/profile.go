package signer

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"neargate/auth"
	api "neargate/aws/signer"
	"neargate/resource/signing"
	"neargate/service/internal/member"
	"neargate/store"
	"neargate/store/tables/signings"
)

// validity reads how long signatures are valid.
func (s *Service) validity(given *api.SignatureValidityPeriod) (signing.Period, error) {
	if given == nil {
		return signing.Longest(), nil
	}
	if given.Value == nil || given.Type == nil {
		return signing.Period{}, api.ValidationException("Signature validity period must have a value and a type.")
	}
	p, now := signing.Period{Value: *given.Value, Type: *given.Type}, s.now()
	const most = 5000 // more than in days
	if p.Value < 1 || p.Value > most || p.After(now).After(signing.Longest().After(now)) {
		return p, api.ValidationException(fmt.Sprintf("Signature validity period must be between 1 day and 135 months, not %d %s.", p.Value, p.Type))
	}
	return p, nil
}

// PutSigningProfile makes a profile. A name is never used again, as long as the profile
// is remembered.
func (s *Service) PutSigningProfile(ctx context.Context, in *api.PutSigningProfileInput) (*api.PutSigningProfileOutput, error) {
	switch err := checkPlatform(*in.PlatformId); {
	case err != nil:
		return nil, err
	case in.SigningMaterial != nil:
		return nil, api.ValidationException("Signing material is not supported for platform " + signing.Notation + ".")
	case in.Overrides != nil:
		return nil, api.ValidationException("Overrides are not supported for platform " + signing.Notation + ".")
	}
	validity, err := s.validity(in.SignatureValidityPeriod)
	if err != nil {
		return nil, err
	}
	tags, err := addTags(nil, in.Tags, api.ValidationException)
	if err != nil {
		return nil, err
	}
	c := auth.CallerFrom(ctx)
	p := signing.Profile{
		Account: c.Account, Region: c.Region, Name: *in.ProfileName, Version: s.deps.IDs.Base62(10), Platform: signing.Notation,
		Validity: validity, Parameters: in.SigningParameters, Tags: tags, CreatedAt: s.now(), Status: signing.Active,
	}
	if err := s.certify(ctx, &p); err != nil {
		return nil, err
	}
	err = s.deps.Store.Update(ctx, func(tx store.Tx) error {
		_, there, err := signings.Profiles.Find(tx, p.Account, p.Region, p.Name)
		if err == nil && there {
			err = api.ValidationException("Profile with name " + p.Name + " already exists")
		}
		if err != nil {
			return err
		}
		return signings.Profiles.Put(tx, &p)
	})
	if err != nil {
		return nil, err
	}
	return &api.PutSigningProfileOutput{Arn: new(p.ARN()), ProfileVersion: &p.Version, ProfileVersionArn: new(p.VersionARN())}, nil
}

// GetSigningProfile shows a profile.
func (s *Service) GetSigningProfile(ctx context.Context, in *api.GetSigningProfileInput) (*api.GetSigningProfileOutput, error) {
	p, err := s.view(ctx, in.ProfileOwner, *in.ProfileName)
	if err != nil {
		return nil, err
	}
	shown := show(&p)
	out := &api.GetSigningProfileOutput{
		Arn: shown.Arn, PlatformDisplayName: shown.PlatformDisplayName, PlatformId: shown.PlatformId, ProfileName: shown.ProfileName,
		ProfileVersion: shown.ProfileVersion, ProfileVersionArn: shown.ProfileVersionArn, SignatureValidityPeriod: shown.SignatureValidityPeriod,
		SigningMaterial: shown.SigningMaterial, SigningParameters: shown.SigningParameters, Status: shown.Status, Tags: shown.Tags,
	}
	if r := p.Revocation; r != nil {
		out.StatusReason = &r.Reason
		out.RevocationRecord = &api.SigningProfileRevocationRecord{RevocationEffectiveFrom: &r.EffectiveFrom, RevokedAt: &r.At, RevokedBy: &r.By}
	}
	return out, nil
}

// show is a profile as it is listed.
func show(p *signing.Profile) api.SigningProfile {
	return api.SigningProfile{
		Arn: new(p.ARN()), PlatformId: &p.Platform, PlatformDisplayName: new(signing.NotationName), ProfileName: &p.Name,
		ProfileVersion: &p.Version, ProfileVersionArn: new(p.VersionARN()), SigningMaterial: &api.SigningMaterial{},
		SignatureValidityPeriod: &api.SignatureValidityPeriod{Value: &p.Validity.Value, Type: &p.Validity.Type},
		SigningParameters:       p.Parameters, Status: &p.Status, Tags: showTags(p.Tags),
	}
}

// ListSigningProfiles lists profiles that sign, or those that the request asks for.
func (s *Service) ListSigningProfiles(ctx context.Context, in *api.ListSigningProfilesInput) (*api.ListSigningProfilesOutput, error) {
	wanted := in.Statuses
	switch {
	case len(wanted) > 0:
	case member.Or(in.IncludeCanceled, false):
		wanted = []string{signing.Active, signing.Canceled, signing.Revoked}
	default:
		wanted = []string{signing.Active}
	}
	platform := member.Or(in.PlatformId, signing.Notation)
	last, scope, err := s.position(ctx, in.NextToken, "ListSigningProfiles", platform, strings.Join(wanted, " "))
	if err != nil {
		return nil, err
	}
	c := auth.CallerFrom(ctx)
	var after []string
	if last != "" {
		after = []string{c.Account, c.Region, last}
	}
	out := &api.ListSigningProfilesOutput{}
	err = s.deps.Store.View(ctx, func(tx store.Tx) (err error) {
		all := signings.Profiles.Page(tx, []string{c.Account, c.Region}, after, 0)
		out.Profiles, last, err = gather(all, int(member.Or(in.MaxResults, mostResults)), func(p *signing.Profile) string { return p.Name },
			func(p *signing.Profile) (api.SigningProfile, bool) {
				return show(p), p.Platform == platform && slices.Contains(wanted, p.Status)
			})
		return err
	})
	out.NextToken = s.next(last, scope)
	return out, err
}

// CancelSigningProfile keeps a profile from signing. One that does not sign stays as it
// is.
func (s *Service) CancelSigningProfile(ctx context.Context, in *api.CancelSigningProfileInput) (*api.CancelSigningProfileOutput, error) {
	_, err := s.change(ctx, *in.ProfileName, func(p *signing.Profile) error {
		if p.Status == signing.Active {
			p.Status, p.EndedAt = signing.Canceled, s.now()
		}
		return nil
	})
	return &api.CancelSigningProfileOutput{}, err
}

// RevokeSigningProfile says of which time on signatures of a profile are not to be
// trusted.
func (s *Service) RevokeSigningProfile(ctx context.Context, in *api.RevokeSigningProfileInput) (*api.RevokeSigningProfileOutput, error) {
	_, err := s.change(ctx, *in.ProfileName, func(p *signing.Profile) error {
		switch {
		case p.Version != *in.ProfileVersion:
			return api.ResourceNotFoundException("profile with name " + p.Name + " and version " + *in.ProfileVersion + " does not exist")
		case p.Revocation != nil:
			return usable(p)
		}
		now := s.now()
		p.Status = signing.Revoked
		p.Revocation = &signing.Revocation{Reason: *in.Reason, By: auth.CallerFrom(ctx).ARN, At: now, EffectiveFrom: in.EffectiveTime.UTC()}
		if p.EndedAt.IsZero() {
			p.EndedAt = now
		}
		return nil
	})
	return &api.RevokeSigningProfileOutput{}, err
}
