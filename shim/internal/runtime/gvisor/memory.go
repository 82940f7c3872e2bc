package gvisor

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

// How often containers with a memory limit are looked at. A look is a call to the
// kernel for the whole sandbox's memory, by how near a limit is every shortest to
// longest. A reading asks the sandbox for each container's: at once when the whole
// has grown by what one had left, every reading when it has changed, and every
// idle when it seems not to have.
const (
	shortest = 20 * time.Millisecond
	longest  = 100 * time.Millisecond
	reading  = 150 * time.Millisecond
	idle     = time.Second

	fastest = 1 << 30 // bytes a second that a container is taken to fill
	effort  = 10      // a reading is followed by at least so many times its own duration, up to reading
)

// memory keeps the memory limits of a sandbox's containers, which gVisor counts
// and does not enforce: the pages of each container's processes, its shared memory
// and tmpfs, each page once. While no container has a limit nothing is looked at.
type memory struct {
	g    *gvisor
	more chan struct{} // another container

	mu      sync.Mutex
	limited []*gvisorContainer
	on      bool
}

// keep begins to keep a container's limit: before it starts.
func (m *memory) keep(b *gvisorContainer) error {
	if task := m.g.Cfg.Spec.Memory; b.spec.Memory == 0 || task > 0 && b.spec.Memory >= task {
		return nil // the task's comes first
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
	select {
	case m.more <- struct{}{}:
	default:
	}
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
	var last look
	for pause := shortest; ; {
		select {
		case <-time.After(pause):
		case <-m.more:
			last, pause = look{}, shortest
		}
		limited := m.current()
		if len(limited) == 0 {
			return
		}
		begin := time.Now()
		total, err := s.total()
		if err == nil && !last.due(begin, total) {
			continue
		}
		used, err := s.read(limited)
		if err != nil {
			pause = longest // it ends, or could not answer
			continue
		}
		last = look{at: time.Now(), took: time.Since(begin), total: total, least: m.judge(limited, used)}
		pause = min(max(time.Duration(last.least)*time.Second/fastest, shortest), longest)
	}
}

// look is what was seen at a reading.
type look struct {
	at    time.Time
	took  time.Duration
	total uint64 // of the sandbox
	least uint64 // that a container had left
}

// due reports whether to read again, the sandbox being at total.
func (l look) due(now time.Time, total uint64) bool {
	switch since := now.Sub(l.at); {
	case total >= l.total+l.least:
		return since >= min(effort*l.took, reading)
	case total != l.total:
		return since >= reading
	default:
		return since >= idle
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
