package cloudtrail

import (
	"context"
	"testing"
	"time"

	"neargate/auth"
	api "neargate/aws/cloudtrail"
	"neargate/resource/trail"
	"neargate/service"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// recorded answers with the query's position one further, and keeps the query.
type recorded struct{ last trail.Query }

func (r *recorded) Lookup(_ context.Context, q trail.Query) (trail.Page, error) {
	r.last = q
	return trail.Page{Events: []trail.Event{{ID: "id", Name: "RunTask", Time: start.Add(time.Millisecond), Source: "ecs.amazonaws.com", Username: "ann", Text: "{}"}}, Next: q.After + "x"}, nil
}

func TestLookupEvents(t *testing.T) {
	r := &recorded{}
	s := New(service.Deps{Now: func() time.Time { return start }}, r, nil, nil)
	ctx := auth.WithCaller(t.Context(), auth.Caller{Account: "123456789012", Region: "us-east-1"})
	out, err := s.LookupEvents(ctx, &api.LookupEventsInput{})
	if err != nil {
		t.Fatal(err)
	}
	e := out.Events[0]
	if *e.EventId != "id" || *e.ReadOnly != "false" || !e.EventTime.Equal(start) || e.Resources == nil || e.AccessKeyId != nil || *e.CloudTrailEvent != "{}" {
		t.Errorf("%+v", e)
	}
	if q := r.last; q.Account != "123456789012" || q.Region != "us-east-1" || !q.From.Equal(start.Add(-trail.Keep)) || !q.To.Equal(start) || q.Limit != 50 || q.After != "" {
		t.Errorf("%+v", q)
	}
	by := func(key, value string) api.LookupAttribute {
		return api.LookupAttribute{AttributeKey: &key, AttributeValue: &value}
	}
	from, to := start.Add(-time.Hour), start.Add(-time.Minute)
	in := &api.LookupEventsInput{LookupAttributes: []api.LookupAttribute{by("EventName", "RunTask")}, StartTime: &from, EndTime: &to, MaxResults: new(int32(1))}
	first, err := s.LookupEvents(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	in.NextToken = first.NextToken
	if _, err := s.LookupEvents(ctx, in); err != nil {
		t.Fatal(err)
	}
	if q := r.last; q.After != "x" || q.Attribute != "EventName" || q.Value != "RunTask" || !q.From.Equal(from) || !q.To.Equal(to.Add(time.Second-1)) || q.Limit != 1 {
		t.Errorf("%+v", q)
	}
	for want, in := range map[string]*api.LookupEventsInput{
		"InvalidNextTokenException: Invalid token.":                                                        {NextToken: first.NextToken},
		"InvalidTimeRangeException: Invalid time range. Specify a start time that is before the end time.": {StartTime: &to, EndTime: &from},
		"InvalidLookupAttributesException: You can specify only one lookup attribute.":                     {LookupAttributes: []api.LookupAttribute{by("EventName", "a"), by("EventName", "b")}},
	} {
		if _, err := s.LookupEvents(ctx, in); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
