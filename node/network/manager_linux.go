package network

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"neargate/internal/netns"
	"neargate/node/firewall"
	"neargate/node/firewall/nft"
	"neargate/node/network/kern"
	"neargate/node/network/kern/sysctl"
)

// Manager levels the kernel with what is wanted of one installation's network.
// Its methods may be called by many goroutines; one at a time does something.
type Manager struct {
	dir, root string
	host      Host
	ipv6      bool // the kernel has it

	mu    sync.Mutex
	vpcs  map[string]VPC // as last wanted, by id; nil before the first Reconcile
	seen  memory
	rules map[table]applied

	ruled  map[string]VPC                 // whose rules are in force, by id
	graves map[string]map[netip.Addr]bool // addresses that interfaces left, by VPC
	begun  map[table]int                  // how often a table was replaced as a whole
}

// table is an nftables table in a namespace.
type table struct {
	space, name string
	ipv6        bool
}

// tableOf is the table that r is the content of, in a namespace.
func tableOf(space string, r firewall.Ruleset) table { return table{space, r.Table, r.IPv6} }

// in is the table in the kernel.
func (m *Manager) in(t table) nft.Table {
	if t.ipv6 {
		return nft.OpenIPv6(m.path(t.space), t.name)
	}
	return nft.Open(m.path(t.space), t.name)
}

// applied is what a table holds if nobody changed it.
type applied struct {
	ruleset    firewall.Ruleset
	generation uint32
	handles    []uint64
}

// Open returns the manager of the installation h.Tag. Its namespaces are named in
// dir, a directory of the installation's own on a file system that does not
// outlive the kernel. root names the host's namespace by a file; empty: the one
// of this process.
func Open(dir, root string, h Host) (*Manager, error) {
	if !h.Pool.Contains(h.Address) {
		return nil, fmt.Errorf("network: the host's address %s is not in the pool %s", h.Address, h.Pool)
	}
	if err := netns.Prepare(dir); err != nil {
		return nil, err
	}
	m := &Manager{dir: dir, root: root, host: h, rules: map[table]applied{},
		ruled: map[string]VPC{}, graves: map[string]map[netip.Addr]bool{}, begun: map[table]int{}}
	return m, m.look()
}

// look finds out whether the kernel has IPv6, and the host's namespace.
func (m *Manager) look() error {
	return netns.Do(m.root, func() error {
		b, err := os.ReadFile(kern.SysctlPath("ipv6/conf/lo/disable_ipv6"))
		if errors.Is(err, os.ErrNotExist) {
			err = nil
		}
		m.ipv6 = b != nil
		if strings.TrimSpace(string(b)) != "0" {
			m.host.Range = netip.Prefix{}
		}
		return err
	})
}

// Pool are the installation's public addresses.
func (m *Manager) Pool() netip.Prefix { return m.host.Pool }

// Namespace is the file that names the network namespace of an interface, or of a
// gateway endpoint.
func (m *Manager) Namespace(id string) string { return m.path(Name(id)) }

// Services is the file, in the directory of a Manager, that names the namespace of
// the host's services, while there is one.
func Services(dir string) string { return filepath.Join(dir, nameServices) }

// Space is the file that names a VPC's network namespace, while there is one.
func (m *Manager) Space(vpc string) string { return m.path(nameVPC(vpc)) }

// owner is what names the installation in chains of others.
func (m *Manager) owner() string { return firewall.TableOpened + "-" + m.host.Tag }

func (m *Manager) path(space string) string {
	if space == "" {
		return m.root
	}
	return filepath.Join(m.dir, space)
}

// Reconcile makes vpcs, all there are on this host, real, and removes what else
// the installation has. It returns what it changed, in words: nothing, when
// everything was as wanted. The manager keeps vpcs, as Update does.
func (m *Manager) Reconcile(vpcs []VPC) (changed []string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.reconcile(vpcs)
}

// Update makes v real, which may be new, without a look at what has not changed
// since the last Reconcile: its cost hardly depends on what else there is. What
// others changed in the kernel, and what else has to be removed, waits for
// Reconcile. The manager keeps v: nobody may change what it holds.
func (m *Manager) Update(v VPC) (changed []string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.vpcs == nil {
		return nil, errors.New("network: updated before it was reconciled")
	}
	if !m.ipv6 {
		v = v.plain()
	}
	list := m.concerned(v)
	old := m.vpcs[v.ID]
	m.vpcs[v.ID] = v
	if m.remembered(list) {
		if changed, done, err := m.quick(old, v, list); done || err != nil {
			if err != nil {
				m.seen = memory{}
			}
			return changed, err
		}
		if changed, err = m.level(m.seen, list, false); err == nil {
			return changed, nil
		}
	}
	seen, err := m.observe(list)
	if err != nil {
		return changed, err
	}
	more, err := m.level(seen, list, false)
	return append(changed, more...), err
}

// concerned are v and the VPCs whose peering connections begin or end with it.
func (m *Manager) concerned(v VPC) []VPC {
	list := []VPC{v}
	old, known := m.vpcs[v.ID]
	same := func(a, b Peer) bool { return a.ID == b.ID && a.VPC == b.VPC }
	if known && slices.EqualFunc(old.Peers, v.Peers, same) {
		return list
	}
	ids := map[string]bool{v.ID: true}
	for _, p := range slices.Concat(old.Peers, v.Peers) {
		if other, here := m.vpcs[p.VPC]; here && !ids[p.VPC] {
			ids[p.VPC] = true
			list = append(list, other)
		}
	}
	return list
}

// remembered reports whether the namespaces of vpcs that exist have been seen.
func (m *Manager) remembered(vpcs []VPC) bool {
	for _, v := range vpcs {
		if _, ok := m.seen.spaces[nameVPC(v.ID)]; !ok {
			return false
		}
		for name := range v.services() {
			if _, ok := m.seen.spaces[name]; !ok {
				return false
			}
		}
	}
	return true
}

// Remove takes everything of the installation off the machine, also what an
// earlier process left.
func (m *Manager) Remove() error {
	_, err := m.clear()
	return err
}

// Clear is Remove for an installation of which nothing is known but its tag. It
// reports whether there was anything. dir, root and tag are those of Open.
func Clear(dir, root, tag string) (any bool, err error) {
	switch _, err := os.Stat(dir); {
	case err == nil:
		any = true
	case !errors.Is(err, os.ErrNotExist):
		return false, err
	}
	m := Manager{dir: dir, root: root, host: Host{Tag: tag}, rules: map[table]applied{},
		ruled: map[string]VPC{}, graves: map[string]map[netip.Addr]bool{}, begun: map[table]int{}}
	if err := m.look(); err != nil {
		return any, err
	}
	more, err := m.clear()
	return any || more, err
}

func (m *Manager) clear() (any bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.vpcs, m.rules, m.ruled = map[string]VPC{}, map[table]applied{}, map[string]VPC{}
	seen, err := m.observe(nil)
	if err != nil {
		return false, err
	}
	m.seen = seen
	s := m.session()
	defer s.close()
	steps := plan(map[string]space{"": {exists: true}}, seen.spaces, seen.files, true)
	err = s.do(steps)
	guarded := false
	for _, rules := range []firewall.Ruleset{firewall.RenderHost(m.host.firewall()), firewall.RenderHostIPv6(m.host.firewall())} {
		if rules.IPv6 && !m.ipv6 {
			continue
		}
		t := m.in(tableOf("", rules))
		tables, e := t.Tables()
		if slices.Contains(tables, rules.Table) {
			guarded = true
			e = errors.Join(e, t.Delete())
		}
		err = errors.Join(err, e)
	}
	return len(steps) > 0 || guarded, errors.Join(err, nft.Dismiss(m.root, m.owner()), m.close(), netns.Discard(m.dir))
}

func (m *Manager) reconcile(vpcs []VPC) (changed []string, err error) {
	m.vpcs = map[string]VPC{}
	vpcs = slices.Clone(vpcs)
	for i := range vpcs {
		if !m.ipv6 {
			vpcs[i] = vpcs[i].plain()
		}
		m.vpcs[vpcs[i].ID] = vpcs[i]
	}
	for id := range m.ruled {
		if _, stays := m.vpcs[id]; !stays {
			delete(m.ruled, id)
			delete(m.graves, id)
		}
	}
	seen, err := m.observe(vpcs)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(seen.spaces[""].others, m.host.Pool.Overlaps) {
		return nil, fmt.Errorf("network: another installation of this machine uses addresses of %s", m.host.Pool)
	}
	changed, err = m.setRules("", firewall.RenderHost(m.host.firewall()))
	if err != nil {
		return changed, err
	}
	admitted, aerr := nft.Admit(m.root, prefixGateways, m.owner())
	opened, err := m.open()
	if err = errors.Join(aerr, err); err != nil {
		return slices.Concat(changed, admitted, opened), err
	}
	more, err := m.level(seen, vpcs, true)
	return slices.Concat(changed, admitted, opened, more), err
}

// observe looks at the host and at VPCs. Other VPCs are left as remembered.
func (m *Manager) observe(vpcs []VPC) (seen memory, err error) {
	seen.spaces = map[string]space{}
	maps.Copy(seen.spaces, m.seen.spaces)
	if seen.files, err = m.files(); err != nil {
		return seen, err
	}
	sysctls := wantedHost(m.host, slices.Collect(maps.Values(m.vpcs)), space{}).sysctls
	if seen.spaces[""], err = m.observeHost(sysctls); err != nil {
		return seen, err
	}
	for _, name := range m.host.services() {
		if seen.spaces[name], err = observeSpace(m.path(name), sysctl.Service, false); err != nil {
			return seen, err
		}
	}
	for _, v := range vpcs {
		list := v.services()
		own := nameVPC(v.ID)
		list[own] = v.sysctls()
		for name, sysctls := range list {
			if seen.spaces[name], err = observeSpace(m.path(name), sysctls, name == own && len(v.IPv6) > 0); err != nil {
				return seen, err
			}
		}
	}
	return seen, nil
}

// level does what there is to do from what was seen to what is wanted of the host
// and of vpcs.
func (m *Manager) level(seen memory, vpcs []VPC, prune bool) (changed []string, err error) {
	want, rulesets := map[string]space{}, map[string][]firewall.Ruleset{}
	want[""] = wantedHost(m.host, slices.Collect(maps.Values(m.vpcs)), seen.spaces[""])
	maps.Copy(want, wantedServices(m.host))
	for _, name := range m.host.services() {
		rulesets[name] = []firewall.Ruleset{firewall.RenderService()}
	}
	for _, v := range vpcs {
		maps.Copy(want, wantedVPC(v, m.vpcs))
		maps.Copy(rulesets, v.rulesets(m.vpcs))
	}
	m.seen = seen
	steps := plan(want, seen.spaces, seen.files, prune)
	for _, x := range steps {
		changed = append(changed, x.String())
		if x.verb == createSpace { // which has no rules
			maps.DeleteFunc(m.rules, func(t table, _ applied) bool { return t.space == x.name })
		}
	}
	s := m.session()
	defer s.close()
	first := slices.IndexFunc(steps, func(x step) bool { return x.verb > createSpace })
	if first < 0 {
		first = len(steps)
	}
	// Rules come before the links they guard.
	changed, err = m.guard(changed, vpcs)
	err = errors.Join(err, s.do(steps[:first]))
	for _, v := range vpcs {
		did, ferr := m.setFlows(v, seen.spaces[nameVPC(v.ID)].exists)
		err = errors.Join(err, ferr)
		changed = append(changed, did...)
	}
	for _, name := range slices.Sorted(maps.Keys(rulesets)) {
		did, rerr := m.setRules(name, rulesets[name]...)
		err = errors.Join(err, rerr)
		changed = append(changed, did...)
	}
	for _, v := range vpcs {
		if err == nil {
			err = m.cut(v, seen.spaces[nameVPC(v.ID)].exists)
		}
		if err != nil { // so that it is tried again
			m.forget(nameVPC(v.ID))
		}
	}
	return changed, errors.Join(err, s.do(steps[first:]))
}

// guard makes the host's namespace judge packets of IPv6 as soon as a VPC has any.
func (m *Manager) guard(changed []string, vpcs []VPC) ([]string, error) {
	rules := firewall.RenderHostIPv6(m.host.firewall())
	_, known := m.rules[tableOf("", rules)]
	any := slices.ContainsFunc(vpcs, func(v VPC) bool { return len(v.IPv6) > 0 && (v.Gateway || v.EgressOnly) })
	if !m.host.Range.IsValid() || !any && !known {
		return changed, nil
	}
	did, err := m.setRules("", rules)
	return append(changed, did...), err
}

// forget makes the rules of a VPC's namespace be set anew.
func (m *Manager) forget(space string) {
	delete(m.rules, table{space, firewall.TableVPC, false})
	delete(m.rules, table{space, firewall.TableVPC, true})
}

// difference is what to change of sets of a table.
type difference struct {
	key     table
	ruleset firewall.Ruleset
	changes []firewall.Change
}

// differences are those that d makes, if the tables of v hold what they should.
func (m *Manager) differences(d delta, space string) (all []difference, ok bool) {
	before, after := d.before.policies(m.vpcs), d.after.policies(m.vpcs)
	for i := range before {
		key := table{space, firewall.TableVPC, before[i].IPv6}
		rules, known := m.rules[key]
		if !known {
			return nil, false
		}
		changes, ok := rules.ruleset.Delta(before[i], after[i])
		if !ok {
			return nil, false
		}
		if generation, err := m.in(key).Generation(); err != nil || generation != rules.generation {
			return nil, false
		}
		all = append(all, difference{key, rules.ruleset, changes})
	}
	return all, true
}

// quick is level for a VPC of which only tasks' interfaces come and go and groups
// change members. It looks at nothing else, and is not done if there is more to do.
func (m *Manager) quick(old, v VPC, concerned []VPC) (changed []string, done bool, err error) {
	space := nameVPC(v.ID)
	d, small := deltaOf(old, v)
	if len(concerned) > 1 || !small {
		return nil, false, nil
	}
	todo, ok := m.differences(d, space)
	if !ok {
		return nil, false, nil
	}
	steps := d.steps(m.host, m.vpcs, m.seen)
	first := slices.IndexFunc(steps, func(x step) bool { return x.verb > createSpace })
	if first < 0 {
		first = len(steps)
	}
	for _, x := range steps {
		changed = append(changed, x.String())
	}
	s := m.session()
	defer s.close()
	err = s.do(steps[:first])
	if d.flows() {
		did, ferr := m.setFlows(v, true)
		err = errors.Join(err, ferr)
		changed = append(changed, did...)
	}
	did, cerr := m.change(space, todo)
	changed, err = append(changed, did...), errors.Join(err, cerr)
	if err == nil {
		err = m.bury(v, d)
	}
	if err != nil {
		m.forget(space)
	}
	return changed, true, errors.Join(err, s.do(steps[first:]))
}

// change changes sets of the rulesets in force in a VPC's namespace.
func (m *Manager) change(space string, todo []difference) (changed []string, err error) {
	for _, x := range todo {
		if len(x.changes) == 0 {
			continue
		}
		changed = append(changed, fmt.Sprintf("%s: change sets of rules %s", space, x.key.name))
		if err := m.in(x.key).Change(x.changes); err != nil {
			return changed, err
		}
	}
	if changed == nil {
		return nil, nil
	}
	for _, x := range todo {
		// If anybody else changed rules meanwhile, this is not their generation.
		generation := m.rules[x.key].generation + uint32(len(changed))
		m.rules[x.key] = applied{ruleset: x.ruleset.With(x.changes), generation: generation}
	}
	return changed, nil
}

// files are the names of namespaces, true if they are mounted.
func (m *Manager) files() (map[string]bool, error) {
	names, err := netns.List(m.dir)
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	there := map[string]bool{}
	for _, n := range names {
		there[n] = netns.Mounted(m.path(n))
	}
	return there, err
}

// setRules makes each of list the content of its table in a namespace. Whether tables
// are still as they were left shows in the kernel's generation of rules; where others
// change it too, in the rules' handles.
func (m *Manager) setRules(space string, list ...firewall.Ruleset) (changed []string, err error) {
	generation, err := m.in(tableOf(space, list[0])).Generation()
	if err != nil {
		return nil, err
	}
	now := generation
	for _, r := range list {
		did, err := m.setTable(space, r, generation)
		if err != nil {
			return changed, err
		}
		changed = append(changed, did...)
	}
	if len(changed) > 0 {
		if now, err = m.in(tableOf(space, list[0])).Generation(); err != nil {
			m.forget(space)
			return changed, err
		}
	}
	for _, r := range list {
		x := m.rules[tableOf(space, r)]
		x.generation = now
		m.rules[tableOf(space, r)] = x
	}
	return changed, nil
}

// setTable makes r the content of its table, while the namespace's rules have the
// generation. The one after it is not noted yet.
func (m *Manager) setTable(space string, r firewall.Ruleset, generation uint32) (changed []string, err error) {
	key := tableOf(space, r)
	t := m.in(key)
	old, known := m.rules[key]
	intact := known && old.generation == generation
	shared := space == "" || r.Table != firewall.TableVPC
	if known && !intact && shared {
		handles, err := t.Handles()
		intact = err == nil && slices.Equal(handles, old.handles)
	}
	changes, elements := r.Diff(old.ruleset)
	what := "change sets of rules"
	switch {
	case intact && elements && changes == nil:
		return nil, nil
	case intact && elements:
		err = t.Change(changes)
	default:
		what, err = "replace rules", t.Replace(r)
		m.begun[key]++
	}
	delete(m.rules, key)
	if err != nil {
		return nil, err
	}
	now := applied{ruleset: r}
	if shared {
		if now.handles, err = t.Handles(); err != nil {
			return nil, err
		}
	}
	m.rules[key] = now
	return []string{fmt.Sprintf("%s: %s %s", cmp.Or(space, "host"), what, r.Table)}, nil
}

// open turns forwarding on for the uplinks, and confines those that had it off.
func (m *Manager) open() (changed []string, err error) {
	t := nft.Open(m.root, firewall.TableOpened)
	opened, _, err := t.Interfaces(firewall.SetOpened)
	if err != nil {
		return nil, err
	}
	for _, s := range m.rules[table{name: firewall.TableOpened}].ruleset.Sets { // should the table be deleted by hand
		for _, e := range s.Elements {
			opened = append(opened, e.Interface)
		}
	}
	var closed []string
	for _, u := range m.host.Uplinks {
		on, err := m.forwarding(u)
		if err != nil {
			return nil, err
		}
		if !on {
			closed = append(closed, u)
		}
	}
	confined := slices.Compact(slices.Sorted(slices.Values(append(opened, closed...))))
	if len(confined) == 0 {
		return nil, nil
	}
	if changed, err = m.setRules("", firewall.RenderOpened(prefixGateways+"*", confined)); err != nil {
		return nil, err
	}
	for _, u := range closed {
		if err := m.setForwarding(u, "1"); err != nil {
			return changed, err
		}
		changed = append(changed, "host: forward from "+u)
	}
	return changed, nil
}

// close undoes open, for the last installation of the machine.
func (m *Manager) close() error {
	t := nft.Open(m.root, firewall.TableOpened)
	tables, err := t.Tables()
	if err != nil || slices.ContainsFunc(tables, func(n string) bool { return strings.HasPrefix(n, firewall.TableOpened+"-") }) {
		return err
	}
	opened, ok, err := t.Interfaces(firewall.SetOpened)
	if err != nil || !ok {
		return err
	}
	for _, u := range opened {
		if err := kern.Ignore(m.setForwarding(u, "0"), unix.ENOENT); err != nil {
			return err
		}
	}
	return t.Delete()
}

func (m *Manager) forwarding(device string) (on bool, err error) {
	err = netns.Do(m.root, func() error {
		b, err := os.ReadFile(kern.SysctlPath(forwardingName(device)))
		on = strings.TrimSpace(string(b)) == "1"
		return err
	})
	return on, err
}

func (m *Manager) setForwarding(device, value string) error {
	return netns.Do(m.root, func() error { return os.WriteFile(kern.SysctlPath(forwardingName(device)), []byte(value), 0) })
}
