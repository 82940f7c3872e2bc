package launch

// Subnet is a subnet and its availability zone.
type Subnet struct{ ID, Zone string }

// Pick chooses the subnet of a new task: in the zone with the fewest tasks, among
// those that are not shunned unless all are, and there by the turn, any number.
// The zones of subnets named earlier win ties. It returns the zero Subnet when
// there are none.
func Pick(subnets []Subnet, have map[string]int, shun func(zone string) bool, turn int) Subnet {
	var open []Subnet
	for _, s := range subnets {
		if !shun(s.Zone) {
			open = append(open, s)
		}
	}
	if len(open) == 0 {
		open = subnets
	}
	if len(open) == 0 {
		return Subnet{}
	}
	zone := open[0].Zone
	for _, s := range open {
		if have[s.Zone] < have[zone] {
			zone = s.Zone
		}
	}
	var in []Subnet
	for _, s := range open {
		if s.Zone == zone {
			in = append(in, s)
		}
	}
	return in[turn%len(in)]
}
