package output

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"neargate/shim/api"
)

const patienceOfTest = 20 * time.Second

// pipes is an output with the container's ends kept open.
type pipes struct {
	*Output
	t        *testing.T
	dir      string
	out, err *os.File
}

func openPipes(t *testing.T, dir string, l api.Log) *pipes {
	t.Helper()
	o, err := Open(api.Container{Log: l}, dir, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	p := &pipes{Output: o, t: t, dir: dir}
	for i, end := range []**os.File{&p.out, &p.err} {
		fd, err := unix.Dup(int(o.Stdio.Files[i+1].Fd()))
		if err != nil {
			t.Fatal(err)
		}
		_ = unix.SetNonblock(fd, true) // so that a test can see that it would wait
		*end = os.NewFile(uintptr(fd), "end")
	}
	o.Started()
	return p
}

func (p *pipes) end() {
	p.out.Close()
	p.err.Close()
	p.Ended()
}

// unread is how much the pipes hold.
func (p *pipes) unread() (total int) {
	for _, r := range p.readers {
		c, err := r.SyscallConn()
		if err == nil {
			err = c.Control(func(fd uintptr) {
				n, _ := unix.IoctlGetInt(int(fd), unix.TIOCINQ)
				total += n
			})
		}
		if err != nil {
			p.t.Fatal(err)
		}
	}
	return total
}

// held is the size of all segments.
func (p *pipes) held() (n int64) {
	all, _ := api.Segments(p.dir)
	for _, s := range all {
		if info, err := os.Stat(api.SegmentFile(p.dir, s)); err == nil {
			n += info.Size()
		}
	}
	return n
}

// taker takes in a log as the daemon does.
type taker struct {
	t      *testing.T
	dir    string
	number uint64
	offset int64
	lines  [2][]string
	open   [2]bool // the last line goes on
	lost   [2]int
	gaps   map[int]int // lines lost of the first stream, by how many came before
}

// complete checks that the lines of lines, and some more, are there or known to be
// lost where they are missing.
func (k *taker) complete(total, more int) {
	k.t.Helper()
	next := 0
	for i, l := range k.lines[0][:len(k.lines[0])-more] {
		next += k.gaps[i]
		if l+"\n" != lines(next, next+1) {
			k.t.Fatalf("line %d is %.20s", next, l)
		}
		next++
	}
	for i := len(k.lines[0]) - more; i <= len(k.lines[0]); i++ {
		next += k.gaps[i]
	}
	if next != total {
		k.t.Errorf("%d lines of %d", next, total)
	}
}

// take takes in what is there and removes what was taken in.
func (k *taker) take() {
	k.t.Helper()
	all, err := api.Segments(k.dir)
	if err != nil {
		k.t.Fatal(err)
	}
	for i, n := range all {
		if n != k.number {
			k.number, k.offset = n, 0
		}
		b, err := os.ReadFile(api.SegmentFile(k.dir, n))
		if err != nil {
			k.t.Fatal(err)
		}
		if len(b) > api.SegmentSize {
			k.t.Errorf("a segment of %d bytes", len(b))
		}
		for line := range bytes.Lines(b[k.offset:]) {
			if !bytes.HasSuffix(line, []byte("\n")) {
				break
			}
			k.offset += int64(len(line))
			r, ok := api.ParseRecord(line)
			if !ok {
				k.t.Fatalf("record %q", line)
			}
			k.record(r)
		}
		if i < len(all)-1 {
			os.Remove(api.SegmentFile(k.dir, n))
		}
	}
}

func (k *taker) record(r api.Record) {
	i := 0
	if r.Error {
		i = 1
	}
	switch {
	case r.Lost > 0:
		k.lost[i] += r.Lost
		k.open[i] = false
		if i == 0 {
			if k.gaps == nil {
				k.gaps = map[int]int{}
			}
			k.gaps[len(k.lines[0])] += r.Lost
		}
		return
	case k.open[i]:
		k.lines[i][len(k.lines[i])-1] += string(r.Bytes)
	default:
		k.lines[i] = append(k.lines[i], string(r.Bytes))
	}
	k.open[i] = r.Partial
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patienceOfTest); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("timed out:", what)
		}
	}
}

func lines(from, to int) string {
	var b strings.Builder
	for i := from; i < to; i++ {
		fmt.Fprintf(&b, "line %d %s\n", i, strings.Repeat("x", i%97))
	}
	return b.String()
}

func want(t *testing.T, got []string, from, to int) {
	t.Helper()
	if g := strings.Join(got, "\n") + "\n"; g != lines(from, to) {
		t.Errorf("%d lines, not lines %d to %d", len(got), from, to)
	}
}

func TestOutput(t *testing.T) {
	p := openPipes(t, filepath.Join(t.TempDir(), "a"), api.Log{Mode: api.Blocking})
	k := &taker{t: t, dir: p.dir}
	begin := time.Now()
	fmt.Fprint(p.out, "one\n\n\x00\xff\r\ntw")
	fmt.Fprint(p.err, "oops\n")
	fmt.Fprint(p.out, "o\n")
	until(t, "the lines", func() bool { k.take(); return len(k.lines[0]) == 4 && len(k.lines[1]) == 1 })
	fmt.Fprint(p.out, strings.Repeat("y", 300_000)+"\nno line feed")
	p.end()
	k.take()
	got := fmt.Sprintf("%.30q %q", k.lines[0], k.lines[1])
	if got != `["one" "" "\x00\xff\r" "two" "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyy" "no line feed"] ["oops"]` || len(k.lines[0][4]) != 300_000 || k.open[0] {
		t.Errorf("got %s", got)
	}
	b, _ := os.ReadFile(api.SegmentFile(p.dir, 1))
	r, ok := api.ParseRecord(b)
	if now := time.Now(); !ok || r.At.Before(begin) || r.At.After(now) {
		t.Errorf("a line written at %v is of %v", begin, r.At)
	}
}

// TestAnyBytes writes random bytes in random pieces.
func TestAnyBytes(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	var all []byte
	for len(all) < 3<<20 {
		line := make([]byte, r.IntN([]int{3, 100, 70_000, 200_000}[r.IntN(4)]))
		for i := range line {
			if line[i] = byte(r.Uint32()); line[i] == '\n' {
				line[i] = 0
			}
		}
		all = append(append(all, line...), '\n')
	}
	p := openPipes(t, t.TempDir(), api.Log{Mode: api.Blocking})
	k := &taker{t: t, dir: p.dir}
	for left := all; len(left) > 0; {
		n := min(1+r.IntN(100_000), len(left))
		if _, err := p.out.Write(left[:n]); err != nil {
			t.Fatal(err)
		}
		left = left[n:]
	}
	p.end()
	k.take()
	if got := strings.Join(k.lines[0], "\n") + "\n"; got != string(all) {
		t.Errorf("seed %d: %d bytes became %d", seed, len(all), len(got))
	}
}

// TestBlocking fills a log that nobody takes in, and takes it in then.
func TestBlocking(t *testing.T) {
	const total = 60_000
	p := openPipes(t, t.TempDir(), api.Log{Mode: api.Blocking, Buffer: 512 << 10})
	k := &taker{t: t, dir: p.dir}
	text := lines(0, total)
	_ = p.out.SetWriteDeadline(time.Now().Add(time.Second))
	n, err := p.out.WriteString(text)
	if !errors.Is(err, os.ErrDeadlineExceeded) || n == len(text) {
		t.Fatalf("wrote %d of %d bytes: %v", n, len(text), err)
	}
	if h := p.held(); h < 400<<10 || h > (512+64)<<10 {
		t.Errorf("the full log holds %d bytes", h)
	}
	_ = p.out.SetWriteDeadline(time.Now().Add(patienceOfTest))
	wrote := make(chan error, 1)
	go func() {
		_, err := p.out.WriteString(text[n:])
		wrote <- err
	}()
	until(t, "the rest", func() bool { k.take(); return len(k.lines[0]) == total })
	if err := <-wrote; err != nil {
		t.Error(err)
	}
	p.end()
	k.take()
	want(t, k.lines[0], 0, total)
	if k.lost != [2]int{} {
		t.Errorf("lost %v", k.lost)
	}
}

// TestNonBlocking writes more than a log that nobody takes in has room for.
func TestNonBlocking(t *testing.T) {
	const total, buffer = 60_000, 512 << 10
	p := openPipes(t, t.TempDir(), api.Log{Mode: api.NonBlocking, Buffer: buffer})
	k := &taker{t: t, dir: p.dir}
	_ = p.out.SetWriteDeadline(time.Now().Add(patienceOfTest))
	if _, err := p.out.WriteString(lines(0, total)); err != nil {
		t.Fatal(err)
	}
	until(t, "a full log", func() bool { return p.held() >= buffer-api.RecordSize })
	// The pipe is drained when a line of the other stream, which is lost too, is through.
	if _, err := p.err.WriteString(strings.Repeat("e", api.RecordSize) + "\n"); err != nil {
		t.Fatal(err)
	}
	until(t, "an empty pipe", func() bool {
		return p.unread() == 0
	})
	if h := p.held(); h > buffer+buffer/8+api.MaxRecord {
		t.Errorf("the log holds %d bytes", h)
	}
	k.take()
	fmt.Fprint(p.out, "after\n")
	until(t, "a line after", func() bool {
		k.take()
		return k.lines[0][len(k.lines[0])-1] == "after"
	})
	p.end()
	k.take()
	k.complete(total, 1)
	if k.lost[0] == 0 || k.lost[1] != 1 {
		t.Errorf("lost %d and %d lines", k.lost[0], k.lost[1])
	}
}

// TestTinyBuffer checks that one record is always taken.
func TestTinyBuffer(t *testing.T) {
	p := openPipes(t, t.TempDir(), api.Log{Mode: api.NonBlocking, Buffer: 1})
	k := &taker{t: t, dir: p.dir}
	for i := range 20 {
		fmt.Fprintln(p.out, strings.Repeat("z", 20_000), i)
		until(t, "a line", func() bool { k.take(); return len(k.lines[0]) == i+1 })
	}
	p.end()
	if k.take(); k.lost != [2]int{} || k.open[0] {
		t.Errorf("lost %v", k.lost)
	}
}

// TestLongLineLost checks that a line is not kept without its middle.
func TestLongLineLost(t *testing.T) {
	p := openPipes(t, t.TempDir(), api.Log{Mode: api.NonBlocking, Buffer: 256 << 10})
	k := &taker{t: t, dir: p.dir}
	_ = p.out.SetWriteDeadline(time.Now().Add(patienceOfTest))
	for i := range 12 {
		fmt.Fprintln(p.out, i, strings.Repeat("z", 100_000))
	}
	until(t, "an empty pipe", func() bool {
		return p.unread() == 0
	})
	k.take()
	fmt.Fprintln(p.out, "after")
	p.end()
	k.take()
	if n := len(k.lines[0]); n < 3 || n > 5 || n-1+k.lost[0] < 12 || k.lines[0][n-1] != "after" {
		t.Errorf("%d lines, %d lost", n, k.lost[0])
	}
	for i, l := range k.lines[0] {
		if !strings.HasPrefix(l, fmt.Sprint(i)) && l != "after" {
			t.Errorf("line %d is %.20s", i, l)
		}
	}
}

// TestEndWhileBlocked ends a container that waits for its log.
func TestEndWhileBlocked(t *testing.T) {
	p := openPipes(t, t.TempDir(), api.Log{Mode: api.Blocking, Buffer: 64 << 10})
	_ = p.out.SetWriteDeadline(time.Now().Add(time.Second))
	n, err := p.out.WriteString(lines(0, 10_000))
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("wrote %d bytes: %v", n, err)
	}
	begin := time.Now()
	p.end()
	if d := time.Since(begin); d > Drain/2 {
		t.Errorf("the end took %v", d)
	}
	k := &taker{t: t, dir: p.dir}
	k.take()
	got := strings.Join(k.lines[0], "\n")
	if got != strings.TrimSuffix(lines(0, 10_000)[:n], "\n") || k.lost[0] != 0 {
		t.Errorf("%d bytes of %d", len(got), n)
	}
}

// TestHeldOpen ends a container whose output something else holds open.
func TestHeldOpen(t *testing.T) {
	p := openPipes(t, t.TempDir(), api.Log{Mode: api.Blocking})
	fmt.Fprint(p.out, "begun")
	begin := time.Now()
	p.Ended()
	if d := time.Since(begin); d > 3*Drain {
		t.Errorf("the end took %v", d)
	}
	p.out.Close()
	p.err.Close()
	k := &taker{t: t, dir: p.dir}
	if k.take(); len(k.lines[0]) != 1 || k.lines[0][0] != "begun" || k.open[0] {
		t.Errorf("%q", k.lines[0])
	}
}

func TestDiscard(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a")
	p := openPipes(t, dir, api.Log{})
	if _, err := p.out.WriteString(lines(0, 10_000)); err != nil {
		t.Error(err)
	}
	p.end()
	if _, err := os.Stat(dir); err == nil {
		t.Error("there is a log")
	}
}

// TestAgain continues the log of a container that is started again.
func TestAgain(t *testing.T) {
	dir := t.TempDir()
	k := &taker{t: t, dir: dir}
	for i := range 3 {
		p := openPipes(t, dir, api.Log{Mode: api.Blocking})
		fmt.Fprintln(p.out, "run", i)
		p.end()
		k.take()
	}
	if got := strings.Join(k.lines[0], ","); got != "run 0,run 1,run 2" || k.number != 3 {
		t.Errorf("%q, segment %d", got, k.number)
	}
}

// TestDiskFull writes a log to a file system that is smaller than the log may be.
func TestDiskFull(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("mounting needs root")
	}
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=512k"); err != nil {
		t.Skip("no tmpfs:", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	for name, mode := range map[string]string{"waits": api.Blocking, "loses": api.NonBlocking} {
		t.Run(name, func(t *testing.T) {
			const total = 20_000
			p := openPipes(t, filepath.Join(dir, name), api.Log{Mode: mode, Buffer: 2 << 20})
			k := &taker{t: t, dir: p.dir}
			text := lines(0, total)
			_ = p.out.SetWriteDeadline(time.Now().Add(time.Second))
			n, err := p.out.WriteString(text)
			if full := errors.Is(err, os.ErrDeadlineExceeded); full != (mode == api.Blocking) {
				t.Fatalf("wrote %d of %d bytes: %v", n, len(text), err)
			}
			_ = p.out.SetWriteDeadline(time.Now().Add(patienceOfTest))
			go p.out.WriteString(text[n:])
			until(t, "the last line", func() bool {
				k.take()
				if mode == api.NonBlocking {
					fmt.Fprintln(p.err, "x")
					return k.lost[0] > 0 || len(k.lines[1]) > 0
				}
				return len(k.lines[0]) == total
			})
			p.end()
			k.take()
			k.complete(total, 0)
			if (k.lost[0] > 0) != (mode == api.NonBlocking) {
				t.Errorf("%d lines, %d lost", len(k.lines[0]), k.lost[0])
			}
			os.RemoveAll(p.dir)
		})
	}
}
