package image

import "errors"

// Why the store of blobs refuses something.
var (
	ErrNoUpload = errors.New("no such upload")
	ErrNoBlob   = errors.New("no such blob")
	ErrOffset   = errors.New("the part does not begin where the upload ends")
	ErrDigest   = errors.New("the content has another digest")
	ErrBusy     = errors.New("the upload is being written to")
)
