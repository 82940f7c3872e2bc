// Package policy is the IAM policy language: it parses policy documents, says
// what is wrong with them in AWS's words, and evaluates them. It is pure: no
// store, no clock, no identities.
//
// Source: AWS IAM User Guide, "IAM JSON policy reference" and "Policy
// evaluation logic".
package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// The versions of the policy language.
const (
	version2008 = "2008-10-17"
	version2012 = "2012-10-17"
)

// ErrSyntax reports a text that is no policy document.
var ErrSyntax = errors.New("policy: syntax error")

// Document is a parsed policy.
type Document struct {
	Version    string // "" when the text has none
	Statements []Statement
	text       string
}

// Statement is one statement of a policy.
type Statement struct {
	SID           string
	Deny          bool
	Actions       []string
	NotAction     bool // Actions are those left out
	Resources     []string
	NotResource   bool // Resources are those left out
	Principals    []Principal
	NotPrincipal  bool // Principals are those left out
	conditions    []condition
	principalSeen bool
	variables     bool      // whether ${…} is expanded
	actions       []pattern // Actions
	resources     []pattern // Resources
	start, end    int       // offsets in the document's text
}

// Principal is an element of a Principal block.
type Principal struct {
	Type string // AWS, Service, Federated, CanonicalUser
	ID   string
}

// Parse reads a policy document. It accepts whatever the language allows;
// Check says whether a kind of policy may contain it.
func Parse(text string) (*Document, error) {
	members, err := object([]byte(text))
	if err != nil {
		return nil, err
	}
	doc := &Document{text: text}
	for _, m := range members {
		switch m.name {
		case "Version":
			err = json.Unmarshal(m.value, &doc.Version)
			if err == nil && doc.Version != version2008 && doc.Version != version2012 {
				err = ErrSyntax
			}
		case "Id":
			var id string
			err = json.Unmarshal(m.value, &id)
		case "Statement":
			doc.Statements, err = statements(m)
		default:
			err = ErrSyntax
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %s", ErrSyntax, m.name)
		}
	}
	if len(doc.Statements) == 0 {
		return nil, fmt.Errorf("%w: no statement", ErrSyntax)
	}
	for i := range doc.Statements {
		doc.Statements[i].compile(doc.Version == version2012)
	}
	return doc, nil
}

// statements parses the value of Statement, m: one or a list.
func statements(m member) ([]Statement, error) {
	elements := []member{m}
	if first(m.value) == '[' {
		var err error
		if elements, err = list(m); err != nil {
			return nil, err
		}
	}
	out := make([]Statement, len(elements))
	for i, e := range elements {
		if err := out[i].parse(e.value); err != nil {
			return nil, err
		}
		out[i].start, out[i].end = e.after, e.at+len(e.value)
	}
	return out, nil
}

// compile takes patterns apart; variables says whether ${…} is expanded.
func (s *Statement) compile(variables bool) {
	s.variables = variables
	for _, a := range s.Actions {
		s.actions = append(s.actions, newPattern(a, false))
	}
	for _, r := range s.Resources {
		s.resources = append(s.resources, newARN(r, variables))
	}
	for i := range s.conditions {
		s.conditions[i].compile(variables)
	}
}

func (s *Statement) parse(raw json.RawMessage) error {
	members, err := object(raw)
	if err != nil {
		return err
	}
	effect := ""
	for _, m := range members {
		switch m.name {
		case "Sid":
			err = json.Unmarshal(m.value, &s.SID)
		case "Effect":
			err = json.Unmarshal(m.value, &effect)
		case "Action", "NotAction":
			err = once(s.Actions != nil)
			s.Actions, s.NotAction = texts(m.value, &err), m.name == "NotAction"
		case "Resource", "NotResource":
			err = once(s.Resources != nil)
			s.Resources, s.NotResource = texts(m.value, &err), m.name == "NotResource"
		case "Principal", "NotPrincipal":
			err = once(s.principalSeen)
			s.principalSeen, s.NotPrincipal = true, m.name == "NotPrincipal"
			s.Principals = principals(m.value, &err)
		case "Condition":
			s.conditions, err = conditions(m.value)
		default:
			err = ErrSyntax
		}
		if err != nil {
			return err
		}
	}
	if effect != "Allow" && effect != "Deny" {
		return ErrSyntax
	}
	s.Deny = effect == "Deny"
	return nil
}

// once refuses an element that excludes one already seen.
func once(seen bool) error {
	if seen {
		return ErrSyntax
	}
	return nil
}

func principals(raw json.RawMessage, err *error) []Principal {
	if first(raw) == '"' {
		if all := texts(raw, err); *err != nil || all[0] != "*" {
			*err = ErrSyntax
			return nil
		}
		return []Principal{{"AWS", "*"}}
	}
	members, e := object(raw)
	if e != nil {
		*err = e
		return nil
	}
	var out []Principal
	for _, m := range members {
		if !slices.Contains([]string{"AWS", "Service", "Federated", "CanonicalUser"}, m.name) {
			*err = ErrSyntax
		}
		for _, id := range texts(m.value, err) {
			out = append(out, Principal{m.name, id})
		}
	}
	return out
}

// texts reads a string or a list of strings; the result is never nil.
func texts(raw json.RawMessage, err *error) []string {
	out := []string{}
	if *err != nil {
		return out
	}
	if first(raw) == '"' {
		out = append(out, "")
		*err = json.Unmarshal(raw, &out[0])
		return out
	}
	if first(raw) != '[' {
		*err = ErrSyntax
		return out
	}
	var list []*string
	*err = json.Unmarshal(raw, &list)
	for _, s := range list {
		if s == nil {
			*err = ErrSyntax
			return out
		}
		out = append(out, *s)
	}
	return out
}

// member is a name and a value of a JSON object, or an element of a list.
type member struct {
	name  string
	value json.RawMessage
	at    int // offset of the value
	after int // offset of the end of what stands before the value and its white space
}

// object reads a JSON object, in order; a name given twice is an error, as is
// anything after the object.
func object(raw []byte) ([]member, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, ErrSyntax
	}
	var out []member
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return nil, ErrSyntax
		}
		m := member{name: t.(string)} // the decoder lets nothing else stand here
		if slices.ContainsFunc(out, func(o member) bool { return o.name == m.name }) {
			return nil, ErrSyntax
		}
		if err := m.read(dec, raw, dec.InputOffset(), ':'); err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, end(dec)
}

// list reads the elements of a list that is a member's value.
func list(m member) ([]member, error) {
	dec := json.NewDecoder(bytes.NewReader(m.value))
	if _, err := dec.Token(); err != nil {
		return nil, ErrSyntax
	}
	var out []member
	after := dec.InputOffset() // which More may move on
	for dec.More() {
		var e member
		if err := e.read(dec, m.value, after, ','); err != nil {
			return nil, err
		}
		after = dec.InputOffset()
		e.at, e.after = e.at+m.at, e.after+m.at
		out = append(out, e)
	}
	return out, end(dec)
}

// read reads the next value of raw, before which a separator may stand, after what ends
// at an offset.
func (m *member) read(dec *json.Decoder, raw []byte, after int64, separator byte) error {
	m.after = int(after)
	if i := bytes.IndexByte(raw[m.after:], separator); i >= 0 && len(bytes.TrimSpace(raw[m.after:m.after+i])) == 0 {
		m.after += i + 1
	}
	if err := dec.Decode(&m.value); err != nil {
		return ErrSyntax
	}
	m.at = int(dec.InputOffset()) - len(m.value)
	return nil
}

// end expects what closes an object or a list, and nothing after it.
func end(dec *json.Decoder) error {
	if _, err := dec.Token(); err != nil {
		return ErrSyntax
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return ErrSyntax
	}
	return nil
}

func first(raw json.RawMessage) byte {
	if t := strings.TrimLeft(string(raw), " \t\r\n"); t != "" {
		return t[0]
	}
	return 0
}
