package kms

import (
	"context"
	"slices"
	"time"

	"neargate/auth"
	api "neargate/aws/kms"
	"neargate/resource/key"
	"neargate/service/internal/member"
	"neargate/store"
	"neargate/store/tables/keys"
	"neargate/wire/shape"
)

// symmetric is the only kind of key there is, and its algorithm.
const symmetric = "SYMMETRIC_DEFAULT"

// maxKeys is how many customer managed keys a region of an account may have.
const maxKeys = 100000

// CreateKey makes a key with material of its own.
func (s *Service) CreateKey(ctx context.Context, in *api.CreateKeyInput) (*api.CreateKeyOutput, error) {
	if err := checkSpec(in); err != nil {
		return nil, err
	}
	c := auth.CallerFrom(ctx)
	k := key.Key{
		Account: c.Account, Region: c.Region, ID: s.deps.IDs.UUID(), CreatedAt: s.now(), Description: member.Or(in.Description, ""),
		Manager: key.Customer, State: key.Enabled, Policy: key.DefaultPolicy(c.Account, c.Region),
	}
	var err error
	if k.Tags, err = mergeTags(nil, in.Tags); err != nil {
		return nil, err
	}
	k.Materials = []key.Material{s.mint(&k, "")}
	err = s.deps.Store.Update(ctx, func(tx store.Tx) error {
		if tx.Count(store.Prefix(keys.Keys.Name, c.Account, c.Region)) >= maxKeys {
			return api.LimitExceededException("You have exceeded the maximum number of keys in this region.")
		}
		if in.Policy != nil {
			if err := s.checkPolicy(tx, c, &k, *in.Policy, member.Or(in.BypassPolicyLockoutSafetyCheck, false)); err != nil {
				return err
			}
			k.Policy = *in.Policy
		}
		return keys.Keys.Put(tx, &k)
	})
	if err != nil {
		return nil, err
	}
	return &api.CreateKeyOutput{KeyMetadata: metadata(&k)}, nil
}

// checkSpec refuses keys of other kinds: asymmetric and HMAC keys, imported
// material, key stores, and keys in several regions.
func checkSpec(in *api.CreateKeyInput) error {
	spec := member.Or(in.KeySpec, member.Or(in.CustomerMasterKeySpec, symmetric))
	switch {
	case in.KeySpec != nil && in.CustomerMasterKeySpec != nil:
		return shape.Errorf("ValidationException", "You cannot specify KeySpec and CustomerMasterKeySpec in the same request. CustomerMasterKeySpec is deprecated.")
	case spec != symmetric:
		return api.UnsupportedOperationException("KeySpec " + spec + " is not supported in this region.")
	case member.Or(in.KeyUsage, "ENCRYPT_DECRYPT") != "ENCRYPT_DECRYPT":
		return shape.Errorf("ValidationException", "The operation failed because the KeyUsage value of the KMS key is not compatible with the KeySpec %s.", spec)
	case in.CustomKeyStoreId != nil || in.XksKeyId != nil:
		return api.CustomKeyStoreNotFoundException("")
	case member.Or(in.Origin, "AWS_KMS") != "AWS_KMS":
		return api.UnsupportedOperationException("Origin " + *in.Origin + " is not supported in this region.")
	case member.Or(in.MultiRegion, false):
		return api.UnsupportedOperationException("Multi-Region keys are not supported in this region.")
	}
	return nil
}

func metadata(k *key.Key) *api.KeyMetadata {
	m := &api.KeyMetadata{
		AWSAccountId: &k.Account, KeyId: &k.ID, Arn: new(k.ARN()), CreationDate: &k.CreatedAt, Description: &k.Description,
		Enabled: new(k.State == key.Enabled), KeyState: &k.State, KeyManager: &k.Manager, KeyUsage: new("ENCRYPT_DECRYPT"),
		Origin: new("AWS_KMS"), KeySpec: new(symmetric), CustomerMasterKeySpec: new(symmetric),
		EncryptionAlgorithms: []string{symmetric}, MultiRegion: new(false), CurrentKeyMaterialId: &k.Current().ID,
	}
	if k.State == key.PendingDeletion {
		m.DeletionDate = &k.DeletionAt
	}
	return m
}

// DescribeKey shows a key. Asked for a service's own key, it makes it first.
func (s *Service) DescribeKey(ctx context.Context, in *api.DescribeKeyInput) (*api.DescribeKeyOutput, error) {
	k, err := s.get(ctx, *in.KeyId)
	if err != nil {
		return nil, err
	}
	return &api.DescribeKeyOutput{KeyMetadata: metadata(&k)}, nil
}

// get finds a key named in any way; a service's own key is made on its first use.
func (s *Service) get(ctx context.Context, text string) (k key.Key, err error) {
	c := auth.CallerFrom(ctx)
	r, err := reference(c, text, true, true)
	if err != nil {
		return k, err
	}
	if service, ok := key.Managed(r.Alias); ok && r.Account == c.Account {
		return s.managed(ctx, c, service)
	}
	err = s.deps.Store.View(ctx, func(tx store.Tx) (err error) {
		k, err = find(tx, r)
		return err
	})
	return k, err
}

// managed is the own key of a service in the caller's account.
func (s *Service) managed(ctx context.Context, c auth.Caller, service string) (k key.Key, err error) {
	r := key.Reference{Account: c.Account, Region: c.Region, Alias: "alias/aws/" + service}
	found := false
	err = s.deps.Store.View(ctx, func(tx store.Tx) (err error) {
		k, found, err = keys.Resolve(tx, r)
		return err
	})
	if err != nil || found {
		return k, err
	}
	fresh := key.Key{
		Account: c.Account, Region: c.Region, ID: s.deps.IDs.UUID(), CreatedAt: s.now(), Description: key.ManagedDescription(service),
		Manager: key.AWS, State: key.Enabled, Policy: key.ManagedPolicy(c.Account, c.Region, service), Rotates: true,
	}
	fresh.NextRotation = fresh.CreatedAt.AddDate(0, 0, key.DefaultRotation)
	fresh.Materials = []key.Material{s.mint(&fresh, "")}
	err = s.deps.Store.Update(ctx, func(tx store.Tx) (err error) {
		if k, found, err = keys.Resolve(tx, r); err != nil || found {
			return err
		}
		k = fresh
		a := key.Alias{Account: c.Account, Region: c.Region, Name: r.Alias, Key: k.ID, CreatedAt: k.CreatedAt, UpdatedAt: k.CreatedAt}
		if err := keys.Aliases.Put(tx, &a); err != nil {
			return err
		}
		return keys.Keys.Put(tx, &k)
	})
	return k, err
}

// ListKeys lists the account's keys.
func (s *Service) ListKeys(ctx context.Context, in *api.ListKeysInput) (*api.ListKeysOutput, error) {
	c := auth.CallerFrom(ctx)
	last, scope, err := s.marker(ctx, in.Marker, "ListKeys")
	if err != nil {
		return nil, err
	}
	var after []string
	if last != "" {
		after = []string{c.Account, c.Region, last}
	}
	limit := int(member.Or(in.Limit, defaultLimit))
	out := &api.ListKeysOutput{Keys: []api.KeyListEntry{}, Truncated: new(false)}
	err = s.deps.Store.View(ctx, func(tx store.Tx) error {
		found, err := store.Collect(keys.Keys.Page(tx, []string{c.Account, c.Region}, after, limit+1))
		if err != nil {
			return err
		}
		if len(found) > limit {
			found, out.Truncated = found[:limit], new(true)
			out.NextMarker = new(s.pages.Seal(found[limit-1].ID, scope...))
		}
		for _, k := range found {
			out.Keys = append(out.Keys, api.KeyListEntry{KeyId: &k.ID, KeyArn: new(k.ARN())})
		}
		return nil
	})
	return out, err
}

// UpdateKeyDescription replaces a key's description.
func (s *Service) UpdateKeyDescription(ctx context.Context, in *api.UpdateKeyDescriptionInput) (*api.UpdateKeyDescriptionOutput, error) {
	_, err := s.change(ctx, *in.KeyId, func(k *key.Key) error {
		k.Description = *in.Description
		return firstOf(customers(ctx, k, "UpdateKeyDescription"), living(k))
	})
	return &api.UpdateKeyDescriptionOutput{}, err
}

// EnableKey lets a key be used.
func (s *Service) EnableKey(ctx context.Context, in *api.EnableKeyInput) (*api.EnableKeyOutput, error) {
	_, err := s.change(ctx, *in.KeyId, func(k *key.Key) error {
		if err := firstOf(customers(ctx, k, "EnableKey"), living(k)); err != nil {
			return err
		}
		k.State = key.Enabled
		return nil
	})
	return &api.EnableKeyOutput{}, err
}

// DisableKey keeps a key from being used.
func (s *Service) DisableKey(ctx context.Context, in *api.DisableKeyInput) (*api.DisableKeyOutput, error) {
	_, err := s.change(ctx, *in.KeyId, func(k *key.Key) error {
		if err := firstOf(customers(ctx, k, "DisableKey"), living(k)); err != nil {
			return err
		}
		k.State = key.Disabled
		return nil
	})
	return &api.DisableKeyOutput{}, err
}

// defaultWindow is after how many days a key is deleted when the request does not
// say.
const defaultWindow = 30

// ScheduleKeyDeletion makes a key unusable and lets it be deleted after some days.
func (s *Service) ScheduleKeyDeletion(ctx context.Context, in *api.ScheduleKeyDeletionInput) (*api.ScheduleKeyDeletionOutput, error) {
	days := member.Or(in.PendingWindowInDays, defaultWindow)
	k, err := s.change(ctx, *in.KeyId, func(k *key.Key) error {
		if err := firstOf(customers(ctx, k, "ScheduleKeyDeletion"), living(k)); err != nil {
			return err
		}
		k.State, k.Window, k.DeletionAt = key.PendingDeletion, days, s.now().AddDate(0, 0, int(days))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.ScheduleKeyDeletionOutput{
		KeyId: new(k.ARN()), DeletionDate: &k.DeletionAt, KeyState: &k.State, PendingWindowInDays: &k.Window,
	}, nil
}

// CancelKeyDeletion keeps a key, disabled.
func (s *Service) CancelKeyDeletion(ctx context.Context, in *api.CancelKeyDeletionInput) (*api.CancelKeyDeletionOutput, error) {
	k, err := s.change(ctx, *in.KeyId, func(k *key.Key) error {
		if k.State != key.PendingDeletion {
			return api.KMSInvalidStateException(k.ARN() + " is not pending deletion.")
		}
		k.State, k.Window, k.DeletionAt = key.Disabled, 0, time.Time{}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.CancelKeyDeletionOutput{KeyId: new(k.ARN())}, nil
}

// firstOf is the first error there is.
func firstOf(errs ...error) error {
	i := slices.IndexFunc(errs, func(err error) bool { return err != nil })
	if i < 0 {
		return nil
	}
	return errs[i]
}
