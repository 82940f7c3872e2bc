// Command generate compiles the seccomp filters of the sandboxes and gofers that
// neargate starts, for the architecture it runs on, into the directory it runs in.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"

	"gvisor.dev/gvisor/pkg/seccomp/precompiledseccomp"
	_ "gvisor.dev/gvisor/pkg/sentry/platform/platforms" // which have filters of their own
	sentry "gvisor.dev/gvisor/runsc/boot/filter/config"
	gofer "gvisor.dev/gvisor/runsc/fsgofer/filter/config"

	"neargate/shim/internal/filters"
)

func main() {
	if err := write(runtime.GOARCH + ".json"); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

// write compiles all that gVisor knows, and keeps those that are of use.
func write(file string) error {
	s, err := filters.Sentry()
	if err != nil {
		return err
	}
	sandboxes, err := sentry.PrecompiledPrograms()
	gofers, e := gofer.PrecompiledPrograms()
	if err := errors.Join(err, e); err != nil {
		return err
	}
	var keys []string
	for _, o := range filters.Gofers() {
		keys = append(keys, o.ConfigKey())
	}
	c := filters.Compiled{Sentry: named(sandboxes, s.ConfigKey()), Gofer: named(gofers, keys...)}
	for _, p := range c.Sentry {
		leavePID(p)
	}
	for _, p := range slices.Concat(c.Sentry, c.Gofer) {
		for _, offsets := range p.VarOffsets {
			for _, o := range offsets {
				p.Bytecode32[o] = 0
			}
		}
	}
	b, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(b, '\n'), 0o644)
}

func named(all []precompiledseccomp.Program, names ...string) []precompiledseccomp.Program {
	return slices.DeleteFunc(all, func(p precompiledseccomp.Program) bool { return !slices.Contains(names, p.Name) })
}

// leavePID makes the process of the sandbox a variable also where gVisor's platform has
// that of the compiler, in what it says of rt_tgsigqueueinfo(2).
func leavePID(p precompiledseccomp.Program) {
	const variable = "self_pid_low32bits"
	for i, v := range p.Bytecode32 {
		if v == uint32(os.Getpid()) {
			p.VarOffsets[variable] = append(p.VarOffsets[variable], i)
		}
	}
}
