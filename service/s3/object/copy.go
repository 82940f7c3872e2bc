package object

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"neargate/internal/checksum"
	"neargate/resource/objects"
	"neargate/service/s3/internal/call"
)

func copyObject(x *request) error {
	if err := x.Allow("s3:PutObject", x.Place.Key); err != nil {
		return err
	}
	s, err := x.Source()
	if err != nil {
		return err
	}
	defer func() {
		if err := s.Content.Close(); err != nil {
			x.Failed = errors.Join(x.Failed, err)
		}
	}()
	if s.Version.Size > objects.MaxPut {
		return call.Fail("InvalidRequest", 400, "The specified copy call.Source is larger than the maximum allowable size for a copy call.Source: "+strconv.Itoa(objects.MaxPut))
	}
	w := objects.Write{Bucket: x.Bucket.ID, Versioning: x.Bucket.Versioning, Key: x.Place.Key}
	if w.About, err = copyAbout(x, s); err != nil {
		return err
	}
	if w.If, err = x.WriteCondition(); err != nil {
		return err
	}
	a := s.Version.Checksum.Algorithm
	if v := x.R.Header.Get("X-Amz-Checksum-Algorithm"); v != "" {
		a = checksum.Algorithm(strings.ToUpper(v))
	}
	if a.New() == nil {
		return call.ErrUnsupportedDigest
	}
	if err := s.Unlock(x); err != nil {
		return err
	}
	key, err := x.Encrypt(&w.About)
	if err != nil {
		return err
	}
	st, err := x.Engine.Stage(x.Ctx, s.Content.Range(0, s.Version.Size), key, a)
	if err != nil {
		return err
	}
	call.Blind(&st, key)
	w.Checksum = objects.Checksum{Algorithm: a, Value: checksum.Encode(st.Sums[a]), Type: objects.FullObject}
	v, err := x.Engine.Put(w, st)
	if err != nil {
		return err
	}
	x.Encryption(&v.About)
	x.VersionID(v.ID)
	x.Expiration(&v)
	return x.Write(call.Copied("CopyObjectResult", v.Modified, v.ETag, v.Checksum))
}

// copyAbout is what the copy of an object says of itself.
func copyAbout(x *request, s *call.Source) (objects.About, error) {
	h := x.R.Header
	a, err := x.About()
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
			return a, call.InvalidArgument("Unknown "+strings.ToLower(name)+" directive.", "x-amz-"+strings.ToLower(name)+"-directive", v)
		}
	}
	itself := s.Bucket.ID == x.Bucket.ID && s.Version.Key == x.Place.Key && s.Version.Latest
	if itself && !replace["Metadata"] && a.Class == s.Version.Class && a.Headers["X-Amz-Website-Redirect-Location"] == "" && h.Get("X-Amz-Server-Side-Encryption")+h.Get("X-Amz-Server-Side-Encryption-Customer-Algorithm") == "" {
		return a, call.Fail("InvalidRequest", 400, "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, "+
			"storage call.Class, website redirect location or encryption attributes.")
	}
	if !replace["Metadata"] {
		a.Headers, a.Metadata = s.Version.Headers, s.Version.Metadata
	}
	if !replace["Tagging"] {
		a.Tags = s.Version.Tags
		if len(a.Tags) > 0 {
			if err := x.AllowIn(&s.Bucket, "s3:GetObjectTagging", s.Version.Key); err != nil {
				return a, err
			}
		}
	}
	return a, x.Tagging(&a)
}

func getObjectTagging(x *request) error {
	id, err := x.Version()
	if err != nil {
		return err
	}
	v, err := x.Engine.Find(x.Bucket.ID, x.Place.Key, id)
	if err != nil {
		return x.Missing(&x.Bucket, err)
	}
	if err := x.Present(&v); err != nil {
		return err
	}
	x.VersionID(v.ID)
	return x.Write(call.TaggingDocument{Xmlns: call.Namespace, TagSet: call.TagSet{Tags: v.Tags}})
}

func putObjectTagging(x *request) error {
	tags, err := x.Tags(objects.MaxTags, "Object")
	if err != nil {
		return err
	}
	return retag(x, tags, http.StatusOK)
}

func deleteObjectTagging(x *request) error { return retag(x, nil, http.StatusNoContent) }

func retag(x *request, tags []objects.Tag, status int) error {
	id, err := x.Version()
	if err != nil {
		return err
	}
	v, err := x.Engine.Retag(x.Bucket.ID, x.Place.Key, id, tags)
	if err != nil {
		return x.Missing(&x.Bucket, err)
	}
	if err := x.Present(&v); err != nil {
		return err
	}
	x.VersionID(v.ID)
	return x.OK(status)
}

type attributesResult struct {
	XMLName      call.XMLName    `xml:"http://s3.amazonaws.com/doc/2006-03-01/ GetObjectAttributesResponse"`
	ETag         string          `xml:",omitempty"`
	Checksum     *call.Checksums `xml:",omitempty"`
	ObjectParts  *attributed     `xml:",omitempty"`
	StorageClass string          `xml:",omitempty"`
	ObjectSize   *int64          `xml:",omitempty"`
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
	call.Checksums
}

func getObjectAttributes(x *request) error {
	id, err := x.Version()
	if err != nil {
		return err
	}
	v, err := x.Engine.Find(x.Bucket.ID, x.Place.Key, id)
	if err != nil {
		return x.Missing(&x.Bucket, err)
	}
	if err := x.Present(&v); err != nil {
		return err
	}
	if err := x.Known(&v.About); err != nil {
		return err
	}
	asked := map[string]bool{}
	for _, h := range x.R.Header.Values("X-Amz-Object-Attributes") {
		for name := range strings.SplitSeq(h, ",") {
			asked[strings.TrimSpace(name)] = true
		}
	}
	if len(asked) == 0 {
		return call.InvalidArgument("x-amz-object-attributes is required", "x-amz-object-attributes", "")
	}
	var out attributesResult
	if asked["ETag"] {
		out.ETag = v.ETag
	}
	if asked["Checksum"] && v.Checksum.Value != "" {
		out.Checksum = new(call.ShowChecksum(v.Checksum))
	}
	if asked["StorageClass"] {
		out.StorageClass = call.Class(v.Class)
	}
	if asked["ObjectSize"] {
		out.ObjectSize = &v.Size
	}
	if asked["ObjectParts"] && v.Parts > 0 {
		if out.ObjectParts, err = attributedParts(x, v); err != nil {
			return err
		}
	}
	x.Set("Last-Modified", v.Modified.UTC().Format(http.TimeFormat))
	x.VersionID(v.ID)
	return x.Write(out)
}

// attributedParts is a page of an object's parts.
func attributedParts(x *request, v objects.Version) (*attributed, error) {
	parts, err := x.Engine.Pieces(v)
	if err != nil {
		return nil, err
	}
	number := func(name string, otherwise int) int {
		if n, err := strconv.Atoi(x.R.Header.Get(name)); err == nil && n >= 0 {
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
		c := call.ShowChecksum(p.Checksum)
		c.ChecksumType = ""
		if v.Checksum.Type == objects.FullObject {
			c = call.Checksums{}
		}
		out.Parts = append(out.Parts, attributedPart{n, p.Size, c})
		out.NextPartNumberMarker = n
	}
	return out, nil
}
