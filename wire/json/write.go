package json

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"neargate/wire/shape"
)

// Append appends the JSON form of the struct v points to. Members come in
// alphabetical order, absent ones are left out, empty lists and maps are not. Where the
// plan has a payload, that is its form alone, texts and bytes as they are.
func Append(b []byte, p *shape.Plan, v any) []byte {
	if p.Payload != nil {
		return appendPayload(b, p.Payload, p.Ref(v))
	}
	return appendStructure(b, p, p.Ref(v))
}

// appendPayload appends the member that is the whole body; nothing if it is absent.
func appendPayload(b []byte, m *shape.Member, r shape.Ref) []byte {
	v, ok := m.In(r)
	switch {
	case !ok:
		return b
	case m.Kind == shape.String:
		return append(b, v.String()...)
	case m.Kind == shape.Blob:
		return append(b, v.Bytes()...)
	}
	return appendValue(b, &m.Value, v)
}

// AppendError appends the JSON body of an error: __type, then the message unless
// it is empty or has no member, then the error's own members.
func AppendError(b []byte, e *shape.Error) []byte {
	return appendFields(b, append([]shape.Field{{Name: "__type", Value: e.Code}}, fields(e)...))
}

// AppendRestError is AppendError for restJson1, which has the code in a header.
func AppendRestError(b []byte, e *shape.Error) []byte { return appendFields(b, fields(e)) }

// fields are the members of an error, its message before its own.
func fields(e *shape.Error) []shape.Field {
	if e.Member == "" || e.Message == "" {
		return e.Fields
	}
	return append([]shape.Field{{Name: e.Member, Value: e.Message}}, e.Fields...)
}

func appendFields(b []byte, fields []shape.Field) []byte {
	b = append(b, '{')
	for i, f := range fields {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, f.Name)
		b = append(b, ':')
		b = appendDocument(b, f.Value)
	}
	return append(b, '}')
}

func appendStructure(b []byte, p *shape.Plan, r shape.Ref) []byte {
	form := p.Form(r)
	if form == nil {
		return appendMembers(b, p, r)
	}
	made := form.JSON()
	if made == nil {
		made = appendMembers(nil, p, r)
		form.KeepJSON(made)
	}
	return append(b, made...)
}

func appendMembers(b []byte, p *shape.Plan, r shape.Ref) []byte {
	b = append(b, '{')
	comma := false
	for _, m := range p.Sorted {
		v, ok := m.In(r)
		if !ok {
			continue
		}
		if comma {
			b = append(b, ',')
		}
		comma = true
		b = append(b, m.JSONKey...)
		b = appendValue(b, &m.Value, v)
	}
	return append(b, '}')
}

func appendValue(b []byte, t *shape.Value, v shape.Ref) []byte {
	switch t.Kind {
	case shape.String:
		return appendString(b, v.String())
	case shape.Bool:
		return strconv.AppendBool(b, v.Bool())
	case shape.Integer:
		return strconv.AppendInt(b, v.Int(t), 10)
	case shape.Float:
		f, bits := v.Float(t)
		return appendFloat(b, f, bits)
	case shape.Timestamp:
		return appendTime(b, t.Format, v.Time())
	case shape.Blob:
		b = append(b, '"')
		b = base64.StdEncoding.AppendEncode(b, v.Bytes())
		return append(b, '"')
	case shape.Structure:
		return appendStructure(b, t.Structure, v)
	case shape.List:
		return appendList(b, t, v)
	case shape.Map:
		return appendMap(b, t, v)
	}
	return appendDocument(b, v.Document())
}

func appendList(b []byte, t *shape.Value, v shape.Ref) []byte {
	b = append(b, '[')
	for i := range v.Len() {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendValue(b, t.Elem, v.Elem(t, i))
	}
	return append(b, ']')
}

// appendMap writes a map with its keys sorted, so that equal answers are equal bytes.
func appendMap(b []byte, t *shape.Value, v shape.Ref) []byte {
	b = append(b, '{')
	for i, p := range v.Pairs(t) {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, p.Key)
		b = append(b, ':')
		b = appendValue(b, t.Elem, p.Value)
	}
	return append(b, '}')
}

func appendFloat(b []byte, f float64, bits int) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		b = append(b, '"')
		b = shape.AppendDouble(b, f, bits)
		return append(b, '"')
	}
	return shape.AppendDouble(b, f, bits)
}

// appendTime writes a timestamp to the millisecond, by default as epoch seconds.
func appendTime(b []byte, format shape.TimeFormat, t time.Time) []byte {
	switch format {
	case shape.DateTime:
		return appendString(b, t.UTC().Format("2006-01-02T15:04:05.999Z"))
	case shape.HTTPDate:
		return appendString(b, t.UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT"))
	}
	return shape.AppendSeconds(b, t)
}

// appendDocument writes a value whose shape no model states. What encoding/json
// cannot write (a function, a cycle) is a mistake in the program and becomes null.
func appendDocument(b []byte, v any) []byte {
	if s, ok := v.(string); ok {
		return appendString(b, s)
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return append(b, "null"...)
	}
	return append(b, bytes.TrimSuffix(buf.Bytes(), []byte{'\n'})...)
}

const hexDigits = "0123456789abcdef"

// plain tells the bytes that stand for themselves in a JSON string.
func plain(c byte) bool { return c >= 0x20 && c != '"' && c != '\\' && c < utf8.RuneSelf }

// allPlain reports whether the first eight bytes of s are plain. It looks at them at
// once: in no byte may the high bit be set, nor get set by taking 0x20 from the byte, or
// 1 from its difference to a quote or backslash.
func allPlain(s string) bool {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	_ = s[7]
	x := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
	return (x|(x-0x20*ones)|((x^'"'*ones)-ones)|((x^'\\'*ones)-ones))&high == 0
}

// appendString writes a JSON string: control characters, quote and backslash
// escaped, invalid UTF-8 replaced by U+FFFD, everything else as it is.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	i := 0
	for len(s)-i >= 8 && allPlain(s[i:]) {
		i += 8
	}
	if n := len(s) - 8; n >= 0 && i > n && allPlain(s[n:]) { // all of the last eight, some again
		i = len(s)
	}
	for i < len(s) && plain(s[i]) {
		i++
	}
	b = append(b, s[:i]...)
	if i < len(s) {
		b = appendEscaped(b, s[i:])
	}
	return append(b, '"')
}

// appendEscaped writes what is inside the quotes.
func appendEscaped(b []byte, s string) []byte {
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if plain(c) {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				b = append(append(b, s[start:i]...), "\uFFFD"...)
				start = i + 1
			}
			i += size
			continue
		}
		b = append(b, s[start:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\b':
			b = append(b, '\\', 'b')
		case '\f':
			b = append(b, '\\', 'f')
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		start = i
	}
	return append(b, s[start:]...)
}
