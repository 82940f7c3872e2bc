package images

import (
	"context"
	"fmt"
	"strings"

	api "neargate/aws/ecr"
	"neargate/resource/image"
	"neargate/store"
	"neargate/store/tables/repositories"
)

// BatchDeleteImage deletes images by digest, or takes tags off; an image goes with
// its last tag.
func (s *Service) BatchDeleteImage(ctx context.Context, in *api.BatchDeleteImageInput) (*api.BatchDeleteImageOutput, error) {
	var out *api.BatchDeleteImageOutput
	err := s.Change(ctx, in.RegistryId, in.RepositoryName, func(tx store.Tx, r *image.Repository) error {
		out = &api.BatchDeleteImageOutput{ImageIds: []api.ImageIdentifier{}, Failures: []api.ImageFailure{}}
		for _, id := range in.ImageIds {
			ids, fail, err := remove(tx, r, id)
			if err != nil {
				return err
			}
			if fail != nil {
				out.Failures = append(out.Failures, *fail)
			}
			out.ImageIds = append(out.ImageIds, ids...)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// remove takes away what an identifier names.
func remove(tx store.Tx, r *image.Repository, id api.ImageIdentifier) ([]api.ImageIdentifier, *api.ImageFailure, error) {
	i, fail, err := find(tx, r, id)
	if err != nil || fail != nil {
		return nil, fail, err
	}
	tags, err := tagsOf(tx, &i)
	if err != nil {
		return nil, nil, err
	}
	if id.ImageTag != nil && id.ImageDigest == nil && len(tags) > 1 {
		err := repositories.Tags.Delete(tx, r.Account, r.Region, r.Name, *id.ImageTag)
		return []api.ImageIdentifier{{ImageDigest: &i.Digest, ImageTag: id.ImageTag}}, nil, err
	}
	lists, err := listsOf(tx, &i)
	if err != nil {
		return nil, nil, err
	}
	if len(lists) > 0 {
		return nil, &api.ImageFailure{
			ImageId: &id, FailureCode: new("ImageReferencedByManifestList"),
			FailureReason: new(fmt.Sprintf("Requested image referenced by manifest list: [%s]", strings.Join(lists, ", "))),
		}, nil
	}
	return identifiers(&i, tags), nil, repositories.DeleteImage(tx, &i)
}

// listsOf are the digests of the lists that an image is in.
func listsOf(tx store.Tx, i *image.Image) (out []string, err error) {
	for l, err := range repositories.Images.By(tx, repositories.ImagesByChild, i.Account, i.Region, i.Repository, i.Digest) {
		if err != nil {
			return nil, err
		}
		out = append(out, l.Digest)
	}
	return out, nil
}

// Tagged lists the tags of a repository in the order in which they were pushed.
func (s *Service) Tagged(ctx context.Context, registry, name *string) (out []string, err error) {
	err = s.Read(ctx, registry, name, func(tx store.Tx, r *image.Repository) error {
		tags, err := store.Collect(repositories.Tags.List(tx, r.Account, r.Region, r.Name))
		image.SortTags(tags)
		out = names(tags)
		return err
	})
	return out, err
}
