// Package output keeps the other ends of a container's standard files, and copies
// what it writes into its log.
package output

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"neargate/shim/api"
	"neargate/shim/internal/runtime"
)

// Drain is how long output is waited for after a container's end: a pipe that
// something else holds open must not hold up the exit.
const Drain = time.Second

// remainder is how much a log may exceed its size at a container's end, when
// nothing waits any more: more than what pipes hold.
const remainder = 8 << 20

// retry is how often a container that waits for room in its log is looked at.
const retry = 5 * time.Millisecond

// Output is where a container's standard output and error go: a pipe for each, or
// a terminal for both, copied into one log; or nowhere.
type Output struct {
	Stdio   runtime.Stdio     // the container's ends
	input   *os.File          // of a standard input that stays open; nobody writes
	console *net.UnixListener // where the terminal comes
	readers []*os.File
	waits   bool // for room in the log
	copies  sync.WaitGroup
	over    chan struct{} // closed when the container has ended

	mu  sync.Mutex // orders the records of both streams
	log *segments
}

// Open makes the standard files of a container. Its log is in a directory; a
// terminal comes through a socket that is made in another and removed again.
func Open(c api.Container, logDir, runDir string) (*Output, error) {
	o := &Output{waits: c.Log.Mode == api.Blocking, over: make(chan struct{})}
	err := o.open(c, logDir, runDir)
	if err != nil {
		o.Close()
		return nil, err
	}
	return o, nil
}

func (o *Output) open(c api.Container, logDir, runDir string) (err error) {
	if c.Log.Mode != api.Discard {
		if o.log, err = openSegments(logDir, c.Log.Buffer); err != nil {
			return err
		}
	}
	if c.Terminal {
		return o.listen(runDir)
	}
	for i := range o.Stdio.Files {
		if o.Stdio.Files[i], err = os.OpenFile(os.DevNull, os.O_RDWR, 0); err != nil {
			return err
		}
	}
	if c.Interactive {
		r, w, err := os.Pipe()
		if err != nil {
			return err
		}
		o.input = w
		o.give(0, r)
	}
	if o.log == nil {
		return nil
	}
	for i := range 2 {
		var fds [2]int
		if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
			return err
		}
		if err := unix.SetNonblock(fds[0], true); err != nil { // for deadlines; the container's end blocks
			return errors.Join(err, unix.Close(fds[0]), unix.Close(fds[1]))
		}
		o.give(i+1, os.NewFile(uintptr(fds[1]), "stdio"))
		o.readers = append(o.readers, os.NewFile(uintptr(fds[0]), "output"))
	}
	return nil
}

// give makes a file one of the container's standard files.
func (o *Output) give(i int, f *os.File) {
	o.Stdio.Files[i].Close()
	o.Stdio.Files[i] = f
}

// Started closes the container's ends and begins to copy.
func (o *Output) Started() {
	for _, f := range o.Stdio.Files {
		f.Close()
	}
	for i, r := range o.readers {
		if o.log == nil { // a terminal that nobody reads would fill up
			o.copies.Go(func() { _, _ = io.Copy(io.Discard, r) })
			continue
		}
		c := copier{Output: o, isError: i == 1}
		o.copies.Go(func() { c.copy(r) })
	}
}

// Ended returns when everything the container wrote is in the log.
func (o *Output) Ended() {
	o.mu.Lock()
	if o.log != nil {
		o.log.limit += remainder
	}
	o.mu.Unlock()
	close(o.over)
	for _, r := range o.readers {
		_ = r.SetReadDeadline(time.Now().Add(Drain))
	}
	o.copies.Wait()
	o.Close()
}

// Close closes everything.
func (o *Output) Close() {
	for _, f := range append(append(o.Stdio.Files[:], o.input), o.readers...) {
		f.Close() // of a nil file: an error
	}
	if o.console != nil {
		o.console.Close()
	}
	if o.log != nil && o.log.file != nil {
		o.log.close()
	}
}

// write writes records to the log, when there is room where the container waits;
// false if it could not.
func (o *Output) write(records []byte) bool {
	for {
		if o.try(records) {
			return true
		}
		if !o.waits {
			return false
		}
		select {
		case <-o.over:
			return o.try(records)
		case <-time.After(retry):
		}
	}
}

func (o *Output) try(records []byte) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.log.fits(len(records)) && o.log.write(records) == nil
}

// copier copies a stream.
type copier struct {
	*Output
	isError bool
	records []byte // not written
	lines   int    // in records
	lost    int    // lines that were lost and not told of
	skips   bool   // the line that goes on is lost
}

// copy copies until the stream's end.
func (c *copier) copy(from *os.File) {
	buf := make([]byte, api.RecordSize)
	for held := 0; ; {
		n, err := from.Read(buf[held:])
		at := time.Now()
		text := buf[:held+n]
		for {
			line, rest, full := bytes.Cut(text, []byte{'\n'})
			if !full {
				break
			}
			c.add(api.Record{At: at, Error: c.isError, Bytes: line})
			text = rest
		}
		if len(text) == len(buf) || err != nil && len(text) > 0 {
			c.add(api.Record{At: at, Error: c.isError, Partial: err == nil, Bytes: text})
			text = nil
		}
		c.flush(at)
		if err != nil {
			c.end(at)
			return
		}
		held = copy(buf, text)
	}
}

// add takes a record; of a line that lost a part nothing more is taken.
func (c *copier) add(r api.Record) {
	if c.skips {
		c.skips = r.Partial
		return
	}
	if int64(len(c.records)+len(r.Bytes)) > min(api.RecordSize, c.log.each) {
		c.flush(r.At)
	}
	c.records = r.Append(c.records)
	c.lines++
	if r.Partial {
		c.skips = !c.flush(r.At)
	}
}

// flush writes what was taken, after how much was lost before, or loses it.
func (c *copier) flush(at time.Time) bool {
	if c.lines == 0 {
		return true
	}
	records := c.records
	if c.lost > 0 {
		records = append(c.lostRecord(at), records...)
	}
	ok := c.write(records)
	if ok {
		c.lost = 0
	} else {
		c.lost += c.lines
	}
	c.records, c.lines = c.records[:0], 0
	return ok
}

func (c *copier) lostRecord(at time.Time) []byte {
	return api.Record{At: at, Error: c.isError, Lost: c.lost}.Append(nil)
}

// end tells, whatever the room, of what was lost at last.
func (c *copier) end(at time.Time) {
	if c.lost == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.log.write(c.lostRecord(at))
}
