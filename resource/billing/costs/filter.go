package costs

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"neargate/resource/billing"
)

// serviceName is what Cost Explorer calls the service.
func serviceName(l *billing.Labels) string {
	switch l.Dimension.Service() {
	case "AmazonECS":
		return "Amazon Elastic Container Service"
	case "AmazonVPC":
		return "Amazon Virtual Private Cloud"
	case "AmazonEC2":
		return "EC2 - Other"
	case "AmazonECR":
		return "Amazon EC2 Container Registry (ECR)"
	}
	return l.Dimension.Service()
}

// dimensions tell usage apart, under Cost Explorer's names. A dimension that says
// nothing of tasks has one value for all.
var dimensions = map[string]Group{
	"SERVICE":           serviceName,
	"SERVICE_CODE":      func(l *billing.Labels) string { return l.Dimension.Service() },
	"LINKED_ACCOUNT":    func(l *billing.Labels) string { return l.Account },
	"PAYER_ACCOUNT":     func(l *billing.Labels) string { return l.Account },
	"REGION":            func(l *billing.Labels) string { return l.Region },
	"USAGE_TYPE":        func(l *billing.Labels) string { return l.UsageType() },
	"OPERATION":         operation,
	"PURCHASE_TYPE":     purchase,
	"RECORD_TYPE":       Always("Usage"),
	"AZ":                Always("NoAZ"),
	"INSTANCE_TYPE":     Always("NoInstanceType"),
	"PLATFORM":          Always("NoPlatform"),
	"TENANCY":           Always("NoTenancy"),
	"DATABASE_ENGINE":   Always("NoDatabaseEngine"),
	"CACHE_ENGINE":      Always("NoCacheEngine"),
	"BILLING_ENTITY":    Always("AWS"),
	"LEGAL_ENTITY_NAME": Always("Amazon Web Services, Inc."),
}

// Always tells nothing apart.
func Always(value string) Group { return func(*billing.Labels) string { return value } }

func operation(l *billing.Labels) string {
	switch l.Dimension {
	case billing.NAT, billing.NATBytes:
		return "NatGateway"
	case billing.Endpoint, billing.EndpointBytes:
		return "VpcEndpoint"
	}
	if l.Dimension.Service() == "AmazonECS" {
		return "FargateTask"
	}
	return "NoOperation"
}

func purchase(l *billing.Labels) string {
	if l.Dimension.Spot() {
		return "Spot Instances"
	}
	return "On Demand Instances"
}

// Dimension is Cost Explorer's dimension of a name.
func Dimension(name string) (g Group, ok bool) {
	g, ok = dimensions[name]
	return g, ok
}

// Expression says which usage is meant, as Cost Explorer's and Budgets' do: it has
// exactly one of And, Or, Not, Dimension, Tag and Category.
type Expression struct {
	And, Or                  []Expression `json:",omitempty"`
	Not                      *Expression  `json:",omitempty"`
	Dimension, Tag, Category *Values      `json:",omitempty"`
}

// Values are what a dimension or a tag may be, and how they match.
type Values struct {
	Key     string
	Values  []string `json:",omitempty"`
	Options []string `json:",omitempty"` // EQUALS, CASE_SENSITIVE unless said
}

// maxDepth bounds how deep expressions are nested.
const maxDepth = 16

// Filter makes a test of an expression, nil for all usage; tags reports whether it
// needs the tags of tasks. What is wrong with an expression is said.
func (e *Expression) Filter() (keep func(*billing.Labels) bool, tags bool, err error) {
	if e == nil {
		return func(*billing.Labels) bool { return true }, false, nil
	}
	p := &parser{}
	keep, err = p.expression(e, maxDepth)
	return keep, p.tags, err
}

type matcher = func(*billing.Labels) bool

type parser struct{ tags bool }

func (p *parser) expression(e *Expression, depth int) (matcher, error) {
	var parts []func() (matcher, error)
	part := func(is bool, f func() (matcher, error)) {
		if is {
			parts = append(parts, f)
		}
	}
	part(e.And != nil, func() (matcher, error) { return p.all(e.And, depth, true) })
	part(e.Or != nil, func() (matcher, error) { return p.all(e.Or, depth, false) })
	part(e.Not != nil, func() (matcher, error) {
		m, err := p.expression(e.Not, depth-1)
		return func(l *billing.Labels) bool { return !m(l) }, err
	})
	part(e.Dimension != nil, func() (matcher, error) { return e.Dimension.dimension() })
	part(e.Tag != nil, func() (matcher, error) { p.tags = true; return e.Tag.tag() })
	part(e.Category != nil, func() (matcher, error) {
		_, absent, err := e.Category.match()
		return func(*billing.Labels) bool { return absent }, err // there are no categories
	})
	if len(parts) != 1 {
		return nil, errors.New("an expression should have exactly one of And, Or, Not, Dimensions, Tags and CostCategories")
	}
	if depth == 0 {
		return nil, errors.New("expressions are nested too deep")
	}
	return parts[0]()
}

// all is true where every part is (and), or any (or).
func (p *parser) all(es []Expression, depth int, and bool) (matcher, error) {
	if len(es) == 0 {
		return nil, errors.New("there are no expressions in And or Or")
	}
	var parts []matcher
	for i := range es {
		m, err := p.expression(&es[i], depth-1)
		if err != nil {
			return nil, err
		}
		parts = append(parts, m)
	}
	return func(l *billing.Labels) bool {
		for _, m := range parts {
			if m(l) != and {
				return !and
			}
		}
		return and
	}, nil
}

func (v *Values) dimension() (matcher, error) {
	by, ok := dimensions[v.Key]
	if !ok {
		return nil, fmt.Errorf("dimension %s is not supported", v.Key)
	}
	match, absent, err := v.match()
	if err == nil && absent {
		err = errors.New("match option ABSENT is not supported for dimensions")
	}
	return func(l *billing.Labels) bool { return match(by(l)) }, err
}

func (v *Values) tag() (matcher, error) {
	if v.Key == "" {
		return nil, errors.New("tags need a key")
	}
	match, absent, err := v.match()
	return func(l *billing.Labels) bool {
		for _, tag := range l.Tags {
			if tag.Key == v.Key {
				return !absent && match(tag.Value)
			}
		}
		return absent || match("")
	}, err
}

// match reads values with the way they match; absent asks for there being none.
func (v *Values) match() (match func(string) bool, absent bool, err error) {
	how, fold := "EQUALS", false
	for _, o := range v.Options {
		switch o {
		case "CASE_SENSITIVE":
		case "CASE_INSENSITIVE":
			fold = true
		case "EQUALS", "STARTS_WITH", "ENDS_WITH", "CONTAINS", "ABSENT":
			how = o
		default:
			return nil, false, fmt.Errorf("match option %s is not supported", o)
		}
	}
	if how == "ABSENT" {
		if len(v.Values) > 0 {
			return nil, false, errors.New("match option ABSENT takes no values")
		}
		return func(string) bool { return false }, true, nil
	}
	if len(v.Values) == 0 {
		return nil, false, errors.New("values must not be empty")
	}
	want := v.Values
	if fold {
		want = slices.Clone(want)
		for i := range want {
			want[i] = strings.ToLower(want[i])
		}
	}
	test := map[string]func(s, v string) bool{
		"EQUALS":      func(s, v string) bool { return s == v },
		"STARTS_WITH": strings.HasPrefix,
		"ENDS_WITH":   strings.HasSuffix,
		"CONTAINS":    strings.Contains,
	}[how]
	return func(s string) bool {
		if fold {
			s = strings.ToLower(s)
		}
		return slices.ContainsFunc(want, func(v string) bool { return test(s, v) })
	}, false, nil
}

// Quantity sums up a cell's quantities; the unit is N/A where they are of several.
func (c *Cell) Quantity() (sum billing.Decimal, unit string) {
	var units []string
	add := func(n billing.Decimal, unit string) {
		sum = sum.Add(n)
		if !slices.Contains(units, unit) {
			units = append(units, unit)
		}
	}
	for _, l := range c.Lines {
		add(l.Quantity, l.Unit)
	}
	for _, f := range c.Unpriced {
		add(f.Quantity, f.Dimension.Unit())
	}
	if len(units) == 1 {
		return sum, units[0]
	}
	return sum, "N/A"
}
