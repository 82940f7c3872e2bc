package policy

import (
	"encoding/base64"
	"encoding/json"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Context holds the values of condition keys, by key in lower case.
type Context map[string][]string

// Set gives a condition key its values; without values the key is absent.
func (c Context) Set(key string, values ...string) {
	if len(values) > 0 {
		c[strings.ToLower(key)] = values
	}
}

// value returns the single value of a key.
func (c Context) value(key string) (string, bool) {
	v := c[strings.ToLower(key)]
	if len(v) != 1 {
		return "", false
	}
	return v[0], true
}

// condition is one operator applied to one key.
type condition struct {
	op       operator
	each     quantifier
	ifExists bool
	null     bool   // the operator Null; op is unused
	name     string // the key as written
	key      string // in lower case
	values   []string
	patterns []pattern // values, of operators that match patterns
	expanded bool      // whether ${…} is expanded
}

// compile takes the values apart; variables says whether ${…} is expanded.
func (c *condition) compile(variables bool) {
	c.expanded = variables
	for _, v := range c.values {
		switch {
		case c.op.arn:
			c.patterns = append(c.patterns, newARN(v, variables))
		case c.op.pattern:
			c.patterns = append(c.patterns, newPattern(v, variables))
		}
	}
}

type quantifier int

const (
	single quantifier = iota
	forAll
	forAny
)

// operator compares a value of the request with one of the policy.
type operator struct {
	negated bool
	// valid, when given, must hold of both or nothing matches, negated or not.
	valid func(got, want string) bool
	// match compares; want has its variables expanded when pattern is set.
	match   func(got, want string) bool
	pattern bool // want is a glob and got is matched against it
	arn     bool // the glob is matched field by field
	// literal, when given, says whether a text is of the operator's type.
	literal func(want string) bool
}

var operators = map[string]operator{
	"stringequals":              {match: equal},
	"stringnotequals":           {match: equal, negated: true},
	"stringequalsignorecase":    {match: equalLower},
	"stringnotequalsignorecase": {match: equalLower, negated: true},
	"stringlike":                {pattern: true},
	"stringnotlike":             {pattern: true, negated: true},
	"numericequals":             {literal: isNumber, match: numeric(func(a, b float64) bool { return a == b })},
	"numericnotequals":          {literal: isNumber, match: numeric(func(a, b float64) bool { return a == b }), negated: true},
	"numericlessthan":           {literal: isNumber, match: numeric(func(a, b float64) bool { return a < b })},
	"numericlessthanequals":     {literal: isNumber, match: numeric(func(a, b float64) bool { return a <= b })},
	"numericgreaterthan":        {literal: isNumber, match: numeric(func(a, b float64) bool { return a > b })},
	"numericgreaterthanequals":  {literal: isNumber, match: numeric(func(a, b float64) bool { return a >= b })},
	"dateequals":                {literal: isDate, match: dated(func(c int) bool { return c == 0 })},
	"datenotequals":             {literal: isDate, match: dated(func(c int) bool { return c == 0 }), negated: true},
	"datelessthan":              {literal: isDate, match: dated(func(c int) bool { return c < 0 })},
	"datelessthanequals":        {literal: isDate, match: dated(func(c int) bool { return c <= 0 })},
	"dategreaterthan":           {literal: isDate, match: dated(func(c int) bool { return c > 0 })},
	"dategreaterthanequals":     {literal: isDate, match: dated(func(c int) bool { return c >= 0 })},
	"bool":                      {match: func(got, want string) bool { return truth(got) == truth(want) }},
	"binaryequals":              {match: binaryEqual},
	"ipaddress":                 {literal: isRange, match: inRange},
	"notipaddress":              {literal: isRange, match: inRange, negated: true, valid: validRange},
	"arnequals":                 {pattern: true, arn: true},
	"arnlike":                   {pattern: true, arn: true},
	"arnnotequals":              {pattern: true, arn: true, negated: true, valid: validARN},
	"arnnotlike":                {pattern: true, arn: true, negated: true, valid: validARN},
}

// multivalued are the keys that hold any number of values; a plain operator
// never matches them.
var multivalued = []string{"aws:tagkeys", "aws:calledvia", "sts:transitivetagkeys"}

func conditions(raw json.RawMessage) ([]condition, error) {
	blocks, err := object(raw)
	if err != nil {
		return nil, err
	}
	var out []condition
	for _, b := range blocks {
		proto, err := parseOperator(b.name)
		if err != nil {
			return nil, err
		}
		keys, err := object(b.value)
		if err != nil {
			return nil, err
		}
		for _, k := range keys {
			c := proto
			c.name, c.key = k.name, strings.ToLower(k.name)
			if c.values, err = scalars(k.value); err != nil {
				return nil, err
			}
			out = append(out, c)
		}
	}
	return out, nil
}

func parseOperator(name string) (condition, error) {
	var c condition
	n := strings.ToLower(name)
	if rest, ok := strings.CutPrefix(n, "forallvalues:"); ok {
		c.each, n = forAll, rest
	} else if rest, ok := strings.CutPrefix(n, "foranyvalue:"); ok {
		c.each, n = forAny, rest
	}
	n, c.ifExists = strings.CutSuffix(n, "ifexists")
	if n == "null" && !c.ifExists {
		c.null = true
		return c, nil
	}
	op, ok := operators[n]
	if !ok {
		return c, ErrSyntax
	}
	c.op = op
	return c, nil
}

// scalars reads a string, number or boolean, or a list of them, as text.
func scalars(raw json.RawMessage) ([]string, error) {
	list := []json.RawMessage{raw}
	if first(raw) == '[' {
		if err := json.Unmarshal(raw, &list); err != nil {
			return nil, err
		}
	}
	out := make([]string, len(list))
	for i, e := range list {
		switch first(e) {
		case '"':
			if err := json.Unmarshal(e, &out[i]); err != nil {
				return nil, err
			}
		case '{', '[', 'n', 0:
			return nil, ErrSyntax
		default:
			out[i] = strings.TrimSpace(string(e))
		}
	}
	return out, nil
}

// holds reports whether the condition is met.
func (c *condition) holds(ctx Context) bool {
	got, present := ctx[c.key]
	if c.null {
		return slices.ContainsFunc(c.values, func(v string) bool { return truth(v) != present })
	}
	test := func(v string) bool { return c.test(v, ctx) }
	switch {
	case c.each == forAll:
		return !slices.ContainsFunc(got, func(v string) bool { return !test(v) })
	case c.each == forAny:
		return !present && c.ifExists || slices.ContainsFunc(got, test)
	case len(got) > 1 || slices.Contains(multivalued, c.key):
		return false
	case !present:
		return c.ifExists || c.op.negated
	}
	return test(got[0])
}

// test compares one value of the request with all of the policy.
func (c *condition) test(got string, ctx Context) bool {
	for i, want := range c.values {
		if c.op.valid != nil && !c.op.valid(got, want) {
			return false
		}
		if c.compare(i, got, ctx) {
			return !c.op.negated
		}
	}
	return c.op.negated
}

// compare compares a value of the request with the policy's at i.
func (c *condition) compare(i int, got string, ctx Context) bool {
	switch {
	case c.op.arn:
		return c.patterns[i].matchARN(got, ctx)
	case c.op.pattern:
		return c.patterns[i].match(got, ctx)
	}
	want := c.values[i]
	if c.expanded {
		var ok bool
		if want, ok = compileLiteral(want, ctx); !ok {
			return false
		}
	}
	return c.op.match(got, want)
}

func equal(got, want string) bool { return got == want }

// equalLower compares lower-case forms, which is less than Unicode case folding.
func equalLower(got, want string) bool {
	//lint:ignore SA6005 strings.EqualFold would also match ſ with S
	return strings.ToLower(got) == strings.ToLower(want)
}

func truth(s string) bool { return strings.EqualFold(s, "true") }

func numeric(cmp func(a, b float64) bool) func(got, want string) bool {
	return func(got, want string) bool {
		a, err := strconv.ParseFloat(got, 64)
		if err != nil {
			return false
		}
		b, err := strconv.ParseFloat(want, 64)
		return err == nil && cmp(a, b)
	}
}

func dated(cmp func(order int) bool) func(got, want string) bool {
	return func(got, want string) bool {
		a, ok := parseDate(got)
		if !ok {
			return false
		}
		b, ok := parseDate(want)
		return ok && cmp(a.Compare(b))
	}
}

// parseDate reads an ISO 8601 date of the W3C profile, or seconds since 1970.
func parseDate(s string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00", "2006-01-02"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return time.Unix(n, 0), err == nil
}

func binaryEqual(got, want string) bool {
	a, err := base64.StdEncoding.DecodeString(got)
	if err != nil {
		return false
	}
	b, err := base64.StdEncoding.DecodeString(want)
	return err == nil && string(a) == string(b)
}

func inRange(got, want string) bool {
	a, err := parseIP(got)
	if err != nil {
		return false
	}
	p, ok := parseRange(want)
	return ok && p.Contains(a)
}

func isNumber(s string) bool {
	_, err := strconv.ParseFloat(s, 64)
	return err == nil
}

func isDate(s string) bool {
	_, ok := parseDate(s)
	return ok
}

// isRange accepts IPv6 ranges with host bits, which are stored and match nothing.
func isRange(s string) bool {
	if _, err := netip.ParsePrefix(s); err == nil {
		return true
	}
	_, ok := parseRange(s)
	return ok
}

func validRange(got, want string) bool {
	_, err := parseIP(got)
	_, ok := parseRange(want)
	return err == nil && ok
}

// parseIP reads an address; leading zeros of IPv4 are fine and an IPv4 address
// mapped into IPv6 is taken as IPv4.
func parseIP(s string) (netip.Addr, error) {
	if !strings.Contains(s, ":") {
		octets := strings.Split(s, ".")
		for i, o := range octets {
			if t := strings.TrimLeft(o, "0"); o != "" && t == "" {
				octets[i] = "0"
			} else {
				octets[i] = t
			}
		}
		s = strings.Join(octets, ".")
	}
	a, err := netip.ParseAddr(s)
	return a.Unmap(), err
}

// parseRange reads an address or a CIDR range. Host bits are ignored in IPv4
// and make an IPv6 range match nothing.
func parseRange(s string) (netip.Prefix, bool) {
	text, bits, ranged := strings.Cut(s, "/")
	a, err := parseIP(text)
	if err != nil {
		return netip.Prefix{}, false
	}
	n := a.BitLen()
	if ranged {
		if n, err = strconv.Atoi(bits); err != nil {
			return netip.Prefix{}, false
		}
	}
	p := netip.PrefixFrom(a, n)
	if !p.IsValid() || a.Is6() && p != p.Masked() {
		return netip.Prefix{}, false
	}
	return p.Masked(), true
}

func validARN(got, want string) bool {
	return len(strings.SplitN(got, ":", 6)) == 6 && len(strings.SplitN(want, ":", 6)) == 6
}
