package edges

import (
	"time"

	"neargate/resource/network/insight"
	"neargate/store"
)

// Paths keeps paths by account, region, id.
var Paths = store.Table[insight.Path]{
	Name: "ec2/nip",
	Key:  func(p *insight.Path) []string { return []string{p.Account, p.Region, p.ID} },
}

// Names of the indexes of Analyses.
const (
	// AnalysesByPath: account, region, path.
	AnalysesByPath = "ec2/nia@path"
	// AnalysesByTime: account, region, time of the start.
	AnalysesByTime = "ec2/nia@time"
)

// Analyses keeps analyses by account, region, id.
var Analyses = store.Table[insight.Analysis]{
	Name: "ec2/nia",
	Key:  func(a *insight.Analysis) []string { return []string{a.Account, a.Region, a.ID} },
	Indexes: []store.Index[insight.Analysis]{
		{Name: AnalysesByPath, Keys: func(a *insight.Analysis) [][]string { return [][]string{{a.Account, a.Region, a.Path}} }},
		{Name: AnalysesByTime, Keys: func(a *insight.Analysis) [][]string {
			return [][]string{{a.Account, a.Region, a.StartedAt.UTC().Format(time.RFC3339)}}
		}},
	},
}

// sweep is how many old analyses a new one removes at most: more than it adds, so
// that they never pile up.
const sweep = 4

// StartAnalysis records an analysis and removes some that are older than one is kept.
func StartAnalysis(tx store.Tx, a *insight.Analysis) error {
	var old []insight.Analysis
	for o, err := range Analyses.ByPage(tx, AnalysesByTime, []string{a.Account, a.Region}, "", sweep) {
		if err != nil {
			return err
		}
		if a.StartedAt.Sub(o.StartedAt) > insight.Life {
			old = append(old, o)
		}
	}
	for i := range old {
		if err := Analyses.Delete(tx, a.Account, a.Region, old[i].ID); err != nil {
			return err
		}
	}
	return Analyses.Put(tx, a)
}
