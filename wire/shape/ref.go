package shape

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"time"
	"unsafe"
)

// Ref is a place in memory that holds a value described by a [Value]: what a codec
// walks when it writes an answer, several times faster than a reflect.Value. The plan
// it is read with must be that of the value: Refs come from [Plan.Ref] and from other
// Refs by members of the same plan, and from nowhere else.
type Ref struct{ at unsafe.Pointer }

// Ref is the place of the struct that p, a pointer, points to. It panics on a pointer
// to another type than the plan's.
func (p *Plan) Ref(v any) Ref {
	r := reflect.ValueOf(v)
	if r.Type().Elem() != p.Type {
		panic("shape: a plan of " + p.Type.String() + " for " + r.Type().String())
	}
	return Ref{r.UnsafePointer()}
}

// In returns the place of the member's value in the structure at r, and whether it is there.
func (m *Member) In(r Ref) (Ref, bool) { return m.present(unsafe.Add(r.at, m.offset)) }

// form reads a pointer to a Form at an offset.
func (r Ref) form(offset uintptr) *Form { return *(**Form)(unsafe.Add(r.at, offset)) }

// present follows the pointer to a value, if it has one.
func (v *Value) present(at unsafe.Pointer) (Ref, bool) {
	switch v.header {
	case toValue:
		at = *(*unsafe.Pointer)(at)
		return Ref{at}, at != nil
	case toContent:
		return Ref{at}, *(*unsafe.Pointer)(at) != nil
	}
	return Ref{at}, true
}

// header is what the first word of a value in memory says.
type header uint8

const (
	content   header = iota // the value is always there
	toValue                 // a pointer to the value, nil if absent
	toContent               // of a slice or map: nil if absent
)

func headerOf(v *Value) header {
	switch {
	case v.Pointer:
		return toValue
	case v.Kind == List, v.Kind == Map, v.Kind == Blob, v.Kind == Document:
		return toContent
	}
	return content
}

// String reads a String.
func (r Ref) String() string { return *(*string)(r.at) }

// Bool reads a Bool.
func (r Ref) Bool() bool { return *(*bool)(r.at) }

// Time reads a Timestamp.
func (r Ref) Time() time.Time { return *(*time.Time)(r.at) }

// Bytes reads a Blob. The bytes are those of the value.
func (r Ref) Bytes() []byte { return *(*[]byte)(r.at) }

// Document reads a Document. The bytes are those of the value.
func (r Ref) Document() json.RawMessage { return *(*json.RawMessage)(r.at) }

// Int reads an Integer described by v.
func (r Ref) Int(v *Value) int64 {
	switch v.width {
	case 1:
		return int64(*(*int8)(r.at))
	case 2:
		return int64(*(*int16)(r.at))
	case 4:
		return int64(*(*int32)(r.at))
	}
	return *(*int64)(r.at)
}

// Float reads a Float described by v, and its size in bits.
func (r Ref) Float(v *Value) (f float64, bits int) {
	if v.width == 4 {
		return float64(*(*float32)(r.at)), 32
	}
	return *(*float64)(r.at), 64
}

// Reflect is the value, described by v, for who looks at it by reflection.
func (r Ref) Reflect(v *Value) reflect.Value { return reflect.NewAt(v.Type, r.at).Elem() }

// Len is the number of elements of a List.
func (r Ref) Len() int { return len(*(*[]struct{})(r.at)) }

// Elem returns the place of the i-th element of a List described by v.
func (r Ref) Elem(v *Value, i int) Ref {
	first := *(*unsafe.Pointer)(r.at)
	elem, _ := v.Elem.present(unsafe.Add(first, uintptr(i)*v.Elem.stride))
	return elem
}

// Pair is an entry of a map.
type Pair struct {
	Key   string
	Value Ref
}

// Pairs are the entries of a Map described by v, by key.
func (r Ref) Pairs(v *Value) []Pair {
	m := reflect.NewAt(v.Type, r.at).Elem()
	pairs := make([]Pair, 0, m.Len())
	values := reflect.MakeSlice(reflect.SliceOf(v.Type.Elem()), m.Len(), m.Len())
	for it := m.MapRange(); it.Next(); {
		place := values.Index(len(pairs))
		place.SetIterValue(it)
		value, _ := v.Elem.present(place.Addr().UnsafePointer())
		pairs = append(pairs, Pair{it.Key().String(), value})
	}
	slices.SortFunc(pairs, func(a, b Pair) int { return strings.Compare(a.Key, b.Key) })
	return pairs
}
