package main

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"neargate/tools/internal/smithy"
)

var goTypes = map[string]string{
	"string": "string", "enum": "string", "boolean": "bool",
	"integer": "int32", "long": "int64",
	"float": "float32", "double": "float64", "timestamp": "time.Time",
}

// goType is the Go type of a value of a shape, as an element of a list or map.
func (s *service) goType(id string) (string, error) {
	shape := s.model.Shape(id)
	switch {
	case shape == nil:
		return "", fmt.Errorf("no shape %s", id)
	case goTypes[shape.Type] != "":
		return goTypes[shape.Type], nil
	case shape.Type == "structure", shape.Type == "union" && !shape.Traits.Has(smithy.Streaming):
		return upper(smithy.Name(id)), nil
	case shape.Type == "blob" && !shape.Traits.Has(smithy.Streaming):
		return "[]byte", nil
	case shape.Type == "document":
		return "json.RawMessage", nil
	case shape.Type == "list":
		t, err := s.goType(shape.Member.Target)
		return "[]" + t, err
	case shape.Type == "map":
		t, err := s.goType(shape.Value.Target)
		return "map[string]" + t, err
	}
	return "", fmt.Errorf("%s: no Go type for a %s", id, shape.Type)
}

// fieldType is the Go type of a member, which can be absent.
func (s *service) fieldType(id string) (string, error) {
	if s.isStream(id) {
		return "iter.Seq2[*" + upper(smithy.Name(id)) + ", error]", nil
	}
	t, err := s.goType(id)
	if err == nil && t[0] != '[' && !strings.HasPrefix(t, "map[") && t != "json.RawMessage" {
		t = "*" + t
	}
	return t, err
}

// isStream reports whether a shape is a stream of events.
func (s *service) isStream(id string) bool {
	shape := s.model.Shape(id)
	return shape != nil && shape.Type == "union" && shape.Traits.Has(smithy.Streaming)
}

// isError reports whether a shape is an error. As a member of a stream of events
// it ends the stream, and the generated type does not have it.
func (s *service) isError(id string) bool {
	shape := s.model.Shape(id)
	return shape != nil && shape.Traits.Has(smithy.ErrorTrait)
}

// tag is one key of a struct tag.
type tag struct{ key, value string }

// fieldTag is the Go literal of a member's struct tag, as package shape
// documents it. Constraints and form names are left out of what clients never
// send, XML names out of what they never receive.
func (s *service) fieldTag(name string, m *smithy.Member, t structType) (string, error) {
	shape := s.model.Shape(m.Target)
	options := []string{name}
	if t.in && m.Traits.Has(smithy.Required) {
		options = append(options, "required")
	}
	options = append(options, s.options(m, t.in)...)
	options = append(options, s.throughout(m)...)
	if t.in && m.Traits.Has(smithy.IdempotencyToken) {
		options = append(options, "idem")
	}
	if s.xml && m.Traits.Has(smithy.XMLFlattened) {
		options = append(options, "flat")
	}
	tags := []tag{{"aws", strings.Join(options, ",")}}
	if t.in {
		tags = append(tags, tag{"pattern", s.pattern(m)})
	}
	for _, e := range []struct {
		key    string
		member *smithy.Member
	}{{"each", shape.Member}, {"each", shape.Value}, {"key", shape.Key}} {
		if e.member == nil {
			continue
		}
		tags = append(tags, tag{e.key, strings.Join(s.options(e.member, t.in), ",")})
		if t.in {
			tags = append(tags, tag{e.key + "pattern", s.pattern(e.member)})
		}
	}
	tags = append(tags, s.names(name, m, t)...)
	return quote(tags), s.expressible(m, t.in)
}

// options are the parts of an aws, each or key tag that come from a member's
// target.
func (s *service) options(m *smithy.Member, in bool) []string {
	var options []string
	shape := s.model.Shape(m.Target)
	if in {
		if v := bounds(m, shape, smithy.Length); v != "" {
			options = append(options, "len="+v)
		}
		if v := bounds(m, shape, smithy.Range); v != "" {
			options = append(options, "range="+v)
		}
		if shape.Type == "enum" {
			options = append(options, "enum="+strings.Join(enumValues(shape), "|"))
		}
	}
	switch {
	case s.isStream(m.Target):
		options = append(options, "stream")
	case shape.Type == "union":
		options = append(options, "union")
	}
	return options
}

// throughout are the options that hold for a member and for all elements of
// its collections, whichever of them the model marks.
func (s *service) throughout(m *smithy.Member) []string {
	var sensitive bool
	var format string
	for m != nil {
		shape := s.model.Shape(m.Target)
		sensitive = sensitive || m.Traits.Has(smithy.Sensitive) || shape.Traits.Has(smithy.Sensitive)
		format += pick(m, shape, smithy.TimestampFormat).String(smithy.TimestampFormat)
		m = shape.Member
		if m == nil {
			m = shape.Value
		}
	}
	var options []string
	if sensitive {
		options = append(options, "sensitive")
	}
	if format != "" {
		options = append(options, "ts="+format)
	}
	return options
}

// pick returns the traits that hold the trait: the member's before its target's.
func pick(m *smithy.Member, shape *smithy.Shape, trait string) smithy.Traits {
	if m.Traits.Has(trait) {
		return m.Traits
	}
	return shape.Traits
}

// bounds is "MIN:MAX" with either side left empty where there is no bound.
func bounds(m *smithy.Member, shape *smithy.Shape, trait string) string {
	traits := pick(m, shape, trait)
	if !traits.Has(trait) {
		return ""
	}
	return traits.Field(trait, "min") + ":" + traits.Field(trait, "max")
}

func enumValues(shape *smithy.Shape) []string {
	var values []string
	for _, name := range shape.Names() {
		v := shape.Members[name].Traits.String(smithy.EnumValue)
		if v == "" {
			v = name
		}
		values = append(values, v)
	}
	slices.Sort(values)
	return values
}

// pattern is the text of a member's pattern, "" without one. It stays as the
// model has it, because AWS's messages quote it.
func (s *service) pattern(m *smithy.Member) string {
	return pick(m, s.model.Shape(m.Target), smithy.Pattern).String(smithy.Pattern)
}

// codePoint matches what Go writes as \x{FFFF}.
var codePoint = regexp.MustCompile(`\\u([0-9A-Fa-f]{4})`)

// expressible refuses constraints that tags or codecs cannot carry: patterns
// that Go has no form of, enum values that hold a separator, and constraints on the
// elements of a collection in a collection.
func (s *service) expressible(m *smithy.Member, in bool) error {
	if !in {
		return nil
	}
	if s.isStream(m.Target) {
		return fmt.Errorf("%s: requests cannot carry a stream of events", m.Target)
	}
	shape := s.model.Shape(m.Target)
	if _, err := regexp.Compile(codePoint.ReplaceAllString(s.pattern(m), `\x{$1}`)); err != nil {
		return fmt.Errorf("%w: correct it in the overlay", err)
	}
	if shape.Type == "enum" && strings.ContainsAny(strings.Join(enumValues(shape), ""), ",|") {
		return fmt.Errorf("%s has a separator in a value", m.Target)
	}
	for _, e := range []*smithy.Member{shape.Member, shape.Key, shape.Value} {
		if e == nil {
			continue
		}
		if err := s.expressible(e, in); err != nil {
			return err
		}
		inner := s.model.Shape(e.Target)
		for _, deep := range []*smithy.Member{inner.Member, inner.Key, inner.Value} {
			if deep != nil && (len(s.options(deep, in)) > 0 || s.pattern(deep) != "") {
				return fmt.Errorf("%s has constraints on its elements and stands in a collection", e.Target)
			}
		}
	}
	return nil
}

// names are the tags for names in forms and XML that differ from the member's.
func (s *service) names(name string, m *smithy.Member, t structType) []tag {
	if s.rest {
		return s.places(name, m)
	}
	if !s.query {
		return nil
	}
	xml := m.Traits.String(smithy.XMLName)
	form := xml
	if s.isEC2() {
		form = m.Traits.String(smithy.EC2QueryName)
		if form == "" && xml != "" {
			form = upper(xml)
		}
		if form == "" {
			form = upper(name)
		}
	}
	var tags []tag
	if t.in && form != name {
		tags = append(tags, tag{"form", form})
	}
	if t.out && xml != name {
		tags = append(tags, tag{"xml", xml})
	}
	element := s.model.Shape(m.Target).Member
	if element == nil || s.isEC2() && !t.out {
		return tags // EC2's requests have no element names
	}
	if item := element.Traits.String(smithy.XMLName); item != "member" {
		tags = append(tags, tag{"item", item})
	}
	return tags
}

// places are the tags of a member in a message of HTTP.
func (s *service) places(name string, m *smithy.Member) []tag {
	for _, p := range []struct{ trait, place string }{{smithy.HTTPQuery, "query="}, {smithy.HTTPHeader, "header="}} {
		if m.Traits.Has(p.trait) {
			return []tag{{"http", p.place + m.Traits.String(p.trait)}}
		}
	}
	if m.Traits.Has(smithy.HTTPLabel) {
		if uri := m.Traits.String(smithy.URIName); uri != "" {
			name = uri
		}
		return []tag{{"http", "label=" + name}}
	}
	for _, p := range []struct{ trait, place string }{
		{smithy.HTTPQueryParams, "params"}, {smithy.HTTPPayload, "payload"}, {smithy.HTTPResponseCode, "status"},
	} {
		if m.Traits.Has(p.trait) {
			return []tag{{"http", p.place}}
		}
	}
	if !s.xml {
		return nil
	}
	var tags []tag
	if xml := m.Traits.String(smithy.XMLName); xml != name {
		tags = append(tags, tag{"xml", xml})
	}
	if element := s.model.Shape(m.Target).Member; element != nil {
		if item := element.Traits.String(smithy.XMLName); item != "member" {
			tags = append(tags, tag{"item", item})
		}
	}
	return tags
}

// quote writes the tags that have a value as a Go string literal.
func quote(tags []tag) string {
	var parts []string
	for _, t := range tags {
		if t.value != "" {
			parts = append(parts, t.key+":"+strconv.Quote(t.value))
		}
	}
	text := strings.Join(parts, " ")
	if strconv.CanBackquote(text) {
		return "`" + text + "`"
	}
	return strconv.Quote(text)
}
