package logs

import (
	"context"
	"fmt"
	"sort"
	"time"

	api "neargate/aws/logs"
	"neargate/resource/logs"
	"neargate/store"
)

// Limits of a batch. Source: PutLogEvents and answers recorded from AWS.
const (
	maxBatch  = 1 << 20             // bytes, each event counted as logs.Size does
	maxSpan   = 24 * time.Hour      // between the first and the last event
	maxAge    = 14 * 24 * time.Hour // of an event
	maxFuture = 2 * time.Hour       // that an event may be ahead
)

// PutLogEvents stores a batch of log events. Sequence tokens have no meaning any
// more. Events that are too old or too new are left out, and the answer says so.
func (s *Service) PutLogEvents(ctx context.Context, in *api.PutLogEventsInput) (*api.PutLogEventsOutput, error) {
	records, err := checkBatch(in.LogEvents)
	if err != nil {
		return nil, err
	}
	var g logs.Group
	var st logs.Stream
	err = s.deps.Store.View(ctx, func(tx store.Tx) (err error) {
		g, st, err = findStream(ctx, tx, *in.LogGroupName, *in.LogStreamName)
		return err
	})
	if err != nil {
		return nil, err
	}
	now := s.deps.Now()
	records, rejected := accept(records, &g, now)
	if n := len(records); n > 0 && records[n-1].Time-records[0].Time > maxSpan.Milliseconds() {
		return nil, api.InvalidParameterException("The batch of log events in a single PutLogEvents request cannot span more than 24 hours.")
	}
	if err := s.events.Append(st.ID, now, records); err != nil {
		return nil, err
	}
	out := &api.PutLogEventsOutput{NextSequenceToken: new(s.deps.IDs.Digits(56)), RejectedLogEventsInfo: rejected}
	if in.Entity != nil {
		out.RejectedEntityInfo = &api.RejectedEntityInfo{ErrorType: new("UnsupportedLogGroupType")}
	}
	return out, nil
}

// checkBatch refuses a batch that is too large or not in order.
func checkBatch(events []api.InputLogEvent) ([]logs.Record, error) {
	records := make([]logs.Record, len(events))
	var total int64
	for i, e := range events {
		records[i] = logs.Record{Time: *e.Timestamp, Message: *e.Message}
		size := logs.Size(len(*e.Message))
		if size > maxBatch {
			return nil, api.InvalidParameterException(fmt.Sprintf("Log event too large: %d bytes exceeds limit of %d", size, maxBatch))
		}
		total += size
		if i > 0 && records[i].Time < records[i-1].Time {
			return nil, api.InvalidParameterException("Log events in a single PutLogEvents request must be in chronological order.")
		}
	}
	if total > maxBatch {
		return nil, api.InvalidParameterException(fmt.Sprintf("Upload too large: %d bytes exceeds limit of %d", total, maxBatch))
	}
	return records, nil
}

// accept returns the records that are neither too old nor too new, and what is
// to be said of the others (nil: none).
func accept(records []logs.Record, g *logs.Group, now time.Time) ([]logs.Record, *api.RejectedLogEventsInfo) {
	before := func(t int64) int { return sort.Search(len(records), func(i int) bool { return records[i].Time >= t }) }
	tooOld := before(now.Add(-maxAge).UnixMilli())
	expired := before(g.Oldest(now))
	tooNew := before(now.Add(maxFuture).UnixMilli() + 1)
	var info api.RejectedLogEventsInfo
	if tooOld > 0 {
		info.TooOldLogEventEndIndex = new(int32(tooOld))
	}
	if expired > 0 {
		info.ExpiredLogEventEndIndex = new(int32(expired))
	}
	if tooNew < len(records) {
		info.TooNewLogEventStartIndex = new(int32(tooNew))
	}
	if info == (api.RejectedLogEventsInfo{}) {
		return records, nil
	}
	return records[max(tooOld, expired):tooNew], &info
}
