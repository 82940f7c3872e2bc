package form

import (
	"reflect"
	"slices"
	"strconv"
	"strings"

	"neargate/wire/shape"
)

// ReadEC2 fills the struct dst points to from an ec2Query request. Lists take any
// indexes, or none; a parameter that the operation does not have is answered with
// UnknownParameter. Of equal names the last counts, or the first in a query
// string (GET).
func ReadEC2(pairs []Pair, p *shape.Plan, dst any, get bool) error {
	root, err := tree(pairs)
	if err != nil {
		return err
	}
	r := ec2Reader{get}
	return r.structure(p, root, reflect.ValueOf(dst).Elem())
}

type ec2Reader struct{ first bool }

func unknown(n *node) error {
	return shape.Errorf("UnknownParameter", "The parameter %s is not recognized", n.path)
}

// invalid is EC2's error for a value it cannot read; it names the parameter with
// a small first letter and without indexes.
func invalid(n *node, value string) error {
	name := n.path
	for _, part := range strings.Split(n.path, ".") {
		if !isDigits(part) {
			name = part
		}
	}
	if name != "" {
		name = strings.ToLower(name[:1]) + name[1:]
	}
	return shape.Errorf("InvalidParameterValue", "Value (%s) for parameter %s is invalid", value, name)
}

func (r ec2Reader) pick(values []string) string {
	if r.first {
		return values[0]
	}
	return values[len(values)-1]
}

func (r ec2Reader) structure(p *shape.Plan, n *node, dst reflect.Value) error {
	for _, name := range n.names {
		kid := n.kids[name]
		m := p.ByForm(shape.EC2, name)
		if n.path == "" && (name == "Action" || name == "Version" || m == nil && reserved(name)) {
			continue
		}
		if m == nil {
			return unknown(kid)
		}
		if err := r.member(&m.Value, kid, dst.Field(m.Index)); err != nil {
			return err
		}
	}
	return nil
}

func (r ec2Reader) member(t *shape.Value, n *node, field reflect.Value) error {
	switch t.Kind {
	case shape.List:
		return r.list(t, n, field)
	case shape.Structure:
		if len(n.values) > 0 {
			return unknown(n)
		}
		return r.structure(t.Structure, n, t.Settable(field))
	}
	if len(n.names) > 0 {
		return unknown(n.kids[n.names[0]])
	}
	return r.scalar(t, n, r.pick(n.values), t.Settable(field))
}

// list reads a list, always flattened. Its elements come in the order of their
// indexes, gaps closed; what has no index comes first. An index that is no
// number binds an element to nothing.
func (r ec2Reader) list(t *shape.Value, n *node, field reflect.Value) error {
	bare := &node{path: n.path, values: n.values}
	var items []indexed
	for _, name := range n.names {
		kid := n.kids[name]
		index, err := strconv.Atoi(name)
		switch {
		case err == nil && index < 0 || isDigits(name) && err != nil:
			return invalid(n, name)
		case err == nil:
			items = append(items, indexed{index, kid})
		case t.Elem.Kind == shape.Structure:
			bare.adopt(name, kid)
		default:
			items = append(items, indexed{0, &node{path: kid.path, values: []string{""}}})
		}
	}
	if len(bare.values) > 0 || len(bare.names) > 0 {
		items = append(items, indexed{-1, bare})
	}
	slices.SortStableFunc(items, func(a, b indexed) int { return a.index - b.index })
	list := reflect.MakeSlice(t.Type, len(items), len(items))
	for i, item := range items {
		if err := r.member(t.Elem, item.node, list.Index(i)); err != nil {
			return err
		}
	}
	field.Set(list)
	return nil
}

func (n *node) adopt(name string, kid *node) {
	if n.kids == nil {
		n.kids = map[string]*node{}
	}
	n.kids[name] = kid
	n.names = append(n.names, name)
}

func (r ec2Reader) scalar(t *shape.Value, n *node, s string, dst reflect.Value) error {
	switch t.Kind {
	case shape.Bool:
		switch strings.ToLower(s) {
		case "true", "1":
			dst.SetBool(true)
		case "false", "0":
		default:
			return invalid(n, s)
		}
		return nil
	case shape.Integer:
		v, err := strconv.ParseInt(s, 10, t.Type.Bits())
		if err != nil {
			return invalid(n, s)
		}
		dst.SetInt(v)
		return nil
	}
	if setScalar(t, s, dst) != "" {
		return invalid(n, s)
	}
	return nil
}
