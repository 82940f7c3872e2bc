package user

import (
	"context"

	"neargate/auth/policy"
	api "neargate/aws/iam"
	"neargate/resource/identity"
	"neargate/service/iam/internal/call"
	"neargate/service/iam/internal/grant"
	"neargate/store"
)

// PutUserPolicy adds or replaces an inline policy.
func (h *Handler) PutUserPolicy(ctx context.Context, in *api.PutUserPolicyInput) (*api.PutUserPolicyOutput, error) {
	if _, err := policy.Check(*in.PolicyDocument, policy.Inline); err != nil {
		return nil, call.Malformed(err)
	}
	return &api.PutUserPolicyOutput{}, h.change(ctx, in.UserName, func(_ store.Tx, u *identity.User) error {
		return grant.Users.Put(&u.Grants, u.Name, *in.PolicyName, *in.PolicyDocument)
	})
}

// GetUserPolicy returns an inline policy, under the spelling asked for.
func (h *Handler) GetUserPolicy(ctx context.Context, in *api.GetUserPolicyInput) (*api.GetUserPolicyOutput, error) {
	user, err := h.view(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	p, err := grant.Users.Inline(&user.Grants, *in.PolicyName)
	if err != nil {
		return nil, err
	}
	return &api.GetUserPolicyOutput{UserName: &user.Name, PolicyName: in.PolicyName, PolicyDocument: call.Encode(p.Document)}, nil
}

// DeleteUserPolicy deletes an inline policy.
func (h *Handler) DeleteUserPolicy(ctx context.Context, in *api.DeleteUserPolicyInput) (*api.DeleteUserPolicyOutput, error) {
	return &api.DeleteUserPolicyOutput{}, h.change(ctx, in.UserName, func(_ store.Tx, u *identity.User) error {
		return grant.Users.Drop(&u.Grants, *in.PolicyName)
	})
}

// ListUserPolicies lists the names of inline policies.
func (h *Handler) ListUserPolicies(ctx context.Context, in *api.ListUserPoliciesInput) (*api.ListUserPoliciesOutput, error) {
	w, err := h.env.Window(ctx, in.Marker, in.MaxItems, "ListUserPolicies", identity.Fold(*in.UserName))
	if err != nil {
		return nil, err
	}
	user, err := h.view(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	out := &api.ListUserPoliciesOutput{}
	out.PolicyNames, out.IsTruncated, out.Marker = call.Cut(h.env, w, grant.InlineNames(&user.Grants), identity.Fold)
	return out, nil
}

// AttachUserPolicy attaches a managed policy.
func (h *Handler) AttachUserPolicy(ctx context.Context, in *api.AttachUserPolicyInput) (*api.AttachUserPolicyOutput, error) {
	return &api.AttachUserPolicyOutput{}, h.change(ctx, in.UserName, func(tx store.Tx, u *identity.User) error {
		return grant.Users.Attach(ctx, tx, &u.Grants, *in.PolicyArn)
	})
}

// DetachUserPolicy detaches a managed policy.
func (h *Handler) DetachUserPolicy(ctx context.Context, in *api.DetachUserPolicyInput) (*api.DetachUserPolicyOutput, error) {
	return &api.DetachUserPolicyOutput{}, h.change(ctx, in.UserName, func(_ store.Tx, u *identity.User) error {
		return grant.Detach(&u.Grants, *in.PolicyArn)
	})
}

// ListAttachedUserPolicies lists the managed policies attached to a user.
func (h *Handler) ListAttachedUserPolicies(ctx context.Context, in *api.ListAttachedUserPoliciesInput) (*api.ListAttachedUserPoliciesOutput, error) {
	prefix := call.Deref(in.PathPrefix, "/")
	w, err := h.env.Window(ctx, in.Marker, in.MaxItems, "ListAttachedUserPolicies", identity.Fold(*in.UserName), prefix)
	if err != nil {
		return nil, err
	}
	user, err := h.view(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	out := &api.ListAttachedUserPoliciesOutput{}
	out.AttachedPolicies, out.IsTruncated, out.Marker = call.Numbered(h.env, w, grant.AttachedUnder(&user.Grants, prefix))
	return out, nil
}

// PutUserPermissionsBoundary sets a user's permissions boundary.
func (h *Handler) PutUserPermissionsBoundary(ctx context.Context, in *api.PutUserPermissionsBoundaryInput) (*api.PutUserPermissionsBoundaryOutput, error) {
	return &api.PutUserPermissionsBoundaryOutput{}, h.change(ctx, in.UserName, func(tx store.Tx, u *identity.User) error {
		return grant.Bound(ctx, tx, &u.Grants, *in.PermissionsBoundary)
	})
}

// DeleteUserPermissionsBoundary removes a user's permissions boundary.
func (h *Handler) DeleteUserPermissionsBoundary(ctx context.Context, in *api.DeleteUserPermissionsBoundaryInput) (*api.DeleteUserPermissionsBoundaryOutput, error) {
	return &api.DeleteUserPermissionsBoundaryOutput{}, h.change(ctx, in.UserName, func(_ store.Tx, u *identity.User) error {
		return grant.Users.Unbound(&u.Grants, u.Name)
	})
}
