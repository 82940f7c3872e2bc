package hosttest

import (
	"encoding/json"
	"strings"
	"syscall"
	"testing"

	"neargate/node/sandbox"
)

// ulimits gives a container every limit there is, and sees that the others of its
// task have theirs.
func ulimits(t *testing.T, h *Host, _ Runtime) {
	type limits [16][2]uint64 // by the kernel's numbers
	numbers := map[string]int{"CPU": 0, "FSIZE": 1, "DATA": 2, "STACK": 3, "CORE": 4, "RSS": 5, "NPROC": 6, "NOFILE": 7, "MEMLOCK": 8,
		"LOCKS": 10, "SIGPENDING": 11, "MSGQUEUE": 12, "NICE": 13, "RTPRIO": 14, "RTTIME": 15}
	c := h.Container("b", "limited")
	for name, n := range numbers {
		l := sandbox.Ulimit{Name: "RLIMIT_" + name, Soft: uint64(10_000_000_000 + n), Hard: uint64(20_000_000_000 + n)}
		if name == "NOFILE" {
			l.Soft = l.Hard // Go raises it
		}
		var own syscall.Rlimit // not everybody may give more
		h.ok(syscall.Getrlimit(n, &own))
		l.Soft, l.Hard = min(l.Soft, own.Max), min(l.Hard, own.Max)
		c.Ulimits = append(c.Ulimits, l)
	}
	h.run(sandbox.Spec{Task: "t"}, h.Container("a", "limited"), c, h.Container("c", "limited"))
	if code, err := h.Exec(t.Context(), "t", "a", []string{"/guest", "limits"}); code != 0 || err != nil {
		t.Errorf("exec: %d, %v", code, err)
	}
	seen := func(name string) (l limits) { // at its end
		h.Until("t", name, "ready")
		h.ok(h.Signal(t.Context(), "t", name, syscall.SIGTERM))
		_, now, _ := strings.Cut(h.exits("t", name, 0, false), "\n")
		h.ok(json.Unmarshal([]byte(now), &l))
		return l
	}
	before, given, after := seen("a"), seen("b"), seen("c")
	for _, u := range c.Ulimits {
		if got := given[numbers[u.Name[len("RLIMIT_"):]]]; got != [2]uint64{u.Soft, u.Hard} {
			t.Errorf("%s is %v, want %d, %d", u.Name, got, u.Soft, u.Hard)
		}
	}
	if after != before {
		t.Errorf("limits of one container reach another:\n%v\n%v before", after, before)
	}
}

// orphans are reaped by an init, and by what is process 1 where PIDs are shared;
// not by a program that does not.
func orphans(t *testing.T, h *Host, _ Runtime) {
	c := h.Container("a", "orphan")
	c.Init = true
	h.run(sandbox.Spec{Task: "t"}, c)
	h.run(sandbox.Spec{Task: "u", SharePID: true}, h.Container("a", "orphan"))
	h.exits("t", "a", 0, false)
	h.exits("u", "a", 0, false)
}
