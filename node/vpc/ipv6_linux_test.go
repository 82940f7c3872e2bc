package vpc

import (
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"neargate/internal/netns"
	"neargate/resource/compute"
	record "neargate/resource/network"
	"neargate/resource/network/edge"
	"neargate/resource/network/ipv6"
	"neargate/store"
	"neargate/store/tables"
	"neargate/store/tables/edges"
	"neargate/store/tables/ranges"
)

// dual gives the default VPC and its subnet IPv6, with an egress-only gateway.
func (m *machine) dual() {
	m.Helper()
	m.update(func(tx store.Tx) error {
		v, err := tables.Vpcs.Get(tx, account, region, m.subnet.Vpc)
		if err != nil {
			return err
		}
		block, err := ranges.TakeBlock(tx, ipv6.Range(netip.MustParsePrefix("198.19.240.0/24")), &v, "seed")
		if err != nil {
			return err
		}
		p := netip.MustParsePrefix(block)
		v.IPv6 = []record.CIDRBlock{{Association: "vpc-cidr-assoc-1", CIDR: block}}
		m.subnet.IPv6 = []record.CIDRBlock{{Association: "subnet-cidr-assoc-1", CIDR: netip.PrefixFrom(p.Addr(), 64).String()}}
		acls, err := store.Collect(tables.NetworkAcls.List(tx, account, region))
		for _, a := range acls {
			ipv6.Guard(&a)
			err = errors.Join(err, tables.NetworkAcls.Put(tx, &a))
		}
		routes, e := store.Collect(tables.RouteTables.List(tx, account, region))
		err = errors.Join(err, e)
		for _, t := range routes {
			t.Routes = append(t.Routes, record.Route{Destination6: ipv6.Any, EgressOnly: "eigw-1", Origin: record.OriginCreateRoute})
			err = errors.Join(err, tables.RouteTables.Put(tx, &t))
		}
		out := record.SecurityGroupRule{Account: account, Region: region, ID: "sgr-six", Group: m.group, Permission: ipv6.LetOut()}
		g := edge.EgressOnlyGateway{Account: account, Region: region, ID: "eigw-1", Vpc: v.ID}
		return errors.Join(err, tables.Vpcs.Put(tx, &v), tables.Subnets.Put(tx, &m.subnet), tables.SecurityGroupRules.Put(tx, &out),
			edges.EgressOnlyGateways.Put(tx, &g))
	})
}

// assigned gives a task's interface an IPv6 address.
func (m *machine) assigned(t *compute.Task) (addr string) {
	m.Helper()
	m.update(func(tx store.Tx) error {
		e, err := tables.NetworkInterfaces.Get(tx, account, region, t.Attachment.ENI)
		if err != nil {
			return err
		}
		if addr, err = ranges.Assign(tx, &m.subnet, e.ID, "0"); err != nil {
			return err
		}
		e.IPv6 = []string{addr}
		return tables.NetworkInterfaces.Put(tx, &e)
	})
	return addr
}

func reaches6(space, to string, wait time.Duration) bool {
	return netns.Do(space, func() error {
		c, err := net.DialTimeout("tcp6", net.JoinHostPort(to, "80"), wait)
		if err == nil {
			c.Close()
		}
		return err
	}) == nil
}

func (m *machine) listen6(space string) {
	m.Helper()
	m.must(netns.Do(space, func() error {
		l, err := net.Listen("tcp6", ":80")
		if err == nil {
			m.Cleanup(func() { l.Close() })
			go echo(l)
		}
		return err
	}))
}

// TestKeeperIPv6 has tasks talk over IPv6 as the records say, and as they change.
func TestKeeperIPv6(t *testing.T) {
	m := newMachine(t)
	m.dual()
	k, stop := m.keeper()
	defer stop()
	one, two := m.task("one"), m.task("two")
	a, b := m.assigned(&one), m.assigned(&two)
	p, err := k.Plug(t.Context(), &one, "")
	m.must(err)
	q, err := k.Plug(t.Context(), &two, "")
	m.must(err)
	m.listen6(q.Namespace)
	m.eventually("members of the group reach each other", func() bool { return reaches6(p.Namespace, b, time.Second) })
	vpc := p.VPC.ID
	if key, ok := k.Find(vpc, netip.MustParseAddr(a)); !ok || key.ID != "one" {
		t.Errorf("the task at %s is %v", a, key)
	}
	if reaches6(m.host, b, 200*time.Millisecond) {
		t.Error("the host reaches a task through an egress-only gateway")
	}
	m.update(func(tx store.Tx) error {
		return tables.SecurityGroupRules.Delete(tx, account, region, "sgr-six")
	})
	m.eventually("without a rule nothing leaves", func() bool { return !reaches6(p.Namespace, b, 100*time.Millisecond) })
	rule := record.SecurityGroupRule{Account: account, Region: region, ID: "sgr-six", Group: m.group, Permission: ipv6.LetOut()}
	m.update(func(tx store.Tx) error { return tables.SecurityGroupRules.Put(tx, &rule) })
	m.eventually("with the rule it leaves again", func() bool { return reaches6(p.Namespace, b, time.Second) })
	m.update(func(tx store.Tx) error {
		e, err := tables.NetworkInterfaces.Get(tx, account, region, two.Attachment.ENI)
		if err != nil {
			return err
		}
		return ranges.DeleteInterface(tx, &e)
	})
	m.eventually("an interface that is gone takes its address along", func() bool { return !reaches6(p.Namespace, b, 100*time.Millisecond) })
}
