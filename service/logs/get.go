package logs

import (
	"context"
	"math"
	"slices"

	"neargate/auth"
	api "neargate/aws/logs"
	"neargate/resource/logs"
	"neargate/service/internal/member"
	"neargate/store"
)

// Limits of an answer with events: their number, and their bytes as logs.Size
// counts. One event is always answered.
const (
	maxEvents = 10_000
	maxAnswer = 1 << 20
)

// GetLogEvents reads the events of a stream, a page at a time, in either
// direction. Both tokens are always answered. The end has been reached when the
// token of the direction is the one that was given: an empty page answers a new
// token, which then stays.
func (s *Service) GetLogEvents(ctx context.Context, in *api.GetLogEventsInput) (*api.GetLogEventsOutput, error) {
	c := auth.CallerFrom(ctx)
	group, err := oneGroup(c, in.LogGroupName, in.LogGroupIdentifier)
	if err != nil {
		return nil, err
	}
	var g logs.Group
	var st logs.Stream
	err = s.deps.Store.View(ctx, func(tx store.Tx) (err error) {
		g, st, err = findStream(ctx, tx, group, *in.LogStreamName)
		return err
	})
	if err != nil {
		return nil, err
	}
	span := s.span(&g, in.StartTime, member.Or(in.EndTime, math.MaxInt64))
	at := mark{backward: !member.Or(in.StartFromHead, false), Position: span.From}
	if in.NextToken != nil {
		if at, err = s.openMark(*in.NextToken, &st); err != nil {
			return nil, err
		}
		span = at.narrow(span)
	}
	events, err := s.readPage(ctx, st.ID, span, at.backward, int(member.Or(in.Limit, maxEvents)))
	if err != nil {
		return nil, err
	}
	forward, backward := mark{Position: at.Position}, mark{Position: at.Position, backward: true}
	if n := len(events); n > 0 {
		forward.Position, backward.Position = events[n-1].At.Next(), events[0].At
	} else {
		forward.end, backward.end = !at.backward, at.backward
	}
	out := &api.GetLogEventsOutput{
		Events:           make([]api.OutputLogEvent, len(events)),
		NextForwardToken: new(s.sealMark(forward, &st)), NextBackwardToken: new(s.sealMark(backward, &st)),
	}
	for i := range events {
		e := &events[i]
		out.Events[i] = api.OutputLogEvent{Timestamp: &e.At.Time, Message: &e.Message, IngestionTime: new(e.At.Ingested())}
	}
	return out, nil
}

// span is the positions of what a group retains from start up to, but not
// including, end.
func (s *Service) span(g *logs.Group, start *int64, end int64) logs.Span {
	from := max(member.Or(start, 0), g.Oldest(s.deps.Now()))
	return logs.Span{From: logs.Position{Time: from}, To: logs.Position{Time: end}}
}

// readPage reads a page of a stream; its events are in ascending order whatever
// the direction.
func (s *Service) readPage(ctx context.Context, id logs.StreamID, span logs.Span, backward bool, limit int) ([]logs.Event, error) {
	var events []logs.Event
	var size int64
	for e, err := range s.events.Scan(ctx, []logs.StreamID{id}, span, backward) {
		if err != nil {
			return nil, err
		}
		if size += logs.Size(len(e.Message)); size > maxAnswer && len(events) > 0 {
			break
		}
		if events = append(events, e); len(events) == limit {
			break
		}
	}
	if backward {
		slices.Reverse(events)
	}
	return events, nil
}
