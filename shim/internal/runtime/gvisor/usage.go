package gvisor

import (
	"strconv"
	"sync"

	"gvisor.dev/gvisor/pkg/control/client"
	"gvisor.dev/gvisor/pkg/sentry/control"

	"neargate/shim/api"
)

// Usage implements Runtime.
func (g *gvisor) Usage(names []string) (map[string]api.Usage, error) {
	all := map[string]api.Usage{}
	if len(names) == 0 {
		return all, nil
	}
	conn, err := client.ConnectTo(g.root.Sandbox.GetControlSocketPath())
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	var files []control.CgroupControlFile
	var boxes []*gvisorContainer
	for _, name := range names {
		b := g.find(name)
		boxes = append(boxes, b)
		files = append(files, b.file("cpuacct", "cpuacct.usage"), b.file("memory", "memory.usage_in_bytes"), b.file("pids", "pids.current"))
	}
	out, err := readFiles(conn, files)
	if err != nil {
		return nil, err
	}
	var inside []uint64
	for i := range boxes {
		n, _ := strconv.ParseUint(out[3*i], 10, 64)
		inside = append(inside, n)
	}
	given := g.cpu.divide(g.Group.Usage().CPU, boxes, inside)
	for i, b := range boxes {
		u := api.Usage{CPU: given[i], MemoryLimit: uint64(b.spec.Memory) << 20}
		u.Memory, _ = strconv.ParseUint(out[3*i+1], 10, 64)
		u.Processes, _ = strconv.Atoi(out[3*i+2])
		all[names[i]] = u
	}
	return all, nil
}

// split divides the time that the host says a sandbox used among its containers:
// by what gVisor says each did, which counts time in which the sandbox was held
// up by its quota, and not the sandbox's own work.
type split struct {
	mu    sync.Mutex
	total uint64
	of    map[*gvisorContainer]share
}

type share struct{ inside, given uint64 }

// divide gives each container its part of what was used since the last call.
func (s *split) divide(total uint64, boxes []*gvisorContainer, inside []uint64) []uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of == nil {
		s.of = map[*gvisorContainer]share{}
	}
	var did uint64
	for i, b := range boxes {
		did += inside[i] - min(s.of[b].inside, inside[i])
	}
	used := total - min(s.total, total)
	given := make([]uint64, len(boxes))
	for i, b := range boxes {
		x := s.of[b]
		if part := inside[i] - min(x.inside, inside[i]); did > 0 {
			x.given += uint64(float64(used) * float64(part) / float64(did))
			x.inside = inside[i]
		}
		s.of[b], given[i] = x, x.given
	}
	if did > 0 {
		s.total = total
	}
	return given
}
