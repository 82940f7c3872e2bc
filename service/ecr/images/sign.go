package images

import (
	"context"
	"encoding/json"

	"neargate/auth"
	api "neargate/aws/ecr"
	"neargate/resource/image"
	"neargate/resource/image/notary"
	"neargate/service/ecr/internal/call"
	"neargate/store"
	"neargate/store/tables/repositories"
)

// pusher is who pushed an image.
type pusher struct {
	Who      auth.Lasting
	SourceIP string `json:",omitempty"`
}

// askSignatures asks for the signatures that the registry's settings want of an image
// that is pushed. What refers to another image, as signatures do, is not signed; an
// image that was pushed before is signed again only if that failed.
func askSignatures(tx store.Tx, c auth.Caller, r *image.Repository, i *image.Image) error {
	if i.Subject != "" {
		return nil
	}
	g, ok, err := repositories.Registries.Find(tx, r.Account, r.Region)
	if err != nil || !ok {
		return err
	}
	for _, profile := range g.Signers(r.Name) {
		was, there, err := repositories.Signings.Find(tx, r.Account, r.Region, r.Name, i.Digest, profile)
		if err != nil {
			return err
		}
		if there && was.Status != image.Failed {
			continue
		}
		who, err := c.Lasting(tx)
		if err != nil {
			return err
		}
		by, err := json.Marshal(pusher{who, c.ByService().SourceIP})
		if err != nil {
			return err
		}
		err = repositories.Signings.Put(tx, &image.Signing{
			Account: r.Account, Region: r.Region, Repository: r.Name, Digest: i.Digest, Profile: profile,
			Status: image.InProgress, By: by, At: i.PushedAt,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Pusher is who pushed an image that is to be signed, as far as ECR asks for them now.
// The error is one of auth.Lasting if they are gone.
func Pusher(tx store.Tx, g *image.Signing) (c auth.Caller, err error) {
	var p pusher
	if err := json.Unmarshal(g.By, &p); err != nil {
		return c, err
	}
	c, err = p.Who.Caller(tx)
	c.Region, c.SourceIP, c.By = g.Region, p.SourceIP, "ecr.amazonaws.com"
	return c, err
}

// due finds the signing as it is now, with its repository and its image; ok is false
// when it is over or there is nothing left to sign.
func due(tx store.Tx, g *image.Signing) (r image.Repository, i image.Image, ok bool, err error) {
	now, ok, err := repositories.Signings.Find(tx, repositories.Signings.Key(g)...)
	if err != nil || !ok || now.Status != image.InProgress || !now.At.Equal(g.At) {
		return r, i, false, err
	}
	if r, ok, err = repositories.Repositories.Find(tx, g.Account, g.Region, g.Repository); err != nil || !ok {
		return r, i, false, err
	}
	i, ok, err = repositories.Images.Find(tx, g.Account, g.Region, g.Repository, g.Digest)
	return r, i, ok, err
}

// ToSign is the image that is to be signed; ok is false if it no longer is.
func (s *Service) ToSign(ctx context.Context, g *image.Signing) (i image.Image, ok bool, err error) {
	err = s.Store.View(ctx, func(tx store.Tx) (err error) {
		_, i, ok, err = due(tx, g)
		return err
	})
	return i, ok, err
}

// Signed stores the signature of an image, an envelope, as an artifact that refers to
// the image, with annotations. It stores none for a signing that is over: an image gets
// one, whatever was interrupted before.
func (s *Service) Signed(ctx context.Context, g *image.Signing, envelope []byte, annotations map[string]string) error {
	i, ok, err := s.ToSign(ctx, g)
	if err != nil || !ok {
		return err
	}
	now := s.Now().UTC()
	text, err := notary.Manifest(&i, envelope, annotations, now)
	if err != nil {
		return err
	}
	signature, err := image.Parse(text, image.OCIManifest)
	if err != nil {
		return err
	}
	signature.Account, signature.Region, signature.Repository = g.Account, g.Region, g.Repository
	signature.Digest, signature.PushedAt = image.DigestOf(text), now
	for _, blob := range [][]byte{envelope, []byte(notary.NoConfig), text} {
		_, release, err := s.blobs.Add(blob)
		if err != nil {
			return err
		}
		defer release()
	}
	return s.Store.Update(ctx, func(tx store.Tx) error {
		r, _, ok, err := due(tx, g)
		if err != nil || !ok {
			return err
		}
		for _, b := range signature.Blobs {
			l := image.Layer{Account: r.Account, Region: r.Region, Repository: r.Name, Digest: b.Digest, Size: b.Size, MediaType: b.MediaType, At: now}
			if err := repositories.Layers.Put(tx, &l); err != nil {
				return err
			}
		}
		if err := put(tx, &r, &signature, nil); err != nil {
			return err
		}
		done := *g
		done.Status, done.By = image.Complete, nil
		return repositories.Signings.Put(tx, &done)
	})
}

// NotSigned notes why an image was not signed, with a code and a text.
func (s *Service) NotSigned(ctx context.Context, g *image.Signing, code, reason string) error {
	return s.Store.Update(ctx, func(tx store.Tx) error {
		_, _, ok, err := due(tx, g)
		if err != nil || !ok {
			return err
		}
		failed := *g
		failed.Status, failed.Failure, failed.Reason, failed.By = image.Failed, code, reason, nil
		return repositories.Signings.Put(tx, &failed)
	})
}

// DescribeImageSigningStatus answers how far the signing of an image is, for each
// signing profile.
func (s *Service) DescribeImageSigningStatus(ctx context.Context, in *api.DescribeImageSigningStatusInput) (*api.DescribeImageSigningStatusOutput, error) {
	out := &api.DescribeImageSigningStatusOutput{ImageId: in.ImageId, RepositoryName: in.RepositoryName, SigningStatuses: []api.ImageSigningStatus{}}
	err := s.Read(ctx, in.RegistryId, in.RepositoryName, func(tx store.Tx, r *image.Repository) error {
		i, fail, err := find(tx, r, *in.ImageId)
		if err != nil {
			return err
		}
		if fail != nil {
			return noImage(r, in.ImageId)
		}
		out.RegistryId = &r.Account
		for g, err := range repositories.Signings.List(tx, r.Account, r.Region, r.Name, i.Digest) {
			if err != nil {
				return err
			}
			out.SigningStatuses = append(out.SigningStatuses, api.ImageSigningStatus{
				SigningProfileArn: &g.Profile, Status: &g.Status, FailureCode: call.Some(g.Failure), FailureReason: call.Some(g.Reason),
			})
		}
		return nil
	})
	return out, err
}
