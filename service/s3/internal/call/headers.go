package call

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"neargate/internal/checksum"
	"neargate/resource/objects"
	"neargate/wire/sigv4"
)

// kept are the headers that come back as they were sent.
var kept = []string{"Content-Type", "Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Expires", "X-Amz-Website-Redirect-Location"}

// classes are the storage classes whose objects can be read at once; archives
// those that cannot.
var archives = []string{"GLACIER", "DEEP_ARCHIVE"}

// Classes are the storage classes whose objects can be read at once.
var Classes = []string{"STANDARD", "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR"}

// unbuilt are headers that ask for what is not here. They are refused, never
// ignored.
var unbuilt = []string{
	"X-Amz-Object-Lock-Mode", "X-Amz-Object-Lock-Retain-Until-Date", "X-Amz-Object-Lock-Legal-Hold", "X-Amz-Write-Offset-Bytes",
}

// About reads what a request says of an object beside its content.
func (x *Request) About() (a objects.About, err error) {
	h := x.R.Header
	if err := x.Plain(); err != nil {
		return a, err
	}
	a.Headers, a.Metadata = map[string]string{}, map[string]string{}
	for _, name := range kept {
		if v := h.Get(name); v != "" {
			a.Headers[name] = v
		}
	}
	if v := withoutChunked(h.Get("Content-Encoding")); v != "" {
		a.Headers["Content-Encoding"] = v
	} else {
		delete(a.Headers, "Content-Encoding")
	}
	size := 0
	for name, values := range h {
		if name, ok := strings.CutPrefix(strings.ToLower(name), "x-amz-meta-"); ok {
			v := strings.Join(values, ",")
			a.Metadata[name] = v
			size += len(name) + len(v)
		}
	}
	if size > objects.MaxMetadata {
		return a, Fail("MetadataTooLarge", 400, "Your metadata headers exceed the maximum allowed metadata size",
			Element{"Size", strconv.Itoa(size)}, Element{"MaxSizeAllowed", strconv.Itoa(objects.MaxMetadata)})
	}
	if c := h.Get("X-Amz-Storage-Class"); c != "" && c != "STANDARD" {
		if slices.Contains(archives, c) {
			return a, Fail("NotImplemented", 501, ErrNotImplemented.Message, Element{"Header", "x-amz-storage-class"})
		}
		if !slices.Contains(Classes, c) {
			return a, Fail("InvalidStorageClass", 400, "The storage class you specified is not valid", Element{"StorageClassRequested", c})
		}
		a.Class = c
	}
	if a.Tags, err = headerTags(h.Get("X-Amz-Tagging")); err != nil {
		return a, err
	}
	return a, nil
}

// Plain refuses headers that ask for what is not here.
func (x *Request) Plain() error {
	h := x.R.Header
	for _, name := range unbuilt {
		if v := h.Get(name); v != "" && !(name == "X-Amz-Object-Lock-Legal-Hold" && v == "OFF") {
			return Fail("NotImplemented", 501, "A header you provided implies functionality that is not implemented", Element{"Header", name})
		}
	}
	switch sse := h.Get("X-Amz-Server-Side-Encryption"); sse {
	case "", "AES256", "aws:kms":
	case "aws:kms:dsse", "aws:fsx", "aws:backup":
		return Fail("NotImplemented", 501, "A header you provided implies functionality that is not implemented", Element{"Header", "x-amz-server-side-encryption"})
	default:
		return InvalidArgument("The encryption method specified is not supported", "x-amz-server-side-encryption", sse)
	}
	return x.NoACL()
}

// NoACL refuses access control lists other than the owner's own.
func (x *Request) NoACL() error {
	h := x.R.Header
	for name := range h {
		if strings.HasPrefix(name, "X-Amz-Grant-") {
			return ErrACLsNotSupported
		}
	}
	switch h.Get("X-Amz-Acl") {
	case "", "bucket-owner-full-control", "private":
		return nil
	case "public-read", "public-read-write", "authenticated-read", "aws-exec-read", "bucket-owner-read", "log-delivery-write":
		return ErrACLsNotSupported
	}
	return InvalidArgument("", "x-amz-acl", h.Get("X-Amz-Acl"))
}

// withoutChunked takes aws-chunked, which is about the transfer, out of a
// Content-Encoding.
func withoutChunked(v string) string {
	var out []string
	for part := range strings.SplitSeq(v, ",") {
		if part = strings.TrimSpace(part); part != "" && part != "aws-chunked" {
			out = append(out, part)
		}
	}
	return strings.Join(out, ",")
}

// headerTags reads the tags in x-amz-tagging.
func headerTags(text string) ([]objects.Tag, error) {
	if text == "" {
		return nil, nil
	}
	q, err := url.ParseQuery(text)
	if err != nil {
		return nil, InvalidArgument("The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.", "x-amz-tagging", text)
	}
	var tags []objects.Tag
	for k, values := range q {
		if len(values) > 1 {
			return nil, InvalidArgument("The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.", "x-amz-tagging", text)
		}
		tags = append(tags, objects.Tag{Key: k, Value: values[0]})
	}
	slices.SortFunc(tags, func(a, b objects.Tag) int { return strings.Compare(a.Key, b.Key) })
	return tags, CheckTags(tags, objects.MaxTags, "Object")
}

// CheckTags checks the tags of a bucket or of an object.
func CheckTags(tags []objects.Tag, most int, what string) error {
	seen := map[string]bool{}
	for _, t := range tags {
		switch {
		case seen[t.Key]:
			return Fail("InvalidTag", 400, "Cannot provide multiple Tags with the same key", Element{"TagKey", t.Key})
		case t.Key == "" || utf8.RuneCountInString(t.Key) > 128:
			return Fail("InvalidTag", 400, "The TagKey you have provided is invalid", Element{"TagKey", t.Key})
		case utf8.RuneCountInString(t.Value) > 256:
			return Fail("InvalidTag", 400, "The TagValue you have provided is invalid", Element{"TagKey", t.Key}, Element{"TagValue", t.Value})
		case strings.HasPrefix(strings.ToLower(t.Key), "aws:"):
			return Fail("InvalidTag", 400, "System tags cannot be added/updated by requester", Element{"TagKey", t.Key})
		}
		seen[t.Key] = true
	}
	if len(tags) > most {
		if what == "Object" {
			return Fail("BadRequest", 400, "Object tags cannot be greater than 10")
		}
		return Fail("BadRequest", 400, "Bucket tag count cannot be greater than 50")
	}
	return nil
}

// promised are the checksums a request says of its body.
type promised struct {
	md5      []byte // nil for none
	checksum objects.Checksum
	trailing bool // the checksum's value comes after the body
}

// ChecksumHeader begins the names of the headers with checksums.
const ChecksumHeader = "X-Amz-Checksum-"

// promises reads what a request says of its body.
func (x *Request) promises() (p promised, err error) {
	h := x.R.Header
	if v := h.Get("Content-Md5"); v != "" {
		if p.md5, err = base64.StdEncoding.DecodeString(v); err != nil || len(p.md5) != md5.Size {
			return p, errInvalidDigest
		}
	}
	for name := range h {
		a, ok := strings.CutPrefix(name, ChecksumHeader)
		if !ok || a == "Mode" || a == "Type" || a == "Algorithm" {
			continue
		}
		if p.checksum.Algorithm != "" {
			return p, Fail("InvalidRequest", 400, "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
		}
		p.checksum.Algorithm = checksum.Algorithm(strings.ToUpper(a))
		p.checksum.Value = h.Get(name)
	}
	if v := h.Get("X-Amz-Trailer"); p.checksum.Algorithm == "" && v != "" {
		a, ok := strings.CutPrefix(strings.ToLower(v), strings.ToLower(ChecksumHeader))
		if !ok {
			return p, Fail("InvalidRequest", 400, "The value specified in the x-amz-trailer header is not supported")
		}
		p.checksum.Algorithm, p.trailing = checksum.Algorithm(strings.ToUpper(a)), true
	}
	named := checksum.Algorithm(strings.ToUpper(h.Get("X-Amz-Sdk-Checksum-Algorithm")))
	if named != "" && named.New() == nil {
		return p, ErrUnsupportedDigest
	}
	if p.checksum.Algorithm == "" {
		if named != "" {
			return p, Fail("InvalidRequest", 400, "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.")
		}
		return p, nil
	}
	if p.checksum.Algorithm.New() == nil {
		return p, ErrUnsupportedDigest
	}
	if _, ok := p.checksum.Algorithm.Decode(p.checksum.Value); !ok && !p.trailing {
		return p, p.invalid()
	}
	return p, nil
}

func (p *promised) invalid() error {
	return Fail("InvalidRequest", 400, "Value for x-amz-checksum-"+strings.ToLower(string(p.checksum.Algorithm))+" header is invalid.")
}

// keep holds what was received against what was promised.
func (x *Request) keep(p *promised, st *objects.Staged) error {
	if p.md5 != nil && !bytes.Equal(p.md5, st.MD5) {
		return errBadDigest
	}
	a := p.checksum.Algorithm
	if a == "" {
		return nil
	}
	if p.trailing {
		for name, values := range x.Trailer() {
			if strings.EqualFold(name, ChecksumHeader+string(a)) && len(values) > 0 {
				p.checksum.Value = values[0]
			}
		}
		if _, ok := a.Decode(p.checksum.Value); !ok {
			return p.invalid()
		}
	}
	if checksum.Encode(st.Sums[a]) != p.checksum.Value {
		return Fail("BadDigest", 400, "The "+string(a)+" you specified did not match the calculated checksum.")
	}
	return nil
}

// Length is how long the request's content is.
func (x *Request) Length() (int64, error) {
	if v := x.R.Header.Get("X-Amz-Decoded-Content-Length"); v != "" {
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil || n < 0 {
			return 0, InvalidArgument("The x-amz-decoded-content-length header is not a number", "x-amz-decoded-content-length", v)
		}
		return n, nil
	}
	if x.R.ContentLength < 0 {
		return 0, errMissingLength
	}
	return x.R.ContentLength, nil
}

// Patience is how long a client may send nothing, or take nothing, in the middle
// of a body.
const Patience = time.Minute

// Content is the request's body as a reader whose failures are told from others.
func (x *Request) Content() io.Reader {
	return &contentReader{from: x.Body, control: http.NewResponseController(x.W), now: x.Now}
}

type contentReader struct {
	from    io.Reader
	control *http.ResponseController
	now     func() time.Time
	left    int // bytes until the client's time is renewed
}

// Read implements io.Reader.
func (c *contentReader) Read(p []byte) (int, error) {
	if c.left <= 0 {
		c.left = 256 << 10
		if err := c.control.SetReadDeadline(c.now().Add(Patience)); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return 0, &bodyError{err}
		}
	}
	n, err := c.from.Read(p)
	c.left -= n
	if _, refused := errors.AsType[*sigv4.Error](err); err != nil && err != io.EOF && !refused {
		err = &bodyError{err}
	}
	return n, err
}

// Take stages the request's content of n bytes, encrypted with a key, and holds it
// against what the request promises; the checksum is one of the promised algorithm, or
// else.
func (x *Request) Take(n int64, key objects.DataKey, otherwise checksum.Algorithm) (objects.Staged, objects.Checksum, error) {
	return x.TakeFrom(x.Content(), key, otherwise, func(size int64) error {
		switch {
		case size > objects.MaxPut:
			return ErrTooLarge
		case size != n:
			return errIncompleteBody
		}
		return nil
	})
}

// TakeFrom stages content as Take does, if its size fits. No more than a byte beyond
// objects.MaxPut is read.
func (x *Request) TakeFrom(from io.Reader, key objects.DataKey, otherwise checksum.Algorithm, fits func(size int64) error) (objects.Staged, objects.Checksum, error) {
	p, err := x.promises()
	if err != nil {
		return objects.Staged{}, objects.Checksum{}, err
	}
	algorithms := []checksum.Algorithm{otherwise}
	if a := p.checksum.Algorithm; a != "" && a != otherwise {
		algorithms = append(algorithms, a)
		if x.whole() {
			algorithms = algorithms[1:]
		}
	}
	st, err := x.Engine.Stage(x.Ctx, io.LimitReader(from, objects.MaxPut+1), key, algorithms...)
	if err != nil {
		return st, objects.Checksum{}, err
	}
	if err = fits(st.Size); err == nil {
		err = x.keep(&p, &st)
	}
	if err != nil {
		x.Engine.Discard(st)
		return st, objects.Checksum{}, err
	}
	Blind(&st, key)
	a := otherwise
	if p.checksum.Algorithm != "" && x.whole() {
		a = p.checksum.Algorithm
	}
	return st, objects.Checksum{Algorithm: a, Value: checksum.Encode(st.Sums[a]), Type: objects.FullObject}, nil
}

// whole reports whether the request's content is an object's.
func (x *Request) whole() bool { return x.Op.Name == "PutObject" || x.Op.Name == "PostObject" }

// Tagging demands the permission to set tags, where a write sets some.
func (x *Request) Tagging(a *objects.About) error {
	if len(a.Tags) == 0 {
		return nil
	}
	return x.Allow("s3:PutObjectTagging", x.Place.Key)
}

// Expiration says when a current version will expire.
func (x *Request) Expiration(v *objects.Version) {
	if at, rule := objects.ExpiresAt(x.Bucket.Rules, v); !at.IsZero() && v.Latest {
		x.Set("x-amz-expiration", `expiry-date="`+at.UTC().Format(http.TimeFormat)+`", rule-id="`+rule+`"`)
	}
}

// Checksum gives the answer a checksum.
func (x *Request) Checksum(c objects.Checksum) {
	if c.Value == "" {
		return
	}
	x.Set("x-amz-checksum-"+strings.ToLower(string(c.Algorithm)), c.Value)
	x.Set("x-amz-checksum-type", c.Type)
}
