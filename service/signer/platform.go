package signer

import (
	"context"

	api "neargate/aws/signer"
	"neargate/resource/signing"
	"neargate/service/internal/member"
)

// What the platform is called in parts: its id is partner and target.
const (
	partner = "Notation-OCI"
	target  = "SHA384-ECDSA"
)

// platform is the only one that signs here.
func platform() api.SigningPlatform {
	return api.SigningPlatform{
		PlatformId: new(signing.Notation), DisplayName: new(signing.NotationName), Partner: new(partner), Target: new(target),
		SigningConfiguration: &api.SigningConfiguration{
			EncryptionAlgorithmOptions: &api.EncryptionAlgorithmOptions{AllowedValues: []string{"ECDSA"}, DefaultValue: new("ECDSA")},
			HashAlgorithmOptions:       &api.HashAlgorithmOptions{AllowedValues: []string{"SHA384"}, DefaultValue: new("SHA384")},
		},
		SigningImageFormat:  &api.SigningImageFormat{SupportedFormats: []string{"JSONEmbedded"}, DefaultFormat: new("JSONEmbedded")},
		RevocationSupported: new(true),
	}
}

// checkPlatform refuses all platforms but that of container images.
func checkPlatform(id string) error {
	if id == signing.Notation {
		return nil
	}
	return api.ResourceNotFoundException("platform with id " + id + " does not exist")
}

// GetSigningPlatform shows the platform.
func (s *Service) GetSigningPlatform(_ context.Context, in *api.GetSigningPlatformInput) (*api.GetSigningPlatformOutput, error) {
	if err := checkPlatform(*in.PlatformId); err != nil {
		return nil, err
	}
	return (*api.GetSigningPlatformOutput)(new(platform())), nil
}

// ListSigningPlatforms lists the platform, if it is what the request asks for.
func (s *Service) ListSigningPlatforms(ctx context.Context, in *api.ListSigningPlatformsInput) (*api.ListSigningPlatformsOutput, error) {
	if _, _, err := s.position(ctx, in.NextToken, "ListSigningPlatforms"); err != nil {
		return nil, err // of which there is none that is good: all are on one page
	}
	out := &api.ListSigningPlatformsOutput{Platforms: []api.SigningPlatform{}}
	if member.Or(in.Category, "") == "" && member.Or(in.Partner, partner) == partner && member.Or(in.Target, target) == target {
		out.Platforms = append(out.Platforms, platform())
	}
	return out, nil
}
