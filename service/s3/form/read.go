package form

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"neargate/resource/objects"
	"neargate/service/s3/internal/call"
	"neargate/service/s3/internal/postpolicy"
)

// What may stand before a file: the values of fields, and all of it.
const (
	maxFields = 20 << 10
	maxBefore = 96 << 10
)

// form is what was posted, up to the file.
type form struct {
	fields []postpolicy.Field
	file   *multipart.Part
}

var errMalformed = call.Fail("MalformedPOSTRequest", 400, "The body of your POST request is not well-formed multipart/form-data.")

// errFields refuses too much before the file.
var errFields = call.Fail("MaxPostPreDataLengthExceeded", 400, "Your POST request fields preceeding the upload file was too large.", call.With("MaxPostPreDataLengthBytes", strconv.Itoa(maxFields)))

func invalid(message, name, value string) error { return call.InvalidArgument(message, name, value) }

// missing refuses a form without a field.
func missing(name string) error {
	return invalid("Bucket POST must contain a field named '"+name+"'.  If it is specified, please check the order of the fields.", name, "")
}

// read reads a form up to the file.
func read(x *request) (f form, err error) {
	kind, params, err := mime.ParseMediaType(x.R.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" {
		return f, call.Fail("PreconditionFailed", http.StatusPreconditionFailed, "At least one of the pre-conditions you specified did not hold",
			call.With("Condition", "Bucket POST must be of the enclosure-type multipart/form-data"))
	}
	if params["boundary"] == "" {
		return f, errMalformed
	}
	gate := &gate{from: x.Content(), left: maxBefore}
	parts := multipart.NewReader(gate, params["boundary"])
	size := 0
	for {
		p, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return f, invalid("POST requires exactly one file upload per request.", "file", "0")
		}
		if err != nil {
			return f, broken(gate)
		}
		disposition, about, err := mime.ParseMediaType(p.Header.Get("Content-Disposition"))
		if err != nil {
			return f, errMalformed
		}
		name := about["name"]
		if disposition == "form-data" && strings.EqualFold(name, "file") {
			f.file, gate.open = p, true
			f.named(about)
			return f, nil
		}
		value, err := io.ReadAll(io.LimitReader(p, maxFields+1))
		if err != nil {
			return f, broken(gate)
		}
		if size += len(name) + len(value); size > maxFields {
			return f, errFields
		}
		f.add(name, string(value))
	}
}

// add adds a field. What is said more than once is one value, so that nothing holds for a
// policy that does not hold for the object: its parts are separated as those of a header.
func (f *form) add(name, value string) {
	for i := range f.fields {
		if old := &f.fields[i]; strings.EqualFold(old.Name, name) {
			old.Value += "," + value
			return
		}
	}
	f.fields = append(f.fields, postpolicy.Field{Name: name, Value: value})
}

// broken tells why the form could not be read on.
func broken(g *gate) error {
	switch {
	case g.left < 0:
		return errFields
	case g.failed != nil:
		return g.failed
	}
	return errMalformed
}

// gate lets a bounded number of bytes through until it is open.
type gate struct {
	from   io.Reader
	left   int
	open   bool
	failed error
}

// Read implements io.Reader.
func (g *gate) Read(p []byte) (int, error) {
	if !g.open && g.left < 0 {
		return 0, errFields
	}
	n, err := g.from.Read(p)
	if !g.open {
		g.left -= n
	}
	if err != nil && err != io.EOF {
		g.failed = err
	}
	return n, err
}

// named puts the name of the file where fields ask for it. A file without a name leaves
// them as they are.
func (f *form) named(about map[string]string) {
	name, ok := about["filename"]
	if !ok {
		return
	}
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	for i := range f.fields {
		if !strings.EqualFold(f.fields[i].Name, "policy") {
			f.fields[i].Value = strings.ReplaceAll(f.fields[i].Value, "${filename}", name)
		}
	}
}

// get is the value of a field, whose name counts in whatever case.
func (f *form) get(name string) (value string, ok bool) {
	for _, field := range f.fields {
		if strings.EqualFold(field.Name, name) {
			return field.Value, true
		}
	}
	return "", false
}

func (f *form) value(name string) string { v, _ := f.get(name); return v }

// headers are the fields that stand for headers of PutObject by the same name, beside
// those that begin with x-amz-.
var headers = map[string]bool{
	"cache-control": true, "content-type": true, "content-disposition": true, "content-encoding": true, "content-language": true, "content-md5": true, "expires": true,
}

// ofForm are fields that are about the form itself.
var ofForm = map[string]bool{"x-amz-signature": true, "x-amz-credential": true, "x-amz-date": true, "x-amz-algorithm": true, "x-amz-security-token": true}

// apply makes headers of the request of the fields, in place of those about an object that
// it has.
func (f *form) apply(x *request) error {
	h := x.R.Header
	for name := range h {
		if lower := strings.ToLower(name); headers[lower] || strings.HasPrefix(lower, "x-amz-") || lower == "if-match" || lower == "if-none-match" {
			h.Del(name)
		}
	}
	for _, field := range f.fields {
		name := strings.ToLower(field.Name)
		switch {
		case name == "acl":
			h.Set("X-Amz-Acl", field.Value)
		case name == "tagging":
			tags, err := tagging(field.Value)
			if err != nil {
				return err
			}
			h.Set("X-Amz-Tagging", tags)
		case headers[name], strings.HasPrefix(name, "x-amz-") && !ofForm[name]:
			h.Set(name, field.Value)
		}
	}
	return nil
}

// tagging makes x-amz-tagging of a document of tags.
func tagging(document string) (string, error) {
	var in struct{ TagSet call.TagSet }
	if xml.NewDecoder(bytes.NewReader([]byte(document))).Decode(&in) != nil {
		return "", call.ErrMalformedXML
	}
	if err := call.CheckTags(in.TagSet.Tags, objects.MaxTags, "Object"); err != nil {
		return "", err
	}
	q := url.Values{}
	for _, t := range in.TagSet.Tags {
		q.Set(t.Key, t.Value)
	}
	return q.Encode(), nil
}
