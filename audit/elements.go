package audit

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
	"unsafe"

	"neargate/internal/encode"
	"neargate/resource/trail"
	"neargate/wire"
	"neargate/wire/shape"
)

// hidden stands for what must not be read in an event.
const hidden = "HIDDEN_DUE_TO_SECURITY_REASONS"

// secret are members that are secret whatever the model says of them.
var secret = []string{
	"SecretAccessKey", "SessionToken", "WebIdentityToken", "SAMLAssertion", "Password", "OldPassword", "NewPassword",
	"SecretString", "SecretBinary", "RandomPassword", "Plaintext", "PrivateKeyPlaintext", "CiphertextForRecipient",
	"AuthorizationToken", "Token", "TokenCode", "AuthenticationCode1", "AuthenticationCode2", "AddPrivateKey", "PrivateKey", "KeyMaterial", "UserData", "ClientSecret",
}

// valued are the structures whose value is secret while its name is not: environment
// variables, and parameters of Parameter Store.
var valued = map[string][]string{
	"KeyValuePair": {"Value"}, "PutParameterInput": {"Value"}, "Parameter": {"Value"}, "ParameterHistory": {"Value"},
}

// maxElements is how long the parameters or the answer of a call may be; beyond it they
// are left out, as CloudTrail does.
const maxElements = 100 << 10

// printer prints values as events have them. It keeps what it found out about types.
type printer struct{ plans sync.Map } // *plan by reflect.Type

// print prints a value in memory; false: it is absent.
type print func(b []byte, at unsafe.Pointer) ([]byte, bool)

// plan is how values of a type are printed.
type plan struct {
	print    print
	members  []member  // of a structure
	subjects []subject // of a structure
}

type member struct {
	of       *plan
	offset   uintptr
	pointer  bool   // or a list or a map: absent when its first word is nil
	name     string // quoted, with a colon
	hidden   bool
	optional reflect.Type // absent when zero; nil for a member that is never
}

// subject is a member that names a resource.
type subject struct {
	index int
	kind  string
}

// plan is that of a type.
func (p *printer) plan(t reflect.Type) *plan {
	if x, ok := p.plans.Load(t); ok {
		return x.(*plan)
	}
	c := compiler{}
	c.plan(t)
	for t, x := range c {
		p.plans.Store(t, x)
	}
	return c[t]
}

// compiler makes plans. One that is being made is there already for who refers to it.
type compiler map[reflect.Type]*plan

func (c compiler) plan(t reflect.Type) *plan {
	x := c[t]
	if x == nil {
		x = &plan{}
		c[t] = x
		x.print = c.print(x, t)
	}
	return x
}

func (c compiler) print(x *plan, t reflect.Type) print {
	switch t.Kind() {
	case reflect.Pointer:
		to := c.plan(t.Elem())
		return func(b []byte, at unsafe.Pointer) ([]byte, bool) {
			if at = *(*unsafe.Pointer)(at); at == nil {
				return b, false
			}
			return to.print(b, at)
		}
	case reflect.Struct:
		if t == reflect.TypeFor[time.Time]() {
			return func(b []byte, at unsafe.Pointer) ([]byte, bool) {
				return encode.AppendString(b, date(*(*time.Time)(at))), true
			}
		}
		c.members(x, t)
		return x.appendMembers
	case reflect.Slice:
		return c.list(t)
	case reflect.Map:
		return c.entries(t)
	case reflect.String:
		return func(b []byte, at unsafe.Pointer) ([]byte, bool) { return encode.AppendString(b, *(*string)(at)), true }
	case reflect.Bool:
		return func(b []byte, at unsafe.Pointer) ([]byte, bool) { return strconv.AppendBool(b, *(*bool)(at)), true }
	case reflect.Int32, reflect.Int64, reflect.Int:
		return func(b []byte, at unsafe.Pointer) ([]byte, bool) {
			return strconv.AppendInt(b, reflect.NewAt(t, at).Elem().Int(), 10), true
		}
	case reflect.Float32, reflect.Float64:
		return func(b []byte, at unsafe.Pointer) ([]byte, bool) {
			f := reflect.NewAt(t, at).Elem().Float()
			if math.IsNaN(f) || math.IsInf(f, 0) {
				return encode.AppendString(b, strconv.FormatFloat(f, 'g', -1, 64)), true
			}
			return strconv.AppendFloat(b, f, 'g', -1, t.Bits()), true
		}
	}
	return func(b []byte, _ unsafe.Pointer) ([]byte, bool) { return b, false } // streams and functions
}

// members plans a structure. A name is the one of its tag for JSON, else the member's
// in lower camel case.
func (c compiler) members(x *plan, t reflect.Type) {
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() || f.Type == reflect.TypeFor[*shape.Form]() {
			continue
		}
		name, options, tagged := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" {
			name = camel(f.Name)
		}
		m := member{
			of: c.plan(f.Type), offset: f.Offset, name: strconv.Quote(name) + ":",
			hidden: slices.Contains(secret, f.Name) || slices.Contains(valued[t.Name()], f.Name) || sensitive(f),
		}
		switch f.Type.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			m.pointer = true
		}
		if tagged && options == "omitempty" {
			m.optional = f.Type
		}
		x.members = append(x.members, m)
	}
	for _, of := range types {
		if f, ok := t.FieldByName(of.member); ok && len(f.Index) == 1 {
			x.subjects = append(x.subjects, subject{f.Index[0], of.kind})
		}
	}
}

func (x *plan) appendMembers(b []byte, at unsafe.Pointer) ([]byte, bool) {
	b = append(b, '{')
	for i := range x.members {
		m := &x.members[i]
		field := unsafe.Add(at, m.offset)
		if m.pointer && *(*unsafe.Pointer)(field) == nil || m.optional != nil && reflect.NewAt(m.optional, field).Elem().IsZero() {
			continue
		}
		start := len(b)
		b = append(b, m.name...)
		named := len(b)
		var there bool
		if b, there = m.of.print(b, field); !there {
			b = b[:start]
			continue
		}
		if m.hidden {
			b = append(b[:named], `"`+hidden+`"`...)
		}
		b = append(b, ',')
	}
	return append(bytes.TrimSuffix(b, []byte{','}), '}'), true
}

// list prints lists of a type, and bytes.
func (c compiler) list(t reflect.Type) print {
	switch {
	case t == reflect.TypeFor[json.RawMessage]():
		return func(b []byte, at unsafe.Pointer) ([]byte, bool) {
			text := *(*[]byte)(at)
			return append(b, text...), len(text) > 0
		}
	case t.Elem().Kind() == reflect.Uint8:
		return func(b []byte, at unsafe.Pointer) ([]byte, bool) {
			if *(*unsafe.Pointer)(at) == nil {
				return b, false
			}
			return append(base64.StdEncoding.AppendEncode(append(b, '"'), *(*[]byte)(at)), '"'), true
		}
	}
	elem, size := c.plan(t.Elem()), t.Elem().Size()
	return func(b []byte, at unsafe.Pointer) ([]byte, bool) {
		first := *(*unsafe.Pointer)(at)
		if first == nil {
			return b, false
		}
		b = append(b, '[')
		for i := range len(*(*[]struct{})(at)) {
			b = append(elem.appendOrNull(b, unsafe.Add(first, uintptr(i)*size)), ',')
		}
		return append(bytes.TrimSuffix(b, []byte{','}), ']'), true
	}
}

// entries prints maps of a type, by key.
func (c compiler) entries(t reflect.Type) print {
	elem := c.plan(t.Elem())
	return func(b []byte, at unsafe.Pointer) ([]byte, bool) {
		v := reflect.NewAt(t, at).Elem()
		if v.IsNil() {
			return b, false
		}
		keys := v.MapKeys()
		slices.SortFunc(keys, func(x, y reflect.Value) int { return strings.Compare(x.String(), y.String()) })
		value := reflect.New(t.Elem())
		b = append(b, '{')
		for _, k := range keys {
			value.Elem().Set(v.MapIndex(k))
			b = append(encode.AppendString(b, k.String()), ':')
			b = append(elem.appendOrNull(b, value.UnsafePointer()), ',')
		}
		return append(bytes.TrimSuffix(b, []byte{','}), '}'), true
	}
}

func (x *plan) appendOrNull(b []byte, at unsafe.Pointer) []byte {
	b, there := x.print(b, at)
	if !there {
		b = append(b, "null"...)
	}
	return b
}

// elements prints the parameters of a call and its answer, as members of its event.
// Bodies that are longer than theirs may be are not looked at.
func (p *printer) elements(b []byte, c *wire.Call) []byte {
	in, out := c.Input, c.Output
	if c.Read > 2*maxElements {
		in = nil
	}
	if c.Wrote > 2*maxElements || c.Code != "" || !answers(c.Service, c.Operation) {
		out = nil
	}
	b = p.appendElements(append(b, `,"requestParameters":`...), in)
	return p.appendElements(append(b, `,"responseElements":`...), out)
}

// appendElements prints an input or output as an event has it: names in lower camel
// case, and no secrets. What there is none of, or too much, is null.
func (p *printer) appendElements(b []byte, v any) []byte {
	if v == nil {
		return append(b, "null"...)
	}
	start := len(b)
	b, ok := p.append(b, reflect.ValueOf(v))
	if n := len(b) - start; !ok || n > maxElements || n == len("{}") {
		return append(b[:start], "null"...)
	}
	return b
}

// resources are what a call is about, as far as its input names it.
func (p *printer) resources(input any) (all []trail.Resource) {
	v := reflect.Indirect(reflect.ValueOf(input))
	if v.Kind() != reflect.Struct {
		return nil
	}
	for _, s := range p.plan(v.Type()).subjects {
		if f := reflect.Indirect(v.Field(s.index)); f.Kind() == reflect.String && f.Len() > 0 {
			all = append(all, trail.Resource{Type: s.kind, Name: f.String()})
		}
	}
	return all
}

// append prints a value; false: it is absent.
func (p *printer) append(b []byte, v reflect.Value) ([]byte, bool) {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return b, false
		}
		return p.plan(v.Type().Elem()).print(b, v.UnsafePointer())
	}
	in := reflect.New(v.Type())
	in.Elem().Set(v)
	return p.plan(v.Type()).print(b, in.UnsafePointer())
}

// sensitive reports whether the model says that a member must not be shown.
func sensitive(f reflect.StructField) bool {
	_, options, _ := strings.Cut(f.Tag.Get("aws"), ",")
	return slices.Contains(strings.Split(options, ","), "sensitive")
}

// camel is a name that begins with a lower-case letter, as vpcId, or with letters that
// belong together, as awsServiceName.
func camel(name string) string {
	r := []rune(name)
	for i := range r {
		if !unicode.IsUpper(r[i]) || i > 0 && i+1 < len(r) && !unicode.IsUpper(r[i+1]) {
			break
		}
		r[i] = unicode.ToLower(r[i])
	}
	return string(r)
}
