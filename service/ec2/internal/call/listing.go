package call

import (
	"context"
	"iter"
	"slices"
	"strings"

	wire "neargate/aws/ec2"
	"neargate/service/ec2/internal/filter"
	"neargate/service/internal/page"
	"neargate/store"
	"neargate/wire/shape"
)

// Bounds of MaxResults.
const (
	minResults = 5
	maxResults = 1000
)

// Query is what the paged Describe operations have in common.
type Query struct {
	IDs     []string
	Filters []wire.Filter
	Max     *int32
	Token   *string
}

// Page is the query of a request.
func Page(ids []string, filters []wire.Filter, limit *int32, token *string) Query {
	return Query{ids, filters, limit, token}
}

// Listing is a Describe operation over stored records of type R shown as W.
type Listing[R, W any] struct {
	Op      string
	Kind    Kind[R]
	IDs     string // name of the member that lists ids
	Filters filter.Set
	Render  func(Scope, *R) (W, error)
	// Bind is the filter whose values a pagination token is tied to, if any.
	Bind string
	// Trails says that every page after the first has a token while it has items,
	// even the last, as recorded of security groups.
	Trails bool
	// Narrow names the index that holds the candidates for an exact value of a
	// filter, by filter name.
	Narrow map[string]string
	// Keep leaves records out; nil: none.
	Keep func(*R) bool
	// Small says that pages may have fewer items than EC2's usually have at least.
	Small bool
}

// Run answers the operation: the resources with the ids asked for, or else a
// page of all.
func (l Listing[R, W]) Run(ctx context.Context, s *Env, q Query) (out []W, next *string, err error) {
	match, err := filter.Compile[W](l.Filters, FiltersOf(q.Filters))
	if err != nil {
		return nil, nil, err
	}
	usual := q
	if l.Small && q.Max != nil {
		usual.Max = new(max(*q.Max, minResults))
	}
	if err := CheckPage(l.IDs, usual); err != nil {
		return nil, nil, err
	}
	err = s.View(ctx, func(sc Scope) error {
		out, next = []W{}, nil
		if len(q.IDs) > 0 {
			out, err = l.byID(sc, q.IDs, match)
			return err
		}
		p, err := l.page(sc, s.Pages, q, match)
		out, next = p.items, p.next
		return err
	})
	return out, next, err
}

func (l Listing[R, W]) byID(sc Scope, ids []string, match func(*W) bool) ([]W, error) {
	out := []W{}
	for i, id := range ids {
		if slices.Contains(ids[:i], id) {
			continue
		}
		r, err := l.Kind.Get(sc, id)
		if err != nil {
			return nil, err
		}
		w, err := l.Render(sc, &r)
		if err != nil {
			return nil, err
		}
		if match(&w) && (l.Keep == nil || l.Keep(&r)) {
			out = append(out, w)
		}
	}
	return out, nil
}

type pageOf[W any] struct {
	items []W
	next  *string
}

func (l Listing[R, W]) page(sc Scope, sealer *page.Sealer, q Query, match func(*W) bool) (pageOf[W], error) {
	account, region := sc.Tenant()
	bound := []string{account, region, l.Op, strings.Join(valuesOf(q.Filters, l.Bind), ",")}
	after, err := OpenToken(sealer, q.Token, bound)
	if err != nil {
		return pageOf[W]{}, err
	}
	out := pageOf[W]{items: []W{}}
	last := ""
	for r, err := range l.records(sc, q.Filters, after) {
		if err != nil {
			return out, err
		}
		w, err := l.Render(sc, &r)
		if err != nil {
			return out, err
		}
		if !match(&w) || l.Keep != nil && !l.Keep(&r) {
			continue
		}
		if q.Max != nil && len(out.items) == int(*q.Max) {
			out.next = new(sealer.Seal(last, bound...))
			break
		}
		out.items = append(out.items, w)
		last = l.Kind.ID(&r)
	}
	if l.Trails && q.Token != nil && q.Max != nil && len(out.items) > 0 {
		out.next = new(sealer.Seal(last, bound...))
	}
	return out, nil
}

// records yields the caller's records after the one with the id after (""), in
// order of id: from an index where a filter allows, else all.
func (l Listing[R, W]) records(sc Scope, filters []wire.Filter, after string) iter.Seq2[R, error] {
	account, region := sc.Tenant()
	for name, index := range l.Narrow {
		values := valuesOf(filters, name)
		if len(values) != 1 || strings.ContainsAny(values[0], `*?\`+store.Sep) {
			continue
		}
		segments := []string{account, region, values[0]}
		from := ""
		if after != "" {
			from = store.Key(index, append(segments, account, region, after)...)
		}
		return l.Kind.Table.ByPage(sc.Tx, index, segments, from, 0)
	}
	var from []string
	if after != "" {
		from = []string{account, region, after}
	}
	return l.Kind.Table.Page(sc.Tx, []string{account, region}, from, 0)
}

// CheckPage refuses impossible page sizes and pages of explicit ids.
func CheckPage(ids string, q Query) error {
	if len(q.IDs) > 0 {
		const text = "The parameter %s cannot be used with the parameter %s"
		if q.Max != nil {
			return shape.Errorf("InvalidParameterCombination", text, ids, "MaxResults")
		}
		if q.Token != nil {
			return shape.Errorf("InvalidParameterCombination", text, ids, "NextToken")
		}
	}
	if q.Max != nil && *q.Max < minResults {
		return Invalid("Value ( %d ) for parameter maxResults is invalid. Expecting a value greater than %d.", *q.Max, minResults)
	}
	if q.Max != nil && *q.Max > maxResults {
		return Invalid("Value ( %d ) for parameter maxResults is invalid. Expecting a value smaller than or equal to %d.", *q.Max, maxResults)
	}
	return nil
}

// OpenToken is the position that a pagination token holds; it must be bound to the
// same things as it was.
func OpenToken(sealer *page.Sealer, token *string, bound []string) (string, error) {
	if token == nil {
		return "", nil
	}
	position, err := sealer.Open(*token, bound...)
	if err != nil {
		return "", Invalid("Value ( %s ) for parameter NextToken is invalid. The token is invalid.", *token)
	}
	return position, nil
}

// FiltersOf are the filters of a request.
func FiltersOf(in []wire.Filter) []filter.Filter {
	out := make([]filter.Filter, len(in))
	for i, f := range in {
		out[i] = filter.Filter{Name: Val(f.Name), Values: f.Values}
	}
	return out
}

// valuesOf returns the values of the filters of that name.
func valuesOf(filters []wire.Filter, name string) []string {
	var out []string
	for _, f := range filters {
		if name != "" && Val(f.Name) == name {
			out = append(out, f.Values...)
		}
	}
	return out
}
