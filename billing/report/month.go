package report

import (
	"context"
	"time"
)

// MonthToDate is the bill of the month that a time is in, by account, region,
// cluster, service and usage type.
func MonthToDate(ctx context.Context, b Book, now time.Time) (*Report, error) {
	now = now.UTC()
	from := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
	r := Request{From: from, To: from.AddDate(0, 1, 0), GroupBy: []string{"account", "region", "cluster", "service", "usage-type"}}
	return r.Report(ctx, b, now)
}
