package insight

import (
	"context"
	"net/netip"
	"strings"

	"neargate/arn"
	wire "neargate/aws/ec2"
	"neargate/resource/network/insight"
	"neargate/resource/network/path"
	"neargate/service/ec2/internal/admit"
	"neargate/service/ec2/internal/call"
	"neargate/service/ec2/internal/filter"
	"neargate/service/ec2/internal/tag"
	"neargate/store"
	"neargate/store/tables"
	"neargate/store/tables/edges"
	"neargate/wire/shape"
)

// maxPaths is how many paths an account may have in a region. Source: Amazon VPC
// Reachability Analyzer guide, Quotas.
const maxPaths = 100

// CreateNetworkInsightsPath records a question about a source and a destination.
func (s *Handler) CreateNetworkInsightsPath(ctx context.Context, in *wire.CreateNetworkInsightsPathInput) (*wire.CreateNetworkInsightsPathOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	p, err := asked(in)
	if err != nil {
		return nil, err
	}
	if p.Tags, err = tag.Specified(in.TagSpecifications, call.InsightsPaths.Type); err != nil {
		return nil, err
	}
	creation, err := call.CreationOf(in.ClientToken, "CreateNetworkInsightsPath", s.Deps.Now(), p.Source, p.Destination, p.Protocol,
		p.SourceIP, p.DestinationIP, p.DestinationPort, p.AtSource, p.AtDestination)
	if err != nil {
		return nil, err
	}
	p.ID, p.CreatedAt = s.Deps.IDs.EC2(call.InsightsPaths.Prefix), s.Deps.Now()
	var out wire.NetworkInsightsPath
	err = s.Update(ctx, func(sc call.Scope) error {
		old, tags, found, err := call.Replayed(sc, creation, call.InsightsPaths)
		if err != nil {
			return err
		}
		if found {
			old.Tags = tags
			out, err = renderPath(sc, &old)
			return err
		}
		p.Account, p.Region = sc.Tenant()
		if err := ends(sc, &p); err != nil {
			return err
		}
		if sc.Tx.Count(store.Prefix(edges.Paths.Name, p.Account, p.Region)) >= maxPaths {
			return shape.Errorf("NetworkInsightsPath.LimitExceeded", "The maximum number of network insights paths has been reached.")
		}
		if err := edges.Paths.Put(sc.Tx, &p); err != nil {
			return err
		}
		out, err = renderPath(sc, &p)
		if err != nil {
			return err
		}
		return creation.Remember(sc, p.ID, p.Tags)
	})
	if err != nil {
		return nil, err
	}
	return &wire.CreateNetworkInsightsPathOutput{NetworkInsightsPath: &out}, nil
}

// asked reads what a request asks for.
func asked(in *wire.CreateNetworkInsightsPathInput) (insight.Path, error) {
	p := insight.Path{
		Source: call.Val(in.Source), Destination: call.Val(in.Destination), SourceIP: call.Val(in.SourceIp), DestinationIP: call.Val(in.DestinationIp),
		DestinationPort: int(call.Val(in.DestinationPort)), Protocol: strings.ToLower(call.Val(in.Protocol)),
	}
	const both = "The parameter %s cannot be used with the parameter %s"
	switch {
	case p.Source == "":
		return p, call.Missing("source")
	case p.Protocol != insight.TCP && p.Protocol != insight.UDP:
		return p, call.Invalid("Value (%s) for parameter protocol is invalid.", p.Protocol)
	case in.FilterAtSource != nil && in.SourceIp != nil:
		return p, shape.Errorf("InvalidParameterCombination", both, "FilterAtSource", "SourceIp")
	case in.FilterAtSource != nil && in.DestinationPort != nil:
		return p, shape.Errorf("InvalidParameterCombination", both, "FilterAtSource", "DestinationPort")
	case in.FilterAtDestination != nil && in.DestinationIp != nil:
		return p, shape.Errorf("InvalidParameterCombination", both, "FilterAtDestination", "DestinationIp")
	}
	var err error
	if p.AtSource, err = filterOf(in.FilterAtSource); err != nil {
		return p, err
	}
	if p.AtDestination, err = filterOf(in.FilterAtDestination); err != nil {
		return p, err
	}
	for name, s := range map[string]string{"sourceIp": p.SourceIP, "destinationIp": p.DestinationIP} {
		if err := checkAddress(name, s); err != nil {
			return p, err
		}
	}
	if p.Destination == "" && !p.Query(true).To.IsValid() {
		return p, call.Missing("destination")
	}
	return p, nil
}

func filterOf(in *wire.PathRequestFilter) (*insight.Filter, error) {
	if in == nil {
		return nil, nil
	}
	f := insight.Filter{SourceAddress: call.Val(in.SourceAddress), DestinationAddress: call.Val(in.DestinationAddress)}
	for name, s := range map[string]string{"sourceAddress": f.SourceAddress, "destinationAddress": f.DestinationAddress} {
		if err := checkAddress(name, s); err != nil {
			return nil, err
		}
	}
	var err error
	if f.SourcePorts, err = portsOf("sourcePortRange", in.SourcePortRange); err != nil {
		return nil, err
	}
	f.DestinationPorts, err = portsOf("destinationPortRange", in.DestinationPortRange)
	return &f, err
}

func portsOf(name string, in *wire.RequestFilterPortRange) (*path.Range, error) {
	if in == nil {
		return nil, nil
	}
	if in.FromPort == nil || in.ToPort == nil || *in.FromPort > *in.ToPort {
		return nil, call.Invalid("Value for parameter %s is invalid: fromPort and toPort are needed, and toPort must not be smaller.", name)
	}
	return &path.Range{From: int(*in.FromPort), To: int(*in.ToPort)}, nil
}

func checkAddress(name, s string) error {
	if a, err := netip.ParseAddr(s); s != "" && (err != nil || !a.Is4()) {
		return call.Invalid("Value (%s) for parameter %s is invalid.", s, name)
	}
	return nil
}

// ends finds the source and the destination, which requests name by id or ARN.
func ends(sc call.Scope, p *insight.Path) error {
	source, ok, err := find(sc, p.Source)
	switch {
	case err != nil:
		return err
	case !ok:
		return shape.Errorf("NetworkInsightsSource.NotFound", "The source '%s' does not exist", p.Source)
	}
	p.Source, p.SourceARN = source.ID, source.ARN
	if p.Destination == "" {
		return nil
	}
	destination, ok, err := find(sc, p.Destination)
	switch {
	case err != nil:
		return err
	case !ok:
		return shape.Errorf("NetworkInsightsDestination.NotFound", "The destination '%s' does not exist", p.Destination)
	}
	p.Destination, p.DestinationARN = destination.ID, destination.ARN
	return nil
}

// find is the caller's resource with an id or ARN, if it is of a kind that paths
// begin or end at.
func find(sc call.Scope, name string) (path.Component, bool, error) {
	account, region := sc.Tenant()
	c := path.Component{ID: name[strings.LastIndex(name, "/")+1:]}
	var ok bool
	var err error
	switch prefix, _, _ := strings.Cut(c.ID, "-"); prefix {
	case "eni":
		c.Kind = path.KindInterface
		_, ok, err = tables.NetworkInterfaces.Find(sc.Tx, account, region, c.ID)
	case "igw":
		c.Kind = path.KindInternetGateway
		_, ok, err = tables.InternetGateways.Find(sc.Tx, account, region, c.ID)
	case "vpce":
		c.Kind = path.KindEndpoint
		_, ok, err = edges.Endpoints.Find(sc.Tx, account, region, c.ID)
	case "pcx":
		c.Kind = path.KindPeering
		r, found, e := edges.Peerings.Find(sc.Tx, c.ID)
		mine := r.Requester.Account == account && r.Requester.Region == region || r.Accepter.Account == account && r.Accepter.Region == region
		ok, err = found && mine, e
	}
	c.ARN = arn.New("ec2", region, account, c.Kind+"/"+c.ID)
	return c, ok && (name == c.ID || name == c.ARN), err
}

// DeleteNetworkInsightsPath deletes a path that has no analyses.
func (s *Handler) DeleteNetworkInsightsPath(ctx context.Context, in *wire.DeleteNetworkInsightsPathInput) (*wire.DeleteNetworkInsightsPathOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	id := call.Val(in.NetworkInsightsPathId)
	if id == "" {
		return nil, call.Missing("networkInsightsPathId")
	}
	err := s.Update(ctx, func(sc call.Scope) error {
		p, err := call.InsightsPaths.Get(sc, id)
		if err != nil {
			return err
		}
		all, err := store.Collect(edges.Analyses.By(sc.Tx, edges.AnalysesByPath, p.Account, p.Region, id))
		if err != nil {
			return err
		}
		for _, a := range all {
			if s.kept(&a) {
				return shape.Errorf("AnalysisExistsForNetworkInsightsPath", "The network insights path '%s' has analyses and cannot be deleted.", id)
			}
			if err := edges.Analyses.Delete(sc.Tx, a.Account, a.Region, a.ID); err != nil {
				return err
			}
		}
		return edges.Paths.Delete(sc.Tx, p.Account, p.Region, id)
	})
	if err != nil {
		return nil, err
	}
	return &wire.DeleteNetworkInsightsPathOutput{NetworkInsightsPathId: &id}, nil
}

var describePaths = call.Listing[insight.Path, wire.NetworkInsightsPath]{
	Op: "DescribeNetworkInsightsPaths", Kind: call.InsightsPaths, IDs: "NetworkInsightsPathIds", Render: renderPath, Small: true,
	Filters: filter.Set{
		Tags: "Tags",
		Fields: map[string]string{
			"destination": "Destination", "protocol": "Protocol", "source": "Source",
			"filter-at-source.source-address":           "FilterAtSource.SourceAddress",
			"filter-at-source.destination-address":      "FilterAtSource.DestinationAddress",
			"filter-at-destination.source-address":      "FilterAtDestination.SourceAddress",
			"filter-at-destination.destination-address": "FilterAtDestination.DestinationAddress",
		},
	},
}

// DescribeNetworkInsightsPaths lists paths.
func (s *Handler) DescribeNetworkInsightsPaths(ctx context.Context, in *wire.DescribeNetworkInsightsPathsInput) (*wire.DescribeNetworkInsightsPathsOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	filters, keep := byPorts(in.Filters)
	l := describePaths
	l.Keep = keep
	out, next, err := l.Run(ctx, s.Env, call.Page(in.NetworkInsightsPathIds, filters, in.MaxResults, in.NextToken))
	return &wire.DescribeNetworkInsightsPathsOutput{NetworkInsightsPaths: out, NextToken: next}, err
}

// byPorts takes the filters by range of ports out, whose values are FROM-TO or a
// port, and returns what they keep.
func byPorts(filters []wire.Filter) (rest []wire.Filter, keep func(*insight.Path) bool) {
	read := map[string]func(*insight.Path) *path.Range{
		"filter-at-source.source-port-range":           func(p *insight.Path) *path.Range { return or(p.AtSource).SourcePorts },
		"filter-at-source.destination-port-range":      func(p *insight.Path) *path.Range { return or(p.AtSource).DestinationPorts },
		"filter-at-destination.source-port-range":      func(p *insight.Path) *path.Range { return or(p.AtDestination).SourcePorts },
		"filter-at-destination.destination-port-range": func(p *insight.Path) *path.Range { return or(p.AtDestination).DestinationPorts },
	}
	var tests []func(*insight.Path) bool
	for _, f := range filters {
		get := read[call.Val(f.Name)]
		if get == nil {
			rest = append(rest, f)
			continue
		}
		tests = append(tests, func(p *insight.Path) bool {
			r := get(p)
			for _, v := range f.Values {
				if r != nil && r.String() == v {
					return true
				}
			}
			return false
		})
	}
	return rest, func(p *insight.Path) bool {
		for _, t := range tests {
			if !t(p) {
				return false
			}
		}
		return true
	}
}

// or is the filter, or one for anything.
func or(f *insight.Filter) insight.Filter {
	if f == nil {
		return insight.Filter{}
	}
	return *f
}

func renderPath(_ call.Scope, p *insight.Path) (wire.NetworkInsightsPath, error) {
	w := wire.NetworkInsightsPath{
		NetworkInsightsPathId: &p.ID, NetworkInsightsPathArn: new(p.ARN()), CreatedDate: &p.CreatedAt,
		Source: &p.Source, SourceArn: &p.SourceARN, Destination: call.Optional(p.Destination), DestinationArn: call.Optional(p.DestinationARN),
		SourceIp: call.Optional(p.SourceIP), DestinationIp: call.Optional(p.DestinationIP), Protocol: &p.Protocol,
		FilterAtSource: renderFilter(p.AtSource), FilterAtDestination: renderFilter(p.AtDestination), Tags: tag.Listed(p.Tags),
	}
	if p.DestinationPort != 0 {
		w.DestinationPort = new(int32(p.DestinationPort))
	}
	return w, nil
}

func renderFilter(f *insight.Filter) *wire.PathFilter {
	if f == nil {
		return nil
	}
	ports := func(r *path.Range) *wire.FilterPortRange {
		if r == nil {
			return nil
		}
		return &wire.FilterPortRange{FromPort: new(int32(r.From)), ToPort: new(int32(r.To))}
	}
	return &wire.PathFilter{SourceAddress: call.Optional(f.SourceAddress), DestinationAddress: call.Optional(f.DestinationAddress),
		SourcePortRange: ports(f.SourcePorts), DestinationPortRange: ports(f.DestinationPorts)}
}
