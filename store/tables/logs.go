package tables

import (
	"neargate/resource/logs"
	"neargate/store"
)

// LogGroups keeps log groups by account, region, name.
var LogGroups = store.Table[logs.Group]{
	Name: "logs/group",
	Key:  func(g *logs.Group) []string { return []string{g.Account, g.Region, g.Name} },
}

// LogStreams keeps log streams by account, region, group, name.
var LogStreams = store.Table[logs.Stream]{
	Name: "logs/stream",
	Key:  func(s *logs.Stream) []string { return []string{s.Account, s.Region, s.Group, s.Name} },
}
