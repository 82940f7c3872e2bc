package objects

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	mathrand "math/rand"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"neargate/arn"
	"neargate/internal/checksum"
	"neargate/resource/objects"
)

const (
	crashDir  = "OBJECTS_CRASH_DIR"
	crashKeys = 4
)

// TestMain is also the program that TestKill kills: it writes and deletes objects,
// by one put and in parts, and says what is acknowledged.
func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		if err := writeForEver(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// crashContent is what the nth object of a key holds: small and large by turns.
func crashContent(key, n int) []byte {
	size := []int{100, 40 << 10, 300 << 10}[n%3]
	return bytes.Repeat(fmt.Appendf(nil, "%d %d ", key, n), size/4)
}

func writeForEver(dir string) error {
	s, err := Open(Config{Dir: dir, Log: slog.New(slog.DiscardHandler), Key: [32]byte{1}, Now: time.Now, IDs: arn.NewSource(rand.Reader)})
	if err != nil {
		return err
	}
	start, err := strconv.Atoi(os.Getenv(crashDir + "_START"))
	if err != nil {
		return err
	}
	var out sync.Mutex
	say := func(words ...any) {
		out.Lock()
		defer out.Unlock()
		fmt.Println(words...)
	}
	failed := make(chan error)
	for key := range crashKeys {
		go func() {
			for n := start; ; n++ {
				if err := writeOne(s, key, n); err != nil {
					failed <- err
				}
				say("put", key, n)
				if n%5 == 4 {
					if _, err := s.Delete(bucket, "", objects.Doomed{Key: strconv.Itoa(key)}); err != nil {
						failed <- err
					}
					say("deleted", key, n)
				}
			}
		}()
	}
	return <-failed
}

func writeOne(s *Store, key, n int) error {
	name := strconv.Itoa(key)
	st, err := s.Stage(context.Background(), bytes.NewReader(crashContent(key, n)), nil, checksum.CRC32)
	if err != nil {
		return err
	}
	about := objects.About{Metadata: map[string]string{"n": strconv.Itoa(n)}}
	if n%2 == 0 {
		_, err = s.Put(objects.Write{Bucket: bucket, Key: name, About: about}, st)
		return err
	}
	sum := objects.Checksum{Algorithm: checksum.CRC32, Value: checksum.Encode(st.Sums[checksum.CRC32])}
	u, err := s.Begin(bucket, objects.Upload{Key: name, About: about, Checksum: objects.Checksum{Algorithm: checksum.CRC32, Type: objects.FullObject}})
	if err != nil {
		return err
	}
	p, err := s.PutPart(bucket, name, u.ID, objects.Part{Number: 1, Checksum: sum}, st)
	if err != nil {
		return err
	}
	_, err = s.Complete(objects.Finish{Bucket: bucket, Key: name, Upload: u.ID, Parts: []objects.Part{p}})
	return err
}

// TestKill kills writers at random moments: what they were told is stored must be
// there, whole, and nothing else may stay on disk.
func TestKill(t *testing.T) {
	if testing.Short() {
		t.Skip("starts and kills processes for seconds")
	}
	dir := t.TempDir()
	r := mathrand.New(mathrand.NewSource(time.Now().UnixNano()))
	last := map[int]string{} // acknowledged of a key
	start := 0
	for range 8 {
		start = runAndKill(t, dir, start, time.Duration(50+r.Intn(400))*time.Millisecond, last)
		s, _ := open(t, dir)
		s.started = time.Now().Add(time.Hour) // whatever is there is from before
		if err := s.Recover(t.Context()); err != nil {
			t.Fatal(err)
		}
		for key, said := range last {
			check(t, s, key, said)
		}
		if err := s.purge(bucket); err != nil { // uploads that were cut off
			t.Fatal(err)
		}
		if got, want := files(t, s), used(t, s); got != want {
			t.Errorf("%d files, %d in use", got, want)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// check compares a key with what was last acknowledged of it: that, or something
// later, whole.
func check(t *testing.T, s *Store, key int, said string) {
	t.Helper()
	word, number, _ := strings.Cut(said, " ")
	want, err := strconv.Atoi(number)
	if err != nil {
		t.Fatal(err)
	}
	v, err := s.Find(bucket, strconv.Itoa(key), "")
	if err != nil {
		if word != "deleted" && want%5 != 4 {
			t.Errorf("key %d, %s: %v", key, said, err)
		}
		return
	}
	n, err := strconv.Atoi(v.Metadata["n"])
	if err != nil || n < want || word == "deleted" && n == want {
		t.Errorf("key %d, %s, is %d: %v", key, said, n, err)
	}
	if got := read(t, s, strconv.Itoa(key), ""); !bytes.Equal(got, crashContent(key, n)) {
		t.Errorf("key %d, %d: %d bytes are not what was written", key, n, len(got))
	}
}

// used is how many files the index names.
func used(t *testing.T, s *Store) (n int) {
	t.Helper()
	if err := each(s.db, []byte{spaceFile}, func(_, _ []byte) (bool, error) { n++; return true, nil }); err != nil {
		t.Fatal(err)
	}
	return n
}

func runAndKill(t *testing.T, dir string, start int, after time.Duration, last map[int]string) int {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), crashDir+"="+dir, crashDir+"_START="+strconv.Itoa(start))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	next, begun := start, false
	for lines.Scan() {
		if !begun {
			begun = true
			time.AfterFunc(after, func() { cmd.Process.Kill() })
		}
		var word string
		var key, n int
		if _, err := fmt.Sscan(lines.Text(), &word, &key, &n); err != nil {
			continue // cut off
		}
		last[key] = fmt.Sprint(word, " ", n)
		next = max(next, n+2)
	}
	if cmd.Wait() == nil {
		t.Fatal("the writer ended by itself")
	}
	if !begun {
		t.Fatal("the writer wrote nothing")
	}
	return next
}
