package hosttest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"neargate/node/sandbox"
	"neargate/node/sandbox/internal/hosttest/raw"
)

// benchSpec is a task as the benchmarks run it.
func benchSpec(task string) sandbox.Spec {
	return sandbox.Spec{Task: task, CPU: 256, Memory: 512, Processes: 1024, Disk: 1 << 10, Hostname: "ip-10-0-0-1"}
}

// BenchStart measures, in turn, the runtime by itself and tasks: what it takes
// from asking to the first line of a container, and to a task's end. Medians.
func BenchStart(b *testing.B, kinds map[string]Runtime) {
	hosts := map[string]*Host{}
	for kind, rt := range kinds {
		hosts[kind] = NewHost(b, rt)
	}
	peer := hosts["cold"].raw()
	took := map[string][]time.Duration{}
	for i := range b.N {
		for _, h := range hosts {
			h.full(b.Context())
		}
		first, whole := peer.Run(i)
		took["raw-line"], took["raw"] = append(took["raw-line"], first), append(took["raw"], whole)
		for kind, h := range hosts {
			id := fmt.Sprintf("%032d", i)
			if h.rt.Warm {
				h.Reserved(b.Context(), id)
			}
			for what, d := range h.startOne(b.Context(), id) {
				took[kind+what] = append(took[kind+what], d)
			}
			begin := time.Now()
			h.ok(h.Close(b.Context(), id))
			took[kind+"-close"] = append(took[kind+"-close"], time.Since(begin))
		}
	}
	medians := map[string]float64{}
	for what, all := range took {
		slices.Sort(all)
		medians[what] = all[len(all)/2].Seconds() * 1000
		b.ReportMetric(medians[what], what+"-ms")
	}
	for kind := range hosts {
		b.ReportMetric(medians[kind]/medians["raw"], kind+"/raw")
	}
	b.ReportMetric(0, "ns/op")
}

// startOne starts a task of one container and returns what each part took; the
// part without a name is the whole, to the first line.
func (h *Host) startOne(ctx context.Context, id string) map[string]time.Duration {
	h.t.Helper()
	begin := time.Now()
	h.ok(h.Open(ctx, benchSpec(id)))
	opened := time.Now()
	h.ok(h.Create(ctx, id, h.Container("a", "polite")))
	created := time.Now()
	h.ok(h.Start(ctx, id, "a"))
	started := time.Now()
	h.Until(id, "a", "ready")
	r := h.records(id, "a")[0]
	return map[string]time.Duration{
		"": r.At.Sub(begin), "-open": opened.Sub(begin), "-create": created.Sub(opened), "-start": started.Sub(created),
	}
}

// BenchBurst measures how many tasks a second start at once, beside the runtime
// by itself run as often with the same parallelism. NEARGATE_BENCH_BURST says how
// many; 16 at once.
func BenchBurst(b *testing.B, rt Runtime) {
	const parallel = 16
	n := number("NEARGATE_BENCH_BURST", 20)
	h := NewHost(b, rt)
	peer := h.raw()
	var ours, theirs, cpu, rawCPU time.Duration
	for range b.N {
		begin, before := time.Now(), childrenCPU()
		h.workers(n, parallel, func(i int) { peer.Run(i) })
		theirs, rawCPU = theirs+time.Since(begin), rawCPU+childrenCPU()-before
		begin, before = time.Now(), childrenCPU()
		h.workers(n, parallel, func(i int) { h.startOne(b.Context(), fmt.Sprintf("%032d", i)) })
		ours += time.Since(begin)
		h.workers(n, parallel, func(i int) { h.ok(h.Close(b.Context(), fmt.Sprintf("%032d", i))) })
		cpu += childrenCPU() - before
	}
	done := float64(n * b.N)
	b.ReportMetric(done/theirs.Seconds(), "raw/s")
	b.ReportMetric(done/ours.Seconds(), "tasks/s")
	b.ReportMetric(theirs.Seconds()/ours.Seconds(), "tasks/raw")
	b.ReportMetric(rawCPU.Seconds()*1000/done, "raw-cpu-ms")
	b.ReportMetric(cpu.Seconds()*1000/done, "task-cpu-ms") // with its end, as the raw
	b.ReportMetric(0, "ns/op")
}

// childrenCPU is the time that ended children and theirs used.
func childrenCPU() time.Duration {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_CHILDREN, &r) != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// workers calls do for 0 to n-1, so many at once.
func (h *Host) workers(n, parallel int, do func(i int)) {
	var all sync.WaitGroup
	next := make(chan int)
	for range parallel {
		all.Go(func() {
			for i := range next {
				do(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	all.Wait()
}

// BenchBeside measures starts alone and beside many tasks that idle, and what
// memory one of these takes. NEARGATE_BENCH_RUNNING says how many.
func BenchBeside(b *testing.B, rt Runtime) {
	n := number("NEARGATE_BENCH_RUNNING", 20)
	h := NewHost(b, rt)
	starts := func() float64 {
		var all []time.Duration
		for i := range b.N {
			id := fmt.Sprintf("%032d", i)
			if h.rt.Warm {
				h.Reserved(b.Context(), id)
			}
			all = append(all, h.startOne(b.Context(), id)[""])
			h.ok(h.Close(b.Context(), id))
		}
		slices.Sort(all)
		return all[len(all)/2].Seconds() * 1000
	}
	alone := starts()
	idle := func(i int) string { return fmt.Sprintf("idle%028d", i) }
	h.workers(n, 4, func(i int) { h.startOne(b.Context(), idle(i)) })
	beside := starts()
	memory := h.memory(idle(0))
	begin := time.Now()
	h.workers(n, 4, func(i int) { h.ok(h.Close(b.Context(), idle(i))) })
	b.ReportMetric(time.Since(begin).Seconds()*1000/float64(n), "stop-ms")
	b.ReportMetric(alone, "alone-ms")
	b.ReportMetric(beside, "beside-ms")
	b.ReportMetric(beside/alone, "beside/alone")
	b.ReportMetric(float64(memory)/1024, "task-MiB")
	b.ReportMetric(0, "ns/op")
}

// memory is what the processes of a task take, in KiB: pages they share count in
// parts.
func (h *Host) memory(task string) int {
	h.t.Helper()
	st := h.state(task)
	pids := []string{strconv.Itoa(st.Shim.PID)}
	groups, err := filepath.Glob("/sys/fs/cgroup/memory" + st.Cgroup + "/cgroup.procs")
	h.ok(err)
	more, err := filepath.Glob("/sys/fs/cgroup/memory" + st.Cgroup + "/*/cgroup.procs")
	h.ok(err)
	v2, err := filepath.Glob("/sys/fs/cgroup" + st.Cgroup + "/cgroup.procs")
	h.ok(err)
	for _, g := range slices.Concat(groups, more, v2) {
		b, _ := os.ReadFile(g)
		pids = append(pids, strings.Fields(string(b))...)
	}
	sum := 0
	for _, pid := range pids {
		b, _ := os.ReadFile("/proc/" + pid + "/smaps_rollup")
		for line := range strings.Lines(string(b)) {
			if f := strings.Fields(line); len(f) > 1 && f[0] == "Pss:" {
				kib, _ := strconv.Atoi(f[1])
				sum += kib
			}
		}
	}
	return sum
}

func number(env string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(env)); err == nil {
		return n
	}
	return otherwise
}

// raw is the runtime by itself.
func (h *Host) raw() *raw.Runtime {
	program, flags := h.Config.RuncBin, []string(nil)
	if h.rt.Gvisor {
		program, flags = filepath.Join(filepath.Dir(h.Config.Bin), "runsc"), []string{"--host-settings=ignore", "--overlay2=root:memory"}
	}
	return raw.New(h.t, raw.Config{
		Program: program, Flags: flags, Spec: h.Config.RuncBin, Dir: filepath.Join(h.Config.Dir, "..", "raw"), Root: h.Root,
		Cgroup: h.Config.Cgroup, Args: []string{"/guest", "greet"},
	})
}
