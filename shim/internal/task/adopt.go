package task

import (
	"errors"
	"fmt"

	"neargate/shim/api"
	"neargate/shim/internal/runtime"
)

// waits reports whether the sandbox has no task yet: it can only be adopted then,
// looked at and closed.
func (s *shim) waits() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.Spec.Task == ""
}

// prepare readies a waiting sandbox for a task that will adopt it, and a container of
// the task if there is one. It returns when the sandbox has started.
func (s *shim) prepare(spec *api.Spec, c *api.Container) error {
	if spec == nil || spec.Task == "" {
		return errors.New("no task to prepare for")
	}
	a, ok := s.rt.(runtime.Adopter)
	if !ok {
		return nil
	}
	if waits, err := s.expect(a, *spec, c != nil); !waits || err != nil {
		return err
	}
	var err error
	if c != nil {
		err = a.Ahead(*c)
	}
	<-a.Started()
	return err
}

// expect readies a sandbox, if it still waits, for a task, but not for its containers.
func (s *shim) expect(a runtime.Adopter, spec api.Spec, whole bool) (waits bool, err error) {
	s.adopting.Lock()
	defer s.adopting.Unlock()
	if !s.waits() {
		return false, nil
	}
	return true, a.Prepare(spec, whole)
}

// adopt makes a waiting sandbox that of a task; nil if it is already.
func (s *shim) adopt(spec *api.Spec) error {
	if spec == nil || spec.Task == "" {
		return errors.New("no task to adopt")
	}
	a, ok := s.rt.(runtime.Adopter)
	if ok {
		<-a.Started() // a container may be made ahead meanwhile
	}
	s.adopting.Lock()
	defer s.adopting.Unlock()
	if !s.waits() {
		if is := s.state.Spec.Task; is != spec.Task {
			return fmt.Errorf("the sandbox is that of %s", is)
		}
		return nil
	}
	if !ok {
		return fmt.Errorf("%s cannot adopt", s.cfg.Runtime)
	}
	if err := a.Adopt(*spec); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cfg.Spec, s.state.Spec, s.state.Sandbox = *spec, *spec, s.rt.Sandbox()
	return save(s.cfg.Dir, &s.state, false)
}
