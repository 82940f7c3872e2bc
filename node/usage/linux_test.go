package usage

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"neargate/internal/netns"
)

func TestParseStat(t *testing.T) {
	const text = "cpu  100 20 30 400 5 6 7 8 90 10\ncpu0 50 10 15 200 2 3 3 4 45 5\ncpu1 50 10 15 200 3 3 4 4 45 5\nintr 1 2\nctxt 5\n"
	h, err := parseStat([]byte(text))
	if want := (Host{CPU: 5760 * time.Millisecond, CPUs: 2}); err != nil || h != want {
		t.Errorf("%+v, %v; want %+v", h, err, want)
	}
	for _, bad := range []string{"", "intr 1\n", "cpu  x\ncpu0 1\n"} {
		if h, err := parseStat([]byte(bad)); err == nil {
			t.Errorf("%q: %+v", bad, h)
		}
	}
}

func TestReadHost(t *testing.T) {
	a, err := ReadHost()
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		b, err := ReadHost()
		if err != nil {
			t.Fatal(err)
		}
		if b.CPUs != a.CPUs || b.CPU < a.CPU {
			t.Fatalf("%+v, then %+v", a, b)
		}
		if b.CPU > a.CPU {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the host's processors stand still")
		}
	}
}

func TestReadClock(t *testing.T) {
	c, err := ReadClock()
	if err != nil {
		t.Fatal(err)
	}
	if since := time.Since(c.At); since < 0 || since > time.Minute {
		t.Errorf("%+v", c)
	}
	if c.Synchronized != (c.Error > 0) {
		t.Errorf("%+v: a clock that is kept has an error bound, another has none", c)
	}
}

func root(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: makes namespaces and mounts")
	}
}

// Two namespaces with a cable between them: what one sends the other receives,
// to the byte.
func TestReadNetwork(t *testing.T) {
	root(t)
	dir := filepath.Join(t.TempDir(), "ns")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(netns.Prepare(dir))
	t.Cleanup(func() {
		if err := netns.Discard(dir); err != nil {
			t.Error(err)
		}
	})
	here, there := filepath.Join(dir, "here"), filepath.Join(dir, "there")
	must(netns.Create(here))
	must(netns.Create(there))
	f, err := os.Open(there)
	must(err)
	defer f.Close()
	up := func(device, address string) error {
		l, err := netlink.LinkByName(device)
		if err != nil {
			return err
		}
		a, err := netlink.ParseAddr(address)
		return errors.Join(err, netlink.AddrAdd(l, a), netlink.LinkSetUp(l))
	}
	must(netns.Do(here, func() error {
		veth := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "eth0", TxQLen: -1}, PeerName: "eth0", PeerNamespace: netlink.NsFd(int(f.Fd()))}
		if err := netlink.LinkAdd(veth); err != nil {
			return err
		}
		quiet := os.WriteFile("/proc/sys/net/ipv6/conf/eth0/disable_ipv6", []byte("1"), 0)
		return errors.Join(quiet, up("lo", "127.0.0.1/8"), up("eth0", "192.0.2.1/24"))
	}))
	must(netns.Do(there, func() error {
		return errors.Join(os.WriteFile("/proc/sys/net/ipv6/conf/eth0/disable_ipv6", []byte("1"), 0), up("eth0", "192.0.2.2/24"))
	}))

	before, err := ReadNetwork(here)
	must(err)
	if _, ok := before["eth0"]; !ok || len(before) != 1 {
		t.Fatalf("%v, want eth0 alone", before)
	}
	const size, packets = 1000, 20
	must(netns.Do(here, func() error {
		c, err := net.Dial("udp", "192.0.2.2:9")
		if err != nil {
			return err
		}
		defer c.Close()
		for range packets {
			c.Write(make([]byte, size)) // nobody listens: later writes tell of it
		}
		return nil
	}))
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		a, err := ReadNetwork(here)
		must(err)
		b, err := ReadNetwork(there)
		must(err)
		if a["eth0"].SentBytes-before["eth0"].SentBytes >= size*packets/2 && a["eth0"].SentBytes == b["eth0"].ReceivedBytes &&
			a["eth0"].SentPackets == b["eth0"].ReceivedPackets {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("here %+v, there %+v", a, b)
		}
	}
	for _, path := range []string{"", filepath.Join(dir, "none")} {
		if n, err := ReadNetwork(path); err == nil {
			t.Errorf("%q: %v", path, n)
		}
	}
}

func write(t *testing.T, path string, size int) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestDiskCounts(t *testing.T) {
	dir := t.TempDir()
	d := NewDisk(dir)
	now := time.Unix(1000, 0)
	d.now = func() time.Time { return now }
	used := func() uint64 {
		t.Helper()
		n, err := d.Used(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	empty := used()
	write(t, filepath.Join(dir, "a", "file"), 1<<20)
	if err := os.Link(filepath.Join(dir, "a", "file"), filepath.Join(dir, "again")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/", filepath.Join(dir, "away")); err != nil {
		t.Fatal(err)
	}
	if n := used(); n != empty {
		t.Errorf("%d, want the count of before, %d", n, empty)
	}
	now = now.Add(freshDisk)
	if n := used() - empty; n < 1<<20 || n > 1<<20+1<<16 {
		t.Errorf("%d more, want a MiB", n)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	now = now.Add(freshDisk)
	if n, err := d.Used(ended); !errors.Is(err, context.Canceled) {
		t.Error(n, err)
	}
	if n, err := NewDisk(filepath.Join(dir, "none")).Used(t.Context()); !errors.Is(err, os.ErrNotExist) {
		t.Error(n, err)
	}
}

// A directory with a file system of its own is asked each time.
func TestDiskAsks(t *testing.T) {
	root(t)
	dir := filepath.Join(t.TempDir(), "task")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=8m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	d := NewDisk(dir)
	before, err := d.Used(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "file"), 3<<20)
	after, err := d.Used(t.Context())
	if err != nil || after-before != 3<<20 {
		t.Errorf("%d, then %d, %v; want 3 MiB more", before, after, err)
	}
	// Seen from outside, what is mounted inside does not count.
	if n, err := NewDisk(filepath.Dir(dir)).Used(t.Context()); err != nil || n > 1<<20 {
		t.Errorf("outside: %d, %v", n, err)
	}
}
