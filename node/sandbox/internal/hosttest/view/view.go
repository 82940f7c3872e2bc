// Package view is what a container tells the tests of itself.
package view

// Facts are what a process sees of itself.
type Facts struct {
	PID, UID, GID int
	Groups        []int
	Env           []string
	Cwd, Hostname string
	NoFile        uint64
	CapEff        string
	MemTotal      int // KiB
	MemLimit      int // of its cgroup, bytes; 0: it sees none
	CPUs          int
	Links, Routes string
	RootWritable  bool
}
