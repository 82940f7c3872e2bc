package firewall

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// gatewayMTU is the largest packet that passes an internet gateway. Source:
// Amazon EC2 User Guide, Network maximum transmission unit.
const gatewayMTU = 1500

// TableVPC is the table in a namespace of an installation's own.
const TableVPC = "neargate"

// Names in a VPC's ruleset.
const (
	setAddresses   = "addresses" // device and address pairs that may send
	setRoutable    = "routable"  // device and address pairs that have a public address; of IPv6, all addresses
	mapStrangers   = "strangers" // devices that send from other addresses
	mapEdges       = "edges"     // devices that lead out of the VPC: nothing goes from one to another
	mapEgress      = "egress"
	mapIngress     = "ingress"
	mapACLOut      = "acl-out"
	mapACLIn       = "acl-in"
	mapPublic      = "public"   // of a private address
	mapPrivate     = "private"  // of a public address
	chainStranger  = "stranger" // what does not come from its interface's own addresses
	chainGateway   = "gateway"  // what comes from the internet gateway
	chainLeave     = "leave"    // what goes to the internet gateway
	chainAcross    = "across"   // what goes to a peer or a gateway endpoint
	prefixPeer     = "peer-"
	suffixOut      = "-out"
	suffixIn       = "-in"
	prefixUnion    = "any-"
	priorityACLOut = -20
	priorityOut    = -10
	priorityACLIn  = -3
	priorityIn     = 0
	priorityDNAT   = -100
	prioritySNAT   = 100
	sizeIPAndTCP   = 40
	sizeMoreIPv6   = 20
	unionHashSize  = 8
)

// Render is the ruleset of p. Equal policies have equal rulesets.
func Render(p Policy) Ruleset {
	p.Interfaces = slices.Clone(p.Interfaces)
	slices.SortFunc(p.Interfaces, func(a, b Interface) int { return strings.Compare(a.Name, b.Name) })
	r := Ruleset{IPv6: p.IPv6, Table: TableVPC, Sets: sets(p)}
	r.Chains = append(r.Chains, Chain{"input", &Hook{"filter", "input", 0, Drop}, inputRules(p)})
	if len(p.ACLs) > 0 {
		r.Chains = append(r.Chains,
			Chain{"leaving", &Hook{"filter", "forward", priorityACLOut, Accept}, []Rule{{Do: Statement{Op: LookupInput, Set: mapACLOut}}}},
			Chain{"entering", &Hook{"filter", "forward", priorityACLIn, Accept}, []Rule{{Do: Statement{Op: LookupOutput, Set: mapACLIn}}}})
	}
	r.Chains = append(r.Chains,
		Chain{"egress", &Hook{"filter", "forward", priorityOut, Drop}, []Rule{
			{[]Match{{Field: InputSource, Not: true, Set: setAddresses}}, Statement{Verdict: jump(chainStranger)}},
			established(), {Do: Statement{Op: LookupInput, Set: mapEgress}}}},
		Chain{"ingress", &Hook{"filter", "forward", priorityIn, Drop}, ingressRules(p)})
	if p.Gateway != "" && !p.IPv6 {
		r.Chains = append(r.Chains,
			Chain{"prerouting", &Hook{"nat", "prerouting", priorityDNAT, Accept}, []Rule{
				{[]Match{{Field: Input, Name: p.Gateway}}, Statement{Op: DNAT, Set: mapPrivate}}}},
			Chain{"postrouting", &Hook{"nat", "postrouting", prioritySNAT, Accept}, []Rule{
				{[]Match{{Field: Output, Name: p.Gateway}}, Statement{Op: SNAT, Set: mapPublic}}}})
	}
	r.Chains = append(r.Chains, edgeChains(p)...)
	r.Chains = append(r.Chains, unionChains(p)...)
	r.Chains = append(r.Chains, groupChains(p)...)
	r.Chains = append(r.Chains, aclChains(p)...)
	return r
}

// inputRules let interfaces reach the endpoints in the VPC's own namespace, and
// nothing else reach it.
func inputRules(p Policy) []Rule {
	if len(p.Endpoints) == 0 {
		return nil
	}
	rules := []Rule{{[]Match{{Field: InputSource, Not: true, Set: setAddresses}}, decide(Drop)}}
	for _, e := range p.Endpoints {
		rules = append(rules, Rule{[]Match{
			{Field: Destination, Prefix: netip.PrefixFrom(e.Address, e.Address.BitLen())},
			{Field: Protocol, Min: e.Protocol, Max: e.Protocol},
			{Field: DestinationPort, Min: e.Port, Max: e.Port},
		}, decide(Accept)})
	}
	return rules
}

func ingressRules(p Policy) []Rule {
	var rules []Rule
	size := gatewayMTU - sizeIPAndTCP
	if p.IPv6 {
		size -= sizeMoreIPv6
	}
	for _, device := range []string{p.Gateway, p.EgressOnly} {
		if device != "" {
			rules = append(rules, Rule{
				[]Match{{Field: Output, Name: device}, {Field: Protocol, Min: protocolTCP, Max: protocolTCP}, {Field: Syn}},
				Statement{Op: ClampMSS, Size: size}})
		}
	}
	if p.EgressOnly != "" { // what was opened from outside gets no answer this way
		rules = append(rules, Rule{[]Match{{Field: Output, Name: p.EgressOnly}, {Field: Reply}}, decide(Drop)})
	}
	return append(rules, established(), Rule{Do: Statement{Op: LookupOutput, Set: mapIngress}})
}

// edgeChains judge what comes and goes by other devices than interfaces. A
// stranger chain returns when the source is right.
func edgeChains(p Policy) []Chain {
	chains := []Chain{{Name: chainStranger, Rules: []Rule{{Do: Statement{Op: LookupInput, Set: mapStrangers}}, {Do: decide(Drop)}}}}
	if p.Gateway != "" || p.EgressOnly != "" {
		from := InputSource
		if p.IPv6 { // whoever sends it: an appliance may, for who is behind it
			from = Source
		}
		own := Chain{Name: chainGateway}
		for _, c := range p.CIDRs {
			own.Rules = append(own.Rules, Rule{[]Match{{Field: Source, Prefix: c}}, decide(Drop)})
		}
		chains = append(chains, own, Chain{Name: chainLeave, Rules: []Rule{
			{[]Match{{Field: from, Set: setRoutable}}, decide(Accept)}}})
	}
	if len(p.Peers) > 0 || len(p.Services) > 0 {
		chains = append(chains, Chain{Name: chainAcross, Rules: []Rule{
			{Do: Statement{Op: LookupInput, Set: mapEdges}}, {Do: decide(Accept)}}})
	}
	for _, peer := range p.Peers {
		c := Chain{Name: prefixPeer + peer.Name}
		for _, cidr := range peer.CIDRs {
			c.Rules = append(c.Rules, Rule{[]Match{{Field: Source, Prefix: cidr}}, decide(Return)})
		}
		c.Rules = append(c.Rules, Rule{Do: decide(Drop)})
		chains = append(chains, c)
	}
	return chains
}

func established() Rule { return Rule{[]Match{{Field: Established}}, decide(Accept)} }

func decide(c Code) Statement { return Statement{Verdict: Verdict{Code: c}} }

func jump(chain string) Verdict { return Verdict{Jump, chain} }

func to(chain string) Verdict { return Verdict{Goto, chain} }

func sets(p Policy) []Set {
	var addresses, egress, ingress, strangers, edges, aclOut, aclIn, public, private, routable []Element
	verdict := func(list *[]Element, device string, v Verdict) {
		*list = append(*list, Element{Interface: device, Verdict: v})
	}
	for _, i := range p.Interfaces {
		for _, a := range i.Addresses {
			addresses = append(addresses, Element{Interface: i.Name, Address: a})
			if p.IPv6 {
				routable = append(routable, Element{Address: a})
			}
		}
		if i.Forwards {
			verdict(&strangers, i.Name, Verdict{Code: Return})
		}
		switch {
		case i.Open:
			verdict(&egress, i.Name, Verdict{Code: Accept})
			verdict(&ingress, i.Name, Verdict{Code: Accept})
		case len(i.Groups) > 0:
			name := unionName(i.Groups)
			verdict(&egress, i.Name, jump(name+suffixOut))
			verdict(&ingress, i.Name, jump(name+suffixIn))
		}
		if i.ACL != "" {
			name := aclName(&i)
			verdict(&aclOut, i.Name, jump(name+suffixOut))
			verdict(&aclIn, i.Name, jump(name+suffixIn))
		}
		for _, m := range i.mappings() {
			public = append(public, Element{Address: m.Private, To: m.Public})
			private = append(private, Element{Address: m.Public, To: m.Private})
			routable = append(routable, Element{Interface: i.Name, Address: m.Private})
		}
	}
	if p.Gateway != "" {
		verdict(&strangers, p.Gateway, to(chainGateway))
		verdict(&egress, p.Gateway, Verdict{Code: Accept})
		verdict(&ingress, p.Gateway, jump(chainLeave))
		verdict(&edges, p.Gateway, Verdict{Code: Drop})
	}
	if p.EgressOnly != "" { // which lets nothing begin from outside: no way out of egress
		verdict(&strangers, p.EgressOnly, to(chainGateway))
		verdict(&ingress, p.EgressOnly, jump(chainLeave))
		verdict(&edges, p.EgressOnly, Verdict{Code: Drop})
	}
	for _, peer := range p.Peers {
		verdict(&strangers, peer.Name, to(prefixPeer+peer.Name))
		verdict(&egress, peer.Name, Verdict{Code: Accept})
		verdict(&ingress, peer.Name, jump(chainAcross))
		verdict(&edges, peer.Name, Verdict{Code: Drop})
	}
	for _, s := range p.Services { // which begin nothing: no way out of egress
		verdict(&strangers, s, Verdict{Code: Return})
		verdict(&ingress, s, jump(chainAcross))
	}
	list := []Set{newSet(setAddresses, InterfaceAddresses, addresses), newSet(mapStrangers, Verdicts, strangers),
		newSet(mapEgress, Verdicts, egress), newSet(mapIngress, Verdicts, ingress), newSet(mapEdges, Verdicts, edges)}
	if len(p.ACLs) > 0 {
		list = append(list, newSet(mapACLOut, Verdicts, aclOut), newSet(mapACLIn, Verdicts, aclIn))
	}
	switch {
	case p.IPv6 && (p.Gateway != "" || p.EgressOnly != ""):
		list = append(list, newSet(setRoutable, Addresses, routable))
	case p.Gateway != "":
		list = append(list, newSet(mapPublic, Translations, public), newSet(mapPrivate, Translations, private),
			newSet(setRoutable, InterfaceAddresses, routable))
	}
	for _, id := range references(p) {
		var members []Element
		for _, a := range p.group(id).Members {
			members = append(members, Element{Address: a})
		}
		list = append(list, newSet(id, Addresses, members))
	}
	return list
}

// used returns the ids of the groups that interfaces carry.
func used(p Policy) []string {
	var ids []string
	for _, i := range p.carriers() {
		if !i.Open {
			ids = append(ids, i.Groups...)
		}
	}
	return unique(ids)
}

// references returns the ids of the groups that used groups refer to.
func references(p Policy) []string {
	var ids []string
	for _, id := range used(p) {
		for _, perm := range p.group(id).Permissions {
			if perm.Peer != "" {
				ids = append(ids, perm.Peer)
			}
		}
	}
	return unique(ids)
}

func unique(ids []string) []string {
	slices.Sort(ids)
	return slices.Compact(ids)
}

// unionName names the chains that judge by all of groups: the chains of the
// group if it is one.
func unionName(groups []string) string {
	ids := unique(slices.Clone(groups))
	if len(ids) == 1 {
		return ids[0]
	}
	h := sha256.Sum256([]byte(strings.Join(ids, " ")))
	return prefixUnion + hex.EncodeToString(h[:unionHashSize])
}

func unionChains(p Policy) []Chain {
	unions := map[string][]string{}
	var names []string
	for _, i := range p.carriers() {
		if ids := unique(slices.Clone(i.Groups)); len(ids) > 1 && !i.Open {
			name := unionName(ids)
			unions[name] = ids
			names = append(names, name)
		}
	}
	var chains []Chain
	for _, name := range unique(names) {
		for _, suffix := range []string{suffixOut, suffixIn} {
			var rules []Rule
			for _, id := range unions[name] {
				rules = append(rules, Rule{Do: Statement{Verdict: jump(id + suffix)}})
			}
			chains = append(chains, Chain{Name: name + suffix, Rules: rules})
		}
	}
	return chains
}

func groupChains(p Policy) []Chain {
	var chains []Chain
	for _, id := range used(p) {
		out, in := Chain{Name: id + suffixOut}, Chain{Name: id + suffixIn}
		for _, perm := range p.group(id).Permissions {
			t, ok := p.trafficOf(perm)
			switch {
			case ok && perm.Egress:
				out.Rules = append(out.Rules, Rule{t.matches(Destination), decide(Accept)})
			case ok:
				in.Rules = append(in.Rules, Rule{t.matches(Source), decide(Accept)})
			}
		}
		chains = append(chains, out, in)
	}
	return chains
}

// aclName names the chains of i's ACL for i's subnet.
func aclName(i *Interface) string {
	return i.ACL + "-" + strings.NewReplacer("/", "_", ":", "_").Replace(i.Subnet.String())
}

func aclChains(p Policy) []Chain {
	guarded := map[string]Interface{}
	for _, i := range p.carriers() {
		if i.ACL != "" {
			guarded[aclName(&i)] = i
		}
	}
	var chains []Chain
	for _, name := range slices.Sorted(maps.Keys(guarded)) {
		i, acl := guarded[name], ACL{}
		if n := slices.IndexFunc(p.ACLs, func(a ACL) bool { return a.ID == i.ACL }); n >= 0 {
			acl = p.ACLs[n]
		}
		chains = append(chains, p.aclChain(name+suffixOut, acl, true, i.Subnet), p.aclChain(name+suffixIn, acl, false, i.Subnet))
	}
	return chains
}

func (p *Policy) aclChain(name string, acl ACL, egress bool, subnet netip.Prefix) Chain {
	peer := Source
	if egress {
		peer = Destination
	}
	c := Chain{Name: name, Rules: []Rule{{[]Match{{Field: peer, Prefix: subnet}}, decide(Return)}}}
	for _, e := range sortedEntries(acl) {
		t, ok := p.trafficOfEntry(e)
		if !ok || e.Egress != egress {
			continue
		}
		verdict := Drop
		if e.Action == "allow" {
			verdict = Return
		}
		c.Rules = append(c.Rules, Rule{t.matches(peer), decide(verdict)})
	}
	c.Rules = append(c.Rules, Rule{Do: decide(Drop)})
	return c
}

// matches are the conditions of t, whose peer is the packet's peer field.
func (t traffic) matches(peer Field) []Match {
	var m []Match
	switch {
	case t.group != "":
		m = append(m, Match{Field: peer, Set: t.group})
	case t.peer.Bits() > 0:
		m = append(m, Match{Field: peer, Prefix: t.peer})
	}
	if t.protocol < 0 {
		return m
	}
	m = append(m, Match{Field: Protocol, Min: t.protocol, Max: t.protocol})
	switch {
	case t.ports():
		m = append(m, Match{Field: DestinationPort, Min: t.from, Max: t.to})
	case t.typed() && t.from >= 0:
		m = append(m, Match{Field: ICMPType, Min: t.from, Max: t.from})
		if t.to >= 0 {
			m = append(m, Match{Field: ICMPCode, Min: t.to, Max: t.to})
		}
	}
	return m
}
