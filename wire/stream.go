package wire

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"runtime/debug"
	"time"

	"neargate/wire/eventstream"
	"neargate/wire/json"
	"neargate/wire/shape"
)

// streaming returns the context of an operation that answers a stream of events:
// it is over when the client leaves, and when the server begins to end.
func (c *call) streaming(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	if end := c.server.cfg.Ending; end != nil {
		stop := context.AfterFunc(end, cancel)
		return ctx, func() { stop(); cancel() }
	}
	return ctx, cancel
}

// sendEvents answers the stream of an operation's output, event by event. First
// comes the rest of the output. The stream ends with its source, or with what
// went wrong there.
func (c *call) sendEvents(out any) {
	h := c.w.Header()
	h["x-amzn-RequestId"] = []string{c.id}
	h["Content-Type"] = []string{eventstream.ContentType}
	control := http.NewResponseController(c.w)
	// The time a request may take to arrive is over, and none may follow.
	if err := control.SetReadDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		c.failed = err
	}
	c.status = http.StatusOK
	c.w.WriteHeader(c.status)
	send := func(message []byte) bool {
		n, err := c.w.Write(message)
		c.wrote += n
		return err == nil && control.Flush() == nil
	}
	mime := c.svc.protocol.contentType()
	if !send(eventstream.Event(nil, eventstream.InitialResponse, mime, c.svc.protocol.append(c, nil, out))) {
		return
	}
	stream := c.op.out.Stream
	if err := eachEvent(reflect.ValueOf(out).Elem().Field(stream.Index), func(event reflect.Value) bool {
		name, payload := appendEvent(stream.Structure, event)
		return send(eventstream.Event(nil, name, mime, payload))
	}); err != nil {
		send(c.endOfStream(err, mime))
	}
}

// eachEvent calls f with each event of a stream, a struct, until it answers
// false. It returns the error that ends the stream. A panic is one.
func eachEvent(stream reflect.Value, f func(event reflect.Value) bool) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &panicked{p, debug.Stack()}
		}
	}()
	for event, failure := range stream.Seq2() {
		if !failure.IsNil() {
			return failure.Interface().(error)
		}
		if !f(event.Elem()) {
			return nil
		}
	}
	return nil
}

// appendEvent is the name and the content of an event's only member.
func appendEvent(p *shape.Plan, event reflect.Value) (name string, payload []byte) {
	for _, m := range p.Members {
		if f := event.Field(m.Index); !m.Absent(f) {
			return m.Name, json.Append(nil, m.Structure, f.Interface())
		}
	}
	panic(fmt.Sprintf("wire: an event of %v has no member", p.Type))
}

// endOfStream is the message for an error; none where the stream was to end.
func (c *call) endOfStream(err error, mime string) []byte {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	e := c.translate(err)
	c.code = e.Code
	if asShape(err) == nil {
		return eventstream.Failure(nil, e.Code, e.Message)
	}
	return eventstream.Exception(nil, e.Code, mime, json.AppendError(nil, e))
}
