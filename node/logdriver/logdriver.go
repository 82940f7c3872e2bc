// Package logdriver carries what containers write into log streams, as the
// awslogs driver does.
//
// A task's shim writes a container's output into segments on disk. The driver
// follows them, makes events of the lines, and stores the events together with
// how far it has read: an event is stored once, whenever the driver ends. What is
// stored is removed from the disk.
package logdriver

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"neargate/resource/logs"
)

// Sink is where events are kept.
type Sink interface {
	// AppendFrom stores records, in ascending order of time, and the cursor of
	// their source, or neither. There may be no records.
	AppendFrom(source string, cursor []byte, id logs.StreamID, now time.Time, records []logs.Record) error
	// Cursor is the cursor of a source; nil: none.
	Cursor(source string) ([]byte, error)
	// Sources lists the sources with a cursor that start with a prefix.
	Sources(prefix string) ([]string, error)
	// DropCursor forgets a source.
	DropCursor(source string) error
}

// Config is what a driver works with.
type Config struct {
	Dir     func(task, container string) string // where the shim puts a container's segments
	Streams Streams
	Sink    Sink
	Now     func() time.Time
	Log     *slog.Logger
}

// readers is how many logs are read at a time; each takes up to two megabytes of
// memory then.
const readers = 16

// bufferSize is how much of a segment is read, and stored, at a time. It holds
// more than one record.
const bufferSize = 256 << 10

// Driver follows the logs of the containers of a node. Its methods may be called
// concurrently.
type Driver struct {
	cfg     Config
	watcher *watcher // nil: there is none, logs are polled
	slots   chan struct{}
	buffers sync.Pool
	ctx     context.Context
	end     context.CancelFunc
	running sync.WaitGroup

	mu        sync.Mutex
	followers map[string]*follower // by source
}

// New is a driver that follows nothing yet.
func New(cfg Config) *Driver {
	d := &Driver{cfg: cfg, slots: make(chan struct{}, readers), followers: map[string]*follower{}}
	d.buffers.New = func() any { return new([bufferSize]byte) }
	d.ctx, d.end = context.WithCancel(context.Background())
	var err error
	if d.watcher, err = newWatcher(); err != nil {
		cfg.Log.Warn("logs of containers are polled", "error", err)
	}
	return d
}

// Close ends the driver; the sink must not be closed before. The containers go on,
// and another driver follows them from where this one was.
func (d *Driver) Close() {
	d.mu.Lock()
	d.end()
	d.mu.Unlock()
	d.running.Wait()
	if d.watcher != nil {
		d.watcher.close()
	}
}

// source names the log of a container.
func source(task, container string) string { return task + "/" + container }

// Follow carries the log of a container that was opened, by this driver or one
// before it, from then on. One that was not opened has no log.
func (d *Driver) Follow(task, container string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	f, err := d.find(task, container)
	if err != nil || f == nil || f.running || d.ctx.Err() != nil {
		return err
	}
	f.running = true
	d.running.Go(f.run)
	return nil
}

// find is the follower of a container; nil if it was not opened. d.mu is held.
func (d *Driver) find(task, container string) (*follower, error) {
	s := source(task, container)
	if f := d.followers[s]; f != nil {
		return f, nil
	}
	stored, err := d.cfg.Sink.Cursor(s)
	if err != nil || stored == nil {
		return nil, err
	}
	f := d.follower(task, container)
	if err := f.resume(stored); err != nil {
		return nil, err
	}
	d.followers[s] = f
	return f, nil
}

func (d *Driver) follower(task, container string) *follower {
	return &follower{
		d: d, source: source(task, container), dir: d.cfg.Dir(task, container), wake: make(chan struct{}, 1),
		log: d.cfg.Log.With("task", task, "container", container),
	}
}

// Finish returns when everything the containers of a task have written is stored,
// and their logs are removed from the disk. None of them should run any more: what
// one writes meanwhile may be lost. Where ctx ends before, the logs are followed as they were and Finish may be called
// again. Before it has returned without an error the task's directory must stay.
func (d *Driver) Finish(ctx context.Context, task string) error {
	sources, err := d.cfg.Sink.Sources(source(task, ""))
	if err != nil {
		return err
	}
	for _, s := range sources {
		d.mu.Lock()
		f, err := d.find(task, strings.TrimPrefix(s, source(task, "")))
		d.mu.Unlock()
		if err == nil && f != nil {
			err = f.finish(ctx)
		}
		if err != nil {
			return err
		}
		d.mu.Lock()
		delete(d.followers, s)
		d.mu.Unlock()
	}
	return nil
}

// Sweep forgets containers whose logs are no more. It is called before any are
// opened, at the start.
func (d *Driver) Sweep() error {
	sources, err := d.cfg.Sink.Sources("")
	if err != nil {
		return err
	}
	var failed error
	for _, s := range sources {
		task, container, _ := strings.Cut(s, "/")
		if _, err := os.Stat(d.cfg.Dir(task, container)); errors.Is(err, fs.ErrNotExist) {
			failed = errors.Join(failed, d.cfg.Sink.DropCursor(s))
		}
	}
	return failed
}

// slot waits for a turn to read a log; what it returns ends the turn.
func (d *Driver) slot(ctx context.Context) (func(), error) {
	select {
	case d.slots <- struct{}{}:
		return func() { <-d.slots }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
