package zones

import (
	"context"
	"testing"

	"github.com/miekg/dns"

	"neargate/resource/network"
	"neargate/resource/network/edge"
	"neargate/resource/zone"
	"neargate/store"
	"neargate/store/tables"
	"neargate/store/tables/edges"
)

// TestReverse asks VPCs for the names of public addresses, one of another account.
func TestReverse(t *testing.T) {
	w := newWorld(t)
	set := func(address, owner, name string) {
		t.Helper()
		err := w.store.Update(context.Background(), func(tx store.Tx) error {
			id := "eipalloc-" + address
			p := network.PublicAddress{Address: address, Account: owner, Region: "eu-west-1", Allocation: id}
			if err := tables.PublicAddresses.Put(tx, &p); err != nil {
				return err
			}
			return edges.ElasticIPs.Put(tx, &edge.ElasticIP{Account: owner, Region: "eu-west-1", ID: id, Address: address, Reverse: name})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	set("198.18.0.7", "210987654321", "mail.example.com.")
	set("198.18.0.8", account, "")
	set("198.18.0.9", account, "")
	const mine = "198.18.0.9"
	amazons := "9.0.18.198.in-addr.arpa. 60 PTR ec2-198-18-0-9.compute-1.amazonaws.com."
	for _, c := range []struct {
		vpc, name string
		kind      uint16
		want      string
	}{
		{"vpc-1", "7.0.18.198.in-addr.arpa", dns.TypePTR, "7.0.18.198.in-addr.arpa. 60 PTR mail.example.com."},
		{"vpc-3", "7.0.18.198.IN-ADDR.arpa", dns.TypePTR, "7.0.18.198.IN-ADDR.arpa. 60 PTR mail.example.com."},
		{"vpc-1", "7.0.18.198.in-addr.arpa", dns.TypeA, "- 0.18.198.in-addr.arpa. 60"},
		{"vpc-1", "8.0.18.198.in-addr.arpa", dns.TypePTR, "NXDOMAIN"},
		{"vpc-1", "0.18.198.in-addr.arpa", dns.TypePTR, "NXDOMAIN"},
		{"vpc-1", "7.0.51.198.in-addr.arpa", dns.TypePTR, "NXDOMAIN"},
		{"vpc-1", "9.0.18.198.in-addr.arpa", dns.TypePTR, amazons},
		{"vpc-3", "9.0.18.198.in-addr.arpa", dns.TypePTR, "NXDOMAIN"},
	} {
		if got := w.ask(c.vpc, c.name, c.kind); got != c.want {
			t.Errorf("%s asks for %s: %s, want %s", c.vpc, c.name, got, c.want)
		}
	}
	// A name that its owner gives is there at once and takes the place of Amazon's,
	// and a private zone of the VPC counts before either.
	set(mine, account, "web.example.com.")
	for _, vpc := range []string{"vpc-1", "vpc-2", "vpc-3"} {
		if got, want := w.ask(vpc, "9.0.18.198.in-addr.arpa", dns.TypePTR), "9.0.18.198.in-addr.arpa. 60 PTR web.example.com."; got != want {
			t.Errorf("%s: %s, want %s", vpc, got, want)
		}
	}
	w.zone(zone.Zone{ID: "Z1", Name: "0.18.198.in-addr.arpa.", VPCs: here}, "9.0.18.198.in-addr.arpa PTR 60 hidden.example.com.")
	if got, want := w.ask("vpc-1", "9.0.18.198.in-addr.arpa", dns.TypePTR), "9.0.18.198.in-addr.arpa. 60 PTR hidden.example.com."; got != want {
		t.Errorf("with a private zone: %s, want %s", got, want)
	}
	set(mine, account, "")
	if got := w.ask("vpc-2", "9.0.18.198.in-addr.arpa", dns.TypePTR); got != amazons {
		t.Errorf("after a reset: %s", got)
	}
}
