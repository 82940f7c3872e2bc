package gvisor

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/runsc/container"
	"gvisor.dev/gvisor/runsc/specutils"

	"neargate/shim/internal/gofer"
)

// pending is a gofer that is being made.
type pending struct {
	done  chan struct{} // closed when it is made, or cannot be
	gofer *gofer.Gofer
	err   error
}

// shareDisk makes what is mounted on the task's disk, and the disk itself, seen by
// gofers that were made before.
func (g *gvisor) shareDisk() error {
	dir := g.Dir("disk")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := unix.Mount(dir, dir, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("bind %s: %w", filepath.Base(dir), err)
	}
	return unix.Mount("", dir, "", unix.MS_SHARED, "")
}

// makeGofer begins to make a gofer for the next container.
func (g *gvisor) makeGofer() *pending {
	p := &pending{done: make(chan struct{})}
	g.moves.Go(func() {
		defer close(p.done)
		if p.gofer, p.err = gofer.Make(); p.err == nil {
			_ = g.Group.Add(p.gofer.PID()) // it ends with the sandbox in any case
		}
	})
	return p
}

// takeGofer is the gofer for a container that is made.
func (g *gvisor) takeGofer() *pending {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.next
	if g.next = nil; p == nil {
		p = g.makeGofer()
	}
	return p
}

// drop ends a gofer that has nothing to serve.
func (p *pending) drop() {
	if <-p.done; p.err == nil {
		p.gofer.Close()
	}
}

// serve starts a created container with its gofer, as gVisor does with one that it makes
// for it: each mount has a connection, in the order of the specification, and what the
// gofer found the mounts to be is what the sandbox is told.
func (g *gvisor) serve(b *gvisorContainer) error {
	if <-b.gofer.done; b.gofer.err != nil {
		return b.gofer.err
	}
	spec := b.box.Spec
	confs := specutils.GoferMountConfFlags{{Lower: specutils.Lisafs, Upper: specutils.NoOverlay}}
	for _, m := range spec.Mounts {
		if specutils.HasMountConfig(m) {
			confs = append(confs, confs[0])
		}
	}
	var near, far open
	defer near.close()
	defer far.close()
	file, err := specutils.OpenSpec(b.box.BundleDir)
	if err != nil {
		return err
	}
	far = append(far, file)
	mounts, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer mounts.Close()
	far = append(far, w)
	flags := []string{"spec-fd", "mounts-fd"}
	for range len(confs) + 1 {
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		near, far = append(near, os.NewFile(uintptr(fds[0]), "sandbox")), append(far, os.NewFile(uintptr(fds[1]), "gofer"))
		flags = append(flags, "io-fds")
	}
	flags[2] = "rpc-fd" // for mounts that a gofer does not see; there are none, and nobody answers
	near[0].Close()
	args := append(g.conf.ToFlags(), "gofer", "--bundle", b.box.BundleDir, "--gofer-mount-confs="+confs.String())
	if err := b.gofer.gofer.Run(args, flags, far, b.id); err != nil {
		return err
	}
	far.close()
	b.box.GoferPid.Store(b.gofer.gofer.PID())
	go func() {
		<-b.gofer.gofer.Ended()
		b.box.GoferPid.Store(0)
	}()
	if spec.Mounts, err = specutils.ReadMounts(mounts); err != nil {
		return fmt.Errorf("mounts: %w", err)
	}
	var stdio []*os.File // of a terminal, the sandbox has them since the container was created
	if b.stdio.Files[0] != nil {
		stdio = b.stdio.Files[:]
	}
	err = g.apart(func() error {
		return b.box.Sandbox.StartSubcontainer(spec, g.conf, b.id, stdio, near[1:], nil, nil, confs)
	})
	if err != nil {
		return err
	}
	b.box.Status, b.box.GoferMountConfs = container.Running, confs
	return nil
}

// open are files to be closed.
type open []*os.File

func (o *open) close() {
	for _, f := range *o {
		f.Close()
	}
	*o = nil
}
