package vpc

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"neargate/internal/netns"
	"neargate/node/network"
	"neargate/resource/compute"
	record "neargate/resource/network"
	"neargate/resource/network/edge"
	"neargate/store"
	"neargate/store/tables"
	"neargate/store/tables/edges"
)

const quick = 100 * time.Millisecond

// network puts a VPC with a public and a private subnet into the store, by hand:
// what other parts do with the EC2 API's operations.
func (m *machine) network(n int) (v record.Vpc, public, private record.Subnet) {
	m.Helper()
	id := func(kind string) string { return fmt.Sprint(kind, "-", n) }
	v = record.Vpc{Account: account, Region: region, ID: id("vpc"), CIDR: fmt.Sprintf("10.%d.0.0/16", n), DNSSupport: true}
	subnet := func(k int) record.Subnet {
		return record.Subnet{Account: account, Region: region, ID: fmt.Sprintf("subnet-%d-%d", n, k), Vpc: v.ID, CIDR: fmt.Sprintf("10.%d.%d.0/24", n, k)}
	}
	public, private = subnet(1), subnet(2)
	local := record.Route{Destination: v.CIDR, Gateway: record.LocalGateway}
	m.update(func(tx store.Tx) error {
		g := record.SecurityGroup{Account: account, Region: region, ID: id("sg"), Vpc: v.ID}
		igw := record.InternetGateway{Account: account, Region: region, ID: id("igw"), Vpc: v.ID}
		rules := []record.SecurityGroupRule{
			{Account: account, Region: region, ID: id("sgr-in"), Group: g.ID, Permission: record.Permission{Protocol: "-1", From: -1, To: -1, IPv4: record.AnyIPv4}},
			{Account: account, Region: region, ID: id("sgr-out"), Group: g.ID, Permission: record.Permission{Egress: true, Protocol: "-1", From: -1, To: -1, IPv4: record.AnyIPv4}},
		}
		main := record.RouteTable{Account: account, Region: region, ID: id("rtb-private"), Vpc: v.ID, Routes: []record.Route{local},
			Associations: []record.RouteTableAssociation{{ID: "a", Main: true}}}
		out := record.RouteTable{Account: account, Region: region, ID: id("rtb-public"), Vpc: v.ID,
			Routes:       []record.Route{{Destination: record.AnyIPv4, Gateway: igw.ID}, local},
			Associations: []record.RouteTableAssociation{{ID: "b", Subnet: public.ID}}}
		return errors.Join(tables.Vpcs.Put(tx, &v), tables.Subnets.Put(tx, &public), tables.Subnets.Put(tx, &private),
			tables.SecurityGroups.Put(tx, &g), tables.InternetGateways.Put(tx, &igw),
			tables.SecurityGroupRules.Put(tx, &rules[0]), tables.SecurityGroupRules.Put(tx, &rules[1]),
			tables.RouteTables.Put(tx, &main), tables.RouteTables.Put(tx, &out))
	})
	return v, public, private
}

func (m *machine) route(n int, table string, r record.Route) {
	m.Helper()
	m.update(func(tx store.Tx) error {
		t, err := tables.RouteTables.Get(tx, account, region, fmt.Sprint(table, "-", n))
		if err != nil {
			return err
		}
		t.Routes = append([]record.Route{r}, t.Routes...)
		return tables.RouteTables.Put(tx, &t)
	})
}

func (m *machine) eni(s *record.Subnet, id, ip, kind string, groups ...string) record.NetworkInterface {
	m.Helper()
	e := record.NetworkInterface{Account: account, Region: region, ID: id, Vpc: s.Vpc, Subnet: s.ID, MAC: record.MAC(id), Type: kind,
		Addresses: []string{ip}, Groups: groups, SourceDestCheck: kind == record.TypeInterface, Attachment: &record.InterfaceAttachment{}}
	m.update(func(tx store.Tx) error { return tables.NetworkInterfaces.Put(tx, &e) })
	return e
}

// plug is a task with an interface, plugged.
func (m *machine) plug(k *Keeper, s *record.Subnet, id, ip string, groups ...string) string {
	m.Helper()
	e := m.eni(s, "eni-"+id, ip, record.TypeInterface, groups...)
	t := compute.Task{Account: account, Region: region, Cluster: "c", ID: id, Node: "n",
		State: compute.TaskState{Last: compute.Pending}, Intent: compute.Intent{Desired: compute.Running},
		Attachment: compute.Attachment{Status: compute.Attached, Subnet: s.ID, ENI: e.ID, PrivateIP: ip}}
	m.update(func(tx store.Tx) error { return tables.Tasks.Put(tx, &t) })
	p, err := k.Plug(m.Context(), &t, "")
	m.must(err)
	return p.Namespace
}

func (m *machine) listenAt(space, address string) {
	m.Helper()
	m.must(netns.Do(space, func() error {
		l, err := net.Listen("tcp4", address)
		if err == nil {
			m.Cleanup(func() { l.Close() })
			go echo(l)
		}
		return err
	}))
}

// TestEdges builds what leads out of a VPC in the store, and sends packets.
func TestEdges(t *testing.T) {
	m := newMachine(t)
	v, public, private := m.network(1)
	k, stop := m.keeper()
	defer stop()
	task := m.plug(k, &private, "task", "10.1.2.10", "sg-1")
	service := record.ServiceAddress(m.manager.Pool()).String() + ":443"
	m.listenAt(network.Services(filepath.Join(m.dir, "ns")), service)

	// A NAT gateway leads to services; a prefix list too.
	nat := m.eni(&public, "eni-nat", "10.1.1.20", record.TypeNatGateway)
	m.update(func(tx store.Tx) error {
		g := edge.NatGateway{Account: account, Region: region, ID: "nat-1", Vpc: v.ID, Subnet: public.ID, State: edge.Available,
			Addresses: []edge.NatAddress{{ENI: nat.ID, PrivateIP: "10.1.1.20", PublicIP: "198.19.240.130"}}}
		l := edge.PrefixList{Account: account, Region: region, ID: "pl-1", Family: "IPv4",
			Entries: []edge.PrefixEntry{{CIDR: "203.0.113.0/24"}, {CIDR: m.manager.Pool().String()}}}
		return errors.Join(edges.NatGateways.Put(tx, &g), edges.PrefixLists.Put(tx, &l))
	})
	if reaches(task, service, quick) {
		t.Error("the service is reached without a route")
	}
	m.route(1, "rtb-private", record.Route{PrefixList: "pl-1", NatGateway: "nat-1"})
	m.eventually("the service is reached through the NAT gateway", func() bool { return reaches(task, service, quick) })
	m.update(func(tx store.Tx) error {
		g, err := edges.NatGateways.Get(tx, account, region, "nat-1")
		g.State = edge.Deleting
		return errors.Join(err, edges.NatGateways.Put(tx, &g))
	})
	m.eventually("a deleted NAT gateway cuts", func() bool { return !reaches(task, service, quick) })

	// The gateway endpoint's route is that of a prefix list of AWS.
	list := edge.AmazonPrefixLists(region, m.manager.Pool())[0]
	m.update(func(tx store.Tx) error {
		e := edge.Endpoint{Account: account, Region: region, ID: "vpce-s3", Vpc: v.ID, Type: edge.GatewayEndpoint, State: edge.Available,
			Service: edge.ServiceName(region, "s3")}
		return edges.Endpoints.Put(tx, &e)
	})
	m.route(1, "rtb-private", record.Route{PrefixList: list.ID, Gateway: "vpce-s3"})
	listener := func(endpoint string) (l Listener) {
		m.eventually(endpoint+" is to be served", func() bool {
			all := m.lastView.Load().Listen
			i := slices.IndexFunc(all, func(l Listener) bool { return l.Endpoint == endpoint })
			if i >= 0 {
				l = all[i]
			}
			return i >= 0
		})
		return l
	}
	s3 := listener("vpce-s3")
	if want := record.ObjectRange(m.manager.Pool()).Addr(); s3.Address != want || s3.Service != edge.ServiceName(region, "s3") || s3.Inode == 0 {
		t.Errorf("listen at %+v, want %s", s3, want)
	}
	m.listenAt(s3.Space, s3.Address.String()+":443")
	m.eventually("the gateway endpoint is reached", func() bool { return reaches(task, s3.Address.String()+":443", quick) })

	// The interface endpoint's group permits a prefix list.
	door := m.eni(&private, "eni-ecr", "10.1.2.30", record.TypeEndpoint, "sg-door")
	m.update(func(tx store.Tx) error {
		e := edge.Endpoint{Account: account, Region: region, ID: "vpce-ecr", Vpc: v.ID, Type: edge.InterfaceEndpoint, State: edge.Available,
			Service: edge.ServiceName(region, "ecr.api"), ENIs: []string{door.ID}, Subnets: []string{private.ID}, Groups: []string{"sg-door"}}
		g := record.SecurityGroup{Account: account, Region: region, ID: "sg-door", Vpc: v.ID}
		r := record.SecurityGroupRule{Account: account, Region: region, ID: "sgr-door", Group: g.ID,
			Permission: record.Permission{Protocol: "tcp", From: 443, To: 443, PrefixList: "pl-2"}}
		return errors.Join(edges.Endpoints.Put(tx, &e), tables.SecurityGroups.Put(tx, &g), tables.SecurityGroupRules.Put(tx, &r))
	})
	ecr := listener("vpce-ecr")
	m.listenAt(ecr.Space, ecr.Address.String()+":443")
	if reaches(task, "10.1.2.30:443", quick) {
		t.Error("an endpoint is reached whose group refers to no prefix list")
	}
	m.update(func(tx store.Tx) error {
		return edges.PrefixLists.Put(tx, &edge.PrefixList{Account: account, Region: region, ID: "pl-2", Family: "IPv4",
			Entries: []edge.PrefixEntry{{CIDR: "10.1.2.0/28"}}})
	})
	m.eventually("the prefix list permits", func() bool { return reaches(task, "10.1.2.30:443", quick) })
	if key, ok := k.Find(v.ID, netip.MustParseAddr("10.1.2.30")); ok {
		t.Errorf("the endpoint's address is %+v's", key)
	}

	// A second range of the VPC, and what its tasks may reach.
	more := record.Subnet{Account: account, Region: region, ID: "subnet-1-3", Vpc: v.ID, CIDR: "100.64.3.0/24"}
	m.update(func(tx store.Tx) error {
		v.Secondary = []record.CIDRBlock{{Association: "vpc-cidr-assoc-1", CIDR: "100.64.0.0/16"}}
		return errors.Join(tables.Vpcs.Put(tx, &v), tables.Subnets.Put(tx, &more))
	})
	second := m.plug(k, &more, "second", "100.64.3.10", "sg-1")
	m.listen(second)
	m.eventually("ranges reach each other", func() bool { return reaches(task, "100.64.3.10:80", quick) })

	// A flow log of the subnet has the flows of its interfaces counted.
	flows := func() (all []Flows) {
		all, err := k.Flows()
		m.must(err)
		return all
	}
	if all := flows(); len(all) > 0 {
		t.Errorf("flows without a flow log: %+v", all)
	}
	m.update(func(tx store.Tx) error {
		return errors.Join(edges.FlowLogs.Put(tx, &edge.FlowLog{Account: account, Region: region, ID: "fl-1", Resource: private.ID}),
			edges.FlowLogs.Put(tx, &edge.FlowLog{Account: account, Region: region, ID: "fl-2", Resource: "vpc-2"}))
	})
	m.eventually("flows are counted", func() bool {
		reaches(task, "100.64.3.10:80", quick)
		all := flows()
		if len(all) == 0 {
			return false
		}
		_, other := all[0].Counted["eni-second"]
		return len(all) == 1 && len(all[0].Logs) == 1 && all[0].View.VPC.ID == v.ID && len(all[0].Counts.Left) > 0 && !other
	})
	// What an interface sent last is told after it went.
	brief := m.plug(k, &private, "brief", "10.1.2.50", "sg-1")
	if !reaches(brief, "100.64.3.10:80", quick) {
		t.Error("a task of a short life reaches nobody")
	}
	m.update(func(tx store.Tx) error { return tables.NetworkInterfaces.Delete(tx, account, region, "eni-brief") })
	m.eventually("the last flows of an interface", func() bool {
		i := slices.IndexFunc(flows(), func(f Flows) bool {
			_, of := f.Counted["eni-brief"]
			for key := range f.Counts.Left {
				of = of && key.Interface == "eni-brief"
			}
			return of && len(f.Counted) == 1 && len(f.Counts.Left) > 0 && !f.Counted["eni-brief"].Inherited
		})
		return i >= 0
	})
	m.update(func(tx store.Tx) error { return edges.FlowLogs.Delete(tx, account, region, "fl-1") })
	m.eventually("flows are no longer counted", func() bool { flows(); return len(flows()) == 0 })

	// The last task takes all along, some time after: the next may be near.
	m.update(func(tx store.Tx) error {
		return errors.Join(tables.NetworkInterfaces.Delete(tx, account, region, "eni-task"), tables.NetworkInterfaces.Delete(tx, account, region, "eni-second"))
	})
	m.eventually("the VPC's namespace is gone", func() bool { return !netns.Mounted(m.manager.Space(v.ID)) })
}

// TestPeers joins VPCs of two accounts' worth of records.
func TestPeers(t *testing.T) {
	m := newMachine(t)
	one, _, a := m.network(1)
	two, _, b := m.network(2)
	k, stop := m.keeper()
	defer stop()
	left := m.plug(k, &a, "left", "10.1.2.10", "sg-1")
	right := m.plug(k, &b, "right", "10.2.2.10", "sg-2")
	m.listen(right)
	for n, to := range map[int]string{1: two.CIDR, 2: one.CIDR} {
		m.route(n, "rtb-private", record.Route{Destination: to, Peering: "pcx-1"})
	}
	p := edge.Peering{ID: "pcx-1", Requester: edge.PeeringSide{Account: account, Region: region, Vpc: one.ID},
		Accepter: edge.PeeringSide{Account: account, Region: region, Vpc: two.ID}, State: edge.PeeringPending}
	put := func(state string) {
		p.State = state
		m.update(func(tx store.Tx) error { return edges.Peerings.Put(tx, &p) })
	}
	put(edge.PeeringPending)
	if reaches(left, "10.2.2.10:80", quick) {
		t.Error("reached before the peering was accepted")
	}
	put(edge.PeeringActive)
	m.eventually("peers reach each other", func() bool { return reaches(left, "10.2.2.10:80", quick) })

	// Each knows the other's private addresses when that allows it.
	if known := m.lastView.Load().Peers; len(known) > 0 {
		t.Errorf("known without leave: %v", known)
	}
	p.Requester.AllowRemoteDNS, p.Accepter.AllowRemoteDNS = true, true
	put(edge.PeeringActive)
	m.eventually("peers know each other's addresses", func() bool {
		v := m.lastView.Load()
		return len(v.Peers) == 1 && v.Peers[0].Vpc != v.VPC.ID
	})

	// A rule refers to the peer's group, whose members come and go.
	m.update(func(tx store.Tx) error {
		r, err := tables.SecurityGroupRules.Get(tx, account, region, "sgr-in-2")
		r.Permission = record.Permission{Protocol: "tcp", From: 80, To: 80, Peer: "sg-other", PeerOwner: account}
		g := record.SecurityGroup{Account: account, Region: region, ID: "sg-other", Vpc: one.ID}
		return errors.Join(err, tables.SecurityGroupRules.Put(tx, &r), tables.SecurityGroups.Put(tx, &g))
	})
	m.eventually("not a member", func() bool { return !reaches(left, "10.2.2.10:80", quick) })
	m.update(func(tx store.Tx) error {
		e, err := tables.NetworkInterfaces.Get(tx, account, region, "eni-left")
		e.Groups = []string{"sg-1", "sg-other"}
		return errors.Join(err, tables.NetworkInterfaces.Put(tx, &e))
	})
	m.eventually("a member", func() bool { return reaches(left, "10.2.2.10:80", quick) })
	put(edge.PeeringDeleted)
	m.eventually("the peering is gone", func() bool { return !reaches(left, "10.2.2.10:80", quick) })
}
