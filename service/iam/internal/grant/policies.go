package grant

import (
	"context"

	"neargate/auth/policy"
	api "neargate/aws/iam"
	"neargate/resource/identity"
	"neargate/service/iam/internal/call"
	"neargate/store"
)

// Policies answers what users, groups and roles are asked about their policies alike.
type Policies struct {
	env    call.Env
	holder Holder
	view   func(ctx context.Context, name *string) (owner string, g *identity.Grants, err error)
	change func(ctx context.Context, name *string, f func(tx store.Tx, owner string, g *identity.Grants) error) error
}

// Of are the policies of the records that view reads and change stores; of tells a
// record's name and its policies.
func Of[R any](e call.Env, holder Holder, view func(context.Context, *string) (R, error),
	change func(context.Context, *string, func(store.Tx, *R) error) error, of func(*R) (string, *identity.Grants)) Policies {
	return Policies{
		env: e, holder: holder,
		view: func(ctx context.Context, name *string) (string, *identity.Grants, error) {
			r, err := view(ctx, name)
			owner, g := of(&r)
			return owner, g, err
		},
		change: func(ctx context.Context, name *string, f func(store.Tx, string, *identity.Grants) error) error {
			return change(ctx, name, func(tx store.Tx, r *R) error {
				owner, g := of(r)
				return f(tx, owner, g)
			})
		},
	}
}

// Put adds or replaces an inline policy.
func (p Policies) Put(ctx context.Context, name, policyName, document *string) error {
	if _, err := policy.Check(*document, policy.Inline); err != nil {
		return call.Malformed(err)
	}
	return p.change(ctx, name, func(_ store.Tx, owner string, g *identity.Grants) error {
		return p.holder.put(g, owner, *policyName, *document)
	})
}

// Get returns an inline policy and the name of its owner.
func (p Policies) Get(ctx context.Context, name, policyName *string) (owner, document *string, err error) {
	o, g, err := p.view(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	in, err := p.holder.inline(g, *policyName)
	if err != nil {
		return nil, nil, err
	}
	return &o, call.Encode(in.Document), nil
}

// Drop deletes an inline policy.
func (p Policies) Drop(ctx context.Context, name, policyName *string) error {
	return p.change(ctx, name, func(_ store.Tx, _ string, g *identity.Grants) error { return p.holder.drop(g, *policyName) })
}

// Names is a page of an operation that lists the names of inline policies.
func (p Policies) Names(ctx context.Context, operation string, name, marker *string, items *int32) (names []string, truncated *bool, next *string, err error) {
	w, err := p.env.Window(ctx, marker, items, operation, identity.Fold(*name))
	if err != nil {
		return nil, nil, nil, err
	}
	_, g, err := p.view(ctx, name)
	if err != nil {
		return nil, nil, nil, err
	}
	names, truncated, next = call.Cut(p.env, w, inlineNames(g), identity.Fold)
	return names, truncated, next, nil
}

// Attach attaches a managed policy.
func (p Policies) Attach(ctx context.Context, name, policyARN *string) error {
	return p.change(ctx, name, func(tx store.Tx, _ string, g *identity.Grants) error { return p.holder.attach(ctx, tx, g, *policyARN) })
}

// Detach detaches a managed policy.
func (p Policies) Detach(ctx context.Context, name, policyARN *string) error {
	return p.change(ctx, name, func(_ store.Tx, _ string, g *identity.Grants) error { return detach(g, *policyARN) })
}

// Attached is a page of an operation that lists attached policies whose path has the
// prefix.
func (p Policies) Attached(ctx context.Context, operation string, name, prefix, marker *string, items *int32) (list []api.AttachedPolicy, truncated *bool, next *string, err error) {
	under := call.Deref(prefix, "/")
	w, err := p.env.Window(ctx, marker, items, operation, identity.Fold(*name), under)
	if err != nil {
		return nil, nil, nil, err
	}
	_, g, err := p.view(ctx, name)
	if err != nil {
		return nil, nil, nil, err
	}
	list, truncated, next = call.Numbered(p.env, w, AttachedUnder(g, under))
	return list, truncated, next, nil
}

// Bound sets the permissions boundary.
func (p Policies) Bound(ctx context.Context, name, policyARN *string) error {
	return p.change(ctx, name, func(tx store.Tx, _ string, g *identity.Grants) error { return Bound(ctx, tx, g, *policyARN) })
}

// Unbound removes the permissions boundary.
func (p Policies) Unbound(ctx context.Context, name *string) error {
	return p.change(ctx, name, func(_ store.Tx, owner string, g *identity.Grants) error { return p.holder.unbound(g, owner) })
}
