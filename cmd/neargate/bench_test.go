package main

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"neargate/arn"
	"neargate/internal/install"
	"neargate/internal/room"
	"neargate/internal/telemetry"
	"neargate/resource/network"
	"neargate/store/etcd"
)

// client makes signed ECS calls to a handler, without a network.
type client struct {
	b       *testing.B
	handler http.Handler
	key     install.Credentials
}

// newClient is a client of a front door with everything behind it that a daemon
// has, but for throttling.
func newClient(b *testing.B) client {
	d := &daemon{options: options{dir: install.Dir(b.TempDir()), noThrottle: true}, log: slog.New(slog.DiscardHandler), ids: arn.NewSource(rand.Reader)}
	var err error
	if d.tel, err = telemetry.New(b.Context(), func(string) string { return "" }, "bench"); err != nil {
		b.Fatal(err)
	}
	if d.room, err = room.Open(d.dir.Store(), d.log); err != nil {
		b.Fatal(err)
	}
	if d.store, err = etcd.Open(b.Context(), etcd.Config{Dir: d.dir.Store(), Logger: d.log}); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { d.store.Close() })
	if err := errors.Join(d.dir.Make(), d.readSecrets(), d.openData(), d.openTrail()); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = errors.Join(d.logs.Close(), d.objects.Close(), d.closeTrail()) })
	var recording sync.WaitGroup
	ctx, stop := context.WithCancel(context.Background())
	recording.Go(func() { _ = d.audit.Run(ctx) })
	b.Cleanup(func() { stop(); recording.Wait() })
	if d.ecr, err = d.openRegistries(); err != nil {
		b.Fatal(err)
	}
	if err := d.openUsage(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { d.usage.Ledger.Close() })
	d.admin = &admin{dir: d.dir, store: d.store, usage: d.usage, now: time.Now, ids: d.ids}
	root, err := d.admin.ensureRoot(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	door, err := d.frontDoor(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	return client{b, door, root}
}

// sign makes a request (AWS Signature Version 4) to ECS or, where the operation
// starts with "logs:", to CloudWatch Logs.
func (c client) sign(operation, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	at := time.Now().UTC().Format("20060102T150405Z")
	service, target := "ecs", "AmazonEC2ContainerServiceV20141113."+operation
	if name, ok := strings.CutPrefix(operation, "logs:"); ok {
		service, target = "logs", "Logs_20140328."+name
	}
	const mime, names = "application/x-amz-json-1.1", "content-type;host;x-amz-date;x-amz-target"
	canonical := strings.Join([]string{"POST", "/", "", "content-type:" + mime, "host:" + r.Host, "x-amz-date:" + at,
		"x-amz-target:" + target, "", names, sum(body)}, "\n")
	scope := []string{at[:8], arn.DefaultRegion, service, "aws4_request"}
	key := []byte("AWS4" + c.key.Secret)
	for _, part := range append(scope, strings.Join([]string{"AWS4-HMAC-SHA256", at, strings.Join(scope, "/"), sum(canonical)}, "\n")) {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(part))
		key = h.Sum(nil)
	}
	r.Header = http.Header{"Content-Type": {mime}, "X-Amz-Date": {at}, "X-Amz-Target": {target}, "User-Agent": {"bench"},
		"Authorization": {fmt.Sprintf("AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%x",
			c.key.AccessKeyID, strings.Join(scope, "/"), names, key)}}
	return r
}

func sum(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:])
}

// call makes one call and decodes the answer.
func (c client) call(operation, body string, out any) {
	c.b.Helper()
	w := httptest.NewRecorder()
	c.handler.ServeHTTP(w, c.sign(operation, body))
	if err := json.Unmarshal(w.Body.Bytes(), out); err != nil || w.Code != http.StatusOK {
		c.b.Fatal(w.Code, err, w.Body)
	}
}

// sink is a ResponseWriter that keeps nothing but the status.
type sink struct {
	header http.Header
	status int
}

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) Write(p []byte) (int, error) { return len(p), nil }
func (s *sink) WriteHeader(status int)      { s.status = status }

// again serves one signed request over and over, and says what processor time one took,
// with all that goes on behind it.
func (c client) again(b *testing.B, operation, body string) {
	r := c.sign(operation, body).WithContext(context.Background())
	w, reader := &sink{header: http.Header{}}, strings.NewReader(body)
	b.ReportAllocs()
	used := processorTime()
	for b.Loop() {
		reader.Reset(body)
		r.Body = io.NopCloser(reader)
		clear(w.header)
		c.handler.ServeHTTP(w, r)
		if w.status != http.StatusOK {
			b.Fatal(w.status)
		}
	}
	b.ReportMetric(float64((processorTime()-used).Nanoseconds())/float64(b.N), "cpu-ns/op")
}

// together serves one signed request over and over, n at a time, and says what
// processor time one took.
func (c client) together(b *testing.B, n int, operation, body string) {
	r := c.sign(operation, body)
	var left atomic.Int64
	left.Store(int64(b.N))
	used := processorTime()
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			w := &sink{header: http.Header{}}
			for left.Add(-1) >= 0 {
				q := r.Clone(context.Background())
				q.Body = io.NopCloser(strings.NewReader(body))
				clear(w.header)
				c.handler.ServeHTTP(w, q)
				if w.status != http.StatusOK {
					b.Error(w.status)
					return
				}
			}
		})
	}
	all.Wait()
	b.ReportMetric(float64((processorTime()-used).Nanoseconds())/float64(b.N), "cpu-ns/op")
}

func processorTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkLogEvents puts a batch of 6,000 events, close to the largest, and
// reads the newest 100 and 5,000, as signed calls.
func BenchmarkLogEvents(b *testing.B) {
	c := newClient(b)
	const events, each = 6000, 140
	var batch strings.Builder
	fmt.Fprintf(&batch, `{"logGroupName":"g","logStreamName":"s","logEvents":[`)
	at := time.Now().UnixMilli()
	for i := range events {
		fmt.Fprintf(&batch, `{"timestamp":%d,"message":"%0*d"},`, at, each, i)
	}
	body := strings.TrimSuffix(batch.String(), ",") + "]}"
	for _, r := range []*http.Request{
		c.sign("logs:CreateLogGroup", `{"logGroupName":"g"}`),
		c.sign("logs:CreateLogStream", `{"logGroupName":"g","logStreamName":"s"}`),
		c.sign("logs:PutLogEvents", body),
	} {
		w := httptest.NewRecorder()
		if c.handler.ServeHTTP(w, r); w.Code != http.StatusOK {
			b.Fatal(w.Body)
		}
	}
	b.Run("put-6000", func(b *testing.B) {
		c.again(b, "logs:PutLogEvents", body)
		b.ReportMetric(float64(events*b.N)/b.Elapsed().Seconds(), "events/s")
		b.ReportMetric(float64(events*each*b.N)/1e6/b.Elapsed().Seconds(), "MB/s")
	})
	b.Run("get-100", func(b *testing.B) {
		c.again(b, "logs:GetLogEvents", `{"logGroupName":"g","logStreamName":"s","limit":100}`)
	})
	b.Run("get-5000", func(b *testing.B) {
		c.again(b, "logs:GetLogEvents", `{"logGroupName":"g","logStreamName":"s","limit":5000}`)
	})
	b.Run("filter-rare", func(b *testing.B) {
		c.again(b, "logs:FilterLogEvents", `{"logGroupName":"g","filterPattern":"never"}`)
	})
}

// BenchmarkCall is a signed call through everything the daemon has but the
// network: signature, decoding, validation, permission, the operation on the
// embedded etcd, encoding, metrics.
func BenchmarkCall(b *testing.B) {
	c := newClient(b)
	var definition struct {
		TaskDefinition struct{ TaskDefinitionArn string }
	}
	sample, err := os.ReadFile("testdata/definition.json")
	if err != nil {
		b.Fatal(err)
	}
	c.call("CreateCluster", `{"clusterName":"bench"}`, &struct{}{})
	c.call("RegisterTaskDefinition", string(sample), &definition)
	var ran struct{ Tasks []struct{ TaskArn string } }
	c.call("RunTask", `{"cluster":"bench","taskDefinition":"bench","count":10,"launchType":"FARGATE",
		"networkConfiguration":{"awsvpcConfiguration":{"subnets":["`+c.subnet()+`"]}}}`, &ran)
	var tasks []string
	for _, t := range ran.Tasks {
		tasks = append(tasks, t.TaskArn)
	}
	for _, n := range []int{1, 10} {
		b.Run(fmt.Sprint("DescribeTasks/", n), func(b *testing.B) {
			body, _ := json.Marshal(map[string]any{"cluster": "bench", "tasks": tasks[:n]})
			c.again(b, "DescribeTasks", string(body))
		})
	}
	b.Run("RegisterTaskDefinition/alone", func(b *testing.B) { c.again(b, "RegisterTaskDefinition", string(sample)) })
	for _, n := range []int{16, 64} {
		b.Run(fmt.Sprint("RegisterTaskDefinition/of ", n), func(b *testing.B) { c.together(b, n, "RegisterTaskDefinition", string(sample)) })
	}
}

// subnet is one of the default VPC.
func (c client) subnet() string {
	return network.Defaults(c.key.Account, arn.DefaultRegion).Subnets[0].ID
}
