package logs

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"neargate/auth"
	api "neargate/aws/logs"
	"neargate/resource/logs"
	"neargate/service/logs/insights"
	"neargate/service/logs/insights/expr"
	"neargate/store"
	"neargate/store/tables"
)

// maxFields is how many fields are discovered in a JSON message.
// Source: CloudWatch Logs quotas.
const maxFields = 1000

// pointer is the value of @ptr: the event's place in a stream.
func (s *Service) pointer(c auth.Caller, e *insights.Event) string {
	_, group, _ := strings.Cut(e.Log, ":")
	position := strings.Join([]string{fmt.Sprint(e.Stream), printPosition(e.At), group, e.StreamName}, "\n")
	return s.pages.Seal(position, "logs", c.Account, c.Region, "@ptr")
}

// GetLogRecord answers all fields of the event that a query's @ptr points to.
// Times are in milliseconds.
func (s *Service) GetLogRecord(ctx context.Context, in *api.GetLogRecordInput) (*api.GetLogRecordOutput, error) {
	c := auth.CallerFrom(ctx)
	position, err := s.pages.Open(*in.LogRecordPointer, "logs", c.Account, c.Region, "@ptr")
	parts := strings.Split(position, "\n")
	if err != nil || len(parts) != 4 {
		return nil, api.InvalidParameterException("The specified log record pointer is invalid.")
	}
	missing := api.ResourceNotFoundException("The specified log record does not exist.")
	var g logs.Group
	var st logs.Stream
	err = s.deps.Store.View(ctx, func(tx store.Tx) (err error) {
		g, st, err = findStream(ctx, tx, parts[2], parts[3])
		return err
	})
	if err != nil {
		return nil, err
	}
	at := parsePosition(parts[1])
	if fmt.Sprint(st.ID) != parts[0] || at.Time < g.Oldest(s.deps.Now()) {
		return nil, missing
	}
	for e, err := range s.events.Scan(ctx, []logs.StreamID{st.ID}, logs.Span{From: at, To: at.Next()}, false) {
		if err != nil {
			return nil, err
		}
		return &api.GetLogRecordOutput{LogRecord: logRecord(&e, c.Account+":"+g.Name, st.Name, *in.LogRecordPointer)}, nil
	}
	return nil, missing
}

func logRecord(e *logs.Event, log, stream, pointer string) map[string]string {
	out := map[string]string{
		"@message": e.Message, "@timestamp": strconv.FormatInt(e.At.Time, 10), "@ingestionTime": strconv.FormatInt(e.At.Ingested(), 10),
		"@logStream": stream, "@log": log, "@ptr": pointer,
	}
	expr.Leaves(insights.Discover(e.Message), func(path string, v expr.Value) bool {
		out[insights.FieldName(path)] = v.Text()
		return len(out) < maxFields
	})
	return out
}

// GetLogGroupFields looks at this many of a group's latest events before a time,
// and this many bytes at most.
const (
	sampledEvents = 1000
	sampledBytes  = 8 << 20
)

// fieldsWindow is how far from its time GetLogGroupFields looks: 15 minutes back
// without a time, else 8 minutes to both sides. Source: GetLogGroupFields.
const (
	windowBack   = 15 * 60 * 1000
	windowAround = 8 * 60 * 1000
)

// GetLogGroupFields answers which fields events of a group have, and in how many
// of a hundred: of the latest ones around a time.
func (s *Service) GetLogGroupFields(ctx context.Context, in *api.GetLogGroupFieldsInput) (*api.GetLogGroupFieldsOutput, error) {
	c := auth.CallerFrom(ctx)
	name, err := oneGroup(c, in.LogGroupName, in.LogGroupIdentifier)
	if err != nil {
		return nil, err
	}
	var g logs.Group
	var streams []logs.StreamID
	err = s.deps.Store.View(ctx, func(tx store.Tx) (err error) {
		streams = streams[:0]
		if g, err = findGroup(ctx, tx, name); err != nil {
			return err
		}
		for st, err := range tables.LogStreams.List(tx, g.Account, g.Region, g.Name) {
			if err != nil {
				return err
			}
			streams = append(streams, st.ID)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	now := s.deps.Now().UnixMilli()
	from, to := now-windowBack, int64(math.MaxInt64)
	if in.Time != nil {
		at := atSeconds(*in.Time, 0)
		from, to = at-windowAround, at+windowAround
	}
	counts, events, size := map[string]int{}, 0, 0
	for e, err := range s.events.Scan(ctx, streams, s.span(&g, &from, to), true) {
		if err != nil {
			return nil, err
		}
		for _, f := range []string{"@message", "@timestamp", "@ingestionTime", "@logStream", "@log"} {
			counts[f]++
		}
		fields := 0
		expr.Leaves(insights.Discover(e.Message), func(path string, _ expr.Value) bool {
			if path = insights.FieldName(path); counts[path] > 0 || len(counts) < maxFields {
				counts[path]++
			}
			fields++
			return fields < maxFields
		})
		size += len(e.Message)
		if events++; events == sampledEvents || size > sampledBytes {
			break
		}
	}
	out := &api.GetLogGroupFieldsOutput{LogGroupFields: []api.LogGroupField{}}
	for name, n := range counts {
		out.LogGroupFields = append(out.LogGroupFields, api.LogGroupField{Name: &name, Percent: new(int32(100 * n / events))})
	}
	slices.SortFunc(out.LogGroupFields, func(a, b api.LogGroupField) int {
		if *a.Percent != *b.Percent {
			return int(*b.Percent - *a.Percent)
		}
		return strings.Compare(*a.Name, *b.Name)
	})
	return out, nil
}
