package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"neargate/e2e/images"
)

// raw runs the same program with nothing but the runtime.
type raw struct {
	command []string
	bundle  string
	state   string
	n       int
}

// unpin unmounts what runsc leaves in its directory.
func unpin(state string) error {
	err := unix.Unmount(filepath.Join(state, "null-netns"), unix.MNT_DETACH)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EINVAL) { // runc leaves none
		return nil
	}
	return err
}

// newRaw makes a bundle with the program in dir.
func newRaw(bin, runtime, dir string) (*raw, error) {
	root := filepath.Join(dir, "rootfs")
	for _, d := range []string{"proc", "dev", "tmp"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			return nil, err
		}
	}
	e2e, err := images.Root()
	if err != nil {
		return nil, err
	}
	program, err := images.FirstProgram(e2e)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(root, "first"), program, 0o755); err != nil {
		return nil, err
	}
	spaces := []map[string]string{{"type": "pid"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"}, {"type": "network"}}
	b, err := json.Marshal(map[string]any{
		"ociVersion": "1.1.0",
		"process":    map[string]any{"args": []string{"/first"}, "cwd": "/", "user": map[string]int{"uid": 0, "gid": 0}},
		"root":       map[string]any{"path": "rootfs", "readonly": true},
		"mounts":     []map[string]string{{"destination": "/proc", "type": "proc", "source": "proc"}, {"destination": "/dev", "type": "tmpfs", "source": "tmpfs"}},
		"linux":      map[string]any{"namespaces": spaces},
	})
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), b, 0o600); err != nil {
		return nil, err
	}
	state := filepath.Join(dir, "state")
	r := &raw{bundle: dir, state: state}
	switch runtime {
	case "gvisor":
		r.command = []string{filepath.Join(bin, "runsc"), "--root", state, "--platform", "systrap", "--network", "none", "--host-settings", "ignore", "run"}
	case "runc":
		r.command = []string{filepath.Join(bin, "runc"), "--root", state, "run"}
	default:
		return nil, fmt.Errorf("no raw run of %q", runtime)
	}
	return r, nil
}

// run runs the program once and returns how long its first line took.
func (r *raw) run(ctx context.Context) (time.Duration, error) {
	r.n++
	return firstLine(ctx, append(r.command[:len(r.command):len(r.command)], "--bundle", r.bundle, fmt.Sprintf("raw%05d", r.n)))
}
