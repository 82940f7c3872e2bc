package kms

import (
	"context"

	"neargate/auth"
	api "neargate/aws/kms"
	"neargate/resource/key"
	"neargate/service/internal/member"
	"neargate/store"
)

// maxOnDemand is how often a key may be rotated on demand.
const maxOnDemand = 25

// EnableKeyRotation lets a key rotate from time to time. Without a period the key
// keeps the one it had.
func (s *Service) EnableKeyRotation(ctx context.Context, in *api.EnableKeyRotationInput) (*api.EnableKeyRotationOutput, error) {
	_, err := s.change(ctx, *in.KeyId, func(k *key.Key) error {
		if err := firstOf(customers(ctx, k, "EnableKeyRotation"), usable(k)); err != nil {
			return err
		}
		if k.Rotates && in.RotationPeriodInDays == nil {
			return nil
		}
		k.Rotates, k.RotationDays = true, member.Or(in.RotationPeriodInDays, k.RotationDays)
		k.NextRotation = s.now().AddDate(0, 0, int(k.Period()))
		return nil
	})
	return &api.EnableKeyRotationOutput{}, err
}

// DisableKeyRotation keeps a key from rotating.
func (s *Service) DisableKeyRotation(ctx context.Context, in *api.DisableKeyRotationInput) (*api.DisableKeyRotationOutput, error) {
	_, err := s.change(ctx, *in.KeyId, func(k *key.Key) error {
		k.Rotates = false
		return firstOf(customers(ctx, k, "DisableKeyRotation"), usable(k))
	})
	return &api.DisableKeyRotationOutput{}, err
}

// GetKeyRotationStatus says whether and when a key rotates.
func (s *Service) GetKeyRotationStatus(ctx context.Context, in *api.GetKeyRotationStatusInput) (*api.GetKeyRotationStatusOutput, error) {
	r, err := reference(auth.CallerFrom(ctx), *in.KeyId, false, true)
	if err != nil {
		return nil, err
	}
	out := &api.GetKeyRotationStatusOutput{}
	err = s.deps.Store.View(ctx, func(tx store.Tx) error {
		k, err := find(tx, r)
		if err != nil {
			return err
		}
		rotates := k.Rotates && k.State != key.PendingDeletion
		*out = api.GetKeyRotationStatusOutput{KeyId: new(k.ARN()), KeyRotationEnabled: &rotates}
		if rotates {
			out.RotationPeriodInDays = new(k.Period())
			if k.State == key.Enabled {
				out.NextRotationDate = &k.NextRotation
			}
		}
		return nil
	})
	return out, err
}

// RotateKeyOnDemand gives a key new material at once.
func (s *Service) RotateKeyOnDemand(ctx context.Context, in *api.RotateKeyOnDemandInput) (*api.RotateKeyOnDemandOutput, error) {
	var found key.Key
	err := s.deps.Store.View(ctx, func(tx store.Tx) (err error) {
		found, err = own(ctx, tx, *in.KeyId)
		return err
	})
	if err != nil {
		return nil, err
	}
	m := s.mint(&found, key.OnDemand)
	k, err := s.change(ctx, *in.KeyId, func(k *key.Key) error {
		if err := firstOf(customers(ctx, k, "RotateKeyOnDemand"), usable(k)); err != nil {
			return err
		}
		n := 0
		for _, m := range k.Materials {
			if m.Rotation == key.OnDemand {
				n++
			}
		}
		if n >= maxOnDemand {
			return api.LimitExceededException("The key has reached its limit of on-demand rotations.")
		}
		k.Rotate(m)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.RotateKeyOnDemandOutput{KeyId: new(k.ARN())}, nil
}

// ListKeyRotations lists the completed rotations of a key, the latest first; with
// all material, also what the key began with.
func (s *Service) ListKeyRotations(ctx context.Context, in *api.ListKeyRotationsInput) (*api.ListKeyRotationsOutput, error) {
	all := member.Or(in.IncludeKeyMaterial, "ROTATIONS_ONLY") == "ALL_KEY_MATERIAL"
	after, scope, err := s.marker(ctx, in.Marker, "ListKeyRotations", *in.KeyId, member.Or(in.IncludeKeyMaterial, ""))
	if err != nil {
		return nil, err
	}
	var list []api.RotationsListEntry
	err = s.deps.Store.View(ctx, func(tx store.Tx) error {
		list = list[:0]
		k, err := own(ctx, tx, *in.KeyId)
		for i := len(k.Materials) - 1; i >= 0; i-- {
			m := &k.Materials[i]
			if m.Rotation == "" && !all {
				continue
			}
			e := api.RotationsListEntry{KeyId: new(k.ARN()), KeyMaterialId: &m.ID, KeyMaterialState: new("NON_CURRENT")}
			if i == len(k.Materials)-1 {
				e.KeyMaterialState = new("CURRENT")
			}
			if m.Rotation != "" {
				e.RotationDate, e.RotationType = &m.CreatedAt, &m.Rotation
			}
			list = append(list, e)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &api.ListKeyRotationsOutput{}
	out.Rotations, out.NextMarker, out.Truncated, err = cut(s, list, after, in.Limit, scope)
	return out, err
}
