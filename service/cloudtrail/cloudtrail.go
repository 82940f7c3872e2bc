// Package cloudtrail answers AWS CloudTrail: it looks management events up, and keeps
// trails, whose files are delivered elsewhere.
package cloudtrail

import (
	"context"
	"errors"
	"strconv"
	"time"

	"neargate/auth"
	api "neargate/aws/cloudtrail"
	"neargate/resource/trail"
	"neargate/service"
	"neargate/service/internal/page"
)

// Events finds events of calls.
type Events interface {
	Lookup(context.Context, trail.Query) (trail.Page, error)
}

// defaultResults is the page size of a request that names none.
const defaultResults = 50

// Service is the CloudTrail API.
type Service struct {
	deps    service.Deps
	events  Events
	buckets Buckets
	groups  Groups
	pages   *page.Sealer
}

var _ api.API = (*Service)(nil)

// New returns the CloudTrail API.
func New(d service.Deps, e Events, b Buckets, g Groups) *Service {
	return &Service{d, e, b, g, page.NewSealer(d.TokenKey)}
}

// LookupEvents finds management events of the last 90 days, newest first.
func (s *Service) LookupEvents(ctx context.Context, in *api.LookupEventsInput) (*api.LookupEventsOutput, error) {
	c, now := auth.CallerFrom(ctx), s.deps.Now()
	q := trail.Query{Account: c.Account, Region: c.Region, From: now.Add(-trail.Keep), To: now, Limit: defaultResults}
	if in.MaxResults != nil {
		q.Limit = int(*in.MaxResults)
	}
	if in.StartTime != nil && in.StartTime.After(q.From) {
		q.From = in.StartTime.Truncate(time.Second)
	}
	if in.EndTime != nil {
		q.To = in.EndTime.Truncate(time.Second).Add(time.Second - 1) // times are shown in whole seconds
	}
	if in.StartTime != nil && in.EndTime != nil && in.StartTime.After(*in.EndTime) {
		return nil, api.InvalidTimeRangeException("Invalid time range. Specify a start time that is before the end time.")
	}
	switch len(in.LookupAttributes) {
	case 0:
	case 1:
		q.Attribute, q.Value = *in.LookupAttributes[0].AttributeKey, *in.LookupAttributes[0].AttributeValue
	default:
		return nil, api.InvalidLookupAttributesException("You can specify only one lookup attribute.")
	}
	scope := []string{"cloudtrail", c.Account, c.Region, q.Attribute, q.Value, stamp(in.StartTime), stamp(in.EndTime)}
	if in.NextToken != nil {
		after, err := s.pages.Open(*in.NextToken, scope...)
		if errors.Is(err, page.ErrBad) {
			return nil, api.InvalidNextTokenException("Invalid token.")
		}
		q.After = after
	}
	out := &api.LookupEventsOutput{Events: []api.Event{}}
	if in.EventCategory != nil {
		return out, nil // there are no insights
	}
	found, err := s.events.Lookup(ctx, q)
	if err != nil {
		return nil, err
	}
	for _, e := range found.Events {
		out.Events = append(out.Events, *shown(&e))
	}
	if found.Next != "" {
		out.NextToken = new(s.pages.Seal(found.Next, scope...))
	}
	return out, nil
}

func stamp(t *time.Time) string {
	if t == nil {
		return ""
	}
	return strconv.FormatInt(t.UnixNano(), 10)
}

func shown(e *trail.Event) *api.Event {
	v := &api.Event{
		EventId: &e.ID, EventName: &e.Name, EventTime: new(e.Time.Truncate(time.Second)), EventSource: &e.Source,
		ReadOnly: new(strconv.FormatBool(e.ReadOnly)), Resources: []api.Resource{}, CloudTrailEvent: &e.Text,
	}
	if e.Username != "" {
		v.Username = &e.Username
	}
	if e.AccessKeyID != "" {
		v.AccessKeyId = &e.AccessKeyID
	}
	for _, r := range e.Resources {
		v.Resources = append(v.Resources, api.Resource{ResourceType: &r.Type, ResourceName: &r.Name})
	}
	return v
}
