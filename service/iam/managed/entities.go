package managed

import (
	"context"
	"maps"
	"slices"
	"strings"

	"neargate/auth"
	api "neargate/aws/iam"
	"neargate/resource/identity"
	"neargate/service/iam/internal/call"
	"neargate/service/iam/internal/grant"
	"neargate/store"
	"neargate/store/tables"
	"neargate/store/tables/identities"
)

// Kinds of entities that hold policies, in the order they are listed.
const (
	kindGroup = "Group"
	kindRole  = "Role"
	kindUser  = "User"
)

// entity is a group, role or user a policy is attached to.
type entity struct{ kind, path, name, id string }

func (e entity) key() string { return e.kind + " " + identity.Fold(e.name) }

// ListEntitiesForPolicy lists the groups, users and roles a managed policy is attached
// to or bounds.
func (h *Handler) ListEntitiesForPolicy(ctx context.Context, in *api.ListEntitiesForPolicyInput) (*api.ListEntitiesForPolicyOutput, error) {
	kind, usage, prefix := call.Deref(in.EntityFilter, ""), call.Deref(in.PolicyUsageFilter, ""), call.Deref(in.PathPrefix, "/")
	w, err := h.env.Window(ctx, in.Marker, in.MaxItems, "ListEntitiesForPolicy", *in.PolicyArn, kind, usage, prefix)
	if err != nil {
		return nil, err
	}
	var found []entity
	err = h.env.Store.View(ctx, func(tx store.Tx) error {
		if _, err := grant.FindPolicy(ctx, tx, *in.PolicyArn, grant.NotFound(*in.PolicyArn)); err != nil {
			return err
		}
		found, err = entities(tx, auth.CallerFrom(ctx).Account, *in.PolicyArn, usage)
		return err
	})
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(e entity) bool {
		return !strings.HasPrefix(e.path, prefix) || kind != "" && kind != e.kind
	})
	out := &api.ListEntitiesForPolicyOutput{
		PolicyGroups: []api.PolicyGroup{}, PolicyUsers: []api.PolicyUser{}, PolicyRoles: []api.PolicyRole{},
	}
	found, out.IsTruncated, out.Marker = call.Cut(h.env, w, found, entity.key)
	for _, e := range found {
		switch e.kind {
		case kindGroup:
			out.PolicyGroups = append(out.PolicyGroups, api.PolicyGroup{GroupName: &e.name, GroupId: &e.id})
		case kindRole:
			out.PolicyRoles = append(out.PolicyRoles, api.PolicyRole{RoleName: &e.name, RoleId: &e.id})
		case kindUser:
			out.PolicyUsers = append(out.PolicyUsers, api.PolicyUser{UserName: &e.name, UserId: &e.id})
		}
	}
	return out, nil
}

// entities finds who uses a policy, each once, ordered by key.
func entities(tx store.Tx, account, policyARN, usage string) ([]entity, error) {
	found := map[string]entity{}
	add := func(e entity) { found[e.key()] = e }
	if usage != "PermissionsBoundary" {
		for g, err := range identities.Groups.By(tx, identities.GroupsByPolicy, account, policyARN) {
			if err != nil {
				return nil, err
			}
			add(entity{kindGroup, g.Path, g.Name, g.ID})
		}
	}
	for _, by := range []struct{ usage, roles, users string }{
		{"PermissionsPolicy", tables.RolesByPolicy, tables.UsersByPolicy},
		{"PermissionsBoundary", tables.RolesByBoundary, tables.UsersByBoundary},
	} {
		if usage != "" && usage != by.usage {
			continue
		}
		for r, err := range tables.Roles.By(tx, by.roles, account, policyARN) {
			if err != nil {
				return nil, err
			}
			add(entity{kindRole, r.Path, r.Name, r.ID})
		}
		for u, err := range tables.Users.By(tx, by.users, account, policyARN) {
			if err != nil {
				return nil, err
			}
			add(entity{kindUser, u.Path, u.Name, u.ID})
		}
	}
	return slices.SortedFunc(maps.Values(found), func(a, b entity) int { return strings.Compare(a.key(), b.key()) }), nil
}
