package call

import (
	"neargate/resource/network"
	"neargate/resource/network/insight"
	"neargate/store/tables/edges"
)

// Kinds of resource of Reachability Analyzer.
var (
	InsightsPaths = Kind[insight.Path]{
		Table: edges.Paths, Prefix: "nip", Type: "network-insights-path",
		NotFound: "InvalidNetworkInsightsPathId.NotFound", Absent: "The network insights path ID '%s' does not exist",
		ID:   func(r *insight.Path) string { return r.ID },
		Tags: func(r *insight.Path) *[]network.Tag { return &r.Tags },
	}
	InsightsAnalyses = Kind[insight.Analysis]{
		Table: edges.Analyses, Prefix: "nia", Type: "network-insights-analysis",
		NotFound: "InvalidNetworkInsightsAnalysisId.NotFound", Absent: "The network insights analysis ID '%s' does not exist",
		ID:   func(r *insight.Analysis) string { return r.ID },
		Tags: func(r *insight.Analysis) *[]network.Tag { return &r.Tags },
	}
)
