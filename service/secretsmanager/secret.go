package secretsmanager

import (
	"context"
	"time"

	"neargate/auth"
	api "neargate/aws/secretsmanager"
	"neargate/resource/secret"
	"neargate/service/internal/member"
	"neargate/store"
	"neargate/store/tables/secrets"
)

// CreateSecret makes a secret, with a first version where there is a value. Asked
// again with the same token and value, it answers the same.
func (s *Service) CreateSecret(ctx context.Context, in *api.CreateSecretInput) (*api.CreateSecretOutput, error) {
	c := auth.CallerFrom(ctx)
	v, err := given(in.SecretString, in.SecretBinary)
	switch {
	case err != nil:
		return nil, err
	case len(in.AddReplicaRegions) > 0:
		return nil, api.InvalidParameterException("Replication of secrets is not supported in this region.")
	case in.Type != nil:
		return nil, api.InvalidParameterException("Managed external secrets are not supported in this region.")
	}
	if err := checkName(*in.Name); err != nil {
		return nil, err
	}
	now := s.now()
	sec := secret.Secret{
		Account: c.Account, Region: c.Region, Name: *in.Name, Suffix: s.deps.IDs.Base62(6), Description: member.Or(in.Description, ""),
		KeyID: member.Or(in.KmsKeyId, ""), CreatedAt: now, ChangedAt: now,
	}
	if sec.Tags, err = mergeTags(nil, in.Tags); err != nil {
		return nil, err
	}
	sec.Tagged = len(sec.Tags) > 0
	same, err := s.created(ctx, in, v)
	if same != nil || err != nil {
		return same, err
	}
	var first secret.Version
	if v != nil {
		id, err := token(in.ClientRequestToken)
		if err != nil {
			return nil, err
		}
		if first, err = s.seal(ctx, &sec, id, v); err != nil {
			return nil, err
		}
	}
	err = s.deps.Store.Update(ctx, func(tx store.Tx) error {
		if old, ok, err := secrets.Secrets.Find(tx, sec.Account, sec.Region, sec.Name); err != nil || ok {
			return taken(&old, err)
		}
		fresh := sec
		if v != nil {
			if err := s.add(tx, &fresh, &first, []string{secret.Current}); err != nil {
				return err
			}
		}
		return secrets.Secrets.Put(tx, &fresh)
	})
	if err != nil {
		return nil, err
	}
	return &api.CreateSecretOutput{ARN: new(sec.ARN()), Name: &sec.Name, VersionId: text(first.ID)}, nil
}

func taken(sec *secret.Secret, err error) error {
	switch {
	case err != nil:
		return err
	case sec.Deleted():
		return api.InvalidRequestException("You can't create this secret because a secret with this name is already scheduled for deletion.")
	}
	return api.ResourceExistsException("The operation failed because the secret " + sec.Name + " already exists.")
}

// created is the answer to a request that was answered before, nil if it was not,
// and the error where the name is taken.
func (s *Service) created(ctx context.Context, in *api.CreateSecretInput, v *value) (out *api.CreateSecretOutput, err error) {
	c := auth.CallerFrom(ctx)
	err = s.deps.Store.View(ctx, func(tx store.Tx) error {
		out = nil
		sec, ok, err := secrets.Secrets.Find(tx, c.Account, c.Region, *in.Name)
		if err != nil || !ok {
			return err
		}
		if in.ClientRequestToken == nil || v == nil || sec.Deleted() {
			return taken(&sec, nil)
		}
		old, ok, err := secrets.Versions.Find(tx, sec.Account, sec.Region, sec.Name, *in.ClientRequestToken)
		if err != nil || !ok || !sameDigest(&old, s.digest(v)) {
			return taken(&sec, err)
		}
		out = &api.CreateSecretOutput{ARN: new(sec.ARN()), Name: &sec.Name, VersionId: &old.ID}
		return nil
	})
	return out, err
}

func sameDigest(v *secret.Version, digest []byte) bool { return string(v.Digest) == string(digest) }

// UpdateSecret changes a secret's description, key, or value, which makes a version.
// Under another key, versions that have one of Secrets Manager's own staging labels
// are encrypted anew.
func (s *Service) UpdateSecret(ctx context.Context, in *api.UpdateSecretInput) (*api.UpdateSecretOutput, error) {
	v, err := given(in.SecretString, in.SecretBinary)
	if err != nil {
		return nil, err
	}
	if in.Type != nil {
		return nil, api.InvalidParameterException("Managed external secrets are not supported in this region.")
	}
	var sec secret.Secret
	err = s.deps.Store.View(ctx, func(tx store.Tx) (err error) {
		sec, err = living(ctx, tx, *in.SecretId)
		return err
	})
	if err != nil {
		return nil, err
	}
	was := sec.KeyID
	sec.KeyID = member.Or(in.KmsKeyId, sec.KeyID)
	var fresh secret.Version
	if v != nil {
		id, err := token(in.ClientRequestToken)
		if err != nil {
			return nil, err
		}
		if fresh, err = s.seal(ctx, &sec, id, v); err != nil {
			return nil, err
		}
	}
	var anew []secret.Version
	if sec.KeyID != was {
		if anew, err = s.reseal(ctx, &sec); err != nil {
			return nil, err
		}
	}
	suffix := sec.Suffix
	sec, err = s.change(ctx, *in.SecretId, func(tx store.Tx, now *secret.Secret) error {
		if now.Suffix != suffix {
			return noSecret()
		}
		now.Description, now.KeyID = member.Or(in.Description, now.Description), member.Or(in.KmsKeyId, now.KeyID)
		now.ChangedAt = s.now()
		for i := range anew {
			old, ok, err := secrets.Versions.Find(tx, now.Account, now.Region, now.Name, anew[i].ID)
			if err != nil {
				return err
			}
			if ok && sameDigest(&old, anew[i].Digest) {
				old.Sealed, old.KeyID = anew[i].Sealed, anew[i].KeyID
				if err := secrets.Versions.Put(tx, &old); err != nil {
					return err
				}
			}
		}
		if v == nil {
			return nil
		}
		return s.put(tx, now, &fresh, []string{secret.Current}, false)
	})
	if err != nil {
		return nil, err
	}
	return &api.UpdateSecretOutput{ARN: new(sec.ARN()), Name: &sec.Name, VersionId: text(fresh.ID)}, nil
}

// reseal encrypts the labelled versions of a secret under its key, as far as the
// caller may.
func (s *Service) reseal(ctx context.Context, sec *secret.Secret) (out []secret.Version, err error) {
	var old []secret.Version
	err = s.deps.Store.View(ctx, func(tx store.Tx) error {
		old = old[:0]
		for _, stage := range []string{secret.Current, secret.Previous, secret.Pending} {
			if id := sec.Stages[stage]; id != "" {
				v, ok, err := secrets.Versions.Find(tx, sec.Account, sec.Region, sec.Name, id)
				if err != nil {
					return err
				}
				if ok {
					old = append(old, v)
				}
			}
		}
		return nil
	})
	for i := range old {
		b, e := s.open(ctx, sec, &old[i])
		if e != nil {
			continue
		}
		v, e := s.seal(ctx, sec, old[i].ID, &value{b, old[i].Binary})
		if e != nil {
			continue
		}
		out = append(out, v)
	}
	return out, err
}

// DescribeSecret shows a secret without its values.
func (s *Service) DescribeSecret(ctx context.Context, in *api.DescribeSecretInput) (*api.DescribeSecretOutput, error) {
	var sec secret.Secret
	err := s.deps.Store.View(ctx, func(tx store.Tx) (err error) {
		sec, err = find(ctx, tx, *in.SecretId)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &api.DescribeSecretOutput{
		ARN: new(sec.ARN()), Name: &sec.Name, Description: text(sec.Description), KmsKeyId: text(sec.KeyID),
		CreatedDate: &sec.CreatedAt, LastChangedDate: &sec.ChangedAt, LastAccessedDate: date(sec.AccessedAt), DeletedDate: date(sec.DeletedAt),
		Tags: tagsOf(&sec), VersionIdsToStages: stagesOf(&sec),
	}, nil
}

// stagesOf are the labelled versions of a secret; nil where there are none.
func stagesOf(sec *secret.Secret) map[string][]string {
	if len(sec.Stages) == 0 {
		return nil
	}
	return sec.Staged()
}

// Windows of deletion, in days.
const minWindow, maxWindow = 7, 30

// DeleteSecret lets a secret be deleted after some days, or at once.
func (s *Service) DeleteSecret(ctx context.Context, in *api.DeleteSecretInput) (*api.DeleteSecretOutput, error) {
	force := member.Or(in.ForceDeleteWithoutRecovery, false)
	days := member.Or(in.RecoveryWindowInDays, maxWindow)
	switch {
	case force && in.RecoveryWindowInDays != nil:
		return nil, api.InvalidParameterException("You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.")
	case days < minWindow || days > maxWindow:
		return nil, api.InvalidParameterException("RecoveryWindowInDays value must be between 7 and 30 days (inclusive).")
	}
	out := &api.DeleteSecretOutput{}
	err := s.deps.Store.Update(ctx, func(tx store.Tx) error {
		now := s.now()
		lookup := living
		if force {
			lookup = find
		}
		sec, err := lookup(ctx, tx, *in.SecretId)
		if force && err != nil && err.Error() == noSecret().Error() {
			*out = gone(ctx, *in.SecretId, now)
			return nil
		}
		if err != nil {
			return err
		}
		if !sec.Deleted() {
			sec.DeletedAt = now
		}
		sec.DeletionAt = now
		if !force {
			sec.DeletionAt = now.AddDate(0, 0, int(days))
		}
		*out = api.DeleteSecretOutput{ARN: new(sec.ARN()), Name: &sec.Name, DeletionDate: &sec.DeletionAt}
		return secrets.Secrets.Put(tx, &sec)
	})
	return out, err
}

// gone is the answer about a secret that is to be deleted at once and is not there.
func gone(ctx context.Context, id string, now time.Time) api.DeleteSecretOutput {
	c := auth.CallerFrom(ctx)
	r := secret.Parse(id, c.Account, c.Region)
	return api.DeleteSecretOutput{ARN: new(secret.ARN(r.Account, r.Region, r.Name)), Name: &r.Name, DeletionDate: &now}
}

// RestoreSecret keeps a secret whose deletion was asked for.
func (s *Service) RestoreSecret(ctx context.Context, in *api.RestoreSecretInput) (*api.RestoreSecretOutput, error) {
	out := &api.RestoreSecretOutput{}
	err := s.deps.Store.Update(ctx, func(tx store.Tx) error {
		sec, err := find(ctx, tx, *in.SecretId)
		if err == nil && sec.Deleted() && !sec.DeletionAt.After(s.now()) {
			err = noSecret()
		}
		if err != nil {
			return err
		}
		sec.DeletedAt, sec.DeletionAt = time.Time{}, time.Time{}
		out.ARN, out.Name = new(sec.ARN()), &sec.Name
		return secrets.Secrets.Put(tx, &sec)
	})
	return out, err
}

// RotateSecret is refused: there are no functions that rotate.
func (s *Service) RotateSecret(ctx context.Context, in *api.RotateSecretInput) (*api.RotateSecretOutput, error) {
	err := s.deps.Store.View(ctx, func(tx store.Tx) error {
		_, err := living(ctx, tx, *in.SecretId)
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case in.RotationLambdaARN == nil || *in.RotationLambdaARN == "":
		return nil, api.InvalidRequestException("No Lambda rotation function ARN is associated with this secret.")
	}
	return nil, denied("Secrets Manager cannot invoke the specified Lambda function. Ensure that the function policy grants access to the principal secretsmanager.amazonaws.com.")
}
