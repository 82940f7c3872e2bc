package iam

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"neargate/auth/policy"
	api "neargate/aws/iam"
	"neargate/resource/identity"
	"neargate/store"
	"neargate/store/tables"
)

// inlineIndex is where an inline policy is among the others, by folded name.
func inlineIndex(list []identity.Inline, name string) (int, bool) {
	return slices.BinarySearchFunc(list, identity.Fold(name), func(in identity.Inline, n string) int {
		return strings.Compare(identity.Fold(in.Name), n)
	})
}

func noInline(name string) error {
	return api.NoSuchEntityException("The role policy with name " + name + " cannot be found.")
}

// PutRolePolicy adds or replaces an inline policy. Its name is found in any
// case and keeps its first spelling.
func (s *Service) PutRolePolicy(ctx context.Context, in *api.PutRolePolicyInput) (*api.PutRolePolicyOutput, error) {
	if _, err := policy.Check(*in.PolicyDocument, policy.Inline); err != nil {
		return nil, malformed(err)
	}
	err := s.changeRole(ctx, in.RoleName, func(_ store.Tx, r *identity.Role) error {
		list := slices.Clone(r.Inline)
		i, found := inlineIndex(list, *in.PolicyName)
		if !found {
			list = slices.Insert(list, i, identity.Inline{Name: *in.PolicyName})
		}
		list[i].Document = *in.PolicyDocument
		total := 0
		for _, p := range list {
			total += size(p.Document)
		}
		if total > maxInlineSizeRole {
			return api.LimitExceededException(fmt.Sprintf("Maximum policy size of %d bytes exceeded for role %s", maxInlineSizeRole, r.Name))
		}
		r.Inline = list
		return nil
	})
	return &api.PutRolePolicyOutput{}, err
}

// GetRolePolicy returns an inline policy, under the spelling asked for.
func (s *Service) GetRolePolicy(ctx context.Context, in *api.GetRolePolicyInput) (*api.GetRolePolicyOutput, error) {
	role, err := s.viewRole(ctx, in.RoleName)
	if err != nil {
		return nil, err
	}
	i, found := inlineIndex(role.Inline, *in.PolicyName)
	if !found {
		return nil, noInline(*in.PolicyName)
	}
	return &api.GetRolePolicyOutput{
		RoleName: &role.Name, PolicyName: in.PolicyName, PolicyDocument: encode(role.Inline[i].Document),
	}, nil
}

// DeleteRolePolicy deletes an inline policy.
func (s *Service) DeleteRolePolicy(ctx context.Context, in *api.DeleteRolePolicyInput) (*api.DeleteRolePolicyOutput, error) {
	err := s.changeRole(ctx, in.RoleName, func(_ store.Tx, r *identity.Role) error {
		i, found := inlineIndex(r.Inline, *in.PolicyName)
		if !found {
			return noInline(*in.PolicyName)
		}
		r.Inline = slices.Delete(slices.Clone(r.Inline), i, i+1)
		return nil
	})
	return &api.DeleteRolePolicyOutput{}, err
}

// ListRolePolicies lists the names of inline policies.
func (s *Service) ListRolePolicies(ctx context.Context, in *api.ListRolePoliciesInput) (*api.ListRolePoliciesOutput, error) {
	w, err := s.window(ctx, in.Marker, in.MaxItems, "ListRolePolicies", identity.Fold(*in.RoleName))
	if err != nil {
		return nil, err
	}
	role, err := s.viewRole(ctx, in.RoleName)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(role.Inline))
	for i, p := range role.Inline {
		names[i] = p.Name
	}
	out := &api.ListRolePoliciesOutput{}
	out.PolicyNames, out.IsTruncated, out.Marker = cut(s, w, names, identity.Fold)
	return out, nil
}

// AttachRolePolicy attaches a managed policy; attaching it again changes nothing.
func (s *Service) AttachRolePolicy(ctx context.Context, in *api.AttachRolePolicyInput) (*api.AttachRolePolicyOutput, error) {
	err := s.changeRole(ctx, in.RoleName, func(tx store.Tx, r *identity.Role) error {
		p, err := findPolicy(ctx, tx, *in.PolicyArn, "Policy "+*in.PolicyArn+" does not exist or is not attachable.")
		if err != nil {
			return err
		}
		if strings.HasPrefix(p.Path, "/aws-service-role/") {
			return api.PolicyNotAttachableException("Cannot attach a Service Role Policy to a Customer Role.")
		}
		if slices.Contains(r.Attached, *in.PolicyArn) {
			return nil
		}
		if len(r.Attached) >= maxAttached {
			return quota("PoliciesPerRole", maxAttached)
		}
		r.Attached = append(slices.Clip(r.Attached), *in.PolicyArn)
		return nil
	})
	return &api.AttachRolePolicyOutput{}, err
}

// DetachRolePolicy detaches a managed policy.
func (s *Service) DetachRolePolicy(ctx context.Context, in *api.DetachRolePolicyInput) (*api.DetachRolePolicyOutput, error) {
	err := s.changeRole(ctx, in.RoleName, func(_ store.Tx, r *identity.Role) error {
		i := slices.Index(r.Attached, *in.PolicyArn)
		if i < 0 {
			return api.NoSuchEntityException(notFound(*in.PolicyArn))
		}
		r.Attached = slices.Delete(slices.Clone(r.Attached), i, i+1)
		return nil
	})
	return &api.DetachRolePolicyOutput{}, err
}

// ListAttachedRolePolicies lists the managed policies attached to a role.
func (s *Service) ListAttachedRolePolicies(ctx context.Context, in *api.ListAttachedRolePoliciesInput) (*api.ListAttachedRolePoliciesOutput, error) {
	prefix := deref(in.PathPrefix, "/")
	w, err := s.window(ctx, in.Marker, in.MaxItems, "ListAttachedRolePolicies", identity.Fold(*in.RoleName), prefix)
	if err != nil {
		return nil, err
	}
	role, err := s.viewRole(ctx, in.RoleName)
	if err != nil {
		return nil, err
	}
	var attached []api.AttachedPolicy
	for _, a := range role.Attached {
		_, name, _ := identity.PolicyName(a)
		_, path, _ := strings.Cut(strings.TrimSuffix(a, name), ":policy")
		if strings.HasPrefix(path, prefix) {
			attached = append(attached, api.AttachedPolicy{PolicyName: &name, PolicyArn: &a})
		}
	}
	out := &api.ListAttachedRolePoliciesOutput{}
	out.AttachedPolicies, out.IsTruncated, out.Marker = numbered(s, w, attached)
	return out, nil
}

func checkBoundary(ctx context.Context, tx store.Tx, policyARN string) error {
	_, err := findPolicy(ctx, tx, policyARN, "Scope ARN: "+policyARN+" does not exist or is not attachable.")
	return err
}

// PutRolePermissionsBoundary sets a role's permissions boundary.
func (s *Service) PutRolePermissionsBoundary(ctx context.Context, in *api.PutRolePermissionsBoundaryInput) (*api.PutRolePermissionsBoundaryOutput, error) {
	err := s.changeRole(ctx, in.RoleName, func(tx store.Tx, r *identity.Role) error {
		r.Boundary = *in.PermissionsBoundary
		return checkBoundary(ctx, tx, r.Boundary)
	})
	return &api.PutRolePermissionsBoundaryOutput{}, err
}

// DeleteRolePermissionsBoundary removes a role's permissions boundary.
func (s *Service) DeleteRolePermissionsBoundary(ctx context.Context, in *api.DeleteRolePermissionsBoundaryInput) (*api.DeleteRolePermissionsBoundaryOutput, error) {
	err := s.changeRole(ctx, in.RoleName, func(_ store.Tx, r *identity.Role) error {
		if r.Boundary == "" {
			return api.NoSuchEntityException("Role " + r.Name + " does not have a permissions boundary.")
		}
		r.Boundary = ""
		return nil
	})
	return &api.DeleteRolePermissionsBoundaryOutput{}, err
}

// roleTags lets f change the tags of a role; service-linked roles may be tagged.
func (s *Service) roleTags(ctx context.Context, name *string, f func([]identity.Tag) ([]identity.Tag, error)) error {
	return s.deps.Store.Update(ctx, func(tx store.Tx) error {
		r, err := findRole(ctx, tx, name)
		if err != nil {
			return err
		}
		if r.Tags, err = f(r.Tags); err != nil {
			return err
		}
		return tables.Roles.Put(tx, &r)
	})
}
