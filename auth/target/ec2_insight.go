package target

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
