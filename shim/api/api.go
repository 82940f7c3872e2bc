// Package api is what the daemon and the per-task shim say to each other: plain
// data, one request and one answer a connection of a Unix socket, and the state
// file the shim leaves for whoever comes after it.
package api

import (
	"syscall"
	"time"
)

// Files of a task's directory.
const (
	SocketFile = "shim.sock"  // where the shim answers
	StateFile  = "state.json" // a State, replaced as a whole and synced
	LockFile   = "lock"       // locked, flock(2), as long as the shim lives
	LogDir     = "log"        // a directory per container, named after it; see SegmentFile
)

// Runtimes a shim can use.
const (
	GVisor = "gvisor"
	Runc   = "runc"
)

// Spec is a sandbox to be made.
type Spec struct {
	Task      string // the task's id; empty: of a sandbox that waits for a task, see OpAdopt
	CPU       int    // units, 1024 a vCPU; 0: no limit
	Memory    int    // MiB, hard, for all containers and the sandbox itself; 0: no limit
	Processes int    // processes and threads; 0: no limit
	Disk      int    // MiB of everything the containers write; 0: no limit
	NetNS     string // path of the network namespace; empty: one of its own with only lo
	Hostname  string // of all containers; empty: the runtime's
	SharePID  bool   // containers see each other's processes

	// Files are put into every container at absolute paths, whatever its image has
	// there, but not where it mounts something itself. Containers may write to
	// them, and share them.
	Files map[string]string
}

// Container is a container to be made.
type Container struct {
	Name   string
	Image  string
	Layers []string // read-only directories of the root file system, the uppermost first
	Args   []string
	Env    []string // NAME=value
	Cwd    string   // empty: /
	User   User

	CapAdd, CapDrop []string // as CAP_SYS_PTRACE; to and from the default set
	ReadonlyRoot    bool
	Mounts          []Mount
	Ulimits         []Ulimit
	Sysctls         map[string]string
	Init            bool // a small init is process 1: it forwards signals and reaps
	CPUShares       int  // weight among the task's containers; 0: the least. Kept by runc only.
	Memory          int  // MiB, hard; 0: only the task's
	Interactive     bool // standard input stays open, and nothing comes; else it is empty
	Terminal        bool // the standard files are a terminal, whose output is Log's standard output
	Log             Log
}

// User is whom a process runs as.
type User struct {
	UID, GID   uint32
	Additional []uint32
}

// Mount puts a host path or a volume into a container.
type Mount struct {
	Source   string // an absolute path of the host
	Volume   string // or the name of a volume of the task, made at its first use
	Target   string
	ReadOnly bool
	Copy     bool // an empty volume gets what the image has at Target
}

// Ulimit is a resource limit; the name is as RLIMIT_NOFILE.
type Ulimit struct {
	Name       string
	Soft, Hard uint64
}

// Exit is how a container's process ended. One that was killed by a signal has
// the code 128 + signal.
type Exit struct {
	Code int32
	OOM  bool // killed for want of memory
	At   time.Time
}

// State is what a shim knows of its task, and its state file.
type State struct {
	Runtime    string
	Spec       Spec
	Shim       Process
	Sandbox    Process // of gVisor: the sentry
	Cgroup     string  // path under each hierarchy
	Containers []ContainerState
}

// Process is a process of the host, told from later ones with the same pid.
type Process struct {
	PID   int
	Start uint64 // clock ticks after boot, field 22 of /proc/PID/stat
}

// ContainerState is what a shim knows of a container.
type ContainerState struct {
	Container Container
	Process   Process   // of runc: process 1
	StartedAt time.Time // the last time
	Restarts  int       // how often it was started again
	Exit      *Exit     // of the last run; nil until that is over
}

// Stats are what a task uses at a moment.
type Stats struct {
	At         time.Time
	Task       Usage            // of all containers and the sandbox itself
	Disk       Space            // of what the containers write; zero without a limit
	Containers map[string]Usage // of those that run
}

// Usage is what processes use.
type Usage struct {
	CPU         uint64 // nanoseconds, since the start
	Memory      uint64 // bytes, with page cache where the host counts it
	Cache       uint64 // of these, page cache that gives way
	MaxMemory   uint64 // the most there were; 0: not known
	MemoryLimit uint64 // bytes; 0: none of its own
	Processes   int    // with threads; of a task in gVisor, the host's
}

// Space is room on a disk, in bytes.
type Space struct{ Used, Limit uint64 }

// Op is what a request asks for.
type Op string

// Operations.
const (
	OpCreate  Op = "create" // Container
	OpStart   Op = "start"  // Name, Run
	OpWait    Op = "wait"   // Name; answered when it is over
	OpSignal  Op = "signal" // Name, Signal
	OpExec    Op = "exec"   // Name, Args; the command is killed when the caller hangs up
	OpState   Op = "state"
	OpStats   Op = "stats"
	OpPrepare Op = "prepare" // Spec; does of an adopt what needs no network, and with a Container, of its create
	OpAdopt   Op = "adopt"   // Spec; makes a waiting sandbox a task's
	OpClose   Op = "close"   // kills and removes everything; the shim ends
)

// Request is a request.
type Request struct {
	Op        Op
	Name      string
	Container *Container
	Spec      *Spec
	Signal    syscall.Signal
	Args      []string
	Run       int // which start of the container: 0 the first, n the n-th again
}

// Kind is the kind of an error, for the daemon to act on.
type Kind string

// Kinds of errors.
const (
	NotFound   Kind = "NotFound"
	NotRunning Kind = "NotRunning"
	Failed     Kind = "Failed"
)

// Answer is the answer to a request.
type Answer struct {
	Kind  Kind   // empty: it went well
	Error string // what went wrong
	Exit  *Exit
	Code  int32 // of an exec
	State *State
	Stats *Stats
}

// Config is what a shim is started with, as JSON on its standard input; file 3 is
// the locked lock file. It writes
// an Answer to its standard output when the sandbox is open, or could not be.
type Config struct {
	Runtime string
	Dir     string // the task's directory
	Cgroup  string
	RuncBin string // path of runc
	InitBin string // path of the init for containers; static
	Wanted  bool   // a task waits for the sandbox: Spec is its own, but for what OpAdopt says
	Spec    Spec
}
