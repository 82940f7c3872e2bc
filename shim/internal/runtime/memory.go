package runtime

import (
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/control/client"
	"gvisor.dev/gvisor/pkg/sentry/control"
	"gvisor.dev/gvisor/pkg/urpc"
)

// How often containers with a memory limit are looked at: the whole sandbox's
// memory at least every shortest to longest, by how near a limit is, and their own
// at least every reading, or sooner when the whole grew by what one had left.
const (
	shortest = 5 * time.Millisecond
	longest  = 50 * time.Millisecond
	reading  = 100 * time.Millisecond

	fastest = 2 << 30 // bytes a second that a container is taken to fill
	effort  = 10      // a reading is followed by so many times its own duration, up to reading
)

// memory keeps the memory limits of a sandbox's containers, which gVisor counts
// and does not enforce: the pages of each container's processes, its shared memory
// and tmpfs, each page once. While no container has a limit nothing is looked at.
type memory struct {
	g *gvisor

	mu      sync.Mutex
	limited []*gvisorContainer
	on      bool
}

// keep begins to keep a container's limit: before it starts.
func (m *memory) keep(b *gvisorContainer) error {
	if b.spec.Memory == 0 {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.on {
		s, err := m.g.newScale()
		if err != nil {
			return err
		}
		m.on = true
		go m.watch(s)
	}
	m.limited = append(m.limited, b)
	return nil
}

// current are the containers that have not ended; none ends the watch.
func (m *memory) current() []*gvisorContainer {
	m.mu.Lock()
	defer m.mu.Unlock()
	var left []*gvisorContainer
	for _, b := range m.limited {
		if !b.over.Load() {
			left = append(left, b)
		}
	}
	m.limited = left
	m.on = len(left) > 0
	return append([]*gvisorContainer(nil), left...)
}

// watch kills containers that are over their limit until there are none left, or
// the sandbox is gone.
func (m *memory) watch(s *scale) {
	defer s.close()
	var at time.Time // of the last reading
	var rest time.Duration
	var total, least uint64
	for pause := shortest; ; {
		time.Sleep(pause)
		limited := m.current()
		if len(limited) == 0 {
			return
		}
		now, err := s.total()
		grown := err == nil && now > total && now-total >= least
		if since := time.Since(at); since < rest || since < reading && !grown {
			continue
		}
		begin := time.Now()
		used, err := s.read(limited)
		if err != nil {
			pause = longest // it ends, or could not answer
			continue
		}
		at, total = time.Now(), now
		rest = min(effort*at.Sub(begin), reading)
		least = m.judge(limited, used)
		pause = min(max(time.Duration(least)*time.Second/fastest, shortest), longest)
	}
}

// judge kills those who use more than they may, and returns the least that
// another has left.
func (m *memory) judge(limited []*gvisorContainer, used []uint64) uint64 {
	least := uint64(1) << 40
	for i, b := range limited {
		limit := uint64(b.spec.Memory) << 20
		if used[i] <= limit {
			least = min(least, limit-used[i])
			continue
		}
		b.oom.Store(true)
		_ = m.g.killAll(b) // one that has ended meanwhile did so by itself
	}
	return least
}

// scale weighs a sandbox.
type scale struct {
	conn  *urpc.Client
	whole *control.MemoryUsageRecord
}

// newScale connects to the sandbox.
func (g *gvisor) newScale() (*scale, error) {
	whole, err := g.root.Sandbox.UsageFD()
	if err != nil {
		return nil, err
	}
	conn, err := client.ConnectTo(g.root.Sandbox.GetControlSocketPath())
	return &scale{conn: conn, whole: whole}, err
}

func (s *scale) close() { s.conn.Close() }

// total is the memory of all containers, by a call to the kernel.
func (s *scale) total() (uint64, error) {
	_, n, _, err := s.whole.Fetch()
	return n, err
}

// read asks the sandbox for what each container uses, 0 for one that has not
// started or has ended.
func (s *scale) read(all []*gvisorContainer) ([]uint64, error) {
	var files []control.CgroupControlFile
	for _, b := range all {
		files = append(files, b.file("memory", "memory.usage_in_bytes"))
	}
	out, err := readFiles(s.conn, files)
	used := make([]uint64, len(all))
	for i := range out {
		used[i], _ = strconv.ParseUint(out[i], 10, 64)
	}
	return used, err
}

// file is a file of the container's control group inside the sandbox.
func (b *gvisorContainer) file(controller, name string) control.CgroupControlFile {
	return control.CgroupControlFile{Controller: controller, Path: "/" + b.id, Name: name}
}

// readFiles reads files of control groups inside the sandbox; one that is not
// there is empty.
func readFiles(conn *urpc.Client, files []control.CgroupControlFile) ([]string, error) {
	var args control.CgroupsReadArgs
	for _, f := range files {
		args.Args = append(args.Args, control.CgroupsReadArg{File: f})
	}
	var out control.CgroupsResults
	if err := conn.Call("Cgroups.ReadControlFiles", &args, &out); err != nil {
		return nil, err
	}
	if len(out.Results) != len(files) {
		return nil, errors.New("the sandbox answered something else")
	}
	values := make([]string, len(files))
	for i, r := range out.Results {
		if !r.IsError {
			values[i] = r.Data
		}
	}
	return values, nil
}

// killAll kills every process of a container.
func (g *gvisor) killAll(b *gvisorContainer) error {
	return b.box.Sandbox.SignalContainer(b.id, unix.SIGKILL, true)
}

// fate is what becomes of a container, set by whoever sees it.
type fate struct {
	oom  atomic.Bool // killed for want of memory
	over atomic.Bool // its process 1 has ended
}
