package budgets

import (
	"context"
	"slices"
	"time"

	api "neargate/aws/budgets"
	"neargate/resource/billing"
	"neargate/resource/billing/costs"
	"neargate/resource/budget"
)

// show is a budget as answers have it, with what was spent in its period so far.
func (s *Service) show(ctx context.Context, b *budget.Budget) (*api.Budget, error) {
	out := &api.Budget{
		BudgetName: &b.Name, BudgetType: &b.Type, TimeUnit: new(string(b.Unit)), CostFilters: b.Filters, Metrics: b.Metrics,
		TimePeriod: &api.TimePeriod{Start: &b.Start, End: &b.End}, LastUpdatedTime: &b.UpdatedAt, FilterExpression: shown(b.Filter),
		HealthStatus: &api.HealthStatus{Status: new("HEALTHY"), LastUpdatedTime: &b.UpdatedAt},
	}
	if out.CostFilters == nil {
		out.CostFilters = map[string][]string{}
	}
	if b.Type == "COST" && len(b.Metrics) == 0 {
		out.CostTypes = &api.CostTypes{}
		for name, t := range costTypes(out.CostTypes) {
			*t.to = new(slices.Contains(b.Types, name))
		}
	}
	if b.Limit != nil {
		out.BudgetLimit = &api.Spend{Amount: &b.Limit.Amount, Unit: &b.Limit.Unit}
	}
	for at, p := range b.Planned {
		if out.PlannedBudgetLimits == nil {
			out.PlannedBudgetLimits = map[string]api.Spend{}
		}
		out.PlannedBudgetLimits[at] = api.Spend{Amount: &p.Amount, Unit: &p.Unit}
	}
	var err error
	out.CalculatedSpend, err = s.spend(ctx, b)
	return out, err
}

// history is how many days before today a forecast rests on.
const history = 30

// spend adds up what counts towards a budget in its period, and what will, if
// days go on like the last ones.
func (s *Service) spend(ctx context.Context, b *budget.Budget) (*api.CalculatedSpend, error) {
	now := s.deps.Now().UTC()
	today := now.Truncate(24 * time.Hour)
	from, to := b.Period(now)
	keep, tags, err := filterOf(b)
	if err != nil {
		return nil, err
	}
	actual, err := s.sum(ctx, b, costs.Query{From: from, To: to, Step: costs.Total, Keep: keep}, tags)
	if err != nil {
		return nil, err
	}
	spent := total(b, actual)
	unit := b.LimitUnit()
	out := &api.CalculatedSpend{ActualSpend: &api.Spend{Amount: new(plain(spent)), Unit: &unit}}
	if !to.After(now) || !from.Before(to) {
		return out, nil
	}
	past, err := s.sum(ctx, b, costs.Query{From: today.AddDate(0, 0, -history), To: today, Step: costs.Daily, Keep: keep}, tags)
	if err != nil || len(past) == 0 {
		return out, err
	}
	days := make([]billing.Decimal, today.Sub(past[0].Start)/(24*time.Hour))
	for i := range past {
		days[past[i].Start.Sub(past[0].Start)/(24*time.Hour)] = b.Count(&past[i])
	}
	left := to.Sub(now)
	if from.After(now) {
		left = to.Sub(from)
	}
	mean, _, _ := costs.NewForecast(days, 80).Days(billing.Ratio(int64(left/time.Second), 24*3600))
	out.ForecastedSpend = &api.Spend{Amount: new(plain(spent.Add(mean))), Unit: &unit}
	return out, nil
}

func total(b *budget.Budget, cells []costs.Cell) (sum billing.Decimal) {
	for i := range cells {
		sum = sum.Add(b.Count(&cells[i]))
	}
	return sum
}

// sum adds up an account's usage.
func (s *Service) sum(ctx context.Context, b *budget.Budget, q costs.Query, tags bool) ([]costs.Cell, error) {
	if !q.From.Before(q.To) {
		return nil, nil
	}
	sheet := costs.NewSheet(q, billing.AWS)
	for row, err := range s.usage.Rows(ctx, billing.Scan{From: q.From, To: q.To, Tags: tags, Account: b.Account}) {
		if err != nil {
			return nil, err
		}
		sheet.Add(row)
	}
	return sheet.Cells(), nil
}

// shown is an expression as answers have it.
func shown(e *costs.Expression) *api.Expression {
	if e == nil {
		return nil
	}
	out := &api.Expression{Not: shown(e.Not)}
	for i := range e.And {
		out.And = append(out.And, *shown(&e.And[i]))
	}
	for i := range e.Or {
		out.Or = append(out.Or, *shown(&e.Or[i]))
	}
	if d := e.Dimension; d != nil {
		out.Dimensions = &api.ExpressionDimensionValues{Key: &d.Key, Values: d.Values, MatchOptions: d.Options}
	}
	if t := e.Tag; t != nil {
		out.Tags = &api.TagValues{Key: &t.Key, Values: t.Values, MatchOptions: t.Options}
	}
	if c := e.Category; c != nil {
		out.CostCategories = &api.CostCategoryValues{Key: &c.Key, Values: c.Values, MatchOptions: c.Options}
	}
	return out
}
