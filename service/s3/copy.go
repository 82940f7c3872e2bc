package s3

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"neargate/internal/checksum"
	"neargate/resource/objects"
	"neargate/store"
	"neargate/store/tables/buckets"
)

// source is what a copy is made of.
type source struct {
	bucket  objects.Bucket
	content objects.Content
	version objects.Version
}

// source opens the source of a copy, if the caller may read it.
func (x *request) source() (*source, error) {
	header := x.r.Header.Get("X-Amz-Copy-Source")
	path, id := header, ""
	if before, after, ok := strings.Cut(header, "?versionId="); ok {
		path, id = before, after
	}
	path, err := url.PathUnescape(path)
	name, key, ok := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if err != nil || !ok || name == "" || key == "" || strings.HasPrefix(name, "arn:") {
		return nil, invalidArgument("Copy Source must mention the source bucket and key: sourcebucket/sourcekey", "x-amz-copy-source", header)
	}
	s := &source{}
	err = x.cfg.Store.View(x.ctx, func(tx store.Tx) (err error) {
		s.bucket, err = buckets.Buckets.Get(tx, name)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, noSuchBucket(name)
	}
	if err != nil {
		return nil, err
	}
	if owner := x.r.Header.Get("X-Amz-Source-Expected-Bucket-Owner"); owner != "" && owner != s.bucket.Account {
		return nil, errAccessDenied
	}
	action := "s3:GetObject"
	if id != "" {
		action = "s3:GetObjectVersion"
	}
	if err := x.allowIn(&s.bucket, action, key); err != nil {
		return nil, err
	}
	if s.content, err = x.cfg.Engine.Open(s.bucket.ID, key, id); err != nil {
		return nil, x.missing(&s.bucket, sourceError(err, key, id))
	}
	s.version = s.content.Version()
	if err := x.acceptable(s, id); err != nil {
		return nil, errors.Join(err, s.content.Close())
	}
	return s, nil
}

func sourceError(err error, key, id string) error {
	switch {
	case errors.Is(err, objects.ErrNoKey):
		return noSuchKey(key)
	case errors.Is(err, objects.ErrNoVersion):
		return noSuchVersion(key, id)
	}
	return err
}

// acceptable refuses a source that is no object, or not the one asked for.
func (x *request) acceptable(s *source, id string) error {
	v := &s.version
	if v.Marker {
		if id != "" {
			return fail("InvalidRequest", 400, "The source of a copy request may not specifically refer to a delete marker by version id.")
		}
		return noSuchKey(v.Key)
	}
	h := x.r.Header
	const prefix = "X-Amz-Copy-Source-If-"
	if err := x.hold(v, h.Get(prefix+"Match"), h.Get(prefix+"None-Match"), h.Get(prefix+"Modified-Since"), h.Get(prefix+"Unmodified-Since"), false); err != nil {
		return err
	}
	if s.bucket.Versioning != "" {
		x.set("x-amz-copy-source-version-id", v.ID)
	}
	return nil
}

type copyResult struct {
	XMLName      xmlName
	Xmlns        string `xml:"xmlns,attr"`
	LastModified string
	ETag         string
	checksums
}

// checksums are the elements that tell a checksum.
type checksums struct {
	ChecksumCRC32     string `xml:",omitempty"`
	ChecksumCRC32C    string `xml:",omitempty"`
	ChecksumCRC64NVME string `xml:",omitempty"`
	ChecksumSHA1      string `xml:",omitempty"`
	ChecksumSHA256    string `xml:",omitempty"`
	ChecksumType      string `xml:",omitempty"`
}

func showChecksum(c objects.Checksum) (out checksums) {
	switch c.Algorithm {
	case checksum.CRC32:
		out.ChecksumCRC32 = c.Value
	case checksum.CRC32C:
		out.ChecksumCRC32C = c.Value
	case checksum.CRC64NVME:
		out.ChecksumCRC64NVME = c.Value
	case checksum.SHA1:
		out.ChecksumSHA1 = c.Value
	case checksum.SHA256:
		out.ChecksumSHA256 = c.Value
	}
	out.ChecksumType = c.Type
	return out
}

// checksum is the checksum in the elements.
func (c *checksums) checksum() objects.Checksum {
	for _, f := range []struct {
		a     checksum.Algorithm
		value string
	}{
		{checksum.CRC32, c.ChecksumCRC32}, {checksum.CRC32C, c.ChecksumCRC32C}, {checksum.CRC64NVME, c.ChecksumCRC64NVME},
		{checksum.SHA1, c.ChecksumSHA1}, {checksum.SHA256, c.ChecksumSHA256},
	} {
		if f.value != "" {
			return objects.Checksum{Algorithm: f.a, Value: f.value}
		}
	}
	return objects.Checksum{}
}

// stamp is a time as documents have it.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func copyObject(x *request) error {
	if err := x.allow("s3:PutObject", x.place.key); err != nil {
		return err
	}
	s, err := x.source()
	if err != nil {
		return err
	}
	defer func() {
		if err := s.content.Close(); err != nil {
			x.failed = errors.Join(x.failed, err)
		}
	}()
	if s.version.Size > objects.MaxPut {
		return fail("InvalidRequest", 400, "The specified copy source is larger than the maximum allowable size for a copy source: "+strconv.Itoa(objects.MaxPut))
	}
	w := objects.Write{Bucket: x.bucket.ID, Versioning: x.bucket.Versioning, Key: x.place.key}
	if w.About, err = x.copyAbout(s); err != nil {
		return err
	}
	if w.If, err = x.writeCondition(); err != nil {
		return err
	}
	a := s.version.Checksum.Algorithm
	if v := x.r.Header.Get("X-Amz-Checksum-Algorithm"); v != "" {
		a = checksum.Algorithm(strings.ToUpper(v))
	}
	if a.New() == nil {
		return errUnsupportedDigest
	}
	st, err := x.cfg.Engine.Stage(x.ctx, s.content.Range(0, s.version.Size), a)
	if err != nil {
		return err
	}
	w.Checksum = objects.Checksum{Algorithm: a, Value: checksum.Encode(st.Sums[a]), Type: objects.FullObject}
	v, err := x.cfg.Engine.Put(w, st)
	if err != nil {
		return err
	}
	x.set("x-amz-server-side-encryption", "AES256")
	x.versionID(v.ID)
	x.expiration(&v)
	return x.write(copyResult{xmlName{Local: "CopyObjectResult"}, namespace, stamp(v.Modified), quoted(v.ETag), showChecksum(v.Checksum)})
}

// copyAbout is what the copy of an object says of itself.
func (x *request) copyAbout(s *source) (objects.About, error) {
	h := x.r.Header
	a, err := x.about()
	if err != nil {
		return a, err
	}
	replace := map[string]bool{}
	for _, name := range []string{"Metadata", "Tagging"} {
		switch v := h.Get("X-Amz-" + name + "-Directive"); v {
		case "", "COPY":
		case "REPLACE":
			replace[name] = true
		default:
			return a, invalidArgument("Unknown "+strings.ToLower(name)+" directive.", "x-amz-"+strings.ToLower(name)+"-directive", v)
		}
	}
	itself := s.bucket.ID == x.bucket.ID && s.version.Key == x.place.key && s.version.Latest
	if itself && !replace["Metadata"] && a.Class == s.version.Class && a.Headers["X-Amz-Website-Redirect-Location"] == "" && h.Get("X-Amz-Server-Side-Encryption") == "" {
		return a, fail("InvalidRequest", 400, "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, "+
			"storage class, website redirect location or encryption attributes.")
	}
	if !replace["Metadata"] {
		a.Headers, a.Metadata = s.version.Headers, s.version.Metadata
	}
	if !replace["Tagging"] {
		a.Tags = s.version.Tags
		if len(a.Tags) > 0 {
			if err := x.allowIn(&s.bucket, "s3:GetObjectTagging", s.version.Key); err != nil {
				return a, err
			}
		}
	}
	return a, x.tagging(&a)
}

// copySpan is what of its source a part is to hold.
func (x *request) copySpan(s *source) (offset, length int64, err error) {
	header := x.r.Header.Get("X-Amz-Copy-Source-Range")
	if header == "" {
		return 0, s.version.Size, nil
	}
	wrong := invalidArgument("The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy",
		"x-amz-copy-source-range", header)
	spec, ok := strings.CutPrefix(header, "bytes=")
	first, last, dash := strings.Cut(spec, "-")
	from, errFrom := strconv.ParseInt(first, 10, 64)
	to, errTo := strconv.ParseInt(last, 10, 64)
	switch {
	case !ok || !dash || errFrom != nil || errTo != nil || from < 0 || to < from:
		return 0, 0, wrong
	case to >= s.version.Size:
		return 0, 0, invalidArgument("Range specified is not valid for source object of size: "+strconv.FormatInt(s.version.Size, 10), "x-amz-copy-source-range", header)
	}
	return from, to - from + 1, nil
}

type taggingDocument struct {
	XMLName xmlName `xml:"Tagging"`
	Xmlns   string  `xml:"xmlns,attr,omitempty"`
	TagSet  tagSet
}

type tagSet struct {
	Tags []objects.Tag `xml:"Tag"`
}

// tags reads the tags in a document.
func (x *request) tags(most int, what string) ([]objects.Tag, error) {
	var in taggingDocument
	if err := x.read(&in); err != nil {
		return nil, err
	}
	return in.TagSet.Tags, checkTags(in.TagSet.Tags, most, what)
}

func getObjectTagging(x *request) error {
	id, err := x.version()
	if err != nil {
		return err
	}
	v, err := x.cfg.Engine.Find(x.bucket.ID, x.place.key, id)
	if err != nil {
		return x.missing(&x.bucket, err)
	}
	if err := x.present(&v); err != nil {
		return err
	}
	x.versionID(v.ID)
	return x.write(taggingDocument{Xmlns: namespace, TagSet: tagSet{v.Tags}})
}

func putObjectTagging(x *request) error {
	tags, err := x.tags(objects.MaxTags, "Object")
	if err != nil {
		return err
	}
	return x.retag(tags, http.StatusOK)
}

func deleteObjectTagging(x *request) error { return x.retag(nil, http.StatusNoContent) }

func (x *request) retag(tags []objects.Tag, status int) error {
	id, err := x.version()
	if err != nil {
		return err
	}
	v, err := x.cfg.Engine.Retag(x.bucket.ID, x.place.key, id, tags)
	if err != nil {
		return x.missing(&x.bucket, err)
	}
	if err := x.present(&v); err != nil {
		return err
	}
	x.versionID(v.ID)
	return x.ok(status)
}

type attributesResult struct {
	XMLName      xmlName     `xml:"http://s3.amazonaws.com/doc/2006-03-01/ GetObjectAttributesResponse"`
	ETag         string      `xml:",omitempty"`
	Checksum     *checksums  `xml:",omitempty"`
	ObjectParts  *attributed `xml:",omitempty"`
	StorageClass string      `xml:",omitempty"`
	ObjectSize   *int64      `xml:",omitempty"`
}

type attributed struct {
	IsTruncated          bool
	MaxParts             int
	NextPartNumberMarker int
	PartNumberMarker     int
	Parts                []attributedPart `xml:"Part"`
	PartsCount           int
}

type attributedPart struct {
	PartNumber int
	Size       int64
	checksums
}

func getObjectAttributes(x *request) error {
	id, err := x.version()
	if err != nil {
		return err
	}
	v, err := x.cfg.Engine.Find(x.bucket.ID, x.place.key, id)
	if err != nil {
		return x.missing(&x.bucket, err)
	}
	if err := x.present(&v); err != nil {
		return err
	}
	asked := map[string]bool{}
	for _, h := range x.r.Header.Values("X-Amz-Object-Attributes") {
		for name := range strings.SplitSeq(h, ",") {
			asked[strings.TrimSpace(name)] = true
		}
	}
	if len(asked) == 0 {
		return invalidArgument("x-amz-object-attributes is required", "x-amz-object-attributes", "")
	}
	var out attributesResult
	if asked["ETag"] {
		out.ETag = v.ETag
	}
	if asked["Checksum"] && v.Checksum.Value != "" {
		out.Checksum = new(showChecksum(v.Checksum))
	}
	if asked["StorageClass"] {
		out.StorageClass = class(v.Class)
	}
	if asked["ObjectSize"] {
		out.ObjectSize = &v.Size
	}
	if asked["ObjectParts"] && v.Parts > 0 {
		if out.ObjectParts, err = x.attributedParts(v); err != nil {
			return err
		}
	}
	x.set("Last-Modified", v.Modified.UTC().Format(http.TimeFormat))
	x.versionID(v.ID)
	return x.write(out)
}

// attributedParts is a page of an object's parts.
func (x *request) attributedParts(v objects.Version) (*attributed, error) {
	parts, err := x.cfg.Engine.Pieces(v)
	if err != nil {
		return nil, err
	}
	number := func(name string, otherwise int) int {
		if n, err := strconv.Atoi(x.r.Header.Get(name)); err == nil && n >= 0 {
			return n
		}
		return otherwise
	}
	out := &attributed{MaxParts: min(number("X-Amz-Max-Parts", objects.MaxPage), objects.MaxPage), PartNumberMarker: number("X-Amz-Part-Number-Marker", 0), PartsCount: len(parts)}
	for i, p := range parts {
		n := i + 1
		if n <= out.PartNumberMarker {
			continue
		}
		if len(out.Parts) == out.MaxParts {
			out.IsTruncated = true
			break
		}
		c := showChecksum(p.Checksum)
		c.ChecksumType = ""
		if v.Checksum.Type == objects.FullObject {
			c = checksums{}
		}
		out.Parts = append(out.Parts, attributedPart{n, p.Size, c})
		out.NextPartNumberMarker = n
	}
	return out, nil
}

// class is a storage class by its name.
func class(c string) string {
	if c == "" {
		return "STANDARD"
	}
	return c
}
