package logs

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand"
	"strings"
	"sync"
	"testing"
	"time"

	"neargate/arn"
	"neargate/auth"
	api "neargate/aws/logs"
	"neargate/resource/logs"
	"neargate/wire/shape"
)

// runQueries runs queries for as long as the test does.
func runQueries(t *testing.T, s *Service) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { s.RunQueries(ctx, slog.New(slog.DiscardHandler)) })
	t.Cleanup(func() { cancel(); wg.Wait() })
}

func startQuery(t *testing.T, s *Service, ctx context.Context, text string, in api.StartQueryInput) *string {
	t.Helper()
	in.QueryString = &text
	if in.StartTime == nil {
		in.StartTime, in.EndTime = new(start.Unix()-3600), new(start.Unix()+3600)
	}
	if in.LogGroupNames == nil && in.LogGroupIdentifiers == nil {
		in.LogGroupName = new("g")
	}
	out, err := s.StartQuery(ctx, &in)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return out.QueryId
}

func results(t *testing.T, s *Service, ctx context.Context, id *string) *api.GetQueryResultsOutput {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		out, err := s.GetQueryResults(ctx, &api.GetQueryResultsInput{QueryId: id})
		if err != nil {
			t.Fatal(err)
		}
		if *out.Status != "Scheduled" && *out.Status != "Running" {
			return out
		}
		if time.Now().After(deadline) {
			t.Fatal("the query does not end")
		}
	}
}

func printRows(rows [][]api.ResultField) string {
	var lines []string
	for _, row := range rows {
		var fields []string
		for _, f := range row {
			if *f.Field != "@ptr" {
				fields = append(fields, *f.Field+"="+*f.Value)
			}
		}
		lines = append(lines, strings.Join(fields, " "))
	}
	return strings.Join(lines, "\n")
}

func TestQuery(t *testing.T) {
	s, ctx := withStreams(t, "a", "b")
	create(t, s, ctx, "h")
	runQueries(t, s)
	if _, err := s.CreateLogStream(ctx, &api.CreateLogStreamInput{LogGroupName: new("h"), LogStreamName: new("c")}); err != nil {
		t.Fatal(err)
	}
	for i, stream := range []string{"a", "b", "a"} {
		put(t, s, ctx, stream, event(start.Add(time.Duration(i)*time.Minute), fmt.Sprintf(`{"n":%d,"kind":"k%d"}`, i, i%2)))
	}
	if _, err := s.PutLogEvents(ctx, &api.PutLogEventsInput{LogGroupName: new("h"), LogStreamName: new("c"), LogEvents: []api.InputLogEvent{event(start.Add(90*time.Second), "plain")}}); err != nil {
		t.Fatal(err)
	}
	h := logs.GroupARN("123456789012", "us-east-1", "h")
	for _, tt := range []struct {
		query, want string
		in          api.StartQueryInput
	}{
		{"fields n, @logStream", "n=2 @logStream=a\nn=1 @logStream=b\nn=0 @logStream=a", api.StartQueryInput{}},
		{"fields n | sort n asc | limit 1", "n=0", api.StartQueryInput{}},
		{"fields n", "n=2\nn=1", api.StartQueryInput{Limit: new(int32(2))}},
		{"stats count(*) as c by kind | sort kind", "kind=k0 c=2\nkind=k1 c=1", api.StartQueryInput{}},
		{"fields @message, @log", "@message=plain @log=123456789012:h", api.StartQueryInput{LogGroupNames: []string{"h"}}},
		{"fields n, @log | filter n = 2 or @message = 'plain'", "n=2 @log=123456789012:g\n@log=123456789012:h", api.StartQueryInput{LogGroupIdentifiers: []string{h, "g", h}}},
		// Both ends are inclusive; milliseconds will do as well.
		{"fields n", "n=1\nn=0", api.StartQueryInput{StartTime: new(start.Unix()), EndTime: new(start.Unix() + 60)}},
		{"fields n", "n=1", api.StartQueryInput{StartTime: new(start.UnixMilli() + 1), EndTime: new(start.UnixMilli() + 60_000)}},
	} {
		out := results(t, s, ctx, startQuery(t, s, ctx, tt.query, tt.in))
		if got := printRows(out.Results); got != tt.want || *out.Status != "Complete" || *out.QueryLanguage != "CWLI" {
			t.Errorf("%s: %s\n%s\nwant\n%s", tt.query, *out.Status, got, tt.want)
		}
	}
	out := results(t, s, ctx, startQuery(t, s, ctx, "filter n > 0", api.StartQueryInput{}))
	if st := out.Statistics; *st.RecordsMatched != 2 || *st.RecordsScanned != 3 || *st.BytesScanned != 57 {
		t.Errorf("matched %v, scanned %v, %v bytes", *st.RecordsMatched, *st.RecordsScanned, *st.BytesScanned)
	}
	// Retention holds for queries too, at once.
	if _, err := s.PutRetentionPolicy(ctx, &api.PutRetentionPolicyInput{LogGroupName: new("g"), RetentionInDays: new(int32(1))}); err != nil {
		t.Fatal(err)
	}
	put(t, s, ctx, "a", event(start.Add(-2*time.Hour), "kept"))
	s.deps.Now = func() time.Time { return start.Add(23 * time.Hour) }
	if out := results(t, s, ctx, startQuery(t, s, ctx, "fields @message", api.StartQueryInput{StartTime: new(int64(0)), EndTime: new(start.Unix() + 86400)})); strings.Contains(printRows(out.Results), "kept") || len(out.Results) != 3 {
		t.Error(printRows(out.Results))
	}
}

func TestStartQueryRefuses(t *testing.T) {
	s, ctx := withStreams(t, "a")
	if _, err := s.PutRetentionPolicy(ctx, &api.PutRetentionPolicyInput{LogGroupName: new("g"), RetentionInDays: new(int32(1))}); err != nil {
		t.Fatal(err)
	}
	many := make([]string, maxQueried+1)
	for i := range many {
		many[i] = fmt.Sprint("g", i)
	}
	type in = api.StartQueryInput
	from, to := new(start.Unix()), new(start.Unix()+60)
	for _, tt := range []struct {
		in            in
		code, message string
	}{
		{in{QueryString: new("fields a")}, "InvalidParameterException", "Exactly one of logGroupName, logGroupNames or logGroupIdentifiers must be specified."},
		{in{QueryString: new("fields a"), LogGroupName: new("g"), LogGroupNames: []string{"g"}}, "InvalidParameterException", "Exactly one of logGroupName, logGroupNames or logGroupIdentifiers must be specified."},
		{in{QueryString: new("fields a"), LogGroupNames: []string{}}, "InvalidParameterException", "Exactly one of logGroupName, logGroupNames or logGroupIdentifiers must be specified."},
		{in{QueryString: new("fields a"), LogGroupNames: many}, "InvalidParameterException", "The number of log groups must not exceed 50."},
		{in{QueryString: new("fields a"), LogGroupName: new("none")}, "ResourceNotFoundException", "Log group 'none' does not exist for account ID '123456789012'"},
		{in{QueryString: new("SELECT 1"), LogGroupName: new("g"), QueryLanguage: new("SQL")}, "InvalidParameterException", "Query language SQL is not supported in this region."},
		{in{QueryString: new("fields a"), LogGroupName: new("g"), StartTime: to, EndTime: new(start.Unix() - 60)}, "InvalidParameterException", "The start time of the query must not be after its end time."},
		{in{QueryString: new("fields @message\n| nonsense"), LogGroupName: new("g")}, "MalformedQueryException", "unexpected symbol found nonsense at line 2 and position 3"},
		{in{QueryString: new("fields a"), LogGroupName: new("g"), StartTime: new(int64(1)), EndTime: new(int64(2))}, "MalformedQueryException",
			"Query's end date and time is either before the log groups creation time or exceeds the log groups log retention settings."},
	} {
		if tt.in.StartTime == nil {
			tt.in.StartTime, tt.in.EndTime = from, to
		}
		_, err := s.StartQuery(ctx, &tt.in)
		wantError(t, err, tt.code, tt.message)
	}
	_, err := s.StartQuery(ctx, &in{QueryString: new("é ="), LogGroupName: new("g"), StartTime: from, EndTime: to})
	e, ok := err.(*shape.Error)
	if !ok || len(e.Fields) != 1 || fmt.Sprint(e.Fields[0]) != "{queryCompileError map[location:map[endCharOffset:1 startCharOffset:0] message:unexpected symbol found é at line 1 and position 1]}" {
		t.Errorf("%+v", err)
	}
	for range 100 { // none runs
		startQuery(t, s, ctx, "fields a", in{})
	}
	_, err = s.StartQuery(ctx, &in{QueryString: new("fields a"), LogGroupName: new("g"), StartTime: from, EndTime: to})
	wantError(t, err, "LimitExceededException", "Account maximum query concurrency limit of [100] reached.")
}

func TestQueryPagesAndStops(t *testing.T) {
	s, ctx := withStreams(t, "a")
	for i := range 5 {
		put(t, s, ctx, "a", event(start.Add(time.Duration(i)*time.Second), fmt.Sprint(i)))
	}
	id := startQuery(t, s, ctx, "fields @message", api.StartQueryInput{})
	other := auth.WithCaller(t.Context(), auth.Caller{Account: "210987654321", Region: "us-east-1"})
	for _, c := range []context.Context{other, auth.WithCaller(t.Context(), auth.Caller{Account: "123456789012", Region: "eu-west-1"})} {
		_, err := s.GetQueryResults(c, &api.GetQueryResultsInput{QueryId: id})
		wantError(t, err, "ResourceNotFoundException", "Query with id "+*id+" does not exist.")
		_, err = s.StopQuery(c, &api.StopQueryInput{QueryId: id})
		wantError(t, err, "ResourceNotFoundException", "Query with id "+*id+" does not exist.")
	}
	if out, err := s.GetQueryResults(ctx, &api.GetQueryResultsInput{QueryId: id}); err != nil || *out.Status != "Scheduled" || out.Results == nil {
		t.Errorf("%+v %v", out, err)
	}
	stopped := startQuery(t, s, ctx, "fields @timestamp", api.StartQueryInput{})
	if out, err := s.StopQuery(ctx, &api.StopQueryInput{QueryId: stopped}); err != nil || !*out.Success {
		t.Error(err)
	}
	_, err := s.StopQuery(ctx, &api.StopQueryInput{QueryId: stopped})
	wantError(t, err, "InvalidParameterException", "The specified query is not running.")
	runQueries(t, s)
	results(t, s, ctx, id)
	in := &api.GetQueryResultsInput{QueryId: id, MaxItems: new(int32(2))}
	var got []string
	for range 3 {
		out, err := s.GetQueryResults(ctx, in)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, printRows(out.Results))
		in.NextToken = out.NextToken
	}
	if want := "@message=4\n@message=3|@message=2\n@message=1|@message=0"; strings.Join(got, "|") != want || in.NextToken != nil {
		t.Errorf("%q", got)
	}
	_, err = s.GetQueryResults(ctx, &api.GetQueryResultsInput{QueryId: id, NextToken: new("forged")})
	wantError(t, err, "InvalidParameterException", "The specified nextToken is invalid.")
	_, err = s.GetQueryResults(ctx, &api.GetQueryResultsInput{QueryId: id, MaxItems: new(int32(0))})
	wantError(t, err, "InvalidParameterException", "maxItems must be between 1 and 10000.")

	list := func(in api.DescribeQueriesInput) string {
		var got []string
		for range 10 {
			out, err := s.DescribeQueries(ctx, &in)
			if err != nil {
				t.Fatal(err)
			}
			for _, q := range out.Queries {
				got = append(got, *q.QueryString+" "+*q.Status)
			}
			if in.NextToken = out.NextToken; in.NextToken == nil {
				break
			}
		}
		return strings.Join(got, ", ")
	}
	for _, tt := range []struct {
		in   api.DescribeQueriesInput
		want string
	}{
		{api.DescribeQueriesInput{}, "fields @timestamp Cancelled, fields @message Complete"},
		{api.DescribeQueriesInput{MaxResults: new(int32(1)), LogGroupName: new("g")}, "fields @timestamp Cancelled, fields @message Complete"},
		{api.DescribeQueriesInput{Status: new("Complete")}, "fields @message Complete"},
		{api.DescribeQueriesInput{LogGroupName: new("other")}, ""},
		{api.DescribeQueriesInput{QueryLanguage: new("SQL")}, ""},
	} {
		if got := list(tt.in); got != tt.want {
			t.Errorf("%+v: %s", tt.in, got)
		}
	}
	if out, err := s.DescribeQueries(other, &api.DescribeQueriesInput{}); err != nil || len(out.Queries) != 0 {
		t.Errorf("another account sees %+v %v", out, err)
	}
}

func TestGetLogRecord(t *testing.T) {
	s, ctx := withStreams(t, "a")
	runQueries(t, s)
	put(t, s, ctx, "a", event(start, "before"), event(start, `{"a":{"b":[1,"x"]},"@k":true}`), event(start, "after"))
	out := results(t, s, ctx, startQuery(t, s, ctx, "filter a.b.0 = 1", api.StartQueryInput{}))
	row := out.Results[0]
	ptr := row[len(row)-1]
	if *ptr.Field != "@ptr" || printRows(out.Results) != `@timestamp=2026-03-01 12:00:00.000 @message={"a":{"b":[1,"x"]},"@k":true}` {
		t.Fatal(printRows(out.Results))
	}
	record, err := s.GetLogRecord(ctx, &api.GetLogRecordInput{LogRecordPointer: ptr.Value})
	if err != nil {
		t.Fatal(err)
	}
	ms := fmt.Sprint(start.UnixMilli())
	want := map[string]string{
		"@message": `{"a":{"b":[1,"x"]},"@k":true}`, "@timestamp": ms, "@ingestionTime": ms, "@logStream": "a", "@log": "123456789012:g", "@ptr": *ptr.Value,
		"a.b.0": "1", "a.b.1": "x", "@@k": "true",
	}
	if fmt.Sprint(record.LogRecord) != fmt.Sprint(want) {
		t.Errorf("%v\nwant\n%v", record.LogRecord, want)
	}
	other := auth.WithCaller(t.Context(), auth.Caller{Account: "210987654321", Region: "us-east-1"})
	for _, c := range []context.Context{ctx, other} {
		in := &api.GetLogRecordInput{LogRecordPointer: ptr.Value}
		if c == ctx {
			in.LogRecordPointer = new("forged")
		}
		_, err = s.GetLogRecord(c, in)
		wantError(t, err, "InvalidParameterException", "The specified log record pointer is invalid.")
	}
	// A stream made again under the name has not got the record.
	if _, err := s.DeleteLogStream(ctx, &api.DeleteLogStreamInput{LogGroupName: new("g"), LogStreamName: new("a")}); err != nil {
		t.Fatal(err)
	}
	_, err = s.GetLogRecord(ctx, &api.GetLogRecordInput{LogRecordPointer: ptr.Value})
	wantError(t, err, "ResourceNotFoundException", "The specified log stream does not exist.")
	if _, err := s.CreateLogStream(ctx, &api.CreateLogStreamInput{LogGroupName: new("g"), LogStreamName: new("a")}); err != nil {
		t.Fatal(err)
	}
	_, err = s.GetLogRecord(ctx, &api.GetLogRecordInput{LogRecordPointer: ptr.Value})
	wantError(t, err, "ResourceNotFoundException", "The specified log record does not exist.")
}

func TestGetLogGroupFields(t *testing.T) {
	s, ctx := withStreams(t, "a")
	fields := func(in api.GetLogGroupFieldsInput) string {
		t.Helper()
		in.LogGroupName = new("g")
		out, err := s.GetLogGroupFields(ctx, &in)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range out.LogGroupFields {
			got = append(got, fmt.Sprintf("%s:%d", *f.Name, *f.Percent))
		}
		return strings.Join(got, " ")
	}
	if got := fields(api.GetLogGroupFieldsInput{}); got != "" {
		t.Error(got)
	}
	put(t, s, ctx, "a", event(start.Add(-20*time.Minute), `{"old":1}`))
	put(t, s, ctx, "a", event(start, "text"), event(start, `{"a":1,"b":{"c":2}}`), event(start, `{"a":1}`))
	system := "@ingestionTime:100 @log:100 @logStream:100 @message:100 @timestamp:100 "
	if got := fields(api.GetLogGroupFieldsInput{}); got != system+"a:66 b.c:33" {
		t.Error(got)
	}
	if got := fields(api.GetLogGroupFieldsInput{Time: new(start.Unix() - 18*60)}); got != system+"old:100" {
		t.Error(got)
	}
	_, err := s.GetLogGroupFields(ctx, &api.GetLogGroupFieldsInput{LogGroupIdentifier: new("none")})
	wantError(t, err, "ResourceNotFoundException", "The specified log group does not exist.")
}

func TestQueryDefinitions(t *testing.T) {
	s, ctx := newService(t)
	s.deps.IDs = arn.NewSource(rand.New(rand.NewSource(2)))
	var ids []string
	save := func(in api.PutQueryDefinitionInput) (string, error) {
		out, err := s.PutQueryDefinition(ctx, &in)
		if err != nil {
			return "", err
		}
		return *out.QueryDefinitionId, nil
	}
	for _, name := range []string{"app/errors", "app/slow", "other"} {
		id, err := save(api.PutQueryDefinitionInput{Name: &name, QueryString: new("fields a"), LogGroupNames: []string{"g"}})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	token := strings.Repeat("t", 36)
	first, _ := save(api.PutQueryDefinitionInput{Name: new("once"), QueryString: new("fields b"), ClientToken: &token})
	again, err := save(api.PutQueryDefinitionInput{Name: new("once"), QueryString: new("fields b"), ClientToken: &token})
	if err != nil || first != again || len(first) != 36 {
		t.Errorf("%s, then %s, %v", first, again, err)
	}
	if id, err := save(api.PutQueryDefinitionInput{QueryDefinitionId: &ids[1], Name: new("app/slow"), QueryString: new("fields c"),
		Parameters: []api.QueryParameter{{Name: new("p"), DefaultValue: new("1")}}}); err != nil || id != ids[1] {
		t.Error(id, err)
	}
	_, err = save(api.PutQueryDefinitionInput{QueryDefinitionId: new("none"), Name: new("n"), QueryString: new("fields a")})
	wantError(t, err, "ResourceNotFoundException", "The specified query definition does not exist.")
	_, err = save(api.PutQueryDefinitionInput{Name: new("n"), QueryString: new("SELECT 1"), QueryLanguage: new("SQL")})
	wantError(t, err, "InvalidParameterException", "Query language SQL is not supported in this region.")
	for prefix, want := range map[string]int{"": 4, "app/": 2, "none": 0} {
		in := &api.DescribeQueryDefinitionsInput{MaxResults: new(int32(1))}
		if prefix != "" {
			in.QueryDefinitionNamePrefix = &prefix
		}
		found := map[string]api.QueryDefinition{}
		for range 10 {
			out, err := s.DescribeQueryDefinitions(ctx, in)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range out.QueryDefinitions {
				found[*d.QueryDefinitionId] = d
			}
			if in.NextToken = out.NextToken; in.NextToken == nil {
				break
			}
		}
		if len(found) != want {
			t.Errorf("%q: %d definitions", prefix, len(found))
		}
		if d, ok := found[ids[1]]; ok && (*d.QueryString != "fields c" || len(d.LogGroupNames) != 0 || *d.Parameters[0].DefaultValue != "1" || *d.LastModified != start.UnixMilli()) {
			t.Errorf("%+v", d)
		}
	}
	if out, err := s.DeleteQueryDefinition(ctx, &api.DeleteQueryDefinitionInput{QueryDefinitionId: &ids[0]}); err != nil || !*out.Success {
		t.Error(err)
	}
	_, err = s.DeleteQueryDefinition(ctx, &api.DeleteQueryDefinitionInput{QueryDefinitionId: &ids[0]})
	wantError(t, err, "ResourceNotFoundException", "The specified query definition does not exist.")
}
