package ec2

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

// query is what the paged Describe operations have in common.
type query struct {
	ids     []string
	filters []wire.Filter
	max     *int32
	token   *string
}

// listing is a Describe operation over stored records of type R shown as W.
type listing[R, W any] struct {
	op      string
	kind    kind[R]
	ids     string // name of the member that lists ids
	filters filter.Set
	render  func(scope, *R) (W, error)
	// bind is the filter whose values a pagination token is tied to, if any.
	bind string
	// trails says that every page after the first has a token while it has items,
	// even the last, as recorded of security groups.
	trails bool
	// narrow names the index that holds the candidates for an exact value of a
	// filter, by filter name.
	narrow map[string]string
}

// run answers the operation: the resources with the ids asked for, or else a
// page of all.
func (l listing[R, W]) run(ctx context.Context, s *Service, q query) (out []W, next *string, err error) {
	match, err := filter.Compile[W](l.filters, filtersOf(q.filters))
	if err != nil {
		return nil, nil, err
	}
	if err := checkPage(l.ids, q); err != nil {
		return nil, nil, err
	}
	err = s.view(ctx, func(sc scope) error {
		out, next = []W{}, nil
		if len(q.ids) > 0 {
			out, err = l.byID(sc, q.ids, match)
			return err
		}
		p, err := l.page(sc, s.sealer, q, match)
		out, next = p.items, p.next
		return err
	})
	return out, next, err
}

func (l listing[R, W]) byID(sc scope, ids []string, match func(*W) bool) ([]W, error) {
	out := []W{}
	for i, id := range ids {
		if slices.Contains(ids[:i], id) {
			continue
		}
		r, err := l.kind.get(sc, id)
		if err != nil {
			return nil, err
		}
		w, err := l.render(sc, &r)
		if err != nil {
			return nil, err
		}
		if match(&w) {
			out = append(out, w)
		}
	}
	return out, nil
}

type pageOf[W any] struct {
	items []W
	next  *string
}

func (l listing[R, W]) page(sc scope, sealer *page.Sealer, q query, match func(*W) bool) (pageOf[W], error) {
	account, region := sc.tenant()
	bound := []string{account, region, l.op, strings.Join(valuesOf(q.filters, l.bind), ",")}
	after, err := openToken(sealer, q.token, bound)
	if err != nil {
		return pageOf[W]{}, err
	}
	out := pageOf[W]{items: []W{}}
	last := ""
	for r, err := range l.records(sc, q.filters, after) {
		if err != nil {
			return out, err
		}
		w, err := l.render(sc, &r)
		if err != nil {
			return out, err
		}
		if !match(&w) {
			continue
		}
		if q.max != nil && len(out.items) == int(*q.max) {
			out.next = new(sealer.Seal(last, bound...))
			break
		}
		out.items = append(out.items, w)
		last = l.kind.id(&r)
	}
	if l.trails && q.token != nil && q.max != nil && len(out.items) > 0 {
		out.next = new(sealer.Seal(last, bound...))
	}
	return out, nil
}

// records yields the caller's records after the one with the id after (""), in
// order of id: from an index where a filter allows, else all.
func (l listing[R, W]) records(sc scope, filters []wire.Filter, after string) iter.Seq2[R, error] {
	account, region := sc.tenant()
	for name, index := range l.narrow {
		values := valuesOf(filters, name)
		if len(values) != 1 || strings.ContainsAny(values[0], `*?\`+store.Sep) {
			continue
		}
		segments := []string{account, region, values[0]}
		from := ""
		if after != "" {
			from = store.Key(index, append(segments, account, region, after)...)
		}
		return l.kind.table.ByPage(sc.tx, index, segments, from, 0)
	}
	var from []string
	if after != "" {
		from = []string{account, region, after}
	}
	return l.kind.table.Page(sc.tx, []string{account, region}, from, 0)
}

// checkPage refuses impossible page sizes and pages of explicit ids.
func checkPage(ids string, q query) error {
	if len(q.ids) > 0 {
		const text = "The parameter %s cannot be used with the parameter %s"
		if q.max != nil {
			return shape.Errorf("InvalidParameterCombination", text, ids, "MaxResults")
		}
		if q.token != nil {
			return shape.Errorf("InvalidParameterCombination", text, ids, "NextToken")
		}
	}
	if q.max != nil && *q.max < minResults {
		return invalid("Value ( %d ) for parameter maxResults is invalid. Expecting a value greater than %d.", *q.max, minResults)
	}
	if q.max != nil && *q.max > maxResults {
		return invalid("Value ( %d ) for parameter maxResults is invalid. Expecting a value smaller than or equal to %d.", *q.max, maxResults)
	}
	return nil
}

func openToken(sealer *page.Sealer, token *string, bound []string) (string, error) {
	if token == nil {
		return "", nil
	}
	position, err := sealer.Open(*token, bound...)
	if err != nil {
		return "", invalid("Value ( %s ) for parameter NextToken is invalid. The token is invalid.", *token)
	}
	return position, nil
}

func filtersOf(in []wire.Filter) []filter.Filter {
	out := make([]filter.Filter, len(in))
	for i, f := range in {
		out[i] = filter.Filter{Name: val(f.Name), Values: f.Values}
	}
	return out
}

// valuesOf returns the values of the filters of that name.
func valuesOf(filters []wire.Filter, name string) []string {
	var out []string
	for _, f := range filters {
		if name != "" && val(f.Name) == name {
			out = append(out, f.Values...)
		}
	}
	return out
}
