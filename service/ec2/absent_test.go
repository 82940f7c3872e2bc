package ec2

import (
	"fmt"
	"testing"

	wire "neargate/aws/ec2"
)

// TestVpnGateways has none of them, and says so as AWS does.
func TestVpnGateways(t *testing.T) {
	b := newBench(t)
	f := b.defaults()
	table := *must(b, b.CreateRouteTable, wire.CreateRouteTableInput{VpcId: &f.Vpc.ID}).RouteTable.RouteTableId
	gone, none := "vgw-01234567890123456", "rtb-01234567890123456"
	for _, filters := range [][]wire.Filter{nil, where("attachment.vpc-id", f.Vpc.ID), where("tag:Name", "x"), where("state", "available")} {
		if out := must(b, b.DescribeVpnGateways, wire.DescribeVpnGatewaysInput{Filters: filters}); out.VpnGateways == nil || len(out.VpnGateways) != 0 {
			t.Errorf("gateways %v", out.VpnGateways)
		}
	}
	for _, c := range []struct {
		in            wire.DescribeVpnGatewaysInput
		code, message string
	}{
		{wire.DescribeVpnGatewaysInput{DryRun: new(true)}, "DryRunOperation", ""},
		{wire.DescribeVpnGatewaysInput{Filters: where("vpc-id", "x")}, "InvalidParameterValue", "The filter 'vpc-id' is invalid"},
		{wire.DescribeVpnGatewaysInput{VpnGatewayIds: []string{gone}}, "InvalidVpnGatewayID.NotFound", "The vpnGateway ID '" + gone + "' does not exist"},
		{wire.DescribeVpnGatewaysInput{VpnGatewayIds: []string{gone, "igw-1"}}, "InvalidVpnGatewayID.Malformed", `Invalid id: "igw-1" (expecting "vgw-...")`},
	} {
		fails(b, b.DescribeVpnGateways, c.in, c.code, c.message)
	}
	for _, c := range []struct {
		table, gateway *string
		dry            bool
		code, message  string
	}{
		{&table, &gone, true, "DryRunOperation", ""},
		{nil, &gone, false, "MissingParameter", ""},
		{&table, nil, false, "MissingParameter", ""},
		{&none, &gone, false, "InvalidRouteTableID.NotFound", "The routeTable ID '" + none + "' does not exist"},
		{&table, &gone, false, "InvalidVpnGatewayID.NotFound", "The vpnGateway ID '" + gone + "' does not exist"},
		{&table, new("vgw-x"), false, "InvalidVpnGatewayID.Malformed", `Invalid id: "vgw-x"`},
	} {
		fails(b, b.EnableVgwRoutePropagation, wire.EnableVgwRoutePropagationInput{RouteTableId: c.table, GatewayId: c.gateway, DryRun: &c.dry}, c.code, c.message)
		fails(b, b.DisableVgwRoutePropagation, wire.DisableVgwRoutePropagationInput{RouteTableId: c.table, GatewayId: c.gateway, DryRun: &c.dry}, c.code, c.message)
	}
	shown := must(b, b.DescribeRouteTables, wire.DescribeRouteTablesInput{RouteTableIds: []string{table}}).RouteTables
	if len(shown[0].PropagatingVgws) != 0 {
		t.Errorf("propagating %+v", shown[0].PropagatingVgws)
	}
}

// TestEndpointConnections has no endpoint services of customers to connect to.
func TestEndpointConnections(t *testing.T) {
	b := newBench(t)
	service, one := "vpce-svc-01234567890123456", []string{"vpce-01234567890123456"}
	for _, c := range []struct {
		service       *string
		endpoints     []string
		dry           bool
		code, message string
	}{
		{&service, one, true, "DryRunOperation", ""},
		{nil, one, false, "MissingParameter", ""},
		{&service, nil, false, "MissingParameter", ""},
		{new("svc"), one, false, "InvalidVpcEndpointServiceId.Malformed", "Invalid Id: 'svc'"},
		{&service, []string{"vpce"}, false, "InvalidVpcEndpointId.Malformed", ""},
		{&service, one, false, "InvalidVpcEndpointServiceId.NotFound", fmt.Sprintf("The VpcEndpointService Id '%s' does not exist", service)},
	} {
		fails(b, b.AcceptVpcEndpointConnections, wire.AcceptVpcEndpointConnectionsInput{ServiceId: c.service, VpcEndpointIds: c.endpoints, DryRun: &c.dry}, c.code, c.message)
		fails(b, b.RejectVpcEndpointConnections, wire.RejectVpcEndpointConnectionsInput{ServiceId: c.service, VpcEndpointIds: c.endpoints, DryRun: &c.dry}, c.code, c.message)
	}
	out := must(b, b.DescribeVpcEndpointConnections, wire.DescribeVpcEndpointConnectionsInput{Filters: where("service-id", service), MaxResults: new(int32(5))})
	if out.VpcEndpointConnections == nil || len(out.VpcEndpointConnections) != 0 || out.NextToken != nil {
		t.Errorf("connections %+v", out)
	}
	for _, in := range []wire.DescribeVpcEndpointConnectionsInput{
		{Filters: where("odd", "x")}, {MaxResults: new(int32(4))}, {NextToken: new("x")},
	} {
		fails(b, b.DescribeVpcEndpointConnections, in, "InvalidParameterValue", "")
	}
	fails(b, b.DescribeVpcEndpointConnections, wire.DescribeVpcEndpointConnectionsInput{DryRun: new(true)}, "DryRunOperation", "")
}
