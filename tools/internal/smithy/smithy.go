// Package smithy reads the Smithy JSON AST models of AWS services, the list of
// implemented operations and the overlay of facts the models lack.
package smithy

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
)

// The traits the generator reads. Pruned models carry no others.
const (
	APIService       = "aws.api#service"
	SigV4            = "aws.auth#sigv4"
	JSON10           = "aws.protocols#awsJson1_0"
	JSON11           = "aws.protocols#awsJson1_1"
	Query            = "aws.protocols#awsQuery"
	RestJSON         = "aws.protocols#restJson1"
	RestXML          = "aws.protocols#restXml"
	EC2Query         = "aws.protocols#ec2Query"
	QueryError       = "aws.protocols#awsQueryError"
	EC2QueryName     = "aws.protocols#ec2QueryName"
	EnumValue        = "smithy.api#enumValue"
	ErrorTrait       = "smithy.api#error"
	HTTPError        = "smithy.api#httpError"
	HTTP             = "smithy.api#http"
	HTTPHeader       = "smithy.api#httpHeader"
	HTTPLabel        = "smithy.api#httpLabel"
	HTTPPayload      = "smithy.api#httpPayload"
	HTTPQuery        = "smithy.api#httpQuery"
	HTTPQueryParams  = "smithy.api#httpQueryParams"
	HTTPResponseCode = "smithy.api#httpResponseCode"
	IdempotencyToken = "smithy.api#idempotencyToken"
	Length           = "smithy.api#length"
	Pattern          = "smithy.api#pattern"
	Range            = "smithy.api#range"
	Required         = "smithy.api#required"
	Sensitive        = "smithy.api#sensitive"
	Streaming        = "smithy.api#streaming"
	TimestampFormat  = "smithy.api#timestampFormat"
	XMLFlattened     = "smithy.api#xmlFlattened"
	XMLName          = "smithy.api#xmlName"
	XMLNamespace     = "smithy.api#xmlNamespace"

	// URIName is a label's name in the path where it is not the member's.
	URIName = "x.botocore#uriName"

	// Form is set by an overlay on structures that may keep the form they have in answers.
	Form = "neargate#form"
)

// Kept lists the traits that survive pruning.
var Kept = []string{
	APIService, SigV4, JSON10, JSON11, Query, EC2Query, RestJSON, RestXML, QueryError, EC2QueryName,
	HTTP, HTTPHeader, HTTPLabel, HTTPPayload, HTTPQuery, HTTPQueryParams, HTTPResponseCode, URIName,
	EnumValue, ErrorTrait, HTTPError, IdempotencyToken, Length, Pattern, Range,
	Required, Sensitive, Streaming, TimestampFormat, XMLFlattened, XMLName, XMLNamespace, Form,
}

// Unit is the shape of an operation without input or output.
const Unit = "smithy.api#Unit"

// Model is one service's shapes. Metadata.Operations names every operation of
// the full model, whether its shapes were kept or not.
type Model struct {
	Smithy   string            `json:"smithy"`
	Metadata Metadata          `json:"metadata"`
	Shapes   map[string]*Shape `json:"shapes"`
}

// Metadata is what a pruned model remembers of the full one.
type Metadata struct {
	Operations []string `json:"operations,omitempty"`
}

// Ref points at a shape by its id.
type Ref struct {
	Target string `json:"target"`
}

// Member is a member of a structure, union or enum, or the element of a list
// or map.
type Member struct {
	Target string `json:"target"`
	Traits Traits `json:"traits,omitempty"`
}

// Shape is any Smithy shape; which fields are set depends on Type.
type Shape struct {
	Type       string             `json:"type"`
	Version    string             `json:"version,omitempty"`
	Input      *Ref               `json:"input,omitempty"`
	Output     *Ref               `json:"output,omitempty"`
	Errors     []Ref              `json:"errors,omitempty"`
	Operations []Ref              `json:"operations,omitempty"`
	Key        *Member            `json:"key,omitempty"`
	Value      *Member            `json:"value,omitempty"`
	Member     *Member            `json:"member,omitempty"`
	Members    map[string]*Member `json:"members,omitempty"`
	Traits     Traits             `json:"traits,omitempty"`

	// Order puts these members before the others, which follow by name.
	Order []string `json:"-"`
}

// Names lists the members in wire order.
func (s *Shape) Names() []string {
	names := slices.Clone(s.Order)
	for _, n := range slices.Sorted(maps.Keys(s.Members)) {
		if !slices.Contains(s.Order, n) {
			names = append(names, n)
		}
	}
	return names
}

// Elements returns the members through which s refers to other shapes.
func (s *Shape) Elements() []*Member {
	var all []*Member
	for _, n := range s.Names() {
		all = append(all, s.Members[n])
	}
	for _, m := range []*Member{s.Member, s.Key, s.Value} {
		if m != nil {
			all = append(all, m)
		}
	}
	return all
}

// Traits maps trait ids to their values.
type Traits map[string]json.RawMessage

// Has reports whether the trait is present.
func (t Traits) Has(id string) bool { return t[id] != nil }

// String returns the trait's string value, "" without the trait.
func (t Traits) String(id string) string {
	var s string
	t.decode(id, &s)
	return s
}

// Int returns the trait's integer value, 0 without the trait.
func (t Traits) Int(id string) int {
	var n int
	t.decode(id, &n)
	return n
}

// IntField returns an integer member of the trait's structure, 0 if absent.
func (t Traits) IntField(id, name string) int {
	n, _ := strconv.Atoi(t.Field(id, name))
	return n
}

// Field returns a string or number member of the trait's structure, "" if absent.
func (t Traits) Field(id, name string) string {
	m := map[string]json.RawMessage{}
	t.decode(id, &m)
	raw := string(m[name])
	if s, err := strconv.Unquote(raw); err == nil {
		return s
	}
	return raw
}

// decode leaves v as it is when the trait is absent. A trait of another form
// than its definition is a broken model, which no caller can mend.
func (t Traits) decode(id string, v any) {
	if !t.Has(id) {
		return
	}
	if err := json.Unmarshal(t[id], v); err != nil {
		panic(fmt.Sprintf("trait %s: %v", id, err))
	}
}

// Read reads a model from a file.
func Read(path string) (*Model, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	m := new(Model)
	if err := json.Unmarshal(data, m); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// Shape returns the shape of an id; ids of Smithy's prelude name their type.
// A dangling id gives nil.
func (m *Model) Shape(id string) *Shape {
	if s := m.Shapes[id]; s != nil {
		return s
	}
	if name, ok := strings.CutPrefix(id, "smithy.api#"); ok {
		if name == "Unit" {
			return &Shape{Type: "structure"}
		}
		return &Shape{Type: strings.ToLower(strings.TrimPrefix(name, "Primitive"))}
	}
	return nil
}

// Service returns the model's service shape and the prefix of its shape ids
// ("com.amazonaws.ecs#").
func (m *Model) Service() (*Shape, string, error) {
	for id, s := range m.Shapes {
		if s.Type == "service" {
			return s, id[:strings.Index(id, "#")+1], nil
		}
	}
	return nil, "", fmt.Errorf("model has no service")
}

// ID is the folder of a service under aws/: its SigV4 name without hyphens.
func ID(service *Shape) string {
	return strings.ReplaceAll(service.Traits.Field(SigV4, "name"), "-", "")
}

// Name is a shape id without its namespace.
func Name(id string) string { return id[strings.Index(id, "#")+1:] }

// Walk calls visit once for each shape reachable from the ids, ids included,
// and fails on a dangling one. Prelude shapes are not visited.
func (m *Model) Walk(ids []string, visit func(id string, s *Shape)) error {
	seen := map[string]bool{}
	for todo := slices.Clone(ids); len(todo) > 0; {
		id := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		s := m.Shapes[id]
		if seen[id] || s == nil && m.Shape(id) != nil {
			continue
		}
		if s == nil {
			return fmt.Errorf("no shape %s", id)
		}
		seen[id] = true
		visit(id, s)
		for _, e := range s.Elements() {
			todo = append(todo, e.Target)
		}
	}
	return nil
}

// Roots lists the shapes an operation refers to: input, output, errors.
func (s *Shape) Roots() []string {
	var ids []string
	for _, r := range append([]Ref{*orUnit(s.Input), *orUnit(s.Output)}, s.Errors...) {
		ids = append(ids, r.Target)
	}
	return ids
}

func orUnit(r *Ref) *Ref {
	if r == nil {
		return &Ref{Target: Unit}
	}
	return r
}

// ReadOperations reads a list of "service:Operation" lines into operation
// names by service, sorted. Empty lines and lines starting with # are skipped.
func ReadOperations(path string) (map[string][]string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	ops := map[string][]string{}
	for i, line := range strings.Split(string(data), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		service, op, ok := strings.Cut(line, ":")
		if !ok || slices.Contains(ops[service], op) {
			return nil, fmt.Errorf("%s:%d: want service:Operation, once: %q", path, i+1, line)
		}
		ops[service] = append(ops[service], op)
	}
	for _, names := range ops {
		slices.Sort(names)
	}
	return ops, nil
}
