package logstore

import (
	"bufio"
	"fmt"
	"log/slog"
	"math/rand"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"neargate/resource/logs"
)

const (
	crashDir     = "LOGSTORE_CRASH_DIR"
	crashStreams = 4
	crashBatch   = 50
)

// TestMain is also the program that TestKill kills: it appends batches to
// streams from where they are and says when each is acknowledged.
func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		if err := appendForEver(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

func appendForEver(dir string) error {
	s, err := Open(Config{Dir: dir, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	var out sync.Mutex
	failed := make(chan error)
	for stream := range uint64(crashStreams) {
		go func() {
			for batch := 0; ; batch++ {
				records := make([]logs.Record, crashBatch)
				for i := range records {
					records[i] = logs.Record{Time: start.UnixMilli(), Message: fmt.Sprintf("%d %d %d %s", os.Getpid(), batch, i, strings.Repeat("x", i*20))}
				}
				if err := s.AppendFrom(source(stream), fmt.Append(nil, os.Getpid(), " ", batch), logs.StreamID{Group: 1, Stream: stream}, time.Now(), records); err != nil {
					failed <- err
				}
				out.Lock()
				fmt.Println(stream, os.Getpid(), batch)
				out.Unlock()
			}
		}()
	}
	return <-failed
}

// TestKill kills writers at random moments: what they were told is stored must
// be there once and in order; a batch is there whole or not at all.
func TestKill(t *testing.T) {
	if testing.Short() {
		t.Skip("starts and kills processes for seconds")
	}
	dir := t.TempDir()
	r := rand.New(rand.NewSource(time.Now().UnixNano()))
	acknowledged := map[string]bool{}
	for range 10 {
		runAndKill(t, dir, time.Duration(50+r.Intn(400))*time.Millisecond, acknowledged)
		s := open(t, Config{Dir: dir})
		stored := map[string]bool{}
		for stream := range uint64(crashStreams) {
			events := read(t, s, everything, false, logs.StreamID{Group: 1, Stream: stream})
			checkBatches(t, stream, events, stored)
			checkCursor(t, s, stream, events)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		for batch := range acknowledged {
			if !stored[batch] {
				t.Errorf("batch %s was acknowledged and is lost", batch)
			}
		}
	}
	if len(acknowledged) == 0 {
		t.Error("nothing was acknowledged")
	}
}

func source(stream uint64) string { return fmt.Sprint("task/", stream) }

// checkCursor checks that a stream's cursor is that of its last batch.
func checkCursor(t *testing.T, s *Store, stream uint64, events []logs.Event) {
	t.Helper()
	c, err := s.Cursor(source(stream))
	if err != nil {
		t.Fatal(err)
	}
	if len(events) == 0 {
		if c != nil {
			t.Errorf("stream %d: cursor %q without events", stream, c)
		}
		return
	}
	if last := events[len(events)-1].Message; !strings.HasPrefix(last, string(c)+" ") {
		t.Errorf("stream %d: cursor %q, the last event is %.30s", stream, c, last)
	}
}

// runAndKill collects what a writer says until it is killed.
func runAndKill(t *testing.T, dir string, after time.Duration, acknowledged map[string]bool) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), crashDir+"="+dir)
	cmd.Stderr = os.Stderr
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(after, func() { cmd.Process.Kill() })
	defer timer.Stop()
	lines := bufio.NewReader(pipe)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			break // an unfinished line is no acknowledgement
		}
		acknowledged[strings.TrimSpace(line)] = true
	}
	if cmd.Wait(); cmd.ProcessState.Exited() {
		t.Fatalf("the writer ended by itself: %v", cmd.ProcessState)
	}
}

// checkBatches checks that events are whole batches in the order they were
// appended in, and notes them.
func checkBatches(t *testing.T, stream uint64, events []logs.Event, stored map[string]bool) {
	t.Helper()
	for i, e := range events {
		word := strings.SplitN(e.Message, " ", 4) // process, batch, number, padding
		key := fmt.Sprint(stream, " ", word[0], " ", word[1])
		first := i%crashBatch == 0
		if word[2] != strconv.Itoa(i%crashBatch) || first == stored[key] {
			t.Fatalf("stream %d: event %d is %s of batch %s", stream, i, word[2], key)
		}
		stored[key] = true
	}
	if len(events)%crashBatch != 0 {
		t.Errorf("stream %d ends within a batch", stream)
	}
}
