package gvisor

import (
	"reflect"

	"neargate/shim/api"
)

// ahead is a container that is made before its Create.
type ahead struct {
	spec api.Container // without its log
	done chan struct{} // closed when it is made, or cannot be
	made *gvisorContainer
	err  error
}

// Ahead implements runtime.Adopter. A terminal is its Create's, and sysctls are of all
// containers.
func (g *gvisor) Ahead(c api.Container) error {
	if c.Terminal || len(c.Sysctls) > 0 {
		return nil
	}
	c.Log = api.Log{}
	a := &ahead{spec: c, done: make(chan struct{})}
	g.mu.Lock()
	known := g.ahead[c.Name] != nil || g.all[c.Name] != nil
	if !known {
		g.ahead[c.Name] = a
	}
	g.mu.Unlock()
	if known {
		return nil
	}
	defer close(a.done)
	if a.made, a.err = g.layer(c); a.err == nil {
		a.err = g.compose(a.made)
	}
	return a.err
}

// takeAhead is a container that was made ahead, or why it could not be; nil if none was,
// or another.
func (g *gvisor) takeAhead(c api.Container) (*gvisorContainer, error) {
	g.mu.Lock()
	a := g.ahead[c.Name]
	delete(g.ahead, c.Name)
	g.mu.Unlock()
	if a == nil {
		return nil, nil
	}
	<-a.done
	c.Log = api.Log{}
	switch {
	case reflect.DeepEqual(a.spec, c):
		return a.made, a.err
	case a.err != nil:
		return nil, nil
	}
	a.made.files.drop()
	return nil, a.made.box.Destroy()
}
