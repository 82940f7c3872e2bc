package network

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"neargate/internal/netns"
	"neargate/node/network/kern"
	"neargate/resource/network"
)

// cpu is the processor time the process has used, in the kernel included.
func cpu() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// waitFor returns when the kernel has taken the device away. It holds its lock of
// all devices for that, in whose way nothing measured should be.
func (w *world) waitFor(space, device string) {
	w.t.Helper()
	for gone := false; !gone; {
		w.in(space, func(k *netlink.Handle) error {
			err := kern.WithLink(k, device, func(netlink.Link) error { return nil })
			gone = err != nil
			return kern.Ignore(err, unix.ENODEV)
		})
		time.Sleep(time.Millisecond)
	}
}

// BenchmarkInterface plugs an interface into a VPC that has n, and unplugs it: with a
// namespace made for it, and into one that is there, as sandboxes kept ready have one.
func BenchmarkInterface(b *testing.B) {
	for i, n := range []int{1, 25, 250, 25} {
		name, ready := fmt.Sprint("beside ", n), i == 3
		if ready {
			name += " into a namespace"
		}
		b.Run(name, func(b *testing.B) {
			w := newWorld(b)
			m := w.manager(false)
			v := twoSubnets("1", 10)
			add := func(i int) {
				a := netip.AddrFrom4([4]byte{10, 0, 1, byte(20 + i%200)})
				if i >= 200 {
					a = netip.AddrFrom4([4]byte{10, 0, 2, byte(20 + i%200)})
				}
				id := fmt.Sprint("eni-", i)
				v.Interfaces = append(v.Interfaces, Interface{ID: id, MAC: network.MAC(id), Addresses: []netip.Addr{a},
					Subnet: fmt.Sprint("subnet-", 1+i/200), Groups: []string{"sg-web"}, Public: netip.AddrFrom4([4]byte{198, 18, 30, byte(i)})})
				v.Groups[0].Members = append(slices.Clone(v.Groups[0].Members), a)
			}
			for i := range n {
				add(i)
			}
			w.reconcile(m, v)
			base, members := v.Interfaces, v.Groups[0].Members
			var plug, unplug, plugCPU time.Duration
			i := 0
			for b.Loop() {
				v.Interfaces, v.Groups[0].Members = slices.Clone(base), members
				add(250)
				next := &v.Interfaces[len(base)]
				// As a subnet hands addresses out: one that was another's comes after many.
				next.ID, next.Addresses = fmt.Sprint("eni-new-", i), []netip.Addr{netip.AddrFrom4([4]byte{10, 0, 2, byte(100 + i%150)})}
				v.Groups[0].Members[len(members)] = next.Addresses[0]
				next.Public = netip.AddrFrom4([4]byte{198, 18, 31, byte(i % 150)})
				if ready {
					next.Namespace = filepath.Join(w.dir, "world", fmt.Sprint("ready-", i))
					w.must(netns.Create(next.Namespace))
				}
				i++
				wanted := clone(v)
				at, used := time.Now(), cpu()
				_, err := m.Update(wanted)
				w.must(err)
				plug += time.Since(at)
				plugCPU += cpu() - used
				v.Interfaces, v.Groups[0].Members = base, members
				at = time.Now()
				_, err = m.Update(clone(v))
				w.must(err)
				unplug += time.Since(at)
				if ready {
					w.must(netns.Remove(wanted.Interfaces[len(base)].Namespace))
				}
				w.waitFor(m.path(nameVPC(v.ID)), Name(fmt.Sprint("eni-new-", i-1)))
			}
			per := func(d time.Duration) float64 { return d.Seconds() * 1000 / float64(b.N) }
			b.ReportMetric(per(plug), "ms/plug")
			b.ReportMetric(per(plugCPU), "cpu-ms/plug")
			b.ReportMetric(per(unplug), "ms/unplug")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkReconcile looks after 500 interfaces in 20 VPCs with equal addresses.
func BenchmarkReconcile(b *testing.B) {
	w := newWorld(b)
	m := w.manager(false)
	var vpcs []VPC
	for n := range 20 {
		v := twoSubnets(fmt.Sprint(n), 10+n)
		for i := range 22 {
			id := fmt.Sprintf("eni-%d-%d", n, i)
			v.Interfaces = append(v.Interfaces, Interface{ID: id, MAC: network.MAC(id), Subnet: "subnet-1", Groups: []string{"sg-web"},
				Addresses: []netip.Addr{netip.AddrFrom4([4]byte{10, 0, 1, byte(20 + i)})}, Public: netip.AddrFrom4([4]byte{198, 18, byte(10 + n), byte(20 + i)})})
		}
		vpcs = append(vpcs, v)
	}
	at, used := time.Now(), cpu()
	w.reconcile(m, vpcs...)
	b.Logf("made in %v, %v of processor time", time.Since(at), cpu()-used)
	used = cpu()
	for b.Loop() {
		w.settled(m, vpcs...)
	}
	b.ReportMetric((cpu()-used).Seconds()*1000/float64(b.N), "cpu-ms/op")
	at = time.Now()
	w.must(m.Remove())
	b.Logf("removed in %v", time.Since(at))
	w.clean()
}

// BenchmarkGroup changes a group of 10,000 members that a rule refers to: by one
// member, and with all rules replaced.
func BenchmarkGroup(b *testing.B) {
	w := newWorld(b)
	m := w.manager(false)
	v := twoSubnets("1", 10)
	var members []netip.Addr
	for i := range 10000 {
		members = append(members, netip.AddrFrom4([4]byte{10, 0, byte(16 + i/250), byte(i % 250)}))
	}
	v.Groups[0].Members = members
	w.reconcile(m, v)
	b.Run("one member", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			v.Groups[0].Members = members[:9999+i%2]
			_, err := m.Update(clone(v))
			w.must(err)
		}
	})
	b.Run("all rules", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			v.Groups[2].Permissions[1].From = 80 + i%2
			_, err := m.Update(clone(v))
			w.must(err)
		}
	})
}
