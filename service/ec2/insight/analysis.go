package insight

import (
	"context"
	"strings"

	wire "neargate/aws/ec2"
	"neargate/resource/network/insight"
	"neargate/resource/network/path"
	"neargate/service/ec2/internal/admit"
	"neargate/service/ec2/internal/call"
	"neargate/service/ec2/internal/filter"
	"neargate/service/ec2/internal/tag"
	"neargate/store"
	"neargate/store/tables/edges"
	"neargate/store/tables/networks"
	"neargate/wire/shape"
)

// maxAnalyses is how many analyses an account may have in a region. Source: Amazon
// VPC Reachability Analyzer guide, Quotas.
const maxAnalyses = 10_000

// Statuses of an analysis. One is made while it is asked for, and only the answer
// to that shows it running, as AWS's does.
const (
	statusRunning   = "running"
	statusSucceeded = "succeeded"
)

// StartNetworkInsightsAnalysis analyzes a path in the networks as they are stored.
func (s *Handler) StartNetworkInsightsAnalysis(ctx context.Context, in *wire.StartNetworkInsightsAnalysisInput) (*wire.StartNetworkInsightsAnalysisOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	a := insight.Analysis{Path: call.Val(in.NetworkInsightsPathId), FilterIn: in.FilterInArns, FilterOut: in.FilterOutArns, StartedAt: s.Deps.Now()}
	if a.Path == "" {
		return nil, call.Missing("networkInsightsPathId")
	}
	for name, list := range map[string][]string{"filterInArn": in.FilterInArns, "filterOutArn": in.FilterOutArns} {
		if len(list) > 1 {
			return nil, call.Invalid("The parameter %s can have one value only.", name)
		}
	}
	var err error
	if a.Tags, err = tag.Specified(in.TagSpecifications, call.InsightsAnalyses.Type); err != nil {
		return nil, err
	}
	creation, err := call.CreationOf(in.ClientToken, "StartNetworkInsightsAnalysis", a.StartedAt, a.Path, a.FilterIn, a.FilterOut)
	if err != nil {
		return nil, err
	}
	a.ID = s.Deps.IDs.EC2(call.InsightsAnalyses.Prefix)
	started := &a
	err = s.Update(ctx, func(sc call.Scope) error {
		old, tags, found, err := call.Replayed(sc, creation, call.InsightsAnalyses)
		if err != nil {
			return err
		}
		if found {
			old.Tags = tags
			started = &old
			return nil
		}
		started = &a
		p, err := call.InsightsPaths.Get(sc, a.Path)
		if err != nil {
			return err
		}
		a.Account, a.Region = sc.Tenant()
		if sc.Tx.Count(store.Prefix(edges.Analyses.Name, a.Account, a.Region)) >= maxAnalyses {
			return shape.Errorf("NetworkInsightsAnalysis.LimitExceeded", "The maximum number of network insights analyses has been reached.")
		}
		if err := s.analyze(sc, &p, &a); err != nil {
			return err
		}
		if err := edges.StartAnalysis(sc.Tx, &a); err != nil {
			return err
		}
		return creation.Remember(sc, a.ID, a.Tags)
	})
	if err != nil {
		return nil, err
	}
	return &wire.StartNetworkInsightsAnalysisOutput{NetworkInsightsAnalysis: &wire.NetworkInsightsAnalysis{
		NetworkInsightsAnalysisId: &started.ID, NetworkInsightsAnalysisArn: new(started.ARN()), NetworkInsightsPathId: &started.Path,
		FilterInArns: started.FilterIn, FilterOutArns: started.FilterOut, StartDate: &started.StartedAt, Status: new(statusRunning),
		Tags: tag.Listed(started.Tags),
	}}, nil
}

// analyze fills in the analysis of p.
func (s *Handler) analyze(sc call.Scope, p *insight.Path, a *insight.Analysis) error {
	n, err := networks.Load(sc.Tx, s.PublicRange(), a.Account, a.Region)
	if err != nil {
		return err
	}
	q := p.Query(strings.HasPrefix(p.Source, call.InternetGateways.Prefix+"-"))
	q.Pass, q.Avoid = named(a.FilterIn), named(a.FilterOut)
	a.Result = path.Find(&n, q)
	return nil
}

// named is the id at the end of the ARN in a list of at most one.
func named(arns []string) string {
	if len(arns) == 0 {
		return ""
	}
	return arns[0][strings.LastIndex(arns[0], "/")+1:]
}

// kept reports whether an analysis is not yet so old that it is gone.
func (s *Handler) kept(a *insight.Analysis) bool {
	return s.Deps.Now().Sub(a.StartedAt) <= insight.Life
}

// DeleteNetworkInsightsAnalysis deletes an analysis.
func (s *Handler) DeleteNetworkInsightsAnalysis(ctx context.Context, in *wire.DeleteNetworkInsightsAnalysisInput) (*wire.DeleteNetworkInsightsAnalysisOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	id := call.Val(in.NetworkInsightsAnalysisId)
	if id == "" {
		return nil, call.Missing("networkInsightsAnalysisId")
	}
	err := s.Update(ctx, func(sc call.Scope) error {
		a, err := call.InsightsAnalyses.Get(sc, id)
		if err != nil {
			return err
		}
		return edges.Analyses.Delete(sc.Tx, a.Account, a.Region, id)
	})
	if err != nil {
		return nil, err
	}
	return &wire.DeleteNetworkInsightsAnalysisOutput{NetworkInsightsAnalysisId: &id}, nil
}

var describeAnalyses = call.Listing[insight.Analysis, wire.NetworkInsightsAnalysis]{
	Op: "DescribeNetworkInsightsAnalyses", Kind: call.InsightsAnalyses, IDs: "NetworkInsightsAnalysisIds", Render: renderAnalysis, Small: true,
	Filters: filter.Set{Tags: "Tags", Fields: map[string]string{"path-found": "NetworkPathFound", "status": "Status"}},
}

// DescribeNetworkInsightsAnalyses lists analyses.
func (s *Handler) DescribeNetworkInsightsAnalyses(ctx context.Context, in *wire.DescribeNetworkInsightsAnalysesInput) (*wire.DescribeNetworkInsightsAnalysesOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	of := call.Val(in.NetworkInsightsPathId)
	if of != "" {
		if err := s.View(ctx, func(sc call.Scope) error { _, err := call.InsightsPaths.Get(sc, of); return err }); err != nil {
			return nil, err
		}
	}
	l := describeAnalyses
	l.Keep = func(a *insight.Analysis) bool {
		return s.kept(a) && (of == "" || a.Path == of) && (in.AnalysisStartTime == nil || !a.StartedAt.Before(*in.AnalysisStartTime)) &&
			(in.AnalysisEndTime == nil || !a.StartedAt.After(*in.AnalysisEndTime))
	}
	out, next, err := l.Run(ctx, s.Env, call.Page(in.NetworkInsightsAnalysisIds, in.Filters, in.MaxResults, in.NextToken))
	return &wire.DescribeNetworkInsightsAnalysesOutput{NetworkInsightsAnalyses: out, NextToken: next}, err
}
