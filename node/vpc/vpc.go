// Package vpc keeps a host's part of the installation's VPCs in the kernel as the
// store says: it reads the records of the EC2 API, package network makes them
// real.
//
// Which interfaces are on the host is known by the tasks that run on it: Plug
// adds the one of a task, and it goes when its record does. A VPC is on the host
// while one of its interfaces is, and a little longer.
package vpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"neargate/internal/pause"
	"neargate/node/network"
	"neargate/resource/compute"
	record "neargate/resource/network"
	"neargate/resource/network/edge"
	"neargate/store"
	"neargate/store/tables"
	"neargate/store/tables/edges"
)

const (
	// auditEvery is how often the kernel is compared with what is wanted although
	// nothing changed.
	auditEvery = 30 * time.Second
	// linger is how long a VPC without interfaces of tasks stays, with all it has: the
	// next task may be near.
	linger = 3 * time.Second
	// gather is how long more changes are waited for before they are acted on.
	gather = 2 * time.Millisecond
	// retryAfter is the pause after a failure.
	retryAfter = time.Second
)

// Config is what a Keeper works with.
type Config struct {
	Store   store.Store
	Manager *network.Manager
	Node    string // name of the host
	// Serve serves what AWS offers inside the VPC, in the network namespace that a
	// file names; nil: nothing.
	Serve func(v View, space string) (Server, error)
	Log   *slog.Logger
}

// Server serves the endpoints of one VPC until it is closed.
type Server interface {
	io.Closer
	// Set tells it what the VPC has become.
	Set(v View)
}

// View is a VPC with what its endpoints must know of it.
type View struct {
	VPC        record.Vpc
	Interfaces []record.NetworkInterface // on every host
	Peers      []record.NetworkInterface // of peered VPCs that let this one know their private addresses
	Endpoints  []edge.Endpoint           // in whatever state
	Listen     []Listener                // where to serve those that are available
}

// TaskKey is a task's primary key.
type TaskKey struct{ Account, Region, Cluster, ID string }

// Plugged is a task's interface on this host.
type Plugged struct {
	Namespace string // the file of its network namespace
	VPC       record.Vpc
	DHCP      record.DhcpOptions // of the VPC; zero: none
	Subnet    record.Subnet
	Interface record.NetworkInterface
}

// Keeper keeps the VPCs of a host.
type Keeper struct {
	cfg Config

	mu   sync.Mutex
	mine map[string]plug // by interface id
	vpcs map[string]vpc  // by id

	starting bool    // what is found was there before this process
	ended    []Flows // that nobody asked for yet
}

// plug is an interface of this host.
type plug struct {
	task TaskKey
	vpc  string
	from string // an existing namespace it was plugged into

	inherited bool // an earlier process plugged it
}

// vpc is a VPC on this host.
type vpc struct {
	scope
	is    network.VPC // as last applied
	view  View
	peers []peerVPC
	logs  []edge.FlowLog
	// counted are the interfaces whose flows are counted, by id.
	counted map[string]Counting

	space  uint64 // the inode of its namespace while it is served
	server Server

	emptyAt time.Time // since when it is without interfaces of tasks; zero: it is not
}

// note takes notice of whether the VPC is without interfaces of tasks.
func (v *vpc) note(want *network.VPC, now time.Time) {
	switch {
	case slices.ContainsFunc(want.Interfaces, func(i network.Interface) bool { return i.Role == network.Task }):
		v.emptyAt = time.Time{}
	case v.emptyAt.IsZero():
		v.emptyAt = now
	}
}

// lingers reports whether the VPC stays without interfaces of tasks.
func (v *vpc) lingers(now time.Time) bool {
	return !v.emptyAt.IsZero() && now.Before(v.emptyAt.Add(linger))
}

// New is the keeper of a host. Start comes first.
func New(cfg Config) *Keeper {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Keeper{cfg: cfg, mine: map[string]plug{}, vpcs: map[string]vpc{}}
}

// Start finds the interfaces of the host's tasks and levels the kernel with them,
// also after an earlier process. It returns the revision after which Run follows.
func (k *Keeper) Start(ctx context.Context) (store.Rev, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var at store.Rev
	err := k.cfg.Store.View(ctx, func(tx store.Tx) error {
		at = tx.Rev()
		return k.find(tx)
	})
	if err != nil {
		return 0, err
	}
	k.starting = true
	err = k.audit(ctx)
	k.starting = false
	return at, err
}

// find reads which interfaces the host's tasks have.
func (k *Keeper) find(tx store.Tx) error {
	for t, err := range tables.Tasks.By(tx, tables.TasksByNode, k.cfg.Node) {
		if err != nil {
			return err
		}
		if t.Attachment.ENI == "" || t.Attachment.Status == compute.Deleted {
			continue
		}
		e, ok, err := tables.NetworkInterfaces.Find(tx, t.Account, t.Region, t.Attachment.ENI)
		if err != nil {
			return err
		}
		if ok {
			k.add(&t, &e, "", true)
		}
	}
	return nil
}

func (k *Keeper) add(t *compute.Task, e *record.NetworkInterface, from string, inherited bool) {
	k.mine[e.ID] = plug{TaskKey{t.Account, t.Region, t.Cluster, t.ID}, e.Vpc, from, inherited}
	if _, ok := k.vpcs[e.Vpc]; !ok {
		k.vpcs[e.Vpc] = vpc{scope: scope{t.Account, t.Region}}
	}
}

// Plug makes the task's interface real and returns where it is. from is the file
// of an existing network namespace to put it into; empty: a new one. To plug what
// is plugged changes nothing.
func (k *Keeper) Plug(ctx context.Context, t *compute.Task, from string) (Plugged, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var p Plugged
	err := k.cfg.Store.View(ctx, func(tx store.Tx) (err error) {
		if p.Interface, err = tables.NetworkInterfaces.Get(tx, t.Account, t.Region, t.Attachment.ENI); err != nil {
			return err
		}
		if p.VPC, err = tables.Vpcs.Get(tx, t.Account, t.Region, p.Interface.Vpc); err != nil {
			return err
		}
		if p.DHCP, _, err = tables.DhcpOptions.Find(tx, t.Account, t.Region, p.VPC.DhcpOptions); err != nil {
			return err
		}
		p.Subnet, err = tables.Subnets.Get(tx, t.Account, t.Region, p.Interface.Subnet)
		return err
	})
	if err != nil {
		return p, fmt.Errorf("network interface %q: %w", t.Attachment.ENI, err)
	}
	p.Namespace = k.cfg.Manager.Namespace(p.Interface.ID)
	_, known := k.mine[p.Interface.ID]
	if known && k.vpcs[p.Interface.Vpc].server != nil {
		return p, nil
	}
	k.add(t, &p.Interface, from, false)
	if err := k.refresh(ctx, p.Interface.Vpc); err != nil {
		if !known {
			delete(k.mine, p.Interface.ID)
			v := k.vpcs[p.Interface.Vpc]
			v.note(&v.is, time.Now())
			k.vpcs[p.Interface.Vpc] = v
		}
		return p, err
	}
	return p, nil
}

// Inherited reports whether an interface was plugged by an earlier process, of
// which nobody knows how far it came with the sandbox in it.
func (k *Keeper) Inherited(eni string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.mine[eni].inherited
}

// Unplug removes an interface, so that the next Plug makes another. Its namespace
// goes when no sandbox is in it.
func (k *Keeper) Unplug(ctx context.Context, eni string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	p, ok := k.mine[eni]
	if !ok {
		return nil
	}
	delete(k.mine, eni)
	if err := k.refresh(ctx, p.vpc); err != nil {
		k.mine[eni] = p
		return err
	}
	return nil
}

// Find is the task that an address of a VPC belongs to, if it is on this host.
func (k *Keeper) Find(vpc string, a netip.Addr) (TaskKey, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, i := range k.vpcs[vpc].is.Interfaces {
		if p, task := k.mine[i.ID]; task && (slices.Contains(i.Addresses, a) || slices.Contains(i.IPv6, a)) {
			return p.task, true
		}
	}
	return TaskKey{}, false
}

// refresh levels one VPC with the store.
func (k *Keeper) refresh(ctx context.Context, id string) error {
	v := k.vpcs[id]
	old := v
	want, err := k.build(ctx, id, &v, true)
	if err != nil {
		return err
	}
	v.counted = k.count(&old, want)
	v.note(&want, time.Now())
	if !equal(want, v.is) {
		changed, err := k.cfg.Manager.Update(want)
		if err != nil {
			return err
		}
		k.cfg.Log.Debug("levelled a VPC", "vpc", id, "changes", changed)
	}
	v.is = want
	err = k.serve(&v)
	k.vpcs[id] = v
	return err
}

// audit compares everything with the kernel, and forgets VPCs that have been without
// interfaces.
func (k *Keeper) audit(ctx context.Context) error {
	now := time.Now()
	var all []network.VPC
	for _, id := range slices.Sorted(maps.Keys(k.vpcs)) {
		v := k.vpcs[id]
		old := v
		stays := v.lingers(now)
		want, err := k.build(ctx, id, &v, stays)
		if err != nil {
			return err
		}
		v.counted = k.count(&old, want)
		v.note(&want, now)
		if v.is = want; len(want.Interfaces) == 0 && !stays {
			if v.server != nil {
				err = v.server.Close()
			}
			delete(k.vpcs, id)
			if err != nil {
				return err
			}
			continue
		}
		k.vpcs[id] = v
		all = append(all, want)
	}
	changed, err := k.cfg.Manager.Reconcile(all)
	if len(changed) > 0 {
		k.cfg.Log.Debug("levelled the network", "changes", changed)
	}
	if err != nil {
		return err
	}
	for id, v := range k.vpcs {
		if err := k.serve(&v); err != nil {
			return err
		}
		k.vpcs[id] = v
	}
	return nil
}

// serve tells the VPC's server what has become of it, and starts one where there
// is none in the VPC's namespace, which somebody may have made anew.
func (k *Keeper) serve(v *vpc) error {
	if k.cfg.Serve == nil {
		return nil
	}
	space := k.cfg.Manager.Space(v.is.ID)
	own, err := inode(space)
	if err != nil {
		return err
	}
	if err := identify(v.view.Listen); err != nil {
		return err
	}
	if v.server != nil && v.space == own {
		v.server.Set(v.view)
		return nil
	}
	if v.server != nil {
		if err := v.server.Close(); err != nil {
			return err
		}
	}
	if v.server, err = k.cfg.Serve(v.view, space); err != nil {
		v.server = nil
		return fmt.Errorf("endpoints of %s: %w", v.is.ID, err)
	}
	v.space = own
	return nil
}

// build reads what is wanted of a VPC, and forgets interfaces that are gone. One without
// interfaces of tasks has nothing unless it is kept.
func (k *Keeper) build(ctx context.Context, id string, v *vpc, keep bool) (network.VPC, error) {
	var had []network.Use
	if keep {
		had = v.is.Kept
	}
	r := reader{keep: keep, had: had, account: v.account, region: v.region, id: id, mine: k.mine, pool: k.cfg.Manager.Pool(), space: k.cfg.Manager.Namespace}
	err := k.cfg.Store.View(ctx, func(tx store.Tx) error {
		r.tx = tx
		return r.read()
	})
	if err != nil {
		return r.want, err
	}
	v.view, v.peers, v.logs = r.view, r.peers, r.logs
	maps.DeleteFunc(k.mine, func(eni string, p plug) bool {
		return p.vpc == id && !slices.ContainsFunc(r.want.Interfaces, func(i network.Interface) bool { return i.ID == eni })
	})
	return r.want, nil
}

// Run follows the store after a revision until ctx ends.
func (k *Keeper) Run(ctx context.Context, after store.Rev) error {
	events := make(chan change)
	go k.follow(ctx, after, events)
	wake := time.NewTimer(auditEvery)
	defer wake.Stop()
	regular := time.Now().Add(auditEvery)
	due := regular
	dirty := map[string]bool{}
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case c := <-events:
			k.mark(c, dirty)
			k.drain(events, dirty)
		case <-wake.C:
		}
		now := time.Now()
		all := dirty[everything] || !now.Before(due)
		if all {
			regular = now.Add(auditEvery)
		}
		if k.step(ctx, dirty, all) {
			due = k.next(regular)
		} else {
			regular = now.Add(retryAfter)
			due = regular
		}
		wake.Reset(max(time.Until(due), 0))
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	var err error
	for id, v := range k.vpcs {
		if v.server != nil {
			err = errors.Join(err, v.server.Close())
			v.server = nil
			k.vpcs[id] = v
		}
	}
	return errors.Join(ctx.Err(), err)
}

// everything marks all VPCs in a set of dirty ones.
const everything = ""

// step levels what is dirty, or everything, and reports whether it could; else it is still
// dirty.
func (k *Keeper) step(ctx context.Context, dirty map[string]bool, all bool) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if all {
		if err := k.audit(ctx); err != nil && ctx.Err() == nil {
			k.cfg.Log.Error("levelling the network", "error", err)
			return false
		}
		clear(dirty)
		return true
	}
	for id := range dirty {
		if _, ok := k.vpcs[id]; ok {
			if err := k.refresh(ctx, id); err != nil && ctx.Err() == nil {
				k.cfg.Log.Warn("levelling a VPC", "vpc", id, "error", err)
				return false
			}
		}
	}
	clear(dirty)
	return true
}

// next is when an audit is due, at the latest at a time: when a VPC has lingered.
func (k *Keeper) next(at time.Time) time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, v := range k.vpcs {
		if end := v.emptyAt.Add(linger); !v.emptyAt.IsZero() && end.Before(at) {
			at = end
		}
	}
	return at
}

// mark notes which VPCs a change concerns.
func (k *Keeper) mark(c change, dirty map[string]bool) {
	if c.all {
		dirty[everything] = true
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, id := range k.concerned(c) {
		dirty[id] = true
	}
}

func (k *Keeper) drain(events <-chan change, dirty map[string]bool) {
	over := time.NewTimer(gather)
	defer over.Stop()
	for {
		select {
		case c := <-events:
			k.mark(c, dirty)
		case <-over.C:
			return
		}
	}
}

// change is a change of the store: of something in an account and region, of a
// peering connection, which may be between any, or unknown ones.
type change struct {
	scope
	vpc, eni     string // of a network interface: its VPC, or its id when it is gone
	peering, all bool
}

// changeOf is the change that an event tells of.
func changeOf(e store.Event) change {
	table, s := store.Segments(e.Key)
	c := change{peering: table == edges.Peerings.Name}
	if len(s) > 1 {
		c.scope = scope{s[0], s[1]}
	}
	if table != tables.NetworkInterfaces.Name || len(s) < 3 {
		return c
	}
	if eni, err := tables.NetworkInterfaces.Decode(e.Val); e.Val != nil && err == nil {
		c.vpc = eni.Vpc
		return c
	}
	c.eni = s[2]
	return c
}

// follow watches the tables of the network.
func (k *Keeper) follow(ctx context.Context, after store.Rev, events chan<- change) {
	send := func(c change) bool {
		select {
		case events <- c:
			return true
		case <-ctx.Done():
			return false
		}
	}
	for ctx.Err() == nil {
		for e, err := range k.cfg.Store.Watch(ctx, after, watched()...) {
			if err != nil {
				break
			}
			after = e.Rev
			if !send(changeOf(e)) {
				return
			}
		}
		err := k.cfg.Store.View(ctx, func(tx store.Tx) error { after = tx.Rev(); return nil })
		if err != nil {
			pause.For(ctx, retryAfter)
			continue
		}
		send(change{all: true})
	}
}

// watched are the tables a VPC is built from.
func watched() []string {
	var all []string
	for _, name := range []string{
		tables.Vpcs.Name, tables.Subnets.Name, tables.RouteTables.Name, tables.InternetGateways.Name,
		tables.NetworkAcls.Name, tables.SecurityGroups.Name, tables.SecurityGroupRules.Name, tables.NetworkInterfaces.Name,
		edges.NatGateways.Name, edges.EgressOnlyGateways.Name, edges.Endpoints.Name, edges.PrefixLists.Name, edges.Peerings.Name,
		edges.FlowLogs.Name,
	} {
		all = append(all, store.Prefix(name))
	}
	return all
}
