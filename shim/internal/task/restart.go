package task

import (
	"errors"
	"fmt"
	"time"

	"neargate/shim/api"
)

// startAgain starts a container for the n-th time after its first: nothing to do
// if it was.
func (s *shim) startAgain(name string, n int) error {
	l, _, err := s.find(name)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	_, c, err := s.find(name)
	switch {
	case err != nil:
		return err
	case c.StartedAt.IsZero():
		return errNotRunning
	case c.Restarts == n:
		return nil
	case c.Restarts != n-1:
		return fmt.Errorf("start %d of a container that was started again %d times", n, c.Restarts)
	case c.Exit == nil:
		return errors.New("the container has not ended")
	}
	o, err := s.output(c.Container)
	if err != nil {
		return err
	}
	err = s.rt.Recreate(name, o.Stdio)
	if err == nil {
		err = o.Created()
	}
	if err == nil {
		err = s.rt.Start(name)
	}
	if err != nil {
		o.Close()
		return err
	}
	l.output = o
	o.Started()
	over := make(chan struct{})
	s.mu.Lock()
	l.over = over
	s.mu.Unlock()
	s.update(name, false, func(c *api.ContainerState) {
		c.StartedAt, c.Exit, c.Restarts, c.Process = time.Now(), nil, n, s.rt.Process(name)
	})
	go s.follow(name, o, over)
	return nil
}
