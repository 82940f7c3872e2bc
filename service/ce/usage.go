package ce

import (
	"context"
	"strings"
	"time"

	"neargate/auth"
	api "neargate/aws/ce"
	"neargate/resource/billing/costs"
	"neargate/store"
	"neargate/store/tables"
)

// pageGroups is how many groups, of all periods together, an answer has at most.
const pageGroups = 1000

// metrics are what can be asked for, under the names that answers have.
var metrics = map[string]string{
	"AMORTIZED_COST": "AmortizedCost", "BLENDED_COST": "BlendedCost", "NET_AMORTIZED_COST": "NetAmortizedCost",
	"NET_UNBLENDED_COST": "NetUnblendedCost", "NORMALIZED_USAGE_AMOUNT": "NormalizedUsageAmount",
	"UNBLENDED_COST": "UnblendedCost", "USAGE_QUANTITY": "UsageQuantity",
}

func metric(name string) (string, bool) {
	if m, ok := metrics[name]; ok {
		return m, true
	}
	for _, m := range metrics {
		if m == name {
			return m, true
		}
	}
	return "", false
}

// GetCostAndUsage adds up what was used.
func (s *Service) GetCostAndUsage(ctx context.Context, in *api.GetCostAndUsageInput) (*api.GetCostAndUsageOutput, error) {
	q, err := s.query(in.TimePeriod, *in.Granularity)
	if err != nil {
		return nil, err
	}
	if err := s.past(q); err != nil {
		return nil, err
	}
	var names []string
	for _, m := range in.Metrics {
		name, ok := metric(m)
		if !ok {
			return nil, invalid("Invalid metric: %s", m)
		}
		names = append(names, name)
	}
	if len(names) == 0 {
		return nil, invalid("Metrics must not be empty")
	}
	var byTag, byFilter bool
	if q.GroupBy, byTag, err = groups(in.GroupBy); err != nil {
		return nil, err
	}
	if q.Keep, byFilter, err = filter(in.Filter); err != nil {
		return nil, err
	}
	request := *in
	request.NextPageToken = nil
	after, err := s.position(ctx, "GetCostAndUsage", request, in.NextPageToken)
	if err != nil {
		return nil, err
	}
	sheet, err := s.sheet(ctx, q, byTag || byFilter)
	if err != nil {
		return nil, err
	}
	out := &api.GetCostAndUsageOutput{GroupDefinitions: in.GroupBy, DimensionValueAttributes: []api.DimensionValuesWithAttributes{}}
	b := answer{q: q, metrics: names, month: month(s.deps.Now()), out: out}
	if next := b.page(sheet.Cells(), after); next != "" {
		out.NextPageToken = s.token(ctx, "GetCostAndUsage", request, next)
	}
	for _, g := range in.GroupBy {
		if *g.Type == "DIMENSION" && *g.Key == "LINKED_ACCOUNT" {
			attribute, err := s.account(ctx)
			if err != nil {
				return nil, err
			}
			out.DimensionValueAttributes = append(out.DimensionValueAttributes, attribute)
		}
	}
	return out, nil
}

func month(t time.Time) time.Time {
	t = t.UTC()
	return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
}

// answer builds the periods of a page.
type answer struct {
	q       costs.Query
	metrics []string
	month   time.Time // the one that is not over
	out     *api.GetCostAndUsageOutput
}

// page adds the cells after a position, and says where the next page begins.
func (b *answer) page(cells []costs.Cell, after string) (next string) {
	from, keys, _ := strings.Cut(after, "\x00")
	n := 0
	for _, p := range b.q.Periods() {
		start := p[0].Format(time.RFC3339)
		if start < from {
			continue
		}
		r := api.ResultByTime{
			TimePeriod: &api.DateInterval{Start: date(p[0], b.q.Step), End: date(p[1], b.q.Step)},
			Estimated:  new(p[1].After(b.month)), Groups: []api.Group{}, Total: map[string]api.MetricValue{},
		}
		for len(cells) > 0 && cells[0].Start.Before(p[0]) {
			cells = cells[1:]
		}
		if len(b.q.GroupBy) == 0 {
			c := costs.Cell{}
			if len(cells) > 0 && cells[0].Start.Equal(p[0]) {
				c = cells[0]
			}
			r.Total = b.values(&c)
		} else {
			for ; len(cells) > 0 && cells[0].Start.Equal(p[0]); cells = cells[1:] {
				name := strings.Join(cells[0].Keys, "\x00")
				if start == from && name <= keys {
					continue
				}
				r.Groups = append(r.Groups, api.Group{Keys: cells[0].Keys, Metrics: b.values(&cells[0])})
				n, next = n+1, start+"\x00"+name
				if n == pageGroups && len(cells) > 1 {
					b.out.ResultsByTime = append(b.out.ResultsByTime, r)
					return next
				}
			}
		}
		if start != from || len(r.Groups) > 0 {
			b.out.ResultsByTime = append(b.out.ResultsByTime, r)
		}
	}
	return ""
}

func (b *answer) values(c *costs.Cell) map[string]api.MetricValue {
	out := map[string]api.MetricValue{}
	for _, m := range b.metrics {
		out[m] = value(m, c)
	}
	return out
}

// value is a metric of a cell. Costs of all kinds are the same: nothing is
// reserved, and no discount is known.
func value(metric string, c *costs.Cell) api.MetricValue {
	switch metric {
	case "NormalizedUsageAmount":
		return api.MetricValue{Amount: new("0"), Unit: new("N/A")}
	case "UsageQuantity":
		sum, unit := c.Quantity()
		return api.MetricValue{Amount: new(sum.Text(places)), Unit: new(unit)}
	}
	return api.MetricValue{Amount: new(c.Cost().Text(places)), Unit: new(currency)}
}

// places are the digits after the point of amounts.
const places = 10

// account describes the caller's account.
func (s *Service) account(ctx context.Context) (api.DimensionValuesWithAttributes, error) {
	id := auth.CallerFrom(ctx).Account
	name := id
	err := s.deps.Store.View(ctx, func(tx store.Tx) error {
		a, ok, err := tables.Accounts.Find(tx, id)
		if ok && a.Name != "" {
			name = a.Name
		}
		return err
	})
	return api.DimensionValuesWithAttributes{Value: &id, Attributes: map[string]string{"description": name}}, err
}
