package edge

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"neargate/arn"
	"neargate/control/loop"
	"neargate/resource/network"
	record "neargate/resource/network/edge"
	"neargate/store"
	"neargate/store/mem"
	"neargate/store/tables"
	"neargate/store/tables/address"
	"neargate/store/tables/edges"
	"neargate/store/tables/usages"
)

var t0 = time.Unix(1_000_000, 0).UTC()

const account, region = "111122223333", "us-east-1"

// world is a store with a default network, driven by the controllers.
type world struct {
	t    *testing.T
	st   *mem.Store
	ids  *arn.Source
	f    network.Furniture
	keys int // in the store before anything was made
	now  time.Time
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, st: mem.New(mem.Paranoid()), ids: arn.NewSource(rand.NewChaCha8([32]byte{})), f: network.Defaults(account, region), now: t0}
	w.update(func(tx store.Tx) error { return tables.EnsureDefaultNetwork(tx, account, region) })
	w.keys = w.count()
	return w
}

func (w *world) update(f func(tx store.Tx) error) {
	w.t.Helper()
	if err := w.st.Update(w.t.Context(), f); err != nil {
		w.t.Fatal(err)
	}
}

// count is the number of keys but those of usage, which stays.
func (w *world) count() (n int) {
	w.t.Helper()
	w.update(func(tx store.Tx) error {
		n = tx.Count("") - tx.Count(store.Prefix(usages.Pending.Name))
		return nil
	})
	return n
}

// run starts the controllers anew, as after a crash, lets them do all they can
// and returns when one looks again.
func (w *world) run() (wake time.Time) {
	w.t.Helper()
	for _, r := range New(w.ids) {
		s := r.Stepper(1)
		for range 2 { // the second time it sees what it wrote itself
			if err := s.List(w.t.Context(), w.st); err != nil {
				w.t.Fatal(err)
			}
			w.settle(s)
		}
		if at, ok := s.Next(); ok && (wake.IsZero() || at.Before(wake)) {
			wake = at
		}
	}
	return wake
}

func (w *world) settle(s loop.Stepper) {
	w.t.Helper()
	for n := 0; ; n++ {
		ran, p := s.Step(w.t.Context(), w.st, w.now)
		if !ran {
			return
		}
		if p.Err != nil || n > 100 {
			w.t.Fatalf("pass %d: %+v", n, p)
		}
	}
}

func put[T any](w *world, table store.Table[T], r T) {
	w.t.Helper()
	w.update(func(tx store.Tx) error { return table.Put(tx, &r) })
}

func get[T any](w *world, table store.Table[T], key ...string) (r T, ok bool) {
	w.t.Helper()
	w.update(func(tx store.Tx) (err error) {
		r, ok, err = table.Find(tx, key...)
		return err
	})
	return r, ok
}

// elastic allocates an Elastic IP address.
func (w *world) elastic(id string) record.ElasticIP {
	w.t.Helper()
	a := record.ElasticIP{Account: account, Region: region, ID: id}
	w.update(func(tx store.Tx) (err error) {
		if a.Address, err = address.AllocateElastic(tx, network.PublicPool(network.PublicRange()), account, region, id); err != nil {
			return err
		}
		return edges.ElasticIPs.Put(tx, &a)
	})
	return a
}

func (w *world) nat(id string, change func(*record.NatGateway)) {
	w.t.Helper()
	g := record.NatGateway{
		Account: account, Region: region, ID: id, Vpc: w.f.Vpc.ID, Subnet: w.f.Subnets[0].ID, State: record.Pending, CreatedAt: t0,
		Addresses: []record.NatAddress{{Allocation: "eipalloc-1"}},
	}
	if change != nil {
		change(&g)
	}
	put(w, edges.NatGateways, g)
}

func TestPublicNatGateway(t *testing.T) {
	w := newWorld(t)
	ip := w.elastic("eipalloc-1")
	w.nat("nat-1", nil)
	if wake := w.run(); !wake.IsZero() {
		t.Errorf("looks again at %v", wake)
	}
	g, _ := get(w, edges.NatGateways, account, region, "nat-1")
	of := g.Addresses[0]
	if g.State != record.Available || of.PublicIP != ip.Address || of.PrivateIP == "" || !strings.HasPrefix(of.Association, "eipassoc-") {
		t.Fatalf("gateway %+v", g)
	}
	e, _ := get(w, tables.NetworkInterfaces, account, region, of.ENI)
	if e.Kind() != network.TypeNatGateway || e.Description != "Interface for NAT Gateway nat-1" || e.SourceDestCheck || !e.RequesterManaged ||
		len(e.Groups) > 0 || e.PublicIP != ip.Address || e.Allocation != ip.ID || e.Primary() != of.PrivateIP || e.Status() != "in-use" {
		t.Errorf("interface %+v", e)
	}
	a, _ := get(w, edges.ElasticIPs, account, region, ip.ID)
	if a.ENI != of.ENI || a.NatGateway != "nat-1" || a.Association != of.Association {
		t.Errorf("address %+v", a)
	}
	// Nothing happens twice, whoever starts anew.
	before := w.count()
	w.run()
	if n := w.count(); n != before {
		t.Errorf("%d keys, then %d", before, n)
	}

	g.State, g.DeletedAt = record.Deleting, t0
	put(w, edges.NatGateways, g)
	if wake := w.run(); !wake.Equal(t0.Add(DeletedFor)) {
		t.Errorf("looks again at %v", wake)
	}
	if g, _ := get(w, edges.NatGateways, account, region, "nat-1"); g.State != record.Deleted || g.Addresses[0].PublicIP != ip.Address {
		t.Errorf("deleted: %+v", g)
	}
	if a, _ := get(w, edges.ElasticIPs, account, region, ip.ID); a.ENI != "" || a.NatGateway != "" || a.Association != "" {
		t.Errorf("address after deletion %+v", a)
	}
	w.now = t0.Add(DeletedFor)
	w.run()
	w.update(func(tx store.Tx) error { return address.ReleaseElastic(tx, &ip) })
	if n := w.count(); n != w.keys {
		t.Errorf("%d keys are left", n-w.keys)
	}
}

func TestNatGatewayFailures(t *testing.T) {
	tests := []struct {
		name, code, message string
		change              func(*world, *record.NatGateway)
	}{
		{"no subnet", "InvalidSubnetID.NotFound", "The specified subnet subnet-9 does not exist or could not be found.",
			func(_ *world, g *record.NatGateway) { g.Subnet = "subnet-9" }},
		{"no internet gateway", "Gateway.NotAttached", "has no Internet gateway attached", func(w *world, _ *record.NatGateway) {
			i := w.f.InternetGateway
			i.Vpc = ""
			put(w, tables.InternetGateways, i)
		}},
		{"no allocation", "InvalidAllocationID.NotFound", "Elastic IP address eipalloc-9 could not be associated with this NAT gateway",
			func(_ *world, g *record.NatGateway) { g.Addresses[0].Allocation = "eipalloc-9" }},
		{"allocation in use", "Resource.AlreadyAssociated", "Elastic IP address eipalloc-1 is already associated", func(w *world, _ *record.NatGateway) {
			w.nat("nat-0", nil)
			w.run()
		}},
		{"address in use", "InvalidIPAddress.InUse", "172.31.0.9", func(w *world, g *record.NatGateway) {
			g.Addresses[0].PrivateIP = "172.31.0.9"
			w.update(func(tx store.Tx) error { return address.Take(tx, &w.f.Subnets[0], "eni-9", "172.31.0.9") })
		}},
		{"no free address", "InsufficientFreeAddressesInSubnet", "Subnet has insufficient free addresses to create this NAT gateway",
			func(w *world, _ *record.NatGateway) {
				w.f.Subnets[0].CIDR = "172.31.0.0/29"
				put(w, tables.Subnets, w.f.Subnets[0])
				for _, ip := range []string{"172.31.0.4", "172.31.0.5", "172.31.0.6"} {
					w.update(func(tx store.Tx) error { return address.Take(tx, &w.f.Subnets[0], "eni-9", ip) })
				}
			}},
	}
	for _, tt := range tests {
		w := newWorld(t)
		w.elastic("eipalloc-1")
		w.nat("nat-1", func(g *record.NatGateway) { tt.change(w, g) })
		before := w.count()
		if wake := w.run(); !wake.Equal(t0.Add(DeletedFor)) {
			t.Errorf("%s: looks again at %v", tt.name, wake)
		}
		g, _ := get(w, edges.NatGateways, account, region, "nat-1")
		if g.State != record.Failed || g.FailureCode != tt.code || !strings.Contains(g.FailureMessage, tt.message) {
			t.Errorf("%s: %+v", tt.name, g)
		}
		if n := w.count(); n != before {
			t.Errorf("%s: %d keys more", tt.name, n-before)
		}
		w.now = t0.Add(DeletedFor)
		w.run()
		if _, ok := get(w, edges.NatGateways, account, region, "nat-1"); ok {
			t.Errorf("%s: still there", tt.name)
		}
	}
}

func TestPrivateNatGateway(t *testing.T) {
	w := newWorld(t)
	w.nat("nat-1", func(g *record.NatGateway) {
		g.Private, g.Addresses = true, []record.NatAddress{{PrivateIP: "172.31.0.77"}}
	})
	w.run()
	g, _ := get(w, edges.NatGateways, account, region, "nat-1")
	if of := g.Addresses[0]; g.State != record.Available || of.PrivateIP != "172.31.0.77" || of.PublicIP != "" || of.ENI == "" {
		t.Errorf("gateway %+v", g)
	}
}

func TestEndpoints(t *testing.T) {
	w := newWorld(t)
	subnet := w.f.Subnets[0]
	eni := record.Interface(&subnet, "eni-1", "ela-attach-1", network.TypeEndpoint, "vpce-1", []string{w.f.SecurityGroup.ID}, t0)
	eni.Addresses = []string{"172.31.0.10"}
	w.update(func(tx store.Tx) error { return address.Take(tx, &subnet, eni.ID, "172.31.0.10") })
	put(w, tables.NetworkInterfaces, eni)
	e := record.Endpoint{
		Account: account, Region: region, ID: "vpce-1", Vpc: subnet.Vpc, Type: record.InterfaceEndpoint, State: record.Pending,
		Subnets: []string{subnet.ID}, ENIs: []string{eni.ID},
	}
	put(w, edges.Endpoints, e)
	w.run()
	e, _ = get(w, edges.Endpoints, account, region, "vpce-1")
	if e.State != record.Available {
		t.Fatalf("endpoint %+v", e)
	}
	e.State = record.Deleting
	put(w, edges.Endpoints, e)
	w.run()
	if n := w.count(); n != w.keys {
		t.Errorf("%d keys are left", n-w.keys)
	}
}

func TestEndpointForgetsDeletedRouteTables(t *testing.T) {
	w := newWorld(t)
	e := record.Endpoint{
		Account: account, Region: region, ID: "vpce-1", Vpc: w.f.Vpc.ID, Type: record.GatewayEndpoint, State: record.Available,
		RouteTables: []string{"rtb-gone", w.f.RouteTable.ID},
	}
	put(w, tables.RouteTables, network.RouteTable{Account: account, Region: region, ID: "rtb-gone", Vpc: w.f.Vpc.ID})
	put(w, edges.Endpoints, e)
	w.run()
	if e, _ := get(w, edges.Endpoints, account, region, "vpce-1"); len(e.RouteTables) != 2 {
		t.Fatalf("route tables %q", e.RouteTables)
	}
	gone, err := ofRouteTableGone(w, "rtb-gone")
	if err != nil || len(gone) != 1 || gone[0].ID != "vpce-1" {
		t.Errorf("woken for %v, %v", gone, err)
	}
	w.update(func(tx store.Tx) error { return tables.RouteTables.Delete(tx, account, region, "rtb-gone") })
	w.run()
	if e, _ := get(w, edges.Endpoints, account, region, "vpce-1"); !slices.Equal(e.RouteTables, []string{w.f.RouteTable.ID}) {
		t.Errorf("route tables %q", e.RouteTables)
	}
}

// ofRouteTableGone are the keys that the deletion of a route table wakes.
func ofRouteTableGone(w *world, id string) (keys []Key, err error) {
	w.update(func(tx store.Tx) error {
		keys, err = ofRouteTable(tx, store.Event{Key: store.Key(tables.RouteTables.Name, account, region, id)})
		return nil
	})
	return keys, err
}

func TestPeerings(t *testing.T) {
	const other = "444455556666"
	near := record.PeeringSide{Account: account, Region: region, Vpc: "vpc-near"}
	far := record.PeeringSide{Account: other, Region: "eu-west-1", Vpc: "vpc-far"}
	tests := []struct {
		name    string
		change  func(*world, *record.Peering)
		at      time.Duration
		state   string
		message string
		wake    time.Duration // 0: not
	}{
		{"request", nil, 0, record.PeeringPending, "Pending Acceptance by " + other, record.AcceptWithin},
		{"overlap", func(w *world, p *record.Peering) { p.Accepter.Vpc = "vpc-overlap" }, 0, record.Failed, record.PeeringFailure, record.EndedFor},
		{"no such VPC", func(w *world, p *record.Peering) { p.Accepter.Vpc = "vpc-none" }, 0, record.Failed, record.PeeringFailure, record.EndedFor},
		{"still pending", func(_ *world, p *record.Peering) { p.State = record.PeeringPending }, record.AcceptWithin - 1, record.PeeringPending, "", record.AcceptWithin},
		{"expired", func(_ *world, p *record.Peering) { p.State = record.PeeringPending }, record.AcceptWithin, record.PeeringExpired, "Expired", record.AcceptWithin + record.EndedFor},
		{"VPC deleted", func(_ *world, p *record.Peering) { p.State, p.Requester.Vpc = record.PeeringActive, "vpc-none" }, 0, record.PeeringDeleted, "Deleted by " + account, record.EndedFor},
		{"new range", func(_ *world, p *record.Peering) { p.State = record.PeeringActive }, 0, record.PeeringActive, "", 0},
		{"over", func(_ *world, p *record.Peering) { p.End(record.PeeringRejected, "m", t0) }, record.EndedFor - 1, record.PeeringRejected, "m", record.EndedFor},
		{"forgotten", func(_ *world, p *record.Peering) { p.End(record.PeeringRejected, "m", t0) }, record.EndedFor, "", "", 0},
	}
	for _, tt := range tests {
		w := newWorld(t)
		put(w, tables.Vpcs, network.Vpc{Account: account, Region: region, ID: "vpc-near", CIDR: "10.0.0.0/16"})
		put(w, tables.Vpcs, network.Vpc{Account: other, Region: "eu-west-1", ID: "vpc-far", CIDR: "10.1.0.0/16", Secondary: []network.CIDRBlock{{CIDR: "10.2.0.0/16"}}})
		put(w, tables.Vpcs, network.Vpc{Account: other, Region: "eu-west-1", ID: "vpc-overlap", CIDR: "10.9.0.0/16", Secondary: []network.CIDRBlock{{CIDR: "10.0.8.0/24"}}})
		p := record.Peering{ID: "pcx-1", Requester: near, Accepter: far, State: record.PeeringInitiating, CreatedAt: t0, ExpiresAt: t0.Add(record.AcceptWithin)}
		if tt.change != nil {
			tt.change(w, &p)
		}
		put(w, edges.Peerings, p)
		w.now = t0.Add(tt.at)
		wake := w.run()
		if tt.wake == 0 && !wake.IsZero() || tt.wake != 0 && !wake.Equal(t0.Add(tt.wake)) {
			t.Errorf("%s: looks again at %v", tt.name, wake)
		}
		got, ok := get(w, edges.Peerings, "pcx-1")
		if ok != (tt.state != "") || got.State != tt.state || got.Message != tt.message {
			t.Errorf("%s: %+v", tt.name, got)
		}
		if tt.name == "new range" && (len(got.Accepter.CIDRs) != 2 || got.Requester.CIDRs[0] != "10.0.0.0/16") {
			t.Errorf("%s: %+v", tt.name, got)
		}
	}
}
