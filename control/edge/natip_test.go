package edge

import (
	"slices"
	"testing"
	"time"

	"neargate/resource/network"
	record "neargate/resource/network/edge"
	"neargate/store"
	"neargate/store/tables"
	"neargate/store/tables/address"
	"neargate/store/tables/edges"
)

// gateway is the NAT gateway as stored, with its interface.
func (w *world) gateway() (g record.NatGateway, e network.NetworkInterface) {
	w.t.Helper()
	g, _ = get(w, edges.NatGateways, account, region, "nat-1")
	if len(g.Addresses) > 0 {
		e, _ = get(w, tables.NetworkInterfaces, account, region, g.Addresses[0].ENI)
	}
	return g, e
}

// change writes the gateway otherwise.
func (w *world) change(f func(*record.NatGateway)) {
	w.t.Helper()
	g, _ := w.gateway()
	g.Addresses = slices.Clone(g.Addresses)
	f(&g)
	put(w, edges.NatGateways, g)
}

func TestNatGatewayAddresses(t *testing.T) {
	w := newWorld(t)
	w.elastic("eipalloc-1")
	second := w.elastic("eipalloc-2")
	w.nat("nat-1", func(g *record.NatGateway) {
		g.Addresses = append(g.Addresses, record.NatAddress{Allocation: second.ID, PrivateIP: "172.31.0.77", Status: record.Associating})
	})
	w.run()
	g, e := w.gateway()
	of := g.Addresses[1]
	if g.State != record.Available || !of.Works() || of.Status != "" || of.ENI != e.ID || of.PublicIP != second.Address || of.Association == "" {
		t.Fatalf("gateway %+v", g)
	}
	if want := (network.Mapping{PrivateIP: "172.31.0.77", PublicIP: second.Address, Allocation: second.ID, Association: of.Association}); len(e.Addresses) != 2 ||
		e.MappingOf("172.31.0.77") != want || len(e.Mappings()) != 2 {
		t.Errorf("interface %+v", e)
	}
	if a, _ := get(w, edges.ElasticIPs, account, region, second.ID); a.NatGateway != "nat-1" || a.PrivateIP != "172.31.0.77" || a.ENI != e.ID {
		t.Errorf("address %+v", a)
	}

	// It drains, and goes when the time is over: then, not before.
	until := t0.Add(time.Minute)
	w.change(func(g *record.NatGateway) { g.Addresses[1].Status, g.Addresses[1].Until = record.Disassociating, until })
	if wake := w.run(); !wake.Equal(until) {
		t.Errorf("looks again at %v", wake)
	}
	if g, e := w.gateway(); len(g.Addresses) != 2 || len(e.Addresses) != 2 {
		t.Errorf("while it drains: %+v", g)
	}
	w.now = until
	if wake := w.run(); !wake.IsZero() {
		t.Errorf("looks again at %v", wake)
	}
	g, e = w.gateway()
	if len(g.Addresses) != 1 || len(e.Addresses) != 1 || len(e.Mappings()) != 1 {
		t.Errorf("drained: %+v, %+v", g, e)
	}
	if a, _ := get(w, edges.ElasticIPs, account, region, second.ID); a.NatGateway != "" || a.ENI != "" || a.Association != "" {
		t.Errorf("address afterwards %+v", a)
	}
	if _, taken := get(w, tables.PrivateAddresses, account, region, g.Subnet, "172.31.0.77"); taken {
		t.Error("the private address is still taken")
	}

	// One that cannot be had says so for a while, and the others work on.
	w.update(func(tx store.Tx) error { return address.Take(tx, &w.f.Subnets[0], "eni-9", "172.31.0.78") })
	w.change(func(g *record.NatGateway) {
		g.Addresses = append(g.Addresses, record.NatAddress{Allocation: second.ID, PrivateIP: "172.31.0.78", Status: record.Associating},
			record.NatAddress{Allocation: "eipalloc-9", Status: record.Associating})
	})
	forgotten := w.now.Add(DeletedFor)
	if wake := w.run(); !wake.Equal(forgotten) {
		t.Errorf("looks again at %v", wake)
	}
	g, e = w.gateway()
	for _, of := range g.Addresses[1:] {
		if of.Status != record.Failed || of.FailureMessage == "" || of.Works() {
			t.Errorf("address %+v", of)
		}
	}
	if g.State != record.Available || len(e.Addresses) != 1 {
		t.Errorf("gateway %+v, %+v", g, e)
	}
	w.now = forgotten
	w.run()
	if g, _ := w.gateway(); len(g.Addresses) != 1 {
		t.Errorf("still %+v", g.Addresses)
	}

	// Deleted while an address drains, it returns everything.
	w.change(func(g *record.NatGateway) {
		g.Addresses = append(g.Addresses, record.NatAddress{Allocation: second.ID, Status: record.Associating})
	})
	w.run()
	w.change(func(g *record.NatGateway) {
		g.Addresses[1].Status, g.Addresses[1].Until = record.Disassociating, w.now.Add(time.Minute)
		g.State, g.DeletedAt = record.Deleting, w.now
	})
	w.run()
	w.now = w.now.Add(DeletedFor)
	w.run()
	w.update(func(tx store.Tx) error {
		for _, id := range []string{"eipalloc-1", second.ID} {
			a, _, err := edges.ElasticIPs.Find(tx, account, region, id)
			if err != nil {
				return err
			}
			if a.ENI != "" {
				t.Errorf("address %+v", a)
			}
			if err := address.ReleaseElastic(tx, &a); err != nil {
				return err
			}
		}
		return tables.PrivateAddresses.Delete(tx, account, region, w.f.Subnets[0].ID, "172.31.0.78")
	})
	if n := w.count(); n != w.keys {
		t.Errorf("%d keys are left", n-w.keys)
	}
}

func TestPrivateNatGatewayAddresses(t *testing.T) {
	w := newWorld(t)
	w.nat("nat-1", func(g *record.NatGateway) {
		g.Private, g.Addresses = true, []record.NatAddress{{}, {Status: record.Assigning}, {PrivateIP: "172.31.0.77", Status: record.Assigning}}
	})
	w.run()
	g, e := w.gateway()
	if g.State != record.Available || len(e.Addresses) != 3 || e.Addresses[2] != "172.31.0.77" || len(e.Mappings()) != 0 {
		t.Errorf("gateway %+v, %+v", g, e)
	}
	for _, of := range g.Addresses {
		if !of.Works() || of.ENI != e.ID || of.PublicIP != "" {
			t.Errorf("address %+v", of)
		}
	}
}
