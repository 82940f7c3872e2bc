package ledger

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"neargate/resource/billing"
)

// ErrArchive reports that an archive of a ledger is cut short, altered, or none.
var ErrArchive = errors.New("ledger: damaged archive")

// archiveHeader begins every archive.
const archiveHeader = "neargate ledger 1\n"

// What an archive consists of, after the header. Fields follow their length.
const (
	archiveLabels = 'l' // labels as JSON: those of the records up to the next
	archiveRecord = 'r' // key and value of a record; the value begins with the number of its labels
	archiveForget = 'f' // the labels so far are not meant any more
	archiveEnd    = 'e' // number of records
)

// maxField bounds a field of an archive, in bytes.
const maxField = 1 << 20

// taken is how many records are restored at a time.
const taken = 2000

// Backup writes all records, as they are at one moment, while the ledger goes on.
// What it takes in memory does not depend on how many there are.
func (l *Ledger) Backup(ctx context.Context, w io.Writer) error {
	v := l.View()
	defer v.Close()
	out := bufio.NewWriterSize(w, 1<<16)
	out.WriteString(archiveHeader)
	numbers, count := map[labelID]uint64{}, uint64(0)
	for it, err := range v.keys(ctx, []byte{recordKind}, []byte{recordKind + 1}) {
		if err != nil {
			return err
		}
		r, id, err := readRecord(it.Key(), it.Value())
		if err != nil {
			return fmt.Errorf("ledger: %w", err)
		}
		n, known := numbers[id]
		if !known {
			if n, err = v.introduce(out, numbers, id); err != nil {
				return err
			}
		}
		out.WriteByte(archiveRecord)
		putField(out, it.Key())
		value := binary.AppendUvarint(nil, n)
		for _, k := range []int64{int64(r.End.Sub(r.Start)), r.Seconds, r.Units} {
			value = binary.AppendVarint(value, k)
		}
		if err := putField(out, value); err != nil {
			return err
		}
		count++
	}
	out.WriteByte(archiveEnd)
	putField(out, binary.AppendUvarint(nil, count))
	return out.Flush()
}

// introduce writes labels and gives them a number.
func (v *View) introduce(out *bufio.Writer, numbers map[labelID]uint64, id labelID) (uint64, error) {
	if len(numbers) >= known {
		clear(numbers)
		out.WriteByte(archiveForget)
	}
	l, err := v.label(id)
	if err != nil {
		return 0, err
	}
	n := uint64(len(numbers))
	numbers[id] = n
	out.WriteByte(archiveLabels)
	return n, putField(out, name(*l).text)
}

func putField(w *bufio.Writer, b []byte) error {
	w.Write(binary.AppendUvarint(w.AvailableBuffer(), uint64(len(b))))
	_, err := w.Write(b)
	return err
}

// Restore adds the records of an archive to those that are there: usage that was
// recorded is never taken back. Records that are there already change nothing.
func (l *Ledger) Restore(ctx context.Context, r io.Reader) error {
	in := bufio.NewReaderSize(r, 1<<16)
	head := make([]byte, len(archiveHeader))
	if _, err := io.ReadFull(in, head); err != nil || string(head) != archiveHeader {
		return fmt.Errorf("%w: the header is missing", ErrArchive)
	}
	var labels []billing.Labels
	var batch []billing.Record
	for count := uint64(0); ctx.Err() == nil; {
		kind, err := in.ReadByte()
		if err != nil {
			return fmt.Errorf("%w: cut short", ErrArchive)
		}
		switch kind {
		case archiveForget:
			labels = nil
		case archiveLabels:
			var n billing.Labels
			text, err := takeField(in)
			if err == nil {
				err = json.Unmarshal(text, &n)
			}
			if err != nil || len(labels) >= known {
				return fmt.Errorf("%w: labels", ErrArchive)
			}
			labels = append(labels, n)
		case archiveRecord:
			r, err := takeRecord(in, labels)
			if err != nil {
				return err
			}
			batch, count = append(batch, r), count+1
			if len(batch) < taken {
				continue
			}
			if err := l.Add(batch); err != nil {
				return err
			}
			batch = batch[:0]
		case archiveEnd:
			b, err := takeField(in)
			if n, size := binary.Uvarint(b); err != nil || size <= 0 || n != count {
				return fmt.Errorf("%w: %d records, and not as many as there were", ErrArchive, count)
			}
			return l.Add(batch)
		default:
			return fmt.Errorf("%w: %q", ErrArchive, kind)
		}
	}
	return ctx.Err()
}

func takeRecord(in *bufio.Reader, labels []billing.Labels) (r billing.Record, err error) {
	key, err := takeField(in)
	if err != nil {
		return r, err
	}
	value, err := takeField(in)
	if err != nil {
		return r, err
	}
	n, size := binary.Uvarint(value)
	if size <= 0 || n >= uint64(len(labels)) {
		return r, fmt.Errorf("%w: a record without labels", ErrArchive)
	}
	r, _, err = readRecord(key, append(make([]byte, len(labelID{})), value[size:]...))
	if err != nil || key[0] != recordKind {
		return r, fmt.Errorf("%w: a record", ErrArchive)
	}
	r.Labels = labels[n]
	return r, nil
}

func takeField(in *bufio.Reader) ([]byte, error) {
	n, err := binary.ReadUvarint(in)
	if err != nil || n > maxField {
		return nil, fmt.Errorf("%w: a length", ErrArchive)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(in, b); err != nil {
		return nil, fmt.Errorf("%w: cut short", ErrArchive)
	}
	return b, nil
}
