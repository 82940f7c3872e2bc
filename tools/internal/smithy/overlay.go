package smithy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
)

// Overlay corrects one service's model: facts seen on the wire that the public
// model lacks. Shapes are named without namespace.
type Overlay struct {
	// Source says where the facts come from.
	Source string `json:"source"`
	// Members adds members or gives them another target: shape, member, target.
	// A target is a shape of the service or a prelude type such as
	// "smithy.api#String".
	Members map[string]map[string]string `json:"members,omitempty"`
	// Order gives the wire order of members where XML answers have another
	// than the alphabetical one. Members left out follow by name.
	Order map[string][]string `json:"order,omitempty"`
	// Traits sets traits of a shape ("Shape") or a member ("Shape.member"); null
	// takes one away.
	Traits map[string]Traits `json:"traits,omitempty"`
	// Errors adds errors of the model to operations.
	Errors map[string][]string `json:"errors,omitempty"`
}

// ReadOverlay reads the overlays by service folder.
func ReadOverlay(path string) (map[string]*Overlay, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	all := map[string]*Overlay{}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&all); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return all, nil
}

// Apply changes the model. Correcting what does not exist is an error, and so
// is adding what does: the overlay holds nothing idle.
func (o *Overlay) Apply(m *Model) error {
	if o == nil {
		return nil
	}
	_, ns, err := m.Service()
	if err != nil {
		return err
	}
	for _, step := range []func(*Model, string) error{o.addMembers, o.setOrder, o.setTraits, o.addErrors} {
		if err := step(m, ns); err != nil {
			return fmt.Errorf("overlay: %w", err)
		}
	}
	return nil
}

func (o *Overlay) addMembers(m *Model, ns string) error {
	for shape, members := range o.Members {
		s := m.Shapes[ns+shape]
		if s == nil {
			return fmt.Errorf("no shape %s", shape)
		}
		if s.Members == nil {
			s.Members = map[string]*Member{}
		}
		for name, target := range members {
			if !strings.Contains(target, "#") {
				target = ns + target
			}
			old := s.Members[name]
			switch {
			case m.Shape(target) == nil:
				return fmt.Errorf("no shape %s for %s.%s", target, shape, name)
			case old == nil:
				s.Members[name] = &Member{Target: target}
			case old.Target == target:
				return fmt.Errorf("%s.%s is %s already", shape, name, target)
			default:
				old.Target = target
			}
		}
	}
	return nil
}

func (o *Overlay) setOrder(m *Model, ns string) error {
	for shape, order := range o.Order {
		s := m.Shapes[ns+shape]
		if s == nil {
			return fmt.Errorf("no shape %s", shape)
		}
		for _, name := range order {
			if s.Members[name] == nil {
				return fmt.Errorf("no member %s.%s", shape, name)
			}
		}
		s.Order = order
	}
	return nil
}

func (o *Overlay) setTraits(m *Model, ns string) error {
	for path, traits := range o.Traits {
		shape, member, isMember := strings.Cut(path, ".")
		s := m.Shapes[ns+shape]
		if s == nil || isMember && s.Members[member] == nil {
			return fmt.Errorf("no %s", path)
		}
		to := &s.Traits
		if isMember {
			to = &s.Members[member].Traits
		}
		if *to == nil {
			*to = Traits{}
		}
		for id, v := range traits {
			if !slices.Contains(Kept, id) || bytes.Equal((*to)[id], v) {
				return fmt.Errorf("%s: %s is set already, or read by nobody", path, id)
			}
			if string(v) == "null" {
				delete(*to, id)
				continue
			}
			(*to)[id] = v
		}
	}
	return nil
}

func (o *Overlay) addErrors(m *Model, ns string) error {
	for op, errs := range o.Errors {
		s := m.Shapes[ns+op]
		if s == nil {
			return fmt.Errorf("no operation %s", op)
		}
		for _, e := range errs {
			if m.Shapes[ns+e] == nil {
				return fmt.Errorf("no error %s", e)
			}
			ref := Ref{Target: ns + e}
			if slices.Contains(s.Errors, ref) {
				return fmt.Errorf("%s has %s already", op, e)
			}
			s.Errors = append(s.Errors, ref)
		}
	}
	return nil
}

// Needs lists the shapes of the service that the overlay refers to, so that
// pruning keeps them.
func (o *Overlay) Needs(ns string) []string {
	if o == nil {
		return nil
	}
	var ids []string
	for _, members := range o.Members {
		for _, target := range members {
			if !strings.Contains(target, "#") {
				ids = append(ids, ns+target)
			}
		}
	}
	for _, errs := range o.Errors {
		for _, e := range errs {
			ids = append(ids, ns+e)
		}
	}
	return ids
}
