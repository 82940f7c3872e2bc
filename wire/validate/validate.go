// Package validate checks a decoded request against what the model states of it
// (required members, lengths, ranges, patterns, enums) and words the result as
// the service in question does.
package validate

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"neargate/wire/shape"
)

// Rule is a kind of constraint.
type Rule uint8

// The rules, in the order in which a value is checked.
const (
	Required Rule = iota
	Enum
	MaxLength
	MinLength
	MaxValue
	MinValue
	Pattern
	Element // one of the others, broken by a list's elements or a map's keys or values
)

// Violation is one constraint that a request breaks.
type Violation struct {
	Rule      Rule
	Path      string // as AWS's framework writes it: tags.1.member.key
	Parameter string // EC2's name of the member alone: groupName
	Bound     string // the bound of a length or range rule
	Value     string // the value as AWS echoes it; "" if sensitive or missing
	Sensitive bool   // the value must not be echoed
	Text      string // the constraint in AWS's words: Member must not be null
}

// Check returns what in, a pointer to a struct described by p, breaks: in the
// model's order, nil if nothing.
func Check(p *shape.Plan, in any) []Violation {
	var c checker
	c.structure(nil, p, p.Ref(in))
	return c.found
}

type checker struct{ found []Violation }

// place leads to a value in a request; nil to the request itself. Most requests break
// nothing, so it is written out only for what does. That of a list's elements is one,
// which goes from element to element.
type place struct {
	above *place
	name  string // of a member
	entry string // of a list or map
	index int    // of a list, counted from 1
}

// path writes the way to a member at the place as AWS's framework does.
func (at *place) path(m *shape.Member) string {
	if at == nil {
		return small(m.Name)
	}
	return at.String() + "." + small(m.Name)
}

func (at *place) String() string {
	way := ""
	if at.above != nil {
		way = at.above.String() + "."
	}
	switch {
	case at.name != "":
		return way + small(at.name)
	case at.index > 0:
		return way + strconv.Itoa(at.index) + ".member"
	}
	return way + at.entry + ".member"
}

func (c *checker) structure(at *place, p *shape.Plan, r shape.Ref) {
	for _, m := range p.Members {
		f, ok := m.In(r)
		if !ok {
			if m.Required && !m.Token {
				c.found = append(c.found, Violation{Rule: Required, Path: at.path(m),
					Parameter: small(m.EC2), Text: "Member must not be null"})
			}
			continue
		}
		if !m.Rules.None() || !m.Each.None() || !m.Key.None() {
			v := f.Reflect(&m.Value)
			c.rules(at, m, v)
			c.elements(at, m, v)
		}
		if holdsStructures(&m.Value) {
			c.inside(&place{above: at, name: m.Name}, &m.Value, f)
		}
	}
}

func holdsStructures(t *shape.Value) bool {
	for t.Elem != nil {
		t = t.Elem
	}
	return t.Kind == shape.Structure
}

// inside checks the structures in a value, whose own rules are checked already.
func (c *checker) inside(at *place, t *shape.Value, r shape.Ref) {
	switch t.Kind {
	case shape.Structure:
		c.structure(at, t.Structure, r)
	case shape.List:
		n := r.Len()
		if n == 0 {
			return
		}
		elem := &place{above: at}
		for i := range n {
			elem.index = i + 1
			c.inside(elem, t.Elem, r.Elem(t, i))
		}
	case shape.Map:
		for _, p := range r.Pairs(t) {
			c.inside(&place{above: at, entry: p.Key}, t.Elem, p.Value)
		}
	}
}

// elements checks the elements of a list, or the keys and values of a map, each
// kind as one: AWS names the whole list and all rules when any element breaks any.
func (c *checker) elements(at *place, m *shape.Member, f reflect.Value) {
	var keys, values bool
	switch {
	case m.Kind == shape.List && !m.Each.None():
		for i := 0; i < f.Len() && !values; i++ {
			values = broken(&m.Each, f.Index(i)) != nil
		}
	case m.Kind == shape.Map && !(m.Key.None() && m.Each.None()):
		for it := f.MapRange(); it.Next(); {
			keys = keys || broken(&m.Key, it.Key()) != nil
			values = values || broken(&m.Each, it.Value()) != nil
		}
	}
	if keys {
		c.add(at, m, f, Element, "", "Map keys must satisfy constraint: ["+strings.Join(texts(&m.Key), ", ")+"]")
	}
	switch {
	case values && m.Kind == shape.List:
		c.add(at, m, f, Element, "", "Member must satisfy constraint: ["+strings.Join(texts(&m.Each), ", ")+"]")
	case values:
		c.add(at, m, f, Element, "", "Map value must satisfy constraint: ["+strings.Join(texts(&m.Each), ", ")+"]")
	}
}

func (c *checker) rules(at *place, m *shape.Member, v reflect.Value) {
	for _, rule := range broken(&m.Rules, v) {
		text, bound := wording(&m.Rules, rule)
		c.add(at, m, v, rule, bound, text)
	}
}

func (c *checker) add(at *place, m *shape.Member, v reflect.Value, rule Rule, bound, text string) {
	violation := Violation{Rule: rule, Path: at.path(m), Parameter: small(m.EC2),
		Bound: bound, Text: text, Sensitive: m.Sensitive}
	if !m.Sensitive {
		violation.Value = echo(&m.Value, v)
	}
	c.found = append(c.found, violation)
}

// broken returns the rules that v, not a pointer, breaks.
func broken(r *shape.Rules, v reflect.Value) (rules []Rule) {
	test := func(rule Rule, ok bool) {
		if !ok {
			rules = append(rules, rule)
		}
	}
	switch v.Kind() {
	case reflect.String:
		s := v.String()
		test(Enum, r.Enum == nil || slices.Contains(r.Enum, s))
		if r.MaxLen >= 0 || r.MinLen > 0 {
			n := utf8.RuneCountInString(s)
			test(MaxLength, r.MaxLen < 0 || n <= r.MaxLen)
			test(MinLength, n >= r.MinLen)
		}
		test(Pattern, r.Pattern == nil || r.Pattern.Match(s))
	case reflect.Slice, reflect.Map:
		test(MaxLength, r.MaxLen < 0 || v.Len() <= r.MaxLen)
		test(MinLength, v.Len() >= r.MinLen)
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		test(MaxValue, !r.HasMax || float64(v.Int()) <= r.Max)
		test(MinValue, !r.HasMin || float64(v.Int()) >= r.Min)
	case reflect.Float32, reflect.Float64:
		test(MaxValue, !r.HasMax || v.Float() <= r.Max)
		test(MinValue, !r.HasMin || v.Float() >= r.Min)
	}
	return rules
}

// wording is AWS's sentence for a rule, and the bound in it.
func wording(r *shape.Rules, rule Rule) (text, bound string) {
	switch rule {
	case Enum:
		return "Member must satisfy enum value set: [" + strings.Join(r.Enum, ", ") + "]", ""
	case MaxLength:
		bound = strconv.Itoa(r.MaxLen)
		return "Member must have length less than or equal to " + bound, bound
	case MinLength:
		bound = strconv.Itoa(r.MinLen)
		return "Member must have length greater than or equal to " + bound, bound
	case MaxValue:
		bound = strconv.FormatFloat(r.Max, 'f', -1, 64)
		return "Member must have value less than or equal to " + bound, bound
	case MinValue:
		bound = strconv.FormatFloat(r.Min, 'f', -1, 64)
		return "Member must have value greater than or equal to " + bound, bound
	}
	return "Member must satisfy regular expression pattern: " + r.Pattern.Text, ""
}

// texts are the sentences of all rules there are in r.
func texts(r *shape.Rules) []string {
	var out []string
	add := func(rule Rule, has bool) {
		if has {
			text, _ := wording(r, rule)
			out = append(out, text)
		}
	}
	add(MaxLength, r.MaxLen >= 0)
	add(MinLength, r.MaxLen >= 0 || r.MinLen > 0)
	add(MaxValue, r.HasMax)
	add(MinValue, r.HasMin)
	add(Pattern, r.Pattern != nil)
	add(Enum, r.Enum != nil)
	return out
}

// small lower-cases the first letter, as AWS's framework does with member names.
func small(name string) string {
	if name == "" {
		return ""
	}
	return strings.ToLower(name[:1]) + name[1:]
}

func sortedKeys(m reflect.Value) []reflect.Value {
	keys := m.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	return keys
}

// echo writes a value the way AWS's framework repeats it: Java's toString, with
// what is sensitive left out.
func echo(t *shape.Value, v reflect.Value) string {
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	switch t.Kind {
	case shape.String:
		return v.String()
	case shape.Timestamp:
		return shape.TimeOf(v).UTC().Format(time.RFC3339Nano)
	case shape.Float:
		return string(shape.AppendDouble(nil, v.Float(), v.Type().Bits()))
	case shape.List:
		parts := make([]string, v.Len())
		for i := range parts {
			parts[i] = echo(t.Elem, v.Index(i))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case shape.Map:
		var parts []string
		for _, k := range sortedKeys(v) {
			parts = append(parts, k.String()+"="+echo(t.Elem, v.MapIndex(k)))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case shape.Structure:
		var parts []string
		for _, m := range t.Structure.Members {
			f := v.Field(m.Index)
			switch {
			case m.Absent(f):
			case m.Sensitive:
				parts = append(parts, small(m.Name)+"=*** Sensitive Data Redacted ***")
			default:
				parts = append(parts, small(m.Name)+"="+echo(&m.Value, f))
			}
		}
		return t.Type.Name() + "(" + strings.Join(parts, ", ") + ")"
	}
	return fmt.Sprint(v.Interface())
}
