// Package images answers the part of the ECR API that is about images and layers.
// The registry protocol calls the same operations, so both see the same at every
// moment.
package images

import (
	"context"
	"io"
	"os"
	"time"

	"neargate/auth"
	api "neargate/aws/ecr"
	"neargate/resource/image"
	"neargate/service"
	"neargate/service/ecr/internal/call"
	"neargate/store"
	"neargate/store/tables/repositories"
)

// Blobs is where layers and manifests are kept, by digest. Its errors are those of
// resource/image.
type Blobs interface {
	// Begin starts an upload under an unused id, in the name of an owner, who is
	// to be named again; Size is how much of it is here; Append adds to it at an
	// offset (-1: its end) and returns its size; Abort removes it.
	Begin(owner, id string) error
	Size(owner, id string) (int64, error)
	Append(owner, id string, offset int64, r io.Reader) (int64, error)
	Abort(owner, id string) error
	// Commit makes a blob of an upload with the digest, Add of a text, and Hold
	// finds one that is here. The blob stays at least until release is called.
	Commit(owner, id, digest string) (size int64, release func(), err error)
	Add(text []byte) (digest string, release func(), err error)
	Hold(digest string) (size int64, release func(), err error)
	// Open opens a blob.
	Open(digest string) (*os.File, error)
}

// Upstream is where images of pull through cache rules come from.
type Upstream interface {
	// Manifest is what a reference, a tag or a digest, names now, and its media
	// type. The error is image.ErrNoBlob when there is no such image.
	Manifest(ctx context.Context, host, repository, reference string) (text []byte, mediaType string, err error)
	// Blob is a layer or a configuration.
	Blob(ctx context.Context, host, repository, digest string) (io.ReadCloser, error)
}

// Service answers the operations.
type Service struct {
	call.Call
	blobs    Blobs
	upstream Upstream
	url      func() string // where layers are downloaded from, not by AWS's names
}

// New returns the service over the blobs in b.
func New(d service.Deps, b Blobs, u Upstream, url func() string) *Service {
	return &Service{call.New(d), b, u, url}
}

// pulledAgain is how precisely it is kept when an image was last pulled.
// Source: Amazon ECR API Reference, ImageDetail.
const pulledAgain = 24 * time.Hour

// tagsOf are the tags of an image, in the order they were put on it.
func tagsOf(tx store.Tx, i *image.Image) ([]image.Tag, error) {
	tags, err := store.Collect(repositories.Tags.By(tx, repositories.TagsByDigest, i.Account, i.Region, i.Repository, i.Digest))
	image.SortTags(tags)
	return tags, err
}

func names(tags []image.Tag) []string {
	var out []string
	for _, t := range tags {
		out = append(out, t.Name)
	}
	return out
}

// find is the image that an identifier names. fail is why there is none.
func find(tx store.Tx, r *image.Repository, id api.ImageIdentifier) (i image.Image, fail *api.ImageFailure, err error) {
	refuse := func(code, reason string) (image.Image, *api.ImageFailure, error) {
		return i, &api.ImageFailure{FailureCode: &code, FailureReason: &reason, ImageId: &id}, nil
	}
	digest := call.Text(id.ImageDigest)
	switch {
	case digest == "" && id.ImageTag == nil:
		return refuse("MissingDigestAndTag", "Invalid request parameters: both tag and digest cannot be null")
	case digest != "" && !image.ValidDigest(digest):
		return refuse("InvalidImageDigest", "Invalid request parameters: image digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'")
	}
	if id.ImageTag != nil {
		t, ok, err := repositories.Tags.Find(tx, r.Account, r.Region, r.Name, *id.ImageTag)
		if err != nil {
			return i, nil, err
		}
		switch {
		case ok && digest != "" && digest != t.Digest:
			return refuse("ImageTagDoesNotMatchDigest", "The image tag does not match the image digest")
		case !ok:
			return refuse("ImageNotFound", "Requested image not found")
		}
		digest = t.Digest
	}
	i, ok, err := repositories.Images.Find(tx, r.Account, r.Region, r.Name, digest)
	if err == nil && !ok {
		return refuse("ImageNotFound", "Requested image not found")
	}
	return i, nil, err
}

// BatchGetImage answers manifests.
func (s *Service) BatchGetImage(ctx context.Context, in *api.BatchGetImageInput) (*api.BatchGetImageOutput, error) {
	out := &api.BatchGetImageOutput{Images: []api.Image{}, Failures: []api.ImageFailure{}}
	if err := s.pullThrough(ctx, in); err != nil {
		return nil, err
	}
	var stale []image.Image
	err := s.Read(ctx, in.RegistryId, in.RepositoryName, func(tx store.Tx, r *image.Repository) error {
		for _, id := range in.ImageIds {
			i, fail, err := find(tx, r, id)
			if err != nil {
				return err
			}
			if fail != nil {
				out.Failures = append(out.Failures, *fail)
				continue
			}
			out.Images = append(out.Images, *show(&i, id.ImageTag, ""))
			if s.Now().Sub(i.PulledAt) >= pulledAgain {
				stale = append(stale, i)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for n := range out.Images {
		text, err := s.manifest(*out.Images[n].ImageId.ImageDigest)
		if err != nil {
			return nil, err
		}
		out.Images[n].ImageManifest = new(string(text))
	}
	return out, s.notePulls(ctx, stale)
}

// notePulls keeps when images were pulled.
func (s *Service) notePulls(ctx context.Context, pulled []image.Image) error {
	if len(pulled) == 0 {
		return nil
	}
	now := s.Now().UTC()
	return s.Store.Update(ctx, func(tx store.Tx) error {
		for _, p := range pulled {
			i, ok, err := repositories.Images.Find(tx, p.Account, p.Region, p.Repository, p.Digest)
			if err != nil {
				return err
			}
			if !ok {
				continue
			}
			i.PulledAt = now
			if err := repositories.Images.Put(tx, &i); err != nil {
				return err
			}
		}
		return nil
	})
}

// manifest is the text of a manifest.
func (s *Service) manifest(digest string) ([]byte, error) {
	f, err := s.blobs.Open(digest)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// show is an image as PutImage and BatchGetImage answer it.
func show(i *image.Image, tag *string, manifest string) *api.Image {
	return &api.Image{
		RegistryId: &i.Account, RepositoryName: &i.Repository, ImageManifest: call.Some(manifest), ImageManifestMediaType: &i.MediaType,
		ImageId: &api.ImageIdentifier{ImageDigest: &i.Digest, ImageTag: tag},
	}
}

// tagFilter reports whether a filter on tags lets an image through.
func tagFilter(filter *string, tagged bool) bool {
	switch call.Text(filter) {
	case "TAGGED":
		return tagged
	case "UNTAGGED":
		return !tagged
	}
	return true
}

// onlyArchived reports whether a filter asks for what is never here: no image is
// archived.
func onlyArchived(status *string) bool {
	s := call.Text(status)
	return s == "ARCHIVED" || s == "ACTIVATING"
}

// ListImages answers the identifiers of a repository's images.
func (s *Service) ListImages(ctx context.Context, in *api.ListImagesInput) (*api.ListImagesOutput, error) {
	account, region := call.Registry(ctx, in.RegistryId)
	var tagStatus, imageStatus *string
	if in.Filter != nil {
		tagStatus, imageStatus = in.Filter.TagStatus, in.Filter.ImageStatus
	}
	scope := []string{auth.CallerFrom(ctx).Account, account, region, "ListImages", *in.RepositoryName, call.Text(tagStatus)}
	out := &api.ListImagesOutput{ImageIds: []api.ImageIdentifier{}}
	err := s.Read(ctx, in.RegistryId, in.RepositoryName, func(tx store.Tx, r *image.Repository) error {
		if onlyArchived(imageStatus) {
			return nil
		}
		pages, next, err := call.Page(s.Call, in.NextToken, in.MaxResults, scope, images(tx, r), imageKey,
			func(i *image.Image) ([]api.ImageIdentifier, bool, error) {
				tags, err := tagsOf(tx, i)
				return identifiers(i, tags), tagFilter(tagStatus, len(tags) > 0), err
			})
		out.NextToken = next
		for _, ids := range pages {
			out.ImageIds = append(out.ImageIds, ids...)
		}
		return err
	})
	return out, err
}

// identifiers name an image once for each tag, or by its digest alone.
func identifiers(i *image.Image, tags []image.Tag) []api.ImageIdentifier {
	if len(tags) == 0 {
		return []api.ImageIdentifier{{ImageDigest: &i.Digest}}
	}
	var out []api.ImageIdentifier
	for _, t := range tags {
		out = append(out, api.ImageIdentifier{ImageDigest: &i.Digest, ImageTag: &t.Name})
	}
	return out
}
