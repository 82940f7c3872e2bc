package network

import "strings"

// memory is what was observed, with what was done since. It spares the look at a
// VPC for each change; a look makes up for what others do.
type memory struct {
	spaces map[string]space // the host's and those of VPCs, their gateways and endpoints
	files  map[string]bool  // of namespaces, true if mounted
}

// note remembers that x was done. It reports false for steps with consequences
// that are better looked at.
func (m memory) note(x step) bool {
	s := m.spaces[x.space]
	switch x.verb {
	case createSpace:
		m.files[x.name] = true
		return m.task(x.name)
	case deleteSpace:
		delete(m.files, x.name)
		delete(m.spaces, x.name)
		for _, s := range m.spaces {
			delete(s.links, x.name)
		}
		return m.task(x.name)
	case addLink:
		s.links[x.name] = link{up: true}
		far, seen := m.spaces[x.link.peer.space]
		if seen && !x.link.peer.address.IsValid() {
			far.ends[x.link.peer.device] = true
		}
		if seen && strings.HasPrefix(x.name, prefixPeer) {
			far.links[x.link.peer.device] = link{up: true}
		}
		return x.space != ""
	case setRoute:
		s.routes[x.to] = x.hop
	case deleteRoute:
		delete(s.routes, x.to)
	case addRule:
		s.rules[x.rule] = true
	case deleteRule:
		delete(s.rules, x.rule)
	case addAddress, giveAddress:
		s.addresses[x.address] = true
	case deleteAddress:
		delete(s.addresses, x.address)
	case setNeighbour:
		s.neighbours[x.address] = x.value
	case deleteNeighbour:
		delete(s.neighbours, x.address)
	default:
		return false
	}
	return true
}

// task reports whether a namespace is a task's.
func (m memory) task(name string) bool { return name[0] == prefixTask[0] }
