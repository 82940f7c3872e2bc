package deploy

import (
	"fmt"
	"slices"
	"strings"

	"neargate/resource/compute"
	"neargate/resource/compute/launch"
)

// startSome starts n tasks of the primary deployment and returns how many it
// could: over the capacity providers as their weights say and over the zones
// evenly, or on the container instances with the fewest tasks.
func (p *planner) startSome(n int) int {
	if d := p.primary(); d.LaunchType != compute.Fargate && len(d.Strategy) == 0 {
		return p.startOnInstances(n)
	}
	providers := map[string]int{}
	for _, g := range p.Groups {
		if live(g) && p.isPrimary(g) {
			providers[g.Provider] += g.Count
		}
	}
	zones := p.zones()
	for range n {
		at := Spot{Provider: compute.NextProvider(p.primary().Strategy, providers), Subnet: p.subnet(zones)}
		providers[at.Provider]++
		zones[at.Subnet.Zone]++
		p.start(at)
	}
	return n
}

func (p *planner) startOnInstances(n int) int {
	if len(p.Instances) == 0 {
		p.repeat("(service %s) was unable to place a task because no container instance met all of its requirements. Reason: No Container Instances were found in your cluster.", p.Service.Name)
		return 0
	}
	instances, zones := slices.Clone(p.Instances), p.zones()
	for range n {
		least := 0
		for i := range instances {
			if instances[i].Tasks < instances[least].Tasks {
				least = i
			}
		}
		instances[least].Tasks++
		p.start(Spot{Instance: instances[least].ID, Subnet: p.subnet(zones)})
	}
	return n
}

// zones counts the primary deployment's live tasks by zone.
func (p *planner) zones() map[string]int {
	zones := map[string]int{}
	for _, g := range p.Groups {
		if live(g) && p.isPrimary(g) {
			zones[g.Zone] += g.Count
		}
	}
	return zones
}

// subnet picks the subnet of the next task, away from zones without capacity.
func (p *planner) subnet(zones map[string]int) launch.Subnet {
	full := func(zone string) bool { return slices.Contains(p.Service.Backoff.Full, zone) }
	turn := 0
	for _, n := range zones {
		turn += n
	}
	return launch.Pick(p.Subnets, zones, full, turn)
}

// uneven is how many tasks the fullest zone of the service's subnets has more
// than the emptiest.
func (p *planner) uneven(zones map[string]int) int {
	if len(p.Subnets) == 0 {
		return 0
	}
	low, high := zones[p.Subnets[0].Zone], 0
	for _, s := range p.Subnets {
		low, high = min(low, zones[s.Zone]), max(high, zones[s.Zone])
	}
	return high - low
}

// rebalance starts one task in the emptiest zone of a service that has all its
// tasks but unevenly; once it runs, stopSurplus takes one from the fullest.
// Source: Amazon ECS developer guide, "Balancing a service across Availability Zones".
func (p *planner) rebalance(upper int) {
	d := p.Service.Desired
	zones := p.zones()
	if p.Service.Rebalancing != "ENABLED" || len(p.Service.Deployments) > 1 || len(p.starts)+len(p.stops) > 0 ||
		p.count(func(Group) bool { return true }) != d || upper <= d || p.uneven(zones) < 2 || len(p.IDs) == 0 ||
		p.count(func(g Group) bool { return g.Phase == compute.PhaseRunning }) != d || len(p.Service.Backoff.Full) > 0 || !p.mayStart() {
		return
	}
	p.repeat("%s with %s. AZ Rebalancing in progress.", p.unbalanced(), zoneList(p.Subnets, zones))
	p.balances = p.subnet(zones).Zone
	p.startSome(1)
}

func (p *planner) unbalanced() string {
	return "(service " + p.Service.Name + ") is not AZ balanced"
}

// rebalancing reports whether the last thing the service said is that its zones
// are being evened out.
func (p *planner) rebalancing() bool { return strings.HasPrefix(p.Service.LastEvent, p.unbalanced()) }

// balancing reports whether the one task on its way is there to even out the
// zones: without it they would be uneven.
func (p *planner) balancing(zones map[string]int) bool {
	if p.Service.Rebalancing != "ENABLED" {
		return false
	}
	zone, coming := "", 0
	for _, g := range p.Groups {
		if p.isPrimary(g) && (g.Phase == compute.PhaseStarting || g.Phase == compute.PhaseWarming) {
			zone, coming = g.Zone, coming+g.Count
		}
	}
	if coming != 1 {
		return false
	}
	zones[zone]--
	defer func() { zones[zone]++ }()
	return p.uneven(zones) >= 2
}

func zoneList(subnets []launch.Subnet, zones map[string]int) string {
	var names []string
	for _, s := range subnets {
		names = append(names, s.Zone)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	for i, z := range names {
		names[i] = fmt.Sprintf("%d tasks in %s", zones[z], z)
	}
	return strings.Join(names, ", ")
}
