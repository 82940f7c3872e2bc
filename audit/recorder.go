// Package audit records calls as CloudTrail events. The front door tells it of each call
// after its answer; what is made of that happens later and elsewhere, so that no caller
// waits for it.
package audit

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"neargate/arn"
	"neargate/resource/trail"
	"neargate/store"
	"neargate/wire"
)

// Log keeps events.
type Log interface {
	Append([]trail.Event) error
	Lookup(context.Context, trail.Query) (trail.Page, error)
}

// flushEvery bounds how old an event gets before it is on disk: what a killed process
// loses at most. backlog and maxWaiting are how many calls may wait for it, and how many
// bytes of bodies with them; then callers wait.
const (
	flushEvery = 500 * time.Millisecond
	backlog    = 20_000
	maxWaiting = 32 << 20
	chunk      = 1000
)

// Recorder turns calls into events, in the order in which they ended.
type Recorder struct {
	store store.Store
	log   Log
	ids   *arn.Source
	errs  *slog.Logger
	print printer

	room  chan struct{} // a token for each waiting call
	mu    sync.Mutex    // of waiting
	wait  []wire.Call
	bytes int        // of the bodies of what waits
	out   sync.Mutex // held while events are written, so that their order is kept
}

// New makes a recorder that writes to log and looks sessions up in the store.
func New(s store.Store, log Log, ids *arn.Source, errs *slog.Logger) *Recorder {
	return &Recorder{store: s, log: log, ids: ids, errs: errs, room: make(chan struct{}, backlog)}
}

// Observe takes note of a call, if CloudTrail would: it has an account, and is no call
// of a data plane.
func (r *Recorder) Observe(c wire.Call) {
	if c.Operation == "" || accountOf(&c) == "" || ofData(c.Service, c.Operation) {
		return
	}
	// What is longer than an event may be is not kept until then.
	if c.Read > 2*maxElements {
		c.Input = nil
	}
	if c.Wrote > 2*maxElements {
		c.Output = nil
	}
	r.room <- struct{}{}
	r.mu.Lock()
	r.wait = append(r.wait, c)
	r.bytes += c.Read + c.Wrote
	full := r.bytes > maxWaiting
	r.mu.Unlock()
	if full {
		r.Flush()
	}
}

// ofData reports whether an operation is a data event, which trails leave out unless
// asked: log events, and all of S3 that is about objects.
func ofData(service, operation string) bool {
	switch service {
	case "logs":
		return slices.Contains([]string{"PutLogEvents", "GetLogEvents", "FilterLogEvents", "StartLiveTail"}, operation)
	case "s3":
		return operation == "HeadBucket" || !strings.Contains(operation, "Bucket") && !strings.Contains(operation, "PublicAccessBlock")
	}
	return false
}

// Run writes events until ctx ends, and then those that are left.
func (r *Recorder) Run(ctx context.Context) error {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		r.Flush()
		select {
		case <-ctx.Done():
			r.Flush()
			return nil
		case <-tick.C:
		}
	}
}

// Flush writes what has been observed up to now.
func (r *Recorder) Flush() {
	r.out.Lock()
	defer r.out.Unlock()
	r.mu.Lock()
	calls := r.wait
	r.wait, r.bytes = nil, 0
	r.mu.Unlock()
	for len(calls) > 0 {
		n := min(len(calls), chunk)
		r.write(calls[:n])
		calls = calls[n:]
		for range n {
			<-r.room
		}
	}
}

func (r *Recorder) write(calls []wire.Call) {
	events := make([]trail.Event, 0, len(calls))
	err := r.store.View(context.Background(), func(tx store.Tx) error {
		events = events[:0]
		for i := range calls {
			e, err := r.event(tx, &calls[i])
			if err != nil {
				return err
			}
			events = append(events, e)
		}
		return nil
	})
	if err == nil {
		err = r.log.Append(events)
	}
	if err != nil {
		r.errs.Error("calls could not be recorded", "calls", len(calls), "error", err)
	}
}

// Lookup finds events, including those of every call that has been answered.
func (r *Recorder) Lookup(ctx context.Context, q trail.Query) (trail.Page, error) {
	r.Flush()
	return r.log.Lookup(ctx, q)
}
