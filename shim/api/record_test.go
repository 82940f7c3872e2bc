package api_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"neargate/shim/api"
)

func FuzzRecord(f *testing.F) {
	f.Add([]byte("a line"), true, false)
	f.Add([]byte(""), false, true)
	f.Add([]byte("1 O F \x00\xff"), false, false)
	f.Fuzz(func(t *testing.T, text []byte, isError, partial bool) {
		if bytes.ContainsRune(text, '\n') {
			return // the shim cuts there
		}
		in := api.Record{At: time.Unix(0, 1_700_000_000_123_456_789), Error: isError, Partial: partial, Bytes: text}
		line := in.Append(nil)
		out, ok := api.ParseRecord(line)
		if !ok || !out.At.Equal(in.At) || out.Error != isError || out.Partial != partial || !bytes.Equal(out.Bytes, text) {
			t.Errorf("%+v became %+v, %v by %q", in, out, ok, line)
		}
	})
}

func TestTornRecord(t *testing.T) {
	for _, line := range []string{"", "17", "1700000000123456789", "1700000000123456789 O", "1700000000123456789 O F", "x O F text",
		"1700000000123456789 O L ", "1700000000123456789 O L 0", "1700000000123456789 O L x"} {
		if r, ok := api.ParseRecord([]byte(line)); ok {
			t.Errorf("%q is %+v", line, r)
		}
	}
}

func TestLostRecord(t *testing.T) {
	in := api.Record{At: time.Unix(0, 17), Error: true, Lost: 12, Bytes: []byte("not kept")}
	out, ok := api.ParseRecord(in.Append(nil))
	if !ok || out.Lost != 12 || !out.Error || out.Partial || len(out.Bytes) > 0 {
		t.Errorf("%+v, %v", out, ok)
	}
}

func TestSegments(t *testing.T) {
	dir := t.TempDir()
	for _, n := range []uint64{12, 100_000_000, 3} {
		if err := os.WriteFile(api.SegmentFile(dir, n), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "other"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if all, err := api.Segments(dir); err != nil || !slices.Equal(all, []uint64{3, 12, 100_000_000}) {
		t.Errorf("%v, %v", all, err)
	}
	if all, err := api.Segments(filepath.Join(dir, "absent")); err != nil || len(all) > 0 {
		t.Errorf("of no directory: %v, %v", all, err)
	}
}

func TestLongestRecord(t *testing.T) {
	r := api.Record{At: time.Unix(1<<33, 999_999_999), Bytes: make([]byte, api.RecordSize)}
	if n := len(r.Append(nil)); n > api.MaxRecord || api.MaxRecord > api.SegmentSize {
		t.Errorf("a record has %d bytes, more than %d", n, api.MaxRecord)
	}
}
