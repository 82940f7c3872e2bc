package hosttest

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"neargate/node/sandbox"
	"neargate/node/sandbox/shim"
)

// daemonEnv holds, for a process that plays the daemon, what it is to do.
const daemonEnv = "NEARGATE_TEST_DAEMON"

// order is what a daemon is to do.
type order struct {
	Config shim.Config
	Run    []sandbox.Container
	Warm   bool // the task gets a sandbox that was ready
}

// Main runs the tests, or plays the daemon: a package that uses Run calls it in
// TestMain.
func Main(m *testing.M, rt Runtime) {
	text := os.Getenv(daemonEnv)
	if text == "" {
		os.Exit(buildAndRun(m))
	}
	var o order
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		panic(err)
	}
	s := rt.New(o.Config)
	ctx, cancel := contextFor(patience)
	defer cancel()
	if o.Warm {
		if err := warmDaemon(ctx, s, o.Config.Dir); err != nil {
			panic(err)
		}
	}
	if err := s.Open(ctx, sandbox.Spec{Task: "t"}); err != nil {
		panic(err)
	}
	for _, c := range o.Run {
		if err := s.Create(ctx, "t", c); err != nil {
			panic(err)
		}
		if err := s.Start(ctx, "t", c.Name); err != nil {
			panic(err)
		}
	}
	os.Stdout.WriteString("running\n")
	<-ctx.Done()
}

func buildAndRun(m *testing.M) int {
	flag.Parse()
	if !testing.Short() && os.Getuid() == 0 {
		if err := build(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return m.Run()
}

// restart kills a daemon that runs a task; the next one finds the task.
func restart(t *testing.T, h *Host, rt Runtime) {
	b, err := json.Marshal(order{Config: h.Config, Run: []sandbox.Container{h.Container("a", "polite"), h.Container("b", "exit", "5"), h.withTerminal("c", "signals")}})
	h.ok(err)
	daemon := exec.Command("/proc/self/exe")
	daemon.Env = append(os.Environ(), daemonEnv+"="+string(b))
	out, err := daemon.StdoutPipe()
	h.ok(err)
	daemon.Stderr = os.Stderr
	h.ok(daemon.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	killed := daemon.Process.Kill()
	_ = daemon.Wait()
	h.ok(err)
	h.ok(killed)
	if line != "running\n" {
		t.Fatalf("the daemon said %q", line)
	}
	// A start that the daemon did not finish is no task.
	h.ok(os.MkdirAll(filepath.Join(h.Config.Dir, "half"), 0o711))

	next := rt.New(h.Config)
	l, err := next.List(t.Context())
	if err != nil || len(l) != 1 || l[0].Task != "t" || len(l[0].Containers) != 3 || !l[0].Containers[0].Started {
		t.Fatalf("listed %+v, %v", l, err)
	}
	h.exits("t", "b", 5, false)
	if _, err := next.Exec(t.Context(), "t", "a", []string{"true"}); err != nil {
		t.Error("exec:", err)
	}
	h.Until("t", "a", "ready")
	h.ok(next.Signal(t.Context(), "t", "a", syscall.SIGTERM))
	h.exits("t", "a", 0, false)
	h.Until("t", "c", "ready\r\n")
	h.ok(next.Signal(t.Context(), "t", "c", syscall.SIGTERM))
	if out := h.exits("t", "c", 0, false); out != "ready\r\n<15>\r\n" {
		t.Errorf("the terminal said %q", out)
	}
}
