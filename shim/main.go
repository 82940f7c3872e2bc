// Command neargate-runsc is gVisor's runtime and neargate's per-task shim in one
// binary: the shim calls gVisor in its own process, and gVisor executes the same
// file again for the sandbox and the gofers.
//
//	neargate-runsc shim DIR          a task's shim; api.Config on standard input,
//	                                 DIR tells whose it is in a list of processes
//	neargate-runsc gofer-await       a gofer, as soon as it is told what of
//	neargate-runsc end DIR CGROUP    ends what a dead shim has left
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"gvisor.dev/gvisor/runsc/cli"
	"gvisor.dev/gvisor/runsc/cmd"
	"gvisor.dev/gvisor/runsc/cmd/sentry/sentrycmd"
	"gvisor.dev/gvisor/runsc/cmd/util"

	"neargate/shim/internal/filters"
	"neargate/shim/internal/gofer"
	"neargate/shim/internal/runtime/gvisor"
	"neargate/shim/internal/sentry"
	"neargate/shim/internal/task"
)

func main() {
	var err error
	switch args := os.Args[1:]; {
	case len(args) == 2 && args[0] == "shim":
		err = task.Run(os.Stdin, os.Stdout, gvisor.New)
	case len(args) == 3 && args[0] == "end":
		err = task.End(args[1], args[2])
	case len(args) == 1 && args[0] == gofer.Command:
		err = run(gofer.Await)
	default:
		err = run(nil)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "neargate-runsc:", err)
		os.Exit(1)
	}
}

// run is gVisor's program, with the arguments that await brings; nil: with its own. All
// that does not depend on them is done before.
func run(await func() ([]string, error)) error {
	sentry.Register()
	if err := filters.Register(); err != nil {
		return err
	}
	if await != nil {
		args, err := await()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		os.Args = append(os.Args[:1], args...)
	}
	cli.Run(nil, commands(), nil)
	return nil
}

// commands are gVisor's own that a sandbox executes, and those that help to look
// at one.
func commands() map[util.SubCommand]string {
	return map[util.SubCommand]string{
		new(sentry.Boot):      "internal use only",
		new(cmd.Gofer):        "internal use only",
		new(sentrycmd.Umount): "internal use only",
		new(cmd.Run):          "",
		new(cmd.Delete):       "",
		new(cmd.Debug):        "",
		new(cmd.Events):       "",
		new(cmd.Exec):         "",
		new(cmd.List):         "",
		new(cmd.PS):           "",
	}
}
