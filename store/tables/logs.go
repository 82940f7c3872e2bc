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

// MetricFilters keeps metric filters by account, region, group, name.
var MetricFilters = store.Table[logs.MetricFilter]{
	Name: "logs/metricfilter",
	Key:  func(f *logs.MetricFilter) []string { return []string{f.Account, f.Region, f.Group, f.Name} },
}

// QueryDefinitions keeps saved Logs Insights queries by account, region, id.
var QueryDefinitions = store.Table[logs.QueryDefinition]{
	Name: "logs/querydefinition",
	Key:  func(q *logs.QueryDefinition) []string { return []string{q.Account, q.Region, q.ID} },
}
