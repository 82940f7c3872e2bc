// Package gvisor runs a task's containers in one sandbox of gVisor, whose packages
// it calls in its own process.
package gvisor

import (
	"context"
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/log"
	"gvisor.dev/gvisor/pkg/sentry/control"
	"gvisor.dev/gvisor/pkg/sentry/kernel/auth"
	"gvisor.dev/gvisor/runsc/boot"
	"gvisor.dev/gvisor/runsc/config"
	"gvisor.dev/gvisor/runsc/container"
	"gvisor.dev/gvisor/runsc/specutils"

	"neargate/shim/api"
	"neargate/shim/internal/bundle"
	"neargate/shim/internal/cgroup"
	"neargate/shim/internal/host"
	"neargate/shim/internal/proc"
	"neargate/shim/internal/runtime"
)

// sandboxID is the id of the root container. runsc finds containers by prefixes
// of ids: none may be the prefix of another.
const sandboxID = "pause"

// Annotations by which runsc knows the containers of one sandbox.
const (
	typeAnnotation    = "io.kubernetes.cri.container-type"
	sandboxAnnotation = "io.kubernetes.cri.sandbox-id"
)

// gvisor runs a task in one gVisor sandbox.
type gvisor struct {
	*host.Host
	conf *config.Config
	root *container.Container

	// spawning is held while the sandbox starts and processes of it are made: gVisor
	// passes this process's standard files on and moves it to the sandbox's cgroup
	// for as long.
	spawning sync.Mutex
	rootErr  error // of the sandbox's start; guarded by spawning

	entering sync.Mutex // held while a process is started in the sandbox, for its limits

	prepared bool // for Cfg.Spec, though it has no links yet
	whole    bool // Cfg.Spec is all that the task is
	booted   chan struct{}

	moves  sync.WaitGroup // of gofers to the cgroup, and others that calls leave
	hasty  sync.WaitGroup // what moves this process before gVisor does
	memory memory

	cpu split

	mu    sync.Mutex
	all   map[string]*gvisorContainer
	ahead map[string]*ahead // by name
	next  *pending          // the gofer of the next container; nil: not begun
}

type gvisorContainer struct {
	fate
	id    string
	root  string
	spec  api.Container
	box   *container.Container
	files *files
	stdio runtime.Stdio
}

// New is the runtime of a shim. It returns an error when gVisor refuses its flags.
func New(cfg api.Config) (runtime.Runtime, error) {
	h := host.New(cfg)
	log.SetTarget(quiet{})
	flags := flag.NewFlagSet("runsc", flag.ContinueOnError)
	config.RegisterFlags(flags)
	for _, f := range [][2]string{
		{"root", h.Run("runsc")},
		{"platform", "systrap"},
		{"host-settings", "ignore"},
		{"net-raw", "true"},
		{"allow-suid", "true"},
		{"overlay2", "none"}, // the host's, on the task's disk
	} {
		if err := flags.Set(f[0], f[1]); err != nil {
			return nil, err
		}
	}
	conf, err := config.NewFromFlags(flags)
	g := &gvisor{Host: h, conf: conf, booted: make(chan struct{}), all: map[string]*gvisorContainer{}, ahead: map[string]*ahead{}}
	g.memory.g, g.memory.more = g, make(chan struct{}, 1)
	return g, err
}

// quiet drops gVisor's log.
type quiet struct{}

func (quiet) Emit(int, log.Level, time.Time, string, ...any) {}

// limits of a task's cgroup. A process inside is one of the host, with threads of
// its own for each core.
func (g *gvisor) limits() cgroup.Limits {
	s := g.Cfg.Spec
	l := cgroup.Limits{Memory: s.Memory, Together: true}
	if s.Processes > 0 {
		l.Processes = 512 + 8*s.Processes
	}
	return l
}

// Open implements Runtime.
func (g *gvisor) Open() error {
	g.hasty.Go(cgroup.Hasten)
	if err := g.shareDisk(); err != nil {
		return err
	}
	g.makeDisk()
	if err := g.Group.Create(g.limits()); err != nil {
		return err
	}
	g.next = g.makeGofer()
	namespace := g.NetNS()
	if g.waits() {
		namespace = "" // links that come while the sandbox starts are not for it yet
	}
	if g.prepared = g.waits() && g.Cfg.Wanted; g.waits() && !g.Cfg.Wanted {
		if err := g.Group.Weigh(idleWeight); err != nil {
			return err
		}
	}
	image := g.Run("pause.img")
	if err := errors.Join(bundle.PauseImage(image), os.MkdirAll(g.Run("pause"), 0o700)); err != nil {
		return err
	}
	s, err := bundle.Spec(g.pause(), bundle.Options{
		Root: g.Run("pause"), NetNS: namespace, Hostname: g.Cfg.Spec.Hostname, CgroupPath: g.Group.Path(), Rlimits: host.Nofile(),
	})
	if err != nil {
		return err
	}
	s.Mounts = nil // gVisor makes those it needs
	s.Annotations = map[string]string{
		typeAnnotation: "sandbox", boot.RootfsPrefix + "source": image, boot.RootfsPrefix + "type": "erofs",
	}
	dir := g.Run("bundle", sandboxID)
	if err := bundle.Write(dir, s); err != nil {
		return err
	}
	if s, err = specutils.ReadSpec(dir, g.conf); err != nil {
		return err
	}
	g.spawning.Lock()
	args := container.Args{ID: sandboxID, Spec: s, BundleDir: dir}
	if g.prepared { // there is much to do until it is adopted
		go func() {
			g.makeRoot(args)
			g.startRoot()
		}()
		return nil
	}
	g.makeRoot(args)
	if g.waits() || g.rootErr != nil {
		g.startRoot()
		return g.rootErr
	}
	go g.startRoot() // there are other things to do for a container until it is needed
	return nil
}

// makeRoot makes the sandbox, with spawning held.
func (g *gvisor) makeRoot(args container.Args) {
	g.hasty.Wait()
	root, err := container.New(g.conf, args)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.root, g.rootErr = root, err
}

// makeDisk makes the task's disk beside what follows; a container will ask how it
// went.
func (g *gvisor) makeDisk() {
	g.moves.Go(func() { _, _ = g.Disk() })
}

// startRoot starts the sandbox that was made, with spawning held, which it releases.
func (g *gvisor) startRoot() {
	defer g.spawning.Unlock()
	defer close(g.booted)
	if g.rootErr != nil {
		return
	}
	if g.rootErr = g.root.Start(g.conf); g.rootErr == nil {
		go func() { _, _ = g.root.Wait() }() // reaps the sandbox
	}
}

// Started implements runtime.Adopter.
func (g *gvisor) Started() <-chan struct{} { return g.booted }

// started waits for the sandbox's start.
func (g *gvisor) started() error {
	<-g.booted
	return g.rootErr
}

// pause is the root container.
func (g *gvisor) pause() api.Container {
	return api.Container{Args: []string{"/pause"}, ReadonlyRoot: true}
}

// Create implements Runtime.
func (g *gvisor) Create(c api.Container, stdio runtime.Stdio) error {
	b, err := g.takeAhead(c)
	if b == nil && err == nil {
		if b, err = g.layer(c); err == nil {
			b.stdio = stdio
			err = g.compose(b)
		}
	}
	if err != nil {
		return err
	}
	b.spec, b.stdio = c, stdio
	g.mu.Lock()
	defer g.mu.Unlock()
	g.all[c.Name] = b
	return nil
}

// layer makes the root file system of a container.
func (g *gvisor) layer(c api.Container) (*gvisorContainer, error) {
	disk, err := g.Disk()
	if err != nil {
		return nil, err
	}
	id := g.NextID()
	root, err := bundle.Overlay(filepath.Join(disk, id), c.Layers)
	if err == nil {
		err = keepTmp(root)
	}
	if err == nil && c.ReadonlyRoot {
		makeCwd(root, c.Cwd)
	}
	if err == nil && len(c.Sysctls) > 0 {
		err = errors.Join(g.started(), g.sysctl(c.Sysctls))
	}
	return &gvisorContainer{id: id, root: root, spec: c}, err
}

// Recreate implements Runtime.
func (g *gvisor) Recreate(name string, stdio runtime.Stdio) error {
	b := g.find(name)
	if b.box != nil { // or the last try failed before
		if err := b.box.Destroy(); err != nil { // with its gofer
			return err
		}
	}
	b = &gvisorContainer{id: g.NextID(), root: b.root, spec: b.spec, stdio: stdio}
	g.mu.Lock()
	g.all[name] = b
	g.mu.Unlock()
	return g.compose(b)
}

// compose makes a container in a root file system.
func (g *gvisor) compose(b *gvisorContainer) error {
	files, err := g.Files(b.spec)
	if err != nil {
		return err
	}
	c := b.spec
	c.Mounts = append(slices.Clone(c.Mounts), files...)
	o := bundle.Options{
		Root: b.root, NetNS: g.NetNS(), Hostname: g.Cfg.Spec.Hostname, InitBin: g.Cfg.InitBin, SharePID: g.Cfg.Spec.SharePID,
		Rlimits: allLimits(), Processes: g.Cfg.Spec.Processes,
		Volume: func(m api.Mount) (string, error) { return g.Volume(b.root, m) },
	}
	s, err := bundle.Spec(c, o)
	if err != nil {
		return err
	}
	s.Linux.Sysctl = nil // of all containers, and set
	s.Annotations = map[string]string{typeAnnotation: "container", sandboxAnnotation: sandboxID}
	dir := g.Run("bundle", b.id)
	if err := bundle.Write(dir, s); err != nil {
		return err
	}
	if s, err = specutils.ReadSpec(dir, g.conf); err != nil {
		return err
	}
	b.files = g.serve(dir, s.Mounts, b.id)
	g.spawning.Lock()
	defer g.spawning.Unlock()
	if err = g.rootErr; err == nil {
		b.box, err = container.New(g.conf, container.Args{ID: b.id, Spec: s, BundleDir: dir, ConsoleSocket: b.stdio.Console})
	}
	if err != nil {
		b.files.drop()
	}
	return err
}

// keepTmp keeps gVisor from mounting a tmpfs on /tmp, which it does where that is
// empty or absent: what is written there is disk, not memory.
func keepTmp(root string) error {
	r, err := os.OpenRoot(root)
	if err != nil {
		return err
	}
	defer r.Close()
	if err := r.Mkdir("tmp", 0o777); err == nil {
		err = r.Chmod("tmp", 0o777|os.ModeSticky)
		if err != nil {
			return err
		}
	}
	tmp, err := fs.ReadDir(r.FS(), "tmp")
	if err != nil || len(tmp) > 0 {
		return nil // in use, or no directory
	}
	f, err := r.OpenFile("tmp/.keep", os.O_CREATE, 0o444)
	if err != nil {
		return err
	}
	return f.Close()
}

// makeCwd makes the working directory, which gVisor cannot once the root is read-only.
// Where it cannot be made, or is to be in a volume, gVisor has the last word.
func makeCwd(root, dir string) {
	r, err := os.OpenRoot(root)
	if err != nil {
		return
	}
	defer r.Close()
	_ = r.MkdirAll(filepath.Join(".", dir), 0o755)
}

// Start implements Runtime.
func (g *gvisor) Start(name string) error {
	b := g.find(name)
	if err := g.memory.keep(b); err != nil {
		return err
	}
	if err := g.run(b); err != nil {
		b.over.Store(true)
		return host.StartError(bundle.Process(b.spec, bundle.Options{}).Args[0], err)
	}
	if err := g.tellLimit(b); err != nil {
		return err
	}
	return g.LimitCPU()
}

// tellLimit lets the container see its memory limit where programs look for it.
func (g *gvisor) tellLimit(b *gvisorContainer) error {
	if b.spec.Memory == 0 {
		return nil
	}
	return b.box.Sandbox.CgroupsWriteControlFile(b.file("memory", "memory.limit_in_bytes"), strconv.Itoa(b.spec.Memory<<20))
}

// Wait implements Runtime.
func (g *gvisor) Wait(name string) runtime.Status {
	b := g.find(name)
	ws, err := b.box.Wait()
	b.over.Store(true)
	if err != nil { // the sandbox is gone
		return runtime.Status{Code: runtime.Killed, OOM: b.oom.Load() || g.Group.OOMKills() > 0}
	}
	if g.Cfg.Spec.SharePID {
		_ = g.killAll(b) // they do not end with its first process
	}
	code := host.ExitCode(ws)
	return runtime.Status{Code: code, OOM: code == runtime.Killed && (b.oom.Load() || g.Group.OOMKills() > 0)}
}

// Signal implements Runtime.
func (g *gvisor) Signal(name string, sig syscall.Signal) error {
	b := g.find(name)
	return b.box.Sandbox.SignalContainer(b.id, unix.Signal(sig), false)
}

// Exec implements Runtime.
func (g *gvisor) Exec(ctx context.Context, name string, args []string) (int32, error) {
	b := g.find(name)
	p := bundle.Process(b.spec, bundle.Options{})
	caps, err := specutils.Capabilities(true, p.Capabilities)
	if err != nil {
		return 0, err
	}
	e := &control.ExecArgs{
		Argv: args, Envv: p.Env, WorkingDirectory: p.Cwd, ContainerID: b.id,
		KUID: auth.KUID(p.User.UID), KGID: auth.KGID(p.User.GID), Capabilities: caps,
	}
	for _, gid := range p.User.AdditionalGids {
		e.ExtraKGIDs = append(e.ExtraKGIDs, auth.KGID(gid))
	}
	sandbox := b.box.Sandbox
	pid, err := g.execute(e)
	if err != nil {
		if code := host.ExecCode(err); code != 0 {
			return code, nil
		}
		return 0, err
	}
	stop := context.AfterFunc(ctx, func() { _ = sandbox.SignalProcess(b.id, pid, unix.SIGKILL, false) })
	defer stop()
	ws, err := sandbox.WaitPID(b.id, pid)
	return host.ExitCode(ws), errors.Join(err, ctx.Err())
}

// Sandbox implements Runtime.
func (g *gvisor) Sandbox() api.Process {
	if g.root == nil {
		return api.Process{}
	}
	return proc.Of(g.root.Sandbox.Getpid())
}

// Settle implements Runtime.
func (g *gvisor) Settle() {
	g.moves.Wait()
	g.spawning.Lock() // while the sandbox starts
	defer g.spawning.Unlock()
}

// Process implements Runtime.
func (g *gvisor) Process(string) api.Process { return api.Process{} }

func (g *gvisor) find(name string) *gvisorContainer {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.all[name]
}
