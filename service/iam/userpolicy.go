package iam

import (
	"context"

	"neargate/auth/policy"
	api "neargate/aws/iam"
	"neargate/resource/identity"
	"neargate/store"
)

// PutUserPolicy adds or replaces an inline policy.
func (s *Service) PutUserPolicy(ctx context.Context, in *api.PutUserPolicyInput) (*api.PutUserPolicyOutput, error) {
	if _, err := policy.Check(*in.PolicyDocument, policy.Inline); err != nil {
		return nil, malformed(err)
	}
	return &api.PutUserPolicyOutput{}, s.changeUser(ctx, in.UserName, func(_ store.Tx, u *identity.User) error {
		return users.put(&u.Grants, u.Name, *in.PolicyName, *in.PolicyDocument)
	})
}

// GetUserPolicy returns an inline policy, under the spelling asked for.
func (s *Service) GetUserPolicy(ctx context.Context, in *api.GetUserPolicyInput) (*api.GetUserPolicyOutput, error) {
	user, err := s.viewUser(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	p, err := users.inline(&user.Grants, *in.PolicyName)
	if err != nil {
		return nil, err
	}
	return &api.GetUserPolicyOutput{UserName: &user.Name, PolicyName: in.PolicyName, PolicyDocument: encode(p.Document)}, nil
}

// DeleteUserPolicy deletes an inline policy.
func (s *Service) DeleteUserPolicy(ctx context.Context, in *api.DeleteUserPolicyInput) (*api.DeleteUserPolicyOutput, error) {
	return &api.DeleteUserPolicyOutput{}, s.changeUser(ctx, in.UserName, func(_ store.Tx, u *identity.User) error {
		return users.drop(&u.Grants, *in.PolicyName)
	})
}

// ListUserPolicies lists the names of inline policies.
func (s *Service) ListUserPolicies(ctx context.Context, in *api.ListUserPoliciesInput) (*api.ListUserPoliciesOutput, error) {
	w, err := s.window(ctx, in.Marker, in.MaxItems, "ListUserPolicies", identity.Fold(*in.UserName))
	if err != nil {
		return nil, err
	}
	user, err := s.viewUser(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	out := &api.ListUserPoliciesOutput{}
	out.PolicyNames, out.IsTruncated, out.Marker = cut(s, w, inlineNames(&user.Grants), identity.Fold)
	return out, nil
}

// AttachUserPolicy attaches a managed policy.
func (s *Service) AttachUserPolicy(ctx context.Context, in *api.AttachUserPolicyInput) (*api.AttachUserPolicyOutput, error) {
	return &api.AttachUserPolicyOutput{}, s.changeUser(ctx, in.UserName, func(tx store.Tx, u *identity.User) error {
		return users.attach(ctx, tx, &u.Grants, *in.PolicyArn)
	})
}

// DetachUserPolicy detaches a managed policy.
func (s *Service) DetachUserPolicy(ctx context.Context, in *api.DetachUserPolicyInput) (*api.DetachUserPolicyOutput, error) {
	return &api.DetachUserPolicyOutput{}, s.changeUser(ctx, in.UserName, func(_ store.Tx, u *identity.User) error {
		return detach(&u.Grants, *in.PolicyArn)
	})
}

// ListAttachedUserPolicies lists the managed policies attached to a user.
func (s *Service) ListAttachedUserPolicies(ctx context.Context, in *api.ListAttachedUserPoliciesInput) (*api.ListAttachedUserPoliciesOutput, error) {
	prefix := deref(in.PathPrefix, "/")
	w, err := s.window(ctx, in.Marker, in.MaxItems, "ListAttachedUserPolicies", identity.Fold(*in.UserName), prefix)
	if err != nil {
		return nil, err
	}
	user, err := s.viewUser(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	out := &api.ListAttachedUserPoliciesOutput{}
	out.AttachedPolicies, out.IsTruncated, out.Marker = numbered(s, w, attachedUnder(&user.Grants, prefix))
	return out, nil
}

// PutUserPermissionsBoundary sets a user's permissions boundary.
func (s *Service) PutUserPermissionsBoundary(ctx context.Context, in *api.PutUserPermissionsBoundaryInput) (*api.PutUserPermissionsBoundaryOutput, error) {
	return &api.PutUserPermissionsBoundaryOutput{}, s.changeUser(ctx, in.UserName, func(tx store.Tx, u *identity.User) error {
		return bound(ctx, tx, &u.Grants, *in.PermissionsBoundary)
	})
}

// DeleteUserPermissionsBoundary removes a user's permissions boundary.
func (s *Service) DeleteUserPermissionsBoundary(ctx context.Context, in *api.DeleteUserPermissionsBoundaryInput) (*api.DeleteUserPermissionsBoundaryOutput, error) {
	return &api.DeleteUserPermissionsBoundaryOutput{}, s.changeUser(ctx, in.UserName, func(_ store.Tx, u *identity.User) error {
		return users.unbound(&u.Grants, u.Name)
	})
}
