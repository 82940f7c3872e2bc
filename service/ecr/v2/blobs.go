package v2

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"

	api "neargate/aws/ecr"
	"neargate/resource/image"
	"neargate/wire/shape"
)

// beginUpload begins an upload, or mounts or takes a whole blob where it can.
func (h *Handler) beginUpload(r *request) error {
	if r.tail != "" {
		return refused(http.StatusNotFound, "UNSUPPORTED", "The operation is unsupported.")
	}
	q := r.URL.Query()
	for _, d := range []string{q.Get("digest"), q.Get("mount")} {
		if d != "" && !image.ValidDigest(d) {
			return refused(http.StatusBadRequest, "DIGEST_INVALID", "invalid digest: "+d)
		}
	}
	if mounted, err := h.mount(r, q.Get("mount"), q.Get("from")); err != nil || mounted {
		return err
	}
	in := &api.InitiateLayerUploadInput{RegistryId: &r.account, RepositoryName: &r.name}
	ctx, err := h.admit(r, "InitiateLayerUpload", in)
	if err != nil {
		return err
	}
	out, err := h.Images.InitiateLayerUpload(ctx, in)
	if shape.IsCode(err, "RepositoryNotFoundException") {
		var made bool
		if made, err = h.createOnPush(ctx, r, err); made {
			out, err = h.Images.InitiateLayerUpload(ctx, in)
		}
	}
	if err != nil {
		return err
	}
	if digest := q.Get("digest"); digest != "" {
		if _, err := h.Images.Write(ctx, &r.account, &r.name, *out.UploadId, 0, r.Body); err != nil {
			return readFailed(err)
		}
		return h.finish(r, *out.UploadId, digest)
	}
	r.progress(*out.UploadId, 0)
	r.w.WriteHeader(http.StatusAccepted)
	return nil
}

// createOnPush makes a repository that is pushed to without being there, if a
// repository creation template is for that and the caller may create it; else it
// returns the error missing.
func (h *Handler) createOnPush(ctx context.Context, r *request, missing error) (made bool, err error) {
	wanted, err := h.Images.MadeOnPush(ctx, &r.account, r.name)
	if err != nil {
		return false, err
	}
	if !wanted {
		return false, missing
	}
	ctx, err = h.admit(r, "CreateRepository", &api.CreateRepositoryInput{RegistryId: &r.account, RepositoryName: &r.name})
	if err != nil {
		return false, err
	}
	_, err = h.Images.Make(ctx, &r.account, r.name, image.ForCreateOnPush)
	return err == nil, err
}

// mount takes a blob from another repository that the caller may pull from.
func (h *Handler) mount(r *request, digest, from string) (bool, error) {
	if digest == "" || from == "" || !nameForm.MatchString(from) {
		return false, nil
	}
	if _, err := h.admit(r, "GetDownloadUrlForLayer", &api.GetDownloadUrlForLayerInput{RegistryId: &r.account, RepositoryName: &from, LayerDigest: &digest}); err != nil {
		return false, nil
	}
	ctx, err := h.admit(r, "CompleteLayerUpload", &api.CompleteLayerUploadInput{RegistryId: &r.account, RepositoryName: &r.name})
	if err != nil {
		return false, err
	}
	ok, err := h.Images.Mount(ctx, &r.account, &r.name, from, digest)
	if err != nil || !ok {
		return false, nil // an upload will find what is wrong
	}
	r.created(digest)
	return true, nil
}

// progress says where an upload goes on and how far it is.
func (r *request) progress(id string, size int64) {
	r.w.Header().Set("Location", "/v2/"+r.name+"/blobs/uploads/"+id)
	r.w.Header().Set("Docker-Upload-Uuid", id)
	r.w.Header().Set("Range", fmt.Sprintf("0-%d", max(size-1, 0)))
}

// created answers that a blob is here.
func (r *request) created(digest string) {
	r.w.Header().Set("Location", "/v2/"+r.name+"/blobs/"+digest)
	r.w.Header().Set("Docker-Content-Digest", digest)
	r.w.WriteHeader(http.StatusCreated)
}

// offset is where the body of a request belongs in an upload; -1: at its end.
func (r *request) offset() (int64, error) {
	text := r.Header.Get("Content-Range")
	if text == "" {
		return -1, nil
	}
	var from, to int64
	if _, err := fmt.Sscanf(text, "%d-%d", &from, &to); err != nil || from < 0 || to < from || r.ContentLength >= 0 && to-from+1 != r.ContentLength {
		return 0, refused(http.StatusRequestedRangeNotSatisfiable, "BLOB_UPLOAD_INVALID", "invalid content range")
	}
	return from, nil
}

// write adds a request's body to an upload.
func (h *Handler) write(ctx context.Context, r *request) (size int64, err error) {
	at, err := r.offset()
	if err != nil {
		return 0, err
	}
	size, err = h.Images.Write(ctx, &r.account, &r.name, r.tail, at, r.Body)
	switch {
	case errors.Is(err, image.ErrOffset):
		r.progress(r.tail, size)
		return size, refused(http.StatusRequestedRangeNotSatisfiable, "BLOB_UPLOAD_INVALID", "the part does not begin where the upload ends")
	case errors.Is(err, image.ErrBusy):
		return size, refused(http.StatusConflict, "BLOB_UPLOAD_INVALID", "the upload is being written to")
	}
	return size, readFailed(err)
}

// readFailed tells a body that ended too early from what fails here.
func readFailed(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return refused(http.StatusBadRequest, "BLOB_UPLOAD_INVALID", "the body ended too early")
	}
	return err
}

// uploadInput is what decides about adding to an upload.
func (r *request) uploadInput() *api.UploadLayerPartInput {
	return &api.UploadLayerPartInput{RegistryId: &r.account, RepositoryName: &r.name, UploadId: &r.tail}
}

func (h *Handler) continueUpload(r *request) error {
	ctx, err := h.admit(r, "UploadLayerPart", r.uploadInput())
	if err != nil {
		return err
	}
	size, err := h.write(ctx, r)
	if err != nil {
		return err
	}
	r.progress(r.tail, size)
	r.w.WriteHeader(http.StatusAccepted)
	return nil
}

func (h *Handler) showUpload(r *request) error {
	ctx, err := h.admit(r, "UploadLayerPart", r.uploadInput())
	if err != nil {
		return err
	}
	size, err := h.Images.Written(ctx, &r.account, &r.name, r.tail)
	if err != nil {
		return err
	}
	r.progress(r.tail, size)
	r.w.WriteHeader(http.StatusNoContent)
	return nil
}

func (h *Handler) cancelUpload(r *request) error {
	ctx, err := h.admit(r, "UploadLayerPart", r.uploadInput())
	if err != nil {
		return err
	}
	if err := h.Images.Cancel(ctx, &r.account, &r.name, r.tail); err != nil {
		return err
	}
	r.w.WriteHeader(http.StatusNoContent)
	return nil
}

// endUpload takes the last part, if there is one, and makes a blob of the upload.
func (h *Handler) endUpload(r *request) error {
	digest := r.URL.Query().Get("digest")
	if !image.ValidDigest(digest) {
		return refused(http.StatusBadRequest, "DIGEST_INVALID", "invalid digest: "+digest)
	}
	if r.ContentLength != 0 {
		ctx, err := h.admit(r, "UploadLayerPart", r.uploadInput())
		if err != nil {
			return err
		}
		if _, err := h.write(ctx, r); err != nil {
			return err
		}
	}
	return h.finish(r, r.tail, digest)
}

func (h *Handler) finish(r *request, id, digest string) error {
	ctx, err := h.admit(r, "CompleteLayerUpload", &api.CompleteLayerUploadInput{
		RegistryId: &r.account, RepositoryName: &r.name, UploadId: &id, LayerDigests: []string{digest},
	})
	if err != nil {
		return err
	}
	if _, err := h.Images.Finish(ctx, &r.account, &r.name, id, digest); err != nil {
		return err
	}
	r.created(digest)
	return nil
}

// blobHeader says what a blob is, which never changes.
func blobHeader(w http.ResponseWriter, digest string) {
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Docker-Content-Digest", digest)
	w.Header().Set("Etag", `"`+digest+`"`)
}

func (h *Handler) headBlob(r *request) error {
	in := &api.BatchCheckLayerAvailabilityInput{RegistryId: &r.account, RepositoryName: &r.name, LayerDigests: []string{r.tail}}
	ctx, err := h.admit(r, "BatchCheckLayerAvailability", in)
	if err != nil {
		return err
	}
	out, err := h.Images.BatchCheckLayerAvailability(ctx, in)
	if err != nil {
		return err
	}
	if len(out.Layers) == 0 || out.Layers[0].LayerSize == nil {
		return refused(http.StatusNotFound, "BLOB_UNKNOWN", "blob unknown to registry")
	}
	blobHeader(r.w, r.tail)
	r.w.Header().Set("Accept-Ranges", "bytes")
	r.w.Header().Set("Content-Length", strconv.FormatInt(*out.Layers[0].LayerSize, 10))
	r.w.WriteHeader(http.StatusOK)
	return nil
}

func (h *Handler) getBlob(r *request) error {
	if !image.ValidDigest(r.tail) {
		return refused(http.StatusNotFound, "BLOB_UNKNOWN", "blob unknown to registry")
	}
	ctx, err := h.admit(r, "GetDownloadUrlForLayer", &api.GetDownloadUrlForLayerInput{RegistryId: &r.account, RepositoryName: &r.name, LayerDigest: &r.tail})
	if err != nil {
		return err
	}
	url, err := h.Images.Link(ctx, &r.account, &r.name, r.tail)
	if err != nil {
		return err
	}
	if url != "" && r.RemoteAddr != "" { // within the process there is no network in between
		r.w.Header().Set("Location", url)
		r.w.WriteHeader(http.StatusTemporaryRedirect)
		return nil
	}
	f, _, err := h.Images.Open(ctx, &r.account, &r.name, r.tail)
	if err != nil {
		return err
	}
	serveFile(r.w, r.Request, f, r.tail)
	return nil
}

// download serves a URL of GetDownloadUrlForLayer.
func (h *Handler) download(w http.ResponseWriter, req *http.Request, token string) {
	f, digest, err := h.Images.Download(token)
	if err != nil || req.Method != http.MethodGet && req.Method != http.MethodHead {
		if err == nil {
			f.Close()
		}
		http.Error(w, "Request has expired", http.StatusForbidden)
		return
	}
	serveFile(w, req, f, digest)
}

func serveFile(w http.ResponseWriter, req *http.Request, f *os.File, digest string) {
	defer f.Close()
	blobHeader(w, digest)
	http.ServeContent(w, req, "", time.Time{}, f)
}
