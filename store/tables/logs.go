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

// LogStreamsByEvent indexes log streams by account, region, group, stamp of the
// last event; streams without events come first.
const LogStreamsByEvent = "logs/stream@event"

// LogStreams keeps log streams by account, region, group, name.
var LogStreams = store.Table[logs.Stream]{
	Name: "logs/stream",
	Key:  func(s *logs.Stream) []string { return []string{s.Account, s.Region, s.Group, s.Name} },
	Indexes: []store.Index[logs.Stream]{
		{Name: LogStreamsByEvent, Keys: func(s *logs.Stream) [][]string {
			return [][]string{{s.Account, s.Region, s.Group, Stamp(s.LastEvent)}}
		}},
	},
}
