package ec2

import (
	"neargate/arn"
	"neargate/auth/operation"
	"neargate/resource/identity"
	"neargate/store/tables/insights"
)

// insightResources are those of Reachability Analyzer's operations.
var insightResources = operation.Merge(
	operation.Each(func(in Request) []string { return in.arns("network-insights-path", nil, "*") }, "CreateNetworkInsightsPath"),
	operation.Each(func(in Request) []string {
		return in.arns("network-insights-path", nil, in.text("NetworkInsightsPathId"))
	}, "DeleteNetworkInsightsPath"),
	operation.Each(func(in Request) []string {
		return append(in.arns("network-insights-path", nil, in.text("NetworkInsightsPathId")), in.arns("network-insights-analysis", nil, "*")...)
	}, "StartNetworkInsightsAnalysis"),
	operation.Each(func(in Request) []string {
		return in.arns("network-insights-analysis", nil, in.text("NetworkInsightsAnalysisId"))
	}, "DeleteNetworkInsightsAnalysis"),
)

// insightTags are the tags of paths and analyses, by the prefix of their ids.
func (in Request) insightTags(a arn.ARN, prefix, id string) ([]identity.Tag, error) {
	switch prefix {
	case "nip":
		r, _, err := insights.Paths.Find(in.Tx, a.Account, a.Region, id)
		return operation.Tags(r.Tags), err
	case "nia":
		r, _, err := insights.Analyses.Find(in.Tx, a.Account, a.Region, id)
		return operation.Tags(r.Tags), err
	}
	return nil, nil
}
