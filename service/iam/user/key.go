package user

import (
	"context"
	"net/http"

	"neargate/auth"
	api "neargate/aws/iam"
	"neargate/resource/identity"
	"neargate/service/iam/internal/call"
	"neargate/service/iam/internal/look"
	"neargate/store"
	"neargate/store/tables"
	"neargate/wire/shape"
)

// keyOwner is the name of the user whose access keys a request is about: the one
// it names, else the caller; "" for the root user.
func keyOwner(ctx context.Context, tx store.Tx, name *string) (string, error) {
	if name == nil {
		return look.Self(ctx, tx)
	}
	u, err := look.User(ctx, tx, *name)
	return u.Name, err
}

// keysOf are the access keys of a user, or of the root user when the name is empty.
func keysOf(tx store.Tx, account, user string) ([]identity.AccessKey, error) {
	return store.Collect(tables.AccessKeys.By(tx, tables.AccessKeysByUser, account, identity.Fold(user)))
}

// findKey returns the access key if it belongs to the user the request is about.
func findKey(ctx context.Context, tx store.Tx, user *string, id string) (identity.AccessKey, error) {
	owner, err := keyOwner(ctx, tx, user)
	if err != nil {
		return identity.AccessKey{}, err
	}
	k, ok, err := tables.AccessKeys.Find(tx, id)
	if err == nil && (!ok || k.Account != auth.CallerFrom(ctx).Account || k.User != owner) {
		err = api.NoSuchEntityException("The Access Key with id " + id + " cannot be found.")
	}
	return k, err
}

// userName is nil for the root user, who has none.
func userName(name string) *string {
	if name == "" {
		return nil
	}
	return &name
}

// CreateAccessKey makes an access key. This answer is the only one with its secret.
func (h *Handler) CreateAccessKey(ctx context.Context, in *api.CreateAccessKeyInput) (*api.CreateAccessKeyOutput, error) {
	key := identity.NewAccessKey(auth.CallerFrom(ctx).Account, "", h.env.Time(), h.env.IDs)
	err := h.env.Store.Update(ctx, func(tx store.Tx) (err error) {
		if key.User, err = keyOwner(ctx, tx, in.UserName); err != nil {
			return err
		}
		if tables.AccessKeys.CountBy(tx, tables.AccessKeysByUser, key.Account, identity.Fold(key.User)) >= maxKeys {
			return call.Quota("AccessKeysPerUser", maxKeys)
		}
		return tables.AccessKeys.Put(tx, &key)
	})
	if err != nil {
		return nil, err
	}
	return &api.CreateAccessKeyOutput{AccessKey: &api.AccessKey{
		UserName: userName(key.User), AccessKeyId: &key.ID, SecretAccessKey: &key.Secret, Status: &key.Status, CreateDate: &key.CreatedAt,
	}}, nil
}

// ListAccessKeys lists a user's access keys without their secrets.
func (h *Handler) ListAccessKeys(ctx context.Context, in *api.ListAccessKeysInput) (*api.ListAccessKeysOutput, error) {
	w, err := h.env.Window(ctx, in.Marker, in.MaxItems, "ListAccessKeys", identity.Fold(call.Deref(in.UserName, "")))
	if err != nil {
		return nil, err
	}
	var keys []identity.AccessKey
	err = h.env.Store.View(ctx, func(tx store.Tx) error {
		owner, err := keyOwner(ctx, tx, in.UserName)
		if err != nil {
			return err
		}
		keys, err = keysOf(tx, auth.CallerFrom(ctx).Account, owner)
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &api.ListAccessKeysOutput{AccessKeyMetadata: []api.AccessKeyMetadata{}}
	keys, out.IsTruncated, out.Marker = call.Cut(h.env, w, keys, func(k identity.AccessKey) string { return k.ID })
	for _, k := range keys {
		out.AccessKeyMetadata = append(out.AccessKeyMetadata, api.AccessKeyMetadata{
			UserName: userName(k.User), AccessKeyId: &k.ID, Status: &k.Status, CreateDate: &k.CreatedAt,
		})
	}
	return out, nil
}

// UpdateAccessKey makes an access key active or inactive.
func (h *Handler) UpdateAccessKey(ctx context.Context, in *api.UpdateAccessKeyInput) (*api.UpdateAccessKeyOutput, error) {
	return &api.UpdateAccessKeyOutput{}, h.env.Store.Update(ctx, func(tx store.Tx) error {
		k, err := findKey(ctx, tx, in.UserName, *in.AccessKeyId)
		if err != nil {
			return err
		}
		k.Status = *in.Status
		return tables.AccessKeys.Put(tx, &k)
	})
}

// DeleteAccessKey deletes an access key and what is kept about it.
func (h *Handler) DeleteAccessKey(ctx context.Context, in *api.DeleteAccessKeyInput) (*api.DeleteAccessKeyOutput, error) {
	return &api.DeleteAccessKeyOutput{}, h.env.Store.Update(ctx, func(tx store.Tx) error {
		k, err := findKey(ctx, tx, in.UserName, *in.AccessKeyId)
		if err != nil {
			return err
		}
		if err := tables.KeyUses.Delete(tx, k.ID); err != nil {
			return err
		}
		return tables.AccessKeys.Delete(tx, k.ID)
	})
}

// unused is what AWS says for the service and region of a key never used.
const unused = "N/A"

// GetAccessKeyLastUsed says when, where and for what an access key of the
// caller's account was last used.
func (h *Handler) GetAccessKeyLastUsed(ctx context.Context, in *api.GetAccessKeyLastUsedInput) (*api.GetAccessKeyLastUsedOutput, error) {
	caller, out := auth.CallerFrom(ctx), &api.GetAccessKeyLastUsedOutput{}
	err := h.env.Store.View(ctx, func(tx store.Tx) error {
		k, ok, err := tables.AccessKeys.Find(tx, *in.AccessKeyId)
		if err != nil {
			return err
		}
		if !ok || k.Account != caller.Account {
			return shape.NewError("AccessDenied", http.StatusForbidden, "User: "+caller.ARN+
				" is not authorized to perform: iam:GetAccessKeyLastUsed on resource: access key "+*in.AccessKeyId)
		}
		out.UserName = userName(k.User)
		use, ok, err := tables.KeyUses.Find(tx, k.ID)
		out.AccessKeyLastUsed = &api.AccessKeyLastUsed{LastUsedDate: &use.At, ServiceName: &use.Service, Region: &use.Region}
		if !ok {
			out.AccessKeyLastUsed = &api.AccessKeyLastUsed{ServiceName: new(unused), Region: new(unused)}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
