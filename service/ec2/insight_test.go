package ec2

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	wire "neargate/aws/ec2"
	"neargate/resource/network"
	"neargate/resource/network/insight"
	"neargate/resource/network/path"
	"neargate/store/tables"
	"neargate/store/tables/edges"
)

// analyzed starts an analysis and describes it.
func analyzed(b bench, pathID string, in wire.StartNetworkInsightsAnalysisInput) wire.NetworkInsightsAnalysis {
	b.t.Helper()
	in.NetworkInsightsPathId = &pathID
	started := must(b, b.StartNetworkInsightsAnalysis, in).NetworkInsightsAnalysis
	if *started.Status != "running" || started.NetworkPathFound != nil {
		b.t.Errorf("started %+v", started)
	}
	list := must(b, b.DescribeNetworkInsightsAnalyses, wire.DescribeNetworkInsightsAnalysesInput{
		NetworkInsightsAnalysisIds: []string{*started.NetworkInsightsAnalysisId}}).NetworkInsightsAnalyses
	if len(list) != 1 || *list[0].Status != "succeeded" || *list[0].NetworkInsightsPathId != pathID {
		b.t.Fatalf("described %+v", list)
	}
	return list[0]
}

func componentIDs(list []wire.PathComponent) string {
	var ids []string
	for i, c := range list {
		if *c.SequenceNumber != int32(i+1) {
			ids = append(ids, "wrong number")
		}
		prefix, _, _ := strings.Cut(*c.Component.Id, "-")
		ids = append(ids, prefix)
	}
	return strings.Join(ids, " ")
}

// webInterface is a network interface in the default VPC with a public address, as
// a task has it, and a security group.
func webInterface(b bench) (eni, group, igw string) {
	b.t.Helper()
	subnet := must(b, b.DescribeSubnets, wire.DescribeSubnetsInput{}).Subnets[0]
	group = *must(b, b.CreateSecurityGroup, wire.CreateSecurityGroupInput{GroupName: new("web"), Description: new("web"), VpcId: subnet.VpcId}).GroupId
	made := must(b, b.CreateNetworkInterface, wire.CreateNetworkInterfaceInput{SubnetId: subnet.SubnetId, Groups: []string{group}}).NetworkInterface
	eni = *made.NetworkInterfaceId
	put(b, tables.NetworkInterfaces, network.NetworkInterface{
		Account: testAccount, Region: "us-east-1", ID: eni, Vpc: *subnet.VpcId, Subnet: *subnet.SubnetId, Addresses: []string{*made.PrivateIpAddress},
		PublicIP: "198.18.7.7", Groups: []string{group}, SourceDestCheck: true, Attachment: &network.InterfaceAttachment{ID: "eni-attach-1"},
	})
	return eni, group, *must(b, b.DescribeInternetGateways, wire.DescribeInternetGatewaysInput{}).InternetGateways[0].InternetGatewayId
}

func TestAnalysis(t *testing.T) {
	b := newBench(t)
	eni, group, igw := webInterface(b)
	p := must(b, b.CreateNetworkInsightsPath, wire.CreateNetworkInsightsPathInput{
		Source: &igw, Destination: &eni, Protocol: new("tcp"), ClientToken: new("t1"),
		FilterAtSource: &wire.PathRequestFilter{DestinationPortRange: &wire.RequestFilterPortRange{FromPort: new(int32(80)), ToPort: new(int32(80))}},
	}).NetworkInsightsPath
	if *p.SourceArn != "arn:aws:ec2:us-east-1:123456789012:internet-gateway/"+igw || *p.NetworkInsightsPathArn != "arn:aws:ec2:us-east-1:123456789012:network-insights-path/"+*p.NetworkInsightsPathId {
		t.Errorf("path %+v", p)
	}
	a := analyzed(b, *p.NetworkInsightsPathId, wire.StartNetworkInsightsAnalysisInput{ClientToken: new("a1")})
	if *a.NetworkPathFound || len(a.Explanations) != 1 {
		t.Fatalf("%+v", a)
	}
	e := a.Explanations[0]
	if *e.ExplanationCode != path.GroupsMismatch || *e.Direction != "ingress" || *e.NetworkInterface.Id != eni || len(e.SecurityGroups) != 1 ||
		*e.SecurityGroups[0].Id != group || *e.Port != 80 || !slices.Equal(e.Protocols, []string{"tcp"}) {
		t.Errorf("explanation %+v", e)
	}
	must(b, b.AuthorizeSecurityGroupIngress, wire.AuthorizeSecurityGroupIngressInput{GroupId: &group, IpPermissions: []wire.IpPermission{
		{IpProtocol: new("tcp"), FromPort: new(int32(80)), ToPort: new(int32(80)), IpRanges: []wire.IpRange{{CidrIp: new("0.0.0.0/0")}}}}})
	a = analyzed(b, *p.NetworkInsightsPathId, wire.StartNetworkInsightsAnalysisInput{ClientToken: new("a2")})
	if !*a.NetworkPathFound || len(a.Explanations) != 0 {
		t.Fatalf("%+v", a.Explanations)
	}
	if there, back := componentIDs(a.ForwardPathComponents), componentIDs(a.ReturnPathComponents); there != "igw acl sg eni" || back != "eni sg acl rtb igw" {
		t.Errorf("there %q, back %q", there, back)
	}
	hop := a.ForwardPathComponents
	if h := hop[0]; h.InboundHeader.DestinationAddresses[0] != "198.18.7.7/32" || *h.InboundHeader.Protocol != "6" || !strings.HasPrefix(h.OutboundHeader.DestinationAddresses[0], "172.31.") {
		t.Errorf("gateway %+v", h)
	}
	if r := hop[1].AclRule; *r.RuleNumber != 100 || *r.Protocol != "all" || *r.Egress || *r.RuleAction != "allow" {
		t.Errorf("ACL rule %+v", r)
	}
	if r := hop[2].SecurityGroupRule; *r.Cidr != "0.0.0.0/0" || *r.PortRange.From != 80 || *r.Direction != "ingress" {
		t.Errorf("group rule %+v", r)
	}
	if r := a.ReturnPathComponents[3].RouteTableRoute; *r.GatewayId != igw || *r.State != "active" || *r.Origin != "createroute" {
		t.Errorf("route %+v", r)
	}
	if a = analyzed(b, *p.NetworkInsightsPathId, wire.StartNetworkInsightsAnalysisInput{
		FilterOutArns: []string{"arn:aws:ec2:us-east-1:123456789012:security-group/" + group}}); *a.NetworkPathFound || *a.Explanations[0].ExplanationCode != path.HitsComponent {
		t.Errorf("filtered %+v", a)
	}
	fails(b, b.DeleteNetworkInsightsPath, wire.DeleteNetworkInsightsPathInput{NetworkInsightsPathId: p.NetworkInsightsPathId}, "AnalysisExistsForNetworkInsightsPath", "")
	for _, x := range must(b, b.DescribeNetworkInsightsAnalyses, wire.DescribeNetworkInsightsAnalysesInput{NetworkInsightsPathId: p.NetworkInsightsPathId}).NetworkInsightsAnalyses {
		must(b, b.DeleteNetworkInsightsAnalysis, wire.DeleteNetworkInsightsAnalysisInput{NetworkInsightsAnalysisId: x.NetworkInsightsAnalysisId})
	}
	must(b, b.DeleteNetworkInsightsPath, wire.DeleteNetworkInsightsPathInput{NetworkInsightsPathId: p.NetworkInsightsPathId})
	fails(b, b.DescribeNetworkInsightsPaths, wire.DescribeNetworkInsightsPathsInput{NetworkInsightsPathIds: []string{*p.NetworkInsightsPathId}}, "InvalidNetworkInsightsPathId.NotFound", "")
	fails(b, b.StartNetworkInsightsAnalysis, wire.StartNetworkInsightsAnalysisInput{NetworkInsightsPathId: p.NetworkInsightsPathId}, "InvalidNetworkInsightsPathId.NotFound", "")
	fails(b, b.DeleteNetworkInsightsAnalysis, wire.DeleteNetworkInsightsAnalysisInput{NetworkInsightsAnalysisId: new("nia-0123456789abcdef0")}, "InvalidNetworkInsightsAnalysisId.NotFound", "")
}

func TestInsightsPaths(t *testing.T) {
	b := newBench(t)
	eni, _, igw := webInterface(b)
	ask := func(edit func(*wire.CreateNetworkInsightsPathInput)) wire.CreateNetworkInsightsPathInput {
		in := wire.CreateNetworkInsightsPathInput{Source: &igw, Destination: &eni, Protocol: new("tcp")}
		edit(&in)
		return in
	}
	for name, c := range map[string]struct {
		code string
		edit func(*wire.CreateNetworkInsightsPathInput)
	}{
		"dry run":        {"DryRunOperation", func(in *wire.CreateNetworkInsightsPathInput) { in.DryRun = new(true) }},
		"no such source": {"NetworkInsightsSource.NotFound", func(in *wire.CreateNetworkInsightsPathInput) { in.Source = new("eni-0123456789abcdef0") }},
		"an instance":    {"NetworkInsightsSource.NotFound", func(in *wire.CreateNetworkInsightsPathInput) { in.Source = new("i-0123456789abcdef0") }},
		"another account's": {"NetworkInsightsSource.NotFound", func(in *wire.CreateNetworkInsightsPathInput) {
			in.Source = new("arn:aws:ec2:us-east-1:210987654321:internet-gateway/" + igw)
		}},
		"no such destination": {"NetworkInsightsDestination.NotFound", func(in *wire.CreateNetworkInsightsPathInput) { in.Destination = new("eni-0123456789abcdef0") }},
		"no destination":      {"MissingParameter", func(in *wire.CreateNetworkInsightsPathInput) { in.Destination = nil }},
		"protocol":            {"InvalidParameterValue", func(in *wire.CreateNetworkInsightsPathInput) { in.Protocol = new("icmp") }},
		"address":             {"InvalidParameterValue", func(in *wire.CreateNetworkInsightsPathInput) { in.SourceIp = new("300.1.1.1") }},
		"source twice": {"InvalidParameterCombination", func(in *wire.CreateNetworkInsightsPathInput) {
			in.SourceIp, in.FilterAtSource = new("9.9.9.9"), &wire.PathRequestFilter{}
		}},
		"port twice": {"InvalidParameterCombination", func(in *wire.CreateNetworkInsightsPathInput) {
			in.DestinationPort, in.FilterAtSource = new(int32(80)), &wire.PathRequestFilter{}
		}},
		"destination twice": {"InvalidParameterCombination", func(in *wire.CreateNetworkInsightsPathInput) {
			in.DestinationIp, in.FilterAtDestination = new("9.9.9.9"), &wire.PathRequestFilter{}
		}},
		"range the wrong way": {"InvalidParameterValue", func(in *wire.CreateNetworkInsightsPathInput) {
			in.FilterAtSource = &wire.PathRequestFilter{SourcePortRange: &wire.RequestFilterPortRange{FromPort: new(int32(2)), ToPort: new(int32(1))}}
		}},
		"tags of another type": {"InvalidParameterValue", func(in *wire.CreateNetworkInsightsPathInput) {
			in.TagSpecifications = []wire.TagSpecification{{ResourceType: new("vpc"), Tags: []wire.Tag{{Key: new("a")}}}}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			b := b
			b.t = t
			fails(b, b.CreateNetworkInsightsPath, ask(c.edit), c.code, "")
		})
	}
	if n := len(must(b, b.DescribeNetworkInsightsPaths, wire.DescribeNetworkInsightsPathsInput{}).NetworkInsightsPaths); n != 0 {
		t.Fatalf("%d paths", n)
	}
	create := func(edit func(*wire.CreateNetworkInsightsPathInput)) wire.NetworkInsightsPath {
		t.Helper()
		return *must(b, b.CreateNetworkInsightsPath, ask(edit)).NetworkInsightsPath
	}
	first := create(func(in *wire.CreateNetworkInsightsPathInput) {
		in.ClientToken, in.Protocol, in.Source = new("once"), new("TCP"), new("arn:aws:ec2:us-east-1:123456789012:internet-gateway/"+igw)
		in.TagSpecifications = []wire.TagSpecification{{ResourceType: new("network-insights-path"), Tags: []wire.Tag{{Key: new("Name"), Value: new("web")}}}}
	})
	again := create(func(in *wire.CreateNetworkInsightsPathInput) {
		in.ClientToken, in.Source = new("once"), new("arn:aws:ec2:us-east-1:123456789012:internet-gateway/"+igw)
	})
	if *first.NetworkInsightsPathId != *again.NetworkInsightsPathId || *first.Source != igw || *first.Protocol != "tcp" || *first.Tags[0].Value != "web" {
		t.Errorf("first %+v, again %+v", first, again)
	}
	fails(b, b.CreateNetworkInsightsPath, ask(func(in *wire.CreateNetworkInsightsPathInput) {
		in.ClientToken, in.DestinationPort = new("once"), new(int32(1))
	}), "IdempotentParameterMismatch", "")
	for i := range 4 {
		create(func(in *wire.CreateNetworkInsightsPathInput) {
			in.Source, in.Destination, in.FilterAtSource = &eni, nil, &wire.PathRequestFilter{DestinationAddress: new("9.9.9.9"),
				DestinationPortRange: &wire.RequestFilterPortRange{FromPort: new(int32(i)), ToPort: new(int32(10))}}
		})
	}
	// Pages have at least one item here.
	seen := map[string]bool{}
	var token *string
	for pages := 0; ; pages++ {
		out := must(b, b.DescribeNetworkInsightsPaths, wire.DescribeNetworkInsightsPathsInput{MaxResults: new(int32(2)), NextToken: token})
		for _, p := range out.NetworkInsightsPaths {
			seen[*p.NetworkInsightsPathId] = true
		}
		if token = out.NextToken; token == nil || pages > 5 {
			break
		}
	}
	if len(seen) != 5 {
		t.Errorf("pages had %d paths", len(seen))
	}
	for filter, want := range map[string]int{
		"source=" + igw: 1, "source=" + eni: 4, "destination=" + eni: 1, "protocol=tcp": 5, "tag:Name=web": 1,
		"filter-at-source.destination-address=9.9.9.9": 4, "filter-at-source.destination-port-range=2-10": 1, "filter-at-destination.source-port-range=1": 0,
	} {
		name, value, _ := strings.Cut(filter, "=")
		out := must(b, b.DescribeNetworkInsightsPaths, wire.DescribeNetworkInsightsPathsInput{Filters: []wire.Filter{{Name: &name, Values: []string{value}}}})
		if len(out.NetworkInsightsPaths) != want {
			t.Errorf("%s finds %d, want %d", filter, len(out.NetworkInsightsPaths), want)
		}
	}
	fails(b, b.DescribeNetworkInsightsPaths, wire.DescribeNetworkInsightsPathsInput{Filters: []wire.Filter{{Name: new("x"), Values: []string{"y"}}}}, "InvalidParameterValue", "")
	// To an address, by the internet gateway: from an interface with a public one.
	for _, p := range must(b, b.DescribeNetworkInsightsPaths, wire.DescribeNetworkInsightsPathsInput{Filters: []wire.Filter{{Name: new("source"), Values: []string{eni}}}}).NetworkInsightsPaths[:1] {
		if a := analyzed(b, *p.NetworkInsightsPathId, wire.StartNetworkInsightsAnalysisInput{}); !*a.NetworkPathFound || componentIDs(a.ForwardPathComponents) != "eni sg acl rtb igw" {
			t.Errorf("%s: %+v", componentIDs(a.ForwardPathComponents), a.Explanations)
		}
	}
	must(b, b.CreateTags, wire.CreateTagsInput{Resources: []string{*first.NetworkInsightsPathId}, Tags: []wire.Tag{{Key: new("k"), Value: new("v")}}})
	if got := must(b, b.DescribeNetworkInsightsPaths, wire.DescribeNetworkInsightsPathsInput{NetworkInsightsPathIds: []string{*first.NetworkInsightsPathId}}).NetworkInsightsPaths; len(got[0].Tags) != 2 {
		t.Errorf("tags %+v", got[0].Tags)
	}
	put(b, edges.Analyses, insight.Analysis{Account: testAccount, Region: "us-east-1", ID: "nia-0aaaaaaaaaaaaaaaa", Path: *first.NetworkInsightsPathId, StartedAt: b.Deps.Now().Add(-insight.Life - time.Hour)})
	if got := must(b, b.DescribeNetworkInsightsAnalyses, wire.DescribeNetworkInsightsAnalysesInput{NetworkInsightsPathId: first.NetworkInsightsPathId}).NetworkInsightsAnalyses; len(got) != 0 {
		t.Errorf("an analysis of 120 days ago: %+v", got)
	}
	must(b, b.DeleteNetworkInsightsPath, wire.DeleteNetworkInsightsPathInput{NetworkInsightsPathId: first.NetworkInsightsPathId})
	for i := range 200 {
		in := ask(func(*wire.CreateNetworkInsightsPathInput) {})
		if _, err := b.CreateNetworkInsightsPath(b.ctx, &in); err != nil {
			if !strings.Contains(fmt.Sprint(err), "NetworkInsightsPath.LimitExceeded") || i != 96 {
				t.Errorf("path %d: %v", i, err)
			}
			break
		}
	}
}
