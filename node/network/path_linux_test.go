package network

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"neargate/internal/netns"
	"neargate/node/network/kern"
)

// path leads from a namespace to an address with a server.
type path struct{ name, from, to string }

// wired is a namespace pair on one veth pair, and one on a bridge between two.
func (w *world) wired() []path {
	w.t.Helper()
	space := func(name string) string {
		p := filepath.Join(w.dir, "world", name)
		w.must(netns.Create(p))
		return p
	}
	left, right, switched, one, two := space("left"), space("right"), space("switch"), space("one"), space("two")
	w.in(switched, func(k *netlink.Handle) error {
		b := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "br0", Flags: net.FlagUp, MTU: mtuVPC, TxQLen: -1}}
		return k.LinkAdd(b)
	})
	w.cable(left, "eth0", right, "")
	w.cable(switched, "p1", one, "br0")
	w.cable(switched, "p2", two, "br0")
	for space, p := range map[string]string{left: "10.7.0.1/24", right: "10.7.0.2/24", one: "10.8.0.1/24", two: "10.8.0.2/24"} {
		w.in(space, func(k *netlink.Handle) error {
			return kern.WithLink(k, "eth0", func(l netlink.Link) error {
				return errors.Join(k.AddrAdd(l, &netlink.Addr{IPNet: kern.IPNet(prefix(p))}), k.LinkSetUp(l))
			})
		})
	}
	w.serve(right, "x", 80)
	w.serve(two, "x", 80)
	w.sink(right, 90)
	w.sink(two, 90)
	return []path{{"veth", left, "10.7.0.2"}, {"bridge", one, "10.8.0.2"}}
}

func (w *world) cable(space, device, far, master string) {
	w.t.Helper()
	f, err := os.Open(far)
	w.must(err)
	defer f.Close()
	w.in(space, func(k *netlink.Handle) error {
		err := k.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: device, MTU: mtuVPC, Flags: net.FlagUp, TxQLen: -1},
			PeerName: "eth0", PeerNamespace: netlink.NsFd(int(f.Fd())), PeerMTU: mtuVPC})
		if err != nil || master == "" {
			return err
		}
		return kern.WithLink(k, device, func(l netlink.Link) error {
			return kern.WithLink(k, master, func(m netlink.Link) error { return k.LinkSetMaster(l, m) })
		})
	})
}

// BenchmarkPath measures round trips, connections and bytes from task to task
// through VPCs whose groups have 1, 100 and 10,000 members, beside a veth pair and
// a bridge, in turns; the ratios are to the veth pair, in medians.
func BenchmarkPath(b *testing.B) {
	w := newWorld(b)
	m := w.manager(false)
	paths := w.wired()
	var vpcs []VPC
	for i, n := range []int{1, 100, 10000} {
		v := twoSubnets(fmt.Sprint(i+1), 10*(i+1))
		for k := range n - 1 {
			v.Groups[0].Members = append(v.Groups[0].Members, netip.AddrFrom4([4]byte{10, 0, byte(16 + k/250), byte(k % 250)}))
		}
		v.Groups[1].Permissions = append(v.Groups[1].Permissions, permit("tcp", 90, "sg-web"))
		vpcs = append(vpcs, v)
		paths = append(paths, path{fmt.Sprintf("vpc-%d", n), m.Namespace(v.Interfaces[0].ID), "10.0.1.11"})
	}
	w.reconcile(m, vpcs...)
	for _, v := range vpcs {
		to := m.Namespace(v.Interfaces[1].ID)
		w.serve(to, "x", 80)
		w.sink(to, 90)
	}
	const trips, connections, size = 200, 50, 32 << 20
	b.Run("round-trip", func(b *testing.B) {
		inTurns(b, paths, "µs", func(p path) float64 {
			conn, err := dial(p.from, "tcp", p.to+":80", patience)
			w.must(err)
			defer conn.Close()
			in, at := bufio.NewReader(conn), time.Now()
			for range trips {
				fmt.Fprintln(conn)
				if _, err := in.ReadString('\n'); err != nil {
					b.Fatal(err)
				}
			}
			return time.Since(at).Seconds() * 1e6 / trips
		})
	})
	b.Run("connections", func(b *testing.B) {
		inTurns(b, paths, "/s", func(p path) float64 {
			at := time.Now()
			for range connections {
				conn, err := dial(p.from, "tcp", p.to+":80", patience)
				w.must(err)
				conn.(*net.TCPConn).SetLinger(0)
				conn.Close()
			}
			return connections / time.Since(at).Seconds()
		})
	})
	b.Run("throughput", func(b *testing.B) {
		inTurns(b, paths, "MB/s", func(p path) float64 {
			at := time.Now()
			w.pour(p.from, p.to+":90", size)
			return size / 1e6 / time.Since(at).Seconds()
		})
	})
}

// inTurns measures each path in each turn, and reports medians and their ratios to
// the first path's.
func inTurns(b *testing.B, paths []path, unit string, measure func(path) float64) {
	figures := make([][]float64, len(paths))
	for b.Loop() {
		for i, p := range paths {
			figures[i] = append(figures[i], measure(p))
		}
	}
	var first float64
	for i, p := range paths {
		slices.Sort(figures[i])
		median := figures[i][len(figures[i])/2]
		if i == 0 {
			first = median
		}
		b.Logf("%-10s %-9s %9.0f %-5s %5.2f of %s", b.Name()[len("BenchmarkPath/"):], p.name, median, unit, median/first, paths[0].name)
	}
}
