package vpc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"neargate/internal/netns"
	"neargate/node/network"
	"neargate/resource/compute"
	record "neargate/resource/network"
	"neargate/resource/network/ipv6"
	"neargate/store"
	"neargate/store/mem"
	"neargate/store/tables"
	"neargate/store/tables/address"
)

const (
	account, region = "123456789012", "eu-west-1"
	patience        = 5 * time.Second
)

// machine is a host in a network namespace of its own, with a store.
type machine struct {
	*testing.T
	st       store.Store
	dir      string
	host     string
	subnet   record.Subnet
	group    string
	serving  atomic.Int32
	lastView atomic.Pointer[View]
	manager  *network.Manager // of the last keeper
}

func newMachine(t *testing.T) *machine {
	if testing.Short() || os.Getuid() != 0 {
		t.Skip("needs root: makes network namespaces")
	}
	m := &machine{T: t, st: mem.New(), dir: t.TempDir()}
	m.host = filepath.Join(m.dir, "world", "host")
	m.must(netns.Prepare(filepath.Join(m.dir, "world")))
	t.Cleanup(func() {
		if m.manager != nil {
			m.must(m.manager.Remove())
		}
		m.must(errors.Join(netns.Discard(filepath.Join(m.dir, "world")), netns.Discard(filepath.Join(m.dir, "ns"))))
	})
	m.must(netns.Create(m.host))
	m.must(netns.Do(m.host, func() error {
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		return netlink.LinkSetUp(lo)
	}))
	m.update(func(tx store.Tx) error { return tables.EnsureDefaultNetwork(tx, account, region) })
	m.must(m.st.View(t.Context(), func(tx store.Tx) error {
		for s, err := range tables.Subnets.List(tx, account, region) {
			m.subnet = s
			m.must(err)
		}
		for g, err := range tables.SecurityGroups.List(tx, account, region) {
			m.group = g.ID
			m.must(err)
		}
		return nil
	}))
	return m
}

func (m *machine) must(err error) {
	m.Helper()
	if err != nil {
		m.Fatal(err)
	}
}

func (m *machine) update(fn func(store.Tx) error) {
	m.Helper()
	m.must(m.st.Update(m.Context(), fn))
}

// task is a task of the host with an attached interface.
func (m *machine) task(id string) compute.Task {
	m.Helper()
	t := compute.Task{Account: account, Region: region, Cluster: "c", ID: id, Node: "n",
		State: compute.TaskState{Last: compute.Pending}, Intent: compute.Intent{Desired: compute.Running}}
	m.update(func(tx store.Tx) error {
		e := record.FargateInterface(&m.subnet, "eni-"+id, "ela-attach-"+id, "arn", []string{m.group}, time.Unix(0, 0))
		ip, err := address.Allocate(tx, &m.subnet, e.ID)
		if err != nil {
			return err
		}
		e.Addresses = []string{ip}
		t.Attachment = compute.Attachment{Status: compute.Attached, Subnet: m.subnet.ID, ENI: e.ID, PrivateIP: ip}
		return errors.Join(tables.NetworkInterfaces.Put(tx, &e), tables.Tasks.Put(tx, &t))
	})
	return t
}

// keeper starts a keeper as a daemon does; stop ends it as a crash would.
func (m *machine) keeper() (k *Keeper, stop func()) {
	m.Helper()
	manager, err := network.Open(filepath.Join(m.dir, "ns"), m.host,
		network.Host{Tag: "vpctest", Pool: netip.MustParsePrefix("198.19.240.0/24"), Range: ipv6.Range(netip.MustParsePrefix("198.19.240.0/24")), Address: netip.MustParseAddr("198.19.240.1"),
			Services: []netip.Addr{record.ServiceAddress(netip.MustParsePrefix("198.19.240.0/24"))}})
	m.must(err)
	k = New(Config{Store: m.st, Manager: manager, Node: "n", Serve: m.serve})
	ctx, cancel := context.WithCancel(m.Context())
	at, err := k.Start(ctx)
	m.must(err)
	done := make(chan error, 1)
	go func() { done <- k.Run(ctx, at) }()
	stop = func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			m.Error(err)
		}
	}
	m.manager = manager
	m.Cleanup(cancel)
	return k, stop
}

// endpoint answers on the resolver's address.
type endpoint struct {
	net.Listener
	m *machine
}

func (e endpoint) Set(v View) { e.m.lastView.Store(&v) }

func (e endpoint) Close() error {
	e.m.serving.Add(-1)
	return e.Listener.Close()
}

func (m *machine) serve(v View, space string) (Server, error) {
	var l net.Listener
	err := netns.Do(space, func() (err error) {
		l, err = net.Listen("tcp4", fmt.Sprint(Resolver(netip.MustParsePrefix(v.VPC.CIDR)), ":", DNSPort))
		return err
	})
	if err != nil {
		return nil, err
	}
	m.serving.Add(1)
	go echo(l)
	e := endpoint{l, m}
	e.Set(v)
	return e, nil
}

func echo(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		c.Close()
	}
}

func (m *machine) listen(space string) {
	m.Helper()
	m.must(netns.Do(space, func() error {
		l, err := net.Listen("tcp4", ":80")
		if err == nil {
			m.Cleanup(func() { l.Close() })
			go echo(l)
		}
		return err
	}))
}

// reaches reports whether a namespace can open a connection.
func reaches(space, to string, wait time.Duration) bool {
	return netns.Do(space, func() error {
		c, err := net.DialTimeout("tcp4", to, wait)
		if err == nil {
			c.Close()
		}
		return err
	}) == nil
}

func (m *machine) eventually(what string, ok func() bool) {
	m.Helper()
	for deadline := time.Now().Add(2 * patience); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			m.Fatalf("not in time: %s", what)
		}
	}
}

func TestKeeper(t *testing.T) {
	m := newMachine(t)
	k, stop := m.keeper()
	a, b := m.task("a"), m.task("b")
	pa, err := k.Plug(t.Context(), &a, "")
	m.must(err)
	pb, err := k.Plug(t.Context(), &b, "")
	m.must(err)
	if pa.VPC.CIDR != "172.31.0.0/16" || pa.Subnet.ID != m.subnet.ID || pa.Interface.Primary() != a.Attachment.PrivateIP {
		t.Errorf("plugged %+v", pa)
	}
	m.listen(pb.Namespace)
	web := pb.Interface.Primary() + ":80"
	if !reaches(pa.Namespace, web, patience) {
		t.Error("members of the default group do not reach each other")
	}
	if !reaches(pa.Namespace, "172.31.0.2:53", patience) || m.serving.Load() != 1 {
		t.Error("the VPC's endpoint does not answer")
	}
	if got, ok := k.Find(pa.VPC.ID, netip.MustParseAddr(a.Attachment.PrivateIP)); !ok || got.ID != "a" {
		t.Errorf("the address belongs to %+v, %v", got, ok)
	}

	// A change of the rules acts on running tasks.
	var rules []record.SecurityGroupRule
	m.update(func(tx store.Tx) (err error) {
		rules, err = store.Collect(tables.SecurityGroupRules.By(tx, tables.RulesByGroup, account, region, m.group))
		for _, r := range rules {
			if !r.Egress {
				err = errors.Join(err, tables.SecurityGroupRules.Delete(tx, account, region, r.ID))
			}
		}
		return err
	})
	m.eventually("the group is closed", func() bool { return !reaches(pa.Namespace, web, 100*time.Millisecond) })
	m.update(func(tx store.Tx) error {
		var err error
		for _, r := range rules {
			err = errors.Join(err, tables.SecurityGroupRules.Put(tx, &r))
		}
		return err
	})
	m.eventually("the group is open", func() bool { return reaches(pa.Namespace, web, 100*time.Millisecond) })

	// Another daemon finds what the first one left, and serves it again.
	stop()
	if m.serving.Load() != 0 {
		t.Error("the endpoint outlives the keeper")
	}
	k, stop = m.keeper()
	defer stop()
	if !reaches(pa.Namespace, web, patience) || !reaches(pa.Namespace, "172.31.0.2:53", patience) {
		t.Error("the network did not survive a restart")
	}
	if again, err := k.Plug(t.Context(), &a, ""); err != nil || again.Namespace != pa.Namespace {
		t.Errorf("plugged again: %+v, %v", again, err)
	}

	// What an earlier process plugged can be made anew.
	if !k.Inherited(b.Attachment.ENI) {
		t.Error("the interface is not known to be an earlier process's")
	}
	m.must(k.Unplug(t.Context(), b.Attachment.ENI))
	if _, err := os.Stat(pb.Namespace); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("b's namespace after it was unplugged: %v", err)
	}
	pb, err = k.Plug(t.Context(), &b, "")
	m.must(err)
	m.listen(pb.Namespace)
	if k.Inherited(b.Attachment.ENI) || !reaches(pa.Namespace, web, patience) {
		t.Error("the interface was not plugged again")
	}

	// Somebody unmounts the VPC's namespace by hand: an audit repairs it.
	m.must(netns.Remove(k.cfg.Manager.Space(pa.VPC.ID)))
	k.mu.Lock()
	m.must(k.audit(t.Context()))
	k.mu.Unlock()
	if !reaches(pa.Namespace, "172.31.0.2:53", patience) {
		t.Error("the endpoint is not served in the new namespace")
	}

	// An interface goes with its record, and the VPC with its last one.
	remove := func(task *compute.Task) {
		m.update(func(tx store.Tx) error {
			e, err := tables.NetworkInterfaces.Get(tx, account, region, task.Attachment.ENI)
			if err != nil {
				return err
			}
			return address.DeleteInterface(tx, &e)
		})
	}
	gone := func(path string) func() bool {
		return func() bool { _, err := os.Stat(path); return errors.Is(err, os.ErrNotExist) }
	}
	remove(&b)
	m.eventually("b's namespace is gone", gone(pb.Namespace))
	m.eventually("the endpoint hears of it", func() bool {
		return !slices.ContainsFunc(m.lastView.Load().Interfaces, func(e record.NetworkInterface) bool { return e.ID == b.Attachment.ENI })
	})
	remove(&a)
	m.eventually("a's namespace is gone", gone(pa.Namespace))
	m.eventually("the VPC's namespace is gone", gone(k.cfg.Manager.Space(pa.VPC.ID)))
	if m.serving.Load() != 0 {
		t.Error("the endpoint outlives the VPC")
	}
	if _, err := k.Plug(t.Context(), &a, ""); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("plugging an interface that is not: %v", err)
	}
}
