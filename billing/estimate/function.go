package estimate

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"neargate/arn"
)

// reference is a resource of the template, by its logical id.
type reference string

// unknown is a value that only a deployment would tell; it says why.
type unknown string

// absent is the value of AWS::NoValue.
type absent struct{}

// scope is what a template's functions read.
type scope struct {
	region     string
	parameters map[string]any // values given, or defaults
	mappings   map[string]any
	conditions map[string]any
	resources  map[string]any
	decided    map[string]any // conditions by name, as they were evaluated
}

// maxDepth bounds the nesting of functions.
const maxDepth = 50

// value evaluates v as far as it can be before a deployment: the result holds
// maps, slices, strings, booleans, references, unknowns and absents.
func (s *scope) value(v any) any { return s.eval(v, 0) }

func (s *scope) eval(v any, depth int) any {
	if depth > maxDepth {
		return unknown("functions are nested too deeply")
	}
	switch v := v.(type) {
	case []any:
		var list []any
		for _, x := range v {
			if x = s.eval(x, depth+1); x != (absent{}) {
				list = append(list, x)
			}
		}
		return list
	case map[string]any:
		if len(v) == 1 {
			for name, arg := range v {
				if name == "Ref" || strings.HasPrefix(name, "Fn::") {
					return s.call(name, arg, depth+1)
				}
			}
		}
		m := make(map[string]any, len(v))
		for k, x := range v {
			if x = s.eval(x, depth+1); x != (absent{}) {
				m[k] = x
			}
		}
		return m
	}
	return v
}

func (s *scope) call(name string, arg any, depth int) any {
	switch name {
	case "Ref":
		id, _ := arg.(string)
		return s.ref(id)
	case "Fn::GetAtt":
		if l, ok := arg.([]any); ok && len(l) == 2 {
			if id, ok := l[0].(string); ok && l[1] == "TaskDefinitionArn" && s.resources[id] != nil {
				return reference(id)
			}
		}
	case "Fn::If":
		if l, ok := arg.([]any); ok && len(l) == 3 {
			switch v := s.condition(map[string]any{"Condition": l[0]}, depth); v {
			case true:
				return s.eval(l[1], depth)
			case false:
				return s.eval(l[2], depth)
			default:
				return v
			}
		}
	case "Fn::Sub":
		return s.sub(arg, depth)
	}
	v := s.eval(arg, depth)
	if result, ok := s.apply(name, v); ok {
		return result
	}
	if why, ok := unknownIn(v); ok {
		return why
	}
	return unknown(name + " is known when the template is deployed")
}

// apply is a function of arguments that are evaluated; ok is false where they are
// not enough.
func (s *scope) apply(name string, arg any) (v any, ok bool) {
	list, _ := arg.([]any)
	switch name {
	case "Fn::FindInMap":
		if keys, ok := texts(arg); ok && len(keys) == 3 {
			top, _ := s.mappings[keys[0]].(map[string]any)
			second, _ := top[keys[1]].(map[string]any)
			v, ok = second[keys[2]]
			return v, ok
		}
	case "Fn::Join":
		if len(list) == 2 {
			between, known := list[0].(string)
			parts, ok := texts(list[1])
			return strings.Join(parts, between), ok && known
		}
	case "Fn::Split":
		if l, ok := texts(arg); ok && len(l) == 2 && l[0] != "" {
			return anys(strings.Split(l[1], l[0])), true
		}
	case "Fn::Select":
		if len(list) == 2 {
			i, err := strconv.Atoi(text(list[0]))
			if from, ok := list[1].([]any); ok && err == nil && i >= 0 && i < len(from) {
				return from[i], true
			}
		}
	case "Fn::GetAZs":
		if region, ok := arg.(string); ok {
			if region == "" {
				region = s.region
			}
			var zones []any
			for _, z := range arn.Zones(region) {
				zones = append(zones, z.Name)
			}
			return zones, true
		}
	}
	return nil, false
}

// unknownIn is the first unknown of a value or a list of them.
func unknownIn(v any) (unknown, bool) {
	switch v := v.(type) {
	case unknown:
		return v, true
	case []any:
		for _, x := range v {
			if why, ok := unknownIn(x); ok {
				return why, true
			}
		}
	}
	return "", false
}

func (s *scope) ref(id string) any {
	if v, ok := s.parameters[id]; ok {
		return v
	}
	switch id {
	case "AWS::NoValue":
		return absent{}
	case "AWS::Region":
		return s.region
	case "AWS::Partition":
		return arn.Partition(s.region)
	case "AWS::URLSuffix":
		return arn.DNSSuffix(s.region)
	}
	if s.resources[id] != nil {
		return reference(id)
	}
	return unknown("nothing here is called " + id)
}

var subForm = regexp.MustCompile(`\$\{([^}]*)\}`)

func (s *scope) sub(arg any, depth int) any {
	own := map[string]any{}
	if l, ok := arg.([]any); ok && len(l) == 2 {
		arg = l[0]
		own, _ = l[1].(map[string]any)
	}
	form, ok := arg.(string)
	if !ok {
		return unknown("Fn::Sub without a string")
	}
	var why any
	out := subForm.ReplaceAllStringFunc(form, func(m string) string {
		name := m[2 : len(m)-1]
		if literal, ok := strings.CutPrefix(name, "!"); ok {
			return "${" + literal + "}"
		}
		v := s.ref(name)
		if x, ok := own[name]; ok {
			v = s.eval(x, depth+1)
		}
		t, ok := scalar(v)
		if !ok {
			why = unknown("Fn::Sub: ${" + name + "} is known when the template is deployed")
		}
		return t
	})
	if why != nil {
		return why
	}
	return out
}

// condition evaluates a condition: true, false, or unknown.
func (s *scope) condition(v any, depth int) any {
	m, ok := v.(map[string]any)
	if !ok || len(m) != 1 || depth > maxDepth {
		return unknown("no condition")
	}
	for name, arg := range m {
		if name == "Condition" {
			id, _ := arg.(string)
			return s.named(id)
		}
		list, _ := arg.([]any)
		switch name {
		case "Fn::Equals":
			sides := s.eval(list, depth+1)
			if t, ok := texts(sides); ok && len(t) == 2 {
				return t[0] == t[1]
			}
			if why, ok := unknownIn(sides); ok {
				return why
			}
		case "Fn::Not":
			if len(list) == 1 {
				v := s.condition(list[0], depth+1)
				if b, ok := v.(bool); ok {
					return !b
				}
				return v
			}
		case "Fn::And", "Fn::Or":
			return s.junction(name == "Fn::Or", list, depth)
		}
	}
	return unknown("a condition is known when the template is deployed")
}

// named evaluates a condition of the template once.
func (s *scope) named(id string) any {
	if v, ok := s.decided[id]; ok {
		return v
	}
	if s.conditions[id] == nil {
		return unknown("no condition is called " + id)
	}
	s.decided[id] = unknown("condition " + id + " means itself")
	s.decided[id] = s.condition(s.conditions[id], 0)
	return s.decided[id]
}

// junction is the conjunction of conditions, or with or the disjunction: known
// where one that is known decides.
func (s *scope) junction(or bool, list []any, depth int) any {
	var why any
	for _, x := range list {
		switch v := s.condition(x, depth+1); v {
		case or:
			return or
		case !or:
		default:
			why = v
		}
	}
	if why != nil {
		return why
	}
	return !or
}

// scalar is a value as a string, if it is one before a deployment.
func scalar(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	}
	return "", false
}

// text is scalar, or "".
func text(v any) string { t, _ := scalar(v); return t }

// texts is a list of scalars.
func texts(v any) ([]string, bool) {
	list, ok := v.([]any)
	out := make([]string, len(list))
	for i, x := range list {
		t, known := scalar(x)
		out[i], ok = t, ok && known
	}
	return out, ok
}

func anys(list []string) []any {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}

// parameters are the values of a template's parameters: those given, else their
// defaults. A list's value is split; one without a value is unknown.
func parameters(declared map[string]any, given map[string]string) (map[string]any, error) {
	values := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if declared[name] == nil {
			return nil, fmt.Errorf("parameters: [%s] do not exist in the template", name)
		}
	}
	for name, d := range declared {
		p, ok := d.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("parameters: %s is no mapping", name)
		}
		var v any = unknown(fmt.Sprintf("parameter %s has no default: give it with --parameter %s=…", name, name))
		if def, ok := scalar(p["Default"]); ok {
			v = def
		}
		if g, ok := given[name]; ok {
			v = g
		}
		if s, ok := v.(string); ok {
			if allowed, ok := texts(p["AllowedValues"]); ok && !slices.Contains(allowed, s) {
				return nil, fmt.Errorf("parameter '%s' must be one of AllowedValues", name)
			}
			if kind := text(p["Type"]); strings.HasPrefix(kind, "List<") || kind == "CommaDelimitedList" {
				v = anys(strings.Split(s, ","))
			}
			if strings.HasPrefix(text(p["Type"]), "AWS::SSM::Parameter::Value") {
				v = unknown("parameter " + name + " names one of SSM's Parameter Store")
			}
		}
		values[name] = v
	}
	return values, nil
}
