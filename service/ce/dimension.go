package ce

import (
	"slices"
	"strings"

	api "neargate/aws/ce"
	"neargate/resource/billing"
	"neargate/resource/billing/costs"
)

// services are what Cost Explorer calls services, by code.
var services = map[string]string{
	"AmazonECS": "Amazon Elastic Container Service",
	"AmazonVPC": "Amazon Virtual Private Cloud",
}

// dimensions tell usage apart. A dimension that says nothing of tasks has one
// value for all.
var dimensions = map[string]costs.Group{
	"SERVICE":         func(l *billing.Labels) string { return services[l.Dimension.Service()] },
	"SERVICE_CODE":    func(l *billing.Labels) string { return l.Dimension.Service() },
	"LINKED_ACCOUNT":  func(l *billing.Labels) string { return l.Account },
	"PAYER_ACCOUNT":   func(l *billing.Labels) string { return l.Account },
	"REGION":          func(l *billing.Labels) string { return l.Region },
	"USAGE_TYPE":      func(l *billing.Labels) string { return l.UsageType() },
	"OPERATION":       operation,
	"PURCHASE_TYPE":   purchase,
	"RECORD_TYPE":     always("Usage"),
	"AZ":              always("NoAZ"),
	"INSTANCE_TYPE":   always("NoInstanceType"),
	"PLATFORM":        always("NoPlatform"),
	"TENANCY":         always("NoTenancy"),
	"DATABASE_ENGINE": always("NoDatabaseEngine"),
	"CACHE_ENGINE":    always("NoCacheEngine"),
	"BILLING_ENTITY":  always("AWS"),
	"LEGAL_ENTITY_NAME": always(
		"Amazon Web Services, Inc."),
}

func always(value string) costs.Group { return func(*billing.Labels) string { return value } }

func operation(l *billing.Labels) string {
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

// groups reads GroupBy; tags reports whether tags are among them.
func groups(in []api.GroupDefinition) (out []costs.Group, tags bool, err error) {
	if len(in) > 2 {
		return nil, false, invalid("Group Definition size should be between 1 and 2")
	}
	for _, g := range in {
		if g.Key == nil || g.Type == nil {
			return nil, false, invalid("Group Definition needs a type and a key")
		}
		switch *g.Type {
		case "TAG":
			key := *g.Key
			tags = true
			out = append(out, func(l *billing.Labels) string { return key + "$" + l.Tag(key) })
		case "COST_CATEGORY":
			out = append(out, always(*g.Key+"$"))
		default:
			by, ok := dimensions[*g.Key]
			if !ok {
				return nil, false, invalid("Group Definition dimension is invalid: %s", *g.Key)
			}
			out = append(out, by)
		}
	}
	if len(in) == 2 && *in[0].Key == *in[1].Key && *in[0].Type == *in[1].Type {
		return nil, false, invalid("Group Definition has duplicates")
	}
	return out, tags, nil
}

// matcher is what an expression keeps.
type matcher func(*billing.Labels) bool

// maxDepth bounds how deep expressions are nested.
const maxDepth = 16

// filter reads an expression; tags reports whether it needs the tags of tasks.
func filter(e *api.Expression) (keep matcher, tags bool, err error) {
	if e == nil {
		return func(*billing.Labels) bool { return true }, false, nil
	}
	p := &parser{}
	keep, err = p.expression(e, maxDepth)
	return keep, p.tags, err
}

type parser struct{ tags bool }

func (p *parser) expression(e *api.Expression, depth int) (matcher, error) {
	var parts []func() (matcher, error)
	if e.And != nil {
		parts = append(parts, func() (matcher, error) { return p.all(e.And, depth, true) })
	}
	if e.Or != nil {
		parts = append(parts, func() (matcher, error) { return p.all(e.Or, depth, false) })
	}
	if e.Not != nil {
		parts = append(parts, func() (matcher, error) {
			m, err := p.expression(e.Not, depth-1)
			return func(l *billing.Labels) bool { return !m(l) }, err
		})
	}
	if e.Dimensions != nil {
		parts = append(parts, func() (matcher, error) { return dimensionMatcher(e.Dimensions) })
	}
	if e.Tags != nil {
		parts = append(parts, func() (matcher, error) { p.tags = true; return tagMatcher(e.Tags) })
	}
	if e.CostCategories != nil {
		parts = append(parts, func() (matcher, error) {
			_, absent, err := values(e.CostCategories.Values, e.CostCategories.MatchOptions)
			return func(*billing.Labels) bool { return absent }, err // there are no categories
		})
	}
	if len(parts) != 1 {
		return nil, invalid("Expression should have exactly one of And, Or, Not, Dimensions, Tags and CostCategories")
	}
	if depth == 0 {
		return nil, invalid("Expression is nested too deep")
	}
	return parts[0]()
}

// all is true where every part is (and), or any (or).
func (p *parser) all(es []api.Expression, depth int, and bool) (matcher, error) {
	if len(es) == 0 {
		return nil, invalid("And and Or need expressions")
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

func dimensionMatcher(d *api.DimensionValues) (matcher, error) {
	if d.Key == nil {
		return nil, invalid("Dimensions need a key")
	}
	by, ok := dimensions[*d.Key]
	if !ok {
		return nil, invalid("Dimension %s is not supported", *d.Key)
	}
	match, absent, err := values(d.Values, d.MatchOptions)
	if err == nil && absent {
		err = invalid("Match option ABSENT is not supported for dimensions")
	}
	return func(l *billing.Labels) bool { return match(by(l)) }, err
}

func tagMatcher(t *api.TagValues) (matcher, error) {
	if t.Key == nil || *t.Key == "" {
		return nil, invalid("Tags need a key")
	}
	match, absent, err := values(t.Values, t.MatchOptions)
	key := *t.Key
	return func(l *billing.Labels) bool {
		for _, tag := range l.Tags {
			if tag.Key == key {
				return !absent && match(tag.Value)
			}
		}
		return absent || match("")
	}, err
}

// values reads values with the way they match; absent asks for there being none.
func values(want, options []string) (match func(string) bool, absent bool, err error) {
	how, fold := "EQUALS", false
	for _, o := range options {
		switch o {
		case "CASE_SENSITIVE":
		case "CASE_INSENSITIVE":
			fold = true
		case "GREATER_THAN_OR_EQUAL":
			return nil, false, invalid("Match option %s is not supported", o)
		default:
			how = o
		}
	}
	if how == "ABSENT" {
		if len(want) > 0 {
			return nil, false, invalid("Match option ABSENT takes no values")
		}
		return func(string) bool { return false }, true, nil
	}
	if len(want) == 0 {
		return nil, false, invalid("Values must not be empty")
	}
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
