package logstore

import (
	"slices"
	"testing"
	"time"

	"neargate/resource/logs"
)

func TestCursors(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Config{Dir: dir})
	id := logs.StreamID{Group: 1, Stream: 2}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check := func(source, want string) {
		t.Helper()
		c, err := s.Cursor(source)
		must(err)
		if string(c) != want || (c == nil) != (want == "") {
			t.Errorf("cursor of %s: %q, want %q", source, c, want)
		}
	}
	check("t/a", "")
	must(s.AppendFrom("t/a", []byte("0"), id, time.Now(), nil))
	check("t/a", "0")
	if n := len(read(t, s, everything, false, id)); n != 0 {
		t.Errorf("%d events", n)
	}
	must(s.AppendFrom("t/a", []byte("1"), id, time.Now(), []logs.Record{{Time: start.UnixMilli(), Message: "x"}}))
	must(s.AppendFrom("t/b", []byte("7"), id, time.Now(), nil))
	must(s.AppendFrom("u/a", []byte("8"), id, time.Now(), nil))
	must(s.Close())
	s = open(t, Config{Dir: dir})
	defer s.Close()
	check("t/a", "1")
	if e := read(t, s, everything, false, id); len(e) != 1 || e[0].Message != "x" {
		t.Errorf("events %v", e)
	}
	for prefix, want := range map[string][]string{"t/": {"t/a", "t/b"}, "": {"t/a", "t/b", "u/a"}, "v": nil} {
		if all, err := s.Sources(prefix); err != nil || !slices.Equal(all, want) {
			t.Errorf("sources %q: %q, %v", prefix, all, err)
		}
	}
	must(s.DropCursor("t/a"))
	must(s.DropCursor("t/a"))
	check("t/a", "")
	check("t/b", "7")
	if g, err := s.groups(); err != nil || len(g) != 1 {
		t.Errorf("groups %v, %v", g, err)
	}
}
