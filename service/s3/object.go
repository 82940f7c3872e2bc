package s3

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"neargate/internal/checksum"
	"neargate/resource/objects"
)

// version is the version id a request names, "" for none.
func (x *request) version() (string, error) {
	id := x.query.Get("versionId")
	switch {
	case id != "" && id != objects.Null && len(id) != 32:
		return "", invalidArgument("Invalid version id specified", "versionId", id)
	case id == "" && x.query.Has("versionId"):
		return "", invalidArgument("Version id cannot be the empty string", "versionId", "")
	}
	return id, nil
}

// present turns a version that is a delete marker into Amazon S3's refusal.
func (x *request) present(v *objects.Version) error {
	if !v.Marker {
		return nil
	}
	x.set("x-amz-delete-marker", "true")
	x.versionID(v.ID)
	if x.query.Get("versionId") == "" {
		return x.missing(&x.bucket, noSuchKey(v.Key))
	}
	x.set("Last-Modified", v.Modified.UTC().Format(http.TimeFormat))
	x.set("Allow", "DELETE")
	return fail("MethodNotAllowed", 405, "The specified method is not allowed against this resource.", element{"Method", x.r.Method}, element{"ResourceType", "DeleteMarker"})
}

// versionID names a version in the answer, in buckets that have or had versioning.
func (x *request) versionID(id string) {
	if x.bucket.Versioning != "" {
		x.set("x-amz-version-id", id)
	}
}

func quoted(etag string) string { return `"` + etag + `"` }

// getObject is GetObject and HeadObject.
func getObject(x *request) error {
	id, err := x.version()
	if err != nil {
		return err
	}
	c, err := x.cfg.Engine.Open(x.bucket.ID, x.place.key, id)
	if err != nil {
		return x.missing(&x.bucket, err)
	}
	defer func() {
		if err := c.Close(); err != nil {
			x.failed = errors.Join(x.failed, err)
		}
	}()
	v := c.Version()
	if err := x.present(&v); err != nil {
		return err
	}
	if err := x.conditions(&v); err != nil {
		return err
	}
	offset, length, partial, err := x.span(&v)
	if err != nil {
		return err
	}
	x.describe(&v)
	if err := x.override(); err != nil {
		return err
	}
	if strings.EqualFold(x.r.Header.Get("X-Amz-Checksum-Mode"), "ENABLED") && !partial {
		x.checksum(v.Checksum)
	}
	x.set("Content-Length", strconv.FormatInt(length, 10))
	x.status = http.StatusOK
	if partial {
		x.status = http.StatusPartialContent
		x.set("Content-Range", "bytes "+strconv.FormatInt(offset, 10)+"-"+strconv.FormatInt(offset+length-1, 10)+"/"+strconv.FormatInt(v.Size, 10))
	}
	x.sent = true
	x.w.WriteHeader(x.status)
	if x.r.Method == http.MethodHead || length == 0 {
		return nil
	}
	return x.send(c.Range(offset, length), length)
}

// send sends the bytes of an answer whose head has been sent.
func (x *request) send(from io.Reader, length int64) error {
	control := http.NewResponseController(x.w)
	defer control.SetWriteDeadline(time.Time{}) // the connection is used again
	buf := make([]byte, 128<<10)
	for length > 0 {
		n, err := io.ReadFull(from, buf[:min(length, int64(len(buf)))])
		if err != nil {
			return err
		}
		if err := control.SetWriteDeadline(x.cfg.Now().Add(patience)); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return err
		}
		if _, err := x.w.Write(buf[:n]); err != nil {
			x.gone = true
			return err
		}
		length -= int64(n)
	}
	return nil
}

// describe gives the answer the headers that tell about a version.
func (x *request) describe(v *objects.Version) {
	x.set("Accept-Ranges", "bytes")
	x.set("Last-Modified", v.Modified.UTC().Format(http.TimeFormat))
	x.set("ETag", quoted(v.ETag))
	x.set("Content-Type", "binary/octet-stream")
	for name, value := range v.Headers {
		if name == "X-Amz-Website-Redirect-Location" {
			name = strings.ToLower(name)
		}
		x.set(name, value)
	}
	for name, value := range v.Metadata {
		x.w.Header()["x-amz-meta-"+name] = []string{value}
	}
	x.set("x-amz-storage-class", v.Class)
	x.set("x-amz-server-side-encryption", "AES256")
	if len(v.Tags) > 0 {
		x.set("x-amz-tagging-count", strconv.Itoa(len(v.Tags)))
	}
	x.versionID(v.ID)
	x.expiration(v)
}

// expiration says when a current version will expire.
func (x *request) expiration(v *objects.Version) {
	if at, rule := objects.ExpiresAt(x.bucket.Rules, v); !at.IsZero() && v.Latest {
		x.set("x-amz-expiration", `expiry-date="`+at.UTC().Format(http.TimeFormat)+`", rule-id="`+rule+`"`)
	}
}

// checksum gives the answer a checksum.
func (x *request) checksum(c objects.Checksum) {
	if c.Value == "" {
		return
	}
	x.set("x-amz-checksum-"+strings.ToLower(string(c.Algorithm)), c.Value)
	x.set("x-amz-checksum-type", c.Type)
}

// override gives the answer the headers that the query asks for.
func (x *request) override() error {
	for _, name := range []string{"Content-Type", "Content-Language", "Expires", "Cache-Control", "Content-Disposition", "Content-Encoding"} {
		v := x.query.Get("response-" + strings.ToLower(name))
		if v != "" && x.anonymous {
			return fail("InvalidRequest", 400, "Request specific response headers cannot be used for anonymous GET requests.")
		}
		x.set(name, v)
	}
	return nil
}

// conditions holds a version against the request's If- headers (RFC 9110, 13.2.2).
func (x *request) conditions(v *objects.Version) error {
	h := x.r.Header
	return x.hold(v, h.Get("If-Match"), h.Get("If-None-Match"), h.Get("If-Modified-Since"), h.Get("If-Unmodified-Since"), true)
}

func (x *request) hold(v *objects.Version, match, noneMatch, modifiedSince, unmodifiedSince string, reading bool) error {
	modified := v.Modified.Truncate(time.Second)
	refused := func(condition string) error {
		return fail("PreconditionFailed", 412, errPrecondition.message, element{"Condition", condition})
	}
	if match != "" {
		if !matches(match, v.ETag) {
			return refused("If-Match")
		}
	} else if t, err := http.ParseTime(unmodifiedSince); err == nil && modified.After(t) {
		return refused("If-Unmodified-Since")
	}
	unmodified := func(condition string) error {
		if !reading {
			return refused(condition)
		}
		x.set("ETag", quoted(v.ETag))
		x.set("Last-Modified", v.Modified.UTC().Format(http.TimeFormat))
		x.versionID(v.ID)
		return errNotModified
	}
	if noneMatch != "" {
		if matches(noneMatch, v.ETag) {
			return unmodified("If-None-Match")
		}
	} else if t, err := http.ParseTime(modifiedSince); err == nil && !modified.After(t) && !t.After(x.start) {
		return unmodified("If-Modified-Since")
	}
	return nil
}

// matches reports whether an ETag is among those of a header.
func matches(header, etag string) bool {
	for part := range strings.SplitSeq(header, ",") {
		part = strings.TrimSpace(part)
		if part == "*" || unquote(part) == etag {
			return true
		}
	}
	return false
}

func unquote(etag string) string {
	return strings.Trim(strings.TrimPrefix(strings.TrimSpace(etag), "W/"), `"`)
}

// span is what of a version a request asks for, by range or by part.
func (x *request) span(v *objects.Version) (offset, length int64, partial bool, err error) {
	header := x.r.Header.Get("Range")
	if x.query.Has("partNumber") {
		if header != "" {
			return 0, 0, false, fail("InvalidRequest", 400, "Cannot specify both Range header and partNumber query parameter")
		}
		return x.partSpan(v)
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
		x.set("Content-Range", "bytes */"+strconv.FormatInt(v.Size, 10))
		return 0, 0, false, fail("InvalidRange", 416, "The requested range is not satisfiable",
			element{"RangeRequested", header}, element{"ActualObjectSize", strconv.FormatInt(v.Size, 10)})
	}
	return from, to - from + 1, true, nil
}

// partSpan is one part of a version; one that was not uploaded in parts is its
// only part.
func (x *request) partSpan(v *objects.Version) (offset, length int64, partial bool, err error) {
	n, err := strconv.Atoi(x.query.Get("partNumber"))
	if err != nil || n < 1 || n > objects.MaxParts {
		return 0, 0, false, invalidArgument("Part number must be an integer between 1 and 10000, inclusive", "partNumber", x.query.Get("partNumber"))
	}
	count := max(v.Parts, 1)
	if n > count {
		return 0, 0, false, fail("InvalidPartNumber", 416, "The requested partnumber is not satisfiable",
			element{"PartNumberRequested", strconv.Itoa(n)}, element{"ActualPartCount", strconv.Itoa(count)})
	}
	if v.Parts == 0 {
		return 0, v.Size, v.Size > 0, nil
	}
	parts, err := x.cfg.Engine.Pieces(*v)
	if err != nil {
		return 0, 0, false, err
	}
	if len(parts) < n {
		return 0, 0, false, noSuchKey(v.Key) // deleted meanwhile
	}
	x.set("x-amz-mp-parts-count", strconv.Itoa(v.Parts))
	for _, p := range parts[:n-1] {
		offset += p.Size
	}
	return offset, parts[n-1].Size, true, nil
}

// writeCondition reads the conditions of a write.
func (x *request) writeCondition() (c objects.Condition, err error) {
	h := x.r.Header
	switch v := h.Get("If-None-Match"); v {
	case "":
	case "*":
		c.IfNoneMatch = true
	default:
		return c, fail("NotImplemented", 501, "A header you provided implies functionality that is not implemented", element{"Header", "If-None-Match"})
	}
	if v := h.Get("If-Match"); v != "" {
		if c.IfNoneMatch {
			return c, fail("NotImplemented", 501, "A header you provided implies functionality that is not implemented", element{"Header", "If-Match"})
		}
		c.IfMatch = unquote(v)
	}
	return c, nil
}

// tagging demands the permission to set tags, where a write sets some.
func (x *request) tagging(a *objects.About) error {
	if len(a.Tags) == 0 {
		return nil
	}
	return x.allow("s3:PutObjectTagging", x.place.key)
}

func putObject(x *request) error {
	n, err := x.length()
	switch {
	case err != nil:
		return err
	case n > objects.MaxPut:
		return fail("EntityTooLarge", 400, "Your proposed upload exceeds the maximum allowed size",
			element{"ProposedSize", strconv.FormatInt(n, 10)}, element{"MaxSizeAllowed", strconv.Itoa(objects.MaxPut)})
	}
	w := objects.Write{Bucket: x.bucket.ID, Versioning: x.bucket.Versioning, Key: x.place.key}
	if w.About, err = x.about(); err != nil {
		return err
	}
	if err := x.tagging(&w.About); err != nil {
		return err
	}
	if w.If, err = x.writeCondition(); err != nil {
		return err
	}
	st, sum, err := x.take(n, checksum.CRC64NVME)
	if err != nil {
		return err
	}
	w.Checksum = sum
	v, err := x.cfg.Engine.Put(w, st)
	if err != nil {
		return err
	}
	x.set("ETag", quoted(v.ETag))
	x.checksum(v.Checksum)
	x.set("x-amz-server-side-encryption", "AES256")
	x.versionID(v.ID)
	x.expiration(&v)
	return x.ok(http.StatusOK)
}

// take stages the request's content of n bytes and holds it against what the
// request promises; the checksum is one of the promised algorithm, or else.
func (x *request) take(n int64, otherwise checksum.Algorithm) (objects.Staged, objects.Checksum, error) {
	p, err := x.promises()
	if err != nil {
		return objects.Staged{}, objects.Checksum{}, err
	}
	algorithms := []checksum.Algorithm{otherwise}
	if a := p.checksum.Algorithm; a != "" && a != otherwise {
		algorithms = append(algorithms, a)
		if x.op.name == "PutObject" {
			algorithms = algorithms[1:]
		}
	}
	st, err := x.cfg.Engine.Stage(x.ctx, io.LimitReader(x.content(), objects.MaxPut+1), algorithms...)
	if err != nil {
		return st, objects.Checksum{}, err
	}
	switch {
	case st.Size > objects.MaxPut:
		err = errTooLarge
	case st.Size != n:
		err = errIncompleteBody
	default:
		err = x.keep(&p, &st)
	}
	if err != nil {
		x.cfg.Engine.Discard(st)
		return st, objects.Checksum{}, err
	}
	a := otherwise
	if p.checksum.Algorithm != "" && x.op.name == "PutObject" {
		a = p.checksum.Algorithm
	}
	return st, objects.Checksum{Algorithm: a, Value: checksum.Encode(st.Sums[a]), Type: objects.FullObject}, nil
}

func deleteObject(x *request) error {
	id, err := x.version()
	if err != nil {
		return err
	}
	d := objects.Doomed{Key: x.place.key, ID: id}
	if d.If, err = x.writeCondition(); err != nil {
		return err
	}
	out, err := x.cfg.Engine.Delete(x.bucket.ID, x.bucket.Versioning, d)
	if err != nil {
		return err
	}
	if out[0].Err != nil {
		return out[0].Err
	}
	if out[0].Marker {
		x.set("x-amz-delete-marker", "true")
	}
	x.versionID(out[0].ID)
	return x.ok(http.StatusNoContent)
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
	XMLName xmlName `xml:"http://s3.amazonaws.com/doc/2006-03-01/ DeleteResult"`
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
	if err := x.read(&in); err != nil {
		return err
	}
	if x.r.Header.Get("Content-Md5") == "" && !x.checksummed() {
		return fail("InvalidRequest", 400, "Missing required header for this request: Content-MD5")
	}
	if len(in.Objects) == 0 || len(in.Objects) > objects.MaxPage {
		return errMalformedXML
	}
	var out deleteResult
	var doomed []objects.Doomed
	for _, o := range in.Objects {
		if err := x.mayDelete(o.Key, o.VersionId); err != nil {
			f := x.translate(err)
			out.Errors = append(out.Errors, deleteError{o.Key, o.VersionId, f.code, f.message})
			continue
		}
		d := objects.Doomed{Key: o.Key, ID: o.VersionId}
		d.If = objects.Condition{IfMatch: unquote(o.ETag), Size: o.Size}
		doomed = append(doomed, d)
	}
	results, err := x.cfg.Engine.Delete(x.bucket.ID, x.bucket.Versioning, doomed...)
	if err != nil {
		return err
	}
	for i, r := range results {
		d := doomed[i]
		switch {
		case r.Err != nil:
			f := x.translate(r.Err)
			out.Errors = append(out.Errors, deleteError{d.Key, d.ID, f.code, f.message})
		case in.Quiet:
		default:
			gone := deleted{Key: d.Key, VersionId: d.ID}
			if r.Marker {
				gone.DeleteMarker, gone.DeleteMarkerVersionId = true, r.ID
			}
			out.Deleted = append(out.Deleted, gone)
		}
	}
	return x.write(out)
}

// mayDelete decides about one key of many.
func (x *request) mayDelete(key, id string) error {
	switch {
	case len(key) > objects.MaxKey || key == "":
		return errMalformedXML
	case id != "" && id != objects.Null && len(id) != 32:
		return fail("NoSuchVersion", 404, "The specified version does not exist.")
	case id != "":
		return x.allow("s3:DeleteObjectVersion", key)
	}
	return x.allow("s3:DeleteObject", key)
}

// checksummed reports whether a request brings a checksum of its body.
func (x *request) checksummed() bool {
	if x.r.Header.Get("X-Amz-Trailer") != "" {
		return true
	}
	for name := range x.r.Header {
		if strings.HasPrefix(name, checksumHeader) {
			return true
		}
	}
	return false
}
