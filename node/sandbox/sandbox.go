// Package sandbox is the contract of what runs tasks: one sandbox a task, with all
// its containers in it. Package sandboxtest checks it; fake implements it in
// memory.
package sandbox

import (
	"context"
	"errors"
	"syscall"

	"neargate/shim/api"
)

// Sandbox runs the tasks of a node. Everything it runs outlives the process that
// asked for it, as far as the implementation can: List tells what is there after
// a restart. Methods may be called from many goroutines.
type Sandbox interface {
	// Open makes a task's sandbox. One that exists already is kept.
	Open(ctx context.Context, s Spec) error
	// Create makes a container in an open sandbox without starting it.
	Create(ctx context.Context, task string, c Container) error
	// Start starts a created container's process; nil if it was started before.
	Start(ctx context.Context, task, container string) error
	// Wait returns when the container's process has ended, at once if it had
	// before, or when ctx ends. The process is that of the last start.
	Wait(ctx context.Context, task, container string) (Exit, error)
	// Signal sends a signal to a started container's process; nil if it is over.
	Signal(ctx context.Context, task, container string, sig syscall.Signal) error
	// Exec runs a command in a running container and returns its exit code: as in
	// Docker 127 where the command is not found, 126 where it cannot be run. The
	// command is killed when ctx ends.
	Exec(ctx context.Context, task, container string, command []string) (int32, error)
	// Close kills and removes everything of a task; nil if there is nothing. Waits
	// for its containers return ErrNotFound.
	Close(ctx context.Context, task string) error
	// List tells of every sandbox, ordered by task, containers in the order of
	// their creation.
	List(ctx context.Context) ([]Status, error)
}

// Restarter starts containers again.
type Restarter interface {
	// Restart starts a container that has ended for the n-th time after its first
	// start, in the file system it left and with the same output; nil if it was
	// started so often before. One that runs, or was started less than n-1 times
	// again, is an error and stays as it is.
	Restart(ctx context.Context, task, container string, n int) error
}

// Meter tells what tasks use.
type Meter interface {
	// Stats tells what a task and its running containers use.
	Stats(ctx context.Context, task string) (Stats, error)
}

// Reserver is a Sandbox that may have sandboxes ready before there are tasks for
// them.
type Reserver interface {
	// Reserve makes a sandbox that is ready the task's, or begins to make one, and
	// returns the path of its network namespace; ok is false where that cannot be
	// done before the Open. Interfaces may be plugged into the namespace until the
	// Open, which then takes little time: its Spec.NetNS is empty or names that
	// namespace, by whatever path. What else is known of the Spec is prepared
	// meanwhile. Nothing of it is given up for this: where the sandbox cannot be given
	// something late, Open makes another in the same namespace. A second Reserve
	// returns the same, Close removes it, List does not tell of it, and it is gone
	// after a restart.
	Reserve(ctx context.Context, s Spec) (netns string, ok bool, err error)
	// Prepare does of the Open and of a container's Create what the reserved sandbox,
	// if there is one, can do before the Open, whose Spec is known by now. Whether it
	// is done, fails or goes on, both do the rest; a Create of a container that is not
	// the same but for its log does all. Without the Open it has no effect.
	Prepare(ctx context.Context, s Spec, c Container) error
}

// Sharer is a Sandbox that may leave a task's network interface to others.
type Sharer interface {
	// Shares reports whether the interface goes on to be of use to others in its
	// namespace after the Open, which then can be as soon as there is the interface.
	Shares() bool
}

// Errors of sandboxes.
var (
	ErrNotFound   = errors.New("sandbox: no such task or container")
	ErrNotRunning = errors.New("sandbox: container is not running")
)

// The data of the contract is what a task's shim is told; a fake ignores what it
// has no use for.
type (
	// Spec is a sandbox to be made.
	Spec = api.Spec
	// Container is a container to be made.
	Container = api.Container
	// User is whom a container runs as.
	User = api.User
	// Mount puts a host path or a volume into a container.
	Mount = api.Mount
	// Ulimit is a resource limit of a container.
	Ulimit = api.Ulimit
	// Exit is how a container's process ended.
	Exit = api.Exit
	// Stats are what a task uses at a moment.
	Stats = api.Stats
	// Usage is what processes use.
	Usage = api.Usage
)

// Status is a sandbox as List finds it.
type Status struct {
	Task       string
	Containers []ContainerStatus
}

// ContainerStatus is a container as List finds it.
type ContainerStatus struct {
	Name     string
	Started  bool
	Restarts int   // how often it was started again
	Exit     *Exit // of the last start; nil until it is over
}
