package account

import (
	"context"
	"slices"

	"neargate/auth"
	api "neargate/aws/iam"
	"neargate/resource/identity"
	"neargate/service/iam/internal/call"
	"neargate/service/iam/internal/grant"
	"neargate/service/iam/internal/look"
	"neargate/service/iam/internal/view"
	"neargate/store"
	"neargate/store/tables"
	"neargate/store/tables/identities"
)

// entity is one item of GetAccountAuthorizationDetails: where it stands among all,
// and how it is put into the answer.
type entity struct {
	key string
	add func(tx store.Tx, out *api.GetAccountAuthorizationDetailsOutput) error
}

// GetAccountAuthorizationDetails describes all users, groups, roles and managed
// policies with what they allow.
func (h *Handler) GetAccountAuthorizationDetails(ctx context.Context, in *api.GetAccountAuthorizationDetailsInput) (*api.GetAccountAuthorizationDetailsOutput, error) {
	w, err := h.env.Window(ctx, in.Marker, in.MaxItems, append([]string{"GetAccountAuthorizationDetails"}, in.Filter...)...)
	if err != nil {
		return nil, err
	}
	var out *api.GetAccountAuthorizationDetailsOutput
	err = h.env.Store.View(ctx, func(tx store.Tx) error {
		out = &api.GetAccountAuthorizationDetailsOutput{
			UserDetailList: []api.UserDetail{}, GroupDetailList: []api.GroupDetail{},
			RoleDetailList: []api.RoleDetail{}, Policies: []api.ManagedPolicyDetail{},
		}
		all, err := everything(tx, auth.CallerFrom(ctx).Account, in.Filter)
		if err != nil {
			return err
		}
		all, out.IsTruncated, out.Marker = call.Cut(h.env, w, all, func(e entity) string { return e.key })
		for _, e := range all {
			if err := e.add(tx, out); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// everything lists the entities of an account that a filter asks for, by key.
func everything(tx store.Tx, account string, filter []string) ([]entity, error) {
	wanted := func(kind string) bool { return len(filter) == 0 || slices.Contains(filter, kind) }
	var out []entity
	if wanted("User") {
		for u, err := range tables.Users.List(tx, account) {
			if err != nil {
				return nil, err
			}
			out = append(out, entity{"0" + identity.Fold(u.Name), func(tx store.Tx, o *api.GetAccountAuthorizationDetailsOutput) error { return addUser(tx, o, &u) }})
		}
	}
	if wanted("Group") {
		for g, err := range identities.Groups.List(tx, account) {
			if err != nil {
				return nil, err
			}
			out = append(out, entity{"1" + identity.Fold(g.Name), func(_ store.Tx, o *api.GetAccountAuthorizationDetailsOutput) error {
				o.GroupDetailList = append(o.GroupDetailList, api.GroupDetail{
					Path: &g.Path, GroupName: &g.Name, GroupId: &g.ID, Arn: new(g.ARN()), CreateDate: &g.CreatedAt,
					GroupPolicyList: inline(&g.Grants), AttachedManagedPolicies: attached(&g.Grants),
				})
				return nil
			}})
		}
	}
	if wanted("Role") {
		for r, err := range tables.Roles.List(tx, account) {
			if err != nil {
				return nil, err
			}
			out = append(out, entity{"2" + identity.Fold(r.Name), func(tx store.Tx, o *api.GetAccountAuthorizationDetailsOutput) error { return addRole(tx, o, &r) }})
		}
	}
	policies := []identity.Policy{}
	if wanted("LocalManagedPolicy") {
		var err error
		if policies, err = store.Collect(tables.Policies.List(tx, account)); err != nil {
			return nil, err
		}
	}
	if wanted("AWSManagedPolicy") {
		for _, p := range identity.AWSPolicies() {
			if view.Attachments(tx, account, p.ARN())+view.Boundaries(tx, account, p.ARN()) > 0 {
				policies = append(policies, p)
			}
		}
	}
	for _, p := range policies {
		key := "3" + identity.Fold(p.Name)
		if p.Account != account {
			key = "4" + p.Name
		}
		out = append(out, entity{key, func(tx store.Tx, o *api.GetAccountAuthorizationDetailsOutput) error {
			o.Policies = append(o.Policies, managed(tx, account, &p))
			return nil
		}})
	}
	return out, nil
}

func addUser(tx store.Tx, out *api.GetAccountAuthorizationDetailsOutput, u *identity.User) error {
	groups, err := look.Groups(tx, u)
	v := view.FullUser(u)
	d := api.UserDetail{
		Path: v.Path, UserName: v.UserName, UserId: v.UserId, Arn: v.Arn, CreateDate: v.CreateDate,
		PermissionsBoundary: v.PermissionsBoundary, Tags: append([]api.Tag{}, v.Tags...),
		UserPolicyList: inline(&u.Grants), AttachedManagedPolicies: attached(&u.Grants), GroupList: []string{},
	}
	for _, g := range groups {
		d.GroupList = append(d.GroupList, g.Name)
	}
	out.UserDetailList = append(out.UserDetailList, d)
	return err
}

func addRole(tx store.Tx, out *api.GetAccountAuthorizationDetailsOutput, r *identity.Role) error {
	use, used, err := tables.RoleUses.Find(tx, r.Account, identity.Fold(r.Name))
	if err != nil {
		return err
	}
	v := view.FullRole(r, nil)
	if used {
		v = view.FullRole(r, &use)
	}
	d := api.RoleDetail{
		Path: v.Path, RoleName: v.RoleName, RoleId: v.RoleId, Arn: v.Arn, CreateDate: v.CreateDate,
		AssumeRolePolicyDocument: v.AssumeRolePolicyDocument, PermissionsBoundary: v.PermissionsBoundary,
		Tags: append([]api.Tag{}, v.Tags...), RoleLastUsed: v.RoleLastUsed,
		RolePolicyList: inline(&r.Grants), AttachedManagedPolicies: attached(&r.Grants), InstanceProfileList: []api.InstanceProfile{},
	}
	for p, err := range identities.Profiles.By(tx, identities.ProfilesByRole, r.Account, identity.Fold(r.Name)) {
		if err != nil {
			return err
		}
		d.InstanceProfileList = append(d.InstanceProfileList, *view.Profile(&p, r))
	}
	out.RoleDetailList = append(out.RoleDetailList, d)
	return nil
}

func managed(tx store.Tx, account string, p *identity.Policy) api.ManagedPolicyDetail {
	v := view.FullPolicy(tx, account, p)
	d := api.ManagedPolicyDetail{
		PolicyName: v.PolicyName, PolicyId: v.PolicyId, Arn: v.Arn, Path: v.Path, DefaultVersionId: v.DefaultVersionId,
		AttachmentCount: v.AttachmentCount, PermissionsBoundaryUsageCount: v.PermissionsBoundaryUsageCount,
		IsAttachable: v.IsAttachable, Description: v.Description, CreateDate: v.CreateDate, UpdateDate: v.UpdateDate,
	}
	for _, ver := range slices.Backward(p.Versions) {
		pv := view.Version(p, ver)
		pv.Document = call.Encode(ver.Document)
		d.PolicyVersionList = append(d.PolicyVersionList, *pv)
	}
	return d
}

func inline(g *identity.Grants) []api.PolicyDetail {
	out := []api.PolicyDetail{}
	for _, p := range g.Inline {
		out = append(out, api.PolicyDetail{PolicyName: &p.Name, PolicyDocument: call.Encode(p.Document)})
	}
	return out
}

func attached(g *identity.Grants) []api.AttachedPolicy {
	return append([]api.AttachedPolicy{}, grant.AttachedUnder(g, "/")...)
}
