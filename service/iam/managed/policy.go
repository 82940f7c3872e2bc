package managed

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"neargate/auth"
	"neargate/auth/policy"
	api "neargate/aws/iam"
	"neargate/resource/identity"
	"neargate/service/iam/internal/call"
	"neargate/service/iam/internal/grant"
	"neargate/service/iam/internal/tag"
	"neargate/service/iam/internal/view"
	"neargate/store"
	"neargate/store/tables"
)

func checkManaged(document string) error {
	if _, err := policy.Check(document, policy.Managed); err != nil {
		return call.Malformed(err)
	}
	if call.Size(document) > maxManagedSize {
		return call.Quota("PolicySize", maxManagedSize)
	}
	return nil
}

// CreatePolicy makes a customer managed policy with its first version.
func (h *Handler) CreatePolicy(ctx context.Context, in *api.CreatePolicyInput) (*api.CreatePolicyOutput, error) {
	account, now := auth.CallerFrom(ctx).Account, h.env.Time()
	p := identity.Policy{
		Account: account, Path: call.Deref(in.Path, "/"), Name: *in.PolicyName, ID: h.env.IDs.IAM("ANPA"),
		Description: call.Deref(in.Description, ""), Default: "v1", Latest: 1, CreatedAt: now, UpdatedAt: now,
		Versions: []identity.Version{{ID: "v1", Document: *in.PolicyDocument, CreatedAt: now}},
	}
	if err := checkManaged(*in.PolicyDocument); err != nil {
		return nil, err
	}
	var err error
	if p.Tags, err = tag.Merge(nil, in.Tags, false); err != nil {
		return nil, err
	}
	out := &api.CreatePolicyOutput{}
	err = h.env.Store.Update(ctx, func(tx store.Tx) error {
		if _, ok, err := tables.Policies.Find(tx, account, identity.Fold(p.Name)); ok || err != nil {
			return call.Either(err, api.EntityAlreadyExistsException("A policy called "+p.Name+" already exists. Duplicate names are not allowed."))
		}
		if tx.Count(store.Prefix(tables.Policies.Name, account)) >= maxPolicies {
			return call.Quota("PoliciesPerAccount", maxPolicies)
		}
		out.Policy = view.ListedPolicy(tx, account, &p)
		out.Policy.Tags = tag.List(p.Tags)
		return tables.Policies.Put(tx, &p)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (h *Handler) view(ctx context.Context, policyARN string) (p identity.Policy, err error) {
	err = h.env.Store.View(ctx, func(tx store.Tx) error {
		p, err = grant.FindPolicy(ctx, tx, policyARN, grant.NotFound(policyARN))
		return err
	})
	return p, err
}

// GetPolicy describes a managed policy.
func (h *Handler) GetPolicy(ctx context.Context, in *api.GetPolicyInput) (*api.GetPolicyOutput, error) {
	out := &api.GetPolicyOutput{}
	err := h.env.Store.View(ctx, func(tx store.Tx) error {
		p, err := grant.FindPolicy(ctx, tx, *in.PolicyArn, grant.NotFound(*in.PolicyArn))
		if err != nil {
			return err
		}
		out.Policy = view.FullPolicy(tx, auth.CallerFrom(ctx).Account, &p)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// DeletePolicy deletes a managed policy that is attached to nothing and has its
// default version only.
func (h *Handler) DeletePolicy(ctx context.Context, in *api.DeletePolicyInput) (*api.DeletePolicyOutput, error) {
	caller := auth.CallerFrom(ctx)
	err := h.env.Store.Update(ctx, func(tx store.Tx) error {
		p, err := grant.FindPolicy(ctx, tx, *in.PolicyArn, grant.NotFound(*in.PolicyArn))
		switch {
		case err != nil:
			return err
		case p.Account != caller.Account:
			return awsOwned(caller, "DeletePolicy", *in.PolicyArn)
		case view.Attachments(tx, p.Account, p.ARN())+view.Boundaries(tx, p.Account, p.ARN()) > 0:
			return api.DeleteConflictException("Cannot delete a policy attached to entities.")
		case len(p.Versions) > 1:
			return api.DeleteConflictException("This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.")
		}
		return tables.Policies.Delete(tx, p.Account, identity.Fold(p.Name))
	})
	return &api.DeletePolicyOutput{}, err
}

// CreatePolicyVersion adds a version to a managed policy.
func (h *Handler) CreatePolicyVersion(ctx context.Context, in *api.CreatePolicyVersionInput) (*api.CreatePolicyVersionOutput, error) {
	if err := checkManaged(*in.PolicyDocument); err != nil {
		return nil, err
	}
	now, out := h.env.Time(), &api.CreatePolicyVersionOutput{}
	err := h.change(ctx, "CreatePolicyVersion", *in.PolicyArn, func(_ store.Tx, p *identity.Policy) error {
		if len(p.Versions) >= identity.MaxVersions {
			return api.LimitExceededException(fmt.Sprintf("A managed policy can have up to %d versions. Before you create a new version, you must delete an existing version.", identity.MaxVersions))
		}
		p.Latest++
		v := identity.Version{ID: "v" + strconv.Itoa(p.Latest), Document: *in.PolicyDocument, CreatedAt: now}
		p.Versions = append(slices.Clip(p.Versions), v)
		p.UpdatedAt = now
		if call.Deref(in.SetAsDefault, false) {
			p.Default = v.ID
		}
		out.PolicyVersion = view.Version(p, v)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func noVersion(policyARN, id string) error {
	return api.NoSuchEntityException("Policy " + policyARN + " version " + id + " does not exist or is not attachable.")
}

// GetPolicyVersion returns one version of a managed policy.
func (h *Handler) GetPolicyVersion(ctx context.Context, in *api.GetPolicyVersionInput) (*api.GetPolicyVersionOutput, error) {
	p, err := h.view(ctx, *in.PolicyArn)
	if err != nil {
		return nil, err
	}
	v, ok := p.Version(*in.VersionId)
	if !ok {
		return nil, noVersion(*in.PolicyArn, *in.VersionId)
	}
	out := &api.GetPolicyVersionOutput{PolicyVersion: view.Version(&p, v)}
	out.PolicyVersion.Document = call.Encode(v.Document)
	return out, nil
}

// ListPolicyVersions lists the versions of a managed policy, newest first.
func (h *Handler) ListPolicyVersions(ctx context.Context, in *api.ListPolicyVersionsInput) (*api.ListPolicyVersionsOutput, error) {
	w, err := h.env.Window(ctx, in.Marker, in.MaxItems, "ListPolicyVersions", *in.PolicyArn)
	if err != nil {
		return nil, err
	}
	p, err := h.view(ctx, *in.PolicyArn)
	if err != nil {
		return nil, err
	}
	var versions []api.PolicyVersion
	for _, v := range slices.Backward(p.Versions) {
		versions = append(versions, *view.Version(&p, v))
	}
	out := &api.ListPolicyVersionsOutput{}
	out.Versions, out.IsTruncated, out.Marker = call.Numbered(h.env, w, versions)
	return out, nil
}

// DeletePolicyVersion deletes a version that is not the default.
func (h *Handler) DeletePolicyVersion(ctx context.Context, in *api.DeletePolicyVersionInput) (*api.DeletePolicyVersionOutput, error) {
	err := h.change(ctx, "DeletePolicyVersion", *in.PolicyArn, func(_ store.Tx, p *identity.Policy) error {
		if _, ok := p.Version(*in.VersionId); !ok {
			return noVersion(*in.PolicyArn, *in.VersionId)
		}
		if *in.VersionId == p.Default {
			return api.DeleteConflictException("Cannot delete the default version of a policy.")
		}
		p.Versions = slices.DeleteFunc(slices.Clone(p.Versions), func(v identity.Version) bool { return v.ID == *in.VersionId })
		return nil
	})
	return &api.DeletePolicyVersionOutput{}, err
}

// SetDefaultPolicyVersion chooses the version in effect.
func (h *Handler) SetDefaultPolicyVersion(ctx context.Context, in *api.SetDefaultPolicyVersionInput) (*api.SetDefaultPolicyVersionOutput, error) {
	now := h.env.Time()
	err := h.change(ctx, "SetDefaultPolicyVersion", *in.PolicyArn, func(_ store.Tx, p *identity.Policy) error {
		if _, ok := p.Version(*in.VersionId); !ok {
			return noVersion(*in.PolicyArn, *in.VersionId)
		}
		p.Default, p.UpdatedAt = *in.VersionId, now
		return nil
	})
	return &api.SetDefaultPolicyVersionOutput{}, err
}

// ListPolicies lists managed policies: the customer's, then AWS's, by name.
func (h *Handler) ListPolicies(ctx context.Context, in *api.ListPoliciesInput) (*api.ListPoliciesOutput, error) {
	account, prefix, scope := auth.CallerFrom(ctx).Account, call.Deref(in.PathPrefix, "/"), call.Deref(in.Scope, "All")
	only, usage := call.Deref(in.OnlyAttached, false), call.Deref(in.PolicyUsageFilter, "")
	w, err := h.env.Window(ctx, in.Marker, in.MaxItems, "ListPolicies", prefix, scope, strconv.FormatBool(only), usage)
	if err != nil {
		return nil, err
	}
	out := &api.ListPoliciesOutput{Policies: []api.Policy{}}
	err = h.env.Store.View(ctx, func(tx store.Tx) error {
		var all []identity.Policy
		if scope != "AWS" {
			if all, err = store.Collect(tables.Policies.List(tx, account)); err != nil {
				return err
			}
		}
		if scope != "Local" {
			all = append(all, identity.AWSPolicies()...)
		}
		all = slices.DeleteFunc(all, func(p identity.Policy) bool {
			return !strings.HasPrefix(p.Path, prefix) || !inUse(tx, account, p.ARN(), only, usage)
		})
		all, out.IsTruncated, out.Marker = call.Cut(h.env, w, all, policyKey)
		for _, p := range all {
			out.Policies = append(out.Policies, *view.ListedPolicy(tx, account, &p))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// policyKey orders the customer's policies before AWS's, each by name.
func policyKey(p identity.Policy) string {
	if p.Account == "aws" {
		return "1" + p.Name
	}
	return "0" + identity.Fold(p.Name)
}

// inUse reports whether a policy passes the usage filters of ListPolicies.
func inUse(tx store.Tx, account, policyARN string, only bool, usage string) bool {
	switch usage {
	case "PermissionsBoundary":
		return view.Boundaries(tx, account, policyARN) > 0
	case "PermissionsPolicy":
		return !only || view.Attachments(tx, account, policyARN) > 0
	}
	return !only || view.Attachments(tx, account, policyARN)+view.Boundaries(tx, account, policyARN) > 0
}
