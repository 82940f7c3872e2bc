package tables

import (
	"fmt"
	"time"

	"neargate/resource/logs"
	"neargate/store"
)

// LogGroups keeps log groups by account, region, name.
var LogGroups = store.Table[logs.Group]{
	Name: "logs/group",
	Key:  func(g *logs.Group) []string { return []string{g.Account, g.Region, g.Name} },
}

// LogStreamsByEvent indexes log streams by account, region, group, time of the
// last event, latest first; streams without events come last.
const LogStreamsByEvent = "logs/stream@event"

// LogStreams keeps log streams by account, region, group, name.
var LogStreams = store.Table[logs.Stream]{
	Name: "logs/stream",
	Key:  func(s *logs.Stream) []string { return []string{s.Account, s.Region, s.Group, s.Name} },
	Indexes: []store.Index[logs.Stream]{
		{Name: LogStreamsByEvent, Keys: func(s *logs.Stream) [][]string {
			return [][]string{{s.Account, s.Region, s.Group, latestFirst(s.LastEvent)}}
		}},
	},
}

// latestFirst prints a time in milliseconds as a key segment that sorts in
// reverse; the zero time sorts last.
func latestFirst(t time.Time) string {
	ms := int64(0)
	if !t.IsZero() {
		ms = t.UnixMilli()
	}
	return fmt.Sprintf("%016d", 9999999999999999-ms)
}
