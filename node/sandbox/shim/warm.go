package shim

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"neargate/internal/netns"
	"neargate/node/sandbox"
	"neargate/shim/api"
)

// warmPrefix begins the names of directories of sandboxes that were started for
// tasks to come. Such a sandbox keeps its directory and its cgroup: the directory
// of the task it is reserved for is a symbolic link to it.
const warmPrefix = ".warm-"

// retryMin and retryMax bound the time between attempts to start a sandbox that
// is not needed yet.
const retryMin, retryMax = time.Second, time.Minute

// calm and hurry say when a sandbox is made for a task to come: when no task was
// started for so long, or else at the first chance after the latter.
const calm, hurry = 200 * time.Millisecond, 2 * time.Second

// ready is a sandbox without a task, started or being started.
type ready struct {
	name    string // of its directory
	netns   string
	home    *os.File      // its network namespace, while its start is not over; nil: it is by netns
	begun   chan struct{} // closed when its start is over, well or not; nil: it is
	abandon func()        // ends the start
}

// wait waits until a sandbox's start is over; whether it went well, an adopt finds
// out.
func (r *ready) wait(ctx context.Context) error {
	if r == nil || r.begun == nil {
		return nil
	}
	select {
	case <-r.begun:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

var _ sandbox.Reserver = (*Sandbox)(nil)

// Run keeps Config.Warm sandboxes ready until ctx ends, and removes those that are
// left then. It begins with the ones of an earlier process that was killed, and
// removes what that has left half done. Sandboxes are started when little else is.
func (s *Sandbox) Run(ctx context.Context, log *slog.Logger) {
	if err := s.recover(ctx); err != nil {
		log.Warn("sandboxes of an earlier process were left", "err", err)
	}
	for pause := retryMin; ctx.Err() == nil; {
		err := s.fill(ctx)
		if err == nil {
			pause = retryMin
			continue
		}
		if ctx.Err() != nil {
			break
		}
		log.Warn("no sandbox was started in advance", "err", err)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
		pause = min(2*pause, retryMax)
	}
	for {
		r := s.next()
		if r == nil {
			return
		}
		if err := s.Close(context.WithoutCancel(ctx), r.name); err != nil {
			log.Warn("a sandbox that was ready was left", "err", err)
		}
	}
}

// fill starts a sandbox when one lacks, or waits until one does or ctx ends.
func (s *Sandbox) fill(ctx context.Context) error {
	if !s.lacks() {
		select {
		case <-s.taken:
		case <-ctx.Done():
		}
		return nil
	}
	leave, err := s.gate.idle(ctx, calm, hurry)
	if err != nil {
		return err
	}
	defer leave()
	return s.warm(ctx)
}

// lacks reports whether fewer sandboxes are ready than there should be.
func (s *Sandbox) lacks() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.retired && s.runtime == api.GVisor && len(s.ready) < s.cfg.Warm
}

// warm starts a sandbox for a task to come.
func (s *Sandbox) warm(ctx context.Context) error {
	if err := os.MkdirAll(s.cfg.Dir, 0o711); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(s.cfg.Dir, warmPrefix)
	if err != nil {
		return err
	}
	name := filepath.Base(dir)
	defer s.lock(name)()
	err = s.launch(ctx, name, sandbox.Spec{Disk: s.cfg.WarmDisk}, true)
	if err == nil {
		err = s.offer(name)
	}
	if err != nil {
		return errors.Join(err, s.remove(context.WithoutCancel(ctx), name))
	}
	return nil
}

// offer makes a started sandbox one of those that are ready.
func (s *Sandbox) offer(name string) error {
	st, err := s.state(name)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.retired {
		return errors.New("sandbox: retired")
	}
	s.ready = append(s.ready, &ready{name: name, netns: namespaceOf(st), abandon: func() {}})
	return nil
}

func namespaceOf(st api.State) string { return namespace(st.Shim.PID) }

func namespace(pid int) string { return fmt.Sprintf("/proc/%d/ns/net", pid) }

// recover takes over what an earlier process has left of sandboxes without tasks.
func (s *Sandbox) recover(ctx context.Context) error {
	entries, err := os.ReadDir(s.cfg.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var errs error
	linked := map[string]bool{}
	for _, e := range entries {
		if e.Type() != fs.ModeSymlink {
			continue
		}
		errs = errors.Join(errs, s.recoverTask(ctx, e.Name()))
		linked[filepath.Base(s.dir(e.Name()))] = true
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), warmPrefix) || linked[e.Name()] {
			continue
		}
		if s.lacks() && s.usable(ctx, e.Name()) {
			errs = errors.Join(errs, s.offer(e.Name()))
			continue
		}
		errs = errors.Join(errs, s.Close(ctx, e.Name()))
	}
	return errs
}

// recoverTask removes a task that an earlier process reserved a sandbox for and
// did not open.
func (s *Sandbox) recoverTask(ctx context.Context, task string) error {
	defer s.lock(task)()
	ours := s.reservation(task) != nil
	st, err := s.state(task)
	if ours || err == nil && st.Spec.Task != "" {
		return nil
	}
	if err != nil && !errors.Is(err, sandbox.ErrNotFound) {
		return err
	}
	return s.remove(ctx, task)
}

// usable reports whether a sandbox that an earlier process started waits for a
// task, and speaks as those do that this one would start.
func (s *Sandbox) usable(ctx context.Context, name string) bool {
	ask, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	a, err := api.Call(ask, s.socket(name), api.Request{Op: api.OpState})
	if err != nil || a.State == nil || a.State.Spec.Task != "" || !s.lives(name) {
		return false
	}
	return sameFile(fmt.Sprintf("/proc/%d/exe", a.State.Shim.PID), s.cfg.Bin)
}

// sameAs reports whether an open file is what a path names.
func sameAs(f *os.File, path string) bool {
	x, err := f.Stat()
	if err != nil {
		return false
	}
	y, err := os.Stat(path)
	return err == nil && os.SameFile(x, y)
}

func sameFile(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}

// Reserve implements sandbox.Reserver.
func (s *Sandbox) Reserve(ctx context.Context, spec sandbox.Spec) (namespace string, ok bool, err error) {
	task := spec.Task
	if err := checkTask(task); err != nil {
		return "", false, err
	}
	if s.runtime != api.GVisor {
		return "", false, nil
	}
	defer s.lock(task)()
	if r := s.reservation(task); r != nil {
		return r.netns, true, nil
	}
	if _, err := os.Lstat(s.link(task)); err == nil {
		return "", false, nil // it is open, or Open will see
	}
	r, err := s.started(ctx, task)
	if err == nil && r == nil {
		r, err = s.hasten(ctx, spec)
	}
	if err != nil {
		return "", false, err
	}
	if r.begun == nil {
		go s.prepare(spec, r)
	}
	return r.netns, true, nil
}

// started makes a ready sandbox a task's; nil: there is none.
func (s *Sandbox) started(ctx context.Context, task string) (*ready, error) {
	s.gate.touch()
	for {
		r := s.next()
		if r == nil {
			return nil, nil
		}
		err := ctx.Err()
		if err == nil && s.lives(r.name) {
			if err = os.Symlink(r.name, s.link(task)); err == nil {
				s.reserve(task, r)
				return r, nil
			}
		}
		if err = errors.Join(err, s.Close(context.WithoutCancel(ctx), r.name)); err != nil {
			return nil, err
		}
	}
}

// hasten begins to start a sandbox for a task: there is something to do before it is
// needed.
func (s *Sandbox) hasten(ctx context.Context, spec sandbox.Spec) (r *ready, err error) {
	leave, err := s.gate.enter(ctx)
	if err != nil {
		return nil, err
	}
	if err = os.MkdirAll(s.cfg.Dir, 0o711); err != nil {
		leave()
		return nil, err
	}
	dir, err := os.MkdirTemp(s.cfg.Dir, warmPrefix)
	if err != nil {
		leave()
		return nil, err
	}
	own, cancel := context.WithCancel(context.Background())
	r = &ready{name: filepath.Base(dir), begun: make(chan struct{}), abandon: cancel}
	s.reserve(spec.Task, r)
	err = os.Symlink(r.name, s.link(spec.Task))
	var pid int
	var opened func() error
	if err == nil {
		known := spec
		known.Task, known.NetNS, known.Files = "", "", nil // an adopt says whose it is
		pid, opened, err = s.begin(own, r.name, known, true, true)
	}
	if err != nil {
		cancel()
		close(r.begun)
		leave()
		return nil, errors.Join(err, s.remove(context.WithoutCancel(ctx), spec.Task), os.RemoveAll(dir))
	}
	r.netns = namespace(pid)
	if r.home, err = os.Open(r.netns); err != nil {
		r.home = nil // it died: an adopt finds out
	}
	go func() {
		defer cancel()
		defer leave()
		_ = opened() // an adopt finds out
		close(r.begun)
		s.prepare(spec, r) // until it has started
	}()
	return r, nil
}

// Prepare implements sandbox.Reserver.
func (s *Sandbox) Prepare(ctx context.Context, spec sandbox.Spec, c sandbox.Container) error {
	r := s.reservation(spec.Task)
	if r == nil {
		return nil
	}
	if err := r.wait(ctx); err != nil {
		return err
	}
	a, err := api.Call(ctx, filepath.Join(s.cfg.Dir, r.name, api.SocketFile), api.Request{Op: api.OpPrepare, Spec: &spec, Container: &c})
	return errors.Join(err, errorOf(a))
}

// prepare readies a reserved sandbox for its task, as far as that can be done now.
func (s *Sandbox) prepare(spec sandbox.Spec, r *ready) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if r.wait(ctx) != nil || s.reservation(spec.Task) != r {
		return
	}
	_, _ = api.Call(ctx, filepath.Join(s.cfg.Dir, r.name, api.SocketFile), api.Request{Op: api.OpPrepare, Spec: &spec}) // an adopt does what was not done
}

// next takes a ready sandbox.
func (s *Sandbox) next() *ready {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.ready) == 0 {
		return nil
	}
	r := s.ready[0]
	s.ready = s.ready[1:]
	select {
	case s.taken <- struct{}{}:
	default:
	}
	return r
}

// Ready is how many sandboxes are ready for tasks to come.
func (s *Sandbox) Ready() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.ready)
}

func (s *Sandbox) reserve(task string, r *ready) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reserved[task] = r
}

// reservation is the sandbox that is reserved for a task, nil if none is.
func (s *Sandbox) reservation(task string) *ready {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reserved[task]
}

// release ends a reservation and returns what it was, nil if it was none.
func (s *Sandbox) release(task string) *ready {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.reserved[task]
	delete(s.reserved, task)
	if r != nil && r.home != nil {
		r.home.Close()
		r.home = nil
	}
	return r
}

// adopt opens the sandbox that is reserved for a task. The file is the network
// namespace it is in, where the caller names no other.
func (s *Sandbox) adopt(ctx context.Context, spec sandbox.Spec) (home *os.File, err error) {
	r := s.reservation(spec.Task)
	if r == nil {
		return nil, errors.New("no sandbox is reserved")
	}
	switch own := r.netns; {
	case r.home != nil && (spec.NetNS == "" || spec.NetNS == own || sameAs(r.home, spec.NetNS)):
		home, r.home = r.home, nil
	case spec.NetNS == "" || spec.NetNS == own:
		if home, err = os.Open(own); err != nil {
			return nil, err
		}
	case !sameFile(spec.NetNS, own):
		return nil, errors.New("the sandbox is in another network namespace")
	}
	ask, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	a, err := api.Call(ask, s.socket(spec.Task), api.Request{Op: api.OpAdopt, Spec: &spec})
	if err = errors.Join(err, errorOf(a)); err == nil {
		s.release(spec.Task)
	}
	return home, err
}

// launchIn starts a task's shim in an open network namespace.
func (s *Sandbox) launchIn(ctx context.Context, home *os.File, spec sandbox.Spec) error {
	spec.NetNS = ""
	return netns.Do(fmt.Sprintf("/proc/self/fd/%d", home.Fd()), func() error { return s.launch(ctx, spec.Task, spec, false) })
}
