package ce

import (
	"context"
	"time"

	api "neargate/aws/ce"
	"neargate/resource/billing"
	"neargate/resource/billing/costs"
)

// history is how many days before today a forecast rests on.
const history = 30

// defaultLevel is the percentage of cases within the bounds unless the request says.
const defaultLevel = 80

// GetCostForecast says what days to come will cost if they are like the last ones.
func (s *Service) GetCostForecast(ctx context.Context, in *api.GetCostForecastInput) (*api.GetCostForecastOutput, error) {
	if *in.Granularity == string(costs.Hourly) {
		return nil, invalid("Hourly granularity is not supported for forecasts")
	}
	q, err := s.query(in.TimePeriod, *in.Granularity)
	if err != nil {
		return nil, err
	}
	today := s.deps.Now().UTC().Truncate(24 * time.Hour)
	switch {
	case q.From.Before(today):
		return nil, invalid("Start date of a forecast should not be in the past")
	case q.To.After(today.AddDate(1, 0, 0)):
		return nil, invalid("End date of a forecast should be within a year")
	}
	name := metrics[*in.Metric]
	if name == "NormalizedUsageAmount" {
		return nil, invalid("Metric %s is not supported for forecasts", *in.Metric)
	}
	keep, tags, err := filter(in.Filter)
	if err != nil {
		return nil, err
	}
	days, unit, err := s.days(ctx, costs.Query{From: today.AddDate(0, 0, -history), To: today, Step: costs.Daily, Keep: keep}, name, tags)
	if err != nil {
		return nil, err
	}
	level := defaultLevel
	if in.PredictionIntervalLevel != nil {
		level = int(*in.PredictionIntervalLevel)
	}
	f, out := costs.NewForecast(days, level), &api.GetCostForecastOutput{}
	var total billing.Decimal
	for _, p := range q.Periods() {
		mean, lower, upper := f.Days(billing.Int(int64(p[1].Sub(p[0]) / (24 * time.Hour))))
		total = total.Add(mean)
		r := api.ForecastResult{
			TimePeriod: &api.DateInterval{Start: date(p[0], q.Step), End: date(p[1], q.Step)}, MeanValue: new(mean.Text(places)),
		}
		if in.PredictionIntervalLevel != nil {
			r.PredictionIntervalLowerBound, r.PredictionIntervalUpperBound = new(lower.Text(places)), new(upper.Text(places))
		}
		out.ForecastResultsByTime = append(out.ForecastResultsByTime, r)
	}
	out.Total = &api.MetricValue{Amount: new(total.Text(places)), Unit: &unit}
	return out, nil
}

// days are what each day of the query's time made of a metric, from the first
// with any usage on.
func (s *Service) days(ctx context.Context, q costs.Query, metric string, tags bool) (out []billing.Decimal, unit string, err error) {
	sheet, err := s.sheet(ctx, q, tags)
	if err != nil {
		return nil, "", err
	}
	unit = currency
	cells := sheet.Cells()
	if len(cells) == 0 {
		return nil, "", api.DataUnavailableException("Insufficient amount of historical data to generate forecast")
	}
	out = make([]billing.Decimal, q.To.Sub(cells[0].Start)/(24*time.Hour))
	for i := range cells {
		out[cells[i].Start.Sub(cells[0].Start)/(24*time.Hour)] = amount(metric, &cells[i])
		if metric == "UsageQuantity" {
			_, was := cells[i].Quantity()
			if i > 0 && was != unit {
				was = "N/A"
			}
			unit = was
		}
	}
	return out, unit, nil
}
