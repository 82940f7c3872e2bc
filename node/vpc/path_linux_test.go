package vpc

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"neargate/internal/netns"
	"neargate/node/network"
	"neargate/resource/compute"
	record "neargate/resource/network"
	"neargate/resource/network/edge"
	"neargate/resource/network/ipv6"
	"neargate/resource/network/path"
	"neargate/store"
	"neargate/store/tables"
	"neargate/store/tables/edges"
	"neargate/store/tables/networks"
)

// How much TestPathIsWhatPacketsMeet does.
const (
	mazeRounds  = 20
	mazePackets = 60
)

// maze is a few VPCs with everything that leads out of them, in which anything
// changes at random: 1 and 2 have the same range, 3 can be a peer of 1, 4 of 3. All but
// 2 have IPv6; groups of 1 and 3 guard interfaces of the other too, and of 2.
// Each has a subnet 10.x.1.0/24 with the tasks a and b and a subnet 10.x.2.0/24 with
// the tasks c and d; VPC 1 has a NAT gateway and endpoints too.
type maze struct {
	*machine
	rnd      *rand.Rand
	keeper   *Keeper
	internet string
	enis     []record.NetworkInterface // of tasks
	nat      edge.NatGateway
	doors    []edge.Endpoint
	peers    []edge.Peering
}

var (
	mazePool = netip.MustParsePrefix("198.19.240.0/24")
	outside  = netip.MustParseAddr("192.0.2.2")
	// mazePorts are those of services and one that they do not have.
	mazePorts = []int{443, 80, 5}
)

// mazeRange is where a VPC of the maze has its addresses, in its second octet.
func mazeRange(n int) int { return []int{0, 0, 0, 1, 2}[n] }

func newMaze(t *testing.T) *maze {
	m := &maze{machine: newMachine(t), rnd: rand.New(rand.NewPCG(3, 5))}
	m.uplink()
	manager, err := network.Open(filepath.Join(m.dir, "ns"), m.host, network.Host{Tag: "maze", Pool: mazePool,
		Address: netip.MustParseAddr("198.19.240.1"), Uplinks: []string{"up0"},
		Range:    ipv6.Range(mazePool),
		Services: []netip.Addr{record.ServiceAddress(mazePool), record.ObjectRange(mazePool).Addr()}})
	m.must(err)
	m.manager = manager
	m.keeper = New(Config{Store: m.st, Manager: manager, Node: "n"})
	for n := 1; n <= 4; n++ {
		m.build(n)
	}
	m.furnish()
	m.furnish6()
	m.furnishAppliance()
	_, err = m.keeper.Start(t.Context())
	m.must(err)
	for i := range m.enis {
		m.answer(manager.Namespace(m.enis[i].ID))
	}
	m.answer(manager.Namespace("eni-vpce"))
	m.answer(manager.Namespace("vpce-s3"))
	m.answer(m.host)
	m.answer(network.Services(filepath.Join(m.dir, "ns")))
	m.answer(m.internet)
	m.forward(manager.Namespace("eni-1b"))
	return m
}

// uplink joins the host with an internet, in which one address is.
func (m *maze) uplink() {
	m.internet = filepath.Join(m.dir, "world", "internet")
	m.must(netns.Create(m.internet))
	f, err := os.Open(m.internet)
	m.must(err)
	defer f.Close()
	in := func(space string, fn func(*netlink.Handle) error) {
		m.must(netns.Do(space, func() error {
			k, err := netlink.NewHandle()
			if err != nil {
				return err
			}
			defer k.Close()
			return fn(k)
		}))
	}
	set := func(k *netlink.Handle, device, address string) error {
		l, err := k.LinkByName(device)
		if err != nil {
			return err
		}
		a, err := netlink.ParseAddr(address)
		return errors.Join(err, k.LinkSetUp(l), k.AddrAdd(l, a))
	}
	in(m.host, func(k *netlink.Handle) error {
		lo, err := k.LinkByName("lo")
		up := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "up0", TxQLen: -1}, PeerName: "eth0", PeerNamespace: netlink.NsFd(int(f.Fd()))}
		return errors.Join(err, k.LinkSetUp(lo), k.LinkAdd(up), set(k, "up0", "192.0.2.1/24"))
	})
	in(m.internet, func(k *netlink.Handle) error {
		return set(k, "eth0", outside.String()+"/24")
	})
	in(m.host, func(k *netlink.Handle) error { return k.RouteAdd(&netlink.Route{Gw: net.IPv4(192, 0, 2, 2)}) })
}

// build stores a VPC and its tasks.
func (m *maze) build(n int) {
	v := record.Vpc{Account: account, Region: region, ID: fmt.Sprint("vpc-", n), CIDR: fmt.Sprintf("10.%d.0.0/16", mazeRange(n)), DNSSupport: true}
	if n != plainVPC {
		v.IPv6 = []record.CIDRBlock{{Association: "vpc-cidr-assoc-6", CIDR: block6(n).String()}}
	}
	m.update(func(tx store.Tx) error {
		err := tables.Vpcs.Put(tx, &v)
		for k := 1; k <= 2; k++ {
			s := record.Subnet{Account: account, Region: region, ID: fmt.Sprintf("subnet-%d-%d", n, k), Vpc: v.ID, CIDR: fmt.Sprintf("10.%d.%d.0/24", mazeRange(n), k)}
			if n != plainVPC {
				s.IPv6 = []record.CIDRBlock{{Association: "subnet-cidr-assoc-6", CIDR: part6(n, k).String()}}
			}
			err = errors.Join(err, tables.Subnets.Put(tx, &s))
			for i, name := range []string{"ab", "cd"}[k-1] {
				e := record.NetworkInterface{Account: account, Region: region, ID: fmt.Sprintf("eni-%d%c", n, name), Vpc: v.ID, Subnet: s.ID,
					Addresses: []string{fmt.Sprintf("10.%d.%d.%d", mazeRange(n), k, 10+i)}, SourceDestCheck: true, Attachment: &record.InterfaceAttachment{}}
				e.MAC = record.MAC(e.ID)
				if n != plainVPC {
					e.IPv6 = []string{address6(n, k, i)}
				}
				t := compute.Task{Account: account, Region: region, Cluster: "c", ID: e.ID, Node: "n",
					State: compute.TaskState{Last: compute.Running}, Intent: compute.Intent{Desired: compute.Running},
					Attachment: compute.Attachment{Status: compute.Attached, Subnet: s.ID, ENI: e.ID, PrivateIP: e.Addresses[0]}}
				m.enis = append(m.enis, e)
				err = errors.Join(err, tables.NetworkInterfaces.Put(tx, &e), tables.Tasks.Put(tx, &t))
			}
		}
		return err
	})
}

// furnish stores what leads out of the VPCs, all of it working.
func (m *maze) furnish() {
	put := func(id, subnet, ip, kind string, groups ...string) record.NetworkInterface {
		return record.NetworkInterface{Account: account, Region: region, ID: id, Vpc: "vpc-1", Subnet: subnet, Addresses: []string{ip}, MAC: record.MAC(id),
			Type: kind, Groups: groups, SourceDestCheck: kind != record.TypeNatGateway, Attachment: &record.InterfaceAttachment{}}
	}
	nat, door := put("eni-nat", "subnet-1-1", "10.0.1.20", record.TypeNatGateway), put("eni-vpce", "subnet-1-2", "10.0.2.30", record.TypeEndpoint, "sg-1-0")
	m.nat = edge.NatGateway{Account: account, Region: region, ID: "nat-1", Vpc: "vpc-1", Subnet: "subnet-1-1", State: edge.Available,
		Addresses: []edge.NatAddress{{ENI: nat.ID, PrivateIP: "10.0.1.20", PublicIP: "198.19.240.200"}}}
	m.doors = []edge.Endpoint{
		{Account: account, Region: region, ID: "vpce-logs", Vpc: "vpc-1", Type: edge.InterfaceEndpoint, Service: edge.ServiceName(region, "logs"), State: edge.Available, ENIs: []string{door.ID}},
		{Account: account, Region: region, ID: "vpce-s3", Vpc: "vpc-1", Type: edge.GatewayEndpoint, Service: edge.ServiceName(region, "s3"), State: edge.Available},
	}
	side := func(n int) edge.PeeringSide {
		return edge.PeeringSide{Account: account, Region: region, Vpc: fmt.Sprint("vpc-", n)}
	}
	m.peers = []edge.Peering{{ID: "pcx-13", Requester: side(1), Accepter: side(3), State: edge.PeeringActive}, {ID: "pcx-34", Requester: side(3), Accepter: side(4), State: edge.PeeringActive}}
	m.update(func(tx store.Tx) error {
		err := errors.Join(tables.NetworkInterfaces.Put(tx, &nat), tables.NetworkInterfaces.Put(tx, &door), edges.NatGateways.Put(tx, &m.nat))
		for i := range m.doors {
			err = errors.Join(err, edges.Endpoints.Put(tx, &m.doors[i]))
		}
		for i := range m.peers {
			err = errors.Join(err, edges.Peerings.Put(tx, &m.peers[i]))
		}
		return err
	})
}

// openGroup lets everything pass.
const openGroup = "sg-1-3"

// furnishAppliance stores the group of the appliance, without which little passes it.
func (m *maze) furnishAppliance() {
	m.update(func(tx store.Tx) error {
		g := record.SecurityGroup{Account: account, Region: region, ID: openGroup, Vpc: "vpc-1"}
		err := tables.SecurityGroups.Put(tx, &g)
		for i, egress := range []bool{true, false} {
			r := record.SecurityGroupRule{Account: account, Region: region, ID: fmt.Sprint("sgr-open-", i), Group: g.ID}
			r.Permission = record.Permission{Egress: egress, Protocol: "-1", From: -1, To: -1, IPv4: record.AnyIPv4}
			six := r
			six.ID, six.IPv4, six.IPv6 = r.ID+"-six", "", ipv6.Any
			err = errors.Join(err, tables.SecurityGroupRules.Put(tx, &r), tables.SecurityGroupRules.Put(tx, &six))
		}
		return err
	})
}

// forward makes a task's namespace an appliance that sends on what is not for it.
func (m *maze) forward(space string) {
	m.must(netns.Do(space, func() error {
		var err error
		for name, value := range map[string]string{"ip_forward": "1", "conf/all/rp_filter": "0", "conf/eth0/rp_filter": "0",
			"conf/all/send_redirects": "0", "conf/eth0/send_redirects": "0"} {
			err = errors.Join(err, os.WriteFile("/proc/sys/net/ipv4/"+name, []byte(value), 0))
		}
		return errors.Join(err, os.WriteFile("/proc/sys/net/ipv6/conf/all/forwarding", []byte("1"), 0))
	}))
}

// answer echoes lines over TCP and packets over UDP in a namespace.
func (m *maze) answer(space string) {
	m.must(netns.Do(space, func() error {
		for _, port := range mazePorts {
			l, err := net.Listen("tcp", fmt.Sprint(":", port))
			if err != nil {
				return err
			}
			u, err := net.ListenPacket("udp", fmt.Sprint(":", port))
			if err != nil {
				return err
			}
			m.Cleanup(func() { l.Close(); u.Close() })
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					go func() { defer c.Close(); io.Copy(c, c) }()
				}
			}()
			go func() {
				b := make([]byte, 100)
				for {
					n, from, err := u.ReadFrom(b)
					if err != nil {
						return
					}
					u.WriteTo(b[:n], from)
				}
			}()
		}
		return nil
	}))
}

// one is one of a list.
func one[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

// shuffle changes everything that can change.
func (m *maze) shuffle() {
	m.update(func(tx store.Tx) error {
		m.nat.State, m.nat.Private = one(m.rnd, edge.Available, edge.Available, edge.Available, edge.Deleted), m.rnd.IntN(4) == 0
		m.peers[0].State = one(m.rnd, edge.PeeringActive, edge.PeeringActive, edge.PeeringActive, edge.PeeringDeleted)
		err := errors.Join(edges.NatGateways.Put(tx, &m.nat), edges.Peerings.Put(tx, &m.peers[0]))
		for i := range m.doors {
			// The namespaces stay, with who listens in them: only routes and groups change.
			err = errors.Join(err, edges.Endpoints.Put(tx, &m.doors[i]))
		}
		for n := 1; n <= 4; n++ {
			err = errors.Join(err, m.shuffleVPC(tx, n), m.gateway6(tx, n))
		}
		for i := range m.enis {
			e := &m.enis[i]
			if e.PublicIP = ""; m.rnd.IntN(2) == 0 {
				e.PublicIP = fmt.Sprint("198.19.240.", 100+i)
			}
			e.SourceDestCheck = e.ID != "eni-1b" || m.rnd.IntN(3) == 0
			if e.Groups = m.groups(int(e.Vpc[4] - '0')); e.ID == "eni-1b" && m.rnd.IntN(3) > 0 {
				e.Groups = []string{openGroup}
			}
			err = errors.Join(err, tables.NetworkInterfaces.Put(tx, e))
		}
		return err
	})
}

// mazeGuests are the VPCs whose groups interfaces of VPC n may carry.
func mazeGuests(n int) []int { return [][]int{{}, {3}, {1, 3}, {1}, {}}[n] }

// groups are some of those that interfaces of a VPC may carry.
func (m *maze) groups(n int) []string {
	all := []string{fmt.Sprintf("sg-%d-0", n), fmt.Sprintf("sg-%d-1", n), fmt.Sprintf("sg-%d-2", n)}
	if from := mazeGuests(n); len(from) > 0 && m.rnd.IntN(4) == 0 {
		all[1] = fmt.Sprintf("sg-%d-1", one(m.rnd, from...))
	}
	if m.rnd.IntN(3) == 0 {
		return all[:2]
	}
	return []string{one(m.rnd, all...)}
}

func (m *maze) shuffleVPC(tx store.Tx, n int) error {
	vpc := fmt.Sprint("vpc-", n)
	igw := record.InternetGateway{Account: account, Region: region, ID: fmt.Sprint("igw-", n), Vpc: vpc}
	if m.rnd.IntN(6) == 0 {
		igw.Vpc = ""
	}
	err := tables.InternetGateways.Put(tx, &igw)
	for k := 1; k <= 2; k++ {
		subnet := fmt.Sprintf("subnet-%d-%d", n, k)
		t := record.RouteTable{Account: account, Region: region, ID: fmt.Sprintf("rtb-%d-%d", n, k), Vpc: vpc, Routes: append(m.routes(n, k), m.routes6(n, k)...),
			Associations: []record.RouteTableAssociation{{ID: "rtbassoc-" + subnet, Subnet: subnet, Main: false}}}
		a := record.NetworkAcl{Account: account, Region: region, ID: fmt.Sprintf("acl-%d-%d", n, k), Vpc: vpc, Entries: append(m.entries(), m.entries6()...),
			Associations: []record.NetworkAclAssociation{{ID: "aclassoc-" + subnet, Subnet: subnet}}}
		err = errors.Join(err, tables.RouteTables.Put(tx, &t), tables.NetworkAcls.Put(tx, &a))
	}
	for g := range 3 {
		group := record.SecurityGroup{Account: account, Region: region, ID: fmt.Sprintf("sg-%d-%d", n, g), Vpc: vpc}
		for other := 1; other <= 4; other++ {
			if slices.Contains(mazeGuests(other), n) {
				group.Associated = append(group.Associated, fmt.Sprint("vpc-", other))
			}
		}
		err = errors.Join(err, tables.SecurityGroups.Put(tx, &group), m.rules(tx, n, g), m.rules6(tx, group.ID))
	}
	return err
}

// routes are some of those that a subnet may have.
func (m *maze) routes(n, k int) []record.Route {
	all := []record.Route{{Destination: fmt.Sprintf("10.%d.0.0/16", mazeRange(n)), Gateway: record.LocalGateway}}
	maybe := func(of int, r record.Route) {
		if m.rnd.IntN(of) > 0 {
			all = append(all, r)
		}
	}
	out := record.Route{Destination: record.AnyIPv4, Gateway: fmt.Sprint("igw-", n)}
	if n == 1 {
		if k == 2 {
			out = one(m.rnd, record.Route{Destination: record.AnyIPv4, NatGateway: "nat-1"}, record.Route{Destination: record.AnyIPv4, NatGateway: "nat-1"}, out,
				record.Route{Destination: record.AnyIPv4, Interface: "eni-1b"})
			maybe(3, record.Route{PrefixList: edge.AmazonPrefixLists(region, mazePool)[0].ID, Gateway: "vpce-s3"})
		}
		if m.rnd.IntN(4) > 0 { // inside the VPC, by the appliance
			all = append(all, record.Route{Destination: one(m.rnd, "10.0.1.0/24", "10.0.1.0/24", "10.0.2.11/32", fmt.Sprintf("10.0.%d.0/24", 3-k)), Interface: one(m.rnd, "eni-1b", "eni-1b", "eni-gone")})
		}
		maybe(6, record.Route{Destination: "10.1.0.0/16", Peering: "pcx-13"})
		maybe(2, record.Route{Destination: "10.2.0.0/16", Peering: "pcx-13"}) // as if peering led further
		if m.rnd.IntN(6) == 0 {
			all = append(all, record.Route{Destination: "10.1.2.0/24", NatGateway: "nat-1"})
		}
	}
	if n == 3 {
		maybe(6, record.Route{Destination: "10.0.0.0/16", Peering: "pcx-13"})
		maybe(6, record.Route{Destination: "10.2.0.0/16", Peering: "pcx-34"})
	}
	if n == 4 {
		maybe(6, record.Route{Destination: "10.1.0.0/16", Peering: "pcx-34"})
		maybe(2, record.Route{Destination: "10.0.0.0/16", Peering: "pcx-34"})
	}
	maybe(8, out)
	if m.rnd.IntN(6) == 0 {
		all = append(all, record.Route{Destination: "192.0.2.0/24", Gateway: "igw-gone"})
	}
	return all
}

// cidrs are what rules may be about.
var cidrs = []string{record.AnyIPv4, record.AnyIPv4, record.AnyIPv4, "10.0.0.0/16", "10.0.1.0/24", "10.0.2.0/24", "10.1.0.0/16", "198.19.240.0/24", "192.0.2.0/24"}

func (m *maze) entries() []record.NetworkAclEntry {
	var all []record.NetworkAclEntry
	for _, egress := range []bool{true, false} {
		wide := record.AnyIPv4
		if m.rnd.IntN(8) == 0 {
			wide = one(m.rnd, cidrs...)
		}
		if m.rnd.IntN(5) == 0 {
			p := one(m.rnd, mazePorts...)
			all = append(all, record.NetworkAclEntry{Egress: egress, Number: 10, Protocol: one(m.rnd, "6", "17", "-1"), From: p, To: p,
				Action: one(m.rnd, "deny", "allow"), CIDR: one(m.rnd, cidrs...)})
		}
		if m.rnd.IntN(10) == 0 {
			all = append(all, record.NetworkAclEntry{Egress: egress, Number: 20, Protocol: one(m.rnd, "6", "17"), From: 1024, To: 65535, Action: "deny", CIDR: one(m.rnd, cidrs...)})
		}
		all = append(all, record.NetworkAclEntry{Egress: egress, Number: 30, Protocol: "-1", Action: "allow", CIDR: wide},
			record.NetworkAclEntry{Egress: egress, Number: record.LastAclEntry, Protocol: "-1", Action: "deny", CIDR: record.AnyIPv4})
	}
	return all
}

// rules replaces the rules of a group.
func (m *maze) rules(tx store.Tx, n, g int) error {
	var err error
	group := fmt.Sprintf("sg-%d-%d", n, g)
	for r, e := range tables.SecurityGroupRules.By(tx, tables.RulesByGroup, account, region, group) {
		err = errors.Join(err, e, tables.SecurityGroupRules.Delete(tx, account, region, r.ID))
	}
	wide := m.rnd.IntN(4) > 0
	for i, egress := range []bool{true, true, false, false, false} {
		r := record.SecurityGroupRule{Account: account, Region: region, ID: fmt.Sprintf("sgr-%s-%d", group, i), Group: group}
		r.Permission = record.Permission{Egress: egress, Protocol: one(m.rnd, "-1", "tcp", "udp", "6"), From: -1, To: -1}
		if r.Protocol != "-1" {
			r.From = one(m.rnd, 1, 1, 80)
			r.To = max(r.From, one(m.rnd, 79, 443, 65535))
		}
		if i%2 == 0 && wide {
			r.Permission = record.Permission{Egress: egress, Protocol: "-1", From: -1, To: -1, IPv4: record.AnyIPv4}
			err = errors.Join(err, tables.SecurityGroupRules.Put(tx, &r))
			continue
		}
		switch m.rnd.IntN(5) {
		case 0:
			r.Peer = fmt.Sprintf("sg-%d-%d", one(m.rnd, n, one(m.rnd, 1, 3)), m.rnd.IntN(3))
		case 1:
			r.PrefixList = edge.AmazonPrefixLists(region, mazePool)[0].ID
		default:
			r.IPv4 = one(m.rnd, cidrs...)
		}
		err = errors.Join(err, tables.SecurityGroupRules.Put(tx, &r))
	}
	return err
}

// ask is a packet to try.
type ask struct {
	query path.Query
	space string // where it begins
	to    netip.Addr
}

func (m *maze) ask() ask {
	e := one(m.rnd, one(m.rnd, m.enis[:4]...), one(m.rnd, m.enis...))
	port := one(m.rnd, mazePorts...)
	a := ask{space: m.manager.Namespace(e.ID), query: path.Query{Source: e.ID, Protocol: one(m.rnd, path.TCP, path.TCP, path.UDP), Ports: path.Range{From: port, To: port}, Around: true}}
	var inside, public []netip.Addr
	for _, o := range m.enis {
		near := o.Vpc == e.Vpc || e.Vpc == "vpc-1" && o.Vpc == "vpc-3" || e.Vpc == "vpc-3" && o.Vpc != "vpc-2" || e.Vpc == "vpc-4" && o.Vpc != "vpc-2"
		if p := netip.MustParseAddr(o.Addresses[0]); near && o.ID != e.ID {
			if inside = append(inside, p); e.Vpc == o.Vpc && e.Vpc == "vpc-1" {
				inside = append(inside, p, p)
			}
		}
		// What the appliance begins to its own VPC from outside may come back by itself.
		if o.PublicIP != "" && o.ID != e.ID && (e.ID != "eni-1b" || o.Vpc != e.Vpc) {
			public = append(public, netip.MustParseAddr(o.PublicIP))
		}
	}
	switch m.rnd.IntN(8) {
	case 0:
		a.to = outside
	case 1:
		a.to = one(m.rnd, record.ServiceAddress(mazePool), record.ObjectRange(mazePool).Addr())
	case 2:
		a.to = record.ObjectRange(mazePool).Addr()
	case 3:
		a.to = one(m.rnd, netip.MustParseAddr("10.0.2.30"), netip.MustParseAddr("10.0.1.20"), netip.MustParseAddr("10.0.9.9"))
		if e.Addresses[0] == a.to.String() {
			a.to = outside
		}
	case 4:
		if len(public) > 0 {
			if a.to = one(m.rnd, public...); m.rnd.IntN(2) == 0 { // from the host
				i := slices.IndexFunc(m.enis, func(e record.NetworkInterface) bool { return e.PublicIP == a.to.String() })
				a.space, a.query.Source, a.query.From = m.host, "igw-"+m.enis[i].Vpc[4:], netip.MustParseAddr("198.19.240.1")
			}
			break
		}
		fallthrough
	default:
		a.to = one(m.rnd, inside...)
	}
	a.query.To = a.to
	return a
}

// passes reports whether a packet gets there and an answer comes back.
func (a ask) passes(wait time.Duration) bool {
	network := map[int]string{path.TCP: "tcp", path.UDP: "udp"}[a.query.Protocol]
	var c net.Conn
	err := netns.Do(a.space, func() (err error) {
		d := net.Dialer{Timeout: wait}
		c, err = d.Dial(network, netip.AddrPortFrom(a.to, uint16(a.query.Ports.From)).String())
		return err
	})
	if err != nil {
		return false
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(wait))
	if _, err := io.WriteString(c, "hello\n"); err != nil {
		return false
	}
	_, err = bufio.NewReader(c).ReadString('\n')
	return err == nil
}

// six marks what packets of IPv6 passed through, which counts apart.
const six = " of IPv6"

// choose is a packet to try, with what the evaluator says of it. Some are chosen among
// many, so that appliances, which little passes, are passed.
func (m *maze) choose(n *path.Network) (a ask, family string, r path.Result) {
	tries := one(m.rnd, 1, 1, 1, 25)
	for range tries {
		if a, family = m.ask(), ""; m.rnd.IntN(3) == 0 {
			a, family = m.ask6(), six
		}
		if r = path.Find(n, a.query); r.Found && slices.ContainsFunc(r.Forward, byAppliance) {
			break
		}
	}
	return a, family, r
}

func byAppliance(h path.Hop) bool { return strings.HasPrefix(h.Note, "an appliance") }

// trail is a path in short.
func trail(hops []path.Hop) string {
	var b strings.Builder
	for _, h := range hops {
		fmt.Fprintf(&b, " %s", h.ID)
		if h.Rule != nil {
			fmt.Fprintf(&b, "(%s %+v)", h.Rule.ID, h.Rule.Permission)
		}
		if h.Entry != nil {
			fmt.Fprintf(&b, "(%+v)", *h.Entry)
		}
		if h.Route != nil {
			fmt.Fprintf(&b, "(%+v)", h.Route.Route)
		}
	}
	return b.String()
}

// TestPathIsWhatPacketsMeet sends packets through random networks and compares with
// what the evaluator says of the same records.
func TestPathIsWhatPacketsMeet(t *testing.T) {
	m := newMaze(t)
	passed, reasons, through := 0, map[string]int{}, map[string]int{}
	for round := range mazeRounds {
		m.shuffle()
		m.keeper.mu.Lock()
		err := m.keeper.audit(context.Background())
		m.keeper.mu.Unlock()
		m.must(err)
		var n path.Network
		m.must(m.st.View(t.Context(), func(tx store.Tx) error {
			n, err = networks.LoadAll(tx, mazePool)
			return err
		}))
		var wg sync.WaitGroup
		var mu sync.Mutex
		for range mazePackets {
			a, family, r := m.choose(&n)
			wg.Go(func() {
				wait := 300 * time.Millisecond
				if r.Found {
					wait = patience
				}
				got := a.passes(wait)
				mu.Lock()
				defer mu.Unlock()
				if got {
					passed++
					if a.space == m.host {
						through["from the host"+family]++
					}
					for _, h := range r.Forward[1:] {
						through[h.Kind+family]++
						if byAppliance(h) {
							through["appliance"+family]++
						}
					}
				}
				for _, e := range r.Explanations {
					reasons[e.Code+family]++
				}
				if got != r.Found {
					t.Errorf("round %d: %+v: packets %v, evaluator %v\n%s\n%s", round, a.query, got, r.Explanations, trail(r.Forward), trail(r.Return))
				}
			})
		}
		wg.Wait()
		if t.Failed() {
			break
		}
	}
	t.Logf("%d of %d passed, through %v; others did not for %v", passed, mazeRounds*mazePackets, through, reasons)
	for _, k := range []string{"appliance", path.KindEndpoint, path.KindInternet, path.KindInternetGateway, path.KindNatGateway, path.KindPeering, path.KindService,
		"appliance" + six, "from the host" + six, path.KindPeering + six, path.KindGroup + six} {
		if through[k] == 0 {
			t.Errorf("nothing passed through: %s", k)
		}
	}
	if len(reasons) < 18 {
		t.Error("too few reasons")
	}
}
