// Package attach gives each placed Fargate task its network interface and takes
// it back when the task is over.
//
// control/place has chosen the task's availability zone with its node; attach
// takes one of the task's subnets in that zone: the one its creator announced if
// it is among them, else in an order that spreads tasks over the subnets, and the
// next one when a subnet has no free address. The interface comes before the
// task's containers (PRECREATED, ATTACHED) and goes after the node has unplugged
// it, which the node says by DEPROVISIONING (DETACHING, DELETED).
package attach

import (
	"errors"
	"fmt"
	"hash/fnv"
	"net/netip"
	"slices"
	"time"

	"neargate/arn"
	"neargate/control/loop"
	"neargate/resource/compute"
	"neargate/resource/network"
	"neargate/store"
	"neargate/store/tables"
	"neargate/store/tables/address"
	"neargate/store/tables/ranges"
)

// Key is a task's primary key.
type Key struct{ Account, Region, Cluster, ID string }

// State is what a decision rests on.
type State struct {
	Task    compute.Task
	Found   bool
	Subnets []network.Subnet // those of the task's that exist
}

// Action is a decision about one task: exactly one of Make, Fail, Detach and
// Remove.
type Action struct {
	Task   compute.Task
	At     time.Time
	Make   []network.Subnet // take an interface in the first of these with a free address
	Fail   string           // why there can be none
	Detach bool
	Remove bool
}

// minter makes interfaces: it has ids and public addresses.
type minter struct {
	ids    *arn.Source
	public network.Pool
}

// New is the controller. ids mints the ids of interfaces, public is the
// installation's range of public addresses; zero: all of network.PublicRange.
func New(ids *arn.Source, public netip.Prefix) loop.Runner {
	if !public.IsValid() {
		public = network.PublicRange()
	}
	m := minter{ids, network.PublicPool(public)}
	outputs := slices.Concat(tables.Tasks.Prefixes(), tables.NetworkInterfaces.Prefixes(),
		tables.PrivateAddresses.Prefixes(), tables.PublicAddresses.Prefixes(), ranges.Addresses.Prefixes())
	return loop.Controller[Key, State, Action]{
		Name:    "attach",
		Inputs:  []loop.Input[Key]{{Prefix: store.Prefix(tables.TasksByAttach), Keys: keys}},
		Outputs: outputs,
		Load:    load,
		Plan:    Plan,
		Write:   func(tx store.Tx, a Action) error { return m.write(tx, a) },
	}
}

func keys(_ store.Tx, e store.Event) ([]Key, error) {
	if e.Val == nil {
		return nil, nil
	}
	_, s := store.Segments(string(e.Val))
	return []Key{{s[0], s[1], s[2], s[3]}}, nil
}

func load(tx store.Tx, k Key) (s State, err error) {
	s.Task, s.Found, err = tables.Tasks.Find(tx, k.Account, k.Region, k.Cluster, k.ID)
	if err != nil || !s.Found || !s.Task.WantsInterface() {
		return s, err
	}
	for _, id := range s.Task.Spec.Network.Subnets {
		sub, ok, err := tables.Subnets.Find(tx, k.Account, k.Region, id)
		if err != nil {
			return s, err
		}
		if ok {
			s.Subnets = append(s.Subnets, sub)
		}
	}
	return s, nil
}

// Plan decides for one task. Detaching and deleting are two steps, as the API
// shows them.
func Plan(now time.Time, s State) ([]Action, time.Time) {
	a := Action{Task: s.Task, At: now}
	switch {
	case !s.Found:
		return nil, time.Time{}
	case s.Task.WantsInterface():
		if a.Make = choose(&s.Task, s.Subnets); len(a.Make) == 0 {
			a.Fail = "The subnets of the task do not exist in availability zone " + s.Task.Zone
		}
		return []Action{a}, time.Time{}
	case s.Task.HasSpareInterface() && s.Task.Attachment.Status == compute.Attached:
		a.Detach = true
		return []Action{a}, now
	case s.Task.HasSpareInterface():
		a.Remove = true
		return []Action{a}, time.Time{}
	}
	return nil, time.Time{}
}

// choose orders the subnets in the task's zone: the announced one first, the
// others from a place that depends on the task.
func choose(t *compute.Task, subnets []network.Subnet) []network.Subnet {
	var in []network.Subnet
	for _, s := range subnets {
		if s.Zone == t.Zone {
			in = append(in, s)
		}
	}
	if len(in) == 0 {
		return nil
	}
	h := fnv.New32a()
	h.Write([]byte(t.ID))
	start := int(h.Sum32() % uint32(len(in)))
	if i := slices.IndexFunc(in, func(s network.Subnet) bool { return s.ID == t.Attachment.Subnet }); i >= 0 {
		start = i
	}
	return slices.Concat(in[start:], in[:start])
}

func (m minter) write(tx store.Tx, a Action) error {
	t := &a.Task
	switch {
	case a.Fail != "":
		t.Attachment.Failure = a.Fail
	case a.Detach:
		t.Attachment.Status = compute.Detaching
	case a.Remove:
		if err := remove(tx, t); err != nil {
			return err
		}
		t.Attachment.Status = compute.Deleted
	default:
		if err := m.attach(tx, t, a); err != nil {
			return err
		}
	}
	return tables.Tasks.Put(tx, t)
}

// attach makes the interface in the first subnet with a free address, or records
// why there is none. Groups may be gone since the task was ordered, or from the VPC.
func (m minter) attach(tx store.Tx, t *compute.Task, a Action) error {
	eni := m.ids.EC2("eni")
	for i := range a.Make {
		s := &a.Make[i]
		groups, usable, err := securityGroups(tx, t, s.Vpc)
		switch {
		case err != nil:
			return err
		case !usable:
			t.Attachment.Failure = refused(t, s.ID, "InvalidGroup.NotFound")
			continue
		}
		ip, err := address.Allocate(tx, s, eni)
		switch {
		case errors.Is(err, address.ErrExhausted):
			t.Attachment.Failure = refused(t, s.ID, "InsufficientFreeAddressesInSubnet")
			continue
		case err != nil:
			return err
		}
		t.Attachment.Failure = ""
		return m.fill(tx, t, s, eni, ip, groups, a.At)
	}
	return nil
}

// refused says that EC2 made no interface in the subnet, by EC2's error code.
func refused(t *compute.Task, subnet, code string) string {
	public := ""
	if t.Spec.Network.AssignPublicIP == "ENABLED" {
		public = " with public IP assignment enabled"
	}
	return fmt.Sprintf("Unexpected EC2 error while attempting to Create Network Interface%s in subnet '%s': %s", public, subnet, code)
}

// fill records the interface and what the task shows of it.
func (m minter) fill(tx store.Tx, t *compute.Task, s *network.Subnet, eni, ip string, groups []string, at time.Time) error {
	vpc, err := tables.Vpcs.Get(tx, t.Account, t.Region, s.Vpc)
	if err != nil {
		return err
	}
	e := network.FargateInterface(s, eni, m.ids.EC2("eni-attach"), t.AttachmentARN(), groups, at)
	e.Addresses = []string{ip}
	if t.Spec.Network.AssignPublicIP == "ENABLED" {
		e.PublicIP, err = address.AllocatePublic(tx, m.public, t.Account, t.Region, eni)
		if err != nil {
			return err
		}
	}
	if t.Spec.Network.DualStack && len(s.IPv6) > 0 {
		six, err := ranges.Assign(tx, s, eni, "0")
		if err != nil {
			return err
		}
		e.IPv6, t.Attachment.IPv6 = []string{six}, six
	}
	t.Attachment.Status, t.Attachment.Subnet, t.Attachment.ENI = compute.Attached, s.ID, eni
	t.Attachment.MAC, t.Attachment.PrivateIP, t.Attachment.PublicIP = e.MAC, ip, e.PublicIP
	t.Attachment.AttachedAt = at
	if vpc.DNSHostnames && vpc.DNSSupport {
		t.Attachment.PrivateDNS = network.PrivateDNSName(t.Region, ip)
	}
	return tables.NetworkInterfaces.Put(tx, &e)
}

// securityGroups are the task's, or the VPC's default group; usable is false when an
// interface of the VPC may not carry them.
func securityGroups(tx store.Tx, t *compute.Task, vpc string) (ids []string, usable bool, err error) {
	for _, id := range t.Spec.Network.SecurityGroups {
		g, ok, err := tables.SecurityGroups.Find(tx, t.Account, t.Region, id)
		if err != nil || !ok || !g.In(vpc) {
			return nil, false, err
		}
	}
	if len(t.Spec.Network.SecurityGroups) > 0 {
		return t.Spec.Network.SecurityGroups, true, nil
	}
	found, err := store.Collect(tables.SecurityGroups.By(tx, tables.GroupsByName, t.Account, t.Region, vpc, network.DefaultGroup))
	for _, g := range found {
		ids = append(ids, g.ID)
	}
	return ids, true, err
}

func remove(tx store.Tx, t *compute.Task) error {
	e, ok, err := tables.NetworkInterfaces.Find(tx, t.Account, t.Region, t.Attachment.ENI)
	if err != nil || !ok {
		return err
	}
	return ranges.DeleteInterface(tx, &e)
}
