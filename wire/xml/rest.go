package xml

import (
	"bytes"
	"encoding/base64"
	stdxml "encoding/xml"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"time"

	"neargate/wire/shape"
)

// AppendRest appends the restXml answer of an operation, whose output, described
// by p, out points to: nothing of it that stands outside the body.
func AppendRest(b []byte, s *shape.Service, op string, p *shape.Plan, out any) []byte {
	w := writer{b: append(b, restDeclaration...), item: "member", timeLayout: milliseconds}
	w.openRoot(op+"Response", s.Namespace)
	w.members(p, reflect.ValueOf(out).Elem())
	w.close(op + "Response")
	return w.b
}

// AppendRestError appends the restXml body of an error.
func AppendRestError(b []byte, s *shape.Service, requestID string, e *shape.Error) []byte {
	w := writer{b: append(b, restDeclaration...)}
	w.openRoot("ErrorResponse", s.Namespace)
	w.open("Error")
	if e.Fault == shape.Server {
		w.text("Type", "Receiver")
	} else {
		w.text("Type", "Sender")
	}
	w.text("Code", e.QueryCode())
	w.text("Message", e.Message)
	w.fields(e)
	w.close("Error")
	w.text("RequestId", requestID)
	w.close("ErrorResponse")
	return w.b
}

const restDeclaration = `<?xml version="1.0"?>` + "\n"

// maxDepth is how deep the elements of a request may be nested.
const maxDepth = 32

// ErrMalformed is wrapped by what Read answers to a text that is not the request
// that the plan describes.
var ErrMalformed = errors.New("invalid XML")

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w ; "+format, append([]any{ErrMalformed}, args...)...)
}

// Read fills the struct dst points to from a restXml request whose outermost
// element is root. An empty body is a request without members. Elements that the
// plan does not have, text between elements and repeated elements are refused.
func Read(body []byte, root string, p *shape.Plan, dst any) error {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	r := reader{stdxml.NewDecoder(bytes.NewReader(body)), 0}
	start, err := r.next()
	switch {
	case err != nil:
		return err
	case start == nil || start.Name.Local != root:
		return malformed("the root element is not '%s'", root)
	}
	if err := r.structure(p, reflect.ValueOf(dst).Elem()); err != nil {
		return err
	}
	for {
		t, err := r.d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return malformed("%v", err)
		}
		switch t := t.(type) {
		case stdxml.CharData:
			if len(bytes.TrimSpace(t)) > 0 {
				return malformed("text after element '%s'", root)
			}
		case stdxml.StartElement, stdxml.Directive:
			return malformed("more after element '%s'", root)
		}
	}
}

type reader struct {
	d     *stdxml.Decoder
	depth int
}

// next is the next element that begins, nil where the one around it ends.
func (r *reader) next() (*stdxml.StartElement, error) {
	for {
		t, err := r.d.Token()
		if err != nil {
			return nil, malformed("%v", err)
		}
		switch t := t.(type) {
		case stdxml.StartElement:
			if r.depth++; r.depth > maxDepth {
				return nil, malformed("elements are nested too deep")
			}
			return &t, nil
		case stdxml.EndElement:
			r.depth--
			return nil, nil
		case stdxml.CharData:
			if len(bytes.TrimSpace(t)) > 0 {
				return nil, malformed("text between elements")
			}
		case stdxml.Directive:
			return nil, malformed("a document type")
		}
	}
}

func (r *reader) structure(p *shape.Plan, dst reflect.Value) error {
	for {
		start, err := r.next()
		if err != nil || start == nil {
			return err
		}
		name := start.Name.Local
		m := p.ByXML(name)
		if m == nil {
			return malformed("Invalid content was found starting with element '%s'.", name)
		}
		field := dst.Field(m.Index)
		if !m.Flat && !m.Absent(field) {
			return malformed("element '%s' is repeated", name)
		}
		if m.Kind == shape.List {
			err = r.list(m, field)
		} else {
			err = r.value(name, &m.Value, field)
		}
		if err != nil {
			return err
		}
	}
}

func (r *reader) list(m *shape.Member, field reflect.Value) error {
	if field.IsNil() {
		field.Set(reflect.MakeSlice(m.Type, 0, 0))
	}
	if m.Flat {
		return r.item(m, m.XML, field)
	}
	item := "member"
	if m.Item != "" {
		item = m.Item
	}
	for {
		start, err := r.next()
		if err != nil || start == nil {
			return err
		}
		if start.Name.Local != item {
			return malformed("Invalid content was found starting with element '%s'.", start.Name.Local)
		}
		if err := r.item(m, item, field); err != nil {
			return err
		}
	}
}

func (r *reader) item(m *shape.Member, name string, field reflect.Value) error {
	elem := reflect.New(m.Type.Elem()).Elem()
	if err := r.value(name, m.Elem, elem); err != nil {
		return err
	}
	field.Set(reflect.Append(field, elem))
	return nil
}

// value reads a structure or what is written as text.
func (r *reader) value(name string, t *shape.Value, field reflect.Value) error {
	if t.Kind == shape.Structure {
		return r.structure(t.Structure, t.Settable(field))
	}
	s, err := r.text(name)
	if err != nil {
		return err
	}
	if err := Scalar(t, s, field); err != nil {
		return malformed("'%s' is not a valid value of element '%s'", s, name)
	}
	return nil
}

// text is the text of an element that has nothing else.
func (r *reader) text(name string) (string, error) {
	var b strings.Builder
	for {
		t, err := r.d.Token()
		if err != nil {
			return "", malformed("%v", err)
		}
		switch t := t.(type) {
		case stdxml.CharData:
			b.Write(t)
		case stdxml.EndElement:
			r.depth--
			return b.String(), nil
		case stdxml.StartElement:
			return "", malformed("element '%s' holds element '%s'", name, t.Name.Local)
		}
	}
}

// Scalar sets field, a place of type t, from text as it stands in elements, in
// labels and in query strings.
func Scalar(t *shape.Value, s string, field reflect.Value) error {
	trimmed := strings.TrimSpace(s)
	switch t.Kind {
	case shape.String:
		t.Settable(field).SetString(s)
	case shape.Bool:
		switch trimmed {
		case "true", "1":
			t.Settable(field).SetBool(true)
		case "false", "0":
			t.Settable(field).SetBool(false)
		default:
			return strconv.ErrSyntax
		}
	case shape.Integer:
		n, err := strconv.ParseInt(trimmed, 10, t.Type.Bits())
		if err != nil {
			return err
		}
		t.Settable(field).SetInt(n)
	case shape.Float:
		f, err := strconv.ParseFloat(trimmed, t.Type.Bits())
		if err != nil {
			return err
		}
		t.Settable(field).SetFloat(f)
	case shape.Timestamp:
		at, err := time.Parse(time.RFC3339Nano, trimmed)
		if err != nil {
			return err
		}
		t.Settable(field).Set(reflect.ValueOf(at.UTC()))
	case shape.Blob:
		blob, err := base64.StdEncoding.AppendDecode([]byte{}, []byte(trimmed))
		if err != nil {
			return err
		}
		t.Settable(field).SetBytes(blob)
	default:
		return fmt.Errorf("xml: no text is a %v", t.Type)
	}
	return nil
}
