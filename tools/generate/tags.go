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
	"byte": "int32", "short": "int32", "integer": "int32", "intEnum": "int32", "long": "int64",
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
	t, err := s.goType(id)
	if err == nil && t[0] != '[' && !strings.HasPrefix(t, "map[") && t != "json.RawMessage" {
		t = "*" + t
	}
	return t, err
}

// tag is one key of a struct tag.
type tag struct{ key, value string }

// fieldTag is the Go literal of a member's struct tag, as package shape
// documents it. Constraints are left out of what clients never send.
func (s *service) fieldTag(name string, m *smithy.Member, in bool) (string, error) {
	shape := s.model.Shape(m.Target)
	var options []string
	if in && m.Traits.Has(smithy.Required) {
		options = append(options, "required")
	}
	options = append(options, s.options(m, in)...)
	if m.Traits.Has(smithy.IdempotencyToken) && in {
		options = append(options, "idem")
	}
	if m.Traits.Has(smithy.XMLFlattened) && s.query {
		options = append(options, "flat")
	}
	tags := []tag{{"aws", strings.Join(append([]string{name}, options...), ",")}}
	tags = append(tags, s.patterns("", m, in)...)
	for _, e := range []struct {
		key    string
		member *smithy.Member
	}{{"each", shape.Member}, {"each", shape.Value}, {"key", shape.Key}} {
		if e.member == nil {
			continue
		}
		tags = append(tags, tag{e.key, strings.Join(s.options(e.member, in), ",")})
		tags = append(tags, s.patterns(e.key, e.member, in)...)
		if err := s.checkDepth(e.member, in); err != nil {
			return "", err
		}
	}
	tags = append(tags, s.names(name, m, shape)...)
	return quote(tags)
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
	if m.Traits.Has(smithy.Sensitive) || shape.Traits.Has(smithy.Sensitive) {
		options = append(options, "sensitive")
	}
	if v := pick(m, shape, smithy.TimestampFormat).String(smithy.TimestampFormat); v != "" {
		options = append(options, "ts="+v)
	}
	if shape.Type == "union" {
		options = append(options, "union")
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

// patterns are the pattern tags of a member. The model's text stays as it is,
// because AWS's messages quote it; where Go reads it differently, a second tag
// holds the same expression in Go's syntax.
func (s *service) patterns(prefix string, m *smithy.Member, in bool) []tag {
	p := pick(m, s.model.Shape(m.Target), smithy.Pattern).String(smithy.Pattern)
	if p == "" || !in {
		return nil
	}
	tags := []tag{{prefix + "pattern", p}}
	if goPattern := codePoint.ReplaceAllString(p, `\x{$1}`); goPattern != p {
		tags = append(tags, tag{prefix + "re2", goPattern})
	}
	return tags
}

var codePoint = regexp.MustCompile(`\\u([0-9A-Fa-f]{4})`)

// checkDepth refuses constraints of a list in a list, which no tag can carry.
func (s *service) checkDepth(m *smithy.Member, in bool) error {
	shape := s.model.Shape(m.Target)
	for _, inner := range []*smithy.Member{shape.Member, shape.Key, shape.Value} {
		if inner == nil || shape.Members != nil {
			continue
		}
		if len(s.options(inner, in)) > 0 || len(s.patterns("", inner, in)) > 0 {
			return fmt.Errorf("%s: constraints of a nested collection", m.Target)
		}
	}
	return nil
}

// names are the tags for names in forms and XML that differ from the member's.
func (s *service) names(name string, m *smithy.Member, shape *smithy.Shape) []tag {
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
	tags := []tag{{"form", form}, {"xml", xml}}
	for i := range tags {
		if tags[i].value == name {
			tags[i].value = ""
		}
	}
	if shape.Member != nil && shape.Member.Traits.String(smithy.XMLName) != "member" {
		tags = append(tags, tag{"item", shape.Member.Traits.String(smithy.XMLName)})
	}
	return tags
}

// quote writes the tags that have a value as a Go string literal, after
// checking that the patterns are ones that Go compiles and that the options
// hold no separator of their own.
func quote(tags []tag) (string, error) {
	var parts []string
	for _, t := range tags {
		if t.value == "" {
			continue
		}
		if err := checkTag(tags, t); err != nil {
			return "", err
		}
		parts = append(parts, t.key+":"+strconv.Quote(t.value))
	}
	text := strings.Join(parts, " ")
	if strconv.CanBackquote(text) {
		return "`" + text + "`", nil
	}
	return strconv.Quote(text), nil
}

func checkTag(tags []tag, t tag) error {
	base, isPattern := strings.CutSuffix(t.key, "pattern")
	hasRE2 := slices.ContainsFunc(tags, func(o tag) bool { return o.key == base+"re2" })
	if isPattern && !hasRE2 || strings.HasSuffix(t.key, "re2") {
		if _, err := regexp.Compile(t.value); err != nil {
			return fmt.Errorf("%w: give it in the overlay", err)
		}
	}
	return nil
}
