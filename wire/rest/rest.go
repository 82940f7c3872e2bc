// Package rest binds operations to methods and paths of HTTP, and members of their
// inputs and outputs to labels in the path, to query parameters, to headers and to the
// status, as restXml and restJson1 do.
package rest

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"

	"neargate/wire/shape"
	"neargate/wire/xml"
)

// ErrInvalid is wrapped by what Read answers to a value that cannot be read.
var ErrInvalid = errors.New("invalid value")

// Router finds operations by method and path.
type Router struct{ routes []route }

type route struct {
	operation string
	method    string
	segments  []segment
}

// segment of a path: text, or a label.
type segment struct{ text, label string }

// Labels are what a path holds at the labels of its operation, by name.
type Labels map[string]string

// NewRouter returns the router of some operations. It panics on a path it has no
// form for, which is a mistake in the program.
func NewRouter(operations []shape.Operation) *Router {
	r := &Router{}
	for _, o := range operations {
		if o.Method == "" || !strings.HasPrefix(o.Path, "/") || strings.ContainsAny(o.Path, "?+") {
			panic(fmt.Sprintf("rest: %s is at %q %q", o.Name, o.Method, o.Path))
		}
		at := route{operation: o.Name, method: o.Method}
		for _, part := range split(o.Path) {
			if inner, ok := strings.CutPrefix(part, "{"); ok {
				at.segments = append(at.segments, segment{label: strings.TrimSuffix(inner, "}")})
				continue
			}
			at.segments = append(at.segments, segment{text: part})
		}
		r.routes = append(r.routes, at)
	}
	return r
}

// split is the segments of a path; clients differ in whether one ends with a slash.
func split(path string) []string {
	return strings.Split(strings.TrimSuffix(strings.TrimPrefix(path, "/"), "/"), "/")
}

// Find is the operation at a method and path, which is still escaped. Text goes
// before labels.
func (r *Router) Find(method, path string) (operation string, labels Labels, ok bool) {
	parts := split(path)
	for i := range r.routes {
		at := &r.routes[i]
		if at.method != method {
			continue
		}
		if found, matches := at.match(parts); matches && (!ok || len(found) < len(labels)) {
			operation, labels, ok = at.operation, found, true
		}
	}
	return operation, labels, ok
}

func (r *route) match(parts []string) (Labels, bool) {
	if len(parts) != len(r.segments) {
		return nil, false
	}
	labels := Labels{}
	for i, s := range r.segments {
		part, err := url.PathUnescape(parts[i])
		if err != nil || s.label == "" && part != s.text || s.label != "" && part == "" {
			return nil, false
		}
		if s.label != "" {
			labels[s.label] = part
		}
	}
	return labels, true
}

// Read fills the members of the struct dst points to that do not stand in the body.
// A parameter of a list has its elements; of any other that comes several times the
// first counts. Those that no member has are ignored, and so are those without a value.
func Read(labels Labels, query url.Values, header http.Header, p *shape.Plan, dst any) error {
	v := reflect.ValueOf(dst).Elem()
	for _, m := range p.Members {
		f := v.Field(m.Index)
		var values []string
		switch m.Place {
		case shape.Label:
			values = []string{labels[m.At]}
		case shape.InURL:
			values = query[m.At]
		case shape.Header:
			values = []string{header.Get(m.At)}
		case shape.Params:
			others(p, query, m, f)
			continue
		}
		if err := set(m, values, f); err != nil {
			return err
		}
	}
	return nil
}

// set reads the values of a member that have a text.
func set(m *shape.Member, values []string, field reflect.Value) error {
	for i, s := range values {
		var err error
		switch {
		case s == "" || m.Kind != shape.List && i > 0:
		case m.Kind == shape.List:
			elem := reflect.New(m.Type.Elem()).Elem()
			err = scalar(m.Place, m.Elem, s, elem)
			field.Set(reflect.Append(field, elem))
		default:
			err = scalar(m.Place, &m.Value, s, field)
		}
		if err != nil {
			return fmt.Errorf("%w '%s' of parameter '%s'", ErrInvalid, s, m.At)
		}
	}
	return nil
}

// others fills a map, of texts or of lists of texts, with the parameters that no member
// of p is bound to.
func others(p *shape.Plan, query url.Values, m *shape.Member, field reflect.Value) {
	bound := map[string]bool{}
	for _, o := range p.Members {
		if o.Place == shape.InURL {
			bound[o.At] = true
		}
	}
	all := reflect.MakeMap(m.Type)
	for name, values := range query {
		if bound[name] {
			continue
		}
		if m.Elem.Kind == shape.List {
			all.SetMapIndex(reflect.ValueOf(name), reflect.ValueOf(values))
		} else {
			all.SetMapIndex(reflect.ValueOf(name), reflect.ValueOf(values[0]))
		}
	}
	if all.Len() > 0 {
		field.Set(all)
	}
}

// scalar sets field from text as it stands at a place. Times are in the format of the
// model, else as http-date in headers and as date-time elsewhere.
func scalar(place shape.Place, t *shape.Value, s string, field reflect.Value) error {
	httpDate := t.Format == shape.HTTPDate || t.Format == "" && place == shape.Header
	var at time.Time
	var err error
	switch {
	case t.Kind == shape.Timestamp && httpDate:
		at, err = http.ParseTime(s)
	case t.Kind == shape.Timestamp && t.Format == shape.EpochSeconds:
		var ok bool
		if at, ok = shape.ParseSeconds(s); !ok {
			err = strconv.ErrSyntax
		}
	default:
		return xml.Scalar(t, s, field)
	}
	if err == nil {
		t.Settable(field).Set(reflect.ValueOf(at.UTC()))
	}
	return err
}

// Write sets the headers of an answer from the members of the output, described by
// p, that out points to. It returns the status that a member has, 0 for none.
func Write(header http.Header, p *shape.Plan, out any) (status int) {
	v := reflect.ValueOf(out).Elem()
	for _, m := range p.Members {
		f := v.Field(m.Index)
		if m.Absent(f) {
			continue
		}
		if m.Pointer {
			f = f.Elem()
		}
		switch m.Place {
		case shape.Header:
			header.Set(m.At, text(m, f))
		case shape.StatusCode:
			status = int(f.Int())
		}
	}
	return status
}

func text(m *shape.Member, v reflect.Value) string {
	switch m.Kind {
	case shape.String:
		return v.String()
	case shape.Bool:
		return strconv.FormatBool(v.Bool())
	case shape.Integer:
		return strconv.FormatInt(v.Int(), 10)
	case shape.Timestamp:
		return shape.TimeOf(v).UTC().Format(http.TimeFormat)
	}
	panic(fmt.Sprintf("rest: no header holds %v", m.Type))
}
