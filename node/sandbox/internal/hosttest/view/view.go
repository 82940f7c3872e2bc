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

// Terminal is what a process sees of its terminal.
type Terminal struct {
	Is         [3]bool // standard input, output and error
	Size       [2]int  // rows and columns
	Foreground bool    // the process's group is the terminal's
	Term       string
}
