package logs

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"neargate/auth"
	api "neargate/aws/logs"
	"neargate/resource/logs"
	"neargate/service/internal/member"
	"neargate/service/logs/pattern"
	"neargate/store"
	"neargate/store/tables"
)

// Limits of Live Tail sessions: how often one gets events, how many it gets at a
// time, how long it lasts, and how many an account may have.
// Source: StartLiveTail, and CloudWatch Logs quotas.
const (
	tailPeriod  = time.Second
	tailEvents  = 500
	tailTime    = 3 * time.Hour
	maxSessions = 15
)

// tailBytes bounds the messages that a session gets at a time; one event always
// fits.
const tailBytes = 4 << 20

// sessions counts open Live Tail sessions by account and region.
type sessions struct {
	mu   sync.Mutex
	open map[[2]string]int
}

// enter counts a session until ctx is over; false if there are too many.
func (s *sessions) enter(ctx context.Context, c auth.Caller) bool {
	key := [2]string{c.Account, c.Region}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open = map[[2]string]int{}
	}
	if s.open[key] >= maxSessions {
		return false
	}
	s.open[key]++
	context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.open[key]--; s.open[key] == 0 {
			delete(s.open, key)
		}
	})
	return true
}

// StartLiveTail streams the events that are put into log groups from now on,
// every second, at most 500 at a time: the first of each second, when there are
// more. A group that is deleted yields no more events.
func (s *Service) StartLiveTail(ctx context.Context, in *api.StartLiveTailInput) (*api.StartLiveTailOutput, error) {
	c := auth.CallerFrom(ctx)
	t, err := newTail(c, in)
	if err != nil {
		return nil, err
	}
	err = s.deps.Store.View(ctx, func(tx store.Tx) error {
		clear(t.groups)
		for i, id := range in.LogGroupIdentifiers {
			g, err := findGroup(ctx, tx, t.names[i])
			if err != nil {
				return err
			}
			if g.Class != logs.Standard {
				return api.InvalidOperationException("Live Tail is not supported for log groups of the class " + g.Class + ".")
			}
			t.groups[g.ID] = tailed{id, g}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if !s.tails.enter(ctx, c) {
		return nil, api.LimitExceededException(fmt.Sprintf("Account maximum Live Tail session concurrency limit of [%d] reached.", maxSessions))
	}
	t.service, t.ends = s, s.deps.Now().Add(tailTime)
	t.start = &api.LiveTailSessionStart{
		RequestId: new(c.RequestID), SessionId: new(s.deps.IDs.UUID()), LogGroupIdentifiers: in.LogGroupIdentifiers,
		LogEventFilterPattern: new(member.Or(in.LogEventFilterPattern, "")),
		LogStreamNames:        append([]string{}, in.LogStreamNames...), LogStreamNamePrefixes: append([]string{}, in.LogStreamNamePrefixes...),
	}
	batches := s.events.Follow(ctx, tailPeriod, func(group uint64) bool { return t.groups[group].id != "" })
	return &api.StartLiveTailOutput{ResponseStream: t.run(ctx, batches)}, nil
}

// tail is a Live Tail session.
type tail struct {
	service  *Service
	names    []string          // of the groups
	groups   map[uint64]tailed // by their number
	streams  []string          // of whose events it gets; none: all
	prefixes []string
	pattern  *pattern.Pattern
	ends     time.Time
	start    *api.LiveTailSessionStart

	// known are the streams met so far; one that is not to be shown has no name.
	known map[logs.StreamID]string
	out   []api.LiveTailSessionLogEvent // of this second
	bytes int
	more  bool // than out holds
}

// tailed is a group and how the client calls it.
type tailed struct {
	id string
	logs.Group
}

func newTail(c auth.Caller, in *api.StartLiveTailInput) (*tail, error) {
	t := &tail{
		groups: map[uint64]tailed{}, streams: in.LogStreamNames, prefixes: in.LogStreamNamePrefixes, known: map[logs.StreamID]string{},
	}
	switch {
	case t.streams != nil && t.prefixes != nil:
		return nil, api.InvalidParameterException("logStreamNames and logStreamNamePrefixes are mutually exclusive parameters.")
	case len(in.LogGroupIdentifiers) > 1 && (t.streams != nil || t.prefixes != nil):
		return nil, api.InvalidParameterException("logStreamNames and logStreamNamePrefixes can only be specified with a single log group.")
	}
	for _, id := range in.LogGroupIdentifiers {
		if !strings.HasPrefix(id, "arn:") || strings.HasSuffix(id, "*") {
			return nil, api.InvalidParameterException("Log group identifiers must be ARNs that do not end with an asterisk: " + id)
		}
		name, err := groupName(c, id)
		if err != nil {
			return nil, err
		}
		if slices.Contains(t.names, name) {
			return nil, api.InvalidParameterException("Log group identifiers must be unique: " + id)
		}
		t.names = append(t.names, name)
	}
	var err error
	t.pattern, err = compile(member.Or(in.LogEventFilterPattern, ""), "Invalid filter pattern")
	return t, err
}

// run is the session's stream.
func (t *tail) run(ctx context.Context, batches iter.Seq[logs.Batch]) iter.Seq2[*api.StartLiveTailResponseStream, error] {
	return func(yield func(*api.StartLiveTailResponseStream, error) bool) {
		if !yield(&api.StartLiveTailResponseStream{SessionStart: t.start}, nil) {
			return
		}
		for b := range batches {
			if err := t.take(ctx, b); err != nil {
				yield(nil, err)
				return
			}
			if !b.Due {
				continue
			}
			if !yield(t.update(), nil) {
				return
			}
			if !t.service.deps.Now().Before(t.ends) {
				yield(nil, api.SessionTimeoutException("The session has timed out."))
				return
			}
		}
		yield(nil, ctx.Err())
	}
}

// take adds a batch to what the session gets next.
func (t *tail) take(ctx context.Context, b logs.Batch) error {
	t.more = t.more || b.Missed > 0
	loaded := false
	for i := range b.Events {
		e := &b.Events[i]
		if !t.pattern.Match(e.Message) {
			continue
		}
		if _, ok := t.known[e.Stream]; !ok && !loaded {
			if err := t.load(ctx); err != nil {
				return err
			}
			loaded = true
		}
		name := t.known[e.Stream]
		if name == "" {
			continue
		}
		if len(t.out) == tailEvents || len(t.out) > 0 && t.bytes+len(e.Message) > tailBytes {
			t.more = true
			break
		}
		t.bytes += len(e.Message)
		t.out = append(t.out, api.LiveTailSessionLogEvent{
			LogGroupIdentifier: new(t.groups[e.Stream.Group].id), LogStreamName: &name, Message: &e.Message,
			Timestamp: &e.At.Time, IngestionTime: new(e.At.Ingested()),
		})
	}
	return nil
}

// load finds the streams there are. A stream has a record before its first
// event; those whose record is gone have no name.
func (t *tail) load(ctx context.Context) error {
	return t.service.deps.Store.View(ctx, func(tx store.Tx) error {
		clear(t.known)
		for _, g := range t.groups {
			for st, err := range tables.LogStreams.List(tx, g.Account, g.Region, g.Name) {
				if err != nil {
					return err
				}
				name := st.Name
				if !t.shows(name) {
					name = ""
				}
				t.known[st.ID] = name
			}
		}
		return nil
	})
}

func (t *tail) shows(stream string) bool {
	switch {
	case t.streams != nil:
		return slices.Contains(t.streams, stream)
	case t.prefixes != nil:
		return slices.ContainsFunc(t.prefixes, func(p string) bool { return strings.HasPrefix(stream, p) })
	}
	return true
}

// update is what came in the second that is over, in the order of time.
func (t *tail) update() *api.StartLiveTailResponseStream {
	events := append([]api.LiveTailSessionLogEvent{}, t.out...)
	slices.SortStableFunc(events, func(a, b api.LiveTailSessionLogEvent) int { return int(*a.Timestamp - *b.Timestamp) })
	u := &api.LiveTailSessionUpdate{SessionMetadata: &api.LiveTailSessionMetadata{Sampled: new(t.more)}, SessionResults: events}
	t.out, t.bytes, t.more = nil, 0, false
	return &api.StartLiveTailResponseStream{SessionUpdate: u}
}
