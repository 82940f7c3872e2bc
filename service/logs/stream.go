package logs

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"neargate/auth"
	api "neargate/aws/logs"
	"neargate/resource/logs"
	"neargate/service/internal/member"
	"neargate/store"
	"neargate/store/tables"
)

// CreateLogStream makes a log stream in a group.
func (s *Service) CreateLogStream(ctx context.Context, in *api.CreateLogStreamInput) (*api.CreateLogStreamOutput, error) {
	now := s.deps.Now().UTC()
	id, err := s.id()
	if err != nil {
		return nil, err
	}
	err = s.deps.Store.Update(ctx, func(tx store.Tx) error {
		g, err := findGroup(ctx, tx, *in.LogGroupName)
		if err != nil {
			return err
		}
		_, ok, err := tables.LogStreams.Find(tx, g.Account, g.Region, g.Name, *in.LogStreamName)
		if err != nil {
			return err
		}
		if ok {
			return api.ResourceAlreadyExistsException("The specified log stream already exists")
		}
		return tables.LogStreams.Put(tx, &logs.Stream{
			Account: g.Account, Region: g.Region, Group: g.Name, Name: *in.LogStreamName, CreatedAt: now,
			ID: logs.StreamID{Group: g.ID, Stream: id},
		})
	})
	return &api.CreateLogStreamOutput{}, err
}

// findStream returns a log stream and its group.
func findStream(ctx context.Context, tx store.Tx, group, name string) (logs.Group, logs.Stream, error) {
	g, err := findGroup(ctx, tx, group)
	if err != nil {
		return g, logs.Stream{}, err
	}
	st, ok, err := tables.LogStreams.Find(tx, g.Account, g.Region, g.Name, name)
	if err == nil && !ok {
		err = noStream()
	}
	return g, st, err
}

func noStream() error {
	return api.ResourceNotFoundException("The specified log stream does not exist.")
}

// DeleteLogStream deletes a log stream with its events.
func (s *Service) DeleteLogStream(ctx context.Context, in *api.DeleteLogStreamInput) (*api.DeleteLogStreamOutput, error) {
	var st logs.Stream
	err := s.deps.Store.Update(ctx, func(tx store.Tx) (err error) {
		if _, st, err = findStream(ctx, tx, *in.LogGroupName, *in.LogStreamName); err != nil {
			return err
		}
		return tables.LogStreams.Delete(tx, st.Account, st.Region, st.Group, st.Name)
	})
	if err != nil {
		return nil, err
	}
	return &api.DeleteLogStreamOutput{}, s.events.DropStream(st.ID)
}

// DescribeLogStreams lists the streams of a group by name or by last event.
func (s *Service) DescribeLogStreams(ctx context.Context, in *api.DescribeLogStreamsInput) (*api.DescribeLogStreamsOutput, error) {
	c := auth.CallerFrom(ctx)
	q, err := newStreamQuery(c, in)
	if err != nil {
		return nil, err
	}
	direction := "ascending"
	if q.descending {
		direction = "descending"
	}
	after, scope, err := s.open(c, in.NextToken, "DescribeLogStreams", q.group, q.prefix, q.orderBy, direction)
	if err != nil {
		return nil, err
	}
	var group logs.Group
	var found []logs.Stream
	err = s.deps.Store.View(ctx, func(tx store.Tx) (err error) {
		if group, err = findGroup(ctx, tx, q.group); err != nil {
			return err
		}
		found, err = q.list(tx, after)
		return err
	})
	if err != nil {
		return nil, err
	}
	stats, err := s.events.Stats(group.ID)
	if err != nil {
		return nil, err
	}
	found = q.order(found, stats, after)
	out := &api.DescribeLogStreamsOutput{LogStreams: []api.LogStream{}}
	if len(found) > q.limit {
		found = found[:q.limit]
		out.NextToken = new(s.pages.Seal(q.position(&found[q.limit-1], stats), scope...))
	}
	for _, st := range found {
		out.LogStreams = append(out.LogStreams, s.describeStream(&st, stats))
	}
	return out, nil
}

const byLastEvent = "LastEventTime"

// streamQuery is what DescribeLogStreams asks for.
type streamQuery struct {
	caller                 auth.Caller
	group, prefix, orderBy string
	descending             bool
	limit                  int
}

func newStreamQuery(c auth.Caller, in *api.DescribeLogStreamsInput) (streamQuery, error) {
	q := streamQuery{
		caller: c, prefix: member.Or(in.LogStreamNamePrefix, ""),
		orderBy: member.Or(in.OrderBy, "LogStreamName"), descending: member.Or(in.Descending, false),
		limit: int(member.Or(in.Limit, defaultLimit)),
	}
	var err error
	if q.group, err = oneGroup(c, in.LogGroupName, in.LogGroupIdentifier); err != nil {
		return q, err
	}
	if q.orderBy == byLastEvent && in.LogStreamNamePrefix != nil {
		err = api.InvalidParameterException("Cannot order by LastEventTime with a logStreamNamePrefix.")
	}
	return q, err
}

// oneGroup is the name of the log group that a request gives by name or by
// identifier.
func oneGroup(c auth.Caller, name, identifier *string) (string, error) {
	switch {
	case name != nil && identifier != nil:
		return "", api.InvalidParameterException("LogGroup name and LogGroup identifier are mutually exclusive parameters.")
	case name == nil && identifier == nil:
		return "", api.InvalidParameterException("Either LogGroup name or LogGroup identifier must be specified.")
	case name != nil:
		return *name, nil
	}
	return groupName(c, *identifier)
}

// list finds at most one stream more than the limit, after a position, where
// that is the order streams are kept in: by ascending name. Otherwise it finds
// all.
func (q *streamQuery) list(tx store.Tx, after string) ([]logs.Stream, error) {
	limit := q.limit + 1
	if q.descending || q.orderBy == byLastEvent {
		after, limit = "", 0
	}
	return streamsOf(tx, q.caller, q.group, q.prefix, after, limit)
}

// streamsOf lists the streams of a group with a prefix after a name, at most
// limit of them (0: all).
func streamsOf(tx store.Tx, c auth.Caller, group, prefix, after string, limit int) ([]logs.Stream, error) {
	var found []logs.Stream
	start := from(c, []string{group}, prefix, after)
	for st, err := range tables.LogStreams.Page(tx, []string{c.Account, c.Region, group}, start, 0) {
		if err != nil {
			return nil, err
		}
		if !strings.HasPrefix(st.Name, prefix) {
			if st.Name > prefix {
				break
			}
			continue
		}
		if found = append(found, st); limit > 0 && len(found) == limit {
			break
		}
	}
	return found, nil
}

// order sorts what list found and cuts off what is not after a position.
func (q *streamQuery) order(found []logs.Stream, stats map[uint64]logs.Stat, after string) []logs.Stream {
	if !q.descending && q.orderBy != byLastEvent {
		return found
	}
	position := make(map[uint64]string, len(found))
	for _, st := range found {
		position[st.ID.Stream] = q.position(&st, stats)
	}
	// Positions by last event ascend from the latest to the oldest.
	reverse := q.descending != (q.orderBy == byLastEvent)
	less := func(a, b string) int {
		if reverse {
			a, b = b, a
		}
		return strings.Compare(a, b)
	}
	slices.SortFunc(found, func(a, b logs.Stream) int { return less(position[a.ID.Stream], position[b.ID.Stream]) })
	if after == "" {
		return found
	}
	i := slices.IndexFunc(found, func(st logs.Stream) bool { return less(position[st.ID.Stream], after) > 0 })
	if i < 0 {
		return nil
	}
	return found[i:]
}

// position says where a stream is in the order asked for: by name, or by last
// event, latest first, those without one last, and then by name.
func (q *streamQuery) position(st *logs.Stream, stats map[uint64]logs.Stat) string {
	if q.orderBy != byLastEvent {
		return st.Name
	}
	return fmt.Sprintf("%019d %s", math.MaxInt64-stats[st.ID.Stream].Last, st.Name)
}

// describeStream describes a stream; one with events has a sequence token,
// which is another each time. Its stored bytes are always 0, as AWS stopped
// counting them.
func (s *Service) describeStream(st *logs.Stream, stats map[uint64]logs.Stat) api.LogStream {
	v := api.LogStream{
		LogStreamName: &st.Name, CreationTime: new(st.CreatedAt.UnixMilli()), Arn: new(st.ARN()), StoredBytes: new(int64(0)),
	}
	stat, ok := stats[st.ID.Stream]
	if !ok {
		return v
	}
	v.FirstEventTimestamp, v.LastEventTimestamp = &stat.First, &stat.Last
	v.LastIngestionTime = new(logs.Position{Seq: stat.Seq}.Ingested())
	v.UploadSequenceToken = new(s.deps.IDs.Digits(56))
	return v
}
