package logdriver

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"neargate/resource/logs"
	"neargate/shim/api"
)

var begin = time.UnixMilli(1_780_000_000_000)

// rec is a record by its first words: milliseconds, stream, kind, and the rest.
func rec(t testing.TB, s string) api.Record {
	t.Helper()
	f := strings.SplitN(s, " ", 4)
	var ms int64
	if _, err := fmt.Sscan(f[0], &ms); err != nil {
		t.Fatal(err)
	}
	r := api.Record{At: begin.Add(time.Duration(ms) * time.Millisecond), Error: f[1] == "E", Partial: f[2] == "P", Bytes: []byte(f[3])}
	if f[2] == "L" {
		fmt.Sscan(f[3], &r.Lost)
	}
	return r
}

func shown(events []logs.Record) (all []string) {
	for _, e := range events {
		all = append(all, fmt.Sprintf("%d %q", e.Time-begin.UnixMilli(), e.Message))
	}
	return all
}

func TestEvents(t *testing.T) {
	for name, c := range map[string]struct {
		pattern string
		records []string
		want    []string
	}{
		"lines of both streams":    {"", []string{"0 O F one", "1 E F two", "2 O F three\r"}, []string{`0 "one"`, `1 "two"`, `2 "three\r"`}},
		"empty lines are left out": {"", []string{"0 O F ", "1 O F  ", "2 O F "}, []string{`1 " "`}},
		"parts of both streams":    {"", []string{"0 O P a", "1 E P x", "2 O P b", "3 E F y", "4 O F c", "5 O F d"}, []string{`1 "xy"`, `0 "abc"`, `5 "d"`}},
		"a part and an empty end":  {"", []string{"0 O P a", "1 O F "}, []string{`0 "a"`}},
		"a part at the end":        {"", []string{"0 O F a", "1 E P b"}, []string{`0 "a"`, `1 "b"`}},
		"bytes that are no text":   {"", []string{"0 O F \xff\xfe\x00ä\xc3", "1 O P \xc3", "2 O F \xa4"}, []string{"0 \"\ufffd\ufffd\\x00ä\ufffd\"", `1 "ä"`}},
		"a part before lost lines": {"", []string{"0 O P a", "1 E P b", "2 O L 7", "3 O F c", "4 E F d"}, []string{`0 "a"`, `3 "c"`, `1 "bd"`}},
		"a pattern": {"^[0-9]", []string{"0 O F 1 a", "1 O F  at b", "2 E F  at c", "3 O F ", "4 O F 2 d", "5 O F e"},
			[]string{`0 "1 a\n at b\n at c\n\n"`, `4 "2 d\ne\n"`}},
		"a pattern and no match at first":          {"^[0-9]", []string{"0 O F x", "1 O F y", "2 O F 1"}, []string{`0 "x\ny\n"`, `2 "1\n"`}},
		"a pattern within the line":                {"INFO", []string{"0 O F x INFO a", "1 O F b", "2 O F y INFO"}, []string{`0 "x INFO a\nb\n"`, `2 "y INFO\n"`}},
		"a line after a pause is of its own":       {"^[0-9]", []string{"0 O F 1", "800 O F a", "1601 O F b", "1602 O F c"}, []string{`0 "1\na\n"`, `1601 "b\nc\n"`}},
		"an event does not go on for ever":         {"^[0-9]", append([]string{"0 O F 1"}, drip(600, 9)...), []string{`0 "1\nx\nx\nx\nx\nx\nx\nx\nx\n"`, `5400 "x\n"`}},
		"a clock that was set back":                {"^[0-9]", []string{"5000 O F 1", "100 O F a", "101 O F 2"}, []string{`5000 "1\na\n"`, `101 "2\n"`}},
		"a pattern of parts":                       {"^[0-9]", []string{"0 O P 1", "1 E F err", "2 O F 2", "3 O F a"}, []string{`1 "err\n"`, `0 "12\na\n"`}},
		"a part at the end of an event":            {"^[0-9]", []string{"0 O F 1", "1 O P a"}, []string{`0 "1\na\n"`}},
		"only empty lines, with a pattern":         {"^[0-9]", []string{"0 O F ", "1 O F "}, []string{`0 "\n\n"`}},
		"a record of no stream known is of output": {"", []string{"0 X F a"}, []string{`0 "a"`}},
	} {
		t.Run(name, func(t *testing.T) {
			// Wherever it is interrupted, it goes on from what is pending.
			for stop := range len(c.records) + 1 {
				var begins *regexp.Regexp
				if c.pattern != "" {
					begins = regexp.MustCompile(c.pattern)
				}
				l := newLines(pending{}, begins)
				var events []logs.Record
				for i, r := range c.records {
					if i == stop {
						cur := cursor{pending: l.pending, Pattern: c.pattern}
						b, err := cur.encode()
						if err != nil {
							t.Fatal(err)
						}
						back, begins, err := decode(b)
						if err != nil {
							t.Fatal(err)
						}
						events = l.events
						l = newLines(back.pending, begins)
					}
					l.add(rec(t, r))
				}
				l.end()
				if got := shown(append(events, l.events...)); !slices.Equal(got, c.want) {
					t.Errorf("interrupted after %d records:\n%s\nwant\n%s", stop, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
				}
			}
		})
	}
}

// drip are lines at equal distances.
func drip(every, n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf("%d O F x", (i+1)*every))
	}
	return all
}

// feed adds a line as the shim writes it.
func feed(l *lines, at time.Time, isError bool, line []byte) {
	for len(line) >= api.RecordSize {
		l.add(api.Record{At: at, Error: isError, Partial: true, Bytes: line[:api.RecordSize]})
		line = line[api.RecordSize:]
	}
	l.add(api.Record{At: at, Error: isError, Bytes: line})
}

func TestLongLines(t *testing.T) {
	for _, c := range []struct {
		line  string
		shown string // what it becomes
		want  []int  // the sizes of events
	}{
		{strings.Repeat("x", maxEvent), "x", []int{maxEvent}},
		{strings.Repeat("x", maxEvent+1), "x", []int{maxEvent, 1}},
		{strings.Repeat("x", 3*maxEvent), "x", []int{maxEvent, maxEvent, maxEvent}},
		{strings.Repeat("€", maxEvent/3+10), "€", []int{maxEvent / 3 * 3, 30}},
		{strings.Repeat("\xff", maxEvent), "\ufffd", []int{maxEvent / 3 * 3, maxEvent / 3 * 3, maxEvent / 3 * 3, maxEvent % 3 * 3}},
	} {
		var l lines
		feed(&l, begin, false, []byte(c.line))
		l.end()
		var got []int
		for _, e := range l.events {
			got = append(got, len(e.Message))
			if e.Time != begin.UnixMilli() || strings.Trim(e.Message, c.shown) != "" {
				t.Errorf("an event of %.3q… is of %d", c.line, e.Time)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%.3q… of %d bytes: events of %v, want %v", c.line, len(c.line), got, c.want)
		}
	}
}

// TestLongEvents checks that lines of an event are split where it would be too
// long, and that a long line's rest does not begin an event.
func TestLongEvents(t *testing.T) {
	l := newLines(pending{}, regexp.MustCompile("^B"))
	feed(&l, begin, false, []byte("B"))
	for range 3 {
		feed(&l, begin, false, []byte(strings.Repeat("x", 100_000)))
	}
	l.end()
	feed(&l, begin, false, []byte(strings.Repeat("B", maxEvent+5)))
	feed(&l, begin, false, []byte("after"))
	l.end()
	var got []int
	for _, e := range l.events {
		got = append(got, len(e.Message))
	}
	if want := []int{2 + 2*100_001, 100_001, maxEvent, 6 + 6}; !slices.Equal(got, want) {
		t.Errorf("events of %v, want %v", got, want)
	}
}

// TestAnyRecords checks that whatever is written is in the events, once and in
// order, and that none is too long.
func TestAnyRecords(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 2))
	for range 5 {
		var want [2]strings.Builder
		l := newLines(pending{}, nil)
		var events []logs.Record
		for i := range 200 {
			stream := r.IntN(2)
			line := make([]byte, r.IntN([]int{2, 50, 400_000}[r.IntN(3)]))
			for i := range line {
				line[i] = "ab"[stream]
			}
			at := begin.Add(time.Duration(i) * time.Millisecond)
			want[stream].Write(line)
			feed(&l, at, stream == 1, line)
			if r.IntN(10) == 0 {
				events = append(events, l.events...)
				l = newLines(l.pending, nil)
			}
		}
		l.end()
		var got [2]strings.Builder
		for _, e := range append(events, l.events...) {
			if len(e.Message) == 0 || len(e.Message) > maxEvent {
				t.Fatalf("seed %d: an event of %d bytes", seed, len(e.Message))
			}
			got[e.Message[0]-'a'].WriteString(e.Message)
		}
		for i := range want {
			if got[i].String() != want[i].String() {
				t.Fatalf("seed %d: %d bytes became %d", seed, want[i].Len(), got[i].Len())
			}
		}
	}
}

func TestDatetime(t *testing.T) {
	for format, lines := range map[string]map[string]bool{
		"%Y-%m-%d %H:%M:%S":       {"2026-03-01 23:59:59 x": true, "at 2026-03-01 23:59:59": true, "2026-13-01 23:59:59": false, "2026-03-32 00:00:00": false, "2026-03-01 24:00:00": false, "x": false},
		`\[%b %d, %Y %H:%M:%S\]`:  {"[Feb 28, 2026 01:02:03] x": true, "Feb 28, 2026 01:02:03": false, "[Feb 31, 2026 01:02:03]": true},
		"^%A, %B %d %I:%M %p":     {"Monday, January 05 09:07 AM": true, "Monday, January 05 13:07 AM": false, "Monday, January 05 09:07 XM": false, " Monday, January 05 09:07 PM": false},
		"%a %w %y %j":             {"Sun 0 26 366": true, "Sun 7 26 366": false, "Sun 0 26 367": false, "Sun 0 26 000": false, "Sun 0 26 010": true, "Sun 0 26 120": true},
		"%S%L":                    {"07.123": true, "07123": false},
		`%Y-%m-%dT%H:%M:%S\.%f%z`: {"2026-03-01T10:11:12.123456+0100": true, "2026-03-01T10:11:12.123+0100": false, "2026-03-01T10:11:12.123456 0100": false},
		"%H:%M %Z":                {"10:11 CEST": true, "10:11 cest": false},
		"100%%":                   {"100%": true, "100": false},
		"%Qx%":                    {"x%": true, "x": false},
	} {
		re, err := regexp.Compile(datetime(format))
		if err != nil {
			t.Errorf("%s: %v", format, err)
			continue
		}
		for line, want := range lines {
			if re.MatchString(line) != want {
				t.Errorf("%s (%s) and %q: %v", format, re, line, !want)
			}
		}
	}
}
