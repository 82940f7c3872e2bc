package logdriver

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"neargate/resource/logs"
	"neargate/shim/api"
)

// How often is looked for output without being woken: where the directory is
// watched, and where not.
const (
	pollWatched = time.Second
	pollOther   = 50 * time.Millisecond
)

// grace is how long after the last line of an event is waited for lines that were
// written in time.
const grace = 100 * time.Millisecond

// Pauses after the sink has failed, and between what is said about it.
const (
	retryFirst = 50 * time.Millisecond
	retryMax   = 5 * time.Second
	sayEvery   = time.Minute
)

// follower carries the log of a container.
type follower struct {
	d           *Driver
	source, dir string
	log         *slog.Logger
	wake        chan struct{} // holds a token while there may be something to read
	watched     atomic.Bool
	running     bool // of the driver's mu

	mu    sync.Mutex
	c     cursor // pending is kept in lines
	kept  *place // as stored
	lines        // what was read and is not stored
	over  bool   // it is finished
	fails int    // of the sink, in a row
	said  time.Time
}

// resume takes up a cursor that was stored.
func (f *follower) resume(stored []byte) error {
	c, begins, err := decode(stored)
	if err != nil {
		return err
	}
	f.c, f.kept, f.lines = c, &place{c.At.Segment, c.At.Offset}, newLines(c.pending, begins)
	segments, err := api.Segments(f.dir)
	for _, n := range segments {
		if n < c.At.Segment { // a driver has ended before it removed them
			err = errors.Join(err, os.Remove(api.SegmentFile(f.dir, n)))
		}
	}
	return err
}

func (f *follower) wakeUp() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// run reads until the driver ends or the log is finished.
func (f *follower) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-f.d.ctx.Done():
			return
		case <-f.wake:
		case <-timer.C:
		}
		wait, over := f.turn()
		if over {
			return
		}
		timer.Reset(wait)
	}
}

// turn reads a buffer; it returns when to read again if nothing wakes the
// follower.
func (f *follower) turn() (wait time.Duration, over bool) {
	release, err := f.d.slot(f.d.ctx)
	if err != nil {
		return 0, true
	}
	defer release()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.over {
		return 0, true
	}
	if !f.watched.Load() && f.d.watcher != nil {
		f.d.watcher.add(f)
	}
	more, err := f.advance()
	if err == nil && more {
		return 0, false
	}
	wait = pollOther
	if f.watched.Load() {
		wait = pollWatched
	}
	if due, ok := f.due(); err == nil && ok {
		if wait = min(wait, due); due <= 0 {
			f.endEvent()
			wait, err = 0, f.store(false)
		}
	}
	if err != nil {
		return f.failed(err), false
	}
	f.fails = 0
	return wait, false
}

// due is how long the lines of an event are waited for, if there are any.
func (f *follower) due() (time.Duration, bool) {
	if len(f.Event.Bytes) == 0 {
		return 0, false
	}
	left := time.UnixMilli(f.Last).Add(idle + grace).Sub(f.d.cfg.Now())
	return min(left, idle+grace), true // whatever the clock did
}

// failed says so, and how long to wait.
func (f *follower) failed(err error) time.Duration {
	if now := f.d.cfg.Now(); f.fails == 0 || now.Sub(f.said) > sayEvery {
		f.log.Error("output of a container is not stored yet", "error", err)
		f.said = now
	}
	wait := min(retryFirst<<min(f.fails, 10), retryMax)
	f.fails++
	return wait
}

// advance stores what could not be stored before, and reads and stores a buffer;
// it reports whether there may be more.
func (f *follower) advance() (more bool, err error) {
	if err := f.store(false); err != nil {
		return false, err
	}
	if more, err = f.read(); err != nil {
		return false, err
	}
	return more, f.store(false)
}

// read takes in the records of a buffer.
func (f *follower) read() (more bool, err error) {
	at := &f.c.At
	// The shim writes to the last segment only: one with a later one is complete.
	_, missing := os.Lstat(api.SegmentFile(f.dir, at.Segment+1))
	file, err := os.Open(api.SegmentFile(f.dir, at.Segment))
	if errors.Is(err, fs.ErrNotExist) {
		return f.skip()
	}
	if err != nil {
		return false, err
	}
	defer file.Close()
	buf := f.d.buffers.Get().(*[bufferSize]byte)
	defer f.d.buffers.Put(buf)
	n, err := file.ReadAt(buf[:], at.Offset)
	if err != nil && err != io.EOF {
		return false, err
	}
	end := bytes.LastIndexByte(buf[:n], '\n') + 1
	if end == 0 && n == bufferSize {
		end = n // no record is as long
	}
	for line := range bytes.Lines(buf[:end]) {
		if r, ok := api.ParseRecord(line); ok {
			f.add(r)
		}
	}
	at.Offset += int64(end)
	if n == bufferSize {
		return true, nil
	}
	if missing == nil {
		*at = place{Segment: at.Segment + 1}
		return true, nil
	}
	return false, nil
}

// skip goes to the first segment there is after one that is not there.
func (f *follower) skip() (more bool, err error) {
	segments, err := api.Segments(f.dir)
	i := slices.IndexFunc(segments, func(n uint64) bool { return n > f.c.At.Segment })
	if err != nil || i < 0 {
		return false, err
	}
	f.c.At = place{Segment: segments[i]}
	return true, nil
}

// store stores the events there are and the cursor. Without an event there is no
// need to before a segment is read, but for the one who asks.
func (f *follower) store(anyway bool) error {
	if len(f.events) == 0 && !anyway && (f.kept == nil || f.kept.Segment == f.c.At.Segment) {
		return nil
	}
	f.c.pending = f.pending
	stored, err := f.c.encode()
	if err != nil {
		return err
	}
	slices.SortStableFunc(f.events, func(a, b logs.Record) int { return int(a.Time - b.Time) })
	if err := f.d.cfg.Sink.AppendFrom(f.source, stored, f.c.Stream, f.d.cfg.Now(), f.events); err != nil {
		return err
	}
	f.events = nil
	if f.lost > 0 {
		f.log.Warn("output of a container was lost: its log's buffer was full", "lines", f.lost)
		f.lost = 0
	}
	if f.kept != nil {
		for n := f.kept.Segment; n < f.c.At.Segment; n++ {
			_ = os.Remove(api.SegmentFile(f.dir, n)) // or at the next start
		}
	}
	f.kept = &place{f.c.At.Segment, f.c.At.Offset}
	return nil
}

// finish stores everything and removes the log.
func (f *follower) finish(ctx context.Context) error {
	for {
		wait, err := f.drain(ctx)
		if err == nil && wait == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(wait):
		}
	}
}

// drain reads all there is; what is written meanwhile, it need not. It returns when
// to try again if the sink fails.
func (f *follower) drain(ctx context.Context) (wait time.Duration, err error) {
	release, err := f.d.slot(ctx)
	if err != nil {
		return 0, err
	}
	defer release()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.over {
		return 0, nil
	}
	last, err := f.last()
	for more := true; more && err == nil && ctx.Err() == nil && f.c.At.before(last); {
		more, err = f.advance()
	}
	if err == nil && ctx.Err() == nil {
		f.end()
		if err = f.store(false); err == nil {
			err = f.remove()
		}
	}
	if ctx.Err() != nil {
		return 0, errors.Join(ctx.Err(), err)
	}
	if err != nil {
		return f.failed(err), err
	}
	f.over = true
	f.wakeUp()
	return 0, nil
}

// last is the end of the log.
func (f *follower) last() (place, error) {
	segments, err := api.Segments(f.dir)
	if err != nil || len(segments) == 0 {
		return place{}, err
	}
	n := segments[len(segments)-1]
	info, err := os.Stat(api.SegmentFile(f.dir, n))
	if err != nil {
		return place{}, err
	}
	return place{n, info.Size()}, nil
}

// remove removes the log and forgets it, in this order, that of the disk included:
// a log without a cursor would be read from its beginning.
func (f *follower) remove() error {
	if err := os.RemoveAll(f.dir); err != nil {
		return err
	}
	if parent, err := os.Open(filepath.Dir(f.dir)); err == nil {
		err = errors.Join(parent.Sync(), parent.Close())
		if err != nil {
			return err
		}
	}
	return f.d.cfg.Sink.DropCursor(f.source)
}
