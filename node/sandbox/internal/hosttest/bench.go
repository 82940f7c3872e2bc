package hosttest

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"neargate/node/sandbox"
)

// Bench measures a task from its opening to its container's first line, and to
// its end.
func Bench(b *testing.B, rt Runtime) {
	h := NewHost(b, rt)
	ctx := b.Context()
	var open, create, start, line, closed time.Duration
	lap := time.Now()
	since := func(d *time.Duration) {
		now := time.Now()
		*d += now.Sub(lap)
		lap = now
	}
	for i := range b.N {
		id := fmt.Sprintf("%032d", i)
		lap = time.Now()
		h.ok(h.Open(ctx, sandbox.Spec{Task: id, CPU: 256, Memory: 512, Processes: 1024, Disk: 0}))
		since(&open)
		h.ok(h.Create(ctx, id, h.Container("a", "polite")))
		since(&create)
		h.ok(h.Start(ctx, id, "a"))
		since(&start)
		h.Until(id, "a", "ready")
		since(&line)
		h.ok(h.Close(ctx, id))
		since(&closed)
	}
	for _, m := range []struct {
		name string
		took time.Duration
	}{{"open", open}, {"create", create}, {"start", start}, {"line", line}, {"close", closed}, {"to-line", open + create + start + line}} {
		b.ReportMetric(m.took.Seconds()*1000/float64(b.N), m.name+"-ms")
	}
	b.ReportMetric(0, "ns/op")
}

// BenchRaw measures what a task is compared to: the runtime itself running one
// container to its end, started from here.
func BenchRaw(b *testing.B, rt Runtime) {
	h := NewHost(b, rt)
	dir := filepath.Join(h.Config.Dir, "..", "raw")
	h.ok(os.MkdirAll(dir, 0o755))
	h.rawSpec(dir)
	args := []string{h.Config.RuncBin, "--root", dir + "/state"}
	if rt.Gvisor {
		args = []string{h.Config.Bin, "--root", dir + "/state", "--host-settings=ignore", "--overlay2=root:memory"}
	}
	b.ResetTimer()
	for i := range b.N {
		cmd := exec.Command(args[0], append(args[1:], "run", "--bundle", dir, fmt.Sprintf("%032d", i))...)
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("%v: %s", err, out)
		}
	}
	b.StopTimer()
	b.ReportMetric(b.Elapsed().Seconds()*1000/float64(b.N), "run-ms")
	b.ReportMetric(0, "ns/op")
	if rt.Gvisor {
		h.ok(exec.Command("umount", dir+"/state/null-netns").Run())
	}
}

// rawSpec writes the configuration that runc suggests, for a guest that exits.
func (h *Host) rawSpec(dir string) {
	h.t.Helper()
	h.ok(exec.Command(h.Config.RuncBin, "spec", "--bundle", dir).Run())
	file := filepath.Join(dir, "config.json")
	b, err := os.ReadFile(file)
	h.ok(err)
	var spec map[string]any
	h.ok(json.Unmarshal(b, &spec))
	process := spec["process"].(map[string]any)
	process["args"], process["terminal"] = []string{"/guest", "exit", "0"}, false
	spec["root"] = map[string]any{"path": h.Root}
	spec["linux"].(map[string]any)["cgroupsPath"] = h.Config.Cgroup + "/raw"
	b, err = json.Marshal(spec)
	h.ok(err)
	h.ok(os.WriteFile(file, b, 0o644))
}
