// Package repository answers the part of the ECR API that is about repositories:
// them, their tags, policies and scanning.
package repository

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"neargate/auth"
	api "neargate/aws/ecr"
	"neargate/resource/image"
	"neargate/service"
	"neargate/service/ecr/internal/call"
	"neargate/store"
	"neargate/store/tables/repositories"
)

// Service answers the operations.
type Service struct{ call.Call }

// New returns the service.
func New(d service.Deps) *Service { return &Service{call.New(d)} }

// CreateRepository makes a repository.
func (s *Service) CreateRepository(ctx context.Context, in *api.CreateRepositoryInput) (*api.CreateRepositoryOutput, error) {
	account, region := call.Registry(ctx, in.RegistryId)
	r := image.Repository{
		Account: account, Region: region, Name: *in.RepositoryName, ID: s.IDs.UUID(), CreatedAt: s.Now().UTC(),
		ScanOnPush: in.ImageScanningConfiguration != nil && isTrue(in.ImageScanningConfiguration.ScanOnPush),
	}
	var kind, key *string
	if e := in.EncryptionConfiguration; e != nil {
		kind, key = e.EncryptionType, e.KmsKey
	}
	var err error
	if r.Encryption, err = call.Encryption(kind, key); err != nil {
		return nil, err
	}
	if r.Mutability, r.Exclusions, err = call.Mutability(in.ImageTagMutability, in.ImageTagMutabilityExclusionFilters); err != nil {
		return nil, err
	}
	if r.Labels, err = call.Labels(nil, in.Tags); err != nil {
		return nil, err
	}
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		_, ok, err := repositories.Repositories.Find(tx, account, region, r.Name)
		if err != nil {
			return err
		}
		if ok {
			return api.RepositoryAlreadyExistsException(fmt.Sprintf(
				"The repository with name '%s' already exists in the registry with id '%s'", r.Name, account))
		}
		return repositories.Repositories.Put(tx, &r)
	})
	if err != nil {
		return nil, err
	}
	return &api.CreateRepositoryOutput{Repository: call.ShowRepository(&r)}, nil
}

func isTrue(b *bool) bool { return b != nil && *b }

// DescribeRepositories answers the repositories named, or all, in pages.
func (s *Service) DescribeRepositories(ctx context.Context, in *api.DescribeRepositoriesInput) (*api.DescribeRepositoriesOutput, error) {
	if len(in.RepositoryNames) > 0 && (in.NextToken != nil || in.MaxResults != nil) {
		return nil, call.Invalid("repositoryNames", "nextToken and maxResults cannot be used with repositoryNames")
	}
	account, region := call.Registry(ctx, in.RegistryId)
	scope := []string{auth.CallerFrom(ctx).Account, account, region, "DescribeRepositories"}
	out := &api.DescribeRepositoriesOutput{Repositories: []api.Repository{}}
	err := s.Store.View(ctx, func(tx store.Tx) (err error) {
		for _, name := range in.RepositoryNames {
			r, err := call.Find(tx, account, region, name)
			if err != nil {
				return err
			}
			out.Repositories = append(out.Repositories, *call.ShowRepository(&r))
		}
		if len(in.RepositoryNames) > 0 {
			return nil
		}
		out.Repositories, out.NextToken, err = call.Page(s.Call, in.NextToken, in.MaxResults, scope,
			func(after []string) iter.Seq2[image.Repository, error] {
				return repositories.Repositories.Page(tx, []string{account, region}, after, 0)
			}, repositories.Repositories.Key,
			func(r *image.Repository) (api.Repository, bool, error) { return *call.ShowRepository(r), true, nil })
		return err
	})
	return out, err
}

// deleteBatch bounds how many images, or layers, one transaction deletes.
const deleteBatch = 20

// DeleteRepository deletes a repository, with force also one that has images. That
// happens in batches: the repository goes with the last of them.
func (s *Service) DeleteRepository(ctx context.Context, in *api.DeleteRepositoryInput) (*api.DeleteRepositoryOutput, error) {
	var deleted image.Repository
	for more := true; more; {
		err := s.Change(ctx, in.RegistryId, in.RepositoryName, func(tx store.Tx, r *image.Repository) (err error) {
			deleted = *r
			if more, err = deleteParts(tx, r, isTrue(in.Force)); err != nil || more {
				return err
			}
			if err := repositories.Previews.Delete(tx, r.Account, r.Region, r.Name); err != nil {
				return err
			}
			return repositories.Repositories.Delete(tx, r.Account, r.Region, r.Name)
		})
		if err != nil {
			return nil, err
		}
	}
	shown := call.ShowRepository(&deleted)
	shown.EncryptionConfiguration, shown.ImageScanningConfiguration = nil, nil
	return &api.DeleteRepositoryOutput{Repository: shown}, nil
}

// deleteParts deletes a batch of a repository's images and layers; more reports
// that there may be others.
func deleteParts(tx store.Tx, r *image.Repository, force bool) (more bool, err error) {
	of := []string{r.Account, r.Region, r.Name}
	images, err := store.Collect(repositories.Images.Page(tx, of, nil, deleteBatch))
	if err != nil {
		return false, err
	}
	if len(images) > 0 && !force {
		return false, api.RepositoryNotEmptyException(fmt.Sprintf(
			"The repository with name '%s' in registry with id '%s' cannot be deleted because it still contains images", r.Name, r.Account))
	}
	for _, i := range images {
		if err := repositories.DeleteImage(tx, &i); err != nil {
			return false, err
		}
	}
	if len(images) > 0 {
		return true, nil
	}
	layers, err := store.Collect(repositories.Layers.Page(tx, of, nil, deleteBatch))
	if err != nil {
		return false, err
	}
	for _, l := range layers {
		if err := repositories.Layers.Delete(tx, repositories.Layers.Key(&l)...); err != nil {
			return false, err
		}
	}
	return len(layers) > 0, nil
}

// PutImageTagMutability sets whether tags can be moved.
func (s *Service) PutImageTagMutability(ctx context.Context, in *api.PutImageTagMutabilityInput) (*api.PutImageTagMutabilityOutput, error) {
	kind, exclusions, err := call.Mutability(in.ImageTagMutability, in.ImageTagMutabilityExclusionFilters)
	if err != nil {
		return nil, err
	}
	account, _ := call.Registry(ctx, in.RegistryId)
	err = s.Change(ctx, in.RegistryId, in.RepositoryName, func(tx store.Tx, r *image.Repository) error {
		r.Mutability, r.Exclusions = kind, exclusions
		return repositories.Repositories.Put(tx, r)
	})
	if err != nil {
		return nil, err
	}
	return &api.PutImageTagMutabilityOutput{
		RegistryId: &account, RepositoryName: in.RepositoryName, ImageTagMutability: &kind,
		ImageTagMutabilityExclusionFilters: call.ShowExclusions(exclusions),
	}, nil
}

// PutImageScanningConfiguration sets whether images should be scanned when they are
// pushed.
func (s *Service) PutImageScanningConfiguration(ctx context.Context, in *api.PutImageScanningConfigurationInput) (*api.PutImageScanningConfigurationOutput, error) {
	account, _ := call.Registry(ctx, in.RegistryId)
	on := isTrue(in.ImageScanningConfiguration.ScanOnPush)
	err := s.Change(ctx, in.RegistryId, in.RepositoryName, func(tx store.Tx, r *image.Repository) error {
		r.ScanOnPush = on
		return repositories.Repositories.Put(tx, r)
	})
	if err != nil {
		return nil, err
	}
	return &api.PutImageScanningConfigurationOutput{
		RegistryId: &account, RepositoryName: in.RepositoryName, ImageScanningConfiguration: &api.ImageScanningConfiguration{ScanOnPush: &on},
	}, nil
}

// tagged finds the repository that a tagging operation is about and lets f change
// it; f nil only reads.
func (s *Service) tagged(ctx context.Context, resource string, f func(*image.Repository) error) (out image.Repository, err error) {
	c := auth.CallerFrom(ctx)
	name, ok := image.RepositoryName(resource, c.Account, c.Region)
	if !ok {
		return out, call.Invalid("resourceArn", "Invalid ARN")
	}
	if f == nil {
		return out, s.Read(ctx, nil, &name, func(_ store.Tx, r *image.Repository) error {
			out = *r
			return nil
		})
	}
	return out, s.Change(ctx, nil, &name, func(tx store.Tx, r *image.Repository) error {
		if err := f(r); err != nil {
			return err
		}
		return repositories.Repositories.Put(tx, r)
	})
}

// TagResource adds tags to a repository.
func (s *Service) TagResource(ctx context.Context, in *api.TagResourceInput) (*api.TagResourceOutput, error) {
	_, err := s.tagged(ctx, *in.ResourceArn, func(r *image.Repository) (err error) {
		r.Labels, err = call.Labels(r.Labels, in.Tags)
		return err
	})
	return &api.TagResourceOutput{}, err
}

// UntagResource removes tags from a repository; keys that are not there are fine.
func (s *Service) UntagResource(ctx context.Context, in *api.UntagResourceInput) (*api.UntagResourceOutput, error) {
	_, err := s.tagged(ctx, *in.ResourceArn, func(r *image.Repository) error {
		r.Labels = slices.DeleteFunc(slices.Clone(r.Labels), func(l image.Label) bool { return slices.Contains(in.TagKeys, l.Key) })
		return nil
	})
	return &api.UntagResourceOutput{}, err
}

// ListTagsForResource lists a repository's tags.
func (s *Service) ListTagsForResource(ctx context.Context, in *api.ListTagsForResourceInput) (*api.ListTagsForResourceOutput, error) {
	r, err := s.tagged(ctx, *in.ResourceArn, nil)
	return &api.ListTagsForResourceOutput{Tags: call.ShowLabels(r.Labels)}, err
}
