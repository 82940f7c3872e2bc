package account

import (
	"context"

	api "neargate/aws/iam"
	"neargate/service/iam/internal/call"
	"neargate/service/iam/internal/look"
	"neargate/store"
)

// The operations below list what no operation makes: there is none of it, and clients
// that clean a user up before they delete it learn so.

// none checks the request for a list of a user's, or of the caller's when the name is
// nil.
func (h *Handler) none(ctx context.Context, marker *string, items *int32, operation string, user *string) error {
	if _, err := h.env.Window(ctx, marker, items, operation); err != nil {
		return err
	}
	return h.env.Store.View(ctx, func(tx store.Tx) error {
		if user == nil {
			_, err := look.Self(ctx, tx)
			return err
		}
		_, err := look.User(ctx, tx, *user)
		return err
	})
}

// ListSSHPublicKeys lists the SSH keys of a user.
func (h *Handler) ListSSHPublicKeys(ctx context.Context, in *api.ListSSHPublicKeysInput) (*api.ListSSHPublicKeysOutput, error) {
	if err := h.none(ctx, in.Marker, in.MaxItems, "ListSSHPublicKeys", in.UserName); err != nil {
		return nil, err
	}
	return &api.ListSSHPublicKeysOutput{SSHPublicKeys: []api.SSHPublicKeyMetadata{}, IsTruncated: new(false)}, nil
}

// ListSigningCertificates lists the signing certificates of a user.
func (h *Handler) ListSigningCertificates(ctx context.Context, in *api.ListSigningCertificatesInput) (*api.ListSigningCertificatesOutput, error) {
	if err := h.none(ctx, in.Marker, in.MaxItems, "ListSigningCertificates", in.UserName); err != nil {
		return nil, err
	}
	return &api.ListSigningCertificatesOutput{Certificates: []api.SigningCertificate{}, IsTruncated: new(false)}, nil
}

// ListServiceSpecificCredentials lists the service-specific credentials of a user.
func (h *Handler) ListServiceSpecificCredentials(ctx context.Context, in *api.ListServiceSpecificCredentialsInput) (*api.ListServiceSpecificCredentialsOutput, error) {
	if !call.Deref(in.AllUsers, false) {
		if err := h.none(ctx, in.Marker, in.MaxItems, "ListServiceSpecificCredentials", in.UserName); err != nil {
			return nil, err
		}
	}
	return &api.ListServiceSpecificCredentialsOutput{ServiceSpecificCredentials: []api.ServiceSpecificCredentialMetadata{}, IsTruncated: new(false)}, nil
}

// ListServerCertificates lists the server certificates.
func (h *Handler) ListServerCertificates(ctx context.Context, in *api.ListServerCertificatesInput) (*api.ListServerCertificatesOutput, error) {
	if _, err := h.env.Window(ctx, in.Marker, in.MaxItems, "ListServerCertificates"); err != nil {
		return nil, err
	}
	return &api.ListServerCertificatesOutput{ServerCertificateMetadataList: []api.ServerCertificateMetadata{}, IsTruncated: new(false)}, nil
}
