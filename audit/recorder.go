// Package audit records calls as CloudTrail events. The front door tells it of each call
// after its answer; what is made of that happens later and elsewhere, so that no caller
// waits for it.
package audit

import (
	"context"
	"log/slog"
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
// loses at most. backlog is how many calls may wait for it; then callers wait.
const (
	flushEvery = 500 * time.Millisecond
	backlog    = 20_000
	chunk      = 1000
)

// Recorder turns calls into events, in the order in which they ended.
type Recorder struct {
	store store.Store
	log   Log
	ids   *arn.Source
	errs  *slog.Logger

	room chan struct{} // a token for each waiting call
	mu   sync.Mutex    // of waiting
	wait []wire.Call
	out  sync.Mutex // held while events are written, so that their order is kept
}

// New makes a recorder that writes to log and looks sessions up in the store.
func New(s store.Store, log Log, ids *arn.Source, errs *slog.Logger) *Recorder {
	return &Recorder{store: s, log: log, ids: ids, errs: errs, room: make(chan struct{}, backlog)}
}

// Observe takes note of a call, if CloudTrail would: it has an account, and is no call
// of a data plane.
func (r *Recorder) Observe(c wire.Call) {
	if c.Operation == "" || accountOf(&c) == "" || data[c.Service+":"+c.Operation] {
		return
	}
	r.room <- struct{}{}
	r.mu.Lock()
	r.wait = append(r.wait, c)
	r.mu.Unlock()
}

// data are the operations that are data events, which trails leave out unless asked.
var data = map[string]bool{
	"logs:PutLogEvents": true, "logs:GetLogEvents": true, "logs:FilterLogEvents": true, "logs:StartLiveTail": true,
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
	r.wait = nil
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
