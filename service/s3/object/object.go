package object

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"neargate/internal/checksum"
	"neargate/resource/objects"
	"neargate/service/s3/internal/call"
)

// getObject is GetObject and HeadObject.
func getObject(x *request) error {
	id, err := x.Version()
	if err != nil {
		return err
	}
	c, err := x.Engine.Open(x.Bucket.ID, x.Place.Key, id)
	if err != nil {
		return x.Missing(&x.Bucket, err)
	}
	return Deliver(x, c)
}

// Deliver answers GetObject and HeadObject with a version's content, and closes it.
func Deliver(x *call.Request, c objects.Content) error {
	defer func() {
		if err := c.Close(); err != nil {
			x.Failed = errors.Join(x.Failed, err)
		}
	}()
	v := c.Version()
	if err := x.Present(&v); err != nil {
		return err
	}
	if err := x.Known(&v.About); err != nil {
		return err
	}
	if err := x.Conditions(&v); err != nil {
		return err
	}
	offset, length, partial, err := span(x, &v)
	if err != nil {
		return err
	}
	if x.R.Method != http.MethodHead {
		if err := x.Unlock(c, &x.Bucket); err != nil {
			return err
		}
	}
	describe(x, &v)
	if err := override(x); err != nil {
		return err
	}
	if strings.EqualFold(x.R.Header.Get("X-Amz-Checksum-Mode"), "ENABLED") && !partial {
		x.Checksum(v.Checksum)
	}
	x.Set("Content-Length", strconv.FormatInt(length, 10))
	x.Status = http.StatusOK
	if partial {
		x.Status = http.StatusPartialContent
		x.Set("Content-Range", "bytes "+strconv.FormatInt(offset, 10)+"-"+strconv.FormatInt(offset+length-1, 10)+"/"+strconv.FormatInt(v.Size, 10))
	}
	x.Sent = true
	x.W.WriteHeader(x.Status)
	if x.R.Method == http.MethodHead || length == 0 {
		return nil
	}
	return send(x, c.Range(offset, length), length)
}

// send sends the bytes of an answer whose head has been sent.
func send(x *request, from io.Reader, length int64) error {
	control := http.NewResponseController(x.W)
	defer control.SetWriteDeadline(time.Time{}) // the connection is used again
	buf := make([]byte, 128<<10)
	for length > 0 {
		n, err := io.ReadFull(from, buf[:min(length, int64(len(buf)))])
		if err != nil {
			return err
		}
		if err := control.SetWriteDeadline(x.Now().Add(call.Patience)); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return err
		}
		if _, err := x.W.Write(buf[:n]); err != nil {
			x.Gone = true
			return err
		}
		length -= int64(n)
	}
	return nil
}

// describe gives the answer the headers that tell about a version.
func describe(x *request, v *objects.Version) {
	x.Set("Accept-Ranges", "bytes")
	x.Set("Last-Modified", v.Modified.UTC().Format(http.TimeFormat))
	x.Set("ETag", call.Quoted(v.ETag))
	x.Set("Content-Type", "binary/octet-stream")
	for name, value := range v.Headers {
		if name == "X-Amz-Website-Redirect-Location" {
			name = strings.ToLower(name)
		}
		x.Set(name, value)
	}
	for name, value := range v.Metadata {
		x.W.Header()["x-amz-meta-"+name] = []string{value}
	}
	x.Set("x-amz-storage-class", v.Class)
	x.Encryption(&v.About)
	if len(v.Tags) > 0 {
		x.Set("x-amz-tagging-count", strconv.Itoa(len(v.Tags)))
	}
	x.VersionID(v.ID)
	x.Expiration(v)
}

// override gives the answer the headers that the query asks for.
func override(x *request) error {
	for _, name := range []string{"Content-Type", "Content-Language", "Expires", "Cache-Control", "Content-Disposition", "Content-Encoding"} {
		v := x.Query.Get("response-" + strings.ToLower(name))
		if v != "" && x.Anonymous {
			return call.Fail("InvalidRequest", 400, "Request specific response headers cannot be used for anonymous GET requests.")
		}
		x.Set(name, v)
	}
	return nil
}

// span is what of a version a request asks for, by range or by part.
func span(x *request, v *objects.Version) (offset, length int64, partial bool, err error) {
	header := x.R.Header.Get("Range")
	if x.Query.Has("partNumber") {
		if header != "" {
			return 0, 0, false, call.Fail("InvalidRequest", 400, "Cannot specify both Range header and partNumber query parameter")
		}
		return partSpan(x, v)
	}
	spec, ok := strings.CutPrefix(strings.TrimSpace(header), "bytes=")
	if !ok || strings.Contains(spec, ",") {
		return 0, v.Size, false, nil
	}
	first, last, ok := strings.Cut(spec, "-")
	if !ok {
		return 0, v.Size, false, nil
	}
	from, errFrom := strconv.ParseInt(strings.TrimSpace(first), 10, 64)
	to, errTo := strconv.ParseInt(strings.TrimSpace(last), 10, 64)
	switch {
	case first == "" && errTo == nil:
		from, to = max(0, v.Size-to), v.Size-1
	case errFrom != nil || last != "" && (errTo != nil || to < from):
		return 0, v.Size, false, nil
	case last == "" || to >= v.Size:
		to = v.Size - 1
	}
	if from >= v.Size || to < from {
		x.Set("Content-Range", "bytes */"+strconv.FormatInt(v.Size, 10))
		return 0, 0, false, call.Fail("InvalidRange", 416, "The requested range is not satisfiable",
			call.With("RangeRequested", header), call.With("ActualObjectSize", strconv.FormatInt(v.Size, 10)))
	}
	return from, to - from + 1, true, nil
}

// partSpan is one part of a version; one that was not uploaded in parts is its
// only part.
func partSpan(x *request, v *objects.Version) (offset, length int64, partial bool, err error) {
	n, err := strconv.Atoi(x.Query.Get("partNumber"))
	if err != nil || n < 1 || n > objects.MaxParts {
		return 0, 0, false, call.InvalidArgument("Part number must be an integer between 1 and 10000, inclusive", "partNumber", x.Query.Get("partNumber"))
	}
	count := max(v.Parts, 1)
	if n > count {
		return 0, 0, false, call.Fail("InvalidPartNumber", 416, "The requested partnumber is not satisfiable",
			call.With("PartNumberRequested", strconv.Itoa(n)), call.With("ActualPartCount", strconv.Itoa(count)))
	}
	if v.Parts == 0 {
		return 0, v.Size, v.Size > 0, nil
	}
	parts, err := x.Engine.Pieces(*v)
	if err != nil {
		return 0, 0, false, err
	}
	if len(parts) < n {
		return 0, 0, false, call.NoSuchKey(v.Key) // deleted meanwhile
	}
	x.Set("x-amz-mp-parts-count", strconv.Itoa(v.Parts))
	for _, p := range parts[:n-1] {
		offset += p.Size
	}
	return offset, parts[n-1].Size, true, nil
}

func putObject(x *request) error {
	n, err := x.Length()
	switch {
	case err != nil:
		return err
	case n > objects.MaxPut:
		return call.Fail("EntityTooLarge", 400, "Your proposed upload exceeds the maximum allowed size",
			call.With("ProposedSize", strconv.FormatInt(n, 10)), call.With("MaxSizeAllowed", strconv.Itoa(objects.MaxPut)))
	}
	_, err = Put(x, func(key objects.DataKey) (objects.Staged, objects.Checksum, error) {
		return x.Take(n, key, checksum.CRC64NVME)
	})
	if err != nil {
		return err
	}
	return x.OK(http.StatusOK)
}

// Put writes the object that the request is about, of content that take stages, and gives
// the answer its headers.
func Put(x *call.Request, take func(objects.DataKey) (objects.Staged, objects.Checksum, error)) (v objects.Version, err error) {
	w := objects.Write{Bucket: x.Bucket.ID, Versioning: x.Bucket.Versioning, Key: x.Place.Key}
	if w.About, err = x.About(); err != nil {
		return v, err
	}
	if err := x.Tagging(&w.About); err != nil {
		return v, err
	}
	if w.If, err = x.WriteCondition(); err != nil {
		return v, err
	}
	key, err := x.Encrypt(&w.About)
	if err != nil {
		return v, err
	}
	st, sum, err := take(key)
	if err != nil {
		return v, err
	}
	w.Checksum = sum
	if v, err = x.Engine.Put(w, st); err != nil {
		return v, err
	}
	x.Set("ETag", call.Quoted(v.ETag))
	x.Checksum(v.Checksum)
	x.Encryption(&v.About)
	x.VersionID(v.ID)
	x.Expiration(&v)
	return v, nil
}

func deleteObject(x *request) error {
	id, err := x.Version()
	if err != nil {
		return err
	}
	d := objects.Doomed{Key: x.Place.Key, ID: id}
	if d.If, err = x.WriteCondition(); err != nil {
		return err
	}
	out, err := x.Engine.Delete(x.Bucket.ID, x.Bucket.Versioning, d)
	if err != nil {
		return err
	}
	if out[0].Err != nil {
		return out[0].Err
	}
	if out[0].Marker {
		x.Set("x-amz-delete-marker", "true")
	}
	x.VersionID(out[0].ID)
	return x.OK(http.StatusNoContent)
}

type deleteInput struct {
	Objects []struct {
		Key              string
		VersionId        string
		ETag             string
		LastModifiedTime string
		Size             *int64
	} `xml:"Object"`
	Quiet bool
}

type deleteResult struct {
	XMLName call.XMLName `xml:"http://s3.amazonaws.com/doc/2006-03-01/ DeleteResult"`
	Deleted []deleted
	Errors  []deleteError `xml:"Error"`
}

type deleted struct {
	Key                   string
	VersionId             string `xml:",omitempty"`
	DeleteMarker          bool   `xml:",omitempty"`
	DeleteMarkerVersionId string `xml:",omitempty"`
}

type deleteError struct {
	Key       string
	VersionId string `xml:",omitempty"`
	Code      string
	Message   string
}

// deleteObjects decides about each key by itself.
func deleteObjects(x *request) error {
	var in deleteInput
	if err := x.Read(&in); err != nil {
		return err
	}
	if x.R.Header.Get("Content-Md5") == "" && !checksummed(x) {
		return call.Fail("InvalidRequest", 400, "Missing required header for this request: Content-MD5")
	}
	if len(in.Objects) == 0 || len(in.Objects) > objects.MaxPage {
		return call.ErrMalformedXML
	}
	var out deleteResult
	var doomed []objects.Doomed
	for _, o := range in.Objects {
		if err := mayDelete(x, o.Key, o.VersionId); err != nil {
			f := x.Translate(err)
			out.Errors = append(out.Errors, deleteError{o.Key, o.VersionId, f.Code, f.Message})
			continue
		}
		d := objects.Doomed{Key: o.Key, ID: o.VersionId}
		d.If = objects.Condition{IfMatch: call.Unquote(o.ETag), Size: o.Size}
		doomed = append(doomed, d)
	}
	results, err := x.Engine.Delete(x.Bucket.ID, x.Bucket.Versioning, doomed...)
	if err != nil {
		return err
	}
	for i, r := range results {
		d := doomed[i]
		switch {
		case r.Err != nil:
			f := x.Translate(r.Err)
			out.Errors = append(out.Errors, deleteError{d.Key, d.ID, f.Code, f.Message})
		case in.Quiet:
		default:
			gone := deleted{Key: d.Key, VersionId: d.ID}
			if r.Marker {
				gone.DeleteMarker, gone.DeleteMarkerVersionId = true, r.ID
			}
			out.Deleted = append(out.Deleted, gone)
		}
	}
	return x.Write(out)
}

// mayDelete decides about one key of many.
func mayDelete(x *request, key, id string) error {
	switch {
	case len(key) > objects.MaxKey || key == "":
		return call.ErrMalformedXML
	case id != "" && id != objects.Null && len(id) != 32:
		return call.Fail("NoSuchVersion", 404, "The specified version does not exist.")
	case id != "":
		return x.Allow("s3:DeleteObjectVersion", key)
	}
	return x.Allow("s3:DeleteObject", key)
}

// checksummed reports whether a request brings a checksum of its body.
func checksummed(x *request) bool {
	if x.R.Header.Get("X-Amz-Trailer") != "" {
		return true
	}
	for name := range x.R.Header {
		if strings.HasPrefix(name, call.ChecksumHeader) {
			return true
		}
	}
	return false
}

func getObjectACL(x *request) error {
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
	return call.ACL(x)
}
