package hosttest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"neargate/node/sandbox"
	"neargate/node/sandbox/internal/hosttest/view"
	"neargate/shim/api"
)

// withTerminal is a container that has one.
func (h *Host) withTerminal(name string, args ...string) sandbox.Container {
	c := h.Container(name, args...)
	c.Terminal = true
	return c
}

// terminal runs containers with terminals: of root, of another user, below an init,
// with a log that nobody keeps; and one without.
func terminal(t *testing.T, h *Host, _ Runtime) {
	other, below, both := h.withTerminal("b", "terminal"), h.withTerminal("c", "terminal"), h.withTerminal("d", "terminal")
	other.User = sandbox.User{UID: 1000, GID: 100}
	below.Init = true
	both.Interactive, both.Env = true, []string{"TERM=xterm"}
	h.run(sandbox.Spec{Task: "t"}, h.withTerminal("a", "terminal"), other, below, both)
	for _, name := range []string{"a", "b", "c", "d"} {
		h.exits("t", name, 0, false)
		out, stderr := h.Output("t", name)
		facts, rest, _ := strings.Cut(out, "\r\n")
		var v view.Terminal
		h.ok(json.Unmarshal([]byte(facts), &v))
		want := view.Terminal{Is: [3]bool{true, true, true}, Foreground: true}
		if name == "d" {
			want.Term = "xterm"
		}
		if v != want {
			t.Errorf("%s sees %+v, want %+v", name, v, want)
		}
		if rest != "to error output\r\nto the terminal\r\n" || stderr != "" {
			t.Errorf("%s said %q, %q", name, rest, stderr)
		}
	}
	silent := h.withTerminal("e", "lines", "20000")
	silent.Log = api.Log{}
	h.start("t", silent, h.withTerminal("f", "say"), h.Container("g", "terminal"))
	h.exits("t", "e", 0, false)
	want := "to output\r\nto error output\r\n" + strings.Repeat("x", 100_000) + "\r\nno line feed\n"
	if out := h.exits("t", "f", 0, false); out != want {
		t.Errorf("output of %d bytes, want %d", len(out), len(want))
	}
	if out := h.exits("t", "g", 1, false); !strings.HasPrefix(out, `{"Is":[false,false,false]`) {
		t.Errorf("without a terminal: %s", out)
	}
}

// terminalAgain starts a container with a terminal many times: each time it is
// another one, and nothing is left of the last.
func terminalAgain(t *testing.T, h *Host, _ Runtime) {
	const times = 6
	h.run(sandbox.Spec{Task: "t"}, h.withTerminal("a", "terminal"))
	h.exits("t", "a", 0, false)
	for n := 1; n <= times; n++ {
		h.ok(h.Restart(t.Context(), "t", "a", n))
		h.exits("t", "a", 0, false)
	}
	if out, _ := h.Output("t", "a"); strings.Count(out, "to the terminal\r\n") != times+1 {
		t.Errorf("output %q", out)
	}
	st := h.state("t")
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		left := append(terminals(st.Shim.PID), terminals(st.Sandbox.PID)...)
		if len(left) == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("left open: %q", left)
		}
	}
}

// terminals are the terminals that a process has open.
func terminals(pid int) []string {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	all, _ := os.ReadDir(dir)
	var found []string
	for _, e := range all {
		if file, _ := os.Readlink(filepath.Join(dir, e.Name())); strings.HasPrefix(file, "/dev/pt") {
			found = append(found, file)
		}
	}
	return found
}

// terminalOfKilled kills the shim that has a terminal.
func terminalOfKilled(t *testing.T, h *Host, _ Runtime) {
	c := h.withTerminal("a", "deaf")
	c.Interactive = true
	h.run(sandbox.Spec{Task: "t"}, c)
	h.Until("t", "a", "ready\r\n")
	pid := h.state("t").Shim.PID
	if has := terminals(pid); len(has) != 1 {
		t.Errorf("the shim has %q open", has)
	}
	h.ok(syscall.Kill(pid, syscall.SIGKILL))
	h.exits("t", "a", 137, false)
}
