// Package telemetry lets operators watch the daemon itself: Prometheus metrics
// of every API call and controller pass, and OpenTelemetry traces sent to an
// OTLP collector when one is configured in the environment.
package telemetry

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// Telemetry collects what the daemon does.
type Telemetry struct {
	registry *prometheus.Registry
	calls    *prometheus.HistogramVec
	passes   *prometheus.HistogramVec
	points   *prometheus.CounterVec
	tracer   trace.Tracer
	provider *sdk.TracerProvider // nil without a collector
}

// Call is one API call as the front door finished it.
type Call struct {
	Service, Operation string
	Account, Region    string
	RequestID          string
	Code               string // AWS error code; empty on success
	Status             int    // HTTP status
	Start              time.Time
	Took               time.Duration
}

// New starts collecting. Traces go to the OTLP/HTTP endpoint named by
// OTEL_EXPORTER_OTLP_ENDPOINT or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT; without
// either there are none.
// Source: OpenTelemetry specification, OTLP exporter configuration.
func New(ctx context.Context, getenv func(string) string, version string) (*Telemetry, error) {
	t := &Telemetry{
		registry: prometheus.NewRegistry(),
		calls: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "neargate_api_call_seconds", Help: "Time from a request's arrival to its answer.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 4, 9),
		}, []string{"service", "operation", "status", "code"}),
		passes: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "neargate_controller_pass_seconds", Help: "Time of one controller pass: load, plan and write.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 4, 9),
		}, []string{"controller", "result"}),
		points: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "neargate_logs_metric_points_total", Help: "Points that metric filters made of log events.",
		}, []string{"account"}),
		tracer: noop.NewTracerProvider().Tracer("neargate"),
	}
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "neargate_build_info", Help: "Always 1; the version is a label.", ConstLabels: prometheus.Labels{"version": version},
	})
	info.Set(1)
	t.registry.MustRegister(t.calls, t.passes, t.points, info, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if getenv("OTEL_EXPORTER_OTLP_ENDPOINT") == "" && getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") == "" {
		return t, nil
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, err
	}
	t.provider = sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(resource.NewSchemaless(
		attribute.String("service.name", "neargate"), attribute.String("service.version", version))))
	t.tracer = t.provider.Tracer("neargate")
	return t, nil
}

// Handler serves the metrics in the Prometheus exposition formats.
func (t *Telemetry) Handler() http.Handler {
	return promhttp.HandlerFor(t.registry, promhttp.HandlerOpts{Registry: t.registry})
}

// Call records an API call.
func (t *Telemetry) Call(ctx context.Context, c Call) {
	t.calls.WithLabelValues(c.Service, c.Operation, strconv.Itoa(c.Status), c.Code).Observe(c.Took.Seconds())
	if t.provider == nil {
		return
	}
	_, span := t.tracer.Start(ctx, c.Service+"."+c.Operation, trace.WithTimestamp(c.Start),
		trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
			attribute.String("rpc.system", "aws-api"), attribute.String("rpc.service", c.Service),
			attribute.String("rpc.method", c.Operation), attribute.String("aws.request_id", c.RequestID),
			attribute.String("cloud.account.id", c.Account), attribute.String("cloud.region", c.Region),
			attribute.Int("http.response.status_code", c.Status)))
	if c.Code != "" {
		span.SetAttributes(attribute.String("error.type", c.Code))
		span.SetStatus(codes.Error, c.Code)
	}
	span.End(trace.WithTimestamp(c.Start.Add(c.Took)))
}

// Pass records a controller pass.
func (t *Telemetry) Pass(controller string, took time.Duration, err error) {
	result := "ok"
	if err != nil {
		result = "error"
	}
	t.passes.WithLabelValues(controller, result).Observe(took.Seconds())
}

// MetricPoint records a point that a metric filter of an account made.
func (t *Telemetry) MetricPoint(account string) { t.points.WithLabelValues(account).Inc() }

// Close sends what is left to the collector; it waits no longer than ctx.
func (t *Telemetry) Close(ctx context.Context) error {
	if t.provider == nil {
		return nil
	}
	return t.provider.Shutdown(ctx)
}
