package ce

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"

	"neargate/auth"
	api "neargate/aws/ce"
	"neargate/resource/billing"
	"neargate/resource/billing/costs"
)

// defaultValues is how many values an answer has unless the request says.
const defaultValues = 1000

// GetDimensionValues lists the values that a dimension has in the usage of a time.
func (s *Service) GetDimensionValues(ctx context.Context, in *api.GetDimensionValuesInput) (*api.GetDimensionValuesOutput, error) {
	by, ok := costs.Dimension(*in.Dimension)
	if !ok {
		return nil, invalid("Dimension %s is not supported", *in.Dimension)
	}
	request := *in
	request.NextPageToken = nil
	l := listing{
		operation: "GetDimensionValues", request: request, period: in.TimePeriod, filter: in.Filter, search: in.SearchString,
		sort: in.SortBy, limit: in.MaxResults, token: in.NextPageToken, by: by,
	}
	if in.Context != nil && *in.Context != "COST_AND_USAGE" {
		l.by = nil // nothing is reserved
	}
	found, err := s.list(ctx, l)
	if err != nil {
		return nil, err
	}
	out := &api.GetDimensionValuesOutput{
		DimensionValues: []api.DimensionValuesWithAttributes{}, NextPageToken: found.next,
		ReturnSize: new(int32(len(found.values))), TotalSize: new(int32(found.total)),
	}
	for _, v := range found.values {
		d := api.DimensionValuesWithAttributes{Value: &v, Attributes: map[string]string{}}
		if *in.Dimension == "LINKED_ACCOUNT" {
			if d, err = s.account(ctx); err != nil {
				return nil, err
			}
		}
		out.DimensionValues = append(out.DimensionValues, d)
	}
	return out, nil
}

// GetTags lists the keys of tags in the usage of a time, or the values of one.
func (s *Service) GetTags(ctx context.Context, in *api.GetTagsInput) (*api.GetTagsOutput, error) {
	request := *in
	request.NextPageToken = nil
	l := listing{
		operation: "GetTags", request: request, period: in.TimePeriod, filter: in.Filter, search: in.SearchString,
		sort: in.SortBy, limit: in.MaxResults, token: in.NextPageToken, tags: true,
	}
	if in.TagKey != nil {
		l.by = func(l *billing.Labels) string { return l.Tag(*in.TagKey) }
	} else {
		l.keys = true
	}
	found, err := s.list(ctx, l)
	if err != nil {
		return nil, err
	}
	return &api.GetTagsOutput{
		Tags: found.values, NextPageToken: found.next, ReturnSize: new(int32(len(found.values))), TotalSize: new(int32(found.total)),
	}, nil
}

// listing is what GetDimensionValues and GetTags have in common.
type listing struct {
	operation string
	request   any
	period    *api.DateInterval
	filter    *api.Expression
	search    *string
	sort      []api.SortDefinition
	limit     *int32
	token     *string
	by        costs.Group // nil: there are no values
	keys      bool        // list the keys of tags instead
	tags      bool
}

type found struct {
	values []string
	next   *string
	total  int
}

func (s *Service) list(ctx context.Context, l listing) (f found, err error) {
	f.values = []string{}
	q, err := s.listed(l)
	if err != nil {
		return f, err
	}
	tags := false
	if q.Keep, tags, err = filter(l.filter); err != nil {
		return f, err
	}
	position, err := s.position(ctx, l.operation, l.request, l.token)
	if err != nil {
		return f, err
	}
	start := 0
	if position != "" {
		if start, err = strconv.Atoi(position); err != nil {
			return f, api.InvalidNextTokenException("Invalid next page token")
		}
	}
	var all []string
	switch {
	case l.keys:
		all, err = s.tagKeys(ctx, q)
	case l.by != nil:
		all, err = s.groupValues(ctx, q, l, tags || l.tags)
	}
	if err != nil {
		return f, err
	}
	if l.search != nil {
		all = slices.DeleteFunc(all, func(v string) bool { return !strings.Contains(strings.ToLower(v), strings.ToLower(*l.search)) })
	}
	limit := defaultValues
	if l.limit != nil {
		limit = min(limit, int(*l.limit))
	}
	f.total = len(all)
	start = min(start, len(all))
	end := min(start+limit, len(all))
	f.values = append(f.values, all[start:end]...)
	if end < len(all) {
		f.next = s.token(ctx, l.operation, l.request, strconv.Itoa(end))
	}
	return f, nil
}

// listed reads the time of a listing, which is in days.
func (s *Service) listed(l listing) (costs.Query, error) {
	q, err := s.query(l.period, string(costs.Daily))
	if err == nil {
		err = s.past(q)
	}
	q.Step = costs.Total
	switch {
	case err != nil:
	case len(l.sort) > 1:
		err = invalid("SortBy takes one definition")
	case len(l.sort) == 1 && (l.token != nil || l.search != nil):
		err = invalid("SortBy is not supported with NextPageToken and SearchString")
	case len(l.sort) == 1:
		if _, ok := metric(*l.sort[0].Key); !ok {
			err = invalid("Invalid sort key: %s", *l.sort[0].Key)
		}
	}
	return q, err
}

// tagKeys lists the keys of tags of the usage, in order.
func (s *Service) tagKeys(ctx context.Context, q costs.Query) ([]string, error) {
	seen, known := map[string]bool{}, map[*billing.Labels]bool{}
	for row, err := range s.usage.Rows(ctx, billing.Scan{From: q.From, To: q.To, Tags: true, Account: auth.CallerFrom(ctx).Account}) {
		if err != nil {
			return nil, err
		}
		if known[row.Labels] || !q.Keep(row.Labels) {
			continue
		}
		if len(known) > 1<<15 {
			clear(known)
		}
		known[row.Labels] = true
		for _, t := range row.Tags {
			seen[t.Key] = true
		}
	}
	var out []string
	for k := range seen {
		out = append(out, k)
	}
	slices.Sort(out)
	return out, nil
}

// groupValues lists the values of a group in the usage, in order, or by a metric.
func (s *Service) groupValues(ctx context.Context, q costs.Query, l listing, tags bool) ([]string, error) {
	q.GroupBy = []costs.Group{l.by}
	sheet, err := s.sheet(ctx, q, tags)
	if err != nil {
		return nil, err
	}
	cells := sheet.Cells()
	if len(l.sort) == 1 {
		name, _ := metric(*l.sort[0].Key)
		slices.SortStableFunc(cells, func(a, b costs.Cell) int {
			n := amount(name, &a).Cmp(amount(name, &b))
			if l.sort[0].SortOrder == nil || *l.sort[0].SortOrder == "DESCENDING" {
				n = -n
			}
			return cmp.Or(n, cmp.Compare(a.Keys[0], b.Keys[0]))
		})
	}
	var out []string
	for _, c := range cells {
		out = append(out, c.Keys[0])
	}
	return out, nil
}

// amount is a metric of a cell as a number.
func amount(metric string, c *costs.Cell) billing.Decimal {
	switch metric {
	case "NormalizedUsageAmount":
		return billing.Decimal{}
	case "UsageQuantity":
		sum, _ := c.Quantity()
		return sum
	}
	return c.Cost()
}
