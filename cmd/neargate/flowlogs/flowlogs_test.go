package flowlogs

import (
	"compress/gzip"
	"context"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"neargate/arn"
	"neargate/auth"
	awslogs "neargate/aws/logs"
	"neargate/cmd/neargate/door"
	"neargate/dataplane/logstore"
	"neargate/node/flow"
	"neargate/resource/identity"
	record "neargate/resource/logs"
	"neargate/resource/network/edge"
	"neargate/resource/objects"
	"neargate/service"
	"neargate/service/logs"
	"neargate/service/logs/export"
	"neargate/service/s3"
	"neargate/store"
	"neargate/store/mem"
	"neargate/store/tables"
	"neargate/store/tables/edges"
)

const account, region = "123456789012", "us-east-1"

var now = time.Date(2026, 11, 1, 12, 7, 0, 0, time.UTC)

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// world is a sink with CloudWatch Logs and a bucket behind it.
type world struct {
	Sink
	t       *testing.T
	logs    *logs.Service
	buckets *bucket
	log     edge.FlowLog
}

// bucket keeps the last object that was put into it.
type bucket struct {
	denied error
	key    string
	body   []byte
}

func (b *bucket) MayFor(_ context.Context, a s3.Agent, _, _, _ string) error {
	if a.Service != "delivery.logs.amazonaws.com" || a.Source != "arn:aws:logs:us-east-1:123456789012:*" {
		return s3.ErrDenied
	}
	return b.denied
}

func (b *bucket) PutFor(_ context.Context, _ s3.Agent, _, key string, _ objects.About, from io.Reader) (v objects.Version, err error) {
	b.key = key
	b.body, err = io.ReadAll(from)
	return v, err
}

func newWorld(t *testing.T) *world {
	st := mem.New(mem.Paranoid())
	t.Cleanup(func() { st.Close() })
	events, err := logstore.Open(logstore.Config{Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler)})
	ok(t, err)
	t.Cleanup(func() { events.Close() })
	clock := func() time.Time { return now }
	ids := arn.NewSource(rand.NewChaCha8([32]byte{3}))
	api := logs.New(service.Deps{Store: st, Now: clock, IDs: ids}, events, export.Buckets(nil))
	w := &world{t: t, logs: api, buckets: &bucket{}, log: edge.FlowLog{Account: account, Region: region, ID: "fl-1", Type: edge.ToLogs, Group: "/flows",
		Role: "arn:aws:iam::123456789012:role/flow", Format: "${start} ${action}"}}
	w.Sink = Sink{Gate: door.Gate{Directory: auth.NewDirectory(st, clock)}, Store: st, Logs: api, Buckets: w.buckets, Now: clock, IDs: ids}
	w.update(func(tx store.Tx) error { return edges.FlowLogs.Put(tx, &w.log) })
	return w
}

func (w *world) update(fn func(store.Tx) error) {
	w.t.Helper()
	ok(w.t, w.Store.Update(w.t.Context(), fn))
}

// role lets a service do things as the flow log's role.
func (w *world) role(service string, actions ...string) {
	w.update(func(tx store.Tx) error {
		return tables.Roles.Put(tx, &identity.Role{Account: account, Path: "/", Name: "flow", ID: "AROAFLOW",
			Trust: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"` + service + `"},"Action":"sts:AssumeRole"}]}`,
			Grants: identity.Grants{Inline: []identity.Inline{{Name: "p", Document: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["` +
				strings.Join(actions, `","`) + `"],"Resource":"*"}]}`}}}})
	})
}

// failure delivers and is what the flow log says then.
func (w *world) failure(lines ...flow.Line) string {
	w.t.Helper()
	ok(w.t, w.Deliver(w.t.Context(), &w.log, now, lines))
	err := w.Store.View(w.t.Context(), func(tx store.Tx) (err error) {
		w.log, err = edges.FlowLogs.Get(tx, account, region, w.log.ID)
		return err
	})
	ok(w.t, err)
	return w.log.Failure
}

// events are the messages of a stream.
func (w *world) events(stream string) (all []string) {
	w.t.Helper()
	ctx := auth.WithCaller(w.t.Context(), auth.Caller{Account: account, Region: region, ARN: identity.RootARN(account), UserID: account})
	out, err := w.logs.GetLogEvents(ctx, &awslogs.GetLogEventsInput{LogGroupName: new("/flows"), LogStreamName: &stream, StartFromHead: new(true)})
	ok(w.t, err)
	for _, e := range out.Events {
		all = append(all, *e.Message)
	}
	return all
}

func line(stream, text string) flow.Line {
	return flow.Line{Stream: stream, At: now.Add(-time.Minute), Text: text}
}

func TestToGroup(t *testing.T) {
	w := newWorld(t)
	a, b := line("eni-1-all", "one"), line("eni-2-all", "two")
	if got := w.failure(a); got != edge.AccessError {
		t.Errorf("without a role: %q", got)
	}
	w.role("ecs-tasks.amazonaws.com", "logs:*")
	if got := w.failure(a); got != edge.AccessError {
		t.Errorf("with a role of others: %q", got)
	}
	w.role(auth.FlowPrincipal, "logs:PutLogEvents", "logs:CreateLogStream")
	if got := w.failure(a); got != edge.AccessError {
		t.Errorf("without a group that it may make: %q", got)
	}
	w.role(auth.FlowPrincipal, "logs:PutLogEvents", "logs:CreateLogStream", "logs:CreateLogGroup")
	if got := w.failure(a, b); got != "" {
		t.Errorf("with all it takes: %q", got)
	}
	w.role(auth.FlowPrincipal, "logs:PutLogEvents")
	if got := w.failure(a); got != "" {
		t.Errorf("in a stream that there is: %q", got)
	}
	if got := w.events("eni-1-all"); !slices.Equal(got, []string{"one", "one"}) {
		t.Errorf("eni-1-all: %q", got)
	}
	if got := w.events("eni-2-all"); !slices.Equal(got, []string{"two"}) {
		t.Errorf("eni-2-all: %q", got)
	}
	for _, elsewhere := range []string{"arn:aws:logs:us-east-1:210987654321:log-group:/flows", "arn:aws:logs:eu-west-1:123456789012:log-group:/flows"} {
		w.log.Destination, w.log.Failure = elsewhere, ""
		ok(t, w.Deliver(t.Context(), &w.log, now, []flow.Line{a}))
		if got := w.failure(); got != edge.AccessError {
			t.Errorf("%s: %q", elsewhere, got)
		}
	}
	// One that is gone stays so.
	w.update(func(tx store.Tx) error { return edges.FlowLogs.Delete(tx, account, region, "fl-1") })
	ok(t, w.Deliver(t.Context(), &w.log, now, []flow.Line{a}))
	ok(t, w.Store.View(t.Context(), func(tx store.Tx) error {
		if _, found, err := edges.FlowLogs.Find(tx, account, region, "fl-1"); found || err != nil {
			t.Errorf("found %v, %v", found, err)
		}
		return nil
	}))
}

func TestBatch(t *testing.T) {
	long := strings.Repeat("x", maxBatch/4)
	for _, c := range []struct {
		lines []flow.Line
		want  int
	}{
		{[]flow.Line{line("a", "1"), line("a", "2"), line("b", "3")}, 2},
		{[]flow.Line{line("a", long), line("a", long), line("a", long), line("a", long)}, 3},
		{slices.Repeat([]flow.Line{line("a", "")}, maxEvents+1), maxEvents},
		{[]flow.Line{line("a", "1")}, 1},
	} {
		if got := batch(c.lines); got != c.want || record.Size(len(long))*3 > maxBatch {
			t.Errorf("%d of %d lines, want %d", got, len(c.lines), c.want)
		}
	}
}

func TestToBucket(t *testing.T) {
	w := newWorld(t)
	w.log.Type, w.log.Destination, w.log.Group, w.log.Role = edge.ToBucket, "arn:aws:s3:::mine/in", "", ""
	w.update(func(tx store.Tx) error { return edges.FlowLogs.Put(tx, &w.log) })
	for _, no := range []error{s3.ErrDenied, s3.ErrNoBucket} {
		w.buckets.denied = no
		if got := w.failure(line("s", "1 ACCEPT")); got != edge.AccessError || w.buckets.body != nil {
			t.Errorf("%v: %q", no, got)
		}
	}
	w.buckets.denied = nil
	if got := w.failure(line("s", "1 ACCEPT"), line("t", "2 REJECT")); got != "" {
		t.Errorf("%q", got)
	}
	const key = "in/AWSLogs/123456789012/vpcflowlogs/us-east-1/2026/11/01/123456789012_vpcflowlogs_us-east-1_fl-1_20261101T1205Z_"
	if !strings.HasPrefix(w.buckets.key, key) || !strings.HasSuffix(w.buckets.key, ".log.gz") || len(w.buckets.key) != len(key)+8+len(".log.gz") {
		t.Errorf("key %s", w.buckets.key)
	}
	z, err := gzip.NewReader(strings.NewReader(string(w.buckets.body)))
	ok(t, err)
	text, err := io.ReadAll(z)
	ok(t, err)
	if string(text) != "start action\n1 ACCEPT\n2 REJECT\n" {
		t.Errorf("%q", text)
	}
}
