// Command neargate-shim is the per-task shim of runc's containers: what
// neargate-runsc is for gVisor's, without gVisor, whose packages would make each
// start of a task longer.
//
//	neargate-shim shim DIR           a task's shim; api.Config on standard input
//	neargate-shim end DIR CGROUP     ends what a dead shim has left
package main

import (
	"errors"
	"fmt"
	"os"

	"neargate/shim/internal/runtime/runc"
	"neargate/shim/internal/task"
)

func main() {
	err := errors.New("shim DIR, or end DIR CGROUP")
	switch args := os.Args[1:]; {
	case len(args) == 2 && args[0] == "shim":
		err = task.Run(os.Stdin, os.Stdout, runc.New)
	case len(args) == 3 && args[0] == "end":
		err = task.End(args[1], args[2])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "neargate-shim:", err)
		os.Exit(1)
	}
}
