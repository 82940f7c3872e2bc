package cgroup

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"

	"neargate/shim/api"
)

// noLimit is what version 1 shows for none: the most pages a counter holds.
const noLimit = 1 << 62

// Usage is what the group and those inside use; what cannot be read is 0.
func (g Group) Usage() api.Usage {
	return usage(g.v2, func(controller, file string) []byte {
		b, _ := os.ReadFile(filepath.Join(g.dir(controller), file))
		return b
	})
}

// usage reads a group's files. Sources: the kernel's
// admin-guide/cgroup-v1/memory.rst, cpuacct.rst, pids.rst and
// admin-guide/cgroup-v2.rst.
func usage(v2 bool, read func(controller, file string) []byte) api.Usage {
	u := api.Usage{Processes: int(number(read("pids", "pids.current")))}
	if v2 {
		u.CPU = field(read("cpu", "cpu.stat"), "usage_usec") * 1000
		u.Memory = number(read("memory", "memory.current"))
		u.Cache = field(read("memory", "memory.stat"), "inactive_file")
		u.MaxMemory = number(read("memory", "memory.peak"))
		u.MemoryLimit = number(read("memory", "memory.max"))
		return u
	}
	u.CPU = number(read("cpuacct", "cpuacct.usage"))
	u.Memory = number(read("memory", "memory.usage_in_bytes"))
	u.Cache = field(read("memory", "memory.stat"), "total_inactive_file")
	u.MaxMemory = number(read("memory", "memory.max_usage_in_bytes"))
	if u.MemoryLimit = number(read("memory", "memory.limit_in_bytes")); u.MemoryLimit >= noLimit {
		u.MemoryLimit = 0
	}
	return u
}

// number is the number in a file, 0 for "max" and nothing.
func number(b []byte) uint64 {
	n, _ := strconv.ParseUint(string(bytes.TrimSpace(b)), 10, 64)
	return n
}

// field is the number after a name at the beginning of a line, 0 without one.
func field(b []byte, name string) uint64 {
	for line := range bytes.Lines(b) {
		if f := bytes.Fields(line); len(f) == 2 && string(f[0]) == name {
			return number(f[1])
		}
	}
	return 0
}
