// Package runtime says what a shim needs of what runs the containers of its task.
// Package gvisor runs them in one sandbox, package runc as processes of the host;
// a shim has one of the two in it.
package runtime

import (
	"context"
	"os"
	"syscall"

	"neargate/shim/api"
)

// Runtime runs the containers of one task. Callers do not call Create, Start or
// Wait for one container from two goroutines.
type Runtime interface {
	// Open makes the sandbox, with its cgroup.
	Open() error
	// Create makes a container.
	Create(c api.Container, stdio Stdio) error
	// Start starts a container's process.
	Start(name string) error
	// Recreate makes a container that is over once more, in the file system it
	// left, to be started.
	Recreate(name string, stdio Stdio) error
	// Wait returns how a started container's process ended.
	Wait(name string) Status
	// Signal sends a signal; nil if the process is over.
	Signal(name string, sig syscall.Signal) error
	// Exec runs a command and returns its exit code, 127 or 126 where it is not
	// found or cannot be run; the command is killed when ctx ends.
	Exec(ctx context.Context, name string, args []string) (int32, error)
	// Usage is what running containers use.
	Usage(names []string) (map[string]api.Usage, error)
	// Sandbox is the process whose end is the end of all, zero where there is
	// none.
	Sandbox() api.Process
	// Settle returns when nothing goes on that calls have left.
	Settle()
	// Process is a container's process 1, zero where the host does not see it.
	Process(name string) api.Process
}

// Stdio is where a container's standard files come from.
type Stdio struct {
	// Files are standard input, output and error, which the caller holds open until
	// the Start, or the failure.
	Files [3]*os.File
	// Console is, of a container with a terminal, the path of a Unix socket instead:
	// the runtime makes the terminal and sends its master there before it returns.
	Console string
}

// Status is how a process ended.
type Status struct {
	Code int32
	OOM  bool
}

// Killed is what is reported of a process that ended with its sandbox.
const Killed = 128 + int32(syscall.SIGKILL)

// Adopter is a runtime whose open sandbox can wait for its task.
type Adopter interface {
	// Prepare does of an Adopt what does not need the task's links. It may be left
	// out, or fail: Adopt does it then. The spec is whole if an Adopt will have the
	// same.
	Prepare(s api.Spec, whole bool) error
	// Ahead does of the Create of a container what does not need an Adopt, after a
	// Prepare with the whole spec. It may be left out, or fail: Create does it then,
	// also of a container that differs in more than its log.
	Ahead(c api.Container) error
	// Started is closed when the sandbox has started, or cannot.
	Started() <-chan struct{}
	// Adopt makes the sandbox that of a task, as if it had been opened for it, with
	// the links that are in its network namespace by now. After an error it is of no
	// use, and the namespace is as it was.
	Adopt(api.Spec) error
}
