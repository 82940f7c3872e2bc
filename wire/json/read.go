// Package json reads and writes the bodies of the awsJson1_0, awsJson1_1 and restJson1
// protocols (smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html) straight
// from and into the structs described by a [shape.Plan].
package json

import (
	"encoding/base64"
	"math"
	"math/big"
	"net/http"
	"reflect"
	"strconv"
	"time"

	"neargate/wire/shape"
)

// Read fills the struct dst points to from a request body. Unknown members and those
// with a place elsewhere are skipped, null means absent, the last of two equal names
// wins, an empty body is an empty object. Where the plan has a payload, the body is
// that member, texts and bytes as they are.
//
// Errors are SerializationException as AWS answers it: without a message for text
// that is not JSON, with one for a value of the wrong type.
func Read(body []byte, p *shape.Plan, dst any) error {
	r := reader{scanner: scanner{data: body}}
	if m := p.Payload; m != nil {
		return r.payload(m, reflect.ValueOf(dst).Elem().Field(m.Index))
	}
	if r.peek() == 0 && r.pos == len(body) {
		return nil
	}
	switch r.peek() {
	case '{':
	case '[':
		if _, ok := r.skip(0); !ok {
			return malformed()
		}
		return mistyped(unexpectedList)
	default:
		return malformed()
	}
	if err := r.structure(p, reflect.ValueOf(dst).Elem(), 1); err != nil {
		return err
	}
	return r.end()
}

// end refuses text after the value.
func (r *reader) end() error {
	if r.peek() != 0 || r.pos < len(r.data) {
		return malformed()
	}
	return nil
}

// payload reads the member that is the whole body; an empty one is absent.
func (r *reader) payload(m *shape.Member, field reflect.Value) error {
	switch {
	case len(r.data) == 0:
		return nil
	case m.Kind == shape.String:
		m.Settable(field).SetString(string(r.data))
		return nil
	case m.Kind == shape.Blob:
		m.Settable(field).SetBytes(append([]byte(nil), r.data...))
		return nil
	}
	if err := r.member(&m.Value, field, 1); err != nil {
		return err
	}
	return r.end()
}

const (
	unexpectedList   = "Start of list found where not expected"
	unexpectedObject = "Start of structure or map found where not expected."
)

// malformed is the error for text that is not JSON, is nested too deep or asks
// for too much memory.
func malformed() error {
	return shape.NewError("SerializationException", http.StatusBadRequest, "").WithoutMessage()
}

// mistyped is the error for a value of the wrong type; AWS spells its member "Message".
func mistyped(message string) error {
	e := shape.NewError("SerializationException", http.StatusBadRequest, message)
	e.Member = "Message"
	return e
}

// maxElements bounds the memory of list elements and map values, in bytes: three
// bytes of text can ask for a structure of a thousand.
const maxElements = 64 << 20

// firstElements is how many bytes a list has room for at first, or one element.
const firstElements = 256

type reader struct {
	scanner
	elements uintptr // bytes taken by list elements and map values so far
}

// grow accounts for one more element of a list or map.
func (r *reader) grow(t *shape.Value) bool {
	r.elements += t.Elem.Type.Size()
	return r.elements <= maxElements
}

// structure reads an object whose brace is next.
func (r *reader) structure(p *shape.Plan, dst reflect.Value, depth int) error {
	r.pos++
	if r.accept('}') {
		return nil
	}
	for {
		name, ok := r.str()
		if !ok || !r.accept(':') {
			return malformed()
		}
		if m := p.ByName(name); m == nil || m.Place != shape.Body {
			if _, ok := r.skip(depth); !ok {
				return malformed()
			}
		} else if err := r.member(&m.Value, dst.Field(m.Index), depth); err != nil {
			return err
		}
		if r.accept('}') {
			return nil
		}
		if !r.accept(',') {
			return malformed()
		}
	}
}

// member reads a value into a member's field, or clears the field for null.
func (r *reader) member(t *shape.Value, field reflect.Value, depth int) error {
	if r.peek() == 'n' {
		if !r.word("null") {
			return malformed()
		}
		field.SetZero()
		return nil
	}
	return r.value(t, t.Settable(field), depth)
}

// value reads a value other than null into dst, whose type is t.Type.
func (r *reader) value(t *shape.Value, dst reflect.Value, depth int) error {
	c := r.peek()
	switch {
	case t.Kind == shape.Document:
		return r.document(dst, depth)
	case c == '{':
		return r.object(t, dst, depth)
	case c == '[' && t.Kind == shape.List:
		if depth == maxDepth {
			return malformed()
		}
		return r.list(t, dst, depth+1)
	case c == '[':
		return r.reject(unexpectedList, depth)
	case t.Kind == shape.Structure:
		return r.reject("Expected null", depth)
	case t.Kind == shape.List:
		return r.reject("Expected list or null", depth)
	case t.Kind == shape.Map:
		return r.reject("Expected map or null", depth)
	case c == '"':
		return r.text(t, dst)
	case c == 't' || c == 'f':
		return r.boolean(t, dst, c == 't')
	}
	return r.numeric(t, dst)
}

// reject answers a value of the wrong type, or broken text before that.
func (r *reader) reject(message string, depth int) error {
	if _, ok := r.skip(depth); !ok {
		return malformed()
	}
	return mistyped(message)
}

func (r *reader) object(t *shape.Value, dst reflect.Value, depth int) error {
	switch {
	case t.Kind != shape.Structure && t.Kind != shape.Map:
		return r.reject(unexpectedObject, depth)
	case depth == maxDepth:
		return malformed()
	case t.Kind == shape.Map:
		return r.mapping(t, dst, depth+1)
	}
	if err := r.structure(t.Structure, dst, depth+1); err != nil {
		return err
	}
	if t.Union && present(t.Structure, dst) != 1 {
		return mistyped("A union must have exactly one member")
	}
	return nil
}

// present counts the members of a structure that are there.
func present(p *shape.Plan, v reflect.Value) int {
	n := 0
	for _, m := range p.Members {
		if !m.Absent(v.Field(m.Index)) {
			n++
		}
	}
	return n
}

func (r *reader) mapping(t *shape.Value, dst reflect.Value, depth int) error {
	r.pos++
	m := reflect.MakeMap(t.Type)
	dst.Set(m)
	if r.accept('}') {
		return nil
	}
	for {
		name, ok := r.str()
		if !ok || !r.accept(':') {
			return malformed()
		}
		key := reflect.ValueOf(string(name)).Convert(t.Type.Key())
		if r.peek() == 'n' {
			if !r.word("null") {
				return malformed()
			}
			m.SetMapIndex(key, reflect.Value{})
		} else {
			if !r.grow(t) {
				return malformed()
			}
			elem := reflect.New(t.Type.Elem()).Elem()
			if err := r.value(t.Elem, t.Elem.Settable(elem), depth); err != nil {
				return err
			}
			m.SetMapIndex(key, elem)
		}
		if r.accept('}') {
			return nil
		}
		if !r.accept(',') {
			return malformed()
		}
	}
}

// list reads a list; nulls in it are dropped, as lists here have no holes.
func (r *reader) list(t *shape.Value, dst reflect.Value, depth int) error {
	r.pos++
	if r.accept(']') {
		dst.Set(reflect.MakeSlice(t.Type, 0, 0))
		return nil
	}
	dst.Set(reflect.MakeSlice(t.Type, 0, int(min(4, 1+firstElements/(1+t.Elem.Type.Size())))))
	for n := 0; ; {
		if r.peek() == 'n' {
			if !r.word("null") {
				return malformed()
			}
		} else {
			if !r.grow(t) {
				return malformed()
			}
			if n == dst.Cap() {
				dst.Grow(1)
			}
			dst.SetLen(n + 1)
			elem := dst.Index(n)
			if err := r.value(t.Elem, t.Elem.Settable(elem), depth); err != nil {
				return err
			}
			n++
		}
		if r.accept(']') {
			return nil
		}
		if !r.accept(',') {
			return malformed()
		}
	}
}

func (r *reader) document(dst reflect.Value, depth int) error {
	text, ok := r.skip(depth)
	if !ok {
		return malformed()
	}
	dst.SetBytes(append([]byte(nil), text...))
	return nil
}

// text reads a string, which a few other types are written as, too.
func (r *reader) text(t *shape.Value, dst reflect.Value) error {
	content, ok := r.str()
	if !ok {
		return malformed()
	}
	switch t.Kind {
	case shape.String:
		dst.SetString(string(content))
		return nil
	case shape.Blob:
		blob, err := base64.StdEncoding.AppendDecode(nil, content)
		if err != nil {
			return mistyped("'" + string(content) + "' can not be converted to a Blob")
		}
		if blob == nil {
			blob = []byte{}
		}
		dst.SetBytes(blob)
		return nil
	case shape.Timestamp:
		if at, err := time.Parse(time.RFC3339Nano, string(content)); err == nil {
			dst.Set(reflect.ValueOf(at.UTC()))
			return nil
		}
	case shape.Float:
		switch string(content) {
		case "NaN":
			dst.SetFloat(math.NaN())
			return nil
		case "Infinity":
			dst.SetFloat(math.Inf(1))
			return nil
		case "-Infinity":
			dst.SetFloat(math.Inf(-1))
			return nil
		}
	}
	return unconvertible("STRING_VALUE", t)
}

func (r *reader) boolean(t *shape.Value, dst reflect.Value, is bool) error {
	word, token := "false", "FALSE_VALUE"
	if is {
		word, token = "true", "TRUE_VALUE"
	}
	if !r.word(word) {
		return malformed()
	}
	if t.Kind != shape.Bool {
		return unconvertible(token, t)
	}
	dst.SetBool(is)
	return nil
}

func (r *reader) numeric(t *shape.Value, dst reflect.Value) error {
	text, ok := r.number()
	if !ok {
		return malformed()
	}
	switch t.Kind {
	case shape.Integer:
		if n, ok := integer(text); ok && !dst.OverflowInt(n) {
			dst.SetInt(n)
			return nil
		}
	case shape.Float:
		if f, err := strconv.ParseFloat(string(text), t.Type.Bits()); err == nil {
			dst.SetFloat(f)
			return nil
		}
	case shape.Timestamp:
		if at, ok := shape.ParseSeconds(string(text)); ok {
			dst.Set(reflect.ValueOf(at))
			return nil
		}
	}
	return unconvertible("NUMBER_VALUE", t)
}

// integer reads a number as an integer. A fraction is cut off, as AWS was
// recorded to do (1.5 is 1); what an int64 cannot hold is refused.
func integer(text []byte) (int64, bool) {
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err == nil {
		return n, true
	}
	f, err := strconv.ParseFloat(string(text), 64)
	switch {
	case err != nil || f >= 1<<63 || f < -1<<63:
		return 0, false
	case math.Abs(f) < 1<<53:
		return int64(f), true
	}
	exact, _, err := big.ParseFloat(string(text), 10, 256, big.ToZero)
	if err != nil {
		return 0, false
	}
	n, accuracy := exact.Int64()
	return n, accuracy == big.Exact || n != math.MaxInt64 && n != math.MinInt64
}

// unconvertible is AWS's error for a scalar of the wrong JSON type.
func unconvertible(token string, t *shape.Value) error {
	target := "a String"
	switch t.Kind {
	case shape.Bool:
		target = "a Boolean"
	case shape.Integer:
		target = "an Integer"
		if t.Type.Bits() == 64 {
			target = "a Long"
		}
	case shape.Float:
		target = "a Float"
		if t.Type.Bits() == 64 {
			target = "a Double"
		}
	case shape.Blob:
		target = "a Blob"
	case shape.Timestamp:
		target = "milliseconds since epoch"
	}
	return mistyped(token + " can not be converted to " + target)
}
