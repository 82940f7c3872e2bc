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

// ready is a started sandbox without a task.
type ready struct {
	name  string // of its directory
	netns string
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
		r, ok := s.next()
		if !ok {
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
	s.ready = append(s.ready, ready{name, namespaceOf(st)})
	return nil
}

func namespaceOf(st api.State) string { return fmt.Sprintf("/proc/%d/ns/net", st.Shim.PID) }

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
	s.mu.Lock()
	_, ours := s.reserved[task]
	s.mu.Unlock()
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

func sameFile(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}

// Reserve implements sandbox.Reserver.
func (s *Sandbox) Reserve(ctx context.Context, task string) (namespace string, ok bool, err error) {
	if err := checkTask(task); err != nil {
		return "", false, err
	}
	defer s.lock(task)()
	s.mu.Lock()
	namespace, ok = s.reserved[task]
	s.mu.Unlock()
	if ok {
		return namespace, true, nil
	}
	if _, err := os.Lstat(s.link(task)); err == nil {
		return "", false, nil // it is open, or Open will see
	}
	s.gate.touch()
	for {
		r, ok := s.next()
		if !ok {
			return "", false, nil
		}
		err := ctx.Err()
		if err == nil && s.lives(r.name) {
			if err = os.Symlink(r.name, s.link(task)); err == nil {
				s.reserve(task, r)
				return r.netns, true, nil
			}
		}
		if err = errors.Join(err, s.Close(context.WithoutCancel(ctx), r.name)); err != nil {
			return "", false, err
		}
	}
}

// next takes a ready sandbox.
func (s *Sandbox) next() (ready, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.ready) == 0 {
		return ready{}, false
	}
	r := s.ready[0]
	s.ready = s.ready[1:]
	select {
	case s.taken <- struct{}{}:
	default:
	}
	return r, true
}

func (s *Sandbox) reserve(task string, r ready) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reserved[task] = r.netns
}

func (s *Sandbox) release(task string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.reserved, task)
}

// adopt opens the sandbox that is reserved for a task. The file is the network
// namespace it is in, where the caller names no other.
func (s *Sandbox) adopt(ctx context.Context, spec sandbox.Spec) (home *os.File, err error) {
	s.mu.Lock()
	own, ok := s.reserved[spec.Task]
	s.mu.Unlock()
	if !ok {
		return nil, errors.New("no sandbox is reserved")
	}
	if spec.NetNS == "" || spec.NetNS == own {
		if home, err = os.Open(own); err != nil {
			return nil, err
		}
	} else if !sameFile(spec.NetNS, own) {
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
