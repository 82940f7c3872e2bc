package store

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"iter"
)

// ErrArchive reports that an archive is cut short, altered, or none at all.
var ErrArchive = errors.New("store: damaged archive")

// archiveHeader begins every archive.
const archiveHeader = "neargate archive 1\n"

// maxArchived bounds the length of a key or value, in bytes.
const maxArchived = 1 << 30

// WriteArchive writes the whole content of a store as a portable stream. After a
// header line come the records in key order, each as the length of the key, the
// key, the length of the value and the value; then a zero length, the number of
// records, and the SHA-256 of all that precedes it. Lengths are unsigned varints.
// The stream is left without its end if broken, asked after the last record,
// returns an error.
func WriteArchive(w io.Writer, records iter.Seq2[string, []byte], broken func() error) error {
	sum := sha256.New()
	out := bufio.NewWriterSize(io.MultiWriter(w, sum), 1<<16)
	out.WriteString(archiveHeader)
	count := uint64(0)
	for key, val := range records {
		count++
		writeLength(out, uint64(len(key)))
		out.WriteString(key)
		writeLength(out, uint64(len(val)))
		if _, err := out.Write(val); err != nil {
			return err
		}
	}
	if err := broken(); err != nil {
		return err
	}
	writeLength(out, 0)
	writeLength(out, count)
	if err := out.Flush(); err != nil {
		return err
	}
	_, err := w.Write(sum.Sum(nil))
	return err
}

func writeLength(w *bufio.Writer, n uint64) {
	w.Write(binary.AppendUvarint(w.AvailableBuffer(), n))
}

// ReadArchive hands the records of an archive to each, in key order. Only when it
// returns nil were they all there and unaltered, so what each has done must be
// possible to undo until then.
func ReadArchive(r io.Reader, each func(key string, val []byte) error) error {
	in := &archiveReader{in: bufio.NewReaderSize(r, 1<<16), sum: sha256.New()}
	if head := in.take(uint64(len(archiveHeader))); string(head) != archiveHeader {
		return damaged("the header is missing", in.err)
	}
	last := ""
	for count := uint64(0); ; count++ {
		n := in.length()
		if in.err != nil {
			return damaged("cut short", in.err)
		}
		if n == 0 {
			return in.end(count)
		}
		key := string(in.take(n))
		val := in.take(in.length())
		if in.err != nil {
			return damaged("cut short", in.err)
		}
		if key <= last {
			return damaged(fmt.Sprintf("record %d is out of order", count), nil)
		}
		if err := each(key, val); err != nil {
			return err
		}
		last = key
	}
}

// archiveReader reads and sums; after an error it returns zero values.
type archiveReader struct {
	in  *bufio.Reader
	sum hash.Hash
	err error
}

// ReadByte implements io.ByteReader.
func (a *archiveReader) ReadByte() (byte, error) {
	b, err := a.in.ReadByte()
	if err == nil {
		a.sum.Write([]byte{b})
	}
	return b, err
}

func (a *archiveReader) length() (n uint64) {
	if a.err == nil {
		n, a.err = binary.ReadUvarint(a)
	}
	if n > maxArchived {
		n, a.err = 0, errors.New("impossible length")
	}
	return n
}

func (a *archiveReader) take(n uint64) []byte {
	if a.err != nil {
		return nil
	}
	var b bytes.Buffer // grows with what is there, whatever n claims
	_, a.err = io.CopyN(io.MultiWriter(&b, a.sum), a.in, int64(n))
	return b.Bytes()
}

func (a *archiveReader) end(count uint64) error {
	claimed := a.length()
	want := a.sum.Sum(nil)
	have := a.take(sha256.Size)
	switch _, err := a.in.ReadByte(); {
	case a.err != nil:
		return damaged("cut short", a.err)
	case claimed != count:
		return damaged(fmt.Sprintf("%d records of %d", count, claimed), nil)
	case !bytes.Equal(have, want):
		return damaged("the checksum differs", nil)
	case err != io.EOF:
		return damaged("bytes after the end", err)
	}
	return nil
}

func damaged(what string, err error) error {
	if err == nil || err == io.EOF || err == io.ErrUnexpectedEOF {
		return fmt.Errorf("%w: %s", ErrArchive, what)
	}
	return fmt.Errorf("%w: %s: %w", ErrArchive, what, err)
}
