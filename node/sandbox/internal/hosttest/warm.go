package hosttest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"neargate/internal/netns"
	"neargate/node/sandbox"
	"neargate/node/sandbox/internal/hosttest/view"
	"neargate/node/sandbox/shim"
	"neargate/shim/api"
)

// RunWarm runs the tests of sandboxes that are ready before their tasks are.
func RunWarm(t *testing.T, rt Runtime) {
	for _, c := range []struct {
		name string
		test func(*testing.T, *Host)
	}{
		{"Packets", packets},
		{"Named", named},
		{"Elsewhere", elsewhere},
		{"Dead", dead},
		{"Reserve", reserve},
		{"Unwanted", unwanted},
		{"Ahead", ahead},
		{"Leftovers", leftovers},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, NewHost(t, rt)) })
	}
}

// Of the network that the tests plug sandboxes into.
const (
	peerAddress = "10.99.0.1"
	taskAddress = "10.99.0.2"
	taskMAC     = "02:00:00:63:00:02"
	taskMTU     = 9001
)

// peer is a network namespace at the far end of interfaces.
type peer struct {
	h    *Host
	path string
}

func (h *Host) newPeer(t *testing.T) peer {
	t.Helper()
	dir := filepath.Join(h.Config.Dir, "..", "netns")
	h.ok(netns.Prepare(dir))
	t.Cleanup(func() {
		if err := netns.Discard(dir); err != nil {
			t.Error(err)
		}
	})
	p := peer{h, filepath.Join(dir, "peer")}
	h.ok(netns.Create(p.path))
	return p
}

// plug makes an interface between the peer and the namespace of a task, as
// package network makes them.
func (p peer) plug(namespace string) {
	p.h.t.Helper()
	f, err := os.Open(namespace)
	p.h.ok(err)
	defer f.Close()
	mac, err := net.ParseMAC(taskMAC)
	p.h.ok(err)
	p.h.ok(netns.Do(p.path, func() error {
		return netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "task", MTU: taskMTU, Flags: net.FlagUp},
			PeerName: "eth0", PeerNamespace: netlink.NsFd(int(f.Fd())), PeerHardwareAddr: mac, PeerMTU: taskMTU})
	}))
	p.h.ok(netns.Do(p.path, func() error { return setUp("task", peerAddress, nil) }))
	near := p.plugIPv6(mac)
	p.h.ok(netns.Do(namespace, func() error {
		if err := prepareIPv6(); err != nil {
			return err
		}
		return errors.Join(setUp("eth0", taskAddress, net.ParseIP(peerAddress)), setUpIPv6(near))
	}))
}

func setUp(device, address string, gateway net.IP) error {
	l, err := netlink.LinkByName(device)
	if err != nil {
		return err
	}
	a, err := netlink.ParseAddr(address + "/24")
	if err != nil {
		return err
	}
	if err := netlink.AddrAdd(l, a); err != nil {
		return err
	}
	if err := netlink.LinkSetUp(l); err != nil || gateway == nil {
		return err
	}
	return netlink.RouteAdd(&netlink.Route{LinkIndex: l.Attrs().Index, Gw: gateway})
}

// hears what a server in the task's network says to the peer.
func (p peer) hears(address string) string {
	p.h.t.Helper()
	var heard string
	p.h.ok(netns.Do(p.path, func() error {
		var err error
		for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
			var c net.Conn
			if c, err = net.DialTimeout("tcp", address, time.Second); err == nil {
				var b []byte
				b, err = io.ReadAll(c)
				heard = string(b)
				return err
			}
		}
		return err
	}))
	return heard
}

// serve tells whoever connects to the peer its address, and more, until it is
// told to stop.
func (p peer) serve(more string) (stop func()) {
	p.h.t.Helper()
	var l net.Listener
	p.h.ok(netns.Do(p.path, func() (err error) {
		l, err = net.Listen("tcp", peerAddress+":9090")
		return err
	}))
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, c.RemoteAddr().(*net.TCPAddr).IP.String()+more)
			c.Close()
		}
	}()
	return func() { l.Close() }
}

// check sends packets both ways, and returns what a container of the task sees of
// itself.
func (p peer) check(t *testing.T, task string) view.Facts {
	t.Helper()
	bulk := strings.Repeat("0123456789abcdef", 4<<10) // more than a packet, in segments the kernel cuts
	defer p.serve(bulk)()
	p.h.start(task, p.h.Container("a", "serve", "0.0.0.0:8080", bulk), p.h.Container("f", "serve", "["+taskIPv6+"]:8081", bulk), p.h.Container("b", "dial", peerAddress+":9090"),
		p.h.Container("c", "dial", "127.0.0.1:8080"), p.h.Container("d", "dial", taskAddress+":8080"), p.h.Container("e", "facts"))
	if got := p.hears("[" + taskIPv6 + "]:8081"); got != "hello"+bulk {
		t.Errorf("the peer heard %d bytes by IPv6", len(got))
	}
	if got := p.hears(taskAddress + ":8080"); got != "hello"+bulk {
		t.Errorf("the peer heard %.100q, %d bytes", got, len(got))
	}
	if got := p.h.exits(task, "b", 0, false); got != taskAddress+bulk+"\n" {
		t.Errorf("the task heard %.100q, %d bytes", got, len(got))
	}
	for _, name := range []string{"c", "d"} {
		if got := p.h.exits(task, name, 0, false); got != "hello"+bulk+"\n" {
			t.Errorf("the task heard %.100q, %d bytes, of itself", got, len(got))
		}
	}
	var f view.Facts
	p.h.ok(json.Unmarshal([]byte(p.h.exits(task, "e", 0, false)), &f))
	namespace, err := p.h.Network(t.Context(), task)
	p.h.ok(err)
	p.h.ok(netns.Do(namespace, func() error {
		l, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		if a, err := netlink.AddrList(l, netlink.FAMILY_V4); err != nil || len(a) > 0 {
			t.Errorf("the host has %v, %v in the task's network", a, err)
		}
		return nil
	}))
	return f
}

// packets checks that a task's sandbox is the same whether it was ready or not.
func packets(t *testing.T, h *Host) {
	spec := sandbox.Spec{CPU: 256, Memory: 256, Processes: 100, Hostname: "ip-10-99-0-2.ec2.internal"}
	p := h.newPeer(t)
	p.plug(h.Reserved(t.Context(), "w"))
	spec.Task = "w"
	h.ok(h.Open(t.Context(), spec))
	warm := p.check(t, "w")
	h.ok(h.Close(t.Context(), "w"))

	cold := filepath.Join(filepath.Dir(p.path), "cold")
	h.ok(netns.Create(cold))
	h.ok(netns.Do(cold, func() error {
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		return netlink.LinkSetUp(lo)
	}))
	h.ok(netns.Do(p.path, func() error {
		if l, err := netlink.LinkByName("task"); err == nil {
			_ = netlink.LinkDel(l) // it outlives the namespace a little, or has just gone
		}
		return nil
	}))
	p.plug(cold)
	spec.Task, spec.NetNS = "c", cold
	h.ok(h.Sandbox.Open(t.Context(), spec))
	want := p.check(t, "c")
	if !reflect.DeepEqual(warm, want) {
		t.Errorf("seen inside:\n%+v\nwant:\n%+v", warm, want)
	}
	if warm.Hostname != spec.Hostname || warm.MemTotal > 256<<10 || warm.MemLimit != 256<<20 || !strings.Contains(warm.Links, taskMAC) {
		t.Errorf("seen inside: %+v", warm)
	}
}

// named opens a reserved sandbox by another name of its network namespace.
func named(t *testing.T, h *Host) {
	p := h.newPeer(t)
	own := h.Reserved(t.Context(), "t")
	name := filepath.Join(filepath.Dir(p.path), "task")
	h.ok(netns.Bind(own, name))
	p.plug(name)
	h.ok(h.Open(t.Context(), sandbox.Spec{Task: "t", NetNS: name}))
	p.check(t, "t")
}

// elsewhere opens a task in another network namespace than the reserved one.
func elsewhere(t *testing.T, h *Host) {
	p := h.newPeer(t)
	other := filepath.Join(filepath.Dir(p.path), "other")
	h.ok(netns.Create(other))
	h.Reserved(t.Context(), "t")
	p.plug(other)
	h.ok(netns.Do(other, func() error {
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		return netlink.LinkSetUp(lo)
	}))
	h.ok(h.Sandbox.Open(t.Context(), sandbox.Spec{Task: "t", NetNS: other}))
	p.check(t, "t")
}

// dead opens tasks whose reserved sandboxes died; they get others, in the same
// network.
func dead(t *testing.T, h *Host) {
	for _, killed := range []string{"the sandbox", "the shim"} {
		p := h.newPeer(t)
		own := h.Reserved(t.Context(), "t")
		name := filepath.Join(filepath.Dir(p.path), "task")
		h.ok(netns.Bind(own, name))
		p.plug(own)
		pid, as := h.state("t").Sandbox.PID, own
		if killed == "the shim" {
			pid, as = h.state("t").Shim.PID, name
		}
		h.ok(syscall.Kill(pid, syscall.SIGKILL))
		if err := h.Sandbox.Open(t.Context(), sandbox.Spec{Task: "t", NetNS: as}); err != nil {
			t.Fatalf("%s was killed: %v", killed, err)
		}
		p.check(t, "t")
		h.ok(h.Close(t.Context(), "t"))
		h.ok(netns.Discard(filepath.Dir(p.path)))
	}
}

// unwanted closes tasks while their sandboxes are prepared for them.
func unwanted(t *testing.T, h *Host) {
	for i := range 20 {
		h.Reserved(t.Context(), "t")
		time.Sleep(time.Duration(i) * 600 * time.Microsecond) // another moment of it each time
		h.ok(h.Close(t.Context(), "t"))
		for _, pattern := range []string{"/sys/fs/cgroup/*", "/sys/fs/cgroup"} {
			groups, _ := filepath.Glob(pattern + h.Config.Cgroup + "/.warm-*")
			for _, g := range groups {
				if _, err := os.Stat(filepath.Join(h.Config.Dir, filepath.Base(g))); os.IsNotExist(err) {
					t.Errorf("round %d left %s", i, g)
				}
			}
		}
	}
}

// RunHastened runs the test of sandboxes whose start begins with a reservation.
func RunHastened(t *testing.T, rt Runtime) {
	h := NewHost(t, rt)
	ctx := t.Context()
	begin := func(s sandbox.Spec) (namespace, name string, p peer) {
		t.Helper()
		p = h.newPeer(t)
		namespace, ok, err := h.Reserve(ctx, s)
		h.ok(err)
		if !ok {
			t.Fatal("nothing was reserved")
		}
		name = filepath.Join(filepath.Dir(p.path), "task")
		h.ok(netns.Bind(namespace, name))
		p.plug(namespace)
		return namespace, name, p
	}
	end := func(task string, p peer) {
		t.Helper()
		h.ok(h.Close(ctx, task))
		h.ok(netns.Discard(filepath.Dir(p.path)))
		if left, err := os.ReadDir(h.Config.Dir); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	}
	// The interface comes while the sandbox starts, which does not take it before the
	// task is opened.
	namespace, name, p := begin(sandbox.Spec{Task: "t"})
	if again, _, err := h.Reserve(ctx, sandbox.Spec{Task: "t"}); again != namespace || err != nil {
		t.Errorf("reserved %s, then %s, %v", namespace, again, err)
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(h.Config.Dir, "t", api.SocketFile)); err == nil {
			break
		} else if time.Now().After(deadline) {
			t.Fatal("the sandbox does not start")
		}
	}
	h.ok(netns.Do(name, func() error {
		l, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		if a, err := netlink.AddrList(l, netlink.FAMILY_V4); err != nil || len(a) != 1 {
			t.Errorf("the task's interface has %v, %v before its sandbox is opened", a, err)
		}
		return nil
	}))
	h.ok(h.Sandbox.Open(ctx, sandbox.Spec{Task: "t", NetNS: name, Memory: 256, Hostname: "t.test"}))
	late := p.check(t, "t")
	if late.Hostname != "t.test" || late.MemLimit != 256<<20 {
		t.Errorf("seen inside: %+v", late)
	}
	end("t", p)
	// What it is to be is known when its start begins, and it is opened before it has
	// started.
	known := sandbox.Spec{Task: "u", Memory: 256, Hostname: "t.test"}
	_, name, p = begin(known)
	known.NetNS = name
	h.ok(h.Sandbox.Open(ctx, known))
	if early := p.check(t, "u"); !reflect.DeepEqual(early, late) {
		t.Errorf("seen inside:\n%+v\nwant:\n%+v", early, late)
	}
	end("u", p)
	// It is given up before it has started.
	_, _, p = begin(sandbox.Spec{Task: "v"})
	end("v", p)
	// Its shim dies.
	namespace, name, p = begin(sandbox.Spec{Task: "w"})
	pid, err := strconv.Atoi(strings.Split(namespace, "/")[2])
	h.ok(err)
	h.ok(syscall.Kill(pid, syscall.SIGKILL))
	if err := h.Sandbox.Open(ctx, sandbox.Spec{Task: "w", NetNS: name}); err != nil {
		t.Fatalf("open after the death: %v", err)
	}
	p.check(t, "w")
	end("w", p)
}

// reserve checks what is said of reservations.
func reserve(t *testing.T, h *Host) {
	ctx := t.Context()
	first := h.Reserved(ctx, "t")
	if again := h.Reserved(ctx, "t"); again != first {
		t.Errorf("reserved %s, then %s", first, again)
	}
	if other := h.Reserved(ctx, "u"); other == first {
		t.Error("two tasks have the same sandbox")
	}
	if l, err := h.List(ctx); err != nil || len(l) > 0 {
		t.Errorf("listed %+v, %v", l, err)
	}
	if err := h.Create(ctx, "t", h.Container("a", "exit", "0")); err == nil {
		t.Error("a container was made before its task")
	}
	h.ok(h.Close(ctx, "t"))
	if _, err := os.Stat(first); err == nil {
		t.Error("a closed reservation is there")
	}
	h.ok(h.Open(ctx, sandbox.Spec{Task: "u", Memory: 128}))
	h.ok(h.Open(ctx, sandbox.Spec{Task: "u", Memory: 128}))
	if l, err := h.List(ctx); err != nil || len(l) != 1 || l[0].Task != "u" {
		t.Errorf("listed %+v, %v", l, err)
	}
	if _, ok, err := h.Reserve(ctx, sandbox.Spec{Task: "u"}); ok || err != nil {
		t.Errorf("an open task was reserved a sandbox: %v, %v", ok, err)
	}
	for _, id := range []string{"", ".", "..", "a/b", warmName} {
		if _, ok, err := h.Reserve(ctx, sandbox.Spec{Task: id}); ok || err == nil {
			t.Errorf("task %q was reserved a sandbox: %v, %v", id, ok, err)
		}
	}
}

// warmName is a name that no task may have.
const warmName = ".warm-1"

// leftovers kills a daemon that has reserved sandboxes; the next one uses those
// that are ready, keeps what is open, and removes the rest.
func leftovers(t *testing.T, h *Host) {
	h.stop()
	ctx := t.Context()
	if ready := h.warm(); len(ready) > 0 {
		t.Errorf("left behind: %v", ready)
	}
	b, err := json.Marshal(order{Config: h.Config, Warm: true, Run: []sandbox.Container{h.Container("a", "polite")}})
	h.ok(err)
	daemon := exec.Command("/proc/self/exe")
	daemon.Env = append(os.Environ(), daemonEnv+"="+string(b))
	out, err := daemon.StdoutPipe()
	h.ok(err)
	daemon.Stderr = os.Stderr
	h.ok(daemon.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	killed := daemon.Process.Kill()
	_ = daemon.Wait()
	h.ok(err)
	h.ok(killed)
	if line != "running\n" {
		t.Fatalf("the daemon said %q", line)
	}
	before := h.warm()

	h.Sandbox = h.rt.New(h.Config)
	h.keep()
	h.Reserved(ctx, "u") // it has looked at what is there
	h.ok(h.Open(ctx, sandbox.Spec{Task: "u"}))
	if kept, _ := os.Readlink(filepath.Join(h.Config.Dir, "u")); !before[kept] {
		t.Errorf("%s is a new sandbox; there were %v", kept, before)
	}
	if _, err := os.Lstat(filepath.Join(h.Config.Dir, "reserved")); err == nil {
		t.Error("a reservation outlived its daemon")
	}
	h.Until("t", "a", "ready")
	h.ok(h.Signal(ctx, "t", "a", syscall.SIGTERM))
	h.exits("t", "a", 0, false)
	l, err := h.List(ctx)
	if err != nil || len(l) != 2 || l[0].Task != "t" || l[1].Task != "u" {
		t.Errorf("listed %+v, %v", l, err)
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		if n := len(h.warm()); n == 4 { // two of tasks, two that are ready
			return
		} else if time.Now().After(deadline) {
			t.Fatalf("%d sandboxes, want 4", n)
		}
	}
}

// warm are the names of the sandboxes that were made before their tasks.
func (h *Host) warm() map[string]bool {
	found, _ := filepath.Glob(h.Config.Dir + "/.warm-*")
	names := map[string]bool{}
	for _, f := range found {
		names[filepath.Base(f)] = true
	}
	return names
}

// full waits until as many sandboxes are ready as shall be.
func (h *Host) full(ctx context.Context) {
	h.t.Helper()
	for ; ctx.Err() == nil; time.Sleep(2 * time.Millisecond) {
		ready, _ := filepath.Glob(h.Config.Dir + "/.warm-*/" + api.SocketFile)
		tasks, _ := filepath.Glob(h.Config.Dir + "/*")
		for _, t := range tasks {
			if to, err := os.Readlink(t); err == nil && h.warm()[to] {
				ready = ready[1:]
			}
		}
		if len(ready) >= h.Config.Warm {
			return
		}
	}
	h.t.Error("sandboxes do not get ready")
}

// warmDaemon is what a daemon does with sandboxes that are ready: it reserves one
// for the task t, and one for the task reserved, and waits until two more are
// ready.
func warmDaemon(ctx context.Context, s *shim.Sandbox, dir string) error {
	go s.Run(ctx, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	for _, task := range []string{"t", "reserved"} {
		for ; s.Ready() == 0; time.Sleep(2 * time.Millisecond) {
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
		if _, _, err := s.Reserve(ctx, sandbox.Spec{Task: task}); err != nil {
			return err
		}
	}
	for ; ctx.Err() == nil; time.Sleep(2 * time.Millisecond) {
		if sockets, _ := filepath.Glob(dir + "/.warm-*/" + api.SocketFile); len(sockets) == 4 {
			break
		}
	}
	return ctx.Err()
}
