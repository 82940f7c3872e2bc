// Package flowlogs delivers the records of flow logs: to log groups with the roles of
// the flow logs, to buckets whose policies let Amazon's log delivery write. Every call
// passes the same gate as any customer's.
package flowlogs

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"neargate/arn"
	"neargate/auth"
	awslogs "neargate/aws/logs"
	"neargate/node/flow"
	"neargate/resource/logs"
	"neargate/resource/network/edge"
	"neargate/resource/objects"
	"neargate/service/s3"
	"neargate/store"
	"neargate/store/tables/edges"
	"neargate/wire"
	"neargate/wire/shape"
)

// Logs is CloudWatch Logs, as far as records are delivered to it.
type Logs interface {
	CreateLogGroup(context.Context, *awslogs.CreateLogGroupInput) (*awslogs.CreateLogGroupOutput, error)
	CreateLogStream(context.Context, *awslogs.CreateLogStreamInput) (*awslogs.CreateLogStreamOutput, error)
	PutLogEvents(context.Context, *awslogs.PutLogEventsInput) (*awslogs.PutLogEventsOutput, error)
}

// Buckets are those of Amazon S3; s3.Inside is.
type Buckets interface {
	MayFor(ctx context.Context, a s3.Agent, bucket, action, key string) error
	PutFor(ctx context.Context, a s3.Agent, bucket, key string, about objects.About, from io.Reader) (objects.Version, error)
}

// Sink delivers.
type Sink struct {
	Gate    wire.Gate
	Store   store.Store
	Logs    Logs
	Buckets Buckets
	Now     func() time.Time
	IDs     *arn.Source
}

var _ flow.Sink = Sink{}

// errAccess reports that a flow log may not write where it is to.
var errAccess = errors.New("flowlogs: access error")

// Deliver implements flow.Sink.
func (s Sink) Deliver(ctx context.Context, l *edge.FlowLog, until time.Time, lines []flow.Line) error {
	var err error
	if l.Type == edge.ToBucket {
		err = s.toBucket(ctx, l, until, lines)
	} else {
		err = s.toGroup(ctx, l, lines)
	}
	switch {
	case errors.Is(err, errAccess):
		return s.note(ctx, l, edge.AccessError)
	case err != nil:
		return err
	}
	return s.note(ctx, l, "")
}

// note writes what became of the delivery into the flow log, if that is news.
func (s Sink) note(ctx context.Context, l *edge.FlowLog, failure string) error {
	if l.Failure == failure {
		return nil
	}
	return s.Store.Update(ctx, func(tx store.Tx) error {
		now, found, err := edges.FlowLogs.Find(tx, l.Account, l.Region, l.ID)
		if err != nil || !found || now.Failure == failure {
			return err
		}
		now.Failure = failure
		return edges.FlowLogs.Put(tx, &now)
	})
}

// toGroup puts lines into the log streams of their interfaces.
func (s Sink) toGroup(ctx context.Context, l *edge.FlowLog, lines []flow.Line) error {
	if a, err := arn.Parse(l.Destination); l.Destination != "" && (err != nil || a.Account != l.Account || a.Region != l.Region) {
		return errAccess // which takes a role of that account
	}
	for len(lines) > 0 {
		n := batch(lines)
		if err := s.put(ctx, l, lines[:n]); err != nil {
			return err
		}
		lines = lines[n:]
	}
	return nil
}

// Limits of a batch. Source: PutLogEvents.
const (
	maxEvents = 10_000
	maxBatch  = 1 << 20
)

// batch is how many of the lines go into one stream at once.
func batch(lines []flow.Line) int {
	size := int64(0)
	for i, x := range lines {
		if size += logs.Size(len(x.Text)); i == maxEvents || size > maxBatch || x.Stream != lines[0].Stream {
			return i
		}
	}
	return len(lines)
}

// put puts a batch of one stream, which it makes when there is none, and its group.
func (s Sink) put(ctx context.Context, l *edge.FlowLog, lines []flow.Line) error {
	events := make([]awslogs.InputLogEvent, len(lines))
	for i, x := range lines {
		events[i] = awslogs.InputLogEvent{Timestamp: new(x.At.UnixMilli()), Message: &lines[i].Text}
	}
	stream := lines[0].Stream
	write := func() error {
		return ask(ctx, s, l, "PutLogEvents", &awslogs.PutLogEventsInput{LogGroupName: &l.Group, LogStreamName: &stream, LogEvents: events}, s.Logs.PutLogEvents)
	}
	begin := func() error {
		return ask(ctx, s, l, "CreateLogStream", &awslogs.CreateLogStreamInput{LogGroupName: &l.Group, LogStreamName: &stream}, s.Logs.CreateLogStream)
	}
	err := write()
	if !missing(err) {
		return err
	}
	if err = begin(); missing(err) {
		if err = ask(ctx, s, l, "CreateLogGroup", &awslogs.CreateLogGroupInput{LogGroupName: &l.Group}, s.Logs.CreateLogGroup); err == nil {
			err = begin()
		}
	}
	if err != nil {
		return err
	}
	return write()
}

func missing(err error) bool { return shape.IsCode(err, "ResourceNotFoundException") }

// ask calls an operation with the flow log's role. That something exists already is
// no error.
func ask[I, O any](ctx context.Context, s Sink, l *edge.FlowLog, operation string, in *I, call func(context.Context, *I) (*O, error)) error {
	var c auth.Caller
	err := s.Store.View(ctx, func(tx store.Tx) (err error) {
		c, err = auth.ForFlowLog(tx, l.Account, l.Region, l.Role, l.ID, s.Now())
		return err
	})
	if errors.Is(err, auth.ErrCannotAssume) {
		return errAccess
	}
	if err != nil {
		return err
	}
	ctx, err = s.Gate.Admit(ctx, wire.Request{
		ID: s.IDs.UUID(), Service: "logs", Operation: operation, Region: l.Region, Account: l.Account, Principal: c, Input: in, Secure: true, Time: s.Now(),
	})
	if shape.IsCode(err, "AccessDeniedException") {
		return errAccess
	}
	if err != nil {
		return err
	}
	if _, err = call(ctx, in); shape.IsCode(err, "ResourceAlreadyExistsException") {
		return nil
	}
	return err
}

// toBucket writes lines as an object of a bucket.
func (s Sink) toBucket(ctx context.Context, l *edge.FlowLog, until time.Time, lines []flow.Line) error {
	agent := s3.Agent{Service: edge.DeliveryPrincipal, Account: l.Account, Region: l.Region, Source: edge.DeliverySource(l.Account, l.Region)}
	bucket, _ := l.Bucket()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	text := []string{strings.Join(edge.FlowFields(l.Format), " ")}
	for _, x := range lines {
		text = append(text, x.Text)
	}
	if _, err := io.WriteString(z, strings.Join(text, "\n")+"\n"); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	err := s.Buckets.MayFor(ctx, agent, bucket, "s3:GetBucketAcl", "")
	if err == nil {
		about := objects.About{Headers: map[string]string{"Content-Type": "application/octet-stream"}}
		_, err = s.Buckets.PutFor(ctx, agent, bucket, l.Key(until, s.IDs.Hex(8)), about, &b)
	}
	if errors.Is(err, s3.ErrDenied) || errors.Is(err, s3.ErrNoBucket) {
		return errAccess
	}
	return err
}
