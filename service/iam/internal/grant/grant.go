// Package grant changes the policies that users, groups and roles hold.
package grant

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"neargate/auth"
	api "neargate/aws/iam"
	"neargate/resource/identity"
	"neargate/service/iam/internal/call"
	"neargate/store"
	"neargate/store/tables"
)

// maxAttached is how many managed policies may be attached.
const maxAttached = 10

// Holder is how IAM speaks of what holds policies, with its quotas.
type Holder struct {
	kind, title string
	maxInline   int    // characters of all inline policies together
	attached    string // name of the quota of attached policies
}

// What holds policies.
var (
	Roles  = Holder{"role", "Role", 10240, "PoliciesPerRole"}
	Users  = Holder{"user", "User", 2048, "PoliciesPerUser"}
	Groups = Holder{"group", "Group", 5120, "PoliciesPerGroup"}
)

// inlineIndex is where an inline policy is among the others, by folded name.
func inlineIndex(list []identity.Inline, name string) (int, bool) {
	return slices.BinarySearchFunc(list, identity.Fold(name), func(in identity.Inline, n string) int {
		return strings.Compare(identity.Fold(in.Name), n)
	})
}

// inline returns an inline policy.
func (h Holder) inline(g *identity.Grants, name string) (identity.Inline, error) {
	i, found := inlineIndex(g.Inline, name)
	if !found {
		return identity.Inline{}, api.NoSuchEntityException("The " + h.kind + " policy with name " + name + " cannot be found.")
	}
	return g.Inline[i], nil
}

// put adds or replaces an inline policy of the owner. Its name is found in any
// case and keeps its first spelling.
func (h Holder) put(g *identity.Grants, owner, name, document string) error {
	list := slices.Clone(g.Inline)
	i, found := inlineIndex(list, name)
	if !found {
		list = slices.Insert(list, i, identity.Inline{Name: name})
	}
	list[i].Document = document
	total := 0
	for _, p := range list {
		total += call.Size(p.Document)
	}
	if total > h.maxInline {
		return api.LimitExceededException(fmt.Sprintf("Maximum policy size of %d bytes exceeded for %s %s", h.maxInline, h.kind, owner))
	}
	g.Inline = list
	return nil
}

// drop removes an inline policy.
func (h Holder) drop(g *identity.Grants, name string) error {
	if _, err := h.inline(g, name); err != nil {
		return err
	}
	i, _ := inlineIndex(g.Inline, name)
	g.Inline = slices.Delete(slices.Clone(g.Inline), i, i+1)
	return nil
}

// attach attaches a managed policy; attaching it again changes nothing.
func (h Holder) attach(ctx context.Context, tx store.Tx, g *identity.Grants, policyARN string) error {
	p, err := FindPolicy(ctx, tx, policyARN, "Policy "+policyARN+" does not exist or is not attachable.")
	switch {
	case err != nil:
		return err
	case strings.HasPrefix(p.Path, "/aws-service-role/"):
		return api.PolicyNotAttachableException("Cannot attach a Service Role Policy to a Customer " + h.title + ".")
	case slices.Contains(g.Attached, policyARN):
		return nil
	case len(g.Attached) >= maxAttached:
		return call.Quota(h.attached, maxAttached)
	}
	g.Attached = append(slices.Clip(g.Attached), policyARN)
	return nil
}

// detach detaches a managed policy.
func detach(g *identity.Grants, policyARN string) error {
	i := slices.Index(g.Attached, policyARN)
	if i < 0 {
		return api.NoSuchEntityException(NotFound(policyARN))
	}
	g.Attached = slices.Delete(slices.Clone(g.Attached), i, i+1)
	return nil
}

// Bound sets the permissions boundary.
func Bound(ctx context.Context, tx store.Tx, g *identity.Grants, policyARN string) error {
	g.Boundary = policyARN
	_, err := FindPolicy(ctx, tx, policyARN, "Scope ARN: "+policyARN+" does not exist or is not attachable.")
	return err
}

// unbound removes the permissions boundary of the owner.
func (h Holder) unbound(g *identity.Grants, owner string) error {
	if g.Boundary == "" {
		return api.NoSuchEntityException(h.title + " " + owner + " does not have a permissions boundary.")
	}
	g.Boundary = ""
	return nil
}

// Removable refuses to delete what still holds policies.
func Removable(g *identity.Grants) error {
	switch {
	case len(g.Attached) > 0:
		return api.DeleteConflictException("Cannot delete entity, must detach all policies first.")
	case len(g.Inline) > 0:
		return api.DeleteConflictException("Cannot delete entity, must delete policies first.")
	}
	return nil
}

// inlineNames are the names of the inline policies.
func inlineNames(g *identity.Grants) []string {
	names := make([]string, len(g.Inline))
	for i, p := range g.Inline {
		names[i] = p.Name
	}
	return names
}

// AttachedUnder are the attached policies whose path has the prefix.
func AttachedUnder(g *identity.Grants, prefix string) []api.AttachedPolicy {
	var out []api.AttachedPolicy
	for _, a := range g.Attached {
		_, name, _ := identity.PolicyName(a)
		_, path, _ := strings.Cut(strings.TrimSuffix(a, name), ":policy")
		if strings.HasPrefix(path, prefix) {
			out = append(out, api.AttachedPolicy{PolicyName: &name, PolicyArn: &a})
		}
	}
	return out
}

// FindPolicy returns the managed policy with the ARN, if it is the caller's or
// AWS's own; missing is the text when there is none.
func FindPolicy(ctx context.Context, tx store.Tx, policyARN, missing string) (identity.Policy, error) {
	owner, _, ok := identity.PolicyName(policyARN)
	if !ok {
		return identity.Policy{}, api.InvalidInputException("ARN " + policyARN + " is not valid.")
	}
	p, ok, err := tables.FindPolicy(tx, policyARN)
	if err == nil && (!ok || owner != "aws" && owner != auth.CallerFrom(ctx).Account) {
		err = api.NoSuchEntityException(missing)
	}
	return p, err
}

// NotFound says that there is no managed policy with the ARN.
func NotFound(policyARN string) string { return "Policy " + policyARN + " was not found." }
