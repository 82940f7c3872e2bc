// Package traillogs lets CloudTrail deliver to log groups, with the roles of trails. Every
// call passes the same gate as any customer's.
package traillogs

import (
	"context"
	"errors"
	"time"

	"neargate/arn"
	"neargate/auth"
	awslogs "neargate/aws/logs"
	"neargate/dataplane/trails"
	"neargate/resource/logs"
	"neargate/resource/trail"
	"neargate/service/cloudtrail"
	"neargate/store"
	"neargate/wire"
	"neargate/wire/shape"
)

// Logs is CloudWatch Logs, as far as events are delivered to it.
type Logs interface {
	CreateLogStream(context.Context, *awslogs.CreateLogStreamInput) (*awslogs.CreateLogStreamOutput, error)
	PutLogEvents(context.Context, *awslogs.PutLogEventsInput) (*awslogs.PutLogEventsOutput, error)
}

// Groups delivers.
type Groups struct {
	Gate  wire.Gate
	Store store.Store
	Logs  Logs
	Now   func() time.Time
	IDs   *arn.Source
}

var (
	_ cloudtrail.Groups = Groups{}
	_ trails.Groups     = Groups{}
)

// MayLog implements cloudtrail.Groups.
func (g Groups) MayLog(ctx context.Context, t *trail.Trail) error {
	group, stream := group(t), t.LogStream(t.Region)
	err := g.begin(ctx, t, stream)
	if err == nil {
		_, err = g.admit(ctx, t, "PutLogEvents", &awslogs.PutLogEventsInput{LogGroupName: &group, LogStreamName: &stream, LogEvents: []awslogs.InputLogEvent{}})
	}
	switch {
	case errors.Is(err, auth.ErrCannotAssume):
		return cloudtrail.ErrRole
	case shape.IsCode(err, "AccessDeniedException"):
		return cloudtrail.ErrNotLogged
	case shape.IsCode(err, "ResourceNotFoundException"):
		return cloudtrail.ErrNoGroup
	}
	return err
}

// Limits of a batch and of an event. Source: PutLogEvents; AWS CloudTrail User Guide,
// "Sending events to CloudWatch Logs".
const (
	maxEvents = 10_000
	maxBatch  = 1 << 20
	maxSpan   = 24 * time.Hour
	maxEvent  = 256 << 10
)

// Log implements trails.Groups. Events that are too large for log groups are left out, as
// in AWS.
func (g Groups) Log(ctx context.Context, t *trail.Trail, region string, events []trail.Arrival) error {
	var all []awslogs.InputLogEvent
	for i := range events {
		if len(events[i].Text) <= maxEvent {
			all = append(all, awslogs.InputLogEvent{Timestamp: new(events[i].Time.UnixMilli()), Message: &events[i].Text})
		}
	}
	for len(all) > 0 {
		n := batch(all)
		if err := g.put(ctx, t, t.LogStream(region), all[:n]); err != nil {
			return refusal(err)
		}
		all = all[n:]
	}
	return nil
}

// refusal is what an error that is about the log group or the role is told as.
func refusal(err error) error {
	if errors.Is(err, auth.ErrCannotAssume) {
		return trails.Refused("AccessDenied")
	}
	for code, told := range map[string]string{"AccessDeniedException": "AccessDenied", "ResourceNotFoundException": "ResourceNotFoundException"} {
		if shape.IsCode(err, code) {
			return trails.Refused(told)
		}
	}
	return err
}

// batch is how many of the events can be put at once.
func batch(events []awslogs.InputLogEvent) int {
	size := int64(0)
	for i, e := range events {
		if size += logs.Size(len(*e.Message)); i == maxEvents || size > maxBatch || *e.Timestamp-*events[0].Timestamp >= maxSpan.Milliseconds() {
			return i
		}
	}
	return len(events)
}

// put puts a batch into a stream, which it makes when there is none.
func (g Groups) put(ctx context.Context, t *trail.Trail, stream string, events []awslogs.InputLogEvent) error {
	group := group(t)
	write := func() error {
		in := &awslogs.PutLogEventsInput{LogGroupName: &group, LogStreamName: &stream, LogEvents: events}
		ctx, err := g.admit(ctx, t, "PutLogEvents", in)
		if err == nil {
			_, err = g.Logs.PutLogEvents(ctx, in)
		}
		return err
	}
	err := write()
	if !shape.IsCode(err, "ResourceNotFoundException") {
		return err
	}
	if err := g.begin(ctx, t, stream); err != nil {
		return err
	}
	return write()
}

// begin makes a stream, unless it is there.
func (g Groups) begin(ctx context.Context, t *trail.Trail, stream string) error {
	in := &awslogs.CreateLogStreamInput{LogGroupName: new(group(t)), LogStreamName: &stream}
	ctx, err := g.admit(ctx, t, "CreateLogStream", in)
	if err == nil {
		_, err = g.Logs.CreateLogStream(ctx, in)
	}
	if shape.IsCode(err, "ResourceAlreadyExistsException") {
		err = nil
	}
	return err
}

// group is the name of the trail's log group.
func group(t *trail.Trail) string {
	name, _ := logs.GroupName(t.LogGroup, t.Account, t.Region)
	return name
}

// admit lets a call with the trail's role through, if policies do.
func (g Groups) admit(ctx context.Context, t *trail.Trail, operation string, in any) (context.Context, error) {
	var c auth.Caller
	err := g.Store.View(ctx, func(tx store.Tx) (err error) {
		c, err = auth.ForTrail(tx, t.Account, t.Region, t.LogRole, t.Name, g.Now())
		return err
	})
	if err != nil {
		return nil, err
	}
	return g.Gate.Admit(ctx, wire.Request{
		ID: g.IDs.UUID(), Service: "logs", Operation: operation, Region: t.Region, Account: t.Account, Principal: c, Input: in, Secure: true, Time: g.Now(),
	})
}
