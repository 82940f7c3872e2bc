package logs

import (
	"context"
	"slices"
	"strings"
	"time"

	"neargate/auth"
	api "neargate/aws/logs"
	"neargate/resource/logs"
	"neargate/store"
	"neargate/store/tables"
)

// CreateLogStream makes a log stream in a group.
func (s *Service) CreateLogStream(ctx context.Context, in *api.CreateLogStreamInput) (*api.CreateLogStreamOutput, error) {
	now := s.deps.Now().UTC()
	err := s.deps.Store.Update(ctx, func(tx store.Tx) error {
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
		})
	})
	return &api.CreateLogStreamOutput{}, err
}

// DeleteLogStream deletes a log stream.
func (s *Service) DeleteLogStream(ctx context.Context, in *api.DeleteLogStreamInput) (*api.DeleteLogStreamOutput, error) {
	err := s.deps.Store.Update(ctx, func(tx store.Tx) error {
		g, err := findGroup(ctx, tx, *in.LogGroupName)
		if err != nil {
			return err
		}
		_, ok, err := tables.LogStreams.Find(tx, g.Account, g.Region, g.Name, *in.LogStreamName)
		if err != nil {
			return err
		}
		if !ok {
			return api.ResourceNotFoundException("The specified log stream does not exist.")
		}
		return tables.LogStreams.Delete(tx, g.Account, g.Region, g.Name, *in.LogStreamName)
	})
	return &api.DeleteLogStreamOutput{}, err
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
	var found []logs.Stream
	err = s.deps.Store.View(ctx, func(tx store.Tx) error {
		if _, err := findGroup(ctx, tx, q.group); err != nil {
			return err
		}
		found, err = q.list(tx, after)
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &api.DescribeLogStreamsOutput{LogStreams: []api.LogStream{}}
	if len(found) > q.limit {
		found = found[:q.limit]
		out.NextToken = new(s.pages.Seal(q.position(&found[q.limit-1]), scope...))
	}
	for _, st := range found {
		out.LogStreams = append(out.LogStreams, s.describeStream(&st))
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
		caller: c, group: deref(in.LogGroupName, ""), prefix: deref(in.LogStreamNamePrefix, ""),
		orderBy: deref(in.OrderBy, "LogStreamName"), descending: deref(in.Descending, false),
		limit: int(deref(in.Limit, defaultLimit)),
	}
	switch {
	case in.LogGroupName != nil && in.LogGroupIdentifier != nil:
		return q, api.InvalidParameterException("LogGroup name and LogGroup identifier are mutually exclusive parameters.")
	case in.LogGroupName == nil && in.LogGroupIdentifier == nil:
		return q, api.InvalidParameterException("Either LogGroup name or LogGroup identifier must be specified.")
	case q.orderBy == byLastEvent && in.LogStreamNamePrefix != nil:
		return q, api.InvalidParameterException("Cannot order by LastEventTime with a logStreamNamePrefix.")
	}
	if in.LogGroupIdentifier == nil {
		return q, nil
	}
	var err error
	q.group, err = groupName(c, *in.LogGroupIdentifier)
	return q, err
}

// position says where a stream is in the order asked for.
func (q *streamQuery) position(st *logs.Stream) string {
	if q.orderBy == byLastEvent {
		return tables.LogStreams.IndexKey(tables.LogStreamsByEvent, st)
	}
	return st.Name
}

// list finds at most one stream more than the limit, after a position. Names
// are kept in ascending order and last events in descending order; the other
// directions read the whole group.
func (q *streamQuery) list(tx store.Tx, after string) ([]logs.Stream, error) {
	group := []string{q.caller.Account, q.caller.Region, q.group}
	byEvent := q.orderBy == byLastEvent
	reverse := byEvent != q.descending
	start, limit := after, q.limit+1
	if reverse {
		start, limit = "", 0
	}
	seq := tables.LogStreams.ByPage(tx, tables.LogStreamsByEvent, group, start, limit)
	if !byEvent {
		seq = tables.LogStreams.Page(tx, group, from(q.caller, []string{q.group}, q.prefix, start), 0)
	}
	var found []logs.Stream
	for st, err := range seq {
		if err != nil {
			return nil, err
		}
		if !strings.HasPrefix(st.Name, q.prefix) {
			if st.Name > q.prefix {
				break
			}
			continue
		}
		if found = append(found, st); limit > 0 && len(found) == limit {
			break
		}
	}
	if !reverse {
		return found, nil
	}
	slices.Reverse(found)
	if after != "" {
		i := slices.IndexFunc(found, func(st logs.Stream) bool { return q.position(&st) < after })
		if i < 0 {
			i = len(found)
		}
		found = found[i:]
	}
	return found[:min(len(found), q.limit+1)], nil
}

// describeStream describes a stream; one with events has a sequence token,
// which is another each time.
func (s *Service) describeStream(st *logs.Stream) api.LogStream {
	v := api.LogStream{
		LogStreamName: &st.Name, CreationTime: new(st.CreatedAt.UnixMilli()), Arn: new(st.ARN()), StoredBytes: new(int64(0)),
	}
	if st.LastEvent.IsZero() {
		return v
	}
	v.FirstEventTimestamp, v.LastEventTimestamp = millis(st.FirstEvent), millis(st.LastEvent)
	v.LastIngestionTime = millis(st.LastIngestion)
	v.UploadSequenceToken = new(s.deps.IDs.Digits(56))
	return v
}

func millis(t time.Time) *int64 { return new(t.UnixMilli()) }
