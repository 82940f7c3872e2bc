package gvisor

import (
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gvisor.dev/gvisor/pkg/sentry/control"
	"gvisor.dev/gvisor/runsc/specutils"

	"neargate/shim/internal/bundle"
	"neargate/shim/internal/host"
)

// sysctl sets parameters of the sandbox's network, which are of all its
// containers. gVisor has few that can be set: one it lacks, or keeps at another
// value, is an error.
func (g *gvisor) sysctl(all map[string]string) error {
	if err := host.CheckSysctls(all); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		file, value := filepath.Join("/proc/sys", strings.ReplaceAll(name, ".", "/")), all[name]
		have, err := g.readInRoot(file)
		if err != nil || !strings.HasPrefix(name, "net.") {
			return fmt.Errorf("sysctl %s: gVisor has no such parameter that can be set", name)
		}
		if same(have, value) {
			continue
		}
		code, err := g.runInRoot([]string{bundle.WritePath, file, value})
		if err != nil {
			return fmt.Errorf("sysctl %s: %w", name, err)
		}
		if have, _ = g.readInRoot(file); code != 0 || !same(have, value) {
			return fmt.Errorf("sysctl %s: gVisor keeps it at %q and cannot make it %q", name, strings.TrimSpace(have), value)
		}
	}
	return nil
}

// same reports whether values are equal, however their parts are separated.
func same(a, b string) bool { return slices.Equal(strings.Fields(a), strings.Fields(b)) }

// readInRoot reads a small file as the root container sees it.
func (g *gvisor) readInRoot(file string) (string, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return "", err
	}
	defer r.Close()
	err = g.root.Sandbox.ReadFile(sandboxID, file, 0, 4096, w) // less than a pipe holds
	w.Close()
	b, _ := io.ReadAll(r)
	return string(b), err
}

// runInRoot runs a program in the root container, with capabilities more than
// containers have, and returns its exit code.
func (g *gvisor) runInRoot(args []string, capabilities ...string) (int32, error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	defer null.Close()
	pause := g.pause()
	pause.CapAdd = capabilities
	caps, err := specutils.Capabilities(true, bundle.Process(pause, bundle.Options{}).Capabilities)
	if err != nil {
		return 0, err
	}
	sandbox := g.root.Sandbox
	pid, err := g.execute(&control.ExecArgs{
		Argv: args, Envv: []string{"PATH=/"}, WorkingDirectory: "/", ContainerID: sandboxID, Capabilities: caps,
		FilePayload: control.NewFilePayload(map[int]*os.File{0: null, 1: null, 2: null}, nil),
	})
	if err != nil {
		return 0, err
	}
	ws, err := sandbox.WaitPID(sandboxID, pid)
	return host.ExitCode(ws), err
}
