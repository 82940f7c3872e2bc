package main

import (
	"context"
	"time"

	"neargate/internal/telemetry"
	"neargate/resource/logs"
	"neargate/service/logs/meter"
)

// queriesAtATime is how many Logs Insights queries run at a time; each may take
// 64 MiB of memory and a core.
const queriesAtATime = 4

// runLogs starts what happens to log events beside calls: they expire, are
// queried, and make points of metrics.
func (d *daemon) runLogs(part func(name string, f func(context.Context) error)) {
	part("log events", func(ctx context.Context) error { return d.logs.Run(ctx, d.store, d.log) })
	for range queriesAtATime {
		part("log queries", func(ctx context.Context) error { return d.logAPI.RunQueries(ctx, d.log) })
	}
	part("log exports", func(ctx context.Context) error { return d.logAPI.Exporter.Run(ctx, d.log) })
	part("metric filters", func(ctx context.Context) error {
		return meter.New(d.store, points{d.tel}, time.Now).Run(ctx, d.logs, d.log)
	})
}

// points counts what metric filters make, as long as there is no store of
// metrics to put it into.
type points struct{ tel *telemetry.Telemetry }

// Put implements meter.Metrics.
func (p points) Put(m logs.MetricPoint) { p.tel.MetricPoint(m.Account) }
