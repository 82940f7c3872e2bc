package ce

import (
	api "neargate/aws/ce"
	"neargate/resource/billing"
	"neargate/resource/billing/costs"
)

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
			out = append(out, costs.Always(*g.Key+"$"))
		default:
			by, ok := costs.Dimension(*g.Key)
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

// filter reads an expression; tags reports whether it needs the tags of tasks.
func filter(e *api.Expression) (keep func(*billing.Labels) bool, tags bool, err error) {
	keep, tags, err = expression(e).Filter()
	if err != nil {
		err = invalid("%s", err)
	}
	return keep, tags, err
}

// expression is an expression of the API as costs knows it.
func expression(e *api.Expression) *costs.Expression {
	if e == nil {
		return nil
	}
	out := &costs.Expression{And: expressions(e.And), Or: expressions(e.Or), Not: expression(e.Not)}
	if d := e.Dimensions; d != nil {
		out.Dimension = &costs.Values{Key: text(d.Key), Values: d.Values, Options: d.MatchOptions}
	}
	if t := e.Tags; t != nil {
		out.Tag = &costs.Values{Key: text(t.Key), Values: t.Values, Options: t.MatchOptions}
	}
	if c := e.CostCategories; c != nil {
		out.Category = &costs.Values{Key: text(c.Key), Values: c.Values, Options: c.MatchOptions}
	}
	return out
}

func expressions(es []api.Expression) []costs.Expression {
	if es == nil {
		return nil
	}
	out := []costs.Expression{}
	for i := range es {
		out = append(out, *expression(&es[i]))
	}
	return out
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
