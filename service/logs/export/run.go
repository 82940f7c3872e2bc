package export

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"strings"
	"time"

	"neargate/resource/logs"
	"neargate/store"
	"neargate/store/tables"
	"neargate/store/tables/exports"
)

// objectSize is about how many bytes of events one object has, and pieceSize how
// many compressed ones are in memory at a time.
const (
	objectSize = 256 << 20
	pieceSize  = 256 << 10
)

// errCancelled ends an export in the middle.
var errCancelled = errors.New("export: cancelled")

// Run does what CreateExportTask has accepted, one task at a time, until ctx ends.
// A task that was cut off begins anew and writes the same objects.
func (x *Exporter) Run(ctx context.Context, log *slog.Logger) error {
	for {
		e, ok, err := x.next(ctx)
		if err != nil && ctx.Err() == nil {
			log.Error("exports of log events", "error", err)
		}
		if !ok {
			select {
			case <-ctx.Done():
				return nil
			case <-x.wake:
			}
			continue
		}
		err = x.export(ctx, &e)
		if ctx.Err() != nil {
			return nil
		}
		if err := x.finish(ctx, &e, err); err != nil && ctx.Err() == nil {
			return err
		}
		if err != nil && !errors.Is(err, errCancelled) {
			log.Error("an export of log events", "task", e.ID, "error", err)
		}
	}
}

// next is the oldest task to be done, which is running from now on.
func (x *Exporter) next(ctx context.Context) (e logs.Export, ok bool, err error) {
	err = x.deps.Store.Update(ctx, func(tx store.Tx) error {
		e, ok = logs.Export{}, false
		for first, err := range exports.Exports.ByPage(tx, exports.Active, nil, "", 1) {
			if err != nil {
				return err
			}
			e, ok = first, true
		}
		if !ok || e.Status == logs.ExportRunning {
			return nil
		}
		e.Status, e.Message = logs.ExportRunning, "Running"
		return exports.Exports.Put(tx, &e)
	})
	return e, ok && err == nil, err
}

// finish records what became of a task, unless it was cancelled meanwhile.
func (x *Exporter) finish(ctx context.Context, e *logs.Export, failed error) error {
	return x.deps.Store.Update(ctx, func(tx store.Tx) error {
		now, ok, err := exports.Exports.Find(tx, e.Account, e.Region, e.ID)
		if err != nil || !ok || !now.Active() {
			return err
		}
		now.Status, now.Message, now.CompletedAt = logs.ExportCompleted, "Completed successfully", x.deps.Now().UTC()
		switch {
		case errors.Is(failed, ErrNoBucket), errors.Is(failed, ErrRegion), errors.Is(failed, ErrDenied):
			now.Status, now.Message = logs.ExportFailed, "The bucket cannot be written to."
		case failed != nil:
			now.Status, now.Message = logs.ExportFailed, "Internal error"
		}
		return exports.Exports.Put(tx, &now)
	})
}

// export writes the events of each stream to objects of its own.
func (x *Exporter) export(ctx context.Context, e *logs.Export) error {
	var streams []logs.Stream
	var group logs.Group
	err := x.deps.Store.View(ctx, func(tx store.Tx) (err error) {
		if group, _, err = tables.LogGroups.Find(tx, e.Account, e.Region, e.Group); err != nil {
			return err
		}
		streams, err = store.Collect(tables.LogStreams.List(tx, e.Account, e.Region, e.Group))
		return err
	})
	if err != nil {
		return err
	}
	from := max(e.From, group.Oldest(x.deps.Now()))
	for _, s := range streams {
		if !strings.HasPrefix(s.Name, e.StreamPrefix) {
			continue
		}
		if err := x.exportStream(ctx, e, &s, from); err != nil {
			return err
		}
	}
	return nil
}

func (x *Exporter) exportStream(ctx context.Context, e *logs.Export, s *logs.Stream, from int64) error {
	span := logs.Span{From: logs.Position{Time: from}, To: logs.Position{Time: e.To}}
	next, stop := iter.Pull2(x.events.Scan(ctx, []logs.StreamID{s.ID}, span, false))
	defer stop()
	p := &pieces{next: next}
	folder := e.Prefix + "/" + e.ID + "/" + strings.ReplaceAll(s.Name, "/", "-") + "/"
	for n := 0; ; n++ {
		if err := x.goOn(ctx, e); err != nil {
			return err
		}
		if more, err := p.begin(); err != nil || !more {
			return err
		}
		if err := x.buckets.Put(ctx, Owner{e.Account, e.Region}, e.Bucket, fmt.Sprintf("%s%06d.gz", folder, n), p.piece); err != nil {
			return err
		}
	}
}

// goOn answers errCancelled once the task is no longer to be done.
func (x *Exporter) goOn(ctx context.Context, e *logs.Export) error {
	return x.deps.Store.View(ctx, func(tx store.Tx) error {
		now, ok, err := exports.Exports.Find(tx, e.Account, e.Region, e.ID)
		if err == nil && (!ok || !now.Active()) {
			err = errCancelled
		}
		return err
	})
}

// pieces compresses the events of a stream into the contents of objects.
type pieces struct {
	next    func() (logs.Event, error, bool)
	waiting *logs.Event // read, and not written yet
	buf     bytes.Buffer
	zip     *gzip.Writer // nil between objects
	size    int
}

// begin begins an object; more is false when there are no more events.
func (p *pieces) begin() (more bool, err error) {
	if p.waiting == nil {
		if err := p.read(); err != nil || p.waiting == nil {
			return false, err
		}
	}
	p.buf.Reset()
	p.zip, p.size = gzip.NewWriter(&p.buf), 0
	return true, nil
}

// read reads the next event.
func (p *pieces) read() error {
	p.waiting = nil
	event, err, ok := p.next()
	if ok && err == nil {
		p.waiting = &event
	}
	return err
}

// piece is the next piece of the object, empty after the last.
func (p *pieces) piece() ([]byte, error) {
	p.buf.Reset()
	for p.zip != nil && p.buf.Len() < pieceSize {
		if p.waiting == nil || p.size >= objectSize {
			err := p.zip.Close()
			if p.zip = nil; err != nil {
				return nil, err
			}
			break
		}
		at := time.UnixMilli(p.waiting.At.Time).UTC().Format("2006-01-02T15:04:05.000Z")
		n, err := fmt.Fprintf(p.zip, "%s %s\n", at, p.waiting.Message)
		if err != nil {
			return nil, err
		}
		p.size += n
		if err := p.read(); err != nil {
			return nil, err
		}
	}
	return p.buf.Bytes(), nil
}
