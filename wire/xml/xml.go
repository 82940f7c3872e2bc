// Package xml writes the answers and errors of the awsQuery, ec2Query and restXml
// protocols from the structs described by a [shape.Plan], and reads the requests
// of the last.
//
// Layout follows recorded answers of AWS: awsQuery answers are indented by two
// blanks, have no XML declaration and end with a newline; EC2's are compact and
// begin with a declaration. Absent members are left out, empty lists and strings
// are empty elements.
package xml

import (
	"encoding/base64"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"neargate/wire/shape"
)

const declaration = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"

// AppendQuery appends the awsQuery answer of an operation, whose output, described
// by p, out points to. An operation without output answers its metadata alone; an
// output without members is an empty element, which clients look for.
func AppendQuery(b []byte, s *shape.Service, op *shape.Operation, requestID string, p *shape.Plan, out any) []byte {
	w := writer{b: b, indented: true, item: "member", timeLayout: queryTime(s.ID)}
	w.openRoot(op.Name+"Response", s.Namespace)
	if !op.Void {
		w.structure(op.Name+"Result", p, reflect.ValueOf(out).Elem())
	}
	w.open("ResponseMetadata")
	w.text("RequestId", requestID)
	w.close("ResponseMetadata")
	w.close(op.Name + "Response")
	return append(w.b, '\n')
}

// AppendEC2 appends the EC2 answer of operation op, whose output, described by p,
// out points to. An operation without output answers that it did return.
func AppendEC2(b []byte, s *shape.Service, op, requestID string, p *shape.Plan, out any) []byte {
	w := writer{b: append(b, declaration...), item: "item", timeLayout: milliseconds}
	w.openRoot(op+"Response", s.Namespace)
	w.text("requestId", requestID)
	if len(p.Members) > 0 {
		w.members(p, reflect.ValueOf(out).Elem())
	} else {
		w.text("return", "true")
	}
	w.close(op + "Response")
	return w.b
}

// AppendQueryError appends the awsQuery body of an error. The error's own members
// stand beside its message.
func AppendQueryError(b []byte, s *shape.Service, requestID string, e *shape.Error) []byte {
	w := writer{b: b, indented: true}
	w.openRoot("ErrorResponse", s.Namespace)
	w.open("Error")
	if e.Fault == shape.Server {
		w.text("Type", "Receiver")
	} else {
		w.text("Type", "Sender")
	}
	w.text("Code", e.QueryCode())
	if e.Message != "" {
		w.text("Message", e.Message)
	}
	w.fields(e)
	w.close("Error")
	w.text("RequestId", requestID)
	w.close("ErrorResponse")
	return append(w.b, '\n')
}

// AppendEC2Error appends the EC2 body of an error, which has no namespace and
// spells RequestID its own way.
func AppendEC2Error(b []byte, requestID string, e *shape.Error) []byte {
	w := writer{b: append(b, declaration...)}
	w.openRoot("Response", "")
	w.open("Errors")
	w.open("Error")
	w.text("Code", e.QueryCode())
	w.text("Message", e.Message)
	w.fields(e)
	w.close("Error")
	w.close("Errors")
	w.text("RequestID", requestID)
	w.close("Response")
	return w.b
}

const (
	seconds      = "2006-01-02T15:04:05Z"
	milliseconds = "2006-01-02T15:04:05.000Z"
)

// queryTime is the layout of a service's timestamps: IAM and STS were recorded
// with whole seconds, the other query services answer milliseconds.
func queryTime(service string) string {
	if service == "iam" || service == "sts" {
		return seconds
	}
	return milliseconds
}

type writer struct {
	b          []byte
	indented   bool
	depth      int
	item       string // default element name of list members
	timeLayout string
}

// line begins an element on its own line, where answers have lines.
func (w *writer) line() {
	if !w.indented || w.depth == 0 {
		return
	}
	w.b = append(w.b, '\n')
	for range w.depth {
		w.b = append(w.b, ' ', ' ')
	}
}

func (w *writer) openRoot(name, namespace string) {
	w.b = append(append(w.b, '<'), name...)
	if namespace != "" {
		w.b = append(w.b, ` xmlns="`...)
		w.b = appendText(w.b, namespace)
		w.b = append(w.b, '"')
	}
	w.b = append(w.b, '>')
	w.depth++
}

func (w *writer) open(name string) {
	w.line()
	w.b = append(append(append(w.b, '<'), name...), '>')
	w.depth++
}

func (w *writer) close(name string) {
	w.depth--
	if w.depth == 0 && w.indented {
		w.b = append(w.b, '\n')
	}
	w.line()
	w.end(name)
}

func (w *writer) end(name string) {
	w.b = append(append(append(w.b, '<', '/'), name...), '>')
}

func (w *writer) empty(name string) {
	w.line()
	w.b = append(append(append(w.b, '<'), name...), '/', '>')
}

func (w *writer) text(name, s string) {
	if s == "" {
		w.empty(name)
		return
	}
	w.line()
	w.b = append(append(append(w.b, '<'), name...), '>')
	w.b = appendText(w.b, s)
	w.end(name)
}

func (w *writer) structure(name string, p *shape.Plan, v reflect.Value) {
	before := len(w.b)
	w.open(name)
	after := len(w.b)
	w.members(p, v)
	if len(w.b) > after {
		w.close(name)
		return
	}
	w.b, w.depth = w.b[:before], w.depth-1
	w.empty(name)
}

func (w *writer) members(p *shape.Plan, v reflect.Value) {
	for _, m := range p.Members {
		f := v.Field(m.Index)
		switch {
		case m.Absent(f) || m.Place != shape.Body:
		case m.Kind == shape.List:
			w.list(m, f)
		case m.Kind == shape.Map:
			w.mapping(m, f)
		default:
			w.value(m.XML, &m.Value, f)
		}
	}
}

func (w *writer) list(m *shape.Member, v reflect.Value) {
	if m.Flat {
		for i := range v.Len() {
			w.value(m.XML, m.Elem, v.Index(i))
		}
		return
	}
	if v.Len() == 0 {
		w.empty(m.XML)
		return
	}
	item := w.item
	if m.Item != "" {
		item = m.Item
	}
	w.open(m.XML)
	for i := range v.Len() {
		w.value(item, m.Elem, v.Index(i))
	}
	w.close(m.XML)
}

func (w *writer) mapping(m *shape.Member, v reflect.Value) {
	if v.Len() == 0 {
		if !m.Flat {
			w.empty(m.XML)
		}
		return
	}
	entry := m.XML
	if !m.Flat {
		w.open(m.XML)
		entry = "entry"
	}
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int {
		if a.String() < b.String() {
			return -1
		}
		return 1
	})
	for _, k := range keys {
		w.open(entry)
		w.text("key", k.String())
		w.value("value", m.Elem, v.MapIndex(k))
		w.close(entry)
	}
	if !m.Flat {
		w.close(m.XML)
	}
}

// value writes anything but a list or map, which nest only as members.
func (w *writer) value(name string, t *shape.Value, v reflect.Value) {
	if t.Pointer {
		v = v.Elem()
	}
	if t.Kind == shape.Structure {
		w.structure(name, t.Structure, v)
		return
	}
	if t.Kind == shape.String {
		w.text(name, v.String())
		return
	}
	w.line()
	w.b = append(append(append(w.b, '<'), name...), '>')
	switch t.Kind {
	case shape.Bool:
		w.b = strconv.AppendBool(w.b, v.Bool())
	case shape.Integer:
		w.b = strconv.AppendInt(w.b, v.Int(), 10)
	case shape.Float:
		w.b = shape.AppendDouble(w.b, v.Float(), v.Type().Bits())
	case shape.Timestamp:
		w.b = w.appendTime(t.Format, shape.TimeOf(v).UTC())
	case shape.Blob:
		w.b = base64.StdEncoding.AppendEncode(w.b, v.Bytes())
	default:
		panic(fmt.Sprintf("xml: %s: no XML form for %v", name, t.Type))
	}
	w.end(name)
}

func (w *writer) appendTime(format shape.TimeFormat, t time.Time) []byte {
	switch format {
	case shape.EpochSeconds:
		return strconv.AppendInt(w.b, t.Unix(), 10)
	case shape.HTTPDate:
		return t.AppendFormat(w.b, "Mon, 02 Jan 2006 15:04:05 GMT")
	}
	return t.AppendFormat(w.b, w.timeLayout)
}

// fields writes an error's own members.
func (w *writer) fields(e *shape.Error) {
	for _, f := range e.Fields {
		list, ok := f.Value.([]string)
		if !ok {
			w.text(f.Name, fmt.Sprint(f.Value))
			continue
		}
		w.open(f.Name)
		for _, s := range list {
			w.text("member", s)
		}
		w.close(f.Name)
	}
}

// appendText writes character data. What XML 1.0 cannot carry at all (control
// characters, broken UTF-8) becomes U+FFFD, so that every answer can be parsed.
func appendText(b []byte, s string) []byte {
	start := 0
	for i := 0; i < len(s); {
		r, size := rune(s[i]), 1
		switch {
		case r >= utf8.RuneSelf:
			r, size = utf8.DecodeRuneInString(s[i:])
		case r > '>', r >= ' ' && r != '&' && r != '"' && r != '<' && r != '>':
			i++
			continue
		}
		if escape := escapeOf(r, size); escape != "" {
			b = append(append(b, s[start:i]...), escape...)
			start = i + size
		}
		i += size
	}
	return append(b, s[start:]...)
}

func escapeOf(r rune, size int) string {
	switch {
	case r == '&':
		return "&amp;"
	case r == '<':
		return "&lt;"
	case r == '>':
		return "&gt;"
	case r == '"':
		return "&quot;"
	case r == '\r':
		return "&#xD;"
	case r < 0x20 && r != '\t' && r != '\n', r == 0xFFFE, r == 0xFFFF, r == utf8.RuneError && size == 1:
		return "\uFFFD"
	}
	return ""
}
