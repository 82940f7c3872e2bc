package main

import (
	"fmt"
	"html/template"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

const taskJSON = `{"Cluster":"arn:aws:ecs:us-east-1:123456789012:cluster/demo","TaskARN":"arn:aws:ecs:us-east-1:123456789012:task/demo/0123","Family":"sample","Revision":"7","KnownStatus":"RUNNING","Limits":{"CPU":0.25,"Memory":512},"AvailabilityZone":"us-east-1b","LaunchType":"FARGATE","Containers":[]}`
const selfJSON = `{"Name":"web","Image":"registry/sample:<latest>","KnownStatus":"RUNNING","Networks":[{"NetworkMode":"awsvpc","IPv4Addresses":["172.31.0.9"],"MACAddress":"12:00:00:00:00:09","IPv4SubnetCIDRBlock":"172.31.0.0/20","PrivateDNSName":"ip-172-31-0-9.ec2.internal"}]}`

// The page shows the task's metadata, escaped, and says what it cannot get.
func TestPage(t *testing.T) {
	up := true
	metadata := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !up:
			http.Error(w, "no", http.StatusInternalServerError)
		case r.URL.Path == "/v4/x/task":
			fmt.Fprint(w, taskJSON)
		case r.URL.Path == "/v4/x":
			fmt.Fprint(w, selfJSON)
		case r.URL.Path == "/v4/x/stats":
			fmt.Fprint(w, `{"memory_stats":{"usage":10485760},"cpu_stats":{"cpu_usage":{"total_usage":5000000}}}`)
		default:
			http.NotFound(w, r)
		}
	}))
	defer metadata.Close()
	get := func(uri, path string) (int, string) {
		s := &server{uri: uri, begin: time.Now(), page: template.Must(template.New("page").Funcs(template.FuncMap{"mib": mib, "last": last}).Parse(source))}
		w := httptest.NewRecorder()
		s.routes().ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		body, err := io.ReadAll(w.Result().Body)
		if err != nil {
			t.Fatal(err)
		}
		return w.Code, string(body)
	}
	status, body := get(metadata.URL+"/v4/x", "/")
	for _, want := range []string{"task/demo/0123", "sample:7", "us-east-1b", "512 MiB", "10 MiB, 5ms", "172.31.0.9", "registry/sample:&lt;latest&gt;", "RUNNING"} {
		if status != 200 || !strings.Contains(body, want) {
			t.Errorf("%d, no %q in\n%s", status, want, body)
		}
	}
	if status, body = get(metadata.URL+"/v4/x", "/task.json"); status != 200 || body != taskJSON {
		t.Errorf("%d %s", status, body)
	}
	up = false
	if status, body = get(metadata.URL+"/v4/x", "/"); status != 200 || !strings.Contains(body, "500 Internal Server Error") {
		t.Errorf("%d %s", status, body)
	}
	if status, body = get("", "/"); status != 200 || !strings.Contains(body, "no ECS_CONTAINER_METADATA_URI_V4") {
		t.Errorf("%d %s", status, body)
	}
	if status, _ = get("", "/task.json"); status != http.StatusBadGateway {
		t.Error(status)
	}
}
