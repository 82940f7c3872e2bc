package container

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"neargate/node/sandbox"
)

// notStarted is the error of a container that the runtime could not start.
func notStarted(why string) error {
	return &Error{"CannotStartContainerError", "ResourceInitializationError: failed to create new container runtime task: " +
		"failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: " + why + ": unknown"}
}

// How gVisor and runc say that no directory of PATH has the program, and what they
// wrap their reasons in.
var (
	notFound = regexp.MustCompile(`error finding executable "[^"]*" in PATH|executable file not found in \$PATH`)
	wrapping = regexp.MustCompile(`^(create failed: |unable to start container process: |error during container init: |` +
		`starting (root|sub-)container( \[[^\]]*\])?: |creating process: )+| \(exit status \d+\)$`)
)

// Failure is the error ECS shows when the sandbox failed to create or to start a
// container: whatever runtime it uses, what it says of the program is said in the
// words of Fargate's. It is an *Error; one that is already stays.
func Failure(c sandbox.Container, err error) error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	said, program := err.Error(), ""
	if len(c.Args) > 0 {
		program = c.Args[0]
	}
	switch {
	case program != "" && notFound.MatchString(said):
		return notStarted(fmt.Sprintf("exec: %q: executable file not found in $PATH", program))
	case strings.Contains(program, "/") && about(said, program, "no such file or directory"):
		return notStarted(fmt.Sprintf("exec: %q: stat %s: no such file or directory", program, program))
	case program != "" && about(said, program, "permission denied"):
		return notStarted(fmt.Sprintf("exec: %q: permission denied", program))
	case program != "" && about(said, program, "exec format error"):
		return notStarted(fmt.Sprintf("exec %s: exec format error", program))
	}
	return notStarted(oneLine(wrapping.ReplaceAllString(said, "")))
}

// about reports whether an error says something of a program.
func about(said, program, what string) bool {
	return strings.Contains(said, what) && strings.Contains(said, program)
}

// oneLine makes an error a line of bearable length.
func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > 500 {
		return string(r[:500]) + "…"
	}
	return s
}
