package logs

import (
	"context"
	"fmt"
	"math/rand"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	api "neargate/aws/logs"
	"neargate/resource/logs"
	"neargate/service/internal/member"
)

func event(at time.Time, message string) api.InputLogEvent {
	return api.InputLogEvent{Timestamp: new(at.UnixMilli()), Message: &message}
}

func put(t *testing.T, s *Service, ctx context.Context, stream string, events ...api.InputLogEvent) {
	t.Helper()
	out, err := s.PutLogEvents(ctx, &api.PutLogEventsInput{LogGroupName: new("g"), LogStreamName: &stream, LogEvents: events})
	if err != nil || out.RejectedLogEventsInfo != nil || !regexp.MustCompile(`^\d{56}$`).MatchString(*out.NextSequenceToken) {
		t.Fatalf("%+v %v", out, err)
	}
}

func withStreams(t *testing.T, names ...string) (*Service, context.Context) {
	t.Helper()
	s, ctx := newService(t)
	create(t, s, ctx, "g")
	for _, n := range names {
		if _, err := s.CreateLogStream(ctx, &api.CreateLogStreamInput{LogGroupName: new("g"), LogStreamName: &n}); err != nil {
			t.Fatal(err)
		}
	}
	return s, ctx
}

func messages(out *api.GetLogEventsOutput) string {
	var m []string
	for _, e := range out.Events {
		m = append(m, *e.Message)
	}
	return strings.Join(m, " ")
}

func get(t *testing.T, s *Service, ctx context.Context, in api.GetLogEventsInput) *api.GetLogEventsOutput {
	t.Helper()
	in.LogGroupName, in.LogStreamName = new("g"), new("s")
	out, err := s.GetLogEvents(ctx, &in)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestPutLogEventsRefuses(t *testing.T) {
	s, ctx := withStreams(t, "s")
	day := 24 * time.Hour
	tests := []struct {
		name    string
		events  []api.InputLogEvent
		message string
	}{
		{"order", []api.InputLogEvent{event(start, "a"), event(start.Add(-1e6), "b")}, "Log events in a single PutLogEvents request must be in chronological order."},
		{"24 hours", []api.InputLogEvent{event(start.Add(-day), "a"), event(start, "b")}, ""},
		{"more", []api.InputLogEvent{event(start.Add(-day), "a"), event(start.Add(1e6), "b")}, "The batch of log events in a single PutLogEvents request cannot span more than 24 hours."},
		{"more, but too old", []api.InputLogEvent{event(start.Add(-20*day), "a"), event(start.Add(1e6), "b")}, ""},
		{"largest", []api.InputLogEvent{event(start, strings.Repeat("x", 1048550))}, ""},
		{"too large", []api.InputLogEvent{event(start, strings.Repeat("x", 1048552))}, "Log event too large: 1048578 bytes exceeds limit of 1048576"},
		{"too large in bytes", []api.InputLogEvent{event(start, strings.Repeat("é", 524276))}, "Log event too large: 1048578 bytes exceeds limit of 1048576"},
		{"batch too large", []api.InputLogEvent{event(start, strings.Repeat("x", 1048550)), event(start, "x")}, "Upload too large: 1048603 bytes exceeds limit of 1048576"},
	}
	for _, tt := range tests {
		_, err := s.PutLogEvents(ctx, &api.PutLogEventsInput{LogGroupName: new("g"), LogStreamName: new("s"), LogEvents: tt.events})
		code := "InvalidParameterException"
		if tt.message == "" {
			code = ""
		}
		t.Log(tt.name)
		wantError(t, err, code, tt.message)
	}
	one := []api.InputLogEvent{event(start, "a")}
	_, err := s.PutLogEvents(ctx, &api.PutLogEventsInput{LogGroupName: new("x"), LogStreamName: new("s"), LogEvents: one})
	wantError(t, err, "ResourceNotFoundException", "The specified log group does not exist.")
	_, err = s.PutLogEvents(ctx, &api.PutLogEventsInput{LogGroupName: new("g"), LogStreamName: new("x"), LogEvents: one})
	wantError(t, err, "ResourceNotFoundException", "The specified log stream does not exist.")
}

func TestPutLogEventsRejects(t *testing.T) {
	for _, retention := range []int32{0, 3} {
		s, ctx := withStreams(t, "s")
		if retention > 0 {
			if _, err := s.PutRetentionPolicy(ctx, &api.PutRetentionPolicyInput{LogGroupName: new("g"), RetentionInDays: &retention}); err != nil {
				t.Fatal(err)
			}
		}
		ago := func(d time.Duration) time.Time { return start.Add(-d) }
		day := 24 * time.Hour
		out, err := s.PutLogEvents(ctx, &api.PutLogEventsInput{
			LogGroupName: new("g"), LogStreamName: new("s"), SequenceToken: new("stale"), Entity: &api.Entity{},
			LogEvents: []api.InputLogEvent{
				event(ago(14*day+1e6), "old"), event(ago(3*day+1e6), "expired"), event(ago(3*day), "kept"), event(ago(-2*time.Hour-1e6), "new"),
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		r := out.RejectedLogEventsInfo
		expired, kept := int32(0), "expired kept"
		if retention > 0 {
			expired, kept = 2, "kept"
		}
		if *r.TooOldLogEventEndIndex != 1 || *r.TooNewLogEventStartIndex != 3 || member.Or(r.ExpiredLogEventEndIndex, 0) != expired {
			t.Errorf("retention %d: %+v", retention, r)
		}
		if *out.RejectedEntityInfo.ErrorType != "UnsupportedLogGroupType" {
			t.Error(out.RejectedEntityInfo)
		}
		if got := messages(get(t, s, ctx, api.GetLogEventsInput{})); got != kept {
			t.Errorf("retention %d: kept %q", retention, got)
		}
	}
}

func TestGetLogEvents(t *testing.T) {
	s, ctx := withStreams(t, "s", "other")
	for i := range 4 { // two events a millisecond, the later ones first
		at := start.Add(time.Duration(3-i) * time.Millisecond)
		put(t, s, ctx, "s", event(at, fmt.Sprintf("%da", 3-i)), event(at, fmt.Sprintf("%db", 3-i)))
	}
	type in = api.GetLogEventsInput
	at := func(ms int) *int64 { return new(start.UnixMilli() + int64(ms)) }
	tests := []struct {
		in   in
		want string
	}{
		{in{}, "0a 0b 1a 1b 2a 2b 3a 3b"},
		{in{Limit: new(int32(3))}, "2b 3a 3b"},
		{in{Limit: new(int32(3)), StartFromHead: new(true)}, "0a 0b 1a"},
		{in{StartTime: at(1), EndTime: at(3)}, "1a 1b 2a 2b"},
		{in{StartTime: at(1), EndTime: at(3), Limit: new(int32(1))}, "2b"},
		{in{StartTime: at(2), EndTime: at(2)}, ""},
		{in{StartTime: at(4)}, ""},
	}
	for _, tt := range tests {
		out := get(t, s, ctx, tt.in)
		if messages(out) != tt.want {
			t.Errorf("%+v: %s, want %s", tt.in, messages(out), tt.want)
		}
		for _, token := range []string{*out.NextForwardToken, *out.NextBackwardToken} {
			if !regexp.MustCompile(`^[fb]/\d{56}/s$`).MatchString(token) {
				t.Error(token)
			}
		}
		if _, err := s.GetLogEvents(ctx, &in{LogGroupName: new("g"), LogStreamName: new("other"), NextToken: out.NextForwardToken}); err == nil {
			t.Error("a token serves another stream")
		}
	}
	out := get(t, s, ctx, in{})
	if e := out.Events[0]; *e.IngestionTime != start.UnixMilli() || *e.Timestamp != start.UnixMilli() {
		t.Errorf("%+v", e)
	}
	for _, token := range []string{"x", "f/" + strings.Repeat("3", 56) + "/s", "b" + (*out.NextForwardToken)[1:], "f//s"} {
		_, err := s.GetLogEvents(ctx, &in{LogGroupName: new("g"), LogStreamName: new("s"), NextToken: &token})
		wantError(t, err, "InvalidParameterException", "The specified nextToken is invalid.")
	}
	_, err := s.GetLogEvents(ctx, &in{LogGroupIdentifier: new("g"), LogStreamName: new("none")})
	wantError(t, err, "ResourceNotFoundException", "The specified log stream does not exist.")
	_, err = s.DeleteLogStream(ctx, &api.DeleteLogStreamInput{LogGroupName: new("g"), LogStreamName: new("s")})
	wantError(t, err, "", "")
	if _, err := s.CreateLogStream(ctx, &api.CreateLogStreamInput{LogGroupName: new("g"), LogStreamName: new("s")}); err != nil {
		t.Fatal(err)
	}
	if got := messages(get(t, s, ctx, in{})); got != "" {
		t.Errorf("a new stream holds %s", got)
	}
}

// TestGetLogEventsEnd checks how the end shows: the first empty page has a new
// token, the next repeats it, and events that come later are found from there.
func TestGetLogEventsEnd(t *testing.T) {
	s, ctx := withStreams(t, "s")
	put(t, s, ctx, "s", event(start, "a"))
	type in = api.GetLogEventsInput
	first := get(t, s, ctx, in{StartFromHead: new(true)})
	empty := get(t, s, ctx, in{NextToken: first.NextForwardToken})
	last := get(t, s, ctx, in{NextToken: empty.NextForwardToken})
	if len(empty.Events)+len(last.Events) != 0 || *empty.NextForwardToken == *first.NextForwardToken || *last.NextForwardToken != *empty.NextForwardToken {
		t.Errorf("%s, %s, %s", *first.NextForwardToken, *empty.NextForwardToken, *last.NextForwardToken)
	}
	before := get(t, s, ctx, in{NextToken: first.NextBackwardToken})
	again := get(t, s, ctx, in{NextToken: before.NextBackwardToken})
	if len(before.Events)+len(again.Events) != 0 || *before.NextBackwardToken == *first.NextBackwardToken || *again.NextBackwardToken != *before.NextBackwardToken {
		t.Errorf("%s, %s, %s", *first.NextBackwardToken, *before.NextBackwardToken, *again.NextBackwardToken)
	}
	if got := messages(get(t, s, ctx, in{NextToken: empty.NextBackwardToken})); got != "a" {
		t.Errorf("back from the end: %q", got)
	}
	put(t, s, ctx, "s", event(start, "b"), event(start.Add(time.Second), "c"))
	if got := messages(get(t, s, ctx, in{NextToken: last.NextForwardToken})); got != "b c" {
		t.Errorf("on from the end: %q", got)
	}
}

// TestGetLogEventsPages reads random streams page by page in both directions and
// turns round at random: each page must be what lies next to the one before.
func TestGetLogEventsPages(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	for range 10 {
		s, ctx := withStreams(t, "s")
		type sent struct {
			at   int64
			name string
		}
		var all []sent
		for batch := range 8 {
			at := start.Add(time.Duration(r.Intn(20)) * time.Millisecond)
			var events []api.InputLogEvent
			for i := range 1 + r.Intn(9) {
				at = at.Add(time.Duration(r.Intn(2)) * time.Millisecond)
				events = append(events, event(at, fmt.Sprintf("%d.%d", batch, i)))
				all = append(all, sent{at.UnixMilli(), *events[i].Message})
			}
			put(t, s, ctx, "s", events...)
		}
		slices.SortStableFunc(all, func(a, b sent) int { return int(a.at - b.at) })
		lo, hi := 0, 0 // the page before
		in := api.GetLogEventsInput{StartFromHead: new(true)}
		for range 60 {
			in.Limit = new(int32(1 + r.Intn(7)))
			out := get(t, s, ctx, in)
			if in.NextToken != nil && (*in.NextToken)[0] == 'b' {
				lo, hi = max(0, lo-int(*in.Limit)), lo
			} else {
				lo, hi = hi, min(len(all), hi+int(*in.Limit))
			}
			var want []string
			for _, e := range all[lo:hi] {
				want = append(want, e.name)
			}
			if got := messages(out); got != strings.Join(want, " ") {
				t.Fatalf("%s, want %v", got, want)
			}
			if in.NextToken = out.NextForwardToken; r.Intn(2) == 0 {
				in.NextToken = out.NextBackwardToken
			}
		}
	}
}

func TestGetLogEventsAnswersAMegabyte(t *testing.T) {
	s, ctx := withStreams(t, "s")
	for range 3 {
		put(t, s, ctx, "s", event(start, strings.Repeat("x", 600_000)))
	}
	out := get(t, s, ctx, api.GetLogEventsInput{})
	if len(out.Events) != 1 {
		t.Errorf("%d events", len(out.Events))
	}
	if out := get(t, s, ctx, api.GetLogEventsInput{NextToken: out.NextBackwardToken}); len(out.Events) != 1 {
		t.Errorf("%d events before", len(out.Events))
	}
}

func filtered(out *api.FilterLogEventsOutput) string {
	var m []string
	for _, e := range out.Events {
		m = append(m, *e.LogStreamName+":"+*e.Message)
	}
	return strings.Join(m, " ")
}

func TestFilterLogEvents(t *testing.T) {
	s, ctx := withStreams(t, "a1", "a2", "b")
	for i, stream := range []string{"a1", "b", "a2", "a1", "b"} {
		put(t, s, ctx, stream, event(start.Add(time.Duration(i)*time.Second), fmt.Sprintf("m%d", i)))
	}
	put(t, s, ctx, "a2", event(start, "m0 late"))
	at := func(i int) *int64 { return new(start.Add(time.Duration(i) * time.Second).UnixMilli()) }
	type in = api.FilterLogEventsInput
	tests := []struct {
		in   in
		want string
	}{
		{in{}, "a1:m0 a2:m0 late b:m1 a2:m2 a1:m3 b:m4"},
		{in{StartFromHead: new(false)}, "b:m4 a1:m3 a2:m2 b:m1 a2:m0 late a1:m0"},
		{in{LogStreamNamePrefix: new("a")}, "a1:m0 a2:m0 late a2:m2 a1:m3"},
		{in{LogStreamNames: []string{"b", "a1", "b"}}, "a1:m0 b:m1 a1:m3 b:m4"},
		{in{FilterPattern: new("m0")}, "a1:m0 a2:m0 late"},
		{in{FilterPattern: new("m0 -late"), Interleaved: new(false)}, "a1:m0"},
		{in{FilterPattern: new("none")}, ""},
		{in{StartTime: at(1), EndTime: at(3)}, "b:m1 a2:m2 a1:m3"},
		{in{StartTime: at(5)}, ""},
	}
	for _, tt := range tests {
		for _, limit := range []int32{1, 2, 10} {
			in, got := tt.in, []string{}
			in.LogGroupIdentifier, in.Limit = new("arn:aws:logs:us-east-1:123456789012:log-group:g"), &limit
			for pages := 0; pages < 10; pages++ {
				out, err := s.FilterLogEvents(ctx, &in)
				if err != nil {
					t.Fatal(err)
				}
				if len(out.Events) > int(limit) || out.SearchedLogStreams == nil {
					t.Errorf("%+v", out)
				}
				got = append(got, filtered(out))
				if in.NextToken = out.NextToken; in.NextToken == nil {
					break
				}
			}
			if strings.TrimSpace(strings.Join(got, " ")) != tt.want {
				t.Errorf("%+v, limit %d: %v, want %s", tt.in, limit, got, tt.want)
			}
		}
	}
	out, err := s.FilterLogEvents(ctx, &in{LogGroupName: new("g"), Limit: new(int32(1))})
	if err != nil || !regexp.MustCompile(`^\d{56}$`).MatchString(*out.Events[0].EventId) || *out.Events[0].IngestionTime != start.UnixMilli() {
		t.Errorf("%+v %v", out, err)
	}
	for _, tt := range []struct {
		in      in
		message string
	}{
		{in{FilterPattern: new("{ $.v == 1 }")}, "Invalid filter pattern"},
		{in{FilterPattern: new("a:b")}, "Invalid character(s) in term 'a:b'"},
		{in{LogStreamNamePrefix: new("a"), LogStreamNames: []string{"b"}}, "logStreamNamePrefix and logStreamNames are mutually exclusive parameters."},
		{in{NextToken: out.NextToken, FilterPattern: new("other")}, "The specified nextToken is invalid."},
	} {
		tt.in.LogGroupName = new("g")
		_, err := s.FilterLogEvents(ctx, &tt.in)
		wantError(t, err, "InvalidParameterException", tt.message)
	}
	_, err = s.FilterLogEvents(ctx, &in{LogGroupName: new("g"), LogStreamNames: []string{"a1", "x"}})
	wantError(t, err, "ResourceNotFoundException", "The specified log stream does not exist.")
}

// TestFilterLogEventsSearchesInSteps checks that a search through much that does
// not match answers what it has and goes on.
func TestFilterLogEventsSearchesInSteps(t *testing.T) {
	s, ctx := withStreams(t, "s")
	for range maxSearch/1_000_000 + 2 {
		put(t, s, ctx, "s", event(start, strings.Repeat("x", 1_000_000)))
	}
	put(t, s, ctx, "s", event(start, "here"))
	in := &api.FilterLogEventsInput{LogGroupName: new("g"), FilterPattern: new("here")}
	first, err := s.FilterLogEvents(ctx, in)
	if err != nil || len(first.Events) != 0 || first.NextToken == nil {
		t.Fatalf("%s %v", filtered(first), err)
	}
	in.NextToken = first.NextToken
	if out, err := s.FilterLogEvents(ctx, in); err != nil || filtered(out) != "s:here" || out.NextToken != nil {
		t.Errorf("%s %v", filtered(out), err)
	}
}

func TestRetentionHidesAtOnce(t *testing.T) {
	s, ctx := withStreams(t, "s")
	put(t, s, ctx, "s", event(start.AddDate(0, 0, -2), "old"))
	put(t, s, ctx, "s", event(start, "new"))
	if _, err := s.PutRetentionPolicy(ctx, &api.PutRetentionPolicyInput{LogGroupName: new("g"), RetentionInDays: new(int32(1))}); err != nil {
		t.Fatal(err)
	}
	if got := messages(get(t, s, ctx, api.GetLogEventsInput{StartTime: new(int64(0))})); got != "new" {
		t.Error(got)
	}
	if out, err := s.FilterLogEvents(ctx, &api.FilterLogEventsInput{LogGroupName: new("g")}); err != nil || filtered(out) != "s:new" {
		t.Error(filtered(out), err)
	}
}

func TestStoredBytes(t *testing.T) {
	s, ctx := withStreams(t, "s", "r")
	put(t, s, ctx, "s", event(start, "1234"))
	put(t, s, ctx, "r", event(start, "é"), event(start, "x"))
	stored := func() int64 {
		out, err := s.DescribeLogGroups(ctx, &api.DescribeLogGroupsInput{})
		if err != nil {
			t.Fatal(err)
		}
		return *out.LogGroups[0].StoredBytes
	}
	if n := stored(); n != 4+2+1+3*logs.Overhead {
		t.Errorf("%d bytes", n)
	}
	if _, err := s.DeleteLogStream(ctx, &api.DeleteLogStreamInput{LogGroupName: new("g"), LogStreamName: new("r")}); err != nil {
		t.Fatal(err)
	}
	if n := stored(); n != 4+logs.Overhead {
		t.Errorf("%d bytes after deletion", n)
	}
}

func TestTestMetricFilter(t *testing.T) {
	s, ctx := newService(t)
	out, err := s.TestMetricFilter(ctx, &api.TestMetricFilterInput{
		FilterPattern:    new("[ip, ..., status=404, size]"),
		LogEventMessages: []string{`1.2.3.4 - "GET /" 200 5`, `1.2.3.4 - "GET /x" 404 6`},
	})
	if err != nil || len(out.Matches) != 1 {
		t.Fatalf("%+v %v", out, err)
	}
	if m := out.Matches[0]; *m.EventNumber != 2 || fmt.Sprint(m.ExtractedValues) != "map[$2:- $3:GET /x $ip:1.2.3.4 $size:6 $status:404]" {
		t.Errorf("%d %v", *m.EventNumber, m.ExtractedValues)
	}
	_, err = s.TestMetricFilter(ctx, &api.TestMetricFilterInput{FilterPattern: new("{ $.v IS NOT NULL }")})
	wantError(t, err, "InvalidParameterException", "Invalid metric filter pattern")
}
