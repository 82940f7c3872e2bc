package node

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"neargate/internal/pause"
	"neargate/node/container"
	"neargate/node/image"
	"neargate/node/logdriver"
	"neargate/node/outlet"
	"neargate/node/sandbox"
	"neargate/node/vpc"
	"neargate/resource/compute"
	"neargate/shim/api"
)

// plug makes a task's network interface, in the namespace of a sandbox that is ready
// where there is one. What an earlier daemon began to make is removed: it may have
// been killed between any two steps.
func (h *Host) plug(l *lane, j *Job) error {
	ctx, t, n := l.ctx, &j.Task, container.Net{}
	if h.Network != nil && h.Network.Inherited(t.Attachment.ENI) {
		if err := errors.Join(h.Sandbox.Close(ctx, t.ID), h.Network.Unplug(ctx, t.Attachment.ENI)); err != nil {
			return err
		}
	}
	ready := ""
	if r, ok := h.Sandbox.(sandbox.Reserver); ok {
		var err error
		if ready, _, err = r.Reserve(ctx, container.Spec(t, &j.Definition, n)); err != nil {
			return err
		}
	}
	var role sync.WaitGroup
	role.Go(func() { h.prepareLogs(ctx, j) })
	defer role.Wait()
	var way *outlet.Outlet
	if h.Network != nil && t.Attachment.ENI != "" {
		p, err := h.Network.Plug(ctx, t, ready)
		if err != nil {
			return err
		}
		n = netOf(&p)
		if h.TLS != nil {
			if way, err = h.outlet(&p); err != nil {
				return err
			}
			h.prepareLogs(outlet.With(ctx, way), j)
		}
	}
	if s, ok := h.Sandbox.(sandbox.Sharer); ok && s.Shares() {
		l.jobs.Go(func() { _ = h.Sandbox.Open(ctx, container.Spec(t, &j.Definition, n)) }) // open tries again
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.net, l.way = &n, way
	return nil
}

// prepareLogs gets what the containers' log streams will need: a task's are of one
// region, as a rule.
func (h *Host) prepareLogs(ctx context.Context, j *Job) {
	for i := range j.Definition.ContainerDefinitions {
		if d := &j.Definition.ContainerDefinitions[i]; h.Logs != nil && d.LogConfiguration != nil {
			h.Logs.Prepare(ctx, logsOf(&j.Task), d.LogConfiguration)
			return
		}
	}
}

// logsOf is what the log driver must know of a task.
func logsOf(t *compute.Task) logdriver.Task {
	return logdriver.Task{ID: t.ID, Account: t.Account, ExecutionRole: t.Spec.ExecutionRole}
}

// outlet is the way to the network that a task's interface is until its sandbox has
// it.
func (h *Host) outlet(p *vpc.Plugged) (*outlet.Outlet, error) {
	cidr, err := netip.ParsePrefix(p.VPC.CIDR)
	if err != nil {
		return nil, err
	}
	return outlet.New(p.Namespace, netip.AddrPortFrom(vpc.Resolver(cidr), vpc.DNSPort), h.TLS), nil
}

// outward is a context for what is fetched for a task before its containers start:
// through its interface, but for one whose sandbox an earlier daemon opened.
func (l *lane) outward() context.Context {
	l.mu.Lock()
	defer l.mu.Unlock()
	return outlet.With(l.ctx, l.way)
}

// open makes a task's sandbox, which may take over the interface, unless that is done.
// Everything that is fetched through the interface is here by now.
func (h *Host) open(l *lane, j *Job) error {
	l.opening.Lock()
	defer l.opening.Unlock()
	l.mu.Lock()
	n, way := l.net, l.way
	l.mu.Unlock()
	if n == nil {
		return nil
	}
	if way != nil {
		way.Close()
	}
	if err := h.Sandbox.Open(l.ctx, container.Spec(&j.Task, &j.Definition, *n)); err != nil {
		return unopened{err}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.net, l.way = nil, nil
	return nil
}

// unopened is why a sandbox could not be made.
type unopened struct{ error }

// ECSName is the name ECS gives to such an error.
func (unopened) ECSName() string { return "ResourceInitializationError" }

// Unwrap returns the error.
func (u unopened) Unwrap() error { return u.error }

// netOf is what a sandbox needs of its interface.
func netOf(p *vpc.Plugged) container.Net {
	n := container.Net{NetNS: p.Namespace}
	if names, err := p.VPC.Naming(&p.DHCP); err == nil {
		n.Search = names.Search
		for _, a := range names.Servers {
			n.Resolvers = append(n.Resolvers, a.String())
		}
	}
	return n
}

// pull fetches all that a container needs from the network: its variables, its image,
// whose digest it returns, and the log stream it writes to.
func (h *Host) pull(l *lane, j *Job, name string) (digest string, err error) {
	ctx := l.outward()
	got, err := h.fetch(ctx, l, j, name)
	if err != nil {
		return "", err
	}
	if h.Images != nil {
		if digest, err = h.pullImage(ctx, l, j, name); err != nil {
			return "", err
		}
		l.jobs.Go(func() { h.ahead(l, j, name, got.Variables) })
	}
	_, err = h.log(ctx, l, j, name, got.logOptions)
	return digest, err
}

func (h *Host) pullImage(ctx context.Context, l *lane, j *Job, name string) (digest string, err error) {
	ref := imageOf(&j.Task, name)
	begin := time.Now()
	log := h.Log.With("task", j.Task.ID, "image", ref)
	told := begin
	req := image.Request{
		Task: j.Task.ID, Ref: ref, Arch: j.Task.Spec.Architecture,
		Progress: func(p image.Progress) {
			if time.Since(told) >= time.Second {
				told = time.Now()
				log.Info("pulling", "done", p.Done, "of", p.Total)
			}
		},
	}
	req.Credentials, err = h.login(ctx, j, name)
	if err == nil && h.Access != nil {
		err = h.Access(ctx, &j.Task, &req)
	}
	var img image.Image
	if err == nil {
		img, err = h.Images.Pull(ctx, req)
	}
	if err != nil {
		log.Info("not pulled", "error", err)
		return "", err
	}
	log.Info("pulled", "digest", img.Digest, "bytes", img.Size, "took", time.Since(begin).Round(time.Millisecond))
	l.mu.Lock()
	defer l.mu.Unlock()
	l.images[name] = img
	return img.Digest, nil
}

// imageOf is the image that a task's container asks for.
func imageOf(t *compute.Task, name string) string {
	for _, c := range t.Spec.Containers {
		if c.Name == name {
			return c.Image
		}
	}
	return ""
}

// image is a container's image, also one that was pulled before a restart.
func (h *Host) image(l *lane, t *compute.Task, name string) (image.Image, bool) {
	l.mu.Lock()
	img, ok := l.images[name]
	l.mu.Unlock()
	if ok || h.Images == nil {
		return img, ok
	}
	img, ok, err := h.Images.Find(t.ID, imageOf(t, name))
	return img, ok && err == nil
}

// container describes a container of a task, with the variables that were fetched
// for it.
func (h *Host) container(l *lane, j *Job, name string, v container.Variables) (sandbox.Container, error) {
	if h.Images == nil {
		return sandbox.Container{Name: name, Image: imageOf(&j.Task, name)}, nil
	}
	images := map[string]container.Image{}
	for _, c := range j.Task.Spec.Containers {
		if img, ok := h.image(l, &j.Task, c.Name); ok {
			images[c.Name] = container.Image{Layers: img.Layers, Config: img.Config, User: img.User}
		}
	}
	if h.Environment != nil {
		v.Agent = h.Environment(&j.Task, name)
	}
	if h.Trust == nil {
		return container.Container(&j.Task, &j.Definition, name, images, v)
	}
	layer, variables, err := h.Trust(images[name].Layers)
	if err != nil {
		return sandbox.Container{}, err
	}
	v.Default = variables
	c, err := container.Container(&j.Task, &j.Definition, name, images, v)
	c.Layers = append([]string{layer}, c.Layers...)
	return c, err
}

// described is a container as far as it can be described.
func (h *Host) described(l *lane, j *Job, name string) sandbox.Container {
	c, _ := h.container(l, j, name, container.Variables{})
	return c
}

// ahead has a reserved sandbox make a container while its log is opened: one that will
// be made for sure, when everything it is made of is here.
func (h *Host) ahead(l *lane, j *Job, name string, v container.Variables) {
	r, ok := h.Sandbox.(sandbox.Reserver)
	if d := j.Definition.Container(name); !ok || d == nil || len(d.DependsOn) > 0 {
		return
	}
	l.mu.Lock()
	n, images := l.net, len(l.images)
	l.mu.Unlock()
	if n == nil || images < len(j.Task.Spec.Containers) {
		return
	}
	c, err := h.container(l, j, name, v)
	if err == nil {
		err = r.Prepare(l.ctx, container.Spec(&j.Task, &j.Definition, *n), c)
	}
	if err != nil && l.ctx.Err() == nil {
		h.Log.Debug("a container was not made in advance", "task", j.Task.ID, "container", name, "error", err)
	}
}

// create makes a container, and the sandbox before the first one.
func (h *Host) create(l *lane, j *Job, name string) error {
	got, err := h.fetch(l.ctx, l, j, name)
	if err != nil {
		return err
	}
	c, err := h.container(l, j, name, got.Variables)
	if err != nil {
		return err
	}
	if c.Log, err = h.log(l.ctx, l, j, name, got.logOptions); err != nil {
		return err
	}
	if err := h.open(l, j); err != nil {
		return err
	}
	if err := h.Sandbox.Create(l.ctx, j.Task.ID, c); err != nil {
		return container.Failure(c, err)
	}
	return nil
}

// log is what is done with a container's output; it makes the log stream unless this
// daemon has. secrets are the options of the driver that were fetched.
func (h *Host) log(ctx context.Context, l *lane, j *Job, name string, secrets map[string]string) (api.Log, error) {
	d := j.Definition.Container(name)
	if h.Logs == nil || d == nil || d.LogConfiguration == nil {
		return api.Log{}, nil
	}
	l.mu.Lock()
	known, ok := l.logs[name]
	l.mu.Unlock()
	if ok {
		return known, nil
	}
	t := &j.Task
	owner := logsOf(t)
	if h.LogMode != nil {
		var err error
		if owner.DefaultMode, err = h.LogMode(ctx, t); err != nil {
			return api.Log{}, err
		}
	}
	made, err := h.Logs.Open(ctx, owner, name, d.LogConfiguration.Resolved(secrets))
	if err == nil {
		l.mu.Lock()
		l.logs[name] = made
		l.mu.Unlock()
	}
	return made, err
}

// signal sends a container its stop signal, or kills it. One that cannot be
// stopped is killed later; one that cannot be killed goes with its task.
func (h *Host) signal(l *lane, j *Job, name string, kill bool) {
	sig := syscall.SIGKILL
	if !kill {
		img, _ := h.image(l, &j.Task, name)
		sig = container.StopSignal(img.Config.StopSignal)
	}
	for h.Sandbox.Signal(l.ctx, j.Task.ID, name, sig) != nil && kill && pause.For(l.ctx, retryAfter) {
	}
}
