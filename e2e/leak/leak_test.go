package leak

import (
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Every kind of object is seen when it comes and not when it has gone, in the
// scope of its words and its pool only.
func TestKinds(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	dir := t.TempDir()
	pool := netip.MustParsePrefix("198.19.254.0/30")
	mine := Scope{Dirs: []string{dir}, Words: []string{"ngleak"}, Pool: pool}
	others := Scope{Dirs: []string{filepath.Join(dir, "not")}, Words: []string{"another-word"}, Pool: netip.MustParsePrefix("198.19.254.4/30")}
	for _, kind := range []struct {
		name string
		make func(t *testing.T) (remove func() error)
	}{
		{File, func(t *testing.T) func() error {
			f := filepath.Join(dir, "file")
			ok(t, os.WriteFile(f, nil, 0o600))
			return func() error { return os.Remove(f) }
		}},
		{Process, func(t *testing.T) func() error {
			cmd := exec.Command("sleep", "1000")
			cmd.Dir = dir
			ok(t, cmd.Start())
			return func() error { _ = cmd.Process.Kill(); _ = cmd.Wait(); return nil }
		}},
		{Mount, func(t *testing.T) func() error {
			at := filepath.Join(dir, "mount")
			ok(t, os.MkdirAll(at, 0o700))
			ok(t, unix.Mount("tmpfs", at, "tmpfs", 0, ""))
			return func() error {
				if err := unix.Unmount(at, 0); err != nil {
					return err
				}
				return os.Remove(at)
			}
		}},
		{Namespace, func(t *testing.T) func() error {
			at := filepath.Join(dir, "netns")
			ok(t, os.WriteFile(at, nil, 0o600))
			ok(t, exec.Command("unshare", "--net="+at, "true").Run())
			return func() error {
				if err := unix.Unmount(at, 0); err != nil {
					return err
				}
				return os.Remove(at)
			}
		}},
		{Link, func(t *testing.T) func() error {
			l := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "ngleak0"}, PeerName: "ngleak1"}
			ok(t, netlink.LinkAdd(l))
			return func() error { return netlink.LinkDel(l) }
		}},
		{Address, func(t *testing.T) func() error {
			lo, err := netlink.LinkByName("lo")
			ok(t, err)
			a := &netlink.Addr{IPNet: &net.IPNet{IP: net.IPv4(198, 19, 254, 1), Mask: net.CIDRMask(32, 32)}}
			ok(t, netlink.AddrAdd(lo, a))
			return func() error { return netlink.AddrDel(lo, a) }
		}},
		{Route, func(t *testing.T) func() error {
			r := &netlink.Route{Dst: &net.IPNet{IP: net.IPv4(198, 19, 254, 2), Mask: net.CIDRMask(32, 32)}, Type: unix.RTN_BLACKHOLE, Table: 4711}
			ok(t, netlink.RouteAdd(r))
			return func() error { return netlink.RouteDel(r) }
		}},
		{Rule, func(t *testing.T) func() error {
			r := netlink.NewRule()
			r.Dst, r.Table, r.Priority = &net.IPNet{IP: net.IPv4(198, 19, 254, 2), Mask: net.CIDRMask(32, 32)}, 4711, 4711
			ok(t, netlink.RuleAdd(r))
			return func() error { return netlink.RuleDel(r) }
		}},
		{Table, func(t *testing.T) func() error {
			c, err := nftables.New()
			ok(t, err)
			table := c.AddTable(&nftables.Table{Family: nftables.TableFamilyINet, Name: "ngleak"})
			ok(t, c.Flush())
			return func() error { c.DelTable(table); return c.Flush() }
		}},
		{Cgroup, func(t *testing.T) func() error {
			roots, err := filepath.Glob("/sys/fs/cgroup/*/cgroup.procs")
			ok(t, err)
			at := "/sys/fs/cgroup/ngleak"
			if len(roots) > 0 {
				at = filepath.Join(filepath.Dir(roots[0]), "ngleak")
			}
			ok(t, os.Mkdir(at, 0o755))
			return func() error { return os.Remove(at) }
		}},
		{Loop, func(t *testing.T) func() error {
			image := filepath.Join(dir, "image")
			ok(t, os.WriteFile(image, make([]byte, 1<<20), 0o600))
			device, err := exec.Command("losetup", "--find", "--show", image).Output()
			ok(t, err)
			return func() error {
				if err := exec.Command("losetup", "--detach", strings.TrimSpace(string(device))).Run(); err != nil {
					return err
				}
				return os.Remove(image)
			}
		}},
		{Socket, func(t *testing.T) func() error {
			l, err := net.Listen("unix", filepath.Join(dir, "socket"))
			ok(t, err)
			return l.Close
		}},
	} {
		t.Run(kind.name, func(t *testing.T) {
			before, err := Take(mine)
			ok(t, err)
			elsewhere, err := Take(others)
			ok(t, err)
			remove := kind.make(t)
			left, err := Left(mine, before, 0)
			if err != nil || !slices.ContainsFunc(left, func(s string) bool { return strings.HasPrefix(s, kind.name+" ") }) {
				t.Errorf("not seen: %v, %q", err, left)
			}
			if left, err := Left(others, elsewhere, 0); err != nil || len(left) > 0 {
				t.Errorf("seen out of scope: %v, %q", err, left)
			}
			ok(t, remove())
			if left, err := Left(mine, before, 10*time.Second); err != nil || len(left) > 0 {
				t.Errorf("still there: %v, %q", err, left)
			}
		})
	}
}

// Left waits for what goes on its own, and no longer than it was told.
func TestLeftWaits(t *testing.T) {
	dir := t.TempDir()
	s := Scope{Dirs: []string{dir}}
	before, err := Take(s)
	ok(t, err)
	f := filepath.Join(dir, "file")
	ok(t, os.WriteFile(f, nil, 0o600))
	time.AfterFunc(200*time.Millisecond, func() { os.Remove(f) })
	if left, err := Left(s, before, 20*time.Second); err != nil || len(left) > 0 {
		t.Errorf("%v %q", err, left)
	}
}
