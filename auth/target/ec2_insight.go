package target

import (
	"neargate/arn"
	"neargate/auth/target/tagged"
	"neargate/resource/identity"
	"neargate/store/tables/edges"
)

// insightResources are those of Reachability Analyzer's operations.
var insightResources = merge(
	each(func(in Input) []string { return in.ec2("network-insights-path", nil, "*") }, "CreateNetworkInsightsPath"),
	each(func(in Input) []string { return in.ec2("network-insights-path", nil, in.text("NetworkInsightsPathId")) }, "DeleteNetworkInsightsPath"),
	each(func(in Input) []string {
		return append(in.ec2("network-insights-path", nil, in.text("NetworkInsightsPathId")), in.ec2("network-insights-analysis", nil, "*")...)
	}, "StartNetworkInsightsAnalysis"),
	each(func(in Input) []string {
		return in.ec2("network-insights-analysis", nil, in.text("NetworkInsightsAnalysisId"))
	}, "DeleteNetworkInsightsAnalysis"),
)

// insightTags are the tags of paths and analyses, by the prefix of their ids.
func (in Input) insightTags(a arn.ARN, prefix, id string) ([]identity.Tag, error) {
	switch prefix {
	case "nip":
		r, _, err := edges.Paths.Find(in.Tx, a.Account, a.Region, id)
		return tagged.Of(r.Tags), err
	case "nia":
		r, _, err := edges.Analyses.Find(in.Tx, a.Account, a.Region, id)
		return tagged.Of(r.Tags), err
	}
	return nil, nil
}
