package node

import (
	"context"
	"errors"
	"net/netip"
	"syscall"
	"time"

	"neargate/node/container"
	"neargate/node/image"
	"neargate/node/logdriver"
	"neargate/node/sandbox"
	"neargate/node/vpc"
	"neargate/resource/compute"
	"neargate/resource/compute/taskdef"
	"neargate/resource/network"
	"neargate/shim/api"
)

// plug makes a task's sandbox with its network interface in it: one that is ready,
// where there is one. What an earlier daemon began to make is removed: it may have
// been killed between any two steps.
func (h *Host) plug(ctx context.Context, j *Job) error {
	t, n := &j.Task, container.Net{}
	if h.Network != nil && h.Network.Inherited(t.Attachment.ENI) {
		if err := errors.Join(h.Sandbox.Close(ctx, t.ID), h.Network.Unplug(ctx, t.Attachment.ENI)); err != nil {
			return err
		}
	}
	ready := ""
	if r, ok := h.Sandbox.(sandbox.Reserver); ok {
		var err error
		if ready, _, err = r.Reserve(ctx, t.ID); err != nil {
			return err
		}
	}
	if h.Network != nil && t.Attachment.ENI != "" {
		p, err := h.Network.Plug(ctx, t, ready)
		if err != nil {
			return err
		}
		n = netOf(&p)
	}
	return h.Sandbox.Open(ctx, container.Spec(t, &j.Definition, n))
}

// netOf is what a sandbox needs of its interface.
func netOf(p *vpc.Plugged) container.Net {
	n := container.Net{NetNS: p.Namespace, Search: []string{network.PrivateDomain(p.VPC.Region)}}
	if cidr, err := netip.ParsePrefix(p.VPC.CIDR); err == nil {
		n.Resolvers = []string{vpc.Resolver(cidr).String()}
	}
	return n
}

// pull fetches a container's variables, makes its image available and returns its
// digest.
func (h *Host) pull(l *lane, j *Job, name string) (digest string, err error) {
	if _, err := h.fetch(l.ctx, l, j, name); err != nil {
		return "", err
	}
	if h.Images == nil {
		return "", nil
	}
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
	req.Credentials, err = h.login(l.ctx, j, name)
	if err == nil && h.Access != nil {
		err = h.Access(l.ctx, &j.Task, &req)
	}
	var img image.Image
	if err == nil {
		img, err = h.Images.Pull(l.ctx, req)
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
	return container.Container(&j.Task, &j.Definition, name, images, v)
}

// described is a container as far as it can be described.
func (h *Host) described(l *lane, j *Job, name string) sandbox.Container {
	c, _ := h.container(l, j, name, container.Variables{})
	return c
}

// create makes a container, and first the log stream it writes to.
func (h *Host) create(l *lane, j *Job, name string) error {
	v, err := h.fetch(l.ctx, l, j, name)
	if err != nil {
		return err
	}
	c, err := h.container(l, j, name, v)
	if err != nil {
		return err
	}
	if d := j.Definition.Container(name); h.Logs != nil && d != nil && d.LogConfiguration != nil {
		if c.Log, err = h.openLog(l.ctx, &j.Task, name, d.LogConfiguration); err != nil {
			return err
		}
	}
	if err := h.Sandbox.Create(l.ctx, j.Task.ID, c); err != nil {
		return container.Failure(c, err)
	}
	return nil
}

// openLog makes the log stream of a container.
func (h *Host) openLog(ctx context.Context, t *compute.Task, name string, l *taskdef.Logging) (api.Log, error) {
	owner := logdriver.Task{ID: t.ID, Account: t.Account, ExecutionRole: t.Spec.ExecutionRole}
	if h.LogMode != nil {
		var err error
		if owner.DefaultMode, err = h.LogMode(ctx, t); err != nil {
			return api.Log{}, err
		}
	}
	return h.Logs.Open(ctx, owner, name, l)
}

// signal sends a container its stop signal, or kills it. One that cannot be
// stopped is killed later; one that cannot be killed goes with its task.
func (h *Host) signal(l *lane, j *Job, name string, kill bool) {
	sig := syscall.SIGKILL
	if !kill {
		img, _ := h.image(l, &j.Task, name)
		sig = container.StopSignal(img.Config.StopSignal)
	}
	for h.Sandbox.Signal(l.ctx, j.Task.ID, name, sig) != nil && kill && pause(l.ctx, retryAfter) {
	}
}
