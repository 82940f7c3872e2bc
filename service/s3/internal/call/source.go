package call

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
	"time"

	"neargate/resource/objects"
	"neargate/store"
	"neargate/store/tables/buckets"
)

// Source is what a copy is made of.
type Source struct {
	Bucket  objects.Bucket
	Content objects.Content
	Version objects.Version
}

// Source opens the source of a copy, if the caller may read it.
func (x *Request) Source() (*Source, error) {
	header := x.R.Header.Get("X-Amz-Copy-Source")
	path, id := header, ""
	if before, after, ok := strings.Cut(header, "?versionId="); ok {
		path, id = before, after
	}
	path, err := url.PathUnescape(path)
	name, key, ok := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if err != nil || !ok || name == "" || key == "" || strings.HasPrefix(name, "arn:") {
		return nil, InvalidArgument("Copy Source must mention the source bucket and key: sourcebucket/sourcekey", "x-amz-copy-source", header)
	}
	s := &Source{}
	err = x.Store.View(x.Ctx, func(tx store.Tx) (err error) {
		s.Bucket, err = buckets.Buckets.Get(tx, name)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, noSuchBucket(name)
	}
	if err != nil {
		return nil, err
	}
	if owner := x.R.Header.Get("X-Amz-Source-Expected-Bucket-Owner"); owner != "" && owner != s.Bucket.Account {
		return nil, errAccessDenied
	}
	action := "s3:GetObject"
	if id != "" {
		action = "s3:GetObjectVersion"
	}
	if err := x.AllowIn(&s.Bucket, action, key); err != nil {
		return nil, err
	}
	if s.Content, err = x.Engine.Open(s.Bucket.ID, key, id); err != nil {
		return nil, x.Missing(&s.Bucket, sourceError(err, key, id))
	}
	s.Version = s.Content.Version()
	if err := x.acceptable(s, id); err != nil {
		return nil, errors.Join(err, s.Content.Close())
	}
	return s, nil
}

func sourceError(err error, key, id string) error {
	switch {
	case errors.Is(err, objects.ErrNoKey):
		return NoSuchKey(key)
	case errors.Is(err, objects.ErrNoVersion):
		return noSuchVersion(key, id)
	}
	return err
}

// acceptable refuses a source that is no object, or not the one asked for.
func (x *Request) acceptable(s *Source, id string) error {
	v := &s.Version
	if v.Marker {
		if id != "" {
			return Fail("InvalidRequest", 400, "The source of a copy request may not specifically refer to a delete marker by version id.")
		}
		return NoSuchKey(v.Key)
	}
	h := x.R.Header
	const prefix = "X-Amz-Copy-Source-If-"
	if err := x.hold(v, h.Get(prefix+"Match"), h.Get(prefix+"None-Match"), h.Get(prefix+"Modified-Since"), h.Get(prefix+"Unmodified-Since"), false); err != nil {
		return err
	}
	if s.Bucket.Versioning != "" {
		x.Set("x-amz-copy-source-version-id", v.ID)
	}
	return nil
}

// Copied is the document that answers a copy.
func Copied(root string, modified time.Time, etag string, c objects.Checksum) any {
	return copyResult{XMLName{Local: root}, Namespace, Stamp(modified), Quoted(etag), ShowChecksum(c)}
}

type copyResult struct {
	XMLName      XMLName
	Xmlns        string `xml:"xmlns,attr"`
	LastModified string
	ETag         string
	Checksums
}

// CopySpan is what of its source a part is to hold.
func (x *Request) CopySpan(s *Source) (offset, length int64, err error) {
	header := x.R.Header.Get("X-Amz-Copy-Source-Range")
	if header == "" {
		return 0, s.Version.Size, nil
	}
	wrong := InvalidArgument("The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy",
		"x-amz-copy-source-range", header)
	spec, ok := strings.CutPrefix(header, "bytes=")
	first, last, dash := strings.Cut(spec, "-")
	from, errFrom := strconv.ParseInt(first, 10, 64)
	to, errTo := strconv.ParseInt(last, 10, 64)
	switch {
	case !ok || !dash || errFrom != nil || errTo != nil || from < 0 || to < from:
		return 0, 0, wrong
	case to >= s.Version.Size:
		return 0, 0, InvalidArgument("Range specified is not valid for source object of size: "+strconv.FormatInt(s.Version.Size, 10), "x-amz-copy-source-range", header)
	}
	return from, to - from + 1, nil
}
