package runtime

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/sentry/control"
	"gvisor.dev/gvisor/runsc/specutils"

	"neargate/shim/internal/bundle"
)

// sysctlName is a parameter's name: no way out of /proc/sys.
var sysctlName = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+$`)

func checkSysctls(all map[string]string) error {
	for name := range all {
		if !sysctlName.MatchString(name) {
			return fmt.Errorf("sysctl %q: no name of a parameter", name)
		}
	}
	return nil
}

// sysctl sets parameters of the shim's own network namespace, where that is the
// task's: runc takes it for the host's. It returns those that are left to runc.
func (r *runc) sysctl(all map[string]string) (map[string]string, error) {
	if err := checkSysctls(all); err != nil || r.cfg.Spec.NetNS != "" {
		return all, err
	}
	left := map[string]string{}
	for name, value := range all {
		if !strings.HasPrefix(name, "net.") {
			left[name] = value
			continue
		}
		file := filepath.Join("/proc/sys", strings.ReplaceAll(name, ".", "/"))
		if err := os.WriteFile(file, []byte(value), 0); err != nil {
			return nil, fmt.Errorf("sysctl %s: %w", name, err)
		}
	}
	return left, nil
}

// sysctl sets parameters of the sandbox's network, which are of all its
// containers, by a program in the root container. gVisor has few that can be set:
// one it lacks, or holds at another value, is an error.
func (g *gvisor) sysctl(all map[string]string) error {
	if err := checkSysctls(all); err != nil || len(all) == 0 {
		return err
	}
	args := []string{"/init", "sysctl"}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if !strings.HasPrefix(name, "net.") {
			return fmt.Errorf("sysctl %s: gVisor has no such parameter that can be set", name)
		}
		args = append(args, name+"="+all[name])
	}
	if err := g.placeInit(); err != nil {
		return err
	}
	says, err := g.runInRoot(args)
	if err != nil {
		return err
	}
	if says != "" {
		return fmt.Errorf("%s, in gVisor", says)
	}
	return nil
}

// placeInit puts the init where the root container finds it.
func (g *gvisor) placeInit() error {
	g.initOnce.Do(func() {
		var from *os.File
		if from, g.initErr = os.Open(g.cfg.InitBin); g.initErr != nil {
			return
		}
		defer from.Close()
		var to *os.File
		if to, g.initErr = os.OpenFile(filepath.Join(g.dir("pause"), "init"), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o755); g.initErr != nil {
			return
		}
		_, err := io.Copy(to, from)
		g.initErr = errors.Join(err, to.Close())
	})
	return g.initErr
}

// runInRoot runs a program in the root container and returns what it says where
// it fails.
func (g *gvisor) runInRoot(args []string) (string, error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return "", err
	}
	defer null.Close()
	r, w, err := os.Pipe()
	if err != nil {
		return "", err
	}
	defer r.Close()
	caps, err := specutils.Capabilities(true, bundle.Process(g.pause(), bundle.Options{}).Capabilities)
	if err != nil {
		return "", err
	}
	sandbox := g.root.Sandbox
	pid, err := sandbox.Execute(g.conf, &control.ExecArgs{
		Argv: args, Envv: []string{"PATH=/"}, WorkingDirectory: "/", ContainerID: sandboxID, Capabilities: caps,
		FilePayload: control.NewFilePayload(map[int]*os.File{0: null, 1: w, 2: w}, nil),
	})
	w.Close()
	if err != nil {
		return "", err
	}
	var says bytes.Buffer
	_, _ = io.Copy(&says, io.LimitReader(r, 4096))
	ws, err := sandbox.WaitPID(sandboxID, pid)
	if err == nil && ws != unix.WaitStatus(0) && says.Len() == 0 {
		fmt.Fprintf(&says, "%s ended with %d", args[0], exitCode(ws))
	}
	return strings.TrimSpace(says.String()), err
}
