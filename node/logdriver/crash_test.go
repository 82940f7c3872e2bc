package logdriver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"neargate/dataplane/logstore"
	"neargate/resource/compute/taskdef"
	"neargate/resource/logs"
	"neargate/shim/api"
)

const (
	crashDir    = "LOGDRIVER_CRASH_DIR"
	crashFinish = "LOGDRIVER_CRASH_FINISH"
	crashKills  = 60
)

// crashLogs are the containers of the crash test: with lines, with events of many
// lines, and with long lines of both streams at once.
var crashLogs = map[string]*taskdef.Logging{
	"lines":  logging(),
	"events": logging(taskdef.LogMultiline, "^E"),
	"long":   logging(),
}

func crashStream(container string) logs.StreamID {
	return logs.StreamID{Group: 1, Stream: uint64(len(container))}
}

type crashStreams struct{}

func (crashStreams) Prepare(context.Context, Owner) {}

func (crashStreams) Open(_ context.Context, _ Owner, _, stream string, _ bool) (logs.StreamID, error) {
	return crashStream(strings.Split(stream, "/")[1]), nil
}

// TestMain is also the program that TestKill kills: a driver that follows
// containers, or finishes their task.
func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		if err := drive(dir, os.Getenv(crashFinish) != ""); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func crashLog(dir string) func(task, container string) string {
	return func(task, container string) string { return filepath.Join(dir, task, container) }
}

func drive(dir string, finish bool) error {
	store, err := logstore.Open(logstore.Config{Dir: filepath.Join(dir, "store"), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	d := New(Config{Dir: crashLog(dir), Streams: crashStreams{}, Sink: store, Now: time.Now, Log: slog.New(slog.NewTextHandler(os.Stderr, nil))})
	if err := d.Sweep(); err != nil {
		return err
	}
	if !finish {
		for c, l := range crashLogs {
			_, err := d.Open(context.Background(), Task{ID: "t"}, c, l)
			if err = errors.Join(err, d.Follow("t", c)); err != nil {
				return err
			}
		}
		fmt.Println("follows")
		time.Sleep(time.Hour)
	}
	if err := d.Finish(context.Background(), "t"); err != nil {
		return err
	}
	d.Close()
	return store.Close()
}

// runDriver runs a driver and kills it after a while; it reports whether it ended
// by itself.
func runDriver(t *testing.T, dir string, finish bool, after time.Duration) bool {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), crashDir+"="+dir)
	if finish {
		cmd.Env = append(cmd.Env, crashFinish+"=1")
	}
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(after, func() { cmd.Process.Kill() })
	defer timer.Stop()
	err := cmd.Wait()
	if cmd.ProcessState.Exited() && err != nil || said.Len() > 0 {
		t.Fatalf("the driver ended with %v: %s", err, &said)
	}
	return err == nil
}

// TestKill kills a driver at random moments, while it follows and while it
// finishes: nothing that was written may be lost or doubled.
func TestKill(t *testing.T) {
	if testing.Short() {
		t.Skip("starts and kills processes for seconds")
	}
	dir := t.TempDir()
	writing, wrote := make(chan struct{}), make(chan map[string]string, 1)
	go func() { wrote <- writeLogs(t, dir, writing) }()
	for i := range crashKills {
		runDriver(t, dir, false, time.Duration(rand.IntN(200+i*2))*time.Millisecond)
	}
	close(writing)
	want := <-wrote
	if all, _ := filepath.Glob(filepath.Join(dir, "t", "*", "*")); len(all) < len(crashLogs) {
		t.Errorf("segments %q", all)
	}
	kills := 0
	for !runDriver(t, dir, true, time.Duration(20+rand.IntN(30+kills*10))*time.Millisecond) {
		if kills++; kills > 300 {
			t.Fatal("it does not finish")
		}
	}
	checkLogs(t, dir, want)
	if left, _ := filepath.Glob(filepath.Join(dir, "t", "*")); len(left) > 0 {
		t.Errorf("left are %q", left)
	}
	t.Logf("killed %d times while following, %d while finishing", crashKills, kills)
}

// writeLogs writes the containers' logs until the channel is closed. It returns
// what was written, by container and stream.
func writeLogs(t *testing.T, dir string, stop <-chan struct{}) map[string]string {
	shims := map[string]*shim{}
	for c := range crashLogs {
		shims[c] = newShim(t, crashLog(dir)("t", c), 30_000)
	}
	wrote := map[string]*strings.Builder{"lines": {}, "events": {}, "longO": {}, "longE": {}}
	for i := 0; ; i++ {
		select {
		case <-stop:
			all := map[string]string{}
			for c, b := range wrote {
				all[c] = b.String()
			}
			return all
		case <-time.After(time.Duration(rand.IntN(3)) * time.Millisecond):
		}
		for k := range rand.IntN(20) {
			line := fmt.Sprint("line ", i, " ", k, strings.Repeat("x", rand.IntN(100)))
			shims["lines"].say(line)
			wrote["lines"].WriteString(line)
			event := []string{fmt.Sprint("E ", i, " ", k), "  more", ""}[:1+rand.IntN(3)]
			shims["events"].say(event...)
			wrote["events"].WriteString(strings.Join(event, "\n") + "\n")
		}
		if i%10 > 0 {
			continue
		}
		for k := range 6 { // three parts of a line of each stream, in turns
			part := fmt.Sprint("OE"[k%2:k%2+1], i, ".", k, strings.Repeat("y", rand.IntN(9000)), ";")
			shims["long"].write(api.Record{At: time.Now(), Error: k%2 == 1, Partial: k < 4, Bytes: []byte(part)})
			wrote["long"+part[:1]].WriteString(part)
		}
	}
}

func checkLogs(t *testing.T, dir string, want map[string]string) {
	t.Helper()
	store, err := logstore.Open(logstore.Config{Dir: filepath.Join(dir, "store"), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	got := map[string]*strings.Builder{"lines": {}, "events": {}, "longO": {}, "longE": {}}
	for c := range crashLogs {
		ids := []logs.StreamID{crashStream(c)}
		for e, err := range store.Scan(t.Context(), ids, logs.Span{To: logs.Position{Time: math.MaxInt64}}, false) {
			if err != nil {
				t.Fatal(err)
			}
			to := c
			if c == "long" {
				if to += e.Message[:1]; strings.Count(e.Message, ";") != 3 {
					t.Errorf("a line of %d parts", strings.Count(e.Message, ";"))
				}
			}
			got[to].WriteString(e.Message)
		}
	}
	for c, w := range want {
		if g := got[c].String(); g != w || w == "" {
			i := 0
			for i < min(len(g), len(w)) && g[i] == w[i] {
				i++
			}
			t.Errorf("%s: %d bytes became %d, from %d on: %.80q, not %.80q", c, len(w), len(g), i, g[i:], w[i:])
		}
	}
	if s, err := store.Sources(""); err != nil || len(s) > 0 {
		t.Errorf("cursors are left: %q, %v", s, err)
	}
}
