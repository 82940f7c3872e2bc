package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// plainHost keeps the SDK from putting "streaming-" before the host's address.
func plainHost(o *cloudwatchlogs.Options) {
	o.APIOptions = append(o.APIOptions, func(s *middleware.Stack) error {
		return s.Initialize.Add(middleware.InitializeMiddlewareFunc("PlainHost", func(
			ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
		) (middleware.InitializeOutput, middleware.Metadata, error) {
			return next.HandleInitialize(smithyhttp.DisableEndpointHostPrefix(ctx, true), in)
		}), middleware.Before)
	})
}

// TestLiveTail follows log events with the SDK for Go, which checks each message
// of the stream. On a busy machine the SDK's own transport closes a connection now
// and then while it is read: such a session is begun anew.
func TestLiveTail(t *testing.T) {
	const closed = "use of closed network connection"
	c := newSDK(t)
	for i := range 3 {
		err := liveTail(t, c, fmt.Sprint("live", i))
		if err == nil {
			return
		}
		if !strings.Contains(err.Error(), closed) {
			t.Fatal(err)
		}
		t.Log(err)
	}
	t.Fatal("no session was without a closed connection")
}

// liveTail follows the events of a group; the error is one of the stream's end.
func liveTail(t *testing.T, c sdk, name string) error {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	group, stream := aws.String(name), aws.String("s")
	_, err := c.logs.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: group})
	check(t, err)
	_, err = c.logs.CreateLogStream(ctx, &cloudwatchlogs.CreateLogStreamInput{LogGroupName: group, LogStreamName: stream})
	check(t, err)
	arn := "arn:aws:logs:us-east-1:" + c.account + ":log-group:" + name
	out, err := c.logs.StartLiveTail(ctx, &cloudwatchlogs.StartLiveTailInput{LogGroupIdentifiers: []string{arn}, LogEventFilterPattern: aws.String("keep")}, plainHost)
	check(t, err)
	tail := out.GetStream()
	defer tail.Close()
	next := func() (types.StartLiveTailResponseStream, error) {
		select {
		case e, ok := <-tail.Events():
			if !ok {
				return nil, fmt.Errorf("the stream ended: %w", tail.Err())
			}
			return e, nil
		case <-ctx.Done():
			return nil, errors.New("no event")
		}
	}
	first, err := next()
	if err != nil {
		return err
	}
	if e, ok := first.(*types.StartLiveTailResponseStreamMemberSessionStart); !ok || e.Value.LogGroupIdentifiers[0] != arn {
		t.Fatalf("%+v", e)
	}
	var events []types.InputLogEvent
	for i := range 20 {
		events = append(events, types.InputLogEvent{Timestamp: aws.Int64(time.Now().UnixMilli()), Message: aws.String(fmt.Sprintf("%s %d", []string{"keep", "drop"}[i%2], i))})
	}
	_, err = c.logs.PutLogEvents(ctx, &cloudwatchlogs.PutLogEventsInput{LogGroupName: group, LogStreamName: stream, LogEvents: events})
	check(t, err)
	var got []string
	for len(got) < 10 {
		update, err := next()
		if err != nil {
			return err
		}
		e, ok := update.(*types.StartLiveTailResponseStreamMemberSessionUpdate)
		if !ok {
			t.Fatalf("%T", update)
		}
		for _, r := range e.Value.SessionResults {
			got = append(got, *r.Message)
		}
	}
	if want := "keep 0 keep 2 keep 4 keep 6 keep 8 keep 10 keep 12 keep 14 keep 16 keep 18"; strings.Join(got, " ") != want {
		t.Errorf("%q", got)
	}
	check(t, tail.Close())
	_, err = c.logs.StartLiveTail(ctx, &cloudwatchlogs.StartLiveTailInput{LogGroupIdentifiers: []string{arn + "s"}}, plainHost)
	refused[*types.ResourceNotFoundException](t, err, "The specified log group does not exist.")
	return nil
}
