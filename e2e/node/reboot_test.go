package node

import (
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/google/nftables"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"neargate/e2e/leak"
	"neargate/internal/netns"
)

// reboot takes everything of a world that a restart of the machine takes: its
// processes, namespaces, links, rules, mounts and cgroups, and what is in memory.
// Its disk stays. What goes by itself with other things is given the time to.
func (w *world) reboot(t *testing.T) {
	t.Helper()
	w.crash(t)
	var last []string
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		now, err := leak.Take(w.scope)
		ok(t, err)
		last = last[:0]
		var groups []string
		for k, o := range now {
			if _, had := w.before[k]; had {
				continue
			}
			switch o.Kind {
			case leak.File, leak.Socket: // on the disk
				continue
			case leak.Process:
				pid, _, _ := strings.Cut(o.Key, " ")
				n, err := strconv.Atoi(pid)
				ok(t, err)
				_ = syscall.Kill(n, syscall.SIGKILL)
			case leak.Mount:
				where, _, _ := strings.Cut(o.Key, " ")
				_ = unix.Unmount(where, unix.MNT_DETACH) // in a namespace of its own it ends with that
			case leak.Link:
				name, _, _ := strings.Cut(o.Text, " ")
				if l, err := netlink.LinkByName(name); err == nil {
					_ = netlink.LinkDel(l)
				}
			case leak.Table:
				removeTable(t, o.Text)
			case leak.Cgroup:
				groups = append(groups, o.Key)
			case leak.Route:
				removeRoutes(t, w)
			}
			last = append(last, o.String())
		}
		slices.Sort(groups)
		for _, g := range slices.Backward(groups) {
			_ = os.Remove(g)
		}
		if len(last) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("still there:\n\t%s", strings.Join(last, "\n\t"))
		}
	}
}

func removeTable(t *testing.T, name string) {
	t.Helper()
	c, err := nftables.New()
	ok(t, err)
	all, err := c.ListTables()
	ok(t, err)
	for _, x := range all {
		if x.Name == name {
			c.DelTable(x)
			_ = c.Flush()
		}
	}
}

// removeRoutes removes those of the world's public addresses, its own among them.
func removeRoutes(t *testing.T, w *world) {
	t.Helper()
	var all []netlink.Route
	ok(t, netns.Steady(func() (err error) {
		all, err = netlink.RouteListFiltered(netlink.FAMILY_V4, &netlink.Route{Table: unix.RT_TABLE_UNSPEC}, netlink.RT_FILTER_TABLE) // of every table
		return err
	}))
	for _, r := range all {
		if r.Dst != nil && in(w.pool, r.Dst.IP) {
			_ = netlink.RouteDel(&r)
		}
	}
}

func in(p netip.Prefix, ip net.IP) bool {
	a, ok := netip.AddrFromSlice(ip)
	return ok && p.Contains(a.Unmap())
}

// rebooted: after the machine's restart what ran is reported as stopped, with the
// code of what was killed; services run again, and so does the network.
func rebooted(t *testing.T, w *world, c *tenant) {
	serve := definition{ContainerDefinitions: []types.ContainerDefinition{guestContainer("main", "serve", ":80")}}
	of := c.service(t, "again", serve)
	alone := c.run(t, serve)
	done := c.guests(t, guestContainer("main", "exit", "7"))
	c.running(t, alone)
	c.stopped(t, done)
	w.reboot(t)
	w.start(t, c)
	begin := time.Now()
	for _, arn := range []string{alone, of} {
		x := c.stopped(t, arn)
		if !exited(t, x, "main", 137) || x.StopCode != types.TaskStopCodeEssentialContainerExited {
			t.Error(told(x))
		}
	}
	if took := time.Since(begin); took > 20*time.Second {
		t.Errorf("told after %v", took)
	}
	if x := c.task(t, done); !exited(t, x, "main", 7) {
		t.Error(told(x))
	}
	_, public := c.addresses(t, c.task(t, c.replacement(t, "again", of)))
	answers(t, public)
	_, public = c.addresses(t, c.running(t, c.run(t, serve)))
	answers(t, public)
}
