package logs

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"neargate/auth"
	api "neargate/aws/logs"
	"neargate/resource/logs"
	"neargate/service/internal/member"
	"neargate/service/logs/pattern"
	"neargate/store"
	"neargate/store/tables"
)

// maxSearch bounds how many bytes of events one call searches; an answer may be
// empty and say where to go on.
const maxSearch = 32 << 20

// FilterLogEvents searches the streams of a group, in the order of the events
// over all of them, whatever the outdated parameter interleaved says.
func (s *Service) FilterLogEvents(ctx context.Context, in *api.FilterLogEventsInput) (*api.FilterLogEventsOutput, error) {
	c := auth.CallerFrom(ctx)
	group, err := oneGroup(c, in.LogGroupName, in.LogGroupIdentifier)
	if err != nil {
		return nil, err
	}
	if in.LogStreamNames != nil && in.LogStreamNamePrefix != nil {
		return nil, api.InvalidParameterException("logStreamNamePrefix and logStreamNames are mutually exclusive parameters.")
	}
	p, err := compile(member.Or(in.FilterPattern, ""), "Invalid filter pattern")
	if err != nil {
		return nil, err
	}
	backward := !member.Or(in.StartFromHead, true)
	after, scope, err := s.open(c, in.NextToken, append([]string{
		"FilterLogEvents", group, member.Or(in.FilterPattern, ""), member.Or(in.LogStreamNamePrefix, ""), fmt.Sprint(backward),
	}, in.LogStreamNames...)...)
	if err != nil {
		return nil, err
	}
	var g logs.Group
	var streams []logs.Stream
	err = s.deps.Store.View(ctx, func(tx store.Tx) (err error) {
		if g, err = findGroup(ctx, tx, group); err != nil {
			return err
		}
		streams, err = searched(tx, c, in, group)
		return err
	})
	if err != nil {
		return nil, err
	}
	end := member.Or(in.EndTime, math.MaxInt64-1) + 1 // inclusive here, unlike in GetLogEvents
	span := s.span(&g, in.StartTime, end)
	if after != "" {
		span = mark{Position: parsePosition(after), backward: backward}.narrow(span)
	}
	q := search{streams: streams, span: span, backward: backward, pattern: p, limit: int(member.Or(in.Limit, maxEvents))}
	events, next, err := q.run(ctx, s.events)
	if err != nil {
		return nil, err
	}
	out := &api.FilterLogEventsOutput{Events: events, SearchedLogStreams: []api.SearchedLogStream{}}
	if next != nil {
		out.NextToken = new(s.pages.Seal(printPosition(*next), scope...))
	}
	return out, nil
}

// searched lists the streams that a request names, or all.
func searched(tx store.Tx, c auth.Caller, in *api.FilterLogEventsInput, group string) ([]logs.Stream, error) {
	if in.LogStreamNames == nil {
		return streamsOf(tx, c, group, member.Or(in.LogStreamNamePrefix, ""), "", 0)
	}
	var streams []logs.Stream
	for _, name := range slices.Compact(slices.Sorted(slices.Values(in.LogStreamNames))) {
		st, ok, err := tables.LogStreams.Find(tx, c.Account, c.Region, group, name)
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, noStream()
		}
		streams = append(streams, st)
	}
	return streams, nil
}

// search is one page of FilterLogEvents.
type search struct {
	streams  []logs.Stream
	span     logs.Span
	backward bool
	pattern  *pattern.Pattern
	limit    int
}

// run returns the events that match, and where the next page starts (nil: all
// has been searched).
func (q *search) run(ctx context.Context, events Events) ([]api.FilteredLogEvent, *logs.Position, error) {
	ids := make([]logs.StreamID, len(q.streams))
	names := make(map[logs.StreamID]*string, len(q.streams))
	for i := range q.streams {
		st := &q.streams[i]
		ids[i], names[st.ID] = st.ID, &st.Name
	}
	found := []api.FilteredLogEvent{}
	var size, read int64
	for e, err := range events.Scan(ctx, ids, q.span, q.backward) {
		if err != nil {
			return nil, nil, err
		}
		next := e.At
		if q.backward {
			next = e.At.Next()
		}
		n := logs.Size(len(e.Message))
		if len(found) == q.limit || read > maxSearch {
			return found, &next, nil
		}
		read += n
		if !q.pattern.Match(e.Message) {
			continue
		}
		if size += n; size > maxAnswer && len(found) > 0 {
			return found, &next, nil
		}
		hit := e
		found = append(found, api.FilteredLogEvent{
			EventId: new(eventID(hit.At)), IngestionTime: new(hit.At.Ingested()), LogStreamName: names[hit.Stream],
			Message: &hit.Message, Timestamp: &hit.At.Time,
		})
	}
	return found, nil, nil
}

// eventID prints a position as 56 digits that sort as positions do.
func eventID(p logs.Position) string { return fmt.Sprintf("3%019d%036d", p.Time, p.Seq) }

func printPosition(p logs.Position) string { return fmt.Sprintf("%d %d", p.Time, p.Seq) }

// parsePosition reads what printPosition printed.
func parsePosition(s string) logs.Position {
	var p logs.Position
	fmt.Sscan(s, &p.Time, &p.Seq)
	return p
}

// compile compiles a filter pattern; general is the text for patterns that are
// wrong as a whole.
func compile(text, general string) (*pattern.Pattern, error) {
	p, err := pattern.Compile(text)
	if errors.Is(err, pattern.ErrInvalid) {
		return nil, api.InvalidParameterException(general)
	}
	if err != nil {
		return nil, api.InvalidParameterException(err.Error())
	}
	return p, nil
}

// TestMetricFilter tries a filter pattern on messages. Matches are numbered
// from 1.
func (s *Service) TestMetricFilter(ctx context.Context, in *api.TestMetricFilterInput) (*api.TestMetricFilterOutput, error) {
	p, err := compile(*in.FilterPattern, "Invalid metric filter pattern")
	if err != nil {
		return nil, err
	}
	out := &api.TestMetricFilterOutput{Matches: []api.MetricFilterMatchRecord{}}
	for i := range in.LogEventMessages {
		message := &in.LogEventMessages[i]
		if !p.Match(*message) {
			continue
		}
		out.Matches = append(out.Matches, api.MetricFilterMatchRecord{
			EventNumber: new(int64(i + 1)), EventMessage: message, ExtractedValues: p.Extract(*message),
		})
	}
	return out, nil
}
