package api_test

import (
	"bytes"
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
	for _, line := range []string{"", "17", "1700000000123456789", "1700000000123456789 O", "1700000000123456789 O F", "x O F text"} {
		if r, ok := api.ParseRecord([]byte(line)); ok {
			t.Errorf("%q is %+v", line, r)
		}
	}
}
