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

	"neargate/resource/trail"
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
type printer struct{ plans sync.Map } // *plan by reflect.Type, of structures

// plan is how a structure is printed.
type plan struct {
	members  []member
	subjects []subject
}

type member struct {
	index    int
	name     string // quoted, with a colon
	hidden   bool
	optional bool // absent when empty
}

// subject is a member that names a resource.
type subject struct {
	index int
	kind  string
}

// plan is that of a structure. A name is the one of its tag for JSON, else the member's
// in lower camel case.
func (p *printer) plan(t reflect.Type) *plan {
	if x, ok := p.plans.Load(t); ok {
		return x.(*plan)
	}
	x := &plan{}
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() || f.Type == reflect.TypeFor[*shape.Form]() {
			continue
		}
		name, options, tagged := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" {
			name = camel(f.Name)
		}
		x.members = append(x.members, member{
			index: i, name: strconv.Quote(name) + ":", optional: tagged && options == "omitempty",
			hidden: slices.Contains(secret, f.Name) || slices.Contains(valued[t.Name()], f.Name) || sensitive(f),
		})
	}
	for _, of := range types {
		if f, ok := t.FieldByName(of.member); ok && len(f.Index) == 1 {
			x.subjects = append(x.subjects, subject{f.Index[0], of.kind})
		}
	}
	p.plans.Store(t, x)
	return x
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
		v = v.Elem()
	}
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return appendText(b, date(v.Interface().(time.Time))), true
		}
		return p.appendMembers(b, v), true
	case reflect.Slice:
		return p.appendItems(b, v)
	case reflect.Map:
		return p.appendEntries(b, v)
	case reflect.String:
		return appendText(b, v.String()), true
	case reflect.Bool:
		return strconv.AppendBool(b, v.Bool()), true
	case reflect.Int32, reflect.Int64, reflect.Int:
		return strconv.AppendInt(b, v.Int(), 10), true
	case reflect.Float32, reflect.Float64:
		if f := v.Float(); math.IsNaN(f) || math.IsInf(f, 0) {
			return appendText(b, strconv.FormatFloat(f, 'g', -1, 64)), true
		}
		return strconv.AppendFloat(b, v.Float(), 'g', -1, v.Type().Bits()), true
	}
	return b, false // streams and functions
}

func (p *printer) appendMembers(b []byte, v reflect.Value) []byte {
	b = append(b, '{')
	for _, m := range p.plan(v.Type()).members {
		f := v.Field(m.index)
		if m.optional && f.IsZero() {
			continue
		}
		start := len(b)
		b = append(b, m.name...)
		named := len(b)
		var there bool
		if b, there = p.append(b, f); !there {
			b = b[:start]
			continue
		}
		if m.hidden {
			b = appendText(b[:named], hidden)
		}
		b = append(b, ',')
	}
	return append(bytes.TrimSuffix(b, []byte{','}), '}')
}

// sensitive reports whether the model says that a member must not be shown.
func sensitive(f reflect.StructField) bool {
	_, options, _ := strings.Cut(f.Tag.Get("aws"), ",")
	return slices.Contains(strings.Split(options, ","), "sensitive")
}

func (p *printer) appendItems(b []byte, v reflect.Value) ([]byte, bool) {
	if v.IsNil() {
		return b, false
	}
	if v.Type().Elem().Kind() == reflect.Uint8 {
		if v.Type() == reflect.TypeFor[json.RawMessage]() {
			return append(b, v.Bytes()...), v.Len() > 0
		}
		b = base64.StdEncoding.AppendEncode(append(b, '"'), v.Bytes())
		return append(b, '"'), true
	}
	b = append(b, '[')
	for i := range v.Len() {
		b = append(p.appendOrNull(b, v.Index(i)), ',')
	}
	return append(bytes.TrimSuffix(b, []byte{','}), ']'), true
}

func (p *printer) appendEntries(b []byte, v reflect.Value) ([]byte, bool) {
	if v.IsNil() {
		return b, false
	}
	keys := v.MapKeys()
	slices.SortFunc(keys, func(x, y reflect.Value) int { return strings.Compare(x.String(), y.String()) })
	b = append(b, '{')
	for _, k := range keys {
		b = append(appendText(b, k.String()), ':')
		b = append(p.appendOrNull(b, v.MapIndex(k)), ',')
	}
	return append(bytes.TrimSuffix(b, []byte{','}), '}'), true
}

func (p *printer) appendOrNull(b []byte, v reflect.Value) []byte {
	b, there := p.append(b, v)
	if !there {
		b = append(b, "null"...)
	}
	return b
}

// appendText prints a text as encoding/json does.
func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || special>>(c-' ')&1 != 0 {
			quoted, _ := json.Marshal(s) // of a text that cannot fail
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

// special has a bit for each character from ' ' on that is not printed as it is.
const special = uint64(1)<<('"'-' ') | 1<<('&'-' ') | 1<<('<'-' ') | 1<<('>'-' ') | 1<<('\\'-' ')

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
