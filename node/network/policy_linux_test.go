package network

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"neargate/internal/netns"
	"neargate/node/firewall"
	"neargate/resource/network"
)

// TestPolicyIsWhatPacketsMeet sends UDP packets between all interfaces, the host
// among them, under random policies and compares with what the policy says.
func TestPolicyIsWhatPacketsMeet(t *testing.T) {
	w := newWorld(t)
	m := w.manager(false)
	v := twoSubnets("1", 10)
	v.Subnets[1].Routes = v.Subnets[0].Routes
	w.reconcile(m, v)
	const ports = 3
	for _, i := range v.Interfaces {
		for p := range ports {
			w.serve(m.Namespace(i.ID), i.ID, 1+p)
		}
	}
	rnd := rand.New(rand.NewPCG(7, 7))
	passed, dropped := 0, 0
	for round := range 20 {
		randomGroups(rnd, &v)
		if _, err := m.Update(clone(v)); err != nil {
			t.Fatal(err)
		}
		policy := v.policy(nil)
		var wg sync.WaitGroup
		var mu sync.Mutex
		for from := range len(v.Interfaces) + 1 {
			for to, target := range v.Interfaces {
				for port := 1; port <= ports; port++ {
					if from == to || from == len(v.Interfaces) && !target.Public.IsValid() {
						continue
					}
					k := firewall.Packet{Input: deviceGateway, Output: Name(target.ID), Source: m.host.Address,
						Destination: target.Addresses[0], Protocol: 17, Port: port}
					space, dest := w.host, target.Public
					if from < len(v.Interfaces) {
						k.Input, k.Source = Name(v.Interfaces[from].ID), v.Interfaces[from].Addresses[0]
						space, dest = m.Namespace(v.Interfaces[from].ID), k.Destination
					}
					c, err := dial(space, "udp", netip.AddrPortFrom(dest, uint16(port)).String(), patience)
					w.must(err)
					back := firewall.Packet{Input: k.Output, Output: k.Input, Source: k.Destination, Destination: k.Source, Protocol: 17,
						Port: c.LocalAddr().(*net.UDPAddr).Port, Established: true}
					there, by := policy.Allows(k)
					home, byHome := policy.Allows(back)
					wg.Go(func() {
						defer c.Close()
						_, err := ask(c, impatience)
						mu.Lock()
						defer mu.Unlock()
						if got := err == nil; got != (there && home) {
							t.Errorf("round %d: %+v: policy says %v %s and back %v %s, packets %v\n%s", round, k, there, by, home, byHome, got, firewall.Render(policy))
						}
						if err == nil {
							passed++
						} else {
							dropped++
						}
					})
				}
			}
		}
		wg.Wait()
	}
	t.Logf("%d passed, %d dropped", passed, dropped)
	if passed < 30 || dropped < 30 {
		t.Errorf("%d passed and %d were dropped: too few of one kind", passed, dropped)
	}
}

func randomGroups(r *rand.Rand, v *VPC) {
	v.Groups, v.ACLs = nil, nil
	ranges := []string{"0.0.0.0/0", "10.0.1.0/24", "10.0.2.10/32", "198.18.0.0/16"}
	traffic := func() (string, int, int) {
		low := 1 + r.IntN(3)
		return []string{"udp", "udp", "-1", "tcp"}[r.IntN(4)], low, low + r.IntN(2)
	}
	for g := range 3 {
		group := firewall.Group{ID: fmt.Sprintf("sg-%d", g)}
		for range 1 + r.IntN(4) {
			proto, from, to := traffic()
			p := network.Permission{Egress: r.IntN(2) == 0, Protocol: proto, From: from, To: to, IPv4: ranges[r.IntN(4)]}
			if r.IntN(3) == 0 {
				p.IPv4, p.Peer = "", fmt.Sprintf("sg-%d", r.IntN(3))
			}
			group.Permissions = append(group.Permissions, p)
		}
		v.Groups = append(v.Groups, group)
	}
	for i := range v.Interfaces {
		v.Interfaces[i].Groups = nil
		for g := range v.Groups {
			if r.IntN(2) == 0 {
				v.Interfaces[i].Groups = append(v.Interfaces[i].Groups, v.Groups[g].ID)
				v.Groups[g].Members = append(v.Groups[g].Members, v.Interfaces[i].Addresses[0])
			}
		}
	}
	for s := range v.Subnets {
		v.Subnets[s].ACL = ""
		if r.IntN(2) == 0 {
			continue
		}
		a := firewall.ACL{ID: fmt.Sprintf("acl-%d", s)}
		for _, egress := range []bool{true, false} {
			proto, from, to := traffic()
			a.Entries = append(a.Entries,
				network.NetworkAclEntry{Egress: egress, Number: 10, Protocol: proto, From: from, To: to, Action: "deny", CIDR: ranges[r.IntN(4)]},
				network.NetworkAclEntry{Egress: egress, Number: 20, Protocol: "-1", Action: "allow", CIDR: network.AnyIPv4})
		}
		v.ACLs, v.Subnets[s].ACL = append(v.ACLs, a), a.ID
	}
}

// TestLargePackets moves data over paths with different MTUs: inside the VPC, to
// the internet, and to another task around the gateway.
func TestLargePackets(t *testing.T) {
	w := newWorld(t)
	m := w.manager(false)
	v := twoSubnets("1", 10)
	v.Interfaces[1].Groups = []string{"sg-web"}
	v.Interfaces[1].Public = addr("198.18.10.11")
	w.reconcile(m, v)
	a, b := m.Namespace(v.Interfaces[0].ID), m.Namespace(v.Interfaces[1].ID)
	for _, space := range []string{b, w.internet} {
		w.sink(space, 80)
	}
	for to, large := range map[string]bool{"10.0.1.11:80": true, "203.0.113.9:80": false, "198.18.10.11:80": false} {
		w.pour(a, to, 4<<20)
		if size := w.segment(a, to); large != (size > 8000) || !large && size > 1460 {
			t.Errorf("segments to %s have %d bytes", to, size)
		}
	}
	w.pour(w.host, "198.18.10.11:80", 4<<20)
	w.must(m.Remove())
	w.clean()
}

// segment is the size of segments on a new connection.
func (w *world) segment(space, to string) (size int) {
	w.t.Helper()
	c, err := dial(space, "tcp", to, patience)
	w.must(err)
	defer c.Close()
	raw, err := c.(*net.TCPConn).SyscallConn()
	w.must(err)
	w.must(raw.Control(func(fd uintptr) { size, err = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_MAXSEG) }))
	w.must(err)
	return size
}

// sink reads what is sent to port and answers, when the sender is done, with how
// many bytes it was.
func (w *world) sink(space string, port int) {
	w.t.Helper()
	w.must(netns.Do(space, func() error {
		l, err := net.Listen("tcp4", fmt.Sprintf(":%d", port))
		if err != nil {
			return err
		}
		w.t.Cleanup(func() { l.Close() })
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go func() {
					defer c.Close()
					n, _ := io.Copy(io.Discard, c)
					fmt.Fprintln(c, n)
				}()
			}
		}()
		return nil
	}))
}

// pour sends n bytes to a sink.
func (w *world) pour(space, to string, n int64) {
	w.t.Helper()
	c, err := dial(space, "tcp", to, patience)
	w.must(err)
	defer c.Close()
	c.SetDeadline(time.Now().Add(2 * patience))
	if _, err := io.CopyN(c, zeros{}, n); err != nil {
		w.t.Errorf("to %s: %v", to, err)
		return
	}
	c.(*net.TCPConn).CloseWrite()
	var got int64
	if _, err := fmt.Fscan(c, &got); got != n {
		w.t.Errorf("%s got %d bytes of %d: %v", to, got, n, err)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }
