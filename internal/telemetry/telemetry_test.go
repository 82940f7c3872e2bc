package telemetry

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestMetrics(t *testing.T) {
	tel, err := New(t.Context(), func(string) string { return "" }, "v1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	tel.Call(t.Context(), Call{Service: "ecs", Operation: "RunTask", Status: 400, Code: "ClientException", Took: time.Millisecond})
	tel.Pass("deploy", time.Millisecond, nil)
	tel.MetricPoint("123456789012")
	err = tel.Costs(func() ([]Cost, error) {
		return []Cost{{"123456789012", "us-east-1", "c", "web", "USE1-Fargate-GB-Hours", "USD", 1.25}}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(tel.Handler())
	defer srv.Close()
	resp, err := http.Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	for _, want := range []string{
		`neargate_api_call_seconds_count{code="ClientException",operation="RunTask",service="ecs",status="400"} 1`,
		`neargate_controller_pass_seconds_count{controller="deploy",result="ok"} 1`,
		`neargate_build_info{version="v1.2.3"} 1`,
		`neargate_logs_metric_points_total{account="123456789012"} 1`,
		`neargate_cost_month_to_date{account="123456789012",cluster="c",currency="USD",region="us-east-1",service="web",usage_type="USE1-Fargate-GB-Hours"} 1.25`,
	} {
		if !strings.Contains(string(b), want) {
			t.Errorf("no %s in the metrics", want)
		}
	}
}

func TestTracesReachTheCollector(t *testing.T) {
	var got atomic.Int64
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		if r.URL.Path == "/v1/traces" && strings.Contains(string(b), "ecs.RunTask") {
			got.Add(1)
		}
	}))
	defer collector.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	tel, err := New(t.Context(), func(k string) string { return map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": collector.URL}[k] }, "v1")
	if err != nil {
		t.Fatal(err)
	}
	tel.Call(t.Context(), Call{Service: "ecs", Operation: "RunTask", Status: 200, Start: time.Now(), Took: time.Millisecond})
	if err := tel.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got.Load() != 1 {
		t.Error("no span arrived")
	}
}
