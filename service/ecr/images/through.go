package images

import (
	"context"
	"errors"
	"fmt"
	"time"

	"neargate/auth"
	api "neargate/aws/ecr"
	"neargate/resource/image"
	"neargate/service/ecr/internal/call"
	"neargate/store"
	"neargate/store/tables/repositories"
	"neargate/wire/shape"
)

// checkAgain is how long a tag that came through a cache rule is taken to be where
// it was. Source: Amazon ECR User Guide, "Sync an upstream registry".
const checkAgain = 24 * time.Hour

// deepestList bounds lists of images in lists.
const deepestList = 3

// mostManifest bounds manifests. Source: Amazon ECR API Reference, PutImage.
const mostManifest = 4 << 20

// getter brings images of one repository from upstream.
type getter struct {
	*Service
	ctx      context.Context
	registry *string
	name     string
	rule     image.CacheRule
}

// pullThrough gets the images of a call from upstream, if the repository is under a
// pull through cache rule and does not have them, and the caller may import them.
// An image that upstream does not have is simply not there afterwards.
func (s *Service) pullThrough(ctx context.Context, in *api.BatchGetImageInput) error {
	account, region := call.Registry(ctx, in.RegistryId)
	var rule image.CacheRule
	var may bool
	err := s.Store.View(ctx, func(tx store.Tx) (err error) {
		rule, may, err = s.ruleFor(ctx, tx, account, region, *in.RepositoryName)
		return err
	})
	if err != nil || !may {
		return err
	}
	g := getter{s, ctx, in.RegistryId, *in.RepositoryName, rule}
	for _, id := range in.ImageIds {
		here, fresh, err := s.cached(ctx, in, id)
		if err != nil {
			return err
		}
		reference := call.Text(id.ImageDigest)
		if reference == "" {
			reference = call.Text(id.ImageTag)
		}
		if fresh || reference == "" {
			continue
		}
		// What was cached once is good enough when upstream cannot be asked.
		if err := g.get(reference, id.ImageTag, 0); err != nil && !here && !errors.Is(err, image.ErrNoBlob) {
			return err
		}
	}
	return nil
}

// ruleFor is the rule that a repository is under. may is false where there is none
// or the caller may not import images.
func (s *Service) ruleFor(ctx context.Context, tx store.Tx, account, region, name string) (best image.CacheRule, may bool, err error) {
	found := false
	for r, err := range repositories.CacheRules.List(tx, account, region) {
		if err != nil {
			return best, false, err
		}
		if image.Under(r.Prefix, name) && (!found || best.Prefix == image.Root || r.Prefix != image.Root && len(r.Prefix) > len(best.Prefix)) {
			best, found = r, true
		}
	}
	if !found {
		return best, false, nil
	}
	_, there, err := repositories.Repositories.Find(tx, account, region, name)
	if err != nil {
		return best, false, err
	}
	actions := []string{"ecr:BatchImportUpstreamImage"}
	if !there {
		actions = append(actions, "ecr:CreateRepository")
	}
	for _, a := range actions {
		err := auth.MayUseRepository(tx, auth.CallerFrom(ctx), s.Now(), a, image.ARN(account, region, name))
		if _, denied := errors.AsType[*auth.Denied](err); denied {
			return best, false, nil
		}
		if err != nil {
			return best, false, err
		}
	}
	return best, true, nil
}

// cached reports whether an image is here, and whether upstream need not be asked.
func (s *Service) cached(ctx context.Context, in *api.BatchGetImageInput, id api.ImageIdentifier) (here, fresh bool, err error) {
	err = s.Read(ctx, in.RegistryId, in.RepositoryName, func(tx store.Tx, r *image.Repository) error {
		_, fail, err := find(tx, r, id)
		if err != nil || fail != nil {
			return err
		}
		here, fresh = true, true
		if id.ImageTag != nil {
			t, err := repositories.Tags.Get(tx, r.Account, r.Region, r.Name, *id.ImageTag)
			fresh = s.Now().Sub(t.At) < checkAgain
			return err
		}
		return nil
	})
	if shape.IsCode(err, "RepositoryNotFoundException") {
		err = nil
	}
	return here, fresh, err
}

// get brings an image, and those in it if it is a list.
func (g getter) get(reference string, tag *string, depth int) error {
	text, mediaType, err := g.upstream.Manifest(g.ctx, g.rule.URL, g.rule.Source(g.name), reference)
	if err != nil {
		return g.failed(err, api.UnableToGetUpstreamImageException)
	}
	i, err := image.Parse(text, mediaType)
	if err != nil || depth > deepestList || len(text) > mostManifest {
		return api.UnableToGetUpstreamImageException(fmt.Sprintf("The upstream image %s of repository '%s' cannot be used", reference, g.name))
	}
	if err := g.makeRepository(); err != nil {
		return err
	}
	for _, c := range i.Children {
		if err := g.get(c, nil, depth+1); err != nil {
			return err
		}
	}
	for _, b := range i.Blobs {
		if b.Elsewhere {
			continue
		}
		if err := g.layer(b); err != nil {
			return err
		}
	}
	digest, release, err := g.blobs.Add(text)
	if err != nil {
		return err
	}
	defer release()
	return g.keep(i, digest, tag)
}

// failed tells that upstream cannot be reached from that it has no such thing.
func (g getter) failed(err error, as func(string) *shape.Error) error {
	if errors.Is(err, image.ErrNoBlob) {
		return err
	}
	return as(fmt.Sprintf("The image of repository '%s' could not be pulled from the upstream registry '%s': %v", g.name, g.rule.URL, err))
}

// makeRepository makes the repository if it is not there.
func (g getter) makeRepository() error {
	_, err := g.Make(g.ctx, g.registry, g.name, image.ForPullThrough)
	return err
}

// Make makes a repository that is not there, for a purpose of repository creation
// templates. made is false if it was there, and, for pushes, if no template makes it.
func (s *Service) Make(ctx context.Context, registry *string, name, purpose string) (made bool, err error) {
	account, region := call.Registry(ctx, registry)
	id, now := s.IDs.UUID(), s.Now().UTC()
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		made = false
		_, there, err := repositories.Repositories.Find(tx, account, region, name)
		if err != nil || there {
			return err
		}
		templates, err := store.Collect(repositories.Templates.List(tx, account, region))
		if err != nil {
			return err
		}
		if _, ok := image.Choose(templates, purpose, name); !ok && purpose == image.ForCreateOnPush {
			return nil
		}
		r := image.Make(account, region, name, purpose, templates, id, now)
		made = true
		return repositories.Repositories.Put(tx, &r)
	})
	return made, err
}

// MadeOnPush reports whether a repository creation template makes a repository when
// it is pushed to.
func (s *Service) MadeOnPush(ctx context.Context, registry *string, name string) (ok bool, err error) {
	account, region := call.Registry(ctx, registry)
	err = s.Store.View(ctx, func(tx store.Tx) error {
		templates, err := store.Collect(repositories.Templates.List(tx, account, region))
		_, ok = image.Choose(templates, image.ForCreateOnPush, name)
		return err
	})
	return ok, err
}

// layer brings a blob, unless the repository has it.
func (g getter) layer(b image.Blob) error {
	r, err := g.repository(g.ctx, g.registry, &g.name)
	if err != nil {
		return err
	}
	if _, err := g.Service.layer(g.ctx, g.registry, &g.name, b.Digest); err == nil {
		return nil
	}
	body, err := g.upstream.Blob(g.ctx, g.rule.URL, g.rule.Source(g.name), b.Digest)
	if err != nil {
		return g.failed(err, api.UnableToGetUpstreamLayerException)
	}
	defer body.Close()
	id := g.IDs.UUID()
	if err := g.blobs.Begin(owner(&r), id); err != nil {
		return err
	}
	if _, err := g.blobs.Append(owner(&r), id, 0, body); err != nil {
		return errors.Join(g.failed(err, api.UnableToGetUpstreamLayerException), g.blobs.Abort(owner(&r), id))
	}
	_, err = g.Finish(g.ctx, g.registry, &g.name, id, b.Digest)
	return err
}

// keep stores what came, also over an immutable tag: upstream decides.
func (g getter) keep(i image.Image, digest string, tag *string) error {
	i.Account, i.Region = call.Registry(g.ctx, g.registry)
	i.Repository, i.Digest, i.PushedAt = g.name, digest, g.Now().UTC()
	return g.Change(g.ctx, g.registry, &g.name, func(tx store.Tx, r *image.Repository) error {
		if _, err := layersOf(tx, r, &i); err != nil {
			return err
		}
		if _, ok, err := repositories.Images.Find(tx, r.Account, r.Region, r.Name, i.Digest); err != nil {
			return err
		} else if !ok {
			if err := repositories.Images.Put(tx, &i); err != nil {
				return err
			}
		}
		if tag == nil {
			return nil
		}
		return repositories.Tags.Put(tx, &image.Tag{
			Account: r.Account, Region: r.Region, Repository: r.Name, Name: *tag, Digest: i.Digest, At: i.PushedAt,
		})
	})
}
