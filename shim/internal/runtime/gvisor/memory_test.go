package gvisor

import (
	"testing"
	"time"
)

func TestDue(t *testing.T) {
	const mib = 1 << 20
	at := time.Now()
	l := look{at: at, took: 2 * time.Millisecond, total: 100 * mib, least: 10 * mib}
	for _, c := range []struct {
		after time.Duration
		total uint64
		due   bool
	}{
		{19 * time.Millisecond, 110 * mib, false}, // the last one took a tenth of it
		{20 * time.Millisecond, 110 * mib, true},
		{20 * time.Millisecond, 109 * mib, false},
		{reading - 1, 101 * mib, false},
		{reading, 101 * mib, true},
		{reading, 99 * mib, true},
		{reading, 100 * mib, false},
		{idle, 100 * mib, true},
	} {
		if due := l.due(at.Add(c.after), c.total); due != c.due {
			t.Errorf("%v later at %d MiB: %v", c.after, c.total/mib, due)
		}
	}
	l.took = time.Second
	if !l.due(at.Add(reading), 200*mib) {
		t.Error("a slow reading puts the next off for long")
	}
}

func TestSplit(t *testing.T) {
	a, b := &gvisorContainer{}, &gvisorContainer{}
	var s split
	both := []*gvisorContainer{a, b}
	for _, c := range []struct {
		total  uint64
		inside []uint64
		want   []uint64
	}{
		{100, []uint64{300, 100}, []uint64{75, 25}},
		{200, []uint64{300, 100}, []uint64{75, 25}},  // what nobody did waits
		{300, []uint64{300, 300}, []uint64{75, 225}}, // for who does something
		{400, []uint64{200, 400}, []uint64{75, 325}}, // never less than before
	} {
		given := s.divide(c.total, both, c.inside)
		if given[0] != c.want[0] || given[1] != c.want[1] {
			t.Errorf("%d divided by %v: %v, want %v", c.total, c.inside, given, c.want)
		}
	}
}
