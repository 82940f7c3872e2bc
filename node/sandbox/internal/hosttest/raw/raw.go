// Package raw runs containers with a runtime itself, which tasks are compared to.
package raw

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// Config is what is run.
type Config struct {
	Program string   // runsc or runc
	Flags   []string // of the program
	Spec    string   // runc, which writes a configuration
	Dir     string   // for bundles and state
	Root    string   // of the containers' files
	Cgroup  string   // in which the containers have theirs
	Args    []string // of a process that says a line and exits
}

// Runtime runs one container to its end.
type Runtime struct {
	Config
	t    testing.TB
	spec []byte
}

// group stands for a cgroup in a spec.
const group = "/the-cgroup"

// New is a runtime whose failures are t's.
func New(t testing.TB, c Config) *Runtime {
	t.Helper()
	r := &Runtime{Config: c, t: t}
	r.ok(os.MkdirAll(c.Dir, 0o755))
	r.ok(exec.Command(c.Spec, "spec", "--bundle", c.Dir).Run())
	b, err := os.ReadFile(filepath.Join(c.Dir, "config.json"))
	r.ok(err)
	var spec map[string]any
	r.ok(json.Unmarshal(b, &spec))
	process := spec["process"].(map[string]any)
	process["args"], process["terminal"] = c.Args, false
	spec["root"] = map[string]any{"path": c.Root}
	spec["linux"].(map[string]any)["cgroupsPath"] = group
	r.spec, err = json.Marshal(spec)
	r.ok(err)
	t.Cleanup(func() { // runs at once may have pinned it, one over the other
		pinned := filepath.Join(c.Dir, "state", "null-netns")
		for exec.Command("mountpoint", "-q", pinned).Run() == nil {
			r.ok(exec.Command("umount", pinned).Run())
		}
	})
	return r
}

func (r *Runtime) ok(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// Run returns what the run i took to its container's first line, and to its end.
func (r *Runtime) Run(i int) (first, whole time.Duration) {
	id := fmt.Sprintf("%032d", i)
	bundle := filepath.Join(r.Dir, id)
	r.ok(os.MkdirAll(bundle, 0o755))
	spec := bytes.ReplaceAll(r.spec, []byte(group), []byte(r.Cgroup+"/"+id))
	r.ok(os.WriteFile(filepath.Join(bundle, "config.json"), spec, 0o644))

	begin := time.Now()
	cmd := exec.Command(r.Program, slices.Concat([]string{"--root", r.Dir + "/state"}, r.Flags, []string{"run", "--bundle", bundle, id})...)
	out, err := cmd.StdoutPipe()
	r.ok(err)
	var said bytes.Buffer
	cmd.Stderr = &said
	r.ok(cmd.Start())
	in := bufio.NewReader(out)
	if _, err := in.ReadString('\n'); err != nil {
		r.t.Errorf("raw run: %v %s", err, said.String())
	}
	first = time.Since(begin)
	_, _ = io.Copy(io.Discard, in)
	if err := cmd.Wait(); err != nil {
		r.t.Errorf("raw run: %v %s", err, said.String())
	}
	return first, time.Since(begin)
}
