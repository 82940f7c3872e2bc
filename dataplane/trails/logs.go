package trails

import (
	"context"
	"slices"

	"neargate/resource/trail"
	"neargate/store"
)

// Groups are log groups.
type Groups interface {
	// Log writes events of a region, oldest first, to the trail's log stream for it. Failures
	// whose cause is in how the log group or the role is set up are a Refused.
	Log(ctx context.Context, t *trail.Trail, region string, events []trail.Arrival) error
}

// log delivers one batch of a trail in a lane to its log group; more says that there may be
// another, and idle that nothing is left. A batch whose delivery was interrupted is delivered
// again: CloudWatch Logs does not know events that it has.
func (d *Deliverer) log(ctx context.Context, t *trail.Trail, l *lane) (more, idle bool, err error) {
	var at trail.Delivery
	there := false
	err = d.Store.View(ctx, func(tx store.Tx) (err error) {
		at, there, err = d.load(tx, t, l.Lane)
		return err
	})
	if err != nil || !there || !t.Uses(l.Lane) || t.Done(at.Position) {
		return false, true, err
	}
	events, more, err := l.events.Arrived(ctx, at.Position, atATime)
	if err != nil || len(events) == 0 {
		return false, true, err
	}
	files := byRegion(t, events)
	if len(files) == 0 && !more {
		return false, true, nil // they are read again, rather than that nothing is written down each minute
	}
	for _, f := range files {
		slices.SortStableFunc(f.events, func(a, b trail.Arrival) int { return a.Time.Compare(b.Time) })
		at.AttemptedAt = d.Now().UTC()
		err := d.Groups.Log(ctx, t, f.region, f.events)
		if err != nil {
			return false, false, d.failed(ctx, t, at, err)
		}
		at.DeliveredAt = at.AttemptedAt
	}
	at.Position, at.Error = events[len(events)-1].Position, ""
	return more, false, d.save(ctx, t, at, nil)
}
