package runtime

import (
	"context"
	"errors"
	"flag"
	"io/fs"
	"os"
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
	"neargate/shim/internal/proc"
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
	*host
	conf *config.Config
	root *container.Container

	// spawning is held while the sandbox starts and processes of it are made: gVisor
	// passes this process's standard files on and moves it to the sandbox's cgroup
	// for as long.
	spawning sync.Mutex
	rootErr  error // of the sandbox's start; guarded by spawning

	moves sync.WaitGroup // of gofers to the cgroup

	mu  sync.Mutex
	all map[string]*gvisorContainer
}

type gvisorContainer struct {
	id    string
	spec  api.Container
	box   *container.Container
	stdio [3]*os.File
}

func newGVisor(h *host) (*gvisor, error) {
	log.SetTarget(quiet{})
	g := &gvisor{host: h, all: map[string]*gvisorContainer{}}
	var err error
	g.conf, err = g.config()
	return g, err
}

// config is runsc's configuration for the task.
func (h *host) config() (*config.Config, error) {
	flags := flag.NewFlagSet("runsc", flag.ContinueOnError)
	config.RegisterFlags(flags)
	overlay := "root:dir=" + h.dir("overlay")
	if h.cfg.Spec.Disk > 0 {
		overlay += ",size=" + strconv.Itoa(h.cfg.Spec.Disk) + "m"
	}
	for _, f := range [][2]string{
		{"root", h.dir("runsc")},
		{"platform", "systrap"},
		{"host-settings", "ignore"},
		{"net-raw", "true"},
		{"allow-suid", "true"},
		{"overlay2", overlay},
	} {
		if err := flags.Set(f[0], f[1]); err != nil {
			return nil, err
		}
	}
	return config.NewFromFlags(flags)
}

// quiet drops gVisor's log.
type quiet struct{}

func (quiet) Emit(int, log.Level, time.Time, string, ...any) {}

// limits of a task's cgroup. A process inside is one of the host, with threads of
// its own for each core.
func (g *gvisor) limits() cgroup.Limits {
	s := g.cfg.Spec
	l := cgroup.Limits{Memory: s.Memory, Together: true}
	if s.Processes > 0 {
		l.Processes = 512 + 8*s.Processes
	}
	return l
}

// Open implements Runtime.
func (g *gvisor) Open() error {
	if err := g.group.Create(g.limits()); err != nil {
		return err
	}
	if g.waits() {
		if err := g.group.Weigh(idle); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(g.dir("overlay"), 0o700); err != nil {
		return err
	}
	image := g.dir("pause.img")
	if err := errors.Join(bundle.PauseImage(image), os.MkdirAll(g.dir("pause"), 0o700)); err != nil {
		return err
	}
	pause := api.Container{Args: []string{"/pause"}, ReadonlyRoot: true}
	s, err := bundle.Spec(pause, bundle.Options{
		Root: g.dir("pause"), NetNS: g.netNS(), Hostname: g.cfg.Spec.Hostname, CgroupPath: g.group.Path(), Rlimits: nofile(),
	})
	if err != nil {
		return err
	}
	s.Mounts = nil // gVisor makes those it needs
	s.Annotations = map[string]string{
		typeAnnotation: "sandbox", boot.RootfsPrefix + "source": image, boot.RootfsPrefix + "type": "erofs",
	}
	dir := g.dir("bundle", sandboxID)
	if err := bundle.Write(dir, s); err != nil {
		return err
	}
	if s, err = specutils.ReadSpec(dir, g.conf); err != nil {
		return err
	}
	g.spawning.Lock()
	if g.root, err = container.New(g.conf, container.Args{ID: sandboxID, Spec: s, BundleDir: dir}); err != nil {
		g.spawning.Unlock()
		return err
	}
	if g.waits() {
		g.startRoot()
		return g.rootErr
	}
	go g.startRoot() // there are other things to do for a container until it is needed
	return nil
}

// startRoot starts the sandbox, with spawning held, which it releases.
func (g *gvisor) startRoot() {
	defer g.spawning.Unlock()
	if g.rootErr = g.root.Start(g.conf); g.rootErr == nil {
		go func() { _, _ = g.root.Wait() }() // reaps the sandbox
	}
}

// Create implements Runtime.
func (g *gvisor) Create(c api.Container, stdio [3]*os.File) error {
	g.mu.Lock()
	id := g.nextID()
	b := &gvisorContainer{id: id, spec: c, stdio: stdio}
	g.all[c.Name] = b
	g.mu.Unlock()

	root, err := bundle.Overlay(g.dir("rootfs", id), c.Layers)
	if err == nil {
		err = keepTmp(root)
	}
	if err != nil {
		return err
	}
	o := bundle.Options{
		Root: root, NetNS: g.netNS(), Hostname: g.cfg.Spec.Hostname, InitBin: g.cfg.InitBin, SharePID: g.cfg.Spec.SharePID, Rlimits: nofile(),
		Volume: func(m api.Mount) (string, error) { return g.volume(root, m) },
	}
	if n := g.cfg.Spec.Processes; n > 0 {
		o.Rlimits = append(o.Rlimits, api.Ulimit{Name: "RLIMIT_NPROC", Soft: uint64(n), Hard: uint64(n)})
	}
	s, err := bundle.Spec(c, o)
	if err != nil {
		return err
	}
	s.Annotations = map[string]string{typeAnnotation: "container", sandboxAnnotation: sandboxID}
	dir := g.dir("bundle", id)
	if err := bundle.Write(dir, s); err != nil {
		return err
	}
	if s, err = specutils.ReadSpec(dir, g.conf); err != nil {
		return err
	}
	g.spawning.Lock()
	defer g.spawning.Unlock()
	if g.rootErr != nil {
		return g.rootErr
	}
	b.box, err = container.New(g.conf, container.Args{ID: id, Spec: s, BundleDir: dir})
	if err == nil && !g.group.CloneInto() {
		b.box.Sandbox.CgroupJSON.Cgroup = nil // the gofer is moved after the start
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

// Start implements Runtime.
func (g *gvisor) Start(name string) error {
	b := g.find(name)
	if err := g.start(b); err != nil {
		return err
	}
	return g.limitCPU()
}

func (g *gvisor) start(b *gvisorContainer) error {
	g.spawning.Lock()
	defer g.spawning.Unlock()
	in, out, err := os.Stdin, os.Stdout, os.Stderr
	defer func() { os.Stdin, os.Stdout, os.Stderr = in, out, err }()
	os.Stdin, os.Stdout, os.Stderr = b.stdio[0], b.stdio[1], b.stdio[2]
	if err := b.box.Start(g.conf); err != nil {
		return err
	}
	if pid := b.box.GoferPid.Load(); pid > 0 && !g.group.CloneInto() {
		g.moves.Go(func() { _ = g.group.Add(pid) }) // it ends with the sandbox in any case
	}
	return nil
}

// Wait implements Runtime.
func (g *gvisor) Wait(name string) Status {
	ws, err := g.find(name).box.Wait()
	if err != nil { // the sandbox is gone
		return Status{Code: killed, OOM: g.group.OOMKills() > 0}
	}
	code := exitCode(ws)
	return Status{Code: code, OOM: code == killed && g.group.OOMKills() > 0}
}

func exitCode(ws unix.WaitStatus) int32 {
	if ws.Signaled() {
		return 128 + int32(ws.Signal())
	}
	return int32(ws.ExitStatus())
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
	return g.exec(ctx, e)
}

// Sandbox implements Runtime.
func (g *gvisor) Sandbox() api.Process {
	if g.root == nil {
		return api.Process{}
	}
	return proc.Of(g.root.Sandbox.Getpid())
}

// Settle implements Runtime.
func (g *gvisor) Settle() { g.moves.Wait() }

// Process implements Runtime.
func (g *gvisor) Process(string) api.Process { return api.Process{} }

func (g *gvisor) find(name string) *gvisorContainer {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.all[name]
}
