// Package shim runs each task under a process of its own, the shim, which keeps
// the task's sandbox and outlives the daemon: this package starts shims, asks
// them, and cleans up after those that died. Packages gvisor and runc say which
// runtime the shims use.
package shim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"sync"
	"syscall"
	"time"

	"neargate/node/sandbox"
	"neargate/shim/api"
)

// Config says where things are. Paths are absolute.
type Config struct {
	Dir     string // holds a directory per task, on a disk; a short path, for its sockets
	Cgroup  string // the tasks' parent, under each hierarchy, as /neargate
	Bin     string // the shims' program: neargate-runsc, or neargate-shim for runc
	RuncBin string // runc, where it is used
	InitBin string // neargate-init

	Warm     int // sandboxes that Run keeps ready for tasks to come; gVisor's only
	WarmDisk int // MiB of their disks; a task that wants another size waits until it has that
}

// patience bounds waits for a shim to appear or to go.
const patience = 10 * time.Second

// poll is how often is looked meanwhile.
const poll = time.Millisecond

// Sandbox runs tasks under shims.
type Sandbox struct {
	cfg     Config
	runtime string
	gate    gate
	taken   chan struct{} // says that one of ready was taken

	mu       sync.Mutex
	tasks    map[string]*taskLock
	ready    []*ready
	reserved map[string]*ready // by the tasks they are reserved for
	retired  bool
}

// taskLock is held while a task's shim is started or ended.
type taskLock struct {
	sync.Mutex
	users int // who hold or wait for it
}

var (
	_ sandbox.Sandbox   = (*Sandbox)(nil)
	_ sandbox.Restarter = (*Sandbox)(nil)
	_ sandbox.Meter     = (*Sandbox)(nil)
	_ sandbox.Sharer    = (*Sandbox)(nil)
)

// New is a sandbox whose shims use a runtime of package api.
func New(cfg Config, runtime string) *Sandbox {
	cpus := goruntime.NumCPU()
	return &Sandbox{
		cfg: cfg, runtime: runtime, gate: gate{limit: 2 * cpus, quiet: max(1, cpus/2)},
		taken: make(chan struct{}, 1), tasks: map[string]*taskLock{}, reserved: map[string]*ready{},
	}
}

// Shares implements sandbox.Sharer: gVisor has a network stack of its own.
func (s *Sandbox) Shares() bool { return s.runtime != api.GVisor }

// LogDir is where a container's output goes, in segments; see package api.
func (s *Sandbox) LogDir(task, container string) string {
	return filepath.Join(s.link(task), api.LogDir, container)
}

// Network is the path of a task's network namespace: the one it was given, or its
// own; while its shim lives.
func (s *Sandbox) Network(ctx context.Context, task string) (string, error) {
	a, err := s.ask(ctx, task, api.Request{Op: api.OpState})
	if err != nil {
		return "", err
	}
	if a.State.Spec.NetNS != "" {
		return a.State.Spec.NetNS, nil
	}
	return namespaceOf(*a.State), nil
}

// link is a task's directory, or the symbolic link to it.
func (s *Sandbox) link(task string) string { return filepath.Join(s.cfg.Dir, task) }

func (s *Sandbox) dir(task string) string {
	if to, err := os.Readlink(s.link(task)); err == nil {
		return filepath.Join(s.cfg.Dir, filepath.Base(to))
	}
	return s.link(task)
}

func (s *Sandbox) socket(task string) string { return filepath.Join(s.dir(task), api.SocketFile) }

// group is named as the directory.
func (s *Sandbox) group(task string) string {
	return filepath.Join(s.cfg.Cgroup, filepath.Base(s.dir(task)))
}

// lock holds a task's shim still; it returns what releases it.
func (s *Sandbox) lock(task string) func() {
	s.mu.Lock()
	l := s.tasks[task]
	if l == nil {
		l = &taskLock{}
		s.tasks[task] = l
	}
	l.users++
	s.mu.Unlock()
	l.Lock()
	return func() {
		l.Unlock()
		s.mu.Lock()
		defer s.mu.Unlock()
		if l.users--; l.users == 0 {
			delete(s.tasks, task)
		}
	}
}

// Open implements sandbox.Sandbox.
func (s *Sandbox) Open(ctx context.Context, spec sandbox.Spec) error {
	if err := checkTask(spec.Task); err != nil {
		return err
	}
	defer s.lock(spec.Task)()
	if st, err := s.state(spec.Task); err == nil && st.Spec.Task != "" {
		return nil
	}
	if err := s.reservation(spec.Task).wait(ctx); err != nil {
		return err
	}
	leave, err := s.gate.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	home, err := s.adopt(ctx, spec)
	if home != nil {
		defer home.Close()
	}
	if err == nil {
		return nil
	}
	if err := s.remove(context.WithoutCancel(ctx), spec.Task); err != nil {
		return err
	}
	if home != nil {
		err = s.launchIn(ctx, home, spec)
	} else {
		err = s.launch(ctx, spec.Task, spec, spec.NetNS == "")
	}
	if err != nil {
		return errors.Join(err, s.remove(context.WithoutCancel(ctx), spec.Task))
	}
	return nil
}

func checkTask(id string) error {
	if id == "" || id != filepath.Base(id) || id[0] == '.' {
		return fmt.Errorf("sandbox: task id %q", id)
	}
	return nil
}

// launch starts the shim of a directory, with a network namespace of its own if
// unshare, and waits until its sandbox is open.
func (s *Sandbox) launch(ctx context.Context, name string, spec sandbox.Spec, unshare bool) error {
	_, opened, err := s.begin(ctx, name, spec, unshare, spec.Task != "")
	if err != nil {
		return err
	}
	return opened()
}

// begin starts the shim of a directory, whose process it returns, and what waits until
// its sandbox is open. wanted says that a task waits for that.
func (s *Sandbox) begin(ctx context.Context, name string, spec sandbox.Spec, unshare, wanted bool) (pid int, opened func() error, err error) {
	dir := s.dir(name)
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return 0, nil, err
	}
	lock, err := os.OpenFile(filepath.Join(dir, api.LockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return 0, nil, err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return 0, nil, fmt.Errorf("sandbox: %s has a shim: %w", name, err)
	}
	panics, err := os.Create(filepath.Join(dir, "shim.err"))
	if err != nil {
		return 0, nil, err
	}
	defer panics.Close()
	cmd := exec.Command(s.cfg.Bin, "shim", dir)
	cmd.Env, cmd.Dir, cmd.Stderr, cmd.ExtraFiles = []string{"PATH=" + os.Getenv("PATH")}, "/", panics, []*os.File{lock}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Cloneflags: syscall.CLONE_NEWNS}
	if unshare {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWNET
	}
	return start(ctx, cmd, api.Config{
		Runtime: s.runtime, Dir: dir, Cgroup: s.group(name),
		RuncBin: s.cfg.RuncBin, InitBin: s.cfg.InitBin, Wanted: wanted, Spec: spec,
	})
}

// start starts a shim and hands it its configuration; opened waits for its answer,
// and has to be called.
func start(ctx context.Context, cmd *exec.Cmd, cfg api.Config) (pid int, opened func() error, err error) {
	in, err := cmd.StdinPipe()
	if err != nil {
		return 0, nil, err
	}
	out, ready, err := os.Pipe()
	if err != nil {
		return 0, nil, err
	}
	cmd.Stdout = ready
	go hastenMoves()
	err = cmd.Start()
	ready.Close()
	if err != nil {
		return 0, nil, errors.Join(err, out.Close())
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	go func() { _ = cmd.Wait() }()
	sent := errors.Join(json.NewEncoder(in).Encode(cfg), in.Close())
	return cmd.Process.Pid, func() error {
		defer stop()
		defer out.Close()
		var a api.Answer
		if e := json.NewDecoder(out).Decode(&a); e != nil {
			said, _ := os.ReadFile(filepath.Join(cfg.Dir, "shim.err"))
			return fmt.Errorf("sandbox: the shim ended: %w %s", errors.Join(sent, ctx.Err(), e), said)
		}
		return errorOf(a)
	}, nil
}

// errorOf is what the contract says for an answer.
func errorOf(a api.Answer) error {
	switch a.Kind {
	case "":
		return nil
	case api.NotFound:
		return sandbox.ErrNotFound
	case api.NotRunning:
		return sandbox.ErrNotRunning
	}
	return errors.New(a.Error)
}

// ask asks a task's shim. Where it is dead the task is ended, and the error is
// api.ErrGone.
func (s *Sandbox) ask(ctx context.Context, task string, r api.Request) (api.Answer, error) {
	for deadline := time.Now().Add(patience); ; time.Sleep(poll) {
		a, err := api.Call(ctx, s.socket(task), r)
		if err == nil {
			return a, errorOf(a)
		}
		if !errors.Is(err, api.ErrGone) {
			return a, err
		}
		if err := s.endDead(ctx, task, deadline); err != nil {
			return a, err
		}
	}
}

// endDead ends a task whose shim is dead, or does not appear until the deadline,
// and returns api.ErrGone then; nil if it is worth asking again.
func (s *Sandbox) endDead(ctx context.Context, task string, deadline time.Time) error {
	defer s.lock(task)() // not while it is started, or closed
	if _, err := os.Stat(s.dir(task)); err != nil {
		return sandbox.ErrNotFound
	}
	if s.lives(task) && time.Now().Before(deadline) {
		return ctx.Err()
	}
	return errors.Join(api.ErrGone, s.end(ctx, task))
}

// lives reports whether a task's shim lives.
func (s *Sandbox) lives(task string) bool {
	f, err := os.Open(filepath.Join(s.dir(task), api.LockFile))
	if err != nil {
		return false
	}
	defer f.Close()
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil
}

// end ends what a shim has left.
func (s *Sandbox) end(ctx context.Context, task string) error {
	out, err := exec.CommandContext(ctx, s.cfg.Bin, "end", s.dir(task), s.group(task)).CombinedOutput()
	if err != nil {
		return fmt.Errorf("sandbox: ending %s: %w: %s", task, err, out)
	}
	return nil
}

// state is a task's state file.
func (s *Sandbox) state(task string) (api.State, error) {
	var st api.State
	b, err := os.ReadFile(filepath.Join(s.dir(task), api.StateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return st, sandbox.ErrNotFound
	}
	if err != nil {
		return st, err
	}
	return st, json.Unmarshal(b, &st)
}

// Close implements sandbox.Sandbox.
func (s *Sandbox) Close(ctx context.Context, task string) error {
	defer s.lock(task)()
	return s.remove(ctx, task)
}

// Retire closes every task and removes what tasks share, for an installation's
// end. Nothing may be opened after it.
func (s *Sandbox) Retire(ctx context.Context) error {
	s.mu.Lock()
	s.retired, s.ready = true, nil
	s.mu.Unlock()
	entries, err := os.ReadDir(s.cfg.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	for _, e := range entries {
		if !e.Type().IsRegular() {
			err = errors.Join(err, s.Close(ctx, e.Name()))
		}
	}
	out, e := exec.CommandContext(ctx, s.cfg.Bin, "end", s.cfg.Dir, s.cfg.Cgroup).CombinedOutput()
	if e != nil {
		e = fmt.Errorf("sandbox: %w: %s", e, out)
	}
	return errors.Join(err, e, os.RemoveAll(s.cfg.Dir))
}

// remove ends a task, however it is, and removes its directory.
func (s *Sandbox) remove(ctx context.Context, task string) error {
	if r := s.release(task); r != nil {
		r.abandon()
		if err := r.wait(ctx); err != nil {
			return err
		}
	}
	dir, link := s.dir(task), s.link(task)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		if err := os.Remove(link); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	ask, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	a, err := api.Call(ask, s.socket(task), api.Request{Op: api.OpClose})
	if err = errors.Join(err, errorOf(a)); err == nil {
		for s.lives(task) && ask.Err() == nil {
			time.Sleep(poll)
		}
	}
	if err != nil || s.lives(task) {
		if err := s.end(ctx, task); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(dir); err != nil || dir == link {
		return err
	}
	return os.Remove(link)
}
