package logs

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
	"testing"
	"time"

	"neargate/auth"
	api "neargate/aws/logs"
	"neargate/resource/logs"
)

// tailing is a Live Tail session read update by update.
type tailing struct {
	t    *testing.T
	next func() (*api.StartLiveTailResponseStream, error, bool)
}

func startTail(t *testing.T, s *Service, ctx context.Context, in api.StartLiveTailInput) tailing {
	t.Helper()
	if in.LogGroupIdentifiers == nil {
		in.LogGroupIdentifiers = []string{logs.GroupARN("123456789012", "us-east-1", "g")}
	}
	out, err := s.StartLiveTail(ctx, &in)
	if err != nil {
		t.Fatal(err)
	}
	next, stop := iter.Pull2(out.ResponseStream)
	t.Cleanup(stop)
	tl := tailing{t, next}
	e, err, ok := next()
	if !ok || err != nil || e.SessionStart == nil || *e.SessionStart.SessionId == "" || len(e.SessionStart.LogGroupIdentifiers) != len(in.LogGroupIdentifiers) {
		t.Fatalf("%+v %v", e, err)
	}
	return tl
}

// update waits for an update with events.
func (tl tailing) update() (string, bool) {
	tl.t.Helper()
	for range 20 {
		e, err, ok := tl.next()
		if !ok || err != nil || e.SessionUpdate == nil || e.SessionUpdate.SessionResults == nil {
			tl.t.Fatalf("%+v %v", e, err)
		}
		var got []string
		for _, r := range e.SessionUpdate.SessionResults {
			got = append(got, *r.LogStreamName+":"+*r.Message)
		}
		if len(got) > 0 {
			return strings.Join(got, " "), *e.SessionUpdate.SessionMetadata.Sampled
		}
	}
	tl.t.Fatal("no events in 20 updates")
	return "", false
}

func TestLiveTail(t *testing.T) {
	s, ctx := withStreams(t, "a1", "a2", "b")
	put(t, s, ctx, "a1", event(start, "earlier"))
	all := startTail(t, s, ctx, api.StartLiveTailInput{})
	errs := startTail(t, s, ctx, api.StartLiveTailInput{LogEventFilterPattern: new("ERROR")})
	named := startTail(t, s, ctx, api.StartLiveTailInput{LogStreamNames: []string{"b", "c"}})
	prefixed := startTail(t, s, ctx, api.StartLiveTailInput{LogStreamNamePrefixes: []string{"a"}})
	put(t, s, ctx, "b", event(start.Add(time.Second), "ERROR one"))
	put(t, s, ctx, "a1", event(start, "two"))
	// Streams made during the session are followed too.
	if _, err := s.CreateLogStream(ctx, &api.CreateLogStreamInput{LogGroupName: new("g"), LogStreamName: new("c")}); err != nil {
		t.Fatal(err)
	}
	put(t, s, ctx, "c", event(start.Add(2*time.Second), "three"))
	for _, tt := range []struct {
		name string
		tail tailing
		want string
	}{
		{"all", all, "a1:two b:ERROR one c:three"}, {"filtered", errs, "b:ERROR one"}, {"named", named, "b:ERROR one c:three"}, {"prefixed", prefixed, "a1:two"},
	} {
		if got, sampled := tt.tail.update(); got != tt.want || sampled {
			t.Errorf("%s: %s, sampled %v", tt.name, got, sampled)
		}
	}
	// A deleted group goes silent; the session goes on.
	if _, err := s.DeleteLogGroup(ctx, &api.DeleteLogGroupInput{LogGroupName: new("g")}); err != nil {
		t.Fatal(err)
	}
	if e, err, ok := all.next(); !ok || err != nil || len(e.SessionUpdate.SessionResults) != 0 {
		t.Errorf("%+v %v", e, err)
	}
}

// TestLiveTailSamples checks that at most 500 events come in an update.
func TestLiveTailSamples(t *testing.T) {
	s, ctx := withStreams(t, "a")
	tl := startTail(t, s, ctx, api.StartLiveTailInput{})
	var many []api.InputLogEvent
	for range 501 {
		many = append(many, event(start, "x"))
	}
	put(t, s, ctx, "a", many...)
	if got, sampled := tl.update(); strings.Count(got, "a:x") != tailEvents || !sampled {
		t.Errorf("%d events, sampled %v", strings.Count(got, "a:x"), sampled)
	}
	put(t, s, ctx, "a", event(start, "y"))
	if got, sampled := tl.update(); got != "a:y" || sampled {
		t.Errorf("%s, sampled %v", got, sampled)
	}
}

func TestLiveTailEnds(t *testing.T) {
	s, ctx := withStreams(t, "a")
	var mu sync.Mutex
	at := start
	s.deps.Now = func() time.Time { mu.Lock(); defer mu.Unlock(); return at }
	tl := startTail(t, s, ctx, api.StartLiveTailInput{})
	if e, err, _ := tl.next(); err != nil || e.SessionUpdate == nil {
		t.Fatal(err)
	}
	mu.Lock()
	at = start.Add(tailTime)
	mu.Unlock()
	var err error
	for range 3 {
		if _, err, _ = tl.next(); err != nil {
			break
		}
	}
	wantError(t, err, "SessionTimeoutException", "The session has timed out.")
	if _, _, ok := tl.next(); ok {
		t.Error("goes on after its end")
	}
	gone, cancel := context.WithCancel(ctx)
	tl = startTail(t, s, gone, api.StartLiveTailInput{})
	cancel()
	if _, err, _ := tl.next(); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestStartLiveTailRefuses(t *testing.T) {
	s, ctx := withStreams(t, "a")
	create(t, s, ctx, "h")
	if _, err := s.CreateLogGroup(ctx, &api.CreateLogGroupInput{LogGroupName: new("rare"), LogGroupClass: new("INFREQUENT_ACCESS")}); err != nil {
		t.Fatal(err)
	}
	arn := func(name string) string { return logs.GroupARN("123456789012", "us-east-1", name) }
	type in = api.StartLiveTailInput
	for _, tt := range []struct {
		in            in
		code, message string
	}{
		{in{LogGroupIdentifiers: []string{"g"}}, "InvalidParameterException", "Log group identifiers must be ARNs that do not end with an asterisk: g"},
		{in{LogGroupIdentifiers: []string{arn("g") + ":*"}}, "InvalidParameterException", "Log group identifiers must be ARNs that do not end with an asterisk: " + arn("g") + ":*"},
		{in{LogGroupIdentifiers: []string{arn("g"), arn("g")}}, "InvalidParameterException", "Log group identifiers must be unique: " + arn("g")},
		{in{LogGroupIdentifiers: []string{arn("none")}}, "ResourceNotFoundException", "The specified log group does not exist."},
		{in{LogGroupIdentifiers: []string{logs.GroupARN("210987654321", "us-east-1", "g")}}, "ResourceNotFoundException", "The specified log group does not exist."},
		{in{LogGroupIdentifiers: []string{arn("rare")}}, "InvalidOperationException", "Live Tail is not supported for log groups of the class INFREQUENT_ACCESS."},
		{in{LogGroupIdentifiers: []string{arn("g"), arn("h")}, LogStreamNames: []string{"a"}}, "InvalidParameterException", "logStreamNames and logStreamNamePrefixes can only be specified with a single log group."},
		{in{LogGroupIdentifiers: []string{arn("g")}, LogStreamNames: []string{"a"}, LogStreamNamePrefixes: []string{"a"}}, "InvalidParameterException", "logStreamNames and logStreamNamePrefixes are mutually exclusive parameters."},
		{in{LogGroupIdentifiers: []string{arn("g")}, LogEventFilterPattern: new("{ $.a == 1 }")}, "InvalidParameterException", "Invalid filter pattern"},
	} {
		_, err := s.StartLiveTail(ctx, &tt.in)
		wantError(t, err, tt.code, tt.message)
	}
	session, cancel := context.WithCancel(ctx)
	defer cancel()
	one := &in{LogGroupIdentifiers: []string{arn("g")}}
	for range maxSessions {
		if _, err := s.StartLiveTail(session, one); err != nil {
			t.Fatal(err)
		}
	}
	_, err := s.StartLiveTail(ctx, one)
	wantError(t, err, "LimitExceededException", "Account maximum Live Tail session concurrency limit of [15] reached.")
	elsewhere := auth.WithCaller(t.Context(), auth.Caller{Account: "123456789012", Region: "eu-west-1"})
	_, err = s.StartLiveTail(elsewhere, &in{LogGroupIdentifiers: []string{logs.GroupARN("123456789012", "eu-west-1", "g")}})
	wantError(t, err, "ResourceNotFoundException", "The specified log group does not exist.")
	// A session that is over makes room, whether it was read or not.
	cancel()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if _, err = s.StartLiveTail(ctx, one); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

func TestMetricFilters(t *testing.T) {
	s, ctx := newService(t)
	create(t, s, ctx, "g", "h")
	filter := func(group, name string, change func(*api.PutMetricFilterInput)) error {
		in := &api.PutMetricFilterInput{
			LogGroupName: &group, FilterName: &name, FilterPattern: new("ERROR"),
			MetricTransformations: []api.MetricTransformation{{MetricNamespace: new("app"), MetricName: new("errors"), MetricValue: new("1")}},
		}
		if change != nil {
			change(in)
		}
		_, err := s.PutMetricFilter(ctx, in)
		return err
	}
	for _, name := range []string{"g/b", "g/a", "g/ax", "h/a"} {
		group, name, _ := strings.Cut(name, "/")
		if err := filter(group, name, nil); err != nil {
			t.Fatal(err)
		}
	}
	// Putting it again replaces it.
	if err := filter("g", "b", func(in *api.PutMetricFilterInput) {
		in.FilterPattern = new("{ $.ms = * }")
		in.MetricTransformations[0] = api.MetricTransformation{MetricNamespace: new("app"), MetricName: new("ms"), MetricValue: new("$.ms"),
			Unit: new("Milliseconds"), Dimensions: map[string]string{"path": "$.path"}}
	}); err != nil {
		t.Fatal(err)
	}
	list := func(in api.DescribeMetricFiltersInput) string {
		t.Helper()
		var got []string
		for range 10 {
			out, err := s.DescribeMetricFilters(ctx, &in)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range out.MetricFilters {
				got = append(got, *f.LogGroupName+"/"+*f.FilterName+"="+*f.MetricTransformations[0].MetricName)
			}
			if in.NextToken = out.NextToken; in.NextToken == nil {
				break
			}
		}
		return strings.Join(got, " ")
	}
	type in = api.DescribeMetricFiltersInput
	for _, tt := range []struct {
		in   in
		want string
	}{
		{in{}, "g/a=errors g/ax=errors g/b=ms h/a=errors"},
		{in{LogGroupName: new("g")}, "g/a=errors g/ax=errors g/b=ms"},
		{in{LogGroupName: new("g"), FilterNamePrefix: new("a")}, "g/a=errors g/ax=errors"},
		{in{LogGroupName: new("g"), FilterNamePrefix: new("c")}, ""},
		{in{MetricNamespace: new("app"), MetricName: new("errors")}, "g/a=errors g/ax=errors h/a=errors"},
		{in{MetricNamespace: new("other"), MetricName: new("errors")}, ""},
	} {
		for _, limit := range []int32{1, 2, 50} {
			tt.in.Limit = &limit
			if got := list(tt.in); got != tt.want {
				t.Errorf("%+v, limit %d: %s", tt.in, limit, got)
			}
		}
	}
	count := func(group string) int32 {
		out, err := s.DescribeLogGroups(ctx, &api.DescribeLogGroupsInput{LogGroupNamePrefix: &group})
		if err != nil {
			t.Fatal(err)
		}
		return *out.LogGroups[0].MetricFilterCount
	}
	if n := count("g"); n != 3 {
		t.Errorf("%d filters", n)
	}
	for range 2 {
		_, err := s.DeleteMetricFilter(ctx, &api.DeleteMetricFilterInput{LogGroupName: new("g"), FilterName: new("ax")})
		if err != nil {
			wantError(t, err, "ResourceNotFoundException", "The specified metric filter does not exist.")
		}
	}
	if n := count("g"); n != 2 {
		t.Errorf("%d filters after deletion", n)
	}
	for i := range maxMetricFilters - 1 {
		if err := filter("h", fmt.Sprint("f", i), nil); err != nil {
			t.Fatal(err)
		}
	}
	wantError(t, filter("h", "more", nil), "LimitExceededException", "Resource limit exceeded.")
	if _, err := s.DeleteLogGroup(ctx, &api.DeleteLogGroupInput{LogGroupName: new("h")}); err != nil {
		t.Fatal(err)
	}
	if got := list(in{}); got != "g/a=errors g/b=ms" {
		t.Error(got)
	}
	for _, tt := range []struct {
		in      in
		code    string
		message string
	}{
		{in{LogGroupName: new("h")}, "ResourceNotFoundException", "The specified log group does not exist."},
		{in{MetricName: new("m")}, "InvalidParameterException", "metricName and metricNamespace must be specified together."},
		{in{FilterNamePrefix: new("a")}, "InvalidParameterException", "filterNamePrefix can only be specified with logGroupName."},
		{in{NextToken: new("forged")}, "InvalidParameterException", "The specified nextToken is invalid."},
	} {
		_, err := s.DescribeMetricFilters(ctx, &tt.in)
		wantError(t, err, tt.code, tt.message)
	}
	for message, change := range map[string]func(*api.PutMetricFilterInput, *api.MetricTransformation){
		"InvalidParameterException: Invalid metric filter pattern": func(in *api.PutMetricFilterInput, _ *api.MetricTransformation) {
			in.FilterPattern = new("{ $.a == 1 }")
		},
		"ResourceNotFoundException: The specified log group does not exist.": func(in *api.PutMetricFilterInput, _ *api.MetricTransformation) {
			in.LogGroupName = new("none")
		},
		"InvalidParameterException: Log transformation is not supported in this region.": func(in *api.PutMetricFilterInput, _ *api.MetricTransformation) {
			in.ApplyOnTransformedLogs = new(true)
		},
		"InvalidParameterException: Filters on system fields are not supported in this region.": func(in *api.PutMetricFilterInput, _ *api.MetricTransformation) {
			in.EmitSystemFieldDimensions = []string{"@aws.account"}
		},
		"InvalidParameterException: Invalid metric transformation: metricValue must be a number or a field of the filter pattern, not 'many'": func(_ *api.PutMetricFilterInput, tr *api.MetricTransformation) {
			tr.MetricValue = new("many")
		},
		"InvalidParameterException: Invalid metric transformation: metricValue must be a number or a field of the filter pattern, not '$.a b'": func(_ *api.PutMetricFilterInput, tr *api.MetricTransformation) {
			tr.MetricValue = new("$.a b")
		},
		"InvalidParameterException: Invalid metric transformation: at most 3 dimensions are allowed": func(_ *api.PutMetricFilterInput, tr *api.MetricTransformation) {
			tr.Dimensions = map[string]string{"a": "$a", "b": "$b", "c": "$c", "d": "$d"}
		},
		"InvalidParameterException: Invalid metric transformation: dimensions and default value are mutually exclusive properties.": func(_ *api.PutMetricFilterInput, tr *api.MetricTransformation) {
			tr.Dimensions, tr.DefaultValue = map[string]string{"a": "$a"}, new(0.0)
		},
		"InvalidParameterException: Invalid metric transformation: the value of a dimension must be a field of the filter pattern, not 'a'": func(_ *api.PutMetricFilterInput, tr *api.MetricTransformation) {
			tr.Dimensions = map[string]string{"a": "a"}
		},
	} {
		err := filter("g", "bad", func(in *api.PutMetricFilterInput) { change(in, &in.MetricTransformations[0]) })
		if err == nil || err.Error() != message {
			t.Errorf("%v, want %s", err, message)
		}
	}
	if n := count("g"); n != 2 {
		t.Errorf("%d filters after refusals", n)
	}
}

func TestElsewhere(t *testing.T) {
	s, ctx := newService(t)
	create(t, s, ctx, "g")
	export := func(group string, from, to int64) error {
		_, err := s.CreateExportTask(ctx, &api.CreateExportTaskInput{LogGroupName: &group, From: &from, To: &to, Destination: new("bucket")})
		return err
	}
	wantError(t, export("g", 1, 2), "InvalidParameterException", "The given bucket does not exist. Please provide a valid bucket.")
	wantError(t, export("none", 1, 2), "ResourceNotFoundException", "The specified log group does not exist.")
	wantError(t, export("g", 2, 1), "InvalidParameterException", "The start time of the export must not be after its end time.")
	if out, err := s.DescribeExportTasks(ctx, &api.DescribeExportTasksInput{}); err != nil || out.ExportTasks == nil || len(out.ExportTasks) != 0 {
		t.Errorf("%+v %v", out, err)
	}
	_, err := s.DescribeExportTasks(ctx, &api.DescribeExportTasksInput{NextToken: new("x")})
	wantError(t, err, "InvalidParameterException", "The specified nextToken is invalid.")
	_, err = s.CancelExportTask(ctx, &api.CancelExportTaskInput{TaskId: new("t")})
	wantError(t, err, "ResourceNotFoundException", "The specified export task does not exist.")

	for destination, want := range map[string]string{
		"arn:aws:kinesis:us-east-1:123456789012:stream/s":          "InvalidParameterException: Could not deliver test message to specified Kinesis stream. Check if the given kinesis stream is in ACTIVE state.",
		"arn:aws:firehose:us-east-1:123456789012:deliverystream/s": "InvalidParameterException: Could not deliver test message to specified Firehose stream. Check if the given Firehose stream is in ACTIVE state.",
		"arn:aws:lambda:us-east-1:123456789012:function:f":         "InvalidParameterException: Could not execute the lambda function. Make sure you have given CloudWatch Logs permission to execute your function.",
		"arn:aws:logs:us-east-1:123456789012:destination:d":        "ResourceNotFoundException: The specified destination does not exist.",
		"arn:aws:sqs:us-east-1:123456789012:q":                     "InvalidParameterException: PutSubscriptionFilter operation cannot work with destinationArn for vendor sqs",
		"nonsense":                                                 "InvalidParameterException: Invalid destinationArn: nonsense",
	} {
		_, err := s.PutSubscriptionFilter(ctx, &api.PutSubscriptionFilterInput{LogGroupName: new("g"), FilterName: new("f"), FilterPattern: new(""), DestinationArn: &destination})
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v", destination, err)
		}
	}
	_, err = s.PutSubscriptionFilter(ctx, &api.PutSubscriptionFilterInput{LogGroupName: new("g"), FilterName: new("f"), FilterPattern: new("a:b"), DestinationArn: new("arn:aws:sqs:us-east-1:123456789012:q")})
	wantError(t, err, "InvalidParameterException", "Invalid character(s) in term 'a:b'")
	if out, err := s.DescribeSubscriptionFilters(ctx, &api.DescribeSubscriptionFiltersInput{LogGroupName: new("g")}); err != nil || out.SubscriptionFilters == nil || len(out.SubscriptionFilters) != 0 {
		t.Errorf("%+v %v", out, err)
	}
	_, err = s.DescribeSubscriptionFilters(ctx, &api.DescribeSubscriptionFiltersInput{LogGroupName: new("none")})
	wantError(t, err, "ResourceNotFoundException", "The specified log group does not exist.")
	_, err = s.DeleteSubscriptionFilter(ctx, &api.DeleteSubscriptionFilterInput{LogGroupName: new("g"), FilterName: new("f")})
	wantError(t, err, "ResourceNotFoundException", "The specified subscription filter does not exist.")
}
