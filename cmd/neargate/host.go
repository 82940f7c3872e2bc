package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"neargate/auth"
	"neargate/cmd/neargate/astask"
	"neargate/cmd/neargate/door"
	"neargate/cmd/neargate/given"
	"neargate/cmd/neargate/lender"
	"neargate/dataplane/dns"
	"neargate/internal/install"
	"neargate/node"
	"neargate/node/flow"
	"neargate/node/image"
	"neargate/node/inspect"
	"neargate/node/logdriver"
	"neargate/node/metadata"
	"neargate/node/network"
	"neargate/node/network/kern"
	"neargate/node/sandbox/fake"
	"neargate/node/sandbox/gvisor"
	"neargate/node/sandbox/runc"
	"neargate/node/sandbox/shim"
	"neargate/node/task"
	"neargate/node/vpc"
	"neargate/resource/compute"
	record "neargate/resource/network"
	"neargate/resource/network/ipv6"
	host "neargate/resource/node"
	"neargate/service/ecs"
	"neargate/store"
	"neargate/wire/shape"
)

// Runtimes of --runtime.
const (
	runtimeGVisor = "gvisor"
	runtimeRunc   = "runc"
	runtimeFake   = "fake" // takes tasks through their life cycle and runs nothing
)

// hostOptions are the flags about what tasks run on.
type hostOptions struct {
	runtime     string
	registries  string // file
	uplinks     string // auto, none, or devices
	pool        string // range of public addresses; empty: one that is free
	cpu, memory int    // what tasks may ask for in all, in units and MiB; 0: by the machine
	warm        int    // sandboxes kept ready
}

// errOrphan reports that the installation's network is in use although its data
// directory is free.
var errOrphan = errors.New("a daemon whose data directory was removed or replaced still runs: end its process first")

// poolBits is the size of the range of public addresses an installation takes: 4,096.
const poolBits = 20

// maxTasksPath keeps the paths of sandboxes' sockets within what a Unix socket's
// address holds. Source: unix(7).
const maxTasksPath = 108 - len("/0123456789abcdef0123456789abcdef/run/runsc/runsc-pause.sock") - 1

// warmDisk is the size of the disks of sandboxes that are kept ready, in MiB: what
// a Fargate task has that does not ask for more.
const warmDisk = 20 << 10

// tasksHost is what this machine runs tasks with. The fake one has only parts.
type tasksHost struct {
	parts  node.Parts
	box    *shim.Sandbox
	keeper *vpc.Keeper
	images *image.Library
	logs   *logdriver.Driver
	unlock func()
	after  store.Rev // the keeper follows the store from here on
}

// openHost makes the machine ready to run tasks.
func (d *daemon) openHost(ctx context.Context) (*tasksHost, error) {
	if d.host.runtime == runtimeFake {
		from := given.Source{Calls: d.asTask(d.lender())}
		return &tasksHost{parts: node.Parts{Sandbox: fake.New(nil), Secrets: from, Files: from, Log: d.log}}, nil
	}
	h := &tasksHost{}
	if err := d.fillHost(ctx, h); err != nil {
		return nil, errors.Join(err, h.close())
	}
	return h, nil
}

// fillHost opens what the host works with, one after the other.
func (d *daemon) fillHost(ctx context.Context, h *tasksHost) (err error) {
	if h.box, err = d.host.sandbox(d.dir); err != nil {
		return err
	}
	manager, err := d.openNetwork()
	if err != nil {
		return err
	}
	h.unlock, err = d.dir.LockSpaces()
	if errors.Is(err, install.ErrRunning) {
		err = errOrphan
	}
	if err != nil {
		return err
	}
	orphans, err := h.box.Sweep(ctx)
	if err != nil {
		return err
	}
	if orphans > 0 {
		d.log.Warn("ended tasks whose directories somebody removed", "sandboxes", orphans, "data", string(d.dir))
	}
	self, err := d.self()
	if err != nil {
		return err
	}
	lend := d.lender()
	calls := d.asTask(lend)
	places := &endpoints{resolver: dns.New(dns.NewHost("/etc/resolv.conf")), names: d.names, doors: d.doors, store: d.store, log: d.log}
	h.keeper = vpc.New(vpc.Config{Store: d.store, Manager: manager, Node: self.Name, Serve: places.serve, Log: d.log})
	shown := inspect.New(d.store, h.keeper, h.box, manager.Namespace)
	places.metadata = func(vpc string) http.Handler {
		return metadata.Handler(vpc, shown, astask.Protector{Calls: calls}, lend)
	}
	if h.images, err = image.Open(image.Config{Dir: d.dir.Images(), Registries: d.mirrors, Log: d.log}); err != nil {
		return err
	}
	h.logs = logdriver.New(logdriver.Config{Dir: h.box.LogDir, Streams: calls, Sink: d.logs, Now: time.Now, Log: d.log})
	h.parts = node.Parts{
		Sandbox: h.box, Network: h.keeper, Images: h.images, Access: calls.Access, Logs: h.logs, LogMode: calls.LogMode, Environment: environment(lend), Log: d.log,
	}
	if h.parts.TLS, err = d.trust(); err != nil {
		return err
	}
	if h.parts.Trust, err = d.openTrust(ctx, h.box); err != nil {
		return err
	}
	from := given.Source{Calls: calls}
	h.parts.Secrets, h.parts.Files = from, from
	if err = h.logs.Sweep(); err == nil {
		h.after, err = h.keeper.Start(ctx)
	}
	return err
}

// lender lends tasks credentials of their roles.
func (d *daemon) lender() *lender.Lender { return lender.New(d.store, d.ids, d.key, time.Now) }

// asTask is how this installation calls in the name of tasks.
func (d *daemon) asTask(lend *lender.Lender) astask.Calls {
	return astask.Calls{
		Gate: door.Gate{Directory: auth.NewDirectory(d.store, time.Now)}, Store: d.store, Now: time.Now, IDs: d.ids,
		ECS: ecs.New(d.deps(), d.limits.Launches), Roles: lend, Door: func() http.Handler { return d.door }, Plans: shape.NewPlans(), Mirror: d.relays.Address,
	}
}

// environment is what ECS sets in a container.
func environment(l *lender.Lender) func(t *compute.Task, container string) []string {
	return func(t *compute.Task, container string) []string {
		return append(metadata.Env(t, task.RuntimeID(t.ID, container)), metadata.CredentialsEnv(l.ID(t))...)
	}
}

// close lets go of what the host holds; tasks go on.
func (h *tasksHost) close() error {
	if h.unlock != nil {
		defer h.unlock()
	}
	if h.logs != nil {
		h.logs.Close()
	}
	if h.images != nil {
		return h.images.Close()
	}
	return nil
}

// runHost is the agent of this host with what it works with, until ctx ends.
func (d *daemon) runHost(ctx context.Context, part func(string, func(context.Context) error)) error {
	self, err := d.self()
	if err != nil {
		return err
	}
	h := d.tasks
	if h.keeper != nil {
		part("doors", d.doors.Run)
		part("network", func(ctx context.Context) error { return h.keeper.Run(ctx, h.after) })
		part("flow logs", flow.NewCollector(h.keeper, d.flows, d.log).Run)
		part("images", h.images.Run)
		part("sandboxes", func(ctx context.Context) error { h.box.Run(ctx, d.log); return nil })
	}
	part("node", func(ctx context.Context) error {
		worker := node.NewHost(ctx, h.parts)
		return node.NewAgent(self, d.store, worker, d.log).Run(ctx, worker.Reports())
	})
	return nil
}

// sandbox is the runtime of an installation.
func (o hostOptions) sandbox(dir install.Dir) (*shim.Sandbox, error) {
	tasks, err := filepath.Abs(dir.Tasks())
	if err != nil {
		return nil, err
	}
	if len(tasks) > maxTasksPath {
		return nil, fmt.Errorf("the data directory's path is %d characters too long for the sockets of sandboxes: choose a shorter one", len(tasks)-maxTasksPath)
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	bin := func(name string) string { return filepath.Join(filepath.Dir(self), name) }
	keeper := "neargate-runsc"
	if o.runtime == runtimeRunc {
		keeper = "neargate-shim"
	}
	cfg := shim.Config{Dir: tasks, Cgroup: dir.Cgroup(), Bin: bin(keeper), InitBin: bin("neargate-init"), RuncBin: bin("runc"), Warm: o.warm, WarmDisk: warmDisk}
	if _, err := os.Stat(cfg.Bin); err != nil {
		return nil, fmt.Errorf("the sandboxes' program, which make sandboxes builds: %w", err)
	}
	if o.runtime == runtimeRunc {
		return runc.New(cfg), nil
	}
	return gvisor.New(cfg), nil
}

func knownRuntime(name string) error {
	switch name {
	case runtimeGVisor, runtimeRunc, runtimeFake:
		return nil
	}
	return fmt.Errorf("--runtime: %s, %s or %s, not %q", runtimeGVisor, runtimeRunc, runtimeFake, name)
}

// openNetwork is what makes the host's network.
func (d *daemon) openNetwork() (*network.Manager, error) {
	uplinks, err := d.host.devices()
	if err != nil {
		return nil, err
	}
	return network.Open(d.dir.Spaces(), "", network.Host{
		Tag: d.dir.Tag(), Pool: d.pool, Range: ipv6.Range(d.pool), Address: d.pool.Addr().Next(), Uplinks: uplinks, Services: d.publicDoors(),
	})
}

// devices are those that lead to the internet.
func (o hostOptions) devices() ([]string, error) {
	switch o.uplinks {
	case "auto":
		return kern.DefaultUplinks("")
	case "none", "":
		return nil, nil
	}
	names := strings.Split(o.uplinks, ",")
	for _, n := range names {
		if _, err := net.InterfaceByName(n); err != nil {
			return nil, fmt.Errorf("--uplink: this host has no device %q; auto takes those of its default routes, none takes none", n)
		}
	}
	return names, nil
}

// publicPool is the installation's range of public addresses: the one named, or
// the one of its first start.
func (o hostOptions) publicPool(dir install.Dir) (netip.Prefix, error) {
	within := record.PublicRange()
	if o.pool != "" {
		p, err := netip.ParsePrefix(o.pool)
		if err != nil || p != p.Masked() || !within.Contains(p.Addr()) || p.Bits() < within.Bits() || p.Bits() > 23 {
			return p, fmt.Errorf("--public-pool: %q is no range of at least 512 addresses in %s", o.pool, within)
		}
		if err := o.poolIsFree(dir, p); err != nil {
			return p, err
		}
		return p, dir.SavePool(p)
	}
	p, err := dir.Pool()
	switch {
	case err == nil:
		return p, o.poolIsFree(dir, p)
	case !errors.Is(err, fs.ErrNotExist):
		return p, err
	case o.runtime == runtimeFake:
		return within, nil
	}
	if p, err = kern.FreePool("", dir.Tag(), within, poolBits); err != nil {
		return p, err
	}
	return p, dir.SavePool(p)
}

// poolIsFree fails when someone else uses addresses of the installation's range.
func (o hostOptions) poolIsFree(dir install.Dir, p netip.Prefix) error {
	if o.runtime == runtimeFake {
		return nil
	}
	other, taken, err := kern.Taken("", dir.Tag(), record.PublicRange(), p)
	if err != nil || !taken {
		return err
	}
	return fmt.Errorf("the public addresses of this installation, %s, are those of another one on this machine or of a network it is in (there is a route to %s): "+
		"end that one, or give this one another range with --public-pool", p, other)
}

// Size of the fake node: it runs nothing, so it has room for what a rack has.
const fakeCPU, fakeMemory = 4096 << 10, 16 << 20 // 4,096 vCPU in units, 16 TiB in MiB

// cpuShare is how many vCPUs tasks may ask for, for each CPU of the machine: most
// tasks wait most of the time, and each gets what it asked for at most.
const cpuShare = 16

// self describes this host. Its name is the same at every start.
func (d *daemon) self() (host.Node, error) {
	name, err := os.Hostname()
	if err != nil {
		return host.Node{}, err
	}
	arch := "x86_64"
	if runtime.GOARCH == "arm64" {
		arch = "arm64"
	}
	n := host.Node{Name: name, Architecture: arch, CPU: d.host.cpu, Memory: d.host.memory}
	if d.host.runtime == runtimeFake {
		n.CPU, n.Memory = fakeCPU, fakeMemory
		return n, nil
	}
	if n.CPU == 0 {
		n.CPU = runtime.NumCPU() * cpuShare << 10
	}
	if n.Memory == 0 {
		n.Memory, err = machineMemory()
	}
	return n, err
}

// machineMemory is the machine's memory in MiB.
func machineMemory() (int, error) {
	b, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, err
	}
	var kib int
	for line := range strings.Lines(string(b)) {
		if _, err := fmt.Sscanf(line, "MemTotal: %d kB", &kib); err == nil {
			return kib >> 10, nil
		}
	}
	return 0, errors.New("/proc/meminfo does not tell the memory")
}

// retire removes everything an installation has on the machine, but not its data
// directory, which may be gone: tasks, network, mounts and cgroups, whatever left
// them. No daemon may be running. It reports whether there was anything.
func retire(ctx context.Context, dir install.Dir) (any bool, err error) {
	if os.Geteuid() != 0 {
		return false, nil // it could not make anything
	}
	release, err := dir.LockSpaces()
	switch {
	case err == nil:
		defer release()
	case errors.Is(err, install.ErrRunning):
		return false, errOrphan
	case !errors.Is(err, fs.ErrNotExist):
		return false, err
	}
	spaces := err == nil
	tasks, err := os.ReadDir(dir.Tasks())
	there := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	groups, err := cgroups(dir)
	if err != nil {
		return false, err
	}
	any = len(groups) > 0 || slices.ContainsFunc(tasks, fs.DirEntry.IsDir)
	if there || any {
		box, err := hostOptions{runtime: runtimeGVisor}.sandbox(dir)
		if err != nil {
			return any, err
		}
		if err := box.Retire(ctx); err != nil {
			return any, err
		}
	}
	if !any && !spaces {
		return false, nil
	}
	cleared, err := network.Clear(dir.Spaces(), "", dir.Tag())
	return any || cleared, errors.Join(err, leave(dir))
}

// leave removes the folders that the machine's installations share, if this was
// the last one.
func leave(dir install.Dir) error {
	shared, err := groupsNamed(filepath.Dir(dir.Cgroup()))
	for _, folder := range append(shared, filepath.Dir(dir.Spaces())) {
		_ = os.Remove(folder) // not while it holds another's
	}
	return err
}

// cgroups are the directories of the tasks' parent, in each hierarchy.
func cgroups(dir install.Dir) ([]string, error) { return groupsNamed(dir.Cgroup()) }

// groupsNamed are the directories of a cgroup, in each hierarchy.
func groupsNamed(name string) ([]string, error) {
	const root = "/sys/fs/cgroup"
	v1, err := filepath.Glob(root + "/*" + name)
	v2, e := filepath.Glob(root + name)
	return append(v1, v2...), errors.Join(err, e)
}
