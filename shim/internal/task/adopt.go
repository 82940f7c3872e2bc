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

// prepare readies a waiting sandbox for a task that will adopt it.
func (s *shim) prepare(spec *api.Spec) error {
	if spec == nil || spec.Task == "" {
		return errors.New("no task to prepare for")
	}
	s.adopting.Lock()
	defer s.adopting.Unlock()
	a, ok := s.rt.(runtime.Adopter)
	if !ok || !s.waits() {
		return nil
	}
	return a.Prepare(*spec)
}

// adopt makes a waiting sandbox that of a task; nil if it is already.
func (s *shim) adopt(spec *api.Spec) error {
	if spec == nil || spec.Task == "" {
		return errors.New("no task to adopt")
	}
	s.adopting.Lock()
	defer s.adopting.Unlock()
	if !s.waits() {
		if is := s.state.Spec.Task; is != spec.Task {
			return fmt.Errorf("the sandbox is that of %s", is)
		}
		return nil
	}
	a, ok := s.rt.(runtime.Adopter)
	if !ok {
		return fmt.Errorf("%s cannot adopt", s.cfg.Runtime)
	}
	if err := a.Adopt(*spec); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cfg.Spec, s.state.Spec = *spec, *spec
	return save(s.cfg.Dir, &s.state, false)
}
