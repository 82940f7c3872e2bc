// Package task is the shim of one task: it keeps the task's sandbox, outlives the
// daemon, and answers whoever asks at its socket.
package task

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"neargate/shim/api"
	"neargate/shim/internal/cgroup"
	"neargate/shim/internal/garbage"
	"neargate/shim/internal/host"
	"neargate/shim/internal/output"
	"neargate/shim/internal/proc"
	"neargate/shim/internal/runtime"
)

// patience bounds the wait for killed processes to be gone.
const patience = 10 * time.Second

// lockFD is the open lock file that says the shim lives.
const lockFD = 3

// percent is how much garbage gathers before it is collected, in percent of what is in
// use: a start makes some 5 MiB of it, and Go would collect at 4.
const percent = 200

// shim keeps a task's sandbox.
type shim struct {
	cfg               api.Config
	rt                runtime.Runtime
	group             cgroup.Group
	ending            chan struct{} // closed by a close: waits have nothing to wait for
	quit              chan struct{}
	endOnce, quitOnce sync.Once
	adopting          sync.Mutex   // held by an adopt
	making            sync.RWMutex // read-locked by what makes a thing that an end removes

	mu      sync.Mutex
	state   api.State
	live    map[string]*live
	unsaved bool // the state file is older than the state
}

// live is what the state of a container does not say.
type live struct {
	mu      sync.Mutex // held by Create and Start
	created bool
	output  *output.Output
	over    chan struct{} // closed when it has ended; replaced by a start again, under the shim's mutex
}

// Run is a shim of a runtime: it reads its configuration from in, answers at the socket, says
// on ready whether the sandbox is open, and returns when it was closed.
func Run(in, ready *os.File, with func(api.Config) (runtime.Runtime, error)) error {
	unix.CloseOnExec(lockFD)
	garbage.Defer(percent)
	var cfg api.Config
	if err := json.NewDecoder(in).Decode(&cfg); err != nil {
		return err
	}
	s, l, err := open(cfg, with)
	a := answerOf(err)
	if err != nil {
		end(cfg.Dir, cfg.Cgroup)
	}
	_ = json.NewEncoder(ready).Encode(a)
	ready.Close()
	if err != nil {
		return err
	}
	go api.Serve(l, s.answer)
	<-s.quit
	return nil
}

func open(cfg api.Config, with func(api.Config) (runtime.Runtime, error)) (*shim, net.Listener, error) {
	if err := prepare(cfg); err != nil {
		return nil, nil, err
	}
	s := &shim{cfg: cfg, group: cgroup.At(cfg.Cgroup), ending: make(chan struct{}), quit: make(chan struct{}), live: map[string]*live{}}
	s.state = api.State{Runtime: cfg.Runtime, Spec: cfg.Spec, Cgroup: cfg.Cgroup, Shim: proc.Of(os.Getpid())}
	if err := save(cfg.Dir, &s.state, false); err != nil {
		return nil, nil, err
	}
	var err error
	if s.rt, err = with(cfg); err != nil {
		return nil, nil, err
	}
	if err := s.rt.Open(); err != nil {
		s.rt.Settle()
		return nil, nil, err
	}
	s.state.Sandbox = s.rt.Sandbox()
	if err := save(cfg.Dir, &s.state, false); err != nil {
		return nil, nil, err
	}
	socket := filepath.Join(cfg.Dir, api.SocketFile)
	l, err := net.Listen("unix", socket)
	if err != nil {
		return nil, nil, err
	}
	return s, l, os.Chmod(socket, 0o600)
}

// prepare makes the process a place for a sandbox. It has mount and, where the
// task brings none, network namespaces of its own.
func prepare(cfg api.Config) error {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("subreaper: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return fmt.Errorf("mounts: %w", err)
	}
	run := filepath.Join(cfg.Dir, host.RunDir)
	if err := os.MkdirAll(run, 0o711); err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", run, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0711,size=64m"); err != nil {
		return fmt.Errorf("run: %w", err)
	}
	if cfg.Spec.NetNS == "" {
		if err := loopbackUp(); err != nil {
			return fmt.Errorf("lo: %w", err)
		}
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	os.Stdin, os.Stdout, os.Stderr = null, null, null
	return err
}

func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo)
}

// answerOf is the answer that is an error, or none.
func answerOf(err error) api.Answer {
	switch {
	case err == nil:
		return api.Answer{}
	case errors.Is(err, errNotFound):
		return api.Answer{Kind: api.NotFound, Error: err.Error()}
	case errors.Is(err, errNotRunning):
		return api.Answer{Kind: api.NotRunning, Error: err.Error()}
	}
	return api.Answer{Kind: api.Failed, Error: err.Error()}
}

var (
	errNotFound   = errors.New("no such container")
	errNotRunning = errors.New("the container is not running")
)

func (s *shim) answer(ctx context.Context, r api.Request) api.Answer {
	switch r.Op {
	case api.OpPrepare, api.OpAdopt, api.OpCreate, api.OpStart:
		return answerOf(s.make(r))
	case api.OpWait:
		exit, err := s.wait(ctx, r.Name)
		a := answerOf(err)
		a.Exit = exit
		return a
	case api.OpSignal:
		return answerOf(s.signal(r))
	case api.OpExec:
		code, err := s.exec(ctx, r)
		a := answerOf(err)
		a.Code = code
		return a
	case api.OpState:
		s.mu.Lock()
		defer s.mu.Unlock()
		st := s.state
		st.Containers = append([]api.ContainerState(nil), st.Containers...)
		return api.Answer{State: &st}
	case api.OpStats:
		st, err := s.stats()
		a := answerOf(err)
		a.Stats = st
		return a
	case api.OpClose:
		return answerOf(s.close())
	}
	return answerOf(fmt.Errorf("no operation %q", r.Op))
}

// make does what an end undoes: none begins after one, and an end waits for those
// that had begun.
func (s *shim) make(r api.Request) error {
	s.making.RLock()
	defer s.making.RUnlock()
	select {
	case <-s.ending:
		return errNotFound
	default:
	}
	switch {
	case r.Op == api.OpPrepare:
		return s.prepare(r.Spec, r.Container)
	case r.Op == api.OpAdopt:
		return s.adopt(r.Spec)
	case r.Op == api.OpStart && r.Run > 0:
		return s.startAgain(r.Name, r.Run)
	case r.Op == api.OpStart:
		return s.start(r.Name)
	case s.waits():
		return errors.New("the sandbox has no task")
	case r.Container == nil:
		return errors.New("no container to create")
	}
	return s.create(*r.Container)
}

// find is a created container: its live part and a copy of its state.
func (s *shim) find(name string) (*live, api.ContainerState, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.state.Containers {
		if c.Container.Name == name {
			return s.live[name], c, nil
		}
	}
	return nil, api.ContainerState{}, errNotFound
}

// update changes a container's state and saves all.
func (s *shim) update(name string, sync bool, change func(*api.ContainerState)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.state.Containers {
		if c := &s.state.Containers[i]; c.Container.Name == name {
			change(c)
		}
	}
	s.save(sync)
}

func (s *shim) create(c api.Container) error {
	if c.Name != filepath.Base(c.Name) || c.Name[0] == '.' {
		return fmt.Errorf("container name %q", c.Name)
	}
	s.mu.Lock()
	l := s.live[c.Name]
	if l == nil {
		l = &live{over: make(chan struct{})}
		s.live[c.Name] = l
	}
	s.mu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.created {
		return nil
	}
	var err error
	if l.output, err = s.output(c); err != nil {
		return err
	}
	if err := s.rt.Create(c, l.output.Stdio); err != nil {
		l.output.Close()
		return err
	}
	if err := l.output.Created(); err != nil {
		l.output.Close()
		return err
	}
	l.created = true
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.Containers = append(s.state.Containers, api.ContainerState{Container: c, Process: s.rt.Process(c.Name)})
	s.save(false)
	return nil
}

// output makes the standard files of a container's next run.
func (s *shim) output(c api.Container) (*output.Output, error) {
	return output.Open(c, filepath.Join(s.cfg.Dir, api.LogDir, c.Name), filepath.Join(s.cfg.Dir, host.RunDir))
}

func (s *shim) start(name string) error {
	l, _, err := s.find(name)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, c, _ := s.find(name); !c.StartedAt.IsZero() {
		return nil
	}
	if err := s.rt.Start(name); err != nil {
		return err
	}
	l.output.Started()
	s.update(name, false, func(c *api.ContainerState) { c.StartedAt = time.Now() })
	go s.follow(name, l.output, l.over)
	return nil
}

// follow records a container's exit.
func (s *shim) follow(name string, o *output.Output, over chan struct{}) {
	st := s.rt.Wait(name)
	o.Ended()
	exit := &api.Exit{Code: st.Code, OOM: st.OOM, At: time.Now()}
	s.update(name, true, func(c *api.ContainerState) { c.Exit = exit })
	close(over)
}

// over is closed when the container's last run has ended.
func (s *shim) over(l *live) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return l.over
}

func (s *shim) wait(ctx context.Context, name string) (*api.Exit, error) {
	for {
		l, _, err := s.find(name)
		if err != nil {
			return nil, err
		}
		select {
		case <-s.over(l):
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-s.ending:
		}
		select {
		case <-s.ending:
			return nil, errNotFound
		default:
		}
		if _, c, err := s.find(name); err != nil || c.Exit != nil {
			return c.Exit, err
		} // or it was started again
	}
}

func (s *shim) signal(r api.Request) error {
	l, c, err := s.find(r.Name)
	if err != nil {
		return err
	}
	if c.StartedAt.IsZero() {
		return errNotRunning
	}
	select {
	case <-s.over(l):
		return nil
	default:
	}
	err = s.rt.Signal(r.Name, r.Signal)
	if err != nil && s.ends(l) {
		return nil
	}
	return err
}

// ends waits a little for the end of a container that could not be reached.
func (s *shim) ends(l *live) bool {
	select {
	case <-s.over(l):
		return true
	case <-time.After(2 * output.Drain):
		return false
	}
}

func (s *shim) exec(ctx context.Context, r api.Request) (int32, error) {
	l, c, err := s.find(r.Name)
	if err != nil {
		return 0, err
	}
	if c.StartedAt.IsZero() || c.Exit != nil {
		return 0, errNotRunning
	}
	code, err := s.rt.Exec(ctx, r.Name, r.Args)
	if err != nil && ctx.Err() == nil {
		select {
		case <-s.over(l):
			return 0, errNotRunning
		default:
		}
	}
	return code, err
}

// opening reports whether the sandbox that is open still starts.
func (s *shim) opening() bool {
	a, ok := s.rt.(runtime.Adopter)
	if !ok {
		return false
	}
	select {
	case <-a.Started():
		return false
	default:
		return true
	}
}

// close ends everything; the shim ends a moment after, when answers are sent.
func (s *shim) close() error {
	s.endOnce.Do(func() { close(s.ending) })
	still := s.making.TryLock()
	if !still || s.opening() {
		// What is being made fails without processes, and may leave a cgroup.
		if err := end(s.cfg.Dir, s.cfg.Cgroup); err != nil {
			if still {
				s.making.Unlock()
			}
			return err
		}
	}
	if !still {
		s.making.Lock()
	}
	defer s.making.Unlock()
	s.rt.Settle()
	if err := end(s.cfg.Dir, s.cfg.Cgroup); err != nil {
		return err
	}
	s.quitOnce.Do(func() { time.AfterFunc(5*time.Millisecond, func() { close(s.quit) }) })
	return nil
}
