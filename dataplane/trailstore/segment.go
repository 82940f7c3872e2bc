package trailstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

const (
	ownerOnly = 0o600
	suffix    = ".trail"
	pageBytes = 64 << 10 // of frames, beyond which another page begins
)

// page is a run of frames in a segment: what is read at a time.
type page struct {
	offset, length int64
	summary
}

// segment is a file of frames. Its pages are in memory.
type segment struct {
	path string
	size int64
	summary
	pages []page
}

// segmentName is that of the segment whose first event has a position.
func segmentName(first uint64) string { return fmt.Sprintf("%020d%s", first, suffix) }

// isSegment reports whether a file has a segment's name.
func isSegment(name string) bool {
	digits, ok := strings.CutSuffix(name, suffix)
	first, err := strconv.ParseUint(digits, 10, 64)
	return ok && err == nil && segmentName(first) == name
}

// add adds a frame that is at the end of the file.
func (g *segment) add(frame *page) {
	if n := len(g.pages); n > 0 && g.pages[n-1].length < pageBytes && g.pages[n-1].offset+g.pages[n-1].length == frame.offset {
		g.pages[n-1].length += frame.length
		g.pages[n-1].join(&frame.summary)
	} else {
		g.pages = append(g.pages, *frame)
	}
	g.join(&frame.summary)
	g.size = frame.offset + frame.length
}

// openSegment reads what is in a segment; whole reports that it has an index, and so
// gets no more events.
func openSegment(path string) (g *segment, whole bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, false, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, false, err
	}
	g = &segment{path: path, size: info.Size()}
	if whole, err = g.readIndex(f); whole || err != nil {
		return g, whole, err
	}
	return g, false, g.scan(f)
}

// readIndex reads the index; not ok, there is none.
func (g *segment) readIndex(f io.ReaderAt) (ok bool, err error) {
	end := make([]byte, endBytes)
	if g.size < int64(len(magic)+len(end)) {
		return false, nil
	}
	if _, err := f.ReadAt(end, g.size-int64(len(end))); err != nil {
		return false, err
	}
	at := binary.LittleEndian.Uint64(end)
	if string(end[8:]) != mark || at < uint64(len(magic)) || at > uint64(g.size)-uint64(len(end)) {
		return false, nil
	}
	frame := make([]byte, g.size-int64(len(end))-int64(at))
	if _, err := f.ReadAt(frame, int64(at)); err != nil {
		return false, err
	}
	_, body, ok := cut(frame)
	if !ok || body == nil || body[0] != kindIndex {
		return false, nil
	}
	d := decoder{rest: string(body[1:])}
	read := &segment{}
	for n := d.count(); n > 0; n-- {
		p := page{offset: int64(d.uint()), length: int64(d.uint())}
		p.summary = d.summary()
		read.pages = append(read.pages, p)
		read.join(&p.summary)
	}
	if d.failed {
		return false, nil
	}
	g.pages, g.summary = read.pages, read.summary
	return true, nil
}

// scan reads all frames up to the first that is not whole, which is where the process
// was killed; the size is then that of what is before it.
func (g *segment) scan(f io.ReaderAt) error {
	b := make([]byte, g.size)
	if _, err := f.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	g.size = 0
	if len(bytes.Trim(b, "\x00")) < len(magic) {
		return nil
	}
	if string(b[:len(magic)]) != magic {
		return fmt.Errorf("%s: its format is not known", g.path)
	}
	g.size = int64(len(magic))
	for {
		n, body, ok := cut(b[g.size:])
		if !ok || body != nil && body[0] != kindEvents {
			return nil
		}
		if body == nil { // damaged, and not the end
			if g.size+n == int64(len(b)) {
				return nil
			}
			g.size += n
			continue
		}
		d := decoder{rest: string(body[1:])}
		frame := page{offset: g.size, length: n, summary: d.summary()}
		if d.failed {
			return nil
		}
		g.add(&frame)
	}
}

// index is what follows the frames of a segment that gets no more events.
func (g *segment) index() []byte {
	b := beginFrame(nil, kindIndex)
	b = binary.AppendUvarint(b, uint64(len(g.pages)))
	for i := range g.pages {
		p := &g.pages[i]
		b = binary.AppendUvarint(b, uint64(p.offset))
		b = binary.AppendUvarint(b, uint64(p.length))
		b = p.summary.append(b)
	}
	endFrame(b)
	return append(binary.LittleEndian.AppendUint64(b, uint64(g.size)), mark...)
}

// seal writes the index behind the frames, and all to disk.
func (g *segment) seal(f *os.File) error {
	index := g.index()
	if err := f.Truncate(g.size); err != nil {
		return err
	}
	if _, err := f.WriteAt(index, g.size); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	g.size += int64(len(index))
	return nil
}

// sealNow seals a segment that no one has open.
func (g *segment) sealNow() error {
	f, err := os.OpenFile(g.path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(g.seal(f), f.Close())
}

// read is a page's frames; nil when the segment has been deleted.
func (g *segment) read(p *page) ([]byte, error) {
	f, err := os.Open(g.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := make([]byte, p.length)
	_, err = f.ReadAt(b, p.offset)
	return b, err
}

// syncDir makes the names in a directory durable.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
