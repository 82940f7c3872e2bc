package images

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"neargate/auth"
	api "neargate/aws/ecr"
	"neargate/resource/image"
	"neargate/service/ecr/internal/call"
	"neargate/store"
	"neargate/store/tables/repositories"
)

// tagForm is how tags are written. Source: OCI Distribution Specification.
var tagForm = regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$`)

// PutImage stores a manifest whose layers are in the repository, and puts a tag on
// it.
func (s *Service) PutImage(ctx context.Context, in *api.PutImageInput) (*api.PutImageOutput, error) {
	text := []byte(*in.ImageManifest)
	i, err := image.Parse(text, call.Text(in.ImageManifestMediaType))
	switch {
	case errors.Is(err, image.ErrMediaType):
		return nil, call.Invalid("ImageManifest", "Unsupported image manifest media type")
	case errors.Is(err, image.ErrTooMany):
		return nil, call.Invalid("ImageManifest", "The manifest names too many layers or images")
	case err != nil:
		return nil, call.Invalid("ImageManifest", "Invalid JSON syntax")
	case in.ImageTag != nil && !tagForm.MatchString(*in.ImageTag):
		return nil, call.Invalid("imageTag", "Member must satisfy regular expression pattern: "+tagForm.String())
	}
	i.Account, i.Region = call.Registry(ctx, in.RegistryId)
	i.Repository, i.PushedAt = *in.RepositoryName, s.Now().UTC()
	i.Digest = image.DigestOf(text)
	if in.ImageDigest != nil && *in.ImageDigest != i.Digest {
		return nil, api.ImageDigestDoesNotMatchException(fmt.Sprintf(
			"The image with digest '%s' in repository '%s' and registry ID '%s' does not match the image digest that Amazon ECR has calculated.",
			*in.ImageDigest, i.Repository, i.Account))
	}
	put := func(tx store.Tx, r *image.Repository) error {
		if err := put(tx, r, &i, in.ImageTag); err != nil {
			return err
		}
		return askSignatures(tx, auth.CallerFrom(ctx), r, &i)
	}
	// Once without a manifest's text on the disk: what is refused leaves nothing.
	err = s.Read(ctx, in.RegistryId, in.RepositoryName, func(tx store.Tx, r *image.Repository) error {
		_, err := check(tx, r, &i, in.ImageTag)
		return err
	})
	if err != nil {
		return nil, err
	}
	_, release, err := s.blobs.Add(text)
	if err != nil {
		return nil, err
	}
	defer release()
	if err := s.Change(ctx, in.RegistryId, in.RepositoryName, put); err != nil {
		return nil, err
	}
	return &api.PutImageOutput{Image: show(&i, in.ImageTag, *in.ImageManifest)}, nil
}

// placed is what is in a repository already of an image that is put.
type placed struct {
	image  bool          // the image
	moves  *image.Tag    // the tag, which is on another image
	unsaid []image.Layer // layers whose media type is not known yet
}

// check reports whether an image may be put into a repository.
func check(tx store.Tx, r *image.Repository, i *image.Image, tag *string) (p placed, err error) {
	if p.unsaid, err = layersOf(tx, r, i); err != nil {
		return p, err
	}
	if err := childrenOf(tx, r, i); err != nil {
		return p, err
	}
	if _, p.image, err = repositories.Images.Find(tx, r.Account, r.Region, r.Name, i.Digest); err != nil {
		return p, err
	}
	if tag == nil {
		if p.image {
			err = exists(r, i.Digest, "")
		}
		return p, err
	}
	t, ok, err := repositories.Tags.Find(tx, r.Account, r.Region, r.Name, *tag)
	switch {
	case err != nil || !ok:
		return p, err
	case t.Digest == i.Digest && p.image:
		return p, exists(r, i.Digest, *tag)
	case r.TagIsFixed(*tag):
		return p, api.ImageTagAlreadyExistsException(fmt.Sprintf(
			"The image tag '%s' already exists in the '%s' repository and cannot be overwritten because the tag is immutable.", *tag, r.Name))
	}
	p.moves = &t
	return p, nil
}

func exists(r *image.Repository, digest, tag string) error {
	what := "digest '" + digest + "'"
	if tag != "" {
		what += " and tag '" + tag + "'"
	}
	return api.ImageAlreadyExistsException(fmt.Sprintf(
		"Image with %s already exists in the repository with name '%s' in registry with id '%s'", what, r.Name, r.Account))
}

// mostUnsaid bounds how many layers one transaction writes the media type of.
const mostUnsaid = 60

// layersOf refuses an image whose layers the repository does not have, and returns
// those whose media type becomes known with it.
func layersOf(tx store.Tx, r *image.Repository, i *image.Image) (unsaid []image.Layer, err error) {
	var missing []string
	seen := map[string]bool{}
	for _, b := range i.Blobs {
		if b.Elsewhere || seen[b.Digest] {
			continue
		}
		seen[b.Digest] = true
		l, ok, err := repositories.Layers.Find(tx, r.Account, r.Region, r.Name, b.Digest)
		if err != nil {
			return nil, err
		}
		switch {
		case !ok:
			missing = append(missing, b.Digest)
		case l.MediaType == "" && len(unsaid) < mostUnsaid:
			l.MediaType = b.MediaType
			unsaid = append(unsaid, l)
		}
	}
	if len(missing) > 0 {
		return nil, api.LayersNotFoundException(fmt.Sprintf(
			"Layers with digests '[%s]' required for pushing image into repository with name '%s' in the registry with id '%s' do not exist",
			strings.Join(missing, ","), r.Name, r.Account))
	}
	return unsaid, nil
}

// childrenOf refuses a list of images that the repository does not have.
func childrenOf(tx store.Tx, r *image.Repository, i *image.Image) error {
	var missing []string
	for _, c := range i.Children {
		_, ok, err := repositories.Images.Find(tx, r.Account, r.Region, r.Name, c)
		if err != nil {
			return err
		}
		if !ok {
			missing = append(missing, c)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return api.ReferencedImagesNotFoundException(fmt.Sprintf(
		"Images with digests '[%s]' required for pushing image into repository with name '%s' in the registry with id '%s' do not exist",
		strings.Join(missing, ","), r.Name, r.Account))
}

// put stores an image and its tag.
func put(tx store.Tx, r *image.Repository, i *image.Image, tag *string) error {
	p, err := check(tx, r, i, tag)
	if err != nil {
		return err
	}
	for _, l := range p.unsaid {
		if err := repositories.Layers.Put(tx, &l); err != nil {
			return err
		}
	}
	if !p.image {
		if err := repositories.Images.Put(tx, i); err != nil {
			return err
		}
	}
	if tag != nil {
		t := image.Tag{Account: r.Account, Region: r.Region, Repository: r.Name, Name: *tag, Digest: i.Digest, At: i.PushedAt}
		if err := repositories.Tags.Put(tx, &t); err != nil {
			return err
		}
	}
	return replicate(tx, r, i, call.Text(tag))
}

// replicate asks for the copies that the registry's settings want.
func replicate(tx store.Tx, r *image.Repository, i *image.Image, tag string) error {
	g, ok, err := repositories.Registries.Find(tx, r.Account, r.Region)
	if err != nil || !ok {
		return err
	}
	for _, to := range g.Copies(r.Name) {
		c := image.Replica{
			Account: r.Account, Region: r.Region, Repository: r.Name, Digest: i.Digest, Tag: tag, To: to,
			Status: image.InProgress, At: i.PushedAt,
		}
		if err := repositories.Replicas.Put(tx, &c); err != nil {
			return err
		}
	}
	return nil
}
