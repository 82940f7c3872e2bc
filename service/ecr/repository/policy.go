package repository

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"neargate/auth"
	api "neargate/aws/ecr"
	"neargate/resource/image"
	"neargate/service/ecr/internal/call"
	"neargate/store"
	"neargate/store/tables/repositories"
)

func noPolicy(r *image.Repository) error {
	return api.RepositoryPolicyNotFoundException(fmt.Sprintf(
		"Repository policy does not exist for the repository with name '%s' in the registry with id '%s'", r.Name, r.Account))
}

// SetRepositoryPolicy sets the policy of a repository.
func (s *Service) SetRepositoryPolicy(ctx context.Context, in *api.SetRepositoryPolicyInput) (*api.SetRepositoryPolicyOutput, error) {
	text, err := call.Policy(*in.PolicyText, "repository")
	if err != nil {
		return nil, err
	}
	account, _ := call.Registry(ctx, in.RegistryId)
	err = s.Change(ctx, in.RegistryId, in.RepositoryName, func(tx store.Tx, r *image.Repository) error {
		r.Policy = text
		return repositories.Repositories.Put(tx, r)
	})
	if err != nil {
		return nil, err
	}
	return &api.SetRepositoryPolicyOutput{RegistryId: &account, RepositoryName: in.RepositoryName, PolicyText: &text}, nil
}

// GetRepositoryPolicy answers the policy of a repository.
func (s *Service) GetRepositoryPolicy(ctx context.Context, in *api.GetRepositoryPolicyInput) (*api.GetRepositoryPolicyOutput, error) {
	out := &api.GetRepositoryPolicyOutput{}
	err := s.Read(ctx, in.RegistryId, in.RepositoryName, func(_ store.Tx, r *image.Repository) error {
		if r.Policy == "" {
			return noPolicy(r)
		}
		out.RegistryId, out.RepositoryName, out.PolicyText = &r.Account, &r.Name, &r.Policy
		return nil
	})
	return out, err
}

// DeleteRepositoryPolicy removes the policy of a repository.
func (s *Service) DeleteRepositoryPolicy(ctx context.Context, in *api.DeleteRepositoryPolicyInput) (*api.DeleteRepositoryPolicyOutput, error) {
	out := &api.DeleteRepositoryPolicyOutput{}
	err := s.Change(ctx, in.RegistryId, in.RepositoryName, func(tx store.Tx, r *image.Repository) error {
		if r.Policy == "" {
			return noPolicy(r)
		}
		text := r.Policy
		out.RegistryId, out.RepositoryName, out.PolicyText = &r.Account, &r.Name, &text
		r.Policy = ""
		return repositories.Repositories.Put(tx, r)
	})
	return out, err
}

func noLifecycle(r *image.Repository) error {
	return api.LifecyclePolicyNotFoundException(fmt.Sprintf(
		"Lifecycle policy does not exist for the repository with name '%s' in the registry with id '%s'", r.Name, r.Account))
}

// lifecycle checks a lifecycle policy and returns it without blanks.
func lifecycle(text string) ([]image.Rule, string, error) {
	rules, compact, err := image.ParseLifecycle(text)
	if err != nil {
		return nil, "", call.Invalid("LifecyclePolicyText", "Lifecycle policy validation failure: "+err.Error()+"\n")
	}
	return rules, compact, nil
}

// PutLifecyclePolicy sets the lifecycle policy of a repository.
func (s *Service) PutLifecyclePolicy(ctx context.Context, in *api.PutLifecyclePolicyInput) (*api.PutLifecyclePolicyOutput, error) {
	_, text, err := lifecycle(*in.LifecyclePolicyText)
	if err != nil {
		return nil, err
	}
	account, _ := call.Registry(ctx, in.RegistryId)
	err = s.Change(ctx, in.RegistryId, in.RepositoryName, func(tx store.Tx, r *image.Repository) error {
		r.Lifecycle = image.Lifecycle{Text: text, SetAt: s.Now().UTC()}
		return repositories.Repositories.Put(tx, r)
	})
	if err != nil {
		return nil, err
	}
	return &api.PutLifecyclePolicyOutput{RegistryId: &account, RepositoryName: in.RepositoryName, LifecyclePolicyText: &text}, nil
}

// evaluated is when a lifecycle policy was last applied, as ECR shows it.
func evaluated(l *image.Lifecycle) *time.Time {
	if l.Evaluated.IsZero() {
		return new(time.Unix(0, 0).UTC())
	}
	return &l.Evaluated
}

// GetLifecyclePolicy answers the lifecycle policy of a repository.
func (s *Service) GetLifecyclePolicy(ctx context.Context, in *api.GetLifecyclePolicyInput) (*api.GetLifecyclePolicyOutput, error) {
	out := &api.GetLifecyclePolicyOutput{}
	err := s.Read(ctx, in.RegistryId, in.RepositoryName, func(_ store.Tx, r *image.Repository) error {
		if r.Lifecycle.Text == "" {
			return noLifecycle(r)
		}
		out.RegistryId, out.RepositoryName = &r.Account, &r.Name
		out.LifecyclePolicyText, out.LastEvaluatedAt = &r.Lifecycle.Text, evaluated(&r.Lifecycle)
		return nil
	})
	return out, err
}

// DeleteLifecyclePolicy removes the lifecycle policy of a repository.
func (s *Service) DeleteLifecyclePolicy(ctx context.Context, in *api.DeleteLifecyclePolicyInput) (*api.DeleteLifecyclePolicyOutput, error) {
	out := &api.DeleteLifecyclePolicyOutput{}
	err := s.Change(ctx, in.RegistryId, in.RepositoryName, func(tx store.Tx, r *image.Repository) error {
		if r.Lifecycle.Text == "" {
			return noLifecycle(r)
		}
		was := r.Lifecycle
		out.RegistryId, out.RepositoryName = &r.Account, &r.Name
		out.LifecyclePolicyText, out.LastEvaluatedAt = &was.Text, evaluated(&was)
		r.Lifecycle = image.Lifecycle{}
		return repositories.Repositories.Put(tx, r)
	})
	return out, err
}

// StartLifecyclePolicyPreview finds out what a lifecycle policy would do: the one of
// the request, or that of the repository. It does so at once.
func (s *Service) StartLifecyclePolicyPreview(ctx context.Context, in *api.StartLifecyclePolicyPreviewInput) (*api.StartLifecyclePolicyPreviewOutput, error) {
	var p image.Preview
	err := s.Change(ctx, in.RegistryId, in.RepositoryName, func(tx store.Tx, r *image.Repository) error {
		p = image.Preview{Account: r.Account, Region: r.Region, Repository: r.Name, Status: image.Complete, At: s.Now().UTC(), Text: r.Lifecycle.Text}
		if in.LifecyclePolicyText != nil {
			p.Text = *in.LifecyclePolicyText
		}
		if p.Text == "" {
			return noLifecycle(r)
		}
		rules, compact, err := lifecycle(p.Text)
		if err != nil {
			return err
		}
		candidates, err := repositories.Candidates(tx, r.Account, r.Region, r.Name)
		if err != nil {
			return err
		}
		p.Text = compact
		p.Doomed, _ = image.Evaluate(rules, candidates, p.At)
		return repositories.Previews.Put(tx, &p)
	})
	if err != nil {
		return nil, err
	}
	return &api.StartLifecyclePolicyPreviewOutput{
		RegistryId: &p.Account, RepositoryName: &p.Repository, LifecyclePolicyText: &p.Text, Status: new(image.InProgress),
	}, nil
}

// GetLifecyclePolicyPreview answers what a lifecycle policy would do, as found out
// when it was asked for.
func (s *Service) GetLifecyclePolicyPreview(ctx context.Context, in *api.GetLifecyclePolicyPreviewInput) (*api.GetLifecyclePolicyPreviewOutput, error) {
	account, region := call.Registry(ctx, in.RegistryId)
	out := &api.GetLifecyclePolicyPreviewOutput{}
	err := s.Read(ctx, in.RegistryId, in.RepositoryName, func(tx store.Tx, r *image.Repository) error {
		p, ok, err := repositories.Previews.Find(tx, r.Account, r.Region, r.Name)
		if err != nil {
			return err
		}
		if !ok {
			return api.LifecyclePolicyPreviewNotFoundException(fmt.Sprintf(
				"Lifecycle policy preview does not exist for the repository with name '%s' in the registry with id '%s'", r.Name, r.Account))
		}
		out.RegistryId, out.RepositoryName, out.LifecyclePolicyText, out.Status = &r.Account, &r.Name, &p.Text, &p.Status
		out.Summary = &api.LifecyclePolicyPreviewSummary{ExpiringImageTotalCount: new(int32(len(p.Doomed)))}
		scope := []string{auth.CallerFrom(ctx).Account, account, region, "GetLifecyclePolicyPreview", r.Name, p.At.String()}
		out.PreviewResults, out.NextToken, err = s.results(in, p.Doomed, scope)
		return err
	})
	return out, err
}

// results is a page of what a preview found.
func (s *Service) results(in *api.GetLifecyclePolicyPreviewInput, doomed []image.Doomed, scope []string) ([]api.LifecyclePolicyPreviewResult, *string, error) {
	byDigest := map[string]int{}
	for i, d := range doomed {
		byDigest[d.Digest] = i
	}
	wanted := func(d *image.Doomed) bool {
		if f := in.Filter; f != nil && f.TagStatus != nil && *f.TagStatus != "ANY" && (*f.TagStatus == "TAGGED") != (len(d.Tags) > 0) {
			return false
		}
		return len(in.ImageIds) == 0 || named(in.ImageIds, d)
	}
	list := func(after []string) iter.Seq2[image.Doomed, error] {
		return func(yield func(image.Doomed, error) bool) {
			from := 0
			if len(after) > 0 {
				from = byDigest[after[0]] + 1
			}
			for _, d := range doomed[from:] {
				if !yield(d, nil) {
					return
				}
			}
		}
	}
	return call.Page(s.Call, in.NextToken, in.MaxResults, scope, list, func(d *image.Doomed) []string { return []string{d.Digest} },
		func(d *image.Doomed) (api.LifecyclePolicyPreviewResult, bool, error) {
			return api.LifecyclePolicyPreviewResult{
				ImageDigest: &d.Digest, ImageTags: d.Tags, ImagePushedAt: &d.PushedAt, AppliedRulePriority: &d.Priority,
				Action: &api.LifecyclePolicyRuleAction{Type: new("EXPIRE")},
			}, wanted(d), nil
		})
}

// named reports whether one of the identifiers names an image.
func named(ids []api.ImageIdentifier, d *image.Doomed) bool {
	return slices.ContainsFunc(ids, func(id api.ImageIdentifier) bool {
		return (id.ImageDigest == nil || *id.ImageDigest == d.Digest) && (id.ImageTag == nil || slices.Contains(d.Tags, *id.ImageTag))
	})
}
