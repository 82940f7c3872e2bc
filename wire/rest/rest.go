// Package rest binds operations to methods and paths of HTTP, and members of their
// inputs and outputs to labels in the path, to query parameters and to headers, as
// restXml does.
package rest

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"

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
// Of a parameter that comes several times the first counts; those that no member
// has are ignored, and so are those without a value.
func Read(labels Labels, query url.Values, header http.Header, p *shape.Plan, dst any) error {
	v := reflect.ValueOf(dst).Elem()
	for _, m := range p.Members {
		var s string
		switch m.Place {
		case shape.Label:
			s = labels[m.At]
		case shape.InURL:
			s = query.Get(m.At)
		case shape.Header:
			s = header.Get(m.At)
		}
		if s == "" {
			continue
		}
		if err := xml.Scalar(&m.Value, s, v.Field(m.Index)); err != nil {
			return fmt.Errorf("%w '%s' of parameter '%s'", ErrInvalid, s, m.At)
		}
	}
	return nil
}

// Write sets the headers of an answer from the members of the output, described by
// p, that out points to.
func Write(header http.Header, p *shape.Plan, out any) {
	v := reflect.ValueOf(out).Elem()
	for _, m := range p.Members {
		f := v.Field(m.Index)
		if m.Place != shape.Header || m.Absent(f) {
			continue
		}
		if m.Pointer {
			f = f.Elem()
		}
		header.Set(m.At, text(m, f))
	}
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
