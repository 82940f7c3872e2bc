package host

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// Exit codes of commands that did not run, as Docker's and the shell's.
const (
	cannotExecute = 126
	notFound      = 127
)

// ExecCode is the exit code of a command that a runtime could not start, 0 where
// the reason is another.
func ExecCode(err error) int32 {
	text := err.Error()
	for _, c := range []struct {
		says string
		code int32
	}{
		{"executable file not found", notFound},
		{"no such file or directory", notFound},
		{"not a directory", notFound},
		{"permission denied", cannotExecute},
		{"exec format error", cannotExecute},
		{"is a directory", cannotExecute},
	} {
		if strings.Contains(text, c.says) {
			return c.code
		}
	}
	return 0
}

// StartError says of a container whose program cannot be run what runc says of
// one, whichever runtime it is.
func StartError(program string, err error) error {
	switch text := err.Error(); {
	case strings.Contains(text, "no such file or directory") && !strings.Contains(program, "/"):
		return fmt.Errorf("exec: %q: executable file not found in $PATH", program)
	case strings.Contains(text, "no such file or directory"):
		return fmt.Errorf("exec: %q: stat %s: no such file or directory", program, program)
	case strings.Contains(text, "permission denied"):
		return fmt.Errorf("exec: %q: permission denied", program)
	case strings.Contains(text, "exec format error"):
		return fmt.Errorf("exec %s: exec format error", program)
	}
	return err
}

// ExitCode is how a process ended, as shells tell it.
func ExitCode(ws unix.WaitStatus) int32 {
	if ws.Signaled() {
		return 128 + int32(ws.Signal())
	}
	return int32(ws.ExitStatus())
}
