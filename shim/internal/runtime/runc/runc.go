// Package runc runs a task's containers as processes of the host, with runc, which
// it executes.
package runc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"neargate/shim/api"
	"neargate/shim/internal/bundle"
	"neargate/shim/internal/cgroup"
	"neargate/shim/internal/host"
	"neargate/shim/internal/proc"
	"neargate/shim/internal/runtime"
)

// patience bounds the wait for killed processes to be gone.
const patience = 5 * time.Second

// runc runs a task's containers as processes of the host, in namespaces.
type runc struct {
	*host.Host
	pause api.Process    // process 1 of the task's PID namespace, where it has one
	left  sync.WaitGroup // what calls leave

	mu  sync.Mutex
	all map[string]*runcContainer
}

type runcContainer struct {
	id      string
	root    string
	spec    api.Container
	process api.Process
	mu      sync.Mutex // held while the pid is used
	over    bool       // reaped: the pid may be another's
}

// sandboxID is the id of the container whose PID namespace others share.
const sandboxID = "pause"

// New is the runtime of a shim.
func New(cfg api.Config) (runtime.Runtime, error) {
	return &runc{Host: host.New(cfg), all: map[string]*runcContainer{}}, nil
}

// Open implements Runtime.
func (r *runc) Open() error {
	s := r.Cfg.Spec
	r.left.Go(func() { _, _ = r.Disk() }) // beside the start; a container will ask how it went
	if err := r.Group.Create(cgroup.Limits{Memory: s.Memory, Processes: s.Processes}); err != nil {
		return err
	}
	if !s.SharePID {
		return nil
	}
	return r.openPID()
}

// openPID starts the process whose PID namespace the containers share.
func (r *runc) openPID() error {
	root := r.Run("pause")
	if err := bundle.PauseRoot(root); err != nil {
		return err
	}
	for _, d := range []string{"proc", "dev", "sys"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			return err
		}
	}
	pause := &runcContainer{id: sandboxID}
	c := api.Container{Args: []string{"/pause"}, ReadonlyRoot: true}
	if err := r.create(pause, c, bundle.Options{Root: root, NetNS: r.NetNS()}, runtime.Stdio{}); err != nil {
		return err
	}
	r.pause = pause.process
	return r.command(context.Background(), "start", sandboxID).run()
}

// Create implements Runtime.
func (r *runc) Create(c api.Container, stdio runtime.Stdio) error {
	disk, err := r.Disk()
	if err != nil {
		return err
	}
	id := r.NextID()
	root, err := bundle.Overlay(filepath.Join(disk, id), c.Layers)
	if err != nil {
		return err
	}
	return r.make(&runcContainer{id: id, root: root, spec: c}, stdio)
}

// Recreate implements Runtime.
func (r *runc) Recreate(name string, stdio runtime.Stdio) error {
	b := r.find(name)
	if err := r.command(context.Background(), "delete", "--force", b.id).run(); err != nil {
		return err
	}
	return r.make(&runcContainer{id: r.NextID(), root: b.root, spec: b.spec}, stdio)
}

// make makes a container in a root file system.
func (r *runc) make(b *runcContainer, stdio runtime.Stdio) error {
	r.mu.Lock()
	r.all[b.spec.Name] = b
	r.mu.Unlock()
	files, err := r.Files(b.spec)
	if err != nil {
		return err
	}
	c := b.spec
	c.Mounts = append(slices.Clone(c.Mounts), files...)
	if c.Sysctls, err = r.sysctl(c.Sysctls); err != nil {
		return err
	}
	o := bundle.Options{
		Root: b.root, NetNS: r.NetNS(), Hostname: r.Cfg.Spec.Hostname, InitBin: r.Cfg.InitBin, CgroupNS: r.Group.CloneInto(),
		Rlimits: host.Nofile(), ClampLimit: true,
		Volume: func(m api.Mount) (string, error) { return r.Volume(b.root, m) },
	}
	if r.pause.PID > 0 {
		o.PIDNS = "/proc/" + strconv.Itoa(r.pause.PID) + "/ns/pid"
	}
	return r.create(b, c, o, stdio)
}

func (r *runc) create(b *runcContainer, c api.Container, o bundle.Options, stdio runtime.Stdio) error {
	o.CgroupPath = r.Group.Sub(b.id).Path()
	s, err := bundle.Spec(c, o)
	if err != nil {
		return err
	}
	s.Linux.Resources = resources(c)
	dir := r.Run("bundle", b.id)
	if err := bundle.Write(dir, s); err != nil {
		return err
	}
	pidFile := filepath.Join(dir, "pid")
	args := []string{"create", "--bundle", dir, "--pid-file", pidFile}
	if stdio.Console != "" {
		args = append(args, "--console-socket", stdio.Console)
	}
	cmd := r.command(context.Background(), append(args, b.id)...)
	if f := stdio.Files; f[0] != nil {
		cmd.Stdin, cmd.Stdout, cmd.Stderr = f[0], f[1], f[2]
	}
	if err := cmd.run(); err != nil {
		return err
	}
	pid, err := readPID(pidFile)
	b.process = proc.Of(pid)
	return err
}

func resources(c api.Container) *specs.LinuxResources {
	res := &specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{{Allow: false, Access: "rwm"}}}
	shares := uint64(max(2, c.CPUShares)) // ECS: no units are the least, 2
	res.CPU = &specs.LinuxCPU{Shares: &shares}
	if c.Memory > 0 {
		limit := int64(c.Memory) << 20
		res.Memory = &specs.LinuxMemory{Limit: &limit, Swap: &limit}
	}
	return res
}

func readPID(file string) (int, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(string(b))
}

// Start implements Runtime.
func (r *runc) Start(name string) error {
	if err := r.command(context.Background(), "start", r.find(name).id).run(); err != nil {
		return err
	}
	return r.LimitCPU()
}

// Wait implements Runtime.
func (r *runc) Wait(name string) runtime.Status {
	b := r.find(name)
	var info unix.Siginfo
	for unix.Waitid(unix.P_PID, b.process.PID, &info, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
	}
	b.mu.Lock()
	b.over = true
	var ws unix.WaitStatus
	_, err := unix.Wait4(b.process.PID, &ws, 0, nil)
	b.mu.Unlock()
	group := r.Group.Sub(b.id)
	st := runtime.Status{Code: runtime.Killed}
	if err == nil {
		st.Code = host.ExitCode(ws)
	}
	st.OOM = st.Code == runtime.Killed && group.OOMKills() > 0
	_ = group.Remove(func() {}, patience) // what it left in a PID namespace it shared
	return st
}

// Signal implements Runtime.
func (r *runc) Signal(name string, sig syscall.Signal) error {
	b := r.find(name)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.over {
		return nil
	}
	return syscall.Kill(b.process.PID, sig)
}

// Exec implements Runtime.
func (r *runc) Exec(ctx context.Context, name string, args []string) (int32, error) {
	b := r.find(name)
	f, err := os.CreateTemp(r.Run("bundle", b.id), "exec")
	if err != nil {
		return 0, err
	}
	f.Close()
	defer os.Remove(f.Name())
	cmd := r.command(ctx, append([]string{"exec", "--pid-file", f.Name(), b.id}, args...)...)
	cmd.Cancel = func() error {
		if pid, err := readPID(f.Name()); err == nil {
			return syscall.Kill(pid, syscall.SIGKILL)
		}
		return cmd.Process.Kill()
	}
	err = cmd.run()
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	if f, ok := errors.AsType[*failure](err); ok {
		if code := host.ExecCode(f); code != 0 {
			return code, nil
		}
		return 0, f
	}
	if x, ok := errors.AsType[*exec.ExitError](err); ok {
		return host.ExitCode(unix.WaitStatus(x.Sys().(syscall.WaitStatus))), nil
	}
	return 0, err
}

// Sandbox implements Runtime.
func (r *runc) Sandbox() api.Process { return api.Process{} }

// Settle implements Runtime.
func (r *runc) Settle() { r.left.Wait() }

// Process implements Runtime.
func (r *runc) Process(name string) api.Process { return r.find(name).process }

func (r *runc) find(name string) *runcContainer {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all[name]
}

// command is an execution of runc.
type command struct {
	*exec.Cmd
	log string
}

func (r *runc) command(ctx context.Context, args ...string) command {
	log := r.Run("runc-" + args[0] + "-" + filepath.Base(args[len(args)-1]) + ".log")
	cmd := exec.CommandContext(ctx, r.Cfg.RuncBin, append([]string{"--root", r.Run("runc"), "--log", log, "--log-format", "json"}, args...)...)
	return command{cmd, log}
}

// run runs the command; runc's own last word is the error.
func (c command) run() error {
	defer os.Remove(c.log)
	err := c.Run()
	if err == nil {
		return nil
	}
	b, _ := os.ReadFile(c.log)
	var last struct{ Level, Msg string }
	for line := range bytes.Lines(b) {
		_ = json.Unmarshal(line, &last)
	}
	if last.Level == "error" {
		return &failure{strings.TrimPrefix(last.Msg, "runc "), err}
	}
	return err
}

// failure is runc's own, not that of a command it ran.
type failure struct {
	says string
	err  error
}

func (f *failure) Error() string { return fmt.Sprintf("%s (%v)", f.says, f.err) }

func (f *failure) Unwrap() error { return f.err }
