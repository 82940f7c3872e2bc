package registry

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"neargate/auth"
	api "neargate/aws/ecr"
	"neargate/resource/image"
	"neargate/service/ecr/internal/call"
	"neargate/store"
	"neargate/store/tables/repositories"
)

// upstreams are the registries that rules may be about without credentials, by
// host. Source: Amazon ECR User Guide, "Creating a pull through cache rule".
var upstreams = map[string]string{"public.ecr.aws": "ecr-public", "registry.k8s.io": "k8s", "quay.io": "quay"}

// closed are those that want credentials.
var closed = map[string]string{
	"registry-1.docker.io": "docker-hub", "ghcr.io": "github-container-registry", "registry.gitlab.com": "gitlab-container-registry", "cgr.dev": "chainguard",
}

// mostRules is how many rules a registry may have.
// Source: Amazon ECR service quotas.
const mostRules = 50

func noRule(account, prefix string) error {
	return api.PullThroughCacheRuleNotFoundException(fmt.Sprintf(
		"The pull through cache rule with ecrRepositoryPrefix '%s' does not exist in the registry with id '%s'", prefix, account))
}

// kindOf is the kind of a registry upstream, or ECR's error that it is none.
func kindOf(host string, given *string) (kind string, private bool, err error) {
	if k, ok := upstreams[host]; ok {
		kind = k
	} else if k, ok := closed[host]; ok {
		kind, private = k, true
	} else if strings.HasSuffix(host, ".azurecr.io") {
		kind, private = "azure-container-registry", true
	}
	if kind == "" || given != nil && *given != kind {
		return "", false, api.UnsupportedUpstreamRegistryException(fmt.Sprintf("The upstream registry '%s' is not supported", host))
	}
	return kind, private, nil
}

// CreatePullThroughCacheRule makes repositories under a prefix copies of those of
// another registry.
func (s *Service) CreatePullThroughCacheRule(ctx context.Context, in *api.CreatePullThroughCacheRuleInput) (*api.CreatePullThroughCacheRuleOutput, error) {
	account, region := call.Registry(ctx, in.RegistryId)
	c := image.CacheRule{
		Account: account, Region: region, Prefix: *in.EcrRepositoryPrefix, URL: strings.TrimPrefix(*in.UpstreamRegistryUrl, "https://"),
		UpstreamPrefix: call.Text(in.UpstreamRepositoryPrefix), Role: call.Text(in.CustomRoleArn), CreatedAt: s.Now().UTC(),
	}
	c.UpdatedAt = c.CreatedAt
	var private bool
	var err error
	if c.Upstream, private, err = kindOf(c.URL, in.UpstreamRegistry); err != nil {
		return nil, err
	}
	if private || in.CredentialArn != nil {
		return nil, s.noSecret(in.CredentialArn)
	}
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		_, ok, err := repositories.CacheRules.Find(tx, account, region, c.Prefix)
		switch {
		case err != nil:
			return err
		case ok:
			return api.PullThroughCacheRuleAlreadyExistsException(fmt.Sprintf(
				"A pull through cache rule with ecrRepositoryPrefix '%s' already exists in the registry with id '%s'", c.Prefix, account))
		case tx.Count(store.Prefix(repositories.CacheRules.Name, account, region)) >= mostRules:
			return api.LimitExceededException(fmt.Sprintf("The number of pull through cache rules exceeds the limit of %d", mostRules))
		}
		return repositories.CacheRules.Put(tx, &c)
	})
	if err != nil {
		return nil, err
	}
	return &api.CreatePullThroughCacheRuleOutput{
		CreatedAt: &c.CreatedAt, EcrRepositoryPrefix: &c.Prefix, RegistryId: &account, UpstreamRegistry: &c.Upstream,
		UpstreamRegistryUrl: &c.URL, UpstreamRepositoryPrefix: call.Some(c.UpstreamPrefix), CustomRoleArn: call.Some(c.Role),
	}, nil
}

// noSecret is ECR's error for credentials that are not there: no rule logs in here.
func (s *Service) noSecret(secret *string) error {
	if secret == nil {
		return call.Invalid("credentialArn", "credentialArn is required for this upstream registry")
	}
	return api.SecretNotFoundException("The ARN of the secret specified in the pull through cache rule was not found: " + *secret)
}

// DeletePullThroughCacheRule removes a rule; what was cached stays.
func (s *Service) DeletePullThroughCacheRule(ctx context.Context, in *api.DeletePullThroughCacheRuleInput) (*api.DeletePullThroughCacheRuleOutput, error) {
	account, region := call.Registry(ctx, in.RegistryId)
	var c image.CacheRule
	err := s.Store.Update(ctx, func(tx store.Tx) (err error) {
		var ok bool
		if c, ok, err = repositories.CacheRules.Find(tx, account, region, *in.EcrRepositoryPrefix); err != nil {
			return err
		}
		if !ok {
			return noRule(account, *in.EcrRepositoryPrefix)
		}
		return repositories.CacheRules.Delete(tx, account, region, c.Prefix)
	})
	if err != nil {
		return nil, err
	}
	return &api.DeletePullThroughCacheRuleOutput{
		CreatedAt: &c.CreatedAt, EcrRepositoryPrefix: &c.Prefix, RegistryId: &account, UpstreamRegistryUrl: &c.URL,
		UpstreamRepositoryPrefix: call.Some(c.UpstreamPrefix), CredentialArn: call.Some(c.Credential), CustomRoleArn: call.Some(c.Role),
	}, nil
}

// UpdatePullThroughCacheRule finds no credentials a rule could have.
func (s *Service) UpdatePullThroughCacheRule(ctx context.Context, in *api.UpdatePullThroughCacheRuleInput) (*api.UpdatePullThroughCacheRuleOutput, error) {
	if _, err := s.rule(ctx, in.RegistryId, *in.EcrRepositoryPrefix); err != nil {
		return nil, err
	}
	return nil, s.noSecret(in.CredentialArn)
}

func (s *Service) rule(ctx context.Context, registry *string, prefix string) (c image.CacheRule, err error) {
	account, region := call.Registry(ctx, registry)
	err = s.Store.View(ctx, func(tx store.Tx) error {
		var ok bool
		c, ok, err = repositories.CacheRules.Find(tx, account, region, prefix)
		if err == nil && !ok {
			err = noRule(account, prefix)
		}
		return err
	})
	return c, err
}

// ValidatePullThroughCacheRule answers whether a rule can be used; the rules there
// are need no credentials.
func (s *Service) ValidatePullThroughCacheRule(ctx context.Context, in *api.ValidatePullThroughCacheRuleInput) (*api.ValidatePullThroughCacheRuleOutput, error) {
	c, err := s.rule(ctx, in.RegistryId, *in.EcrRepositoryPrefix)
	if err != nil {
		return nil, err
	}
	return &api.ValidatePullThroughCacheRuleOutput{
		EcrRepositoryPrefix: &c.Prefix, RegistryId: &c.Account, UpstreamRegistryUrl: &c.URL, UpstreamRepositoryPrefix: call.Some(c.UpstreamPrefix),
		CustomRoleArn: call.Some(c.Role), IsValid: new(true),
	}, nil
}

// DescribePullThroughCacheRules answers the rules named, or all, in pages.
func (s *Service) DescribePullThroughCacheRules(ctx context.Context, in *api.DescribePullThroughCacheRulesInput) (*api.DescribePullThroughCacheRulesOutput, error) {
	account, region := call.Registry(ctx, in.RegistryId)
	out := &api.DescribePullThroughCacheRulesOutput{PullThroughCacheRules: []api.PullThroughCacheRule{}}
	scope := []string{auth.CallerFrom(ctx).Account, account, region, "DescribePullThroughCacheRules"}
	err := s.Store.View(ctx, func(tx store.Tx) (err error) {
		for _, p := range in.EcrRepositoryPrefixes {
			c, ok, err := repositories.CacheRules.Find(tx, account, region, p)
			if err != nil {
				return err
			}
			if !ok {
				return noRule(account, p)
			}
			out.PullThroughCacheRules = append(out.PullThroughCacheRules, showRule(&c))
		}
		if len(in.EcrRepositoryPrefixes) > 0 {
			return nil
		}
		out.PullThroughCacheRules, out.NextToken, err = call.Page(s.Call, in.NextToken, in.MaxResults, scope,
			func(after []string) iter.Seq2[image.CacheRule, error] {
				return repositories.CacheRules.Page(tx, []string{account, region}, after, 0)
			}, repositories.CacheRules.Key,
			func(c *image.CacheRule) (api.PullThroughCacheRule, bool, error) { return showRule(c), true, nil })
		return err
	})
	return out, err
}

func showRule(c *image.CacheRule) api.PullThroughCacheRule {
	return api.PullThroughCacheRule{
		CreatedAt: &c.CreatedAt, UpdatedAt: &c.UpdatedAt, EcrRepositoryPrefix: &c.Prefix, RegistryId: &c.Account, UpstreamRegistry: &c.Upstream,
		UpstreamRegistryUrl: &c.URL, UpstreamRepositoryPrefix: call.Some(c.UpstreamPrefix), CustomRoleArn: call.Some(c.Role), CredentialArn: call.Some(c.Credential),
	}
}
