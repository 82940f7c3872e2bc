package runtime

import (
	"fmt"
	"strings"
)

// Exit codes of commands that did not run, as Docker's and the shell's.
const (
	cannotExecute = 126
	notFound      = 127
)

// execCode is the exit code of a command that a runtime could not start, 0 where
// the reason is another.
func execCode(err error) int32 {
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

// startError says of a container whose program cannot be run what runc says of
// one, whichever runtime it is.
func startError(program string, err error) error {
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
