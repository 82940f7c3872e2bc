package gvisor

import (
	"fmt"
	"os"
	"path/filepath"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/runsc/config"
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

// files are those of a container, as its gofer serves them to the sandbox.
type files struct {
	done   chan struct{} // closed when the gofer serves, or cannot
	gofer  *gofer.Gofer
	confs  specutils.GoferMountConfFlags
	near   open          // the sandbox's ends of its connections
	mounts []specs.Mount // what the gofer found them to be
	err    error
}

// serve begins to make a gofer serve a container, as gVisor does with one that it makes
// for it: each mount has a connection, in the order of the specification.
func (g *gvisor) serve(bundle string, mounts []specs.Mount, id string) *files {
	f := &files{done: make(chan struct{}), confs: specutils.GoferMountConfFlags{{Lower: specutils.Lisafs, Upper: specutils.NoOverlay}}}
	for _, m := range mounts {
		if specutils.HasMountConfig(m) {
			f.confs = append(f.confs, f.confs[0])
		}
	}
	p := g.takeGofer()
	g.moves.Go(func() {
		defer close(f.done)
		<-p.done
		if f.gofer, f.err = p.gofer, p.err; f.err == nil {
			f.err = f.tell(g.conf, bundle, id)
		}
	})
	return f
}

// tell tells the gofer what to serve, and hears what it found.
func (f *files) tell(conf *config.Config, bundle, id string) error {
	var far open
	defer far.close()
	defer f.gofer.Close()
	file, err := specutils.OpenSpec(bundle)
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
	for range len(f.confs) + 1 {
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		f.near, far = append(f.near, os.NewFile(uintptr(fds[0]), "sandbox")), append(far, os.NewFile(uintptr(fds[1]), "gofer"))
		flags = append(flags, "io-fds")
	}
	flags[2] = "rpc-fd" // for mounts that a gofer does not see; there are none, and nobody answers
	f.near[0].Close()
	args := append(conf.ToFlags(), "gofer", "--bundle", bundle, "--gofer-mount-confs="+f.confs.String())
	if err := f.gofer.Run(args, flags, far, id); err != nil {
		return err
	}
	far.close()
	if f.mounts, err = specutils.ReadMounts(mounts); err != nil {
		return fmt.Errorf("mounts: %w", err)
	}
	return nil
}

// drop ends what serves nobody.
func (f *files) drop() {
	<-f.done
	f.near.close()
}

// run starts a created container, whose files its gofer serves: what the gofer found
// the mounts to be is what the sandbox is told.
func (g *gvisor) run(b *gvisorContainer) error {
	f := b.files
	defer f.drop()
	if <-f.done; f.err != nil {
		return f.err
	}
	b.box.GoferPid.Store(f.gofer.PID())
	go func() {
		<-f.gofer.Ended()
		b.box.GoferPid.Store(0)
	}()
	spec := b.box.Spec
	spec.Mounts = f.mounts
	var stdio []*os.File // of a terminal, the sandbox has them since the container was created
	if b.stdio.Files[0] != nil {
		stdio = b.stdio.Files[:]
	}
	err := g.apart(func() error {
		return b.box.Sandbox.StartSubcontainer(spec, g.conf, b.id, stdio, f.near[1:], nil, nil, f.confs)
	})
	if err != nil {
		return err
	}
	b.box.Status, b.box.GoferMountConfs = container.Running, f.confs
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
