package logdriver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"neargate/dataplane/logstore"
	"neargate/resource/compute/taskdef"
	"neargate/resource/logs"
	"neargate/shim/api"
)

const patience = 20 * time.Second

// streams gives each stream a number.
type streams struct {
	mu     sync.Mutex
	ids    map[string]logs.StreamID
	refuse []error // the next answers
	asked  []string
}

func (s *streams) Prepare(context.Context, Owner) {}

func (s *streams) Open(_ context.Context, o Owner, group, stream string, create bool) (logs.StreamID, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, fmt.Sprint(o.Account, " ", o.Region, " ", o.ExecutionRole, " ", o.Task, " ", group, " ", stream, " ", create))
	if len(s.refuse) > 0 {
		err := s.refuse[0]
		s.refuse = s.refuse[1:]
		return logs.StreamID{}, err
	}
	name := o.Region + " " + group + " " + stream
	id, ok := s.ids[name]
	if !ok {
		id = logs.StreamID{Group: 1, Stream: uint64(len(s.ids) + 1)}
		s.ids[name] = id
	}
	return id, nil
}

// node is a driver with its disk and its log store.
type node struct {
	*Driver
	t       testing.TB
	dir     string
	store   *logstore.Store
	streams *streams
	said    *bytes.Buffer
}

func newNode(t testing.TB) *node {
	n := &node{t: t, dir: t.TempDir(), streams: &streams{ids: map[string]logs.StreamID{}}, said: &bytes.Buffer{}}
	n.start(nil)
	t.Cleanup(func() {
		n.Driver.Close()
		n.store.Close()
	})
	return n
}

// start opens the store and a driver on it, or on what stands before it.
func (n *node) start(before func(Sink) Sink) {
	n.t.Helper()
	var err error
	n.store, err = logstore.Open(logstore.Config{Dir: filepath.Join(n.dir, "store"), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		n.t.Fatal(err)
	}
	var sink Sink = n.store
	if before != nil {
		sink = before(sink)
	}
	n.Driver = New(Config{Dir: n.log, Streams: n.streams, Sink: sink, Now: time.Now, Log: slog.New(slog.NewTextHandler(n.said, nil))})
}

func (n *node) restart(before func(Sink) Sink) {
	n.t.Helper()
	n.Driver.Close()
	if err := n.store.Close(); err != nil {
		n.t.Fatal(err)
	}
	n.start(before)
}

func (n *node) log(task, container string) string {
	return filepath.Join(n.dir, "tasks", task, "log", container)
}

// logging is a log configuration with more options.
func logging(options ...string) *taskdef.Logging {
	l := &taskdef.Logging{LogDriver: "awslogs", Options: map[string]string{
		taskdef.LogGroup: "g", taskdef.LogRegion: "us-east-1", taskdef.LogStreamPrefix: "p",
	}}
	for i := 0; i < len(options); i += 2 {
		l.Options[options[i]] = options[i+1]
	}
	return l
}

// open opens a container's log, makes the file its shim would, and follows it.
func (n *node) open(task, container string, l *taskdef.Logging) *shim {
	n.t.Helper()
	if _, err := n.Open(n.t.Context(), Task{ID: task, Account: "1"}, container, l); err != nil {
		n.t.Fatal(err)
	}
	s := newShim(n.t, n.log(task, container), 1<<20)
	if err := n.Follow(task, container); err != nil {
		n.t.Fatal(err)
	}
	return s
}

// events are the messages of a stream.
func (n *node) events(task, container string) (all []string) {
	n.t.Helper()
	id, ok := n.streams.ids["us-east-1 g p/"+container+"/"+task]
	if !ok {
		n.t.Fatal("no stream of", task, container)
	}
	span := logs.Span{To: logs.Position{Time: math.MaxInt64}}
	for e, err := range n.store.Scan(context.Background(), []logs.StreamID{id}, span, false) {
		if err != nil {
			n.t.Fatal(err)
		}
		all = append(all, e.Message)
	}
	return all
}

func (n *node) until(what string, ok func() bool) {
	n.t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			n.t.Fatal("timed out: ", what, "\n", n.said)
		}
	}
}

func (n *node) finish(task string) {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := n.Finish(ctx, task); err != nil {
		n.t.Fatal(err)
	}
	if found, _ := filepath.Glob(n.log(task, "*")); len(found) > 0 {
		n.t.Errorf("logs are left: %s", found)
	}
	if s, err := n.store.Sources(task + "/"); err != nil || len(s) > 0 {
		n.t.Errorf("cursors are left: %q, %v", s, err)
	}
}

// shim writes segments.
type shim struct {
	t      testing.TB
	dir    string
	each   int
	number uint64
	file   *os.File
	size   int
}

func newShim(t testing.TB, dir string, each int) *shim {
	s := &shim{t: t, dir: dir, each: each}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	there, err := api.Segments(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(there) > 0 {
		s.number = there[len(there)-1]
	}
	s.next()
	t.Cleanup(func() { s.file.Close() })
	return s
}

func (s *shim) next() {
	if s.file != nil {
		s.file.Close()
	}
	s.number++
	s.size = 0
	var err error
	if s.file, err = os.OpenFile(api.SegmentFile(s.dir, s.number), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600); err != nil {
		s.t.Error(err)
	}
}

func (s *shim) write(records ...api.Record) {
	var b []byte
	for _, r := range records {
		one := r.Append(nil)
		if s.size+len(b)+len(one) > s.each {
			s.put(b)
			s.next()
			b = nil
		}
		b = append(b, one...)
	}
	s.put(b)
}

func (s *shim) put(b []byte) {
	if _, err := s.file.Write(b); err != nil {
		s.t.Error(err)
	}
	s.size += len(b)
}

func (s *shim) say(lines ...string) {
	for _, l := range lines {
		s.write(api.Record{At: time.Now(), Bytes: []byte(l)})
	}
}

func TestFollow(t *testing.T) {
	n := newNode(t)
	a, b := n.open("t", "a", logging()), n.open("t", "b", logging())
	for i := range 20 {
		line := fmt.Sprint("line ", i)
		wrote := time.Now()
		a.say(line)
		n.until(line, func() bool { e := n.events("t", "a"); return len(e) == i+1 && e[i] == line })
		if d := time.Since(wrote); d > time.Second {
			t.Errorf("a line was readable after %v", d)
		}
	}
	b.say("of b")
	n.until("the line of b", func() bool { return slices.Equal(n.events("t", "b"), []string{"of b"}) })
	a.say("last", "")
	b.write(api.Record{At: time.Now(), Partial: true, Bytes: []byte("no end")})
	n.finish("t")
	if e := n.events("t", "a"); len(e) != 21 || e[20] != "last" {
		t.Errorf("a: %q", e)
	}
	if e := n.events("t", "b"); !slices.Equal(e, []string{"of b", "no end"}) {
		t.Errorf("b: %q", e)
	}
	n.finish("t")
	n.finish("never seen")
	if n.said.Len() > 0 {
		t.Errorf("the driver said %s", n.said)
	}
}

// TestEarly follows a log before its directory exists, as when a container is
// slow to be created.
func TestEarly(t *testing.T) {
	n := newNode(t)
	if _, err := n.Open(t.Context(), Task{ID: "t"}, "a", logging()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := n.Follow("t", "a"); err != nil {
			t.Fatal(err)
		}
	}
	newShim(t, n.log("t", "a"), 1000).say("one")
	n.until("a line", func() bool { return len(n.events("t", "a")) == 1 })
	if err := n.Follow("t", "unopened"); err != nil {
		t.Error(err)
	}
	newShim(t, n.log("t", "unopened"), 1000).say("one")
	n.finish("t2")
}

// TestSegments checks that what was taken in goes, and nothing else.
func TestSegments(t *testing.T) {
	n := newNode(t)
	s := n.open("t", "a", logging())
	s.each = 1000
	for i := range 500 {
		s.say(fmt.Sprint("line ", i))
	}
	s.write(api.Record{At: time.Now(), Error: true, Partial: true, Bytes: []byte("begun, ")})
	n.until("all lines", func() bool { return len(n.events("t", "a")) == 500 })
	n.until("one segment", func() bool { all, _ := api.Segments(s.dir); return slices.Equal(all, []uint64{s.number}) })
	// Empty lines make no events, but their segments go too.
	for range 400 {
		s.say("")
	}
	n.until("one segment", func() bool { all, _ := api.Segments(s.dir); return slices.Equal(all, []uint64{s.number}) })
	n.restart(nil)
	if err := n.Follow("t", "a"); err != nil {
		t.Fatal(err)
	}
	s.write(api.Record{At: time.Now(), Error: true, Bytes: []byte("ended")})
	s.say("more")
	n.until("the rest", func() bool { return slices.Equal(n.events("t", "a")[500:], []string{"begun, ended", "more"}) })
	n.finish("t")
	for i, e := range n.events("t", "a")[:500] {
		if e != fmt.Sprint("line ", i) {
			t.Fatalf("event %d is %q", i, e)
		}
	}
}

// TestTorn reads segments that end in a part of a record, or hold what is none.
func TestTorn(t *testing.T) {
	n := newNode(t)
	s := n.open("t", "a", logging())
	s.say("one")
	s.put([]byte("1780000000000000000 O F to"))
	n.until("the first line", func() bool { return len(n.events("t", "a")) == 1 })
	s.put([]byte("rn")) // it is not over until there is another segment
	s.next()
	s.say("two")
	s.put(append(bytes.Repeat([]byte{0}, bufferSize+10), '\n'))
	s.say("three")
	s.put([]byte("1780000000000000000 O F torn at the end"))
	n.until("lines", func() bool { return len(n.events("t", "a")) == 3 })
	n.finish("t")
	if e := n.events("t", "a"); !slices.Equal(e, []string{"one", "two", "three"}) {
		t.Errorf("%q", e)
	}
}

// TestAgain takes in the output of a container that is created again, after its
// stream was deleted.
func TestAgain(t *testing.T) {
	n := newNode(t)
	n.open("t", "a", logging()).say("one")
	n.until("a line", func() bool { return len(n.events("t", "a")) == 1 })
	n.open("t", "a", logging()).say("two")
	n.until("two lines", func() bool { return len(n.events("t", "a")) == 2 })
	n.streams.ids["us-east-1 g p/a/t"] = logs.StreamID{Group: 1, Stream: 77}
	n.open("t", "a", logging(taskdef.LogMultiline, "^[A-Z]")).say("Three", "four")
	n.until("lines in the new stream", func() bool { return slices.Equal(n.events("t", "a"), []string{"Three\nfour\n"}) })
	n.restart(nil)
	n.open("t", "a", logging(taskdef.LogMultiline, "^[A-Z]")).say("Five", "six", "Seven")
	n.finish("t")
	if e := n.events("t", "a"); !slices.Equal(e, []string{"Three\nfour\n", "Five\nsix\n", "Seven\n"}) {
		t.Errorf("%q", e)
	}
}

func TestMultiline(t *testing.T) {
	n := newNode(t)
	s := n.open("t", "a", logging(taskdef.LogDatetime, "%Y-%m-%d"))
	wrote := time.Now()
	s.say("2026-03-01 one", "  at a", "2026-03-01 two")
	n.until("the first event", func() bool { return len(n.events("t", "a")) > 0 })
	if d := time.Since(wrote); d > time.Second {
		t.Errorf("an event that is over was readable after %v", d)
	}
	n.until("the second event", func() bool { return len(n.events("t", "a")) > 1 })
	if d := time.Since(wrote); d < idle || d > idle+grace+time.Second {
		t.Errorf("the last event was readable after %v", d)
	}
	s.say("2026-03-01 three", "  at a")
	n.restart(nil)
	if err := n.Follow("t", "a"); err != nil {
		t.Fatal(err)
	}
	n.until("the third event", func() bool { return len(n.events("t", "a")) > 2 })
	if e := n.events("t", "a"); !slices.Equal(e, []string{"2026-03-01 one\n  at a\n", "2026-03-01 two\n", "2026-03-01 three\n  at a\n"}) {
		t.Errorf("%q", e)
	}
}

// failing is a sink that fails while it is told to.
type failing struct {
	Sink
	mu  sync.Mutex
	err error
}

func (f *failing) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

func (f *failing) AppendFrom(source string, cursor []byte, id logs.StreamID, now time.Time, records []logs.Record) error {
	f.mu.Lock()
	err := f.err
	f.mu.Unlock()
	if err != nil {
		return err
	}
	return f.Sink.AppendFrom(source, cursor, id, now, records)
}

// TestSinkFails checks that output waits on disk while the store is full.
func TestSinkFails(t *testing.T) {
	n := newNode(t)
	sink := &failing{}
	n.restart(func(s Sink) Sink { sink.Sink = s; return sink })
	s := n.open("t", "a", logging())
	s.each = 100_000
	sink.fail(logstore.ErrFull)
	if _, err := n.Open(t.Context(), Task{ID: "u"}, "a", logging()); !errors.Is(err, logstore.ErrFull) {
		t.Errorf("opened: %v", err)
	}
	var want []string
	for i := range 20_000 {
		want = append(want, fmt.Sprint("line ", i))
	}
	s.say(want...)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := n.Finish(ctx, "t"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("finished: %v", err)
	}
	if all, _ := api.Segments(s.dir); len(all) < 5 || all[0] != 1 {
		t.Errorf("segments %v", all)
	}
	sink.fail(nil)
	n.until("all lines", func() bool { return len(n.events("t", "a")) >= len(want) })
	n.finish("t")
	if !slices.Equal(n.events("t", "a"), want) {
		t.Error("events are lost or doubled")
	}
	if got := strings.Count(n.said.String(), "not stored yet"); got == 0 || got > 3 {
		t.Errorf("said %d times that output waits", got)
	}
}

// TestFinishWhileWriting checks that a container that does not end cannot hold up
// the end of its task.
func TestFinishWhileWriting(t *testing.T) {
	n := newNode(t)
	s := n.open("t", "a", logging())
	s.each = 100_000
	for i := range 1000 {
		s.say(fmt.Sprint("line ", i))
	}
	stop := make(chan struct{})
	var writes sync.WaitGroup
	writes.Go(func() {
		for i := 1000; ; i++ {
			select {
			case <-stop:
				return
			default:
				_, _ = s.file.Write(api.Record{At: time.Now(), Bytes: fmt.Append(nil, "line ", i)}.Append(nil))
			}
		}
	})
	n.finish("t")
	close(stop)
	writes.Wait()
	e := n.events("t", "a")
	for i := range e {
		if e[i] != fmt.Sprint("line ", i) {
			t.Fatalf("event %d is %q", i, e[i])
		}
	}
	if len(e) < 1000 {
		t.Errorf("%d lines", len(e))
	}
}

func TestLost(t *testing.T) {
	n := newNode(t)
	s := n.open("t", "a", logging())
	s.say("one")
	s.write(api.Record{At: time.Now(), Lost: 12})
	s.say("two")
	n.finish("t")
	if e := n.events("t", "a"); !slices.Equal(e, []string{"one", "two"}) || !strings.Contains(n.said.String(), "lines=12") {
		t.Errorf("%q; said %s", e, n.said)
	}
}

func TestSweep(t *testing.T) {
	n := newNode(t)
	n.open("t", "a", logging()).say("one")
	n.open("u", "a", logging())
	n.until("a line", func() bool { return len(n.events("t", "a")) == 1 })
	n.restart(nil)
	if err := os.RemoveAll(n.log("u", "a")); err != nil {
		t.Fatal(err)
	}
	if err := n.Sweep(); err != nil {
		t.Fatal(err)
	}
	if s, err := n.store.Sources(""); err != nil || !slices.Equal(s, []string{"t/a"}) {
		t.Errorf("sources %q, %v", s, err)
	}
}

// TestManyTasks follows many containers, more than are read at a time.
func TestManyTasks(t *testing.T) {
	n := newNode(t)
	const tasks = 3 * readers
	var all sync.WaitGroup
	for i := range tasks {
		s := n.open(fmt.Sprint("t", i), "a", logging())
		all.Go(func() {
			for k := range 50 {
				s.say(fmt.Sprint("line ", k))
			}
		})
	}
	all.Wait()
	for i := range tasks {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			if err := n.Finish(ctx, fmt.Sprint("t", i)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for i := range tasks {
		if e := n.events(fmt.Sprint("t", i), "a"); len(e) != 50 || e[49] != "line 49" {
			t.Errorf("task %d: %d lines", i, len(e))
		}
	}
	if len(n.followers) > 0 {
		t.Errorf("%d are followed", len(n.followers))
	}
}
