package kms

import (
	"context"
	"regexp"
	"strings"

	"neargate/auth"
	api "neargate/aws/kms"
	"neargate/resource/key"
	"neargate/service/internal/member"
	"neargate/store"
	"neargate/store/tables/keys"
	"neargate/wire/shape"
)

// maxAliases is how many aliases a key may have.
const maxAliases = 50

var aliasPattern = regexp.MustCompile(`^alias/[a-zA-Z0-9/_-]+$`)

// checkAlias refuses names that users cannot give.
func checkAlias(name string) error {
	switch {
	case !strings.HasPrefix(name, "alias/"):
		return shape.Errorf("ValidationException", "Alias must start with the prefix \"alias/\". Please see https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html")
	case strings.HasPrefix(name, "alias/aws/"):
		return shape.Errorf("NotAuthorizedException", "")
	case !aliasPattern.MatchString(name):
		return api.InvalidAliasNameException("Alias " + name + " contains invalid characters for an alias")
	}
	return nil
}

// CreateAlias gives a key another name.
func (s *Service) CreateAlias(ctx context.Context, in *api.CreateAliasInput) (*api.CreateAliasOutput, error) {
	if err := checkAlias(*in.AliasName); err != nil {
		return nil, err
	}
	c := auth.CallerFrom(ctx)
	err := s.deps.Store.Update(ctx, func(tx store.Tx) error {
		a := key.Alias{Account: c.Account, Region: c.Region, Name: *in.AliasName, CreatedAt: s.now()}
		_, ok, err := keys.Aliases.Find(tx, a.Account, a.Region, a.Name)
		if err != nil {
			return err
		}
		if ok {
			return api.AlreadyExistsException("An alias with the name " + a.ARN() + " already exists")
		}
		return s.aim(ctx, tx, &a, *in.TargetKeyId)
	})
	return &api.CreateAliasOutput{}, err
}

// UpdateAlias makes an alias name another key.
func (s *Service) UpdateAlias(ctx context.Context, in *api.UpdateAliasInput) (*api.UpdateAliasOutput, error) {
	if err := checkAlias(*in.AliasName); err != nil {
		return nil, err
	}
	err := s.deps.Store.Update(ctx, func(tx store.Tx) error {
		a, err := findAlias(ctx, tx, *in.AliasName)
		if err != nil {
			return err
		}
		return s.aim(ctx, tx, &a, *in.TargetKeyId)
	})
	return &api.UpdateAliasOutput{}, err
}

// aim stores an alias that names the key from now on.
func (s *Service) aim(ctx context.Context, tx store.Tx, a *key.Alias, target string) error {
	k, err := own(ctx, tx, target)
	if err = firstOf(err, living(&k)); err != nil {
		return err
	}
	if k.Manager == key.AWS {
		return shape.Errorf("NotAuthorizedException", "")
	}
	if a.Key != k.ID && tx.Count(store.Prefix(keys.ByKey, k.Account, k.Region, k.ID)) >= maxAliases {
		return api.LimitExceededException("You have exceeded the maximum number of aliases for the key.")
	}
	a.Key, a.UpdatedAt = k.ID, s.now()
	return keys.Aliases.Put(tx, a)
}

func findAlias(ctx context.Context, tx store.Tx, name string) (key.Alias, error) {
	c := auth.CallerFrom(ctx)
	a, ok, err := keys.Aliases.Find(tx, c.Account, c.Region, name)
	if err == nil && !ok {
		err = api.NotFoundException("Alias " + key.AliasARN(c.Account, c.Region, name) + " is not found.")
	}
	return a, err
}

// DeleteAlias removes an alias; the key stays.
func (s *Service) DeleteAlias(ctx context.Context, in *api.DeleteAliasInput) (*api.DeleteAliasOutput, error) {
	if err := checkAlias(*in.AliasName); err != nil {
		return nil, err
	}
	err := s.deps.Store.Update(ctx, func(tx store.Tx) error {
		a, err := findAlias(ctx, tx, *in.AliasName)
		if err != nil {
			return err
		}
		return keys.Aliases.Delete(tx, a.Account, a.Region, a.Name)
	})
	return &api.DeleteAliasOutput{}, err
}

// ListAliases lists the account's aliases, or those of one key.
func (s *Service) ListAliases(ctx context.Context, in *api.ListAliasesInput) (*api.ListAliasesOutput, error) {
	c := auth.CallerFrom(ctx)
	last, scope, err := s.marker(ctx, in.Marker, "ListAliases", member.Or(in.KeyId, ""))
	if err != nil {
		return nil, err
	}
	limit := int(member.Or(in.Limit, defaultLimit))
	out := &api.ListAliasesOutput{Aliases: []api.AliasListEntry{}, Truncated: new(false)}
	err = s.deps.Store.View(ctx, func(tx store.Tx) error {
		of := ""
		if in.KeyId != nil {
			k, err := own(ctx, tx, *in.KeyId)
			if err != nil {
				return err
			}
			of = k.ID
		}
		found, err := aliasesAfter(tx, c, of, last, limit+1)
		if err != nil {
			return err
		}
		if len(found) > limit {
			found, out.Truncated = found[:limit], new(true)
			out.NextMarker = new(s.pages.Seal(found[limit-1].Name, scope...))
		}
		for _, a := range found {
			out.Aliases = append(out.Aliases, api.AliasListEntry{
				AliasName: &a.Name, AliasArn: new(a.ARN()), TargetKeyId: &a.Key, CreationDate: &a.CreatedAt, LastUpdatedDate: &a.UpdatedAt,
			})
		}
		return nil
	})
	return out, err
}

// aliasesAfter lists aliases by name, of one key or, where of is empty, of all.
func aliasesAfter(tx store.Tx, c auth.Caller, of, last string, limit int) ([]key.Alias, error) {
	if of == "" {
		var after []string
		if last != "" {
			after = []string{c.Account, c.Region, last}
		}
		return store.Collect(keys.Aliases.Page(tx, []string{c.Account, c.Region}, after, limit))
	}
	after := ""
	if last != "" {
		after = keys.Aliases.IndexKey(keys.ByKey, &key.Alias{Account: c.Account, Region: c.Region, Name: last, Key: of})
	}
	return store.Collect(keys.Aliases.ByPage(tx, keys.ByKey, []string{c.Account, c.Region, of}, after, limit))
}
