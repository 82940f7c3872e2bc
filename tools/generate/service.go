package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"neargate/tools/internal/smithy"
)

// service is what becomes one package.
type service struct {
	id    string
	model *smithy.Model
	shape *smithy.Shape
	ns    string // what ids of shapes begin with
	query bool   // requests are forms and answers XML
	rest  bool   // operations are paths
	xml   bool   // answers are XML
	types []structType
	ops   []string        // names, sorted
	errs  []string        // ids of error shapes
	voids map[string]bool // operations whose model has no output
}

// void reports whether an operation has no output, not even an empty one.
func (s *service) void(op string) bool { return s.voids[op] }

// structType is a Go struct: the shape under a name. Shape ids and Go names
// differ only for the inputs and outputs of operations.
type structType struct {
	name  string
	shape string
	in    bool // part of a request
	out   bool // part of an answer
}

var protocols = []struct{ trait, constant string }{
	{smithy.JSON11, "JSON11"},
	{smithy.JSON10, "JSON10"},
	{smithy.Query, "Query"},
	{smithy.EC2Query, "EC2"},
	{smithy.RestXML, "XML"},
	{smithy.RestJSON, "RestJSON"},
}

// newService collects the types, operations and errors that the operations
// need.
func newService(id string, model *smithy.Model, names []string) (*service, error) {
	shape, ns, err := model.Service()
	if err != nil {
		return nil, err
	}
	s := &service{id: id, model: model, shape: shape, ns: ns, ops: names, voids: map[string]bool{}}
	s.query = shape.Traits.Has(smithy.Query) || shape.Traits.Has(smithy.EC2Query)
	s.rest = shape.Traits.Has(smithy.RestXML) || shape.Traits.Has(smithy.RestJSON)
	s.xml = s.query || shape.Traits.Has(smithy.RestXML)

	named := map[string]structType{}
	add := func(t structType) error {
		if old, ok := named[t.name]; ok && old.shape != t.shape {
			return fmt.Errorf("type %s stands for %s and %s", t.name, old.shape, t.shape)
		}
		t.in, t.out = t.in || named[t.name].in, t.out || named[t.name].out
		named[t.name] = t
		return nil
	}
	errs := map[string]bool{}
	for _, name := range names {
		op := model.Shapes[ns+name]
		s.voids[name] = op != nil && (op.Output == nil || op.Output.Target == smithy.Unit)
		if op == nil {
			return nil, fmt.Errorf("no operation %s in the pruned model: run prune", name)
		}
		roots := op.Roots()
		for _, e := range roots[2:] {
			errs[e] = true
		}
		for i, kind := range []string{"Input", "Output"} {
			root := structType{name + kind, roots[i], i == 0, i == 1}
			ends, err := s.reach(root, add)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			for _, e := range ends {
				errs[e] = true
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(named)) {
		s.types = append(s.types, named[name])
	}
	s.errs = slices.Sorted(maps.Keys(errs))
	return s, s.check()
}

// reach adds the type of an operation's input or output and the structures
// below it. It returns the errors with which streams of events end.
func (s *service) reach(root structType, add func(structType) error) (ends []string, err error) {
	if err := add(root); err != nil {
		return nil, err
	}
	var below []string
	for _, m := range s.model.Shape(root.shape).Elements() {
		below = append(below, m.Target)
		if !s.isStream(m.Target) {
			continue
		}
		for _, e := range s.model.Shape(m.Target).Elements() {
			if s.isError(e.Target) {
				ends = append(ends, e.Target)
			}
		}
	}
	var failed error
	err = s.model.Walk(below, func(id string, shape *smithy.Shape) {
		if shape.Type != "structure" && shape.Type != "union" || slices.Contains(ends, id) {
			return
		}
		if err := add(structType{upper(smithy.Name(id)), id, root.in, root.out}); err != nil && failed == nil {
			failed = err
		}
	})
	if err != nil {
		return nil, err
	}
	return ends, failed
}

// check refuses what the generated package cannot express.
func (s *service) check() error {
	if s.protocol() == "" {
		return fmt.Errorf("no protocol that is spoken here")
	}
	if err := s.checkRest(); err != nil {
		return err
	}
	taken := map[string]bool{"API": true, "Describe": true}
	for _, id := range s.errs {
		taken[upper(smithy.Name(id))] = true
	}
	for _, t := range s.types {
		if taken[t.name] {
			return fmt.Errorf("type %s has the name of a function or of the interface", t.name)
		}
	}
	return nil
}

// checkRest refuses bindings to HTTP that are not spoken here: in XML, members as whole
// bodies and elements that are not named after their operation; lists in headers.
func (s *service) checkRest() error {
	if !s.rest {
		return nil
	}
	for _, t := range s.types {
		for name, m := range s.model.Shape(t.shape).Members {
			switch {
			case m.Traits.Has(smithy.HTTPPayload) && s.xml:
				return fmt.Errorf("%s.%s is a whole body", t.name, name)
			case m.Traits.Has(smithy.HTTPHeader) && s.model.Shape(m.Target).Type == "list":
				return fmt.Errorf("%s.%s is a list in a header", t.name, name)
			}
		}
		if !s.xml {
			continue
		}
		for suffix, element := range map[string]string{"Input": "Request", "Output": "Response"} {
			op, ok := strings.CutSuffix(t.name, suffix)
			if ok && slices.Contains(s.ops, op) && t.shape != smithy.Unit && smithy.Name(t.shape) != op+element {
				return fmt.Errorf("%s is not called %s", t.shape, op+element)
			}
		}
	}
	return nil
}

// protocol is the name of the constant in package shape, "" if none fits.
func (s *service) protocol() string {
	for _, p := range protocols {
		if s.shape.Traits.Has(p.trait) {
			return p.constant
		}
	}
	return ""
}

func (s *service) sdkID() string { return s.shape.Traits.Field(smithy.APIService, "sdkId") }

func (s *service) isEC2() bool { return s.shape.Traits.Has(smithy.EC2Query) }

// targetPrefix is empty for services whose requests carry no X-Amz-Target.
func (s *service) targetPrefix() string {
	if !strings.HasPrefix(s.protocol(), "JSON") {
		return ""
	}
	if p := s.shape.Traits.Field(smithy.APIService, "targetPrefix"); p != "" {
		return p
	}
	for id, shape := range s.model.Shapes {
		if shape == s.shape {
			return smithy.Name(id)
		}
	}
	return ""
}

// upper returns the name with a capital first letter, as Go exports it.
func upper(name string) string { return strings.ToUpper(name[:1]) + name[1:] }
