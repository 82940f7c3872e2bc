package v2

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	api "neargate/aws/ecr"
	"neargate/resource/image"
	"neargate/wire/shape"
)

// mostManifest bounds the text of a manifest.
// Source: Amazon ECR API Reference, PutImage.
const mostManifest = 4 << 20

// identifier is what a reference names: a digest or a tag.
func identifier(reference string) api.ImageIdentifier {
	if strings.Contains(reference, ":") {
		return api.ImageIdentifier{ImageDigest: &reference}
	}
	return api.ImageIdentifier{ImageTag: &reference}
}

func (h *Handler) getManifest(r *request) error {
	in := &api.BatchGetImageInput{RegistryId: &r.account, RepositoryName: &r.name, ImageIds: []api.ImageIdentifier{identifier(r.tail)}}
	ctx, err := h.admit(r, "BatchGetImage", in)
	if err != nil {
		return err
	}
	out, err := h.Images.BatchGetImage(ctx, in)
	if err != nil {
		return err
	}
	if len(out.Images) == 0 {
		return refused(http.StatusNotFound, "MANIFEST_UNKNOWN", *out.Failures[0].FailureReason)
	}
	i := &out.Images[0]
	header := r.w.Header()
	header.Set("Content-Type", *i.ImageManifestMediaType)
	header.Set("Content-Length", strconv.Itoa(len(*i.ImageManifest)))
	header.Set("Docker-Content-Digest", *i.ImageId.ImageDigest)
	r.w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = io.WriteString(r.w, *i.ImageManifest) // a client that has left needs no answer
	}
	return nil
}

func (h *Handler) putManifest(r *request) error {
	text, err := io.ReadAll(io.LimitReader(r.Body, mostManifest+1))
	if err != nil {
		return refused(http.StatusBadRequest, "MANIFEST_INVALID", "the manifest could not be read")
	}
	if len(text) > mostManifest {
		return refused(http.StatusRequestEntityTooLarge, "SIZE_INVALID", "the manifest is larger than 4 MiB")
	}
	in := &api.PutImageInput{RegistryId: &r.account, RepositoryName: &r.name, ImageManifest: new(string(text))}
	if t := r.Header.Get("Content-Type"); t != "" {
		in.ImageManifestMediaType = &t
	}
	id := identifier(r.tail)
	in.ImageTag, in.ImageDigest = id.ImageTag, id.ImageDigest
	ctx, err := h.admit(r, "PutImage", in)
	if err != nil {
		return err
	}
	digest := ""
	out, err := h.Images.PutImage(ctx, in)
	switch {
	case err == nil:
		digest = *out.Image.ImageId.ImageDigest
	case shape.IsCode(err, "ImageAlreadyExistsException"):
		digest = image.DigestOf(text) // as it should be
	case shape.IsCode(err, "LayersNotFoundException"):
		e, _ := errors.AsType[*shape.Error](err)
		return refused(http.StatusBadRequest, "MANIFEST_BLOB_UNKNOWN", e.Message)
	case err != nil:
		return err
	}
	if i, err := image.Parse(text, r.Header.Get("Content-Type")); err == nil && i.Subject != "" {
		r.w.Header().Set("OCI-Subject", i.Subject)
	}
	r.w.Header().Set("Docker-Content-Digest", digest)
	r.w.Header().Set("Location", "/v2/"+r.name+"/manifests/"+digest)
	r.w.WriteHeader(http.StatusCreated)
	return nil
}

// page takes the part of a sorted listing that a request asks for, with n at most, after
// last, and says where the next part is.
func (r *request) page(all []string) ([]string, error) {
	q := r.URL.Query()
	if last := q.Get("last"); last != "" {
		at, there := slices.BinarySearch(all, last)
		if there {
			at++
		}
		all = all[at:]
	}
	if !q.Has("n") {
		return all, nil
	}
	n, err := strconv.Atoi(q.Get("n"))
	if err != nil || n < 0 {
		return nil, refused(http.StatusBadRequest, "PAGINATION_NUMBER_INVALID", "invalid number of results requested")
	}
	if n < len(all) {
		all = all[:n]
		if n > 0 {
			next := url.Values{"n": {strconv.Itoa(n)}, "last": {all[n-1]}}
			r.w.Header().Set("Link", fmt.Sprintf(`<%s?%s>; rel="next"`, r.URL.Path, next.Encode()))
		}
	}
	return all, nil
}

// listTags answers tags in the order in which they were pushed, as text/plain, as
// ECR does; in pages they are in the order that the specification demands.
func (h *Handler) listTags(r *request) error {
	ctx, err := h.admit(r, "ListImages", &api.ListImagesInput{RegistryId: &r.account, RepositoryName: &r.name})
	if err != nil {
		return err
	}
	tags, err := h.Images.Tagged(ctx, &r.account, &r.name)
	if err != nil {
		return err
	}
	if q := r.URL.Query(); q.Has("n") || q.Has("last") {
		slices.Sort(tags)
	}
	if tags, err = r.page(tags); err != nil {
		return err
	}
	if tags == nil {
		tags = []string{}
	}
	return r.json(http.StatusOK, "text/plain; charset=utf-8", struct {
		Name string   `json:"name"`
		Tags []string `json:"tags"`
	}{r.name, tags})
}

func (h *Handler) catalog(r *request) error {
	if r.Method != http.MethodGet {
		return refused(http.StatusMethodNotAllowed, "UNSUPPORTED", "The operation is unsupported.")
	}
	in := &api.DescribeRepositoriesInput{RegistryId: &r.account, MaxResults: new(int32(1000))}
	ctx, err := h.admit(r, "DescribeRepositories", in)
	if err != nil {
		return err
	}
	names := []string{}
	for {
		out, err := h.Repositories.DescribeRepositories(ctx, in)
		if err != nil {
			return err
		}
		for _, repo := range out.Repositories {
			names = append(names, *repo.RepositoryName)
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			break
		}
	}
	if names, err = r.page(names); err != nil {
		return err
	}
	return r.json(http.StatusOK, "application/json", map[string][]string{"repositories": names})
}

// referrer is an entry of a list of referrers.
type referrer struct {
	MediaType    string            `json:"mediaType"`
	Digest       string            `json:"digest"`
	Size         int64             `json:"size"`
	ArtifactType string            `json:"artifactType,omitempty"`
	Annotations  map[string]string `json:"annotations,omitempty"`
}

func (h *Handler) listReferrers(r *request) error {
	if !image.ValidDigest(r.tail) {
		return refused(http.StatusBadRequest, "DIGEST_INVALID", "invalid digest: "+r.tail)
	}
	in := &api.ListImageReferrersInput{RegistryId: &r.account, RepositoryName: &r.name, SubjectId: &api.SubjectIdentifier{ImageDigest: &r.tail}}
	if t := r.URL.Query().Get("artifactType"); t != "" {
		in.Filter = &api.ListImageReferrersFilter{ArtifactTypes: []string{t}}
		r.w.Header().Set("OCI-Filters-Applied", "artifactType")
	}
	ctx, err := h.admit(r, "ListImageReferrers", in)
	if err != nil {
		return err
	}
	list := []referrer{}
	for {
		out, err := h.Images.ListImageReferrers(ctx, in)
		if err != nil {
			return err
		}
		for _, a := range out.Referrers {
			d := referrer{MediaType: *a.MediaType, Digest: *a.Digest, Size: *a.Size, Annotations: a.Annotations}
			if a.ArtifactType != nil {
				d.ArtifactType = *a.ArtifactType
			}
			list = append(list, d)
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			break
		}
	}
	return r.json(http.StatusOK, image.OCIIndex, struct {
		SchemaVersion int        `json:"schemaVersion"`
		MediaType     string     `json:"mediaType"`
		Manifests     []referrer `json:"manifests"`
	}{2, image.OCIIndex, list})
}
