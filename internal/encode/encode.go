// Package encode writes values as encoding/json does, byte by byte, by a plan that is made
// once for their type. What it has no faster way for it leaves to encoding/json.
package encode

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unsafe"
)

// Encoder writes values of T. It may be used by many goroutines.
type Encoder[T any] struct {
	write   write
	buffers sync.Pool // of *[]byte
}

// keep is the largest buffer that is used again, in bytes.
const keep = 1 << 20

// For makes the encoder of a type.
func For[T any]() *Encoder[T] {
	return &Encoder[T]{write: compiler{}.value(reflect.TypeFor[T]())}
}

// Encode calls use with the JSON of v, which is what [json.Marshal] returns for v and
// which is only there during the call. It returns the error of use, or that of a value that
// has no JSON.
func (e *Encoder[T]) Encode(v *T, use func(text []byte) error) error {
	buffer, _ := e.buffers.Get().(*[]byte)
	if buffer == nil {
		buffer = new([]byte)
	}
	text, err := e.write((*buffer)[:0], unsafe.Pointer(v))
	if err != nil {
		err = fmt.Errorf("encode %v: %w", reflect.TypeFor[T](), err)
	} else {
		err = use(text)
	}
	if cap(text) <= keep {
		*buffer = text
		e.buffers.Put(buffer)
	}
	return err
}

// write appends the JSON of the value at a place, which is of the type that it is for.
type write func(b []byte, at unsafe.Pointer) ([]byte, error)

// compiler has the writes of types, those being made too: they are filled in later, so that
// types may be made of themselves.
type compiler map[reflect.Type]*write

func (c compiler) value(t reflect.Type) write {
	if w, known := c[t]; known {
		return func(b []byte, at unsafe.Pointer) ([]byte, error) { return (*w)(b, at) }
	}
	w := new(write)
	c[t] = w
	*w = c.of(t)
	return *w
}

func (c compiler) of(t reflect.Type) write {
	if t == reflect.TypeFor[time.Time]() {
		return func(b []byte, at unsafe.Pointer) ([]byte, error) {
			b, err := (*time.Time)(at).AppendText(append(b, '"'))
			return append(b, '"'), err
		}
	}
	if own(t) {
		return leave(t)
	}
	switch t.Kind() {
	case reflect.String:
		return func(b []byte, at unsafe.Pointer) ([]byte, error) { return AppendString(b, *(*string)(at)), nil }
	case reflect.Bool:
		return func(b []byte, at unsafe.Pointer) ([]byte, error) { return strconv.AppendBool(b, *(*bool)(at)), nil }
	case reflect.Int:
		return func(b []byte, at unsafe.Pointer) ([]byte, error) {
			return strconv.AppendInt(b, int64(*(*int)(at)), 10), nil
		}
	case reflect.Int64:
		return func(b []byte, at unsafe.Pointer) ([]byte, error) { return strconv.AppendInt(b, *(*int64)(at), 10), nil }
	case reflect.Int32:
		return func(b []byte, at unsafe.Pointer) ([]byte, error) {
			return strconv.AppendInt(b, int64(*(*int32)(at)), 10), nil
		}
	case reflect.Pointer:
		to := c.value(t.Elem())
		return func(b []byte, at unsafe.Pointer) ([]byte, error) {
			if at = *(*unsafe.Pointer)(at); at == nil {
				return append(b, "null"...), nil
			}
			return to(b, at)
		}
	case reflect.Slice:
		if t.Elem().Kind() != reflect.Uint8 {
			return c.list(t)
		}
	case reflect.Map:
		if t.Key().Kind() == reflect.String && t.Elem().Kind() == reflect.String && !own(t.Key()) && !own(t.Elem()) {
			return texts
		}
	case reflect.Struct:
		if w, ok := c.structure(t); ok {
			return w
		}
	}
	return leave(t)
}

// own reports whether values of a type, or what points to them, write themselves.
func own(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(reflect.TypeFor[json.Marshaler]()) || p.Implements(reflect.TypeFor[encoding.TextMarshaler]())
}

// leave leaves a type to encoding/json.
func leave(t reflect.Type) write {
	return func(b []byte, at unsafe.Pointer) ([]byte, error) {
		text, err := json.Marshal(reflect.NewAt(t, at).Interface())
		return append(b, text...), err
	}
}

func (c compiler) list(t reflect.Type) write {
	element, size := c.value(t.Elem()), t.Elem().Size()
	return func(b []byte, at unsafe.Pointer) ([]byte, error) {
		of := *(*[]struct{})(at)
		if of == nil {
			return append(b, "null"...), nil
		}
		b = append(b, '[')
		at = unsafe.Pointer(unsafe.SliceData(of))
		var err error
		for i := range len(of) {
			if i > 0 {
				b = append(b, ',')
			}
			if b, err = element(b, unsafe.Add(at, uintptr(i)*size)); err != nil {
				return b, err
			}
		}
		return append(b, ']'), nil
	}
}

// texts writes a map of texts to texts, in the order of its keys.
func texts(b []byte, at unsafe.Pointer) ([]byte, error) {
	m := *(*map[string]string)(at)
	if m == nil {
		return append(b, "null"...), nil
	}
	var space [16]string
	keys := space[:0]
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	b = append(b, '{')
	for i, k := range keys {
		if i > 0 {
			b = append(b, ',')
		}
		b = AppendString(append(AppendString(b, k), ':'), m[k])
	}
	return append(b, '}'), nil
}

// member is one of a structure.
type member struct {
	name   string // quoted, with a colon
	offset uintptr
	write  write
	absent func(unsafe.Pointer) bool // whether it is left out; nil: never
}

// structure plans a structure; ok is false for one that is made of embedded ones or has
// members written in other ways, or two of one name.
func (c compiler) structure(t reflect.Type) (w write, ok bool) {
	var members []member
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			return nil, false
		}
		tag := f.Tag.Get("json")
		if !f.IsExported() || tag == "-" {
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		if name == "" {
			name = f.Name
		}
		m := member{name: string(AppendString(nil, name)) + ":", offset: f.Offset, write: c.value(f.Type)}
		ok := true
		switch options {
		case "":
		case "omitzero":
			m.absent, ok = zero(f.Type)
		case "omitempty":
			m.absent = empty(f.Type)
		default:
			ok = false
		}
		if !ok || !plainName(name) || slices.ContainsFunc(members, func(o member) bool { return o.name == m.name }) {
			return nil, false
		}
		members = append(members, m)
	}
	return func(b []byte, at unsafe.Pointer) ([]byte, error) {
		b = append(b, '{')
		first := len(b)
		var err error
		for i := range members {
			m := &members[i]
			field := unsafe.Add(at, m.offset)
			if m.absent != nil && m.absent(field) {
				continue
			}
			if len(b) > first {
				b = append(b, ',')
			}
			if b, err = m.write(append(b, m.name...), field); err != nil {
				return b, err
			}
		}
		return append(b, '}'), nil
	}, true
}

// plainName reports whether encoding/json takes a name from a tag whatever else it accepts.
func plainName(name string) bool {
	return !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-'
	})
}

// zero tells a member that omitzero leaves out; ok is false for types that say so themselves.
func zero(t reflect.Type) (absent func(unsafe.Pointer) bool, ok bool) {
	if t == reflect.TypeFor[time.Time]() {
		return func(at unsafe.Pointer) bool { return (*time.Time)(at).IsZero() }, true
	}
	for _, x := range []reflect.Type{t, reflect.PointerTo(t)} {
		if _, asks := x.MethodByName("IsZero"); asks {
			return nil, false
		}
	}
	switch t.Kind() {
	case reflect.Slice, reflect.Map, reflect.Pointer:
		return func(at unsafe.Pointer) bool { return *(*unsafe.Pointer)(at) == nil }, true
	case reflect.String:
		return func(at unsafe.Pointer) bool { return *(*string)(at) == "" }, true
	case reflect.Bool:
		return func(at unsafe.Pointer) bool { return !*(*bool)(at) }, true
	}
	return func(at unsafe.Pointer) bool { return reflect.NewAt(t, at).Elem().IsZero() }, true
}

// empty tells a member that omitempty leaves out.
func empty(t reflect.Type) func(unsafe.Pointer) bool {
	switch t.Kind() {
	case reflect.Slice, reflect.Map, reflect.Array:
		return func(at unsafe.Pointer) bool { return reflect.NewAt(t, at).Elem().Len() == 0 }
	case reflect.Struct:
		return nil
	}
	return func(at unsafe.Pointer) bool { return reflect.NewAt(t, at).Elem().IsZero() }
}
