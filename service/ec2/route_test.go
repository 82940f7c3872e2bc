package ec2

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	wire "neargate/aws/ec2"
	"neargate/resource/network"
	"neargate/resource/network/edge"
	"neargate/store/tables"
	"neargate/store/tables/edges"
)

func (b bench) table(vpc string) string {
	b.t.Helper()
	return *must(b, b.CreateRouteTable, wire.CreateRouteTableInput{VpcId: &vpc}).RouteTable.RouteTableId
}

// routes are those of a table as "destination target state".
func (b bench) routes(table string) []string {
	b.t.Helper()
	var out []string
	for _, r := range must(b, b.DescribeRouteTables, wire.DescribeRouteTablesInput{RouteTableIds: []string{table}}).RouteTables[0].Routes {
		line := ""
		for _, p := range []*string{
			r.DestinationCidrBlock, r.DestinationPrefixListId, r.GatewayId, r.NatGatewayId, r.NetworkInterfaceId, r.VpcPeeringConnectionId, r.State,
		} {
			if p != nil {
				line += " " + *p
			}
		}
		out = append(out, line[1:])
	}
	return out
}

func TestRouteTables(t *testing.T) {
	b := newBench(t)
	v := b.vpc("10.0.0.0/16")
	made := must(b, b.CreateRouteTable, wire.CreateRouteTableInput{VpcId: &v, ClientToken: new(" once "), TagSpecifications: specs("route-table", "Name", "x")})
	r := made.RouteTable
	if *made.ClientToken != "once" || len(r.Associations) != 0 || len(r.Tags) != 1 || *r.Routes[0].GatewayId != "local" || *r.VpcId != v {
		t.Errorf("%+v", r)
	}
	again := must(b, b.CreateRouteTable, wire.CreateRouteTableInput{VpcId: &v, ClientToken: new("once"), TagSpecifications: specs("route-table", "Name", "x")})
	if *again.RouteTable.RouteTableId != *r.RouteTableId || len(again.RouteTable.Tags) != 1 {
		t.Errorf("the token made another table: %+v", again)
	}
	fails(b, b.CreateRouteTable, wire.CreateRouteTableInput{VpcId: &v, ClientToken: new("once")}, "IdempotentParameterMismatch", "Wrong arguments for request with token once")
	fails(b, b.CreateRouteTable, wire.CreateRouteTableInput{VpcId: &v, ClientToken: new("")}, "InvalidParameterValue", "Value () for parameter clientToken is invalid")
	fails(b, b.CreateRouteTable, wire.CreateRouteTableInput{}, "MissingParameter", "")
	fails(b, b.CreateRouteTable, wire.CreateRouteTableInput{VpcId: new("vpc-0123456789abcdef0")}, "InvalidVpcID.NotFound", "")
	must(b, b.DeleteRouteTable, wire.DeleteRouteTableInput{RouteTableId: r.RouteTableId})
	fails(b, b.CreateRouteTable, wire.CreateRouteTableInput{VpcId: &v, ClientToken: new("once"), TagSpecifications: specs("route-table", "Name", "x")},
		"IdempotentParameterMismatch", "An error occurred (IdempotentParameterMismatch) when calling this operation: The client token and arguments used in this request were used in a prior request that was associated with a resource which is now deleted.")
	if out := must(b, b.CreateRouteTable, wire.CreateRouteTableInput{VpcId: &v, ClientToken: new("  ")}); out.ClientToken != nil {
		t.Errorf("a blank token: %+v", out)
	}
	fails(b, b.DeleteRouteTable, wire.DeleteRouteTableInput{RouteTableId: r.RouteTableId}, "InvalidRouteTableID.NotFound", "")
	fails(b, b.DeleteRouteTable, wire.DeleteRouteTableInput{}, "MissingParameter", "")

	var many []network.RouteTable
	for i := range 200 {
		many = append(many, network.RouteTable{Account: testAccount, Region: "us-east-1", ID: fmt.Sprintf("rtb-%017x", i+1), Vpc: v})
	}
	put(b, tables.RouteTables, many...)
	fails(b, b.CreateRouteTable, wire.CreateRouteTableInput{VpcId: &v}, "RouteTableLimitExceeded", "")
}

func TestAssociations(t *testing.T) {
	b := newBench(t)
	v, f := b.vpc("10.0.0.0/16"), b.defaults()
	one, two, s := b.table(v), b.table(v), b.subnet(v, "10.0.0.0/24")
	bind := func(table, subnet string) wire.AssociateRouteTableInput {
		return wire.AssociateRouteTableInput{RouteTableId: &table, SubnetId: &subnet}
	}
	a := must(b, b.AssociateRouteTable, bind(one, s))
	if again := must(b, b.AssociateRouteTable, bind(one, s)); *again.AssociationId != *a.AssociationId || *a.AssociationState.State != "associated" {
		t.Errorf("%+v, then %+v", a, again)
	}
	fails(b, b.AssociateRouteTable, bind(two, s), "Resource.AlreadyAssociated", "the specified association for route table "+two+" conflicts with an existing association")
	fails(b, b.AssociateRouteTable, bind(one, f.Subnets[0].ID), "InvalidParameterValue", "")
	fails(b, b.AssociateRouteTable, bind("rtb-0123456789abcdef0", s), "InvalidRouteTableID.NotFound", "")
	fails(b, b.AssociateRouteTable, wire.AssociateRouteTableInput{RouteTableId: &one}, "MissingParameter", "")
	fails(b, b.AssociateRouteTable, wire.AssociateRouteTableInput{SubnetId: &s}, "MissingParameter", "")
	fails(b, b.DeleteRouteTable, wire.DeleteRouteTableInput{RouteTableId: &one}, "DependencyViolation", "The routeTable '"+one+"' has dependencies and cannot be deleted.")

	moved := must(b, b.ReplaceRouteTableAssociation, wire.ReplaceRouteTableAssociationInput{AssociationId: a.AssociationId, RouteTableId: &two})
	if *moved.NewAssociationId == *a.AssociationId {
		t.Errorf("%+v", moved)
	}
	must(b, b.DeleteRouteTable, wire.DeleteRouteTableInput{RouteTableId: &one})
	same := must(b, b.ReplaceRouteTableAssociation, wire.ReplaceRouteTableAssociationInput{AssociationId: moved.NewAssociationId, RouteTableId: &two})
	if got := must(b, b.DescribeRouteTables, wire.DescribeRouteTablesInput{RouteTableIds: []string{two}}).RouteTables[0].Associations; len(got) != 1 || *got[0].RouteTableAssociationId != *same.NewAssociationId {
		t.Errorf("%+v", got)
	}
	fails(b, b.ReplaceRouteTableAssociation, wire.ReplaceRouteTableAssociationInput{AssociationId: a.AssociationId, RouteTableId: &two}, "InvalidAssociationID.NotFound", "The association ID '"+*a.AssociationId+"' does not exist")
	fails(b, b.ReplaceRouteTableAssociation, wire.ReplaceRouteTableAssociationInput{AssociationId: same.NewAssociationId, RouteTableId: &f.RouteTable.ID}, "InvalidParameterValue", "")
	fails(b, b.ReplaceRouteTableAssociation, wire.ReplaceRouteTableAssociationInput{AssociationId: same.NewAssociationId}, "MissingParameter", "")
	fails(b, b.ReplaceRouteTableAssociation, wire.ReplaceRouteTableAssociationInput{RouteTableId: &two}, "MissingParameter", "")
	must(b, b.DisassociateRouteTable, wire.DisassociateRouteTableInput{AssociationId: same.NewAssociationId})
	fails(b, b.DisassociateRouteTable, wire.DisassociateRouteTableInput{AssociationId: same.NewAssociationId}, "InvalidAssociationID.NotFound", "")
	fails(b, b.DisassociateRouteTable, wire.DisassociateRouteTableInput{}, "MissingParameter", "")

	// The main table.
	main := must(b, b.DescribeRouteTables, wire.DescribeRouteTablesInput{Filters: append(where("vpc-id", v), where("association.main", "true")...)}).RouteTables[0]
	own := main.Associations[0].RouteTableAssociationId
	fails(b, b.DisassociateRouteTable, wire.DisassociateRouteTableInput{AssociationId: own}, "InvalidParameterValue", "cannot disassociate the main route table association "+*own)
	fails(b, b.DeleteRouteTable, wire.DeleteRouteTableInput{RouteTableId: main.RouteTableId}, "DependencyViolation", "")
	must(b, b.ReplaceRouteTableAssociation, wire.ReplaceRouteTableAssociationInput{AssociationId: own, RouteTableId: &two})
	now := must(b, b.DescribeRouteTables, wire.DescribeRouteTablesInput{Filters: append(where("vpc-id", v), where("association.main", "true")...)}).RouteTables
	if len(now) != 1 || *now[0].RouteTableId != two || now[0].Associations[0].SubnetId != nil {
		t.Errorf("main tables %+v", now)
	}
	must(b, b.DeleteRouteTable, wire.DeleteRouteTableInput{RouteTableId: main.RouteTableId})
}

// TestRoutes makes a route to each kind of target and to what cannot be one.
func TestRoutes(t *testing.T) {
	b := newBench(t)
	v := b.vpc("10.0.0.0/16")
	r, s, g := b.table(v), b.subnet(v, "10.0.1.0/24"), b.gateway(v)
	e, loose := b.plug(s), b.gateway("")
	foreign := b.defaults()
	side := edge.PeeringSide{Account: testAccount, Region: "us-east-1", Vpc: v}
	far := edge.PeeringSide{Account: "210987654321", Region: "us-east-1", Vpc: "vpc-far"}
	put(b, edges.NatGateways,
		edge.NatGateway{Account: testAccount, Region: "us-east-1", ID: "nat-1", Vpc: v, State: edge.Available},
		edge.NatGateway{Account: testAccount, Region: "us-east-1", ID: "nat-2", Vpc: v, State: edge.Deleted},
		edge.NatGateway{Account: testAccount, Region: "us-east-1", ID: "nat-3", Vpc: foreign.Vpc.ID, State: edge.Available})
	put(b, edges.Peerings,
		edge.Peering{ID: "pcx-1", State: edge.PeeringPending, Requester: side, Accepter: far},
		edge.Peering{ID: "pcx-2", State: edge.PeeringDeleted, Requester: side, Accepter: far},
		edge.Peering{ID: "pcx-3", State: edge.PeeringActive, Requester: far, Accepter: far})
	put(b, edges.Endpoints, edge.Endpoint{Account: testAccount, Region: "us-east-1", ID: "vpce-1", Vpc: v, Type: edge.InterfaceEndpoint, State: edge.Available})
	put(b, edges.PrefixLists, edge.PrefixList{Account: testAccount, Region: "us-east-1", ID: "pl-1", MaxEntries: 490})
	list := edge.AmazonPrefixLists("us-east-1", network.PublicRange())[0].ID

	to := func(destination string, set func(*wire.CreateRouteInput)) wire.CreateRouteInput {
		in := wire.CreateRouteInput{RouteTableId: &r, DestinationCidrBlock: &destination}
		set(&in)
		return in
	}
	igw := func(id string) func(*wire.CreateRouteInput) {
		return func(in *wire.CreateRouteInput) { in.GatewayId = &id }
	}
	nat := func(id string) func(*wire.CreateRouteInput) {
		return func(in *wire.CreateRouteInput) { in.NatGatewayId = &id }
	}
	eni := func(id string) func(*wire.CreateRouteInput) {
		return func(in *wire.CreateRouteInput) { in.NetworkInterfaceId = &id }
	}
	pcx := func(id string) func(*wire.CreateRouteInput) {
		return func(in *wire.CreateRouteInput) { in.VpcPeeringConnectionId = &id }
	}
	listed := func(id, gateway string) wire.CreateRouteInput {
		return wire.CreateRouteInput{RouteTableId: &r, DestinationPrefixListId: &id, GatewayId: &gateway}
	}

	must(b, b.CreateRoute, to("0.0.0.0/0", igw(g)))
	must(b, b.CreateRoute, to("0.0.0.0/0", igw(g))) // the same once more
	must(b, b.CreateRoute, to("192.0.2.7/24", nat("nat-1")))
	must(b, b.CreateRoute, to("198.51.100.0/24", eni(e)))
	must(b, b.CreateRoute, to("203.0.113.0/24", pcx("pcx-1")))
	must(b, b.CreateRoute, to("10.0.1.0/24", nat("nat-1"))) // a subnet of the VPC
	must(b, b.CreateRoute, listed(list, g))
	want := []string{
		list + " " + g + " active", "10.0.1.0/24 nat-1 active", "203.0.113.0/24 pcx-1 blackhole", "198.51.100.0/24 " + e + " blackhole",
		"192.0.2.0/24 nat-1 active", "0.0.0.0/0 " + g + " active", "10.0.0.0/16 local active",
	}
	if got := b.routes(r); !slices.Equal(got, want) {
		t.Errorf("routes %q, want %q", got, want)
	}
	none := func(*wire.CreateRouteInput) {}
	two := func(in *wire.CreateRouteInput) { in.GatewayId, in.NatGatewayId = &g, new("nat-1") }
	both := to("192.0.3.0/24", igw(g))
	both.DestinationPrefixListId = &list
	for _, c := range []struct {
		in            wire.CreateRouteInput
		code, message string
	}{
		{to("0.0.0.0/0", nat("nat-1")), "RouteAlreadyExists", "The route identified by 0.0.0.0/0 already exists."},
		{to("10.0.0.0/16", igw(g)), "RouteAlreadyExists", ""},
		{to("192.0.3.0/24", igw(loose)), "InvalidParameterValue", "route table " + r + " and network gateway " + loose + " belong to different networks"},
		{to("192.0.3.0/24", igw(foreign.InternetGateway.ID)), "InvalidParameterValue", ""},
		{to("192.0.3.0/24", igw("igw-0123456789abcdef0")), "InvalidInternetGatewayID.NotFound", ""},
		{to("192.0.3.0/24", igw("vgw-0123456789abcdef0")), "InvalidVpnGatewayID.NotFound", ""},
		{to("192.0.3.0/24", igw("local")), "InvalidGatewayID.NotFound", ""},
		{to("192.0.3.0/24", nat("nat-2")), "InvalidNatGatewayID.NotFound", ""}, {to("192.0.3.0/24", nat("nat-9")), "InvalidNatGatewayID.NotFound", ""},
		{to("192.0.3.0/24", nat("nat-3")), "InvalidParameterValue", ""},
		{to("192.0.3.0/24", eni("eni-0123456789abcdef0")), "InvalidNetworkInterfaceID.NotFound", ""},
		{to("192.0.3.0/24", eni(b.plug(foreign.Subnets[0].ID))), "InvalidParameterValue", ""},
		{to("192.0.3.0/24", pcx("pcx-2")), "InvalidVpcPeeringConnectionID.NotFound", ""}, {to("192.0.3.0/24", pcx("pcx-3")), "InvalidVpcPeeringConnectionID.NotFound", ""},
		{to("192.0.3.0/24", func(in *wire.CreateRouteInput) { in.VpcEndpointId = new("vpce-1") }), "RouteNotSupported", ""},
		{to("192.0.3.0/24", func(in *wire.CreateRouteInput) { in.VpcEndpointId = new("vpce-9") }), "InvalidVpcEndpointId.NotFound", ""},
		{to("192.0.3.0/24", none), "InvalidParameterCombination", ""}, {to("192.0.3.0/24", two), "InvalidParameterCombination", ""},
		{both, "InvalidParameterCombination", ""},
		{to("::/0", igw(g)), "InvalidParameterValue", "Value (::/0) for parameter destinationCidrBlock is invalid. This is not a valid CIDR block."},
		{to("10.0.2.0/24", igw(g)), "InvalidParameterValue", "The destination CIDR block 10.0.2.0/24 is equal to or more specific than one of this VPC's CIDR blocks. This route can target only an interface or an instance."},
		{to("10.0.1.128/25", eni(e)), "InvalidParameterValue", ""}, {to("169.254.169.253/32", eni(e)), "InvalidParameterValue", ""},
		{listed("pl-9", g), "InvalidPrefixListID.NotFound", ""},
		{wire.CreateRouteInput{RouteTableId: &r, GatewayId: &g}, "MissingParameter", ""},
		{wire.CreateRouteInput{DestinationCidrBlock: new("0.0.0.0/0"), GatewayId: &g}, "MissingParameter", ""},
		{wire.CreateRouteInput{RouteTableId: new("rtb-0123456789abcdef0"), DestinationCidrBlock: new("0.0.0.0/0"), GatewayId: &g}, "InvalidRouteTableID.NotFound", ""},
	} {
		fails(b, b.CreateRoute, c.in, c.code, c.message)
	}
	if got := b.routes(r); !slices.Equal(got, want) {
		t.Errorf("bad requests changed the routes: %q", got)
	}
	must(b, b.CreateRoute, listed("pl-1", g)) // 490 routes
	for i := range 4 {
		must(b, b.CreateRoute, to(fmt.Sprintf("192.0.%d.0/24", 10+i), igw(g)))
	}
	fails(b, b.CreateRoute, to("192.0.3.0/24", igw(g)), "RouteLimitExceeded", "")
}

func TestReplaceAndDeleteRoutes(t *testing.T) {
	b := newBench(t)
	v := b.vpc("10.0.0.0/16")
	r, g, e := b.table(v), b.gateway(v), b.plug(b.subnet(v, "10.0.1.0/24"))
	record := get(b, tables.RouteTables, testAccount, "us-east-1", r)
	endpoint := edge.Endpoint{Account: testAccount, Region: "us-east-1", ID: "vpce-1", Vpc: v, Type: edge.GatewayEndpoint, State: edge.Available, RouteTables: []string{r, "rtb-other"}}
	list := edge.AmazonPrefixLists("us-east-1", network.PublicRange())[0].ID
	record.Routes = append([]network.Route{{PrefixList: list, Gateway: "vpce-1", Origin: network.OriginCreateRoute}}, record.Routes...)
	put(b, tables.RouteTables, record)
	put(b, edges.Endpoints, endpoint)

	replace := func(destination string, set func(*wire.ReplaceRouteInput)) wire.ReplaceRouteInput {
		in := wire.ReplaceRouteInput{RouteTableId: &r, DestinationCidrBlock: &destination}
		set(&in)
		return in
	}
	igw := func(in *wire.ReplaceRouteInput) { in.GatewayId = &g }
	hop := func(in *wire.ReplaceRouteInput) { in.NetworkInterfaceId = &e }
	local := func(in *wire.ReplaceRouteInput) { in.LocalTarget = new(true) }
	must(b, b.CreateRoute, wire.CreateRouteInput{RouteTableId: &r, DestinationCidrBlock: new("0.0.0.0/0"), GatewayId: &g})
	must(b, b.CreateRoute, wire.CreateRouteInput{RouteTableId: &r, DestinationCidrBlock: new("10.0.1.0/24"), NetworkInterfaceId: &e})
	must(b, b.ReplaceRoute, replace("0.0.0.0/0", hop))
	must(b, b.ReplaceRoute, replace("10.0.0.0/16", local))
	want := []string{"10.0.1.0/24 " + e + " blackhole", "0.0.0.0/0 " + e + " blackhole", list + " vpce-1 active", "10.0.0.0/16 local active"}
	if got := b.routes(r); !reflect.DeepEqual(got, want) {
		t.Errorf("routes %q, want %q", got, want)
	}
	listed := wire.ReplaceRouteInput{RouteTableId: &r, DestinationPrefixListId: &list, GatewayId: &g}
	for _, c := range []struct {
		in            wire.ReplaceRouteInput
		code, message string
	}{
		{replace("192.0.2.0/24", igw), "InvalidParameterValue", "There is no route defined for '192.0.2.0/24' in the route table. Use CreateRoute instead."},
		{replace("10.0.0.0/16", hop), "UnsupportedOperation", ""}, {replace("0.0.0.0/0", local), "InvalidParameterValue", ""},
		{replace("10.0.1.0/24", igw), "InvalidParameterValue", ""}, {listed, "InvalidParameterValue", ""},
		{replace("0.0.0.0/0", func(*wire.ReplaceRouteInput) {}), "InvalidParameterCombination", ""},
		{wire.ReplaceRouteInput{DestinationCidrBlock: new("0.0.0.0/0"), GatewayId: &g}, "MissingParameter", ""},
	} {
		fails(b, b.ReplaceRoute, c.in, c.code, c.message)
	}
	drop := func(destination string) wire.DeleteRouteInput {
		return wire.DeleteRouteInput{RouteTableId: &r, DestinationCidrBlock: &destination}
	}
	for _, c := range []struct {
		in            wire.DeleteRouteInput
		code, message string
	}{
		{drop("10.0.0.0/16"), "InvalidParameterValue", "cannot remove local route 10.0.0.0/16 in route table " + r},
		{drop("192.0.2.0/24"), "InvalidRoute.NotFound", "no route with destination-cidr-block 192.0.2.0/24 in route table " + r},
		{wire.DeleteRouteInput{RouteTableId: &r, DestinationPrefixListId: &list}, "InvalidParameterValue", ""},
		{wire.DeleteRouteInput{RouteTableId: &r, DestinationPrefixListId: new("pl-9")}, "InvalidRoute.NotFound", ""},
		{wire.DeleteRouteInput{RouteTableId: &r}, "MissingParameter", ""}, {wire.DeleteRouteInput{DestinationCidrBlock: new("0.0.0.0/0")}, "MissingParameter", ""},
	} {
		fails(b, b.DeleteRoute, c.in, c.code, c.message)
	}
	must(b, b.DeleteRoute, drop("0.0.0.0/0"))
	must(b, b.DeleteRoute, drop("10.0.1.0/24"))
	must(b, b.DeleteRouteTable, wire.DeleteRouteTableInput{RouteTableId: &r})
	if got := get(b, edges.Endpoints, testAccount, "us-east-1", "vpce-1").RouteTables; !slices.Equal(got, []string{"rtb-other"}) {
		t.Errorf("the endpoint is still in %v", got)
	}
}

// TestBlackHoles takes away what a route leads to, and gives it back.
func TestBlackHoles(t *testing.T) {
	b := newBench(t)
	v := b.vpc("10.0.0.0/16")
	r, g := b.table(v), b.gateway(v)
	must(b, b.CreateRoute, wire.CreateRouteInput{RouteTableId: &r, DestinationCidrBlock: new("0.0.0.0/0"), GatewayId: &g})
	state := func(want string) {
		t.Helper()
		if got := b.routes(r)[0]; got != "0.0.0.0/0 "+g+" "+want {
			t.Errorf("route %s, want it %s", got, want)
		}
	}
	state("active")
	must(b, b.DetachInternetGateway, wire.DetachInternetGatewayInput{InternetGatewayId: &g, VpcId: &v})
	state("blackhole")
	must(b, b.AttachInternetGateway, wire.AttachInternetGatewayInput{InternetGatewayId: &g, VpcId: &v})
	state("active")
	must(b, b.DetachInternetGateway, wire.DetachInternetGatewayInput{InternetGatewayId: &g, VpcId: &v})
	must(b, b.DeleteInternetGateway, wire.DeleteInternetGatewayInput{InternetGatewayId: &g})
	state("blackhole")
}
