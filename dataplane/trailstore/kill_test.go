package trailstore

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"neargate/resource/trail"
)

const killDir = "NEARGATE_TRAIL_KILL_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(killDir); dir != "" {
		fmt.Println("error", killChild(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// killConfig makes segments of 64 KiB, so that many are sealed.
func killConfig(dir string) Config { return Config{Dir: dir, MaxBytes: leastShare * 4 << 20} }

// killChild adds events whose ids are numbers that go on from the last one kept, and
// says on its standard output what has been added, until it is killed.
func killChild(dir string) error {
	s, err := Open(killConfig(dir))
	if err != nil {
		return err
	}
	s.segment = 64 << 10
	next := 0
	page, err := s.Lookup(context.Background(), trail.Query{Account: "1", Region: "a", To: time.Now().Add(time.Hour), Limit: 1})
	if err != nil {
		return err
	}
	if len(page.Events) > 0 {
		if next, err = strconv.Atoi(page.Events[0].ID); err != nil {
			return err
		}
		next++
	}
	fmt.Println("ready")
	for {
		var batch []trail.Event
		for range 1 + rand.IntN(200) {
			batch = append(batch, trail.Event{ID: fmt.Sprint(next), Account: "1", Region: "a", Time: time.Now(), Text: noise(next)[:512]})
			next++
		}
		if err := s.Append(batch); err != nil {
			return err
		}
		fmt.Println("added", next)
	}
}

// TestKill kills a process that adds events, again and again: what it said it had added
// is there afterwards, once, in order, with nothing missing before it.
func TestKill(t *testing.T) {
	kills := 25
	if testing.Short() {
		kills = 5
	}
	dir, had := t.TempDir(), 0
	for range kills {
		added := killOnce(t, dir)
		s, err := Open(killConfig(dir))
		if err != nil {
			t.Fatal(err)
		}
		got := arrived(t, s, 5000)
		for i, a := range got {
			if a.ID != fmt.Sprint(i) {
				t.Fatalf("event %d is %s", i, a.ID)
			}
		}
		if len(got) < max(added, had) {
			t.Fatalf("%d events, %d had been added", len(got), max(added, had))
		}
		had = len(got)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// killOnce runs a child for a moment and returns how many events it said there are.
func killOnce(t *testing.T, dir string) (added int) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), killDir+"="+dir)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Wait() }() // it was killed
	defer func() { _ = cmd.Process.Kill() }()
	hung := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	defer hung.Stop()
	ready := false
	kill := sync.OnceFunc(func() {
		time.AfterFunc(time.Duration(rand.IntN(60_000))*time.Microsecond, func() { _ = cmd.Process.Kill() })
	})
	for lines := bufio.NewScanner(out); lines.Scan(); {
		word, rest, _ := strings.Cut(lines.Text(), " ")
		switch word {
		case "ready":
			ready = true
		case "added":
			kill()
			if added, err = strconv.Atoi(rest); err != nil {
				t.Fatal(err)
			}
		default:
			t.Fatal(lines.Text())
		}
	}
	if !ready {
		t.Fatal("it did not start")
	}
	return added
}
