// Package audit records calls as CloudTrail events. The front door tells it of each call
// after its answer, whose elements are printed at once, while they are at hand; the rest
// of the event is made later and elsewhere, so that no caller waits for it.
package audit

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"neargate/arn"
	"neargate/resource/trail"
	"neargate/store"
	"neargate/wire"
)

// Log keeps events. Append must keep neither the list nor the texts of the events.
type Log interface {
	Append([]trail.Event) error
	Lookup(context.Context, trail.Query) (trail.Page, error)
}

// flushEvery bounds how long a call waits until its event is with the operating system:
// what a killed process loses at most. backlog and maxWaiting are how many calls may
// wait for it, and how many bytes of elements with them; then callers wait.
const (
	flushEvery = 20 * time.Millisecond
	backlog    = 20_000
	maxWaiting = 32 << 20
	chunk      = 1000
)

// Recorder turns calls into events, in the order in which they ended.
type Recorder struct {
	store store.Store
	log   Log
	errs  *slog.Logger
	some  chan struct{} // has an element when calls began to wait

	mu   sync.Mutex // of what follows
	room sync.Cond  // there is room for another call
	wait []note
	text []byte // the elements of what waits, one after the other
	left int    // calls that have not been written

	buffers sync.Pool // of *[]byte, for the elements of one call

	data     Log // of data events
	selected atomic.Pointer[selection]

	out   sync.Mutex // held while events are written, so that their order is kept
	maker maker
	notes []note // to wait in next
	texts []byte // for their elements
}

// note is a call that has been observed, without what its caller may go on using.
type note struct {
	call      wire.Call
	account   string // whose trail it belongs to
	resources []trail.Resource
	size      int    // of its elements
	elements  []byte // its parameters and its answer as its event has them
}

// New makes a recorder that writes management events to log and data events to data, and
// looks sessions and trails up in the store.
func New(s store.Store, log, data Log, ids *arn.Source, errs *slog.Logger) *Recorder {
	r := &Recorder{store: s, log: log, data: data, errs: errs, some: make(chan struct{}, 1), maker: maker{ids: ids}}
	r.buffers.New = func() any { return new([]byte) }
	r.room.L = &r.mu
	r.selected.Store(&selection{})
	r.maker.wants = r.wants
	if _, err := r.find(context.Background()); err != nil {
		errs.Error("trails could not be looked up", "error", err)
	}
	return r
}

// Observe takes note of a call, if CloudTrail would: it has an account, and is no call
// of a data plane but one of those that trails select.
func (r *Recorder) Observe(c wire.Call) {
	if c.Operation == "" || !r.records(&c) {
		return
	}
	if c.Service == "cloudtrail" && !readOnly(c.Service, c.Operation) {
		if _, err := r.find(context.Background()); err != nil {
			r.errs.Warn("trails are looked up again", "error", err) // by follow
		}
	}
	buffer := r.buffers.Get().(*[]byte)
	n := note{call: c}
	if _, ok := c.Input.(*Access); !ok {
		n.account, n.resources = accountOf(&c), r.maker.print.resources(c.Input)
		*buffer = r.maker.print.elements((*buffer)[:0], &c)
		n.call.Input, n.call.Output, n.size = nil, nil, len(*buffer)
	}
	r.mu.Lock()
	for r.left >= backlog {
		r.room.Wait()
	}
	r.text = append(r.text, (*buffer)[:n.size]...)
	r.wait = append(r.wait, n)
	r.left++
	first, full := len(r.wait) == 1, len(r.text) > maxWaiting
	r.mu.Unlock()
	r.buffers.Put(buffer)
	if first {
		select {
		case r.some <- struct{}{}:
		default:
		}
	}
	if full {
		r.Flush()
	}
}

// Run writes events until ctx ends, and then those that are left.
func (r *Recorder) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { r.follow(ctx) })
	soon := time.NewTimer(0)
	defer soon.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-r.some:
			soon.Reset(flushEvery)
		case <-soon.C:
			r.Flush()
		}
	}
	r.Flush()
	return nil
}

// Flush writes what has been observed up to now.
func (r *Recorder) Flush() {
	r.out.Lock()
	defer r.out.Unlock()
	r.mu.Lock()
	notes, text := r.wait, r.text
	r.wait, r.text = r.notes[:0], r.texts[:0]
	r.mu.Unlock()
	from := 0
	for i := range notes {
		n := &notes[i]
		n.elements, from = text[from:from+n.size], from+n.size
	}
	for rest := notes; len(rest) > 0; {
		n := min(len(rest), chunk)
		r.write(rest[:n])
		rest = rest[n:]
		r.mu.Lock()
		r.left -= n
		r.mu.Unlock()
		r.room.Broadcast()
	}
	clear(notes)
	if r.notes, r.texts = notes, text; cap(notes) > keepCalls || cap(text) > keepText {
		r.notes, r.texts = nil, nil
	}
}

// keepCalls is the longest list of calls that is used again.
const keepCalls = 2000

func (r *Recorder) write(notes []note) {
	var events []trail.Event
	err := r.store.View(context.Background(), func(tx store.Tx) (err error) {
		events, err = r.maker.make(tx, notes)
		return err
	})
	if err == nil {
		management, data := r.maker.split(events)
		err = r.log.Append(management)
		if len(data) > 0 {
			err = errors.Join(err, r.data.Append(data))
		}
	}
	if err != nil {
		r.errs.Error("calls could not be recorded", "calls", len(notes), "error", err)
	}
}

// Lookup finds events, including those of every call that has been answered.
func (r *Recorder) Lookup(ctx context.Context, q trail.Query) (trail.Page, error) {
	r.Flush()
	return r.log.Lookup(ctx, q)
}
