// Package postpolicy is the language of the policies in forms that browsers post to
// Amazon S3. It is pure.
//
// Source: Amazon S3 API Reference, "Creating a POST policy"; texts as Amazon S3's answers
// have been recorded.
package postpolicy

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Invalid is why a text is no policy, in Amazon S3's words.
type Invalid string

// Error implements error.
func (e Invalid) Error() string { return "Invalid Policy: " + string(e) }

// Violation is why a form is not what its policy allows, in Amazon S3's words.
type Violation string

// Error implements error.
func (e Violation) Error() string { return "Invalid according to Policy: " + string(e) }

// Policy is what the form that it signs must be.
type Policy struct {
	Expires    time.Time
	conditions []condition
}

// condition is an operator, the name of a field and a value, or the bounds of content.
type condition struct {
	operator string
	operands []string
	min, max int64
}

// The operators.
const (
	equal  = "eq"
	begins = "starts-with"
	within = "content-length-range"
)

const notJSON = Invalid("Invalid JSON.")

// Parse reads a policy.
func Parse(document []byte) (p Policy, err error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(document, &members); err != nil || members == nil {
		return p, notJSON
	}
	for name := range members {
		if name != "expiration" && name != "conditions" {
			return p, Invalid("Unexpected: '" + strings.ToLower(name) + "'")
		}
	}
	expiration, ok := members["expiration"]
	if !ok {
		return p, Invalid("Policy missing expiration.")
	}
	when, ok := text(expiration)
	if !ok {
		return p, notJSON
	}
	if p.Expires, err = time.Parse("2006-01-02T15:04:05Z", when); err != nil {
		return p, Invalid("Invalid 'expiration' value: '" + when + "'")
	}
	list, ok := members["conditions"]
	if !ok {
		return p, Invalid("Policy missing conditions.")
	}
	var conditions []json.RawMessage
	if json.Unmarshal(list, &conditions) != nil || conditions == nil {
		return p, Invalid("Invalid 'conditions' value: must be a List.")
	}
	for _, raw := range conditions {
		c, err := parseCondition(raw)
		if err != nil {
			return p, err
		}
		p.conditions = append(p.conditions, c)
	}
	return p, nil
}

// text reads a JSON string.
func text(raw json.RawMessage) (s string, ok bool) {
	if !bytes.HasPrefix(bytes.TrimSpace(raw), []byte(`"`)) {
		return "", false
	}
	return s, json.Unmarshal(raw, &s) == nil
}

func parseCondition(raw json.RawMessage) (c condition, err error) {
	switch {
	case bytes.HasPrefix(raw, []byte("{")):
		return parseSimple(raw)
	case !bytes.HasPrefix(raw, []byte("[")):
		return c, Invalid("Invalid condition test: must be a List or Object.")
	}
	var items []json.RawMessage
	if json.Unmarshal(raw, &items) != nil {
		return c, notJSON
	}
	if len(items) == 0 {
		return c, Invalid("Invalid Condition: missing operation identifier.")
	}
	name, ok := text(items[0])
	if !ok {
		return c, notJSON
	}
	c.operator = strings.ToLower(name)
	switch {
	case !slices.Contains([]string{equal, begins, within}, c.operator):
		return c, Invalid("Invalid Condition: unknown operation '" + name + "'.")
	case len(items) != 3:
		return c, Invalid("Invalid " + c.operator + ": wrong number of arguments.")
	}
	for _, item := range items[1:] {
		s, ok := text(item)
		if !ok && c.operator == within {
			s, ok = string(item), true
			if n, err := strconv.ParseInt(s, 10, 64); err != nil || n < 0 {
				return c, notJSON
			}
		}
		if !ok {
			return c, notJSON
		}
		c.operands = append(c.operands, s)
	}
	if c.operator == within {
		c.bound()
	}
	return c, nil
}

// bound reads the bounds of content; those that are no numbers let nothing through.
func (c *condition) bound() {
	least, err := strconv.ParseInt(c.operands[0], 10, 64)
	most, err2 := strconv.ParseInt(c.operands[1], 10, 64)
	c.min, c.max = least, most
	if err != nil || err2 != nil || least < 0 || most < 0 {
		c.min, c.max = -1, -1
	}
}

// parseSimple reads a condition that is an object: its one property's name is a field's.
func parseSimple(raw json.RawMessage) (c condition, err error) {
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil {
		return c, notJSON
	}
	if len(members) != 1 {
		return c, Invalid("Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.")
	}
	for name, raw := range members {
		value, ok := text(raw)
		switch {
		case string(raw) == "null":
			return c, notJSON
		case !ok:
			return c, Invalid("Invalid Simple-Condition: value must be a string.")
		}
		c = condition{operator: equal, operands: []string{"$" + name, value}}
	}
	return c, nil
}

// String is the condition as Amazon S3 shows it.
func (c *condition) String() string {
	b := []byte(`["` + c.operator)
	for _, o := range c.operands {
		b = append(b, `", "`...)
		b = append(b, strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(o)...)
	}
	return string(append(b, `"]`...))
}

// Field is a field of a form.
type Field struct{ Name, Value string }

// exempt are fields that no condition needs to be about.
func exempt(name string) bool {
	return slices.Contains([]string{"policy", "file", "x-amz-signature", "signature", "awsaccesskeyid"}, name) || strings.HasPrefix(name, "x-ignore-")
}

// Check holds a form for a bucket against the policy at a time. The names of fields count
// in whatever case; none is there twice. The bucket is a field of every form.
func (p *Policy) Check(bucket string, fields []Field, now time.Time) error {
	if now.After(p.Expires) {
		return Violation("Policy expired.")
	}
	values := map[string]string{}
	for _, f := range fields {
		values[strings.ToLower(f.Name)] = f.Value
	}
	values["bucket"] = bucket
	covered := map[string]bool{}
	for i := range p.conditions {
		c := &p.conditions[i]
		if c.operator == within {
			if c.max < 0 {
				return Violation("Policy Condition failed: " + c.String())
			}
			continue
		}
		name, ok := strings.CutPrefix(strings.ToLower(c.operands[0]), "$")
		value, there := values[name]
		if !ok || !there || !c.holds(value) {
			return Violation("Policy Condition failed: " + c.String())
		}
		covered[name] = true
	}
	var extra []string
	for _, f := range fields {
		if name := strings.ToLower(f.Name); !covered[name] && !exempt(name) {
			extra = append(extra, f.Name)
		}
	}
	if !covered["bucket"] && !slices.Contains(extra, "bucket") {
		extra = append(extra, "bucket")
	}
	if len(extra) > 0 {
		return Violation("Extra input fields: " + strings.Join(extra, ", "))
	}
	return nil
}

func (c *condition) holds(value string) bool {
	if c.operator == equal {
		return value == c.operands[1]
	}
	return strings.HasPrefix(value, c.operands[1])
}

// Range is how long content may be; false where the policy does not say.
func (p *Policy) Range() (least, most int64, said bool) {
	for i := range p.conditions {
		c := &p.conditions[i]
		if c.operator != within {
			continue
		}
		if !said {
			least, most, said = c.min, c.max, true
		}
		least, most = max(least, c.min), min(most, c.max)
	}
	return least, most, said
}
