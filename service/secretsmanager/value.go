package secretsmanager

import (
	"context"
	"errors"
	"slices"
	"strings"

	"neargate/auth"
	api "neargate/aws/secretsmanager"
	"neargate/resource/secret"
	"neargate/service/internal/member"
	"neargate/service/internal/page"
	"neargate/store"
	"neargate/store/tables/secrets"
	"neargate/wire/shape"
)

// PutSecretValue makes a version of a secret.
func (s *Service) PutSecretValue(ctx context.Context, in *api.PutSecretValueInput) (*api.PutSecretValueOutput, error) {
	v, err := given(in.SecretString, in.SecretBinary)
	if err == nil && v == nil {
		err = api.InvalidRequestException("You must provide either SecretString or SecretBinary.")
	}
	if err != nil {
		return nil, err
	}
	id, err := token(in.ClientRequestToken)
	if err != nil {
		return nil, err
	}
	var sec secret.Secret
	err = s.deps.Store.View(ctx, func(tx store.Tx) (err error) {
		sec, err = living(ctx, tx, *in.SecretId)
		return err
	})
	if err != nil {
		return nil, err
	}
	fresh, err := s.seal(ctx, &sec, id, v)
	if err != nil {
		return nil, err
	}
	suffix := sec.Suffix
	sec, err = s.change(ctx, *in.SecretId, func(tx store.Tx, now *secret.Secret) error {
		if now.Suffix != suffix {
			return noSecret()
		}
		stages := in.VersionStages
		if stages == nil || now.Versions == 0 && !slices.Contains(stages, secret.Current) {
			stages = append(slices.Clone(stages), secret.Current)
		}
		return s.put(tx, now, &fresh, stages, in.VersionStages != nil)
	})
	if err != nil {
		return nil, err
	}
	return &api.PutSecretValueOutput{ARN: new(sec.ARN()), Name: &sec.Name, VersionId: &id, VersionStages: sec.StagesOf(id)}, nil
}

// GetSecretValue shows a version of a secret: the one named, or the current one.
func (s *Service) GetSecretValue(ctx context.Context, in *api.GetSecretValueInput) (*api.GetSecretValueOutput, error) {
	var sec secret.Secret
	var v secret.Version
	err := s.deps.Store.View(ctx, func(tx store.Tx) (err error) {
		if sec, err = living(ctx, tx, *in.SecretId); err == nil {
			v, err = pick(tx, &sec, in.VersionId, in.VersionStage)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	b, err := s.open(ctx, &sec, &v)
	if err != nil {
		return nil, err
	}
	if err := s.note(ctx, &sec, &v); err != nil {
		return nil, err
	}
	out := &api.GetSecretValueOutput{
		ARN: new(sec.ARN()), Name: &sec.Name, VersionId: &v.ID, VersionStages: sec.StagesOf(v.ID), CreatedDate: &v.CreatedAt,
	}
	if v.Binary {
		out.SecretBinary = b
	} else {
		out.SecretString = new(string(b))
	}
	return out, nil
}

// pick finds the version of a secret that an id and a staging label name.
func pick(tx store.Tx, sec *secret.Secret, id, stage *string) (secret.Version, error) {
	const missing = "Secrets Manager can't find the specified secret value for "
	if id == nil {
		name := member.Or(stage, secret.Current)
		if sec.Stages[name] == "" {
			return secret.Version{}, api.ResourceNotFoundException(missing + "staging label: " + name)
		}
		return secrets.Versions.Get(tx, sec.Account, sec.Region, sec.Name, sec.Stages[name])
	}
	v, ok, err := secrets.Versions.Find(tx, sec.Account, sec.Region, sec.Name, *id)
	switch {
	case err == nil && !ok:
		err = api.ResourceNotFoundException(missing + "VersionId: " + *id)
	case err == nil && stage != nil && sec.Stages[*stage] != *id:
		err = api.InvalidRequestException("You provided a VersionStage that is not associated to the provided VersionId.")
	}
	return v, err
}

// note keeps the day a secret was last read on.
func (s *Service) note(ctx context.Context, sec *secret.Secret, v *secret.Version) error {
	today := s.today()
	if sec.AccessedAt.Equal(today) && v.AccessedAt.Equal(today) {
		return nil
	}
	return s.deps.Store.Update(ctx, func(tx store.Tx) error {
		now, ok, err := secrets.Secrets.Find(tx, sec.Account, sec.Region, sec.Name)
		if err != nil || !ok || now.Suffix != sec.Suffix {
			return err
		}
		now.AccessedAt = today
		if err := secrets.Secrets.Put(tx, &now); err != nil {
			return err
		}
		version, ok, err := secrets.Versions.Find(tx, sec.Account, sec.Region, sec.Name, v.ID)
		if err != nil || !ok {
			return err
		}
		version.AccessedAt = today
		return secrets.Versions.Put(tx, &version)
	})
}

// BatchGetSecretValue shows the current versions of several secrets, given by name
// or by filters, and says of each that cannot be shown why.
func (s *Service) BatchGetSecretValue(ctx context.Context, in *api.BatchGetSecretValueInput) (*api.BatchGetSecretValueOutput, error) {
	c := auth.CallerFrom(ctx)
	if (len(in.SecretIdList) > 0) == (len(in.Filters) > 0) {
		return nil, api.InvalidParameterException("Either 'SecretIdList' or 'Filters' must be provided, but not both.")
	}
	ids := in.SecretIdList
	out := &api.BatchGetSecretValueOutput{SecretValues: []api.SecretValueEntry{}, Errors: []api.APIErrorType{}}
	if len(in.Filters) > 0 {
		list, err := s.ListSecrets(ctx, &api.ListSecretsInput{Filters: in.Filters, MaxResults: new(member.Or(in.MaxResults, 20)), NextToken: in.NextToken})
		if err != nil {
			return nil, err
		}
		for i := range list.SecretList {
			ids = append(ids, *list.SecretList[i].ARN)
		}
		out.NextToken = list.NextToken
	} else if in.MaxResults != nil || in.NextToken != nil {
		return nil, api.InvalidParameterException("'MaxResults' and 'NextToken' can be used with 'Filters' only.")
	}
	for _, id := range ids {
		err := s.deps.Store.View(ctx, func(tx store.Tx) error {
			return auth.MayReadSecret(tx, c, s.deps.Now(), id)
		})
		if d, refused := errors.AsType[*auth.Denied](err); refused {
			err = denied(d.Error())
		}
		var v *api.GetSecretValueOutput
		if err == nil {
			v, err = s.GetSecretValue(ctx, &api.GetSecretValueInput{SecretId: &id})
		}
		e, failed := errors.AsType[*shape.Error](err)
		switch {
		case failed:
			out.Errors = append(out.Errors, api.APIErrorType{SecretId: &id, ErrorCode: &e.Code, Message: &e.Message})
		case err != nil:
			return nil, err
		default:
			out.SecretValues = append(out.SecretValues, api.SecretValueEntry(*v))
		}
	}
	return out, nil
}

// UpdateSecretVersionStage moves a staging label between versions, or takes it away.
func (s *Service) UpdateSecretVersionStage(ctx context.Context, in *api.UpdateSecretVersionStageInput) (*api.UpdateSecretVersionStageOutput, error) {
	stage, from, to := *in.VersionStage, member.Or(in.RemoveFromVersionId, ""), member.Or(in.MoveToVersionId, "")
	sec, err := s.change(ctx, *in.SecretId, func(tx store.Tx, sec *secret.Secret) error {
		for _, id := range []string{from, to} {
			if id == "" {
				continue
			}
			_, ok, err := secrets.Versions.Find(tx, sec.Account, sec.Region, sec.Name, id)
			if err != nil {
				return err
			}
			if !ok {
				return api.ResourceNotFoundException("Secrets Manager can't find the specified secret value for VersionId: " + id)
			}
		}
		holder := sec.Stages[stage]
		switch {
		case from != "" && holder != from:
			return api.InvalidParameterException("The parameter RemoveFromVersionId is not valid: staging label " + stage + " is not attached to version " + from + ".")
		case to == "" && from == "":
			return api.InvalidParameterException("You must specify RemoveFromVersionId or MoveToVersionId.")
		case to == "" && stage == secret.Current:
			return api.InvalidParameterException("You can only move staging label AWSCURRENT to a different secret version. It can't be completely removed.")
		case to != "" && holder != "" && holder != to && from == "":
			return api.InvalidParameterException("The parameter RemoveFromVersionId can't be empty. Staging label " + stage + " is currently attached to version " + holder + ", so you must explicitly reference that version in RemoveFromVersionId.")
		case to == "":
			sec.Drop(stage)
		default:
			sec.Move(stage, to)
		}
		sec.ChangedAt = s.now()
		return checkStages(sec, to)
	})
	if err != nil {
		return nil, err
	}
	return &api.UpdateSecretVersionStageOutput{ARN: new(sec.ARN()), Name: &sec.Name}, nil
}

// ListSecretVersionIds lists the versions of a secret that have staging labels, or
// all of them, the oldest first.
func (s *Service) ListSecretVersionIds(ctx context.Context, in *api.ListSecretVersionIdsInput) (*api.ListSecretVersionIdsOutput, error) {
	last, scope, err := s.position(ctx, in.NextToken, "ListSecretVersionIds", *in.SecretId)
	if err != nil {
		return nil, err
	}
	out := &api.ListSecretVersionIdsOutput{}
	err = s.deps.Store.View(ctx, func(tx store.Tx) error {
		*out = api.ListSecretVersionIdsOutput{Versions: []api.SecretVersionsListEntry{}}
		sec, err := find(ctx, tx, *in.SecretId)
		if err != nil {
			return err
		}
		out.ARN, out.Name = new(sec.ARN()), &sec.Name
		all, err := store.Collect(secrets.Versions.List(tx, sec.Account, sec.Region, sec.Name))
		if err != nil {
			return err
		}
		key := func(v *secret.Version) string { return v.CreatedAt.Format(stamp) + v.ID }
		slices.SortFunc(all, func(a, b secret.Version) int { return strings.Compare(key(&a), key(&b)) })
		for i := range all {
			v := &all[i]
			stages := sec.StagesOf(v.ID)
			if key(v) <= last || len(stages) == 0 && !member.Or(in.IncludeDeprecated, false) {
				continue
			}
			if n := len(out.Versions); n == int(member.Or(in.MaxResults, 100)) {
				out.NextToken = new(s.pages.Seal(out.Versions[n-1].CreatedDate.Format(stamp)+*out.Versions[n-1].VersionId, scope...))
				return nil
			}
			e := api.SecretVersionsListEntry{VersionId: &v.ID, CreatedDate: &v.CreatedAt, LastAccessedDate: date(v.AccessedAt), KmsKeyIds: []string{"DefaultEncryptionKey"}}
			if v.KeyID != "" {
				e.KmsKeyIds = []string{v.KeyID}
			}
			if len(stages) > 0 {
				e.VersionStages = stages
			}
			out.Versions = append(out.Versions, e)
		}
		return nil
	})
	return out, err
}

// stamp writes times so that they sort.
const stamp = "20060102150405.000"

// position opens a pagination token. The scope to seal the next one with is given
// back.
func (s *Service) position(ctx context.Context, token *string, scope ...string) (string, []string, error) {
	c := auth.CallerFrom(ctx)
	scope = append([]string{"secretsmanager", c.Account, c.Region}, scope...)
	if token == nil {
		return "", scope, nil
	}
	p, err := s.pages.Open(*token, scope...)
	if errors.Is(err, page.ErrBad) {
		err = api.InvalidNextTokenException("The NextToken value is invalid.")
	}
	return p, scope, err
}
