package hosttest

import (
	"bytes"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"neargate/node/sandbox"
	"neargate/shim/api"
)

// taken is what was taken in of a container's log.
type taken struct {
	h      *Host
	dir    string
	at     uint64
	offset int
	lines  int // of the guest's, in order
	lost   int
}

// take takes in what there is, as the daemon does, and returns how large the log
// was.
func (k *taken) take() (held int) {
	segments, err := api.Segments(k.dir)
	k.h.ok(err)
	for i, n := range segments {
		if n != k.at {
			k.at, k.offset = n, 0
		}
		b, err := os.ReadFile(api.SegmentFile(k.dir, n))
		k.h.ok(err)
		held += len(b)
		whole := bytes.LastIndexByte(b, '\n') + 1
		for line := range bytes.Lines(b[k.offset:whole]) {
			r, ok := api.ParseRecord(line)
			if k.lost += r.Lost; r.Lost > 0 {
				continue
			}
			if want := fmt.Sprint("line ", k.lines+k.lost); !ok || string(r.Bytes) != want {
				k.h.t.Fatalf("record %q, want %s", line, want)
			}
			k.lines++
		}
		if k.offset = whole; i < len(segments)-1 {
			k.h.ok(os.Remove(api.SegmentFile(k.dir, n)))
		}
	}
	return held
}

// blocking runs a container that writes more than its log holds: it waits until
// the log is taken in.
func blocking(t *testing.T, h *Host, _ Runtime) {
	const lines, buffer = 100_000, 512 << 10
	c := h.Container("a", "lines", fmt.Sprint(lines))
	c.Log.Buffer = buffer
	h.run(sandbox.Spec{Task: "t"}, c)
	k := taken{h: h, dir: h.LogDir("t", "a")}
	ctx, cancel := contextFor(time.Second)
	defer cancel()
	if e, err := h.Wait(ctx, "t", "a"); err == nil {
		t.Errorf("it did not wait for its log: %+v", e)
	}
	if held := k.take(); held < buffer/2 || held > buffer+buffer/8+api.MaxRecord {
		t.Errorf("the log held %d bytes", held)
	}
	for deadline := time.Now().Add(patience); k.lines < lines && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		k.take()
	}
	h.exitOf("t", "a", 0)
	if k.take(); k.lines != lines || k.lost != 0 {
		t.Errorf("%d lines, %d lost", k.lines, k.lost)
	}
}

// nonBlocking runs one that does not wait.
func nonBlocking(t *testing.T, h *Host, _ Runtime) {
	const lines, buffer = 100_000, 512 << 10
	c := h.Container("a", "lines", fmt.Sprint(lines))
	c.Log = api.Log{Mode: api.NonBlocking, Buffer: buffer}
	h.run(sandbox.Spec{Task: "t"}, c)
	h.exitOf("t", "a", 0)
	k := taken{h: h, dir: h.LogDir("t", "a")}
	// At the end what the pipes hold is taken whatever the room; records of such short
	// lines are several times as long.
	const pipe, record = 64 << 10, 8
	if held := k.take(); held < buffer/2 || held > buffer+buffer/8+pipe*record+4*api.MaxRecord {
		t.Errorf("the log held %d bytes", held)
	}
	if k.lost == 0 || k.lines+k.lost != lines {
		t.Errorf("%d lines, %d lost", k.lines, k.lost)
	}
}

// logOfKilled kills a shim while it copies output.
func logOfKilled(t *testing.T, h *Host, _ Runtime) {
	h.run(sandbox.Spec{Task: "t"}, h.Container("a", "lines", "1000000000"))
	k := taken{h: h, dir: h.LogDir("t", "a")}
	for deadline := time.Now().Add(patience); k.lines < 10_000 && time.Now().Before(deadline); {
		k.take()
	}
	h.ok(syscall.Kill(h.state("t").Shim.PID, syscall.SIGKILL))
	h.exitOf("t", "a", 137)
	before := k.lines
	k.take()
	t.Logf("%d lines, %d after the shim's end", k.lines, k.lines-before)
	if k.lines < 10_000 || k.lost > 0 {
		t.Errorf("%d lines, %d lost", k.lines, k.lost)
	}
}

// exitOf checks how a container ended whose log is taken in.
func (h *Host) exitOf(task, name string, code int32) {
	h.t.Helper()
	if e := h.wait(task, name); e.Code != code {
		h.t.Errorf("%s ended with %+v, want code %d", name, e, code)
	}
}
