package images

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"neargate/auth"
	api "neargate/aws/ecr"
	"neargate/resource/image"
	"neargate/service/ecr/internal/call"
	"neargate/store"
	"neargate/store/tables/repositories"
)

// images lists a repository's images by digest.
func images(tx store.Tx, r *image.Repository) func(after []string) iter.Seq2[image.Image, error] {
	return func(after []string) iter.Seq2[image.Image, error] {
		return repositories.Images.Page(tx, []string{r.Account, r.Region, r.Name}, after, 0)
	}
}

func imageKey(i *image.Image) []string { return repositories.Images.Key(i) }

// noImage is ECR's error for an image that does not exist.
func noImage(r *image.Repository, id *api.ImageIdentifier) error {
	quoted := func(s *string) string {
		if s == nil {
			return "'null'"
		}
		return "'" + *s + "'"
	}
	return api.ImageNotFoundException(fmt.Sprintf(
		"The image with imageId {imageDigest:%s, imageTag:%s} does not exist within the repository with name '%s' in the registry with id '%s'",
		quoted(id.ImageDigest), quoted(id.ImageTag), r.Name, r.Account))
}

// DescribeImages answers what is known of images: of those named, or of all, in
// pages.
func (s *Service) DescribeImages(ctx context.Context, in *api.DescribeImagesInput) (*api.DescribeImagesOutput, error) {
	if len(in.ImageIds) > 0 && (in.NextToken != nil || in.MaxResults != nil) {
		return nil, call.Invalid("imageIds", "nextToken and maxResults cannot be used with imageIds")
	}
	account, region := call.Registry(ctx, in.RegistryId)
	var tagStatus, imageStatus *string
	if in.Filter != nil {
		tagStatus, imageStatus = in.Filter.TagStatus, in.Filter.ImageStatus
	}
	scope := []string{auth.CallerFrom(ctx).Account, account, region, "DescribeImages", *in.RepositoryName, call.Text(tagStatus)}
	out := &api.DescribeImagesOutput{ImageDetails: []api.ImageDetail{}}
	err := s.Read(ctx, in.RegistryId, in.RepositoryName, func(tx store.Tx, r *image.Repository) (err error) {
		detailed := func(i *image.Image) (api.ImageDetail, bool, error) {
			tags, err := tagsOf(tx, i)
			return detail(i, tags), tagFilter(tagStatus, len(tags) > 0) && !onlyArchived(imageStatus), err
		}
		if len(in.ImageIds) == 0 {
			out.ImageDetails, out.NextToken, err = call.Page(s.Call, in.NextToken, in.MaxResults, scope, images(tx, r), imageKey, detailed)
			return err
		}
		seen := map[string]bool{}
		for _, id := range in.ImageIds {
			i, fail, err := find(tx, r, id)
			if err != nil {
				return err
			}
			if fail != nil {
				return noImage(r, &id)
			}
			d, ok, err := detailed(&i)
			if err != nil {
				return err
			}
			if ok && !seen[i.Digest] {
				seen[i.Digest] = true
				out.ImageDetails = append(out.ImageDetails, d)
			}
		}
		return nil
	})
	return out, err
}

func detail(i *image.Image, tags []image.Tag) api.ImageDetail {
	d := api.ImageDetail{
		RegistryId: &i.Account, RepositoryName: &i.Repository, ImageDigest: &i.Digest, ImageTags: names(tags),
		ImageManifestMediaType: &i.MediaType, ArtifactMediaType: call.Some(i.Artifact), ImagePushedAt: &i.PushedAt,
		ImageSizeInBytes: new(i.Size()), SubjectManifestDigest: call.Some(i.Subject), ImageStatus: new("ACTIVE"),
	}
	if !i.PulledAt.IsZero() {
		d.LastRecordedPullTime = &i.PulledAt
	}
	return d
}

// DescribeImageScanFindings answers that an image was never scanned: nothing scans
// images here.
func (s *Service) DescribeImageScanFindings(ctx context.Context, in *api.DescribeImageScanFindingsInput) (*api.DescribeImageScanFindingsOutput, error) {
	return nil, s.Read(ctx, in.RegistryId, in.RepositoryName, func(tx store.Tx, r *image.Repository) error {
		i, fail, err := find(tx, r, *in.ImageId)
		if err != nil {
			return err
		}
		if fail != nil {
			return noImage(r, in.ImageId)
		}
		tag := "null"
		if in.ImageId.ImageTag != nil {
			tag = *in.ImageId.ImageTag
		}
		return api.ScanNotFoundException(fmt.Sprintf(
			"Image scan does not exist for the image with '{imageDigest:'%s', imageTag:'%s'}' in the repository with name '%s' in the registry with id '%s'",
			i.Digest, tag, r.Name, r.Account))
	})
}

// DescribeImageReplicationStatus answers where an image is copied to and how far
// that is.
func (s *Service) DescribeImageReplicationStatus(ctx context.Context, in *api.DescribeImageReplicationStatusInput) (*api.DescribeImageReplicationStatusOutput, error) {
	out := &api.DescribeImageReplicationStatusOutput{ImageId: in.ImageId, RepositoryName: in.RepositoryName, ReplicationStatuses: []api.ImageReplicationStatus{}}
	err := s.Read(ctx, in.RegistryId, in.RepositoryName, func(tx store.Tx, r *image.Repository) error {
		i, fail, err := find(tx, r, *in.ImageId)
		if err != nil {
			return err
		}
		if fail != nil {
			return noImage(r, in.ImageId)
		}
		for c, err := range repositories.Replicas.List(tx, r.Account, r.Region, r.Name, i.Digest) {
			if err != nil {
				return err
			}
			if in.ImageId.ImageTag != nil && c.Tag != *in.ImageId.ImageTag {
				continue
			}
			out.ReplicationStatuses = append(out.ReplicationStatuses, api.ImageReplicationStatus{
				Region: &c.To.Region, RegistryId: &c.To.Account, Status: &c.Status, FailureCode: call.Some(c.Failure),
			})
		}
		return nil
	})
	return out, err
}

// ListImageReferrers answers the artifacts that refer to an image.
func (s *Service) ListImageReferrers(ctx context.Context, in *api.ListImageReferrersInput) (*api.ListImageReferrersOutput, error) {
	subject := *in.SubjectId.ImageDigest
	switch {
	case !image.ValidDigest(subject):
		return nil, call.Invalid("subjectId.imageDigest", "Invalid image digest")
	case in.MaxResults != nil && (*in.MaxResults < 1 || *in.MaxResults > 50):
		return nil, call.Invalid("maxResults", "Member must be between 1 and 50")
	}
	account, region := call.Registry(ctx, in.RegistryId)
	most := int32(50)
	if in.MaxResults != nil {
		most = *in.MaxResults
	}
	scope := []string{auth.CallerFrom(ctx).Account, account, region, "ListImageReferrers", *in.RepositoryName, subject}
	out := &api.ListImageReferrersOutput{}
	err := s.Read(ctx, in.RegistryId, in.RepositoryName, func(tx store.Tx, r *image.Repository) (err error) {
		all := repositories.Images.By(tx, repositories.ImagesBySubject, r.Account, r.Region, r.Name, subject)
		out.Referrers, out.NextToken, err = referrers(s.Call, in, &most, scope, all)
		return err
	})
	if err != nil {
		return nil, err
	}
	for n := range out.Referrers {
		text, err := s.manifest(*out.Referrers[n].Digest)
		if err != nil {
			return nil, err
		}
		out.Referrers[n].Annotations = image.Annotations(text)
	}
	return out, nil
}

// referrers gathers a page of referrers. The position is a digest: all keys of the
// listing but that are the same.
func referrers(c call.Call, in *api.ListImageReferrersInput, most *int32, scope []string, list iter.Seq2[image.Image, error]) ([]api.ImageReferrer, *string, error) {
	after, err := c.Position(in.NextToken, scope...)
	if err != nil {
		return nil, nil, err
	}
	all := func([]string) iter.Seq2[image.Image, error] { return list }
	return call.Page(c, nil, most, scope, all, func(i *image.Image) []string { return []string{i.Digest} },
		func(i *image.Image) (api.ImageReferrer, bool, error) {
			r := api.ImageReferrer{
				Digest: &i.Digest, MediaType: &i.MediaType, Size: &i.Bytes, ArtifactType: call.Some(i.Artifact),
				ArtifactStatus: new("ACTIVE"),
			}
			ok := len(after) == 0 || i.Digest > after[0]
			if f := in.Filter; f != nil {
				ok = ok && !onlyArchived(f.ArtifactStatus) && (len(f.ArtifactTypes) == 0 || slices.Contains(f.ArtifactTypes, i.Artifact))
			}
			return r, ok, nil
		})
}
