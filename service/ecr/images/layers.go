package images

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"

	"neargate/auth"
	api "neargate/aws/ecr"
	"neargate/resource/image"
	"neargate/service/ecr/internal/call"
	"neargate/store"
	"neargate/store/tables/repositories"
	"neargate/wire/shape"
	"neargate/wire/sigv4"
)

// partSize is what clients are told to cut layers into.
const partSize = 10 << 20

// sought is how precisely it is kept when a layer was last looked for. Pushes skip
// layers they find, so one that was found must stay as long as a push may take.
const sought = time.Hour

// owner is who an upload belongs to: a repository, not only its name.
func owner(r *image.Repository) string { return r.Account + "/" + r.Region + "/" + r.ID }

// BatchCheckLayerAvailability answers which layers a repository has.
func (s *Service) BatchCheckLayerAvailability(ctx context.Context, in *api.BatchCheckLayerAvailabilityInput) (*api.BatchCheckLayerAvailabilityOutput, error) {
	out := &api.BatchCheckLayerAvailabilityOutput{Layers: []api.Layer{}, Failures: []api.LayerFailure{}}
	var stale []image.Layer
	err := s.Read(ctx, in.RegistryId, in.RepositoryName, func(tx store.Tx, r *image.Repository) error {
		for _, d := range in.LayerDigests {
			if !image.ValidDigest(d) {
				out.Failures = append(out.Failures, layerFailure(d))
				continue
			}
			l, ok, err := repositories.Layers.Find(tx, r.Account, r.Region, r.Name, d)
			if err != nil {
				return err
			}
			if !ok {
				out.Layers = append(out.Layers, api.Layer{LayerDigest: &d, LayerAvailability: new("UNAVAILABLE")})
				continue
			}
			out.Layers = append(out.Layers, api.Layer{
				LayerDigest: &d, LayerAvailability: new("AVAILABLE"), LayerSize: &l.Size, MediaType: call.Some(l.MediaType),
			})
			if s.Now().Sub(l.At) >= sought {
				stale = append(stale, l)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, s.noteSought(ctx, stale)
}

func layerFailure(digest string) api.LayerFailure {
	if digest == "" {
		return api.LayerFailure{FailureCode: new("MissingLayerDigest"), FailureReason: new("Invalid request parameters: layer digest cannot be empty"), LayerDigest: &digest}
	}
	return api.LayerFailure{
		FailureCode: new("InvalidLayerDigest"), LayerDigest: &digest,
		FailureReason: new("Invalid request parameters: layer digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'"),
	}
}

// noteSought keeps that layers were looked for.
func (s *Service) noteSought(ctx context.Context, layers []image.Layer) error {
	if len(layers) == 0 {
		return nil
	}
	return s.Store.Update(ctx, func(tx store.Tx) error {
		for _, l := range layers {
			now, ok, err := repositories.Layers.Find(tx, repositories.Layers.Key(&l)...)
			if err != nil {
				return err
			}
			if !ok {
				continue
			}
			now.At = s.Now().UTC()
			if err := repositories.Layers.Put(tx, &now); err != nil {
				return err
			}
		}
		return nil
	})
}

// InitiateLayerUpload begins an upload.
func (s *Service) InitiateLayerUpload(ctx context.Context, in *api.InitiateLayerUploadInput) (*api.InitiateLayerUploadOutput, error) {
	r, err := s.repository(ctx, in.RegistryId, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	id := s.IDs.UUID()
	if err := s.blobs.Begin(owner(&r), id); err != nil {
		return nil, err
	}
	return &api.InitiateLayerUploadOutput{UploadId: &id, PartSize: new(int64(partSize))}, nil
}

func (s *Service) repository(ctx context.Context, registry, name *string) (out image.Repository, err error) {
	err = s.Read(ctx, registry, name, func(_ store.Tx, r *image.Repository) error {
		out = *r
		return nil
	})
	return out, err
}

func noUpload(r *image.Repository, id string) error {
	return api.UploadNotFoundException(fmt.Sprintf(
		"Layer upload with id '%s' does not exist in the repository with name '%s' in the registry with id '%s'", id, r.Name, r.Account))
}

// UploadLayerPart adds a part to an upload, which must begin where it ends.
func (s *Service) UploadLayerPart(ctx context.Context, in *api.UploadLayerPartInput) (*api.UploadLayerPartOutput, error) {
	r, err := s.repository(ctx, in.RegistryId, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	if *in.PartLastByte-*in.PartFirstByte+1 != int64(len(in.LayerPartBlob)) {
		return nil, call.Invalid("layerPartBlob", "Layer part size does not match its first and last byte")
	}
	size, err := s.blobs.Append(owner(&r), *in.UploadId, *in.PartFirstByte, bytes.NewReader(in.LayerPartBlob))
	switch {
	case errors.Is(err, image.ErrNoUpload):
		return nil, noUpload(&r, *in.UploadId)
	case errors.Is(err, image.ErrOffset), errors.Is(err, image.ErrBusy):
		return nil, api.InvalidLayerPartException("The layer part does not begin with the byte after the last one received").
			With("registryId", r.Account).With("repositoryName", r.Name).With("uploadId", *in.UploadId).With("lastValidByteReceived", size-1)
	case err != nil:
		return nil, err
	}
	return &api.UploadLayerPartOutput{
		RegistryId: &r.Account, RepositoryName: &r.Name, UploadId: in.UploadId, LastByteReceived: new(size - 1),
	}, nil
}

// CompleteLayerUpload makes a layer of an upload.
func (s *Service) CompleteLayerUpload(ctx context.Context, in *api.CompleteLayerUploadInput) (*api.CompleteLayerUploadOutput, error) {
	if len(in.LayerDigests) != 1 || !image.ValidDigest(in.LayerDigests[0]) {
		return nil, api.InvalidLayerException("One layer digest of algorithm sha256 is expected")
	}
	r, err := s.repository(ctx, in.RegistryId, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	digest := in.LayerDigests[0]
	size, err := s.blobs.Size(owner(&r), *in.UploadId)
	switch {
	case errors.Is(err, image.ErrNoUpload):
		return nil, noUpload(&r, *in.UploadId)
	case err != nil:
		return nil, err
	case size == 0:
		return nil, api.EmptyUploadException(fmt.Sprintf("The upload with id '%s' does not contain any layer parts", *in.UploadId))
	}
	there, err := s.Finish(ctx, in.RegistryId, in.RepositoryName, *in.UploadId, digest)
	if err != nil {
		return nil, err
	}
	if there {
		return nil, api.LayerAlreadyExistsException(fmt.Sprintf(
			"The layer with digest '%s' already exists in the repository with name '%s' in the registry with id '%s'", digest, r.Name, r.Account))
	}
	return &api.CompleteLayerUploadOutput{RegistryId: &r.Account, RepositoryName: &r.Name, UploadId: in.UploadId, LayerDigest: &digest}, nil
}

// Write adds to an upload as the registry protocol does: at an offset, or at its
// end (-1). It returns the upload's size, also with an error, which may be
// image.ErrOffset.
func (s *Service) Write(ctx context.Context, registry, name *string, id string, offset int64, body io.Reader) (int64, error) {
	r, err := s.repository(ctx, registry, name)
	if err != nil {
		return 0, err
	}
	size, err := s.blobs.Append(owner(&r), id, offset, body)
	if errors.Is(err, image.ErrNoUpload) {
		err = noUpload(&r, id)
	}
	return size, err
}

// Written is how much of an upload is here.
func (s *Service) Written(ctx context.Context, registry, name *string, id string) (int64, error) {
	r, err := s.repository(ctx, registry, name)
	if err != nil {
		return 0, err
	}
	size, err := s.blobs.Size(owner(&r), id)
	if errors.Is(err, image.ErrNoUpload) {
		err = noUpload(&r, id)
	}
	return size, err
}

// Cancel removes an upload.
func (s *Service) Cancel(ctx context.Context, registry, name *string, id string) error {
	r, err := s.repository(ctx, registry, name)
	if err != nil {
		return err
	}
	err = s.blobs.Abort(owner(&r), id)
	if errors.Is(err, image.ErrNoUpload) {
		err = noUpload(&r, id)
	}
	return err
}

// Finish makes a layer of an upload; there reports that the repository had it.
func (s *Service) Finish(ctx context.Context, registry, name *string, id, digest string) (there bool, err error) {
	r, err := s.repository(ctx, registry, name)
	if err != nil {
		return false, err
	}
	size, release, err := s.blobs.Commit(owner(&r), id, digest)
	switch {
	case errors.Is(err, image.ErrNoUpload):
		return false, noUpload(&r, id)
	case errors.Is(err, image.ErrDigest):
		return false, api.InvalidLayerException(fmt.Sprintf("The digest '%s' does not match the digest of the uploaded layer", digest))
	case err != nil:
		return false, err
	}
	defer release()
	return s.link(ctx, registry, name, digest, size)
}

// link gives a repository a blob, which must be held.
func (s *Service) link(ctx context.Context, registry, name *string, digest string, size int64) (there bool, err error) {
	err = s.Change(ctx, registry, name, func(tx store.Tx, r *image.Repository) error {
		l, ok, err := repositories.Layers.Find(tx, r.Account, r.Region, r.Name, digest)
		if err != nil {
			return err
		}
		there = ok
		if !ok {
			l = image.Layer{Account: r.Account, Region: r.Region, Repository: r.Name, Digest: digest, Size: size}
		}
		l.At = s.Now().UTC()
		return repositories.Layers.Put(tx, &l)
	})
	return there, err
}

// Mount gives a repository a layer of another one in its registry. ok is false
// where that is not possible: the layer has to be uploaded.
func (s *Service) Mount(ctx context.Context, registry, name *string, from, digest string) (ok bool, err error) {
	account, region := call.Registry(ctx, registry)
	var size int64
	err = s.Store.View(ctx, func(tx store.Tx) error {
		g, _, err := repositories.Registries.Find(tx, account, region)
		if err != nil || g.Setting(image.BlobMounting) != "ENABLED" {
			return err
		}
		l, found, err := repositories.Layers.Find(tx, account, region, from, digest)
		ok, size = found, l.Size
		return err
	})
	if err != nil || !ok {
		return false, err
	}
	_, release, err := s.blobs.Hold(digest)
	if err != nil {
		return false, err
	}
	defer release()
	_, err = s.link(ctx, registry, name, digest, size)
	return err == nil, err
}

// layer is a layer of a repository, or ECR's error that there is none.
func (s *Service) layer(ctx context.Context, registry, name *string, digest string) (l image.Layer, err error) {
	err = s.Read(ctx, registry, name, func(tx store.Tx, r *image.Repository) error {
		var ok bool
		l, ok, err = repositories.Layers.Find(tx, r.Account, r.Region, r.Name, digest)
		if err == nil && !ok {
			err = api.LayersNotFoundException(fmt.Sprintf(
				"The layer with digest '%s' does not exist in the repository with name '%s' in the registry with id '%s'", digest, r.Name, r.Account))
		}
		return err
	})
	return l, err
}

// Open opens a layer of a repository.
func (s *Service) Open(ctx context.Context, registry, name *string, digest string) (*os.File, image.Layer, error) {
	l, err := s.layer(ctx, registry, name, digest)
	if err != nil {
		return nil, l, err
	}
	f, err := s.blobs.Open(digest)
	return f, l, err
}

// Layer is the digest of a blob that whoever pulls an image needs: "" when there is
// no such image.
func (s *Service) Layer(ctx context.Context, account, region, name string, id api.ImageIdentifier) (digest string, err error) {
	err = s.Store.View(ctx, func(tx store.Tx) error {
		r, ok, err := repositories.Repositories.Find(tx, account, region, name)
		for err == nil && ok {
			i, fail, e := find(tx, &r, id)
			switch {
			case e != nil:
				return e
			case fail == nil && len(i.Blobs) > 0:
				digest = i.Blobs[0].Digest
				return nil
			case fail != nil || len(i.Children) == 0:
				return nil
			}
			id = api.ImageIdentifier{ImageDigest: &i.Children[0]}
		}
		return err
	})
	return digest, err
}

// downloadFor is how long the URL of a layer can be used.
const downloadFor = time.Hour

// GetDownloadUrlForLayer answers a URL from which anyone can download a layer for
// an hour.
func (s *Service) GetDownloadUrlForLayer(ctx context.Context, in *api.GetDownloadUrlForLayerInput) (*api.GetDownloadUrlForLayerOutput, error) {
	l, err := s.layer(ctx, in.RegistryId, in.RepositoryName, *in.LayerDigest)
	if shape.IsCode(err, "LayersNotFoundException") {
		return nil, api.LayerInaccessibleException(fmt.Sprintf("The layer with digest '%s' is not available", *in.LayerDigest))
	}
	if err != nil {
		return nil, err
	}
	if url := s.presigned(ctx, &l); url != "" {
		return &api.GetDownloadUrlForLayerOutput{LayerDigest: &l.Digest, DownloadUrl: &url}, nil
	}
	until := s.Now().Add(downloadFor).UTC().Format(time.RFC3339)
	token := s.Pages.Seal(l.Digest+" "+until, "ecr", "layer")
	return &api.GetDownloadUrlForLayerOutput{LayerDigest: &l.Digest, DownloadUrl: new(s.url() + "/v2/_layers/" + token)}, nil
}

// Link is the URL at Amazon S3 from which anyone can download a layer for an hour; ""
// for a caller who did not come by AWS's names.
func (s *Service) Link(ctx context.Context, registry, name *string, digest string) (string, error) {
	l, err := s.layer(ctx, registry, name, digest)
	if err != nil {
		return "", err
	}
	return s.presigned(ctx, &l), nil
}

func (s *Service) presigned(ctx context.Context, l *image.Layer) string {
	c := auth.CallerFrom(ctx)
	host, ok := image.LayerHost(c.Host, l.Region)
	if !ok {
		return ""
	}
	u := &url.URL{Scheme: "http", Host: host, Path: "/" + image.LayerKey(l.Account, l.Digest)}
	if c.Secure {
		u.Scheme = "https"
	}
	signer := sigv4.Signer{AccessKeyID: image.LayerAccessKey, Secret: image.LayerSecret(s.TokenKey), Region: l.Region, Service: "s3"}
	signer.Presign(http.MethodGet, u, s.Now(), downloadFor)
	return u.String()
}

// Download opens the layer of a download URL; the error is image.ErrNoBlob when the
// URL is none or cannot be used any more.
func (s *Service) Download(token string) (*os.File, string, error) {
	var digest, until string
	text, err := s.Pages.Open(token, "ecr", "layer")
	if err != nil {
		return nil, "", image.ErrNoBlob
	}
	if _, err := fmt.Sscan(text, &digest, &until); err != nil {
		return nil, "", image.ErrNoBlob
	}
	if t, err := time.Parse(time.RFC3339, until); err != nil || s.Now().After(t) {
		return nil, "", image.ErrNoBlob
	}
	f, err := s.blobs.Open(digest)
	return f, digest, err
}
