package validate

import (
	"fmt"
	"strings"

	"neargate/wire/shape"
)

// style is how a service words violations of its model.
type style struct {
	code    string
	member  string // message member of JSON errors; "message" where empty
	skip    []Rule // rules the service checks itself, with texts of its own
	message func([]Violation) string
	late    bool // authorises a request before it is checked
}

// styles are the services that differ from their protocol's usual style, by ID.
var styles = map[string]style{
	"ecs":              {code: "InvalidParameterException", skip: []Rule{Required, Enum, Element}, message: framework},
	"ecr":              {code: "InvalidParameterException", message: registry},
	"logs":             {code: "InvalidParameterException", message: framework},
	"secretsmanager":   {code: "ValidationException", member: "Message", message: framework, late: true},
	"route53":          {code: "InvalidInput", message: framework},
	"servicediscovery": {code: "InvalidInput", member: "Message", message: framework},
}

// Late reports whether a service checks requests only once they are authorised, as
// it was recorded.
func Late(s *shape.Service) bool { return styles[s.ID].late }

func styleOf(s *shape.Service) style {
	if st, ok := styles[s.ID]; ok {
		return st
	}
	if s.Protocol == shape.Query {
		return style{code: "ValidationError", message: framework}
	}
	return style{code: "ValidationException", message: framework}
}

// Input checks a request of service s; in points to a struct described by p. It
// returns nil or the AWS error that s answers.
func Input(s *shape.Service, p *shape.Plan, in any) error {
	found := Check(p, in)
	if s.Protocol == shape.EC2 {
		return compute(found)
	}
	st := styleOf(s)
	kept := found[:0]
	for _, v := range found {
		if !st.skips(v.Rule) {
			kept = append(kept, v)
		}
	}
	if len(kept) == 0 {
		return nil
	}
	e := shape.Errorf(st.code, "%s", st.message(kept))
	if st.member != "" {
		e.Member = st.member
	}
	return e
}

func (s style) skips(r Rule) bool {
	for _, skipped := range s.skip {
		if r == skipped {
			return true
		}
	}
	return false
}

// framework is the wording that most services share.
func framework(found []Violation) string {
	var b strings.Builder
	if len(found) == 1 {
		b.WriteString("1 validation error detected: ")
	} else {
		fmt.Fprintf(&b, "%d validation errors detected: ", len(found))
	}
	for i, v := range found {
		if i > 0 {
			b.WriteString("; ")
		}
		switch {
		case v.Rule == Required:
			b.WriteString("Value null at")
		case v.Sensitive:
			b.WriteString("Value at")
		default:
			b.WriteString("Value '" + v.Value + "' at")
		}
		b.WriteString(" '" + v.Path + "' failed to satisfy constraint: " + v.Text)
	}
	return b.String()
}

// registry is ECR's wording, which names the first violation only.
func registry(found []Violation) string {
	return "Invalid parameter at '" + found[0].Path + "' failed to satisfy constraint: '" + found[0].Text + "'"
}

// compute is EC2's error for the first violation; what is missing comes first.
func compute(found []Violation) error {
	for _, v := range found {
		if v.Rule == Required {
			return shape.Errorf("MissingParameter", "The request must contain the parameter %s", v.Parameter)
		}
	}
	if len(found) == 0 {
		return nil
	}
	v := found[0]
	switch v.Rule {
	case MinValue:
		return shape.Errorf("InvalidParameterValue", "Value ( %s ) for parameter %s is invalid. Expecting a value greater than %s.", v.Value, v.Parameter, v.Bound)
	case MaxValue:
		return shape.Errorf("InvalidParameterValue", "Value ( %s ) for parameter %s is invalid. Expecting a value smaller than or equal to %s.", v.Value, v.Parameter, v.Bound)
	case MaxLength:
		return shape.Errorf("InvalidParameterValue", "Value (%s) for parameter %s is invalid. Length exceeds maximum of %s.", v.Value, v.Parameter, v.Bound)
	}
	return shape.Errorf("InvalidParameterValue", "Value (%s) for parameter %s is invalid", v.Value, v.Parameter)
}
