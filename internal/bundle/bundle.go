// Package bundle keeps several streams in one file, each under a name. A file that
// was cut short or altered is noticed before any of it is used.
package bundle

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// ErrDamaged reports that a bundle is cut short, altered, or none at all.
var ErrDamaged = errors.New("damaged backup")

// header begins every bundle.
const header = "neargate backup 1\n"

const (
	maxName  = 100
	maxChunk = 1 << 16
)

// Part is one stream of a bundle.
type Part struct {
	Name  string // not empty
	Write func(io.Writer) error
}

// Write writes a bundle. After a header line comes each part: its name, chunks of
// it, and an empty chunk; then an empty name and the SHA-256 of all that precedes
// it. Names and chunks follow their length, an unsigned varint. The stream is left
// without its end if a part fails.
func Write(w io.Writer, parts ...Part) error {
	sum := sha256.New()
	out := bufio.NewWriterSize(io.MultiWriter(w, sum), maxChunk)
	out.WriteString(header)
	for _, p := range parts {
		field(out, []byte(p.Name))
		c := bufio.NewWriterSize(chunks{out}, maxChunk)
		if err := errors.Join(p.Write(c), c.Flush()); err != nil {
			return fmt.Errorf("%s: %w", p.Name, err)
		}
		field(out, nil)
	}
	field(out, nil)
	if err := out.Flush(); err != nil {
		return err
	}
	_, err := w.Write(sum.Sum(nil))
	return err
}

func field(w *bufio.Writer, b []byte) error {
	w.Write(binary.AppendUvarint(w.AvailableBuffer(), uint64(len(b))))
	_, err := w.Write(b)
	return err
}

// chunks writes a part.
type chunks struct{ to *bufio.Writer }

// Write implements io.Writer.
func (c chunks) Write(b []byte) (n int, err error) {
	for len(b) > 0 {
		piece := b[:min(len(b), maxChunk)]
		if err := field(c.to, piece); err != nil {
			return n, err
		}
		n, b = n+len(piece), b[len(piece):]
	}
	return n, nil
}

// Bundle is a bundle that is whole, in a file of its own.
type Bundle struct {
	file  *os.File
	parts map[string]span
}

// span is where a part is in the file.
type span struct{ from, to int64 }

// Read copies a bundle into a file without a name in a directory, and makes sure
// that it is whole. A stream that begins with plain's header is no bundle but one
// part under plain's name, as backups once were; nothing is checked of it.
func Read(r io.Reader, dir string, plain Plain) (b *Bundle, err error) {
	f, err := os.CreateTemp(dir, "restore-*")
	if err != nil {
		return nil, err
	}
	b = &Bundle{file: f, parts: map[string]span{}}
	defer func() {
		if err != nil {
			b.Close()
		}
	}()
	if err := os.Remove(f.Name()); err != nil {
		return nil, err
	}
	size, err := io.Copy(f, r)
	if err != nil {
		return nil, err
	}
	if begins(f, plain.Header) {
		b.parts[plain.Name] = span{0, size}
		return b, nil
	}
	return b, b.index(size)
}

// Plain is what a stream that is no bundle begins with, and the name it gets.
type Plain struct{ Header, Name string }

func begins(f io.ReaderAt, header string) bool {
	have := make([]byte, len(header))
	n, _ := f.ReadAt(have, 0)
	return len(header) > 0 && string(have[:n]) == header
}

// Close lets go of the file.
func (b *Bundle) Close() error { return b.file.Close() }

// Part is the content of a part, if the bundle has it. It is read once.
func (b *Bundle) Part(name string) (io.Reader, bool) {
	s, ok := b.parts[name]
	if !ok {
		return nil, false
	}
	r := io.NewSectionReader(b.file, s.from, s.to-s.from)
	if !begins(b.file, header) {
		return r, true
	}
	return &part{in: bufio.NewReaderSize(r, maxChunk)}, true
}

// index finds the parts and checks the whole.
func (b *Bundle) index(size int64) error {
	const last = sha256.Size
	if size < last || !begins(b.file, header) {
		return fmt.Errorf("%w: it does not begin as one", ErrDamaged)
	}
	sum, want := sha256.New(), make([]byte, last)
	if _, err := io.Copy(sum, io.NewSectionReader(b.file, 0, size-last)); err != nil {
		return err
	}
	if _, err := b.file.ReadAt(want, size-last); err != nil {
		return err
	}
	if !bytes.Equal(sum.Sum(nil), want) {
		return fmt.Errorf("%w: it is cut short or altered", ErrDamaged)
	}
	in := &counter{in: bufio.NewReaderSize(io.NewSectionReader(b.file, 0, size-last), maxChunk)}
	if _, err := in.take(len(header)); err != nil {
		return err
	}
	for {
		name, err := in.field(maxName)
		if err != nil {
			return err
		}
		if len(name) == 0 {
			break
		}
		s := span{from: in.at}
		for n := 1; n > 0; {
			chunk, err := in.field(maxChunk)
			if err != nil {
				return err
			}
			n = len(chunk)
		}
		s.to = in.at
		b.parts[string(name)] = s
	}
	if in.at != size-last {
		return fmt.Errorf("%w: bytes after the end", ErrDamaged)
	}
	return nil
}

// counter reads fields and knows where it is.
type counter struct {
	in *bufio.Reader
	at int64
}

// ReadByte implements io.ByteReader.
func (c *counter) ReadByte() (byte, error) {
	b, err := c.in.ReadByte()
	if err == nil {
		c.at++
	}
	return b, err
}

func (c *counter) field(limit uint64) ([]byte, error) {
	n, err := binary.ReadUvarint(c)
	if err != nil || n > limit {
		return nil, fmt.Errorf("%w: a length is wrong", ErrDamaged)
	}
	return c.take(int(n))
}

func (c *counter) take(n int) ([]byte, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(c.in, b); err != nil {
		return nil, fmt.Errorf("%w: cut short", ErrDamaged)
	}
	c.at += int64(n)
	return b, nil
}

// part reads the chunks of a part that was found whole.
type part struct {
	in   *bufio.Reader
	left uint64
}

// Read implements io.Reader.
func (p *part) Read(b []byte) (int, error) {
	if p.left == 0 {
		n, err := binary.ReadUvarint(p.in)
		if err != nil || n == 0 {
			p.in = bufio.NewReader(bytes.NewReader(nil))
			return 0, io.EOF
		}
		p.left = n
	}
	n, err := p.in.Read(b[:min(uint64(len(b)), p.left)])
	p.left -= uint64(n)
	return n, err
}
