// Package sandboxtest checks that an implementation keeps the contract of
// sandbox.Sandbox.
package sandboxtest

import (
	"context"
	"errors"
	"slices"
	"syscall"
	"testing"
	"time"

	"neargate/node/sandbox"
)

// Kit is an implementation under test and containers of it that behave as the
// tests need.
type Kit struct {
	Sandbox interface {
		sandbox.Sandbox
		sandbox.Restarter
		sandbox.Meter
	}
	Polite func(name string) sandbox.Container             // runs until SIGTERM, exits 0 then
	Deaf   func(name string) sandbox.Container             // runs and ignores SIGTERM
	Exits  func(name string, code int32) sandbox.Container // exits at once
	Reads  func(name string) sandbox.Container             // runs until its standard input ends, exits 0 then
	Broken func(name string) sandbox.Container             // cannot be started
	Ready  func(task, name string)                         // waits until a Polite, Deaf or Reads is prepared for signals; nil: from its start
}

// patience bounds every wait of a test.
const patience = 20 * time.Second

// Run runs every test on a kit of its own.
func Run(t *testing.T, open func(t *testing.T) Kit) {
	for _, c := range []struct {
		name string
		test func(*testing.T, context.Context, Kit)
	}{
		{"Exit", exit},
		{"Term", term},
		{"Kill", kill},
		{"Close", closes},
		{"List", list},
		{"Again", again},
		{"Absent", absent},
		{"Broken", broken},
		{"Exec", execs},
		{"Restart", restart},
		{"Input", input},
		{"Stats", stats},
		{"Neighbours", neighbours},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			c.test(t, ctx, open(t))
		})
	}
}

func exit(t *testing.T, ctx context.Context, k Kit) {
	run(t, ctx, k, "t1", k.Exits("a", 7))
	for range 2 { // the exit is kept
		if e := wait(t, ctx, k, "t1", "a"); e.Code != 7 || e.OOM || e.At.IsZero() {
			t.Errorf("exit %+v, want code 7", e)
		}
	}
	ok(t, k.Sandbox.Signal(ctx, "t1", "a", syscall.SIGTERM))
	ok(t, k.Sandbox.Start(ctx, "t1", "a"))
	if e := wait(t, ctx, k, "t1", "a"); e.Code != 7 {
		t.Errorf("exit %+v after a second start", e)
	}
}

func term(t *testing.T, ctx context.Context, k Kit) {
	run(t, ctx, k, "t1", k.Polite("a"), k.Polite("b"))
	ready(k, "t1", "a")
	ok(t, k.Sandbox.Signal(ctx, "t1", "a", syscall.SIGTERM))
	if e := wait(t, ctx, k, "t1", "a"); e.Code != 0 {
		t.Errorf("exit %+v, want code 0", e)
	}
	still(t, ctx, k, "t1", "b")
}

func kill(t *testing.T, ctx context.Context, k Kit) {
	run(t, ctx, k, "t1", k.Deaf("a"))
	ready(k, "t1", "a")
	ok(t, k.Sandbox.Signal(ctx, "t1", "a", syscall.SIGTERM))
	still(t, ctx, k, "t1", "a")
	ok(t, k.Sandbox.Signal(ctx, "t1", "a", syscall.SIGKILL))
	if e := wait(t, ctx, k, "t1", "a"); e.Code != 137 {
		t.Errorf("exit %+v, want code 137", e)
	}
}

func closes(t *testing.T, ctx context.Context, k Kit) {
	run(t, ctx, k, "t1", k.Deaf("a"))
	ended := make(chan error, 1)
	go func() {
		_, err := k.Sandbox.Wait(ctx, "t1", "a")
		ended <- err
	}()
	ok(t, k.Sandbox.Close(ctx, "t1"))
	if err := <-ended; !errors.Is(err, sandbox.ErrNotFound) {
		t.Errorf("the wait ended with %v", err)
	}
	ok(t, k.Sandbox.Close(ctx, "t1"))
	if l := status(t, ctx, k); len(l) != 0 {
		t.Errorf("left: %+v", l)
	}
}

func list(t *testing.T, ctx context.Context, k Kit) {
	run(t, ctx, k, "t2", k.Exits("x", 3))
	wait(t, ctx, k, "t2", "x")
	run(t, ctx, k, "t1", k.Polite("b"))
	ok(t, k.Sandbox.Create(ctx, "t1", k.Polite("a")))
	l := status(t, ctx, k)
	if len(l) != 2 || l[0].Task != "t1" || l[1].Task != "t2" {
		t.Fatalf("listed %+v", l)
	}
	names := []string{l[0].Containers[0].Name, l[0].Containers[1].Name}
	if !slices.Equal(names, []string{"b", "a"}) || !l[0].Containers[0].Started || l[0].Containers[1].Started {
		t.Errorf("containers of t1: %+v", l[0].Containers)
	}
	if e := l[1].Containers[0].Exit; e == nil || e.Code != 3 {
		t.Errorf("containers of t2: %+v", l[1].Containers)
	}
}

func again(t *testing.T, ctx context.Context, k Kit) {
	run(t, ctx, k, "t1", k.Polite("a"))
	run(t, ctx, k, "t1", k.Polite("a"))
	if l := status(t, ctx, k); len(l) != 1 || len(l[0].Containers) != 1 {
		t.Errorf("listed %+v", l)
	}
	ok(t, k.Sandbox.Close(ctx, "t1"))
	run(t, ctx, k, "t1", k.Exits("a", 1))
	if e := wait(t, ctx, k, "t1", "a"); e.Code != 1 {
		t.Errorf("exit %+v of the second sandbox", e)
	}
}

func absent(t *testing.T, ctx context.Context, k Kit) {
	missing := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, sandbox.ErrNotFound) {
			t.Errorf("%s: %v, want ErrNotFound", what, err)
		}
	}
	missing("create", k.Sandbox.Create(ctx, "t1", k.Polite("a")))
	ok(t, k.Sandbox.Open(ctx, sandbox.Spec{Task: "t1", CPU: 256, Memory: 512}))
	missing("start", k.Sandbox.Start(ctx, "t1", "a"))
	missing("signal", k.Sandbox.Signal(ctx, "t1", "a", syscall.SIGTERM))
	_, err := k.Sandbox.Wait(ctx, "t1", "a")
	missing("wait", err)
	_, err = k.Sandbox.Exec(ctx, "t1", "a", []string{"true"})
	missing("exec", err)
	ok(t, k.Sandbox.Create(ctx, "t1", k.Polite("a")))
	if err := k.Sandbox.Signal(ctx, "t1", "a", syscall.SIGTERM); !errors.Is(err, sandbox.ErrNotRunning) {
		t.Errorf("signal before start: %v, want ErrNotRunning", err)
	}
}

func broken(t *testing.T, ctx context.Context, k Kit) {
	ok(t, k.Sandbox.Open(ctx, sandbox.Spec{Task: "t1", CPU: 256, Memory: 512}))
	err := k.Sandbox.Create(ctx, "t1", k.Broken("a"))
	if err == nil {
		err = k.Sandbox.Start(ctx, "t1", "a")
	}
	if err == nil {
		t.Error("a broken container started")
	}
	ok(t, k.Sandbox.Close(ctx, "t1"))
}

func execs(t *testing.T, ctx context.Context, k Kit) {
	run(t, ctx, k, "t1", k.Polite("a"), k.Exits("b", 0))
	code, err := k.Sandbox.Exec(ctx, "t1", "a", []string{"true"})
	if code != 0 || err != nil {
		t.Errorf("exec: %d, %v", code, err)
	}
	wait(t, ctx, k, "t1", "b")
	if _, err := k.Sandbox.Exec(ctx, "t1", "b", []string{"true"}); !errors.Is(err, sandbox.ErrNotRunning) {
		t.Errorf("exec in an ended container: %v, want ErrNotRunning", err)
	}
}

func restart(t *testing.T, ctx context.Context, k Kit) {
	run(t, ctx, k, "t1", k.Exits("a", 7), k.Polite("b"))
	refused := func(what string, err error) {
		t.Helper()
		if err == nil {
			t.Errorf("%s was started again", what)
		}
	}
	refused("one that is not there", k.Sandbox.Restart(ctx, "t1", "absent", 1))
	refused("one that runs", k.Sandbox.Restart(ctx, "t1", "b", 1))
	wait(t, ctx, k, "t1", "a")
	refused("the second time before the first", k.Sandbox.Restart(ctx, "t1", "a", 2))
	refused("the first start", k.Sandbox.Restart(ctx, "t1", "a", 0))
	for n := 1; n <= 2; n++ {
		ok(t, k.Sandbox.Restart(ctx, "t1", "a", n))
		if e := wait(t, ctx, k, "t1", "a"); e.Code != 7 {
			t.Errorf("exit %+v, started again %d times", e, n)
		}
		ok(t, k.Sandbox.Restart(ctx, "t1", "a", n))
	}
	ready(k, "t1", "b")
	ok(t, k.Sandbox.Signal(ctx, "t1", "b", syscall.SIGTERM))
	wait(t, ctx, k, "t1", "b")
	ok(t, k.Sandbox.Restart(ctx, "t1", "b", 1))
	still(t, ctx, k, "t1", "b")
	l := status(t, ctx, k)[0].Containers
	if l[0].Restarts != 2 || l[0].Exit == nil || l[1].Restarts != 1 || l[1].Exit != nil {
		t.Errorf("listed %+v", l)
	}
	ok(t, k.Sandbox.Signal(ctx, "t1", "b", syscall.SIGKILL))
	if e := wait(t, ctx, k, "t1", "b"); e.Code != 137 {
		t.Errorf("exit %+v after a kill", e)
	}
}

// input reads from nothing, from an open standard input, and from a terminal.
func input(t *testing.T, ctx context.Context, k Kit) {
	open, terminal, both := k.Reads("b"), k.Reads("c"), k.Reads("d")
	open.Interactive, terminal.Terminal = true, true
	both.Interactive, both.Terminal = true, true
	all := []sandbox.Container{open, terminal, both}
	run(t, ctx, k, "t1", append(all, k.Reads("a"))...)
	if e := wait(t, ctx, k, "t1", "a"); e.Code != 0 {
		t.Errorf("exit %+v without input, want code 0", e)
	}
	for _, c := range all {
		ready(k, "t1", c.Name)
		still(t, ctx, k, "t1", c.Name)
	}
	ok(t, k.Sandbox.Signal(ctx, "t1", "b", syscall.SIGTERM))
	ok(t, k.Sandbox.Signal(ctx, "t1", "c", syscall.SIGKILL))
	for name, code := range map[string]int32{"b": 0, "c": 137} {
		if e := wait(t, ctx, k, "t1", name); e.Code != code {
			t.Errorf("exit %+v of %s, want code %d", e, name, code)
		}
		ok(t, k.Sandbox.Restart(ctx, "t1", name, 1))
		still(t, ctx, k, "t1", name)
	}
}

func stats(t *testing.T, ctx context.Context, k Kit) {
	if _, err := k.Sandbox.Stats(ctx, "t1"); !errors.Is(err, sandbox.ErrNotFound) {
		t.Errorf("stats of no task: %v", err)
	}
	limited := k.Polite("a")
	limited.Memory = 100
	run(t, ctx, k, "t1", limited, k.Exits("b", 0))
	ok(t, k.Sandbox.Create(ctx, "t1", k.Polite("c")))
	wait(t, ctx, k, "t1", "b")
	st, err := k.Sandbox.Stats(ctx, "t1")
	ok(t, err)
	a, here := st.Containers["a"]
	if !here || len(st.Containers) != 1 || a.Processes < 1 || a.MemoryLimit != 100<<20 || st.At.IsZero() {
		t.Errorf("stats %+v", st)
	}
}

func neighbours(t *testing.T, ctx context.Context, k Kit) {
	run(t, ctx, k, "t1", k.Polite("a"))
	run(t, ctx, k, "t2", k.Polite("a"))
	ok(t, k.Sandbox.Close(ctx, "t1"))
	still(t, ctx, k, "t2", "a")
}

// run opens a sandbox and starts containers in it.
func run(t *testing.T, ctx context.Context, k Kit, task string, cs ...sandbox.Container) {
	t.Helper()
	ok(t, k.Sandbox.Open(ctx, sandbox.Spec{Task: task, CPU: 256, Memory: 512}))
	for _, c := range cs {
		ok(t, k.Sandbox.Create(ctx, task, c))
		ok(t, k.Sandbox.Start(ctx, task, c.Name))
	}
}

func ready(k Kit, task, name string) {
	if k.Ready != nil {
		k.Ready(task, name)
	}
}

func wait(t *testing.T, ctx context.Context, k Kit, task, name string) sandbox.Exit {
	t.Helper()
	e, err := k.Sandbox.Wait(ctx, task, name)
	ok(t, err)
	return e
}

// still checks that a container has not ended: an Exec answers.
func still(t *testing.T, ctx context.Context, k Kit, task, name string) {
	t.Helper()
	_, err := k.Sandbox.Exec(ctx, task, name, []string{"true"})
	ok(t, err)
}

func status(t *testing.T, ctx context.Context, k Kit) []sandbox.Status {
	t.Helper()
	l, err := k.Sandbox.List(ctx)
	ok(t, err)
	return l
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
