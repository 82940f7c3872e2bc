package etcd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"neargate/store"
)

const (
	crashDir     = "NEARGATE_CRASH_DIR"
	crashAcked   = "NEARGATE_CRASH_ACKED" // what was acknowledged before, by writer
	crashWriters = 6
	crashKeys    = 3 // written by each transaction of a writer, always alike
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(fullDir); dir != "" {
		fmt.Println(fullChild(dir))
		os.Exit(0)
	}
	if dir := os.Getenv(crashDir); dir != "" {
		fmt.Println("error", crashChild(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// crashChild writes, and says on its standard output what is durable, until it is
// killed: "ready", then "ack WRITER NUMBER".
func crashChild(dir string) error {
	s, err := Open(context.Background(), Config{Dir: dir})
	if err != nil {
		return err
	}
	if err := crashVerify(s, strings.Fields(os.Getenv(crashAcked))); err != nil {
		return err
	}
	fmt.Println("ready")
	failed := make(chan error)
	var out sync.Mutex
	for w := range crashWriters {
		go func() {
			for {
				n := 0
				err := s.Update(context.Background(), func(tx store.Tx) error {
					now, err := crashNumber(tx, w)
					n = now + 1
					for k := range crashKeys {
						tx.Put(crashKey(w, k), strconv.AppendInt(nil, int64(n), 10))
					}
					tx.Delete(crashKey(w, crashKeys+now%5))
					tx.Put(crashKey(w, crashKeys+n%5), []byte("x"))
					return err
				})
				if err != nil {
					failed <- err
					return
				}
				out.Lock()
				fmt.Println("ack", w, n)
				out.Unlock()
			}
		}()
	}
	return <-failed
}

func crashKey(writer, key int) string { return fmt.Sprintf("w%d/%d", writer, key) }

// crashNumber returns the number of the writer's last transaction, and an error
// if that is only half there.
func crashNumber(tx store.Tx, writer int) (n int, err error) {
	seen := map[string]int{}
	for k := range crashKeys {
		v, err := tx.Get(crashKey(writer, k))
		switch {
		case errors.Is(err, store.ErrNotFound):
			seen["0"]++
		case err != nil:
			return 0, err
		default:
			seen[string(v.Bytes())]++
		}
	}
	for text, times := range seen {
		n, err = strconv.Atoi(text)
		if err != nil || times != crashKeys {
			return 0, fmt.Errorf("writer %d is half there: %v", writer, seen)
		}
	}
	want := crashKeys + 1
	if n == 0 {
		want = 0
	}
	if have := tx.Count(fmt.Sprintf("w%d/", writer)); have != want {
		return 0, fmt.Errorf("writer %d at %d has %d keys", writer, n, have)
	}
	return n, nil
}

// TestKill kills a process that writes, again and again, and looks after each
// start whether everything acknowledged is there and no transaction is half there.
func TestKill(t *testing.T) {
	kills := 100
	if testing.Short() {
		kills = 5
	}
	dir := t.TempDir()
	acked := make([]int, crashWriters)
	total, slowest := 0, time.Duration(0)
	for i := range kills {
		start := time.Now()
		n, err := crashOnce(dir, acked, time.Duration(rand.IntN(150_000))*time.Microsecond)
		if err != nil {
			t.Fatalf("kill %d: %v", i, err)
		}
		total += n
		slowest = max(slowest, time.Since(start))
	}
	if err := crashVerify(openDir(t, dir), strings.Fields(strings.Trim(fmt.Sprint(acked), "[]"))); err != nil {
		t.Error(err)
	}
	t.Logf("%d transactions acknowledged over %d kills; the slowest round took %v", total, kills, slowest)
	if total < kills {
		t.Errorf("only %d transactions were acknowledged", total)
	}
}

// crashOnce runs the child, kills it a while after it is ready, and notes in acked
// what it acknowledged. The child compares with what was acknowledged before.
func crashOnce(dir string, acked []int, after time.Duration) (n int, err error) {
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), crashDir+"="+dir, crashAcked+"="+strings.Trim(fmt.Sprint(acked), "[]"))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var w, k int
		switch line := lines.Text(); {
		case line == "ready":
			time.AfterFunc(after, func() { cmd.Process.Kill() })
		case strings.HasPrefix(line, "error"):
			return n, errors.New(line)
		default:
			if _, err := fmt.Sscanf(line, "ack %d %d", &w, &k); err != nil {
				return n, err
			}
			acked[w] = max(acked[w], k)
			n++
		}
	}
	return n, nil
}

// crashVerify compares the content with what was acknowledged.
func crashVerify(s *Store, acked []string) error {
	return s.View(context.Background(), func(tx store.Tx) error {
		for w, text := range acked {
			want, err := strconv.Atoi(text)
			if err != nil {
				return err
			}
			n, err := crashNumber(tx, w)
			if err != nil {
				return err
			}
			if n < want {
				return fmt.Errorf("writer %d acknowledged %d, %d is there", w, want, n)
			}
		}
		return nil
	})
}
