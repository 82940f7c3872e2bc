package node

import (
	"net"
	"net/netip"
	"os"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// dual gives the tenant's default VPC and its first subnet IPv6, with a route to the
// internet gateway, and has tasks take part.
func (c *tenant) dual(t *testing.T) {
	t.Helper()
	_, err := c.ec2.AssociateVpcCidrBlock(t.Context(), &ec2.AssociateVpcCidrBlockInput{VpcId: aws.String(c.vpc), AmazonProvidedIpv6CidrBlock: aws.Bool(true)})
	ok(t, err)
	vpcs, err := c.ec2.DescribeVpcs(t.Context(), &ec2.DescribeVpcsInput{VpcIds: []string{c.vpc}})
	ok(t, err)
	block, err := netip.ParsePrefix(*vpcs.Vpcs[0].Ipv6CidrBlockAssociationSet[0].Ipv6CidrBlock)
	ok(t, err)
	_, err = c.ec2.AssociateSubnetCidrBlock(t.Context(), &ec2.AssociateSubnetCidrBlockInput{SubnetId: aws.String(c.subnets[0]),
		Ipv6CidrBlock: aws.String(netip.PrefixFrom(block.Addr(), 64).String())})
	ok(t, err)
	gateways, err := c.ec2.DescribeInternetGateways(t.Context(), &ec2.DescribeInternetGatewaysInput{})
	ok(t, err)
	tables, err := c.ec2.DescribeRouteTables(t.Context(), &ec2.DescribeRouteTablesInput{})
	ok(t, err)
	_, err = c.ec2.CreateRoute(t.Context(), &ec2.CreateRouteInput{RouteTableId: tables.RouteTables[0].RouteTableId,
		DestinationIpv6CidrBlock: aws.String("::/0"), GatewayId: gateways.InternetGateways[0].InternetGatewayId})
	ok(t, err)
	_, err = c.ecs.PutAccountSetting(t.Context(), &ecs.PutAccountSettingInput{Name: "dualStackIPv6", Value: aws.String("enabled")})
	ok(t, err)
}

// tcp6 permits a port to a range of IPv6 addresses.
func tcp6(port int32, cidr string) ec2types.IpPermission {
	return ec2types.IpPermission{IpProtocol: aws.String("tcp"), FromPort: aws.Int32(port), ToPort: aws.Int32(port),
		Ipv6Ranges: []ec2types.Ipv6Range{{CidrIpv6: aws.String(cidr)}}}
}

// dualStack: tasks in a dual-stack subnet answer over IPv6, each other and the host,
// as their security groups let them.
func dualStack(t *testing.T, c *tenant) {
	if _, err := os.Stat("/proc/net/if_inet6"); err != nil {
		t.Skip("the kernel has no IPv6")
	}
	c.dual(t)
	web := c.group(t, "web6")
	c.allow(t, web, tcp(8080, "0.0.0.0/0"))
	c.allow(t, web, tcp6(80, "::/0"))
	peer := func() (public, six string) {
		network := c.place(web)
		network.AwsvpcConfiguration.Subnets = c.subnets[:1]
		arn := c.start(t, ecs.RunTaskInput{TaskDefinition: aws.String(c.define(t, definition{ContainerDefinitions: []types.ContainerDefinition{
			guestContainer("main", "serve", ":8080"), guestContainer("web", "serve", ":80")}})), NetworkConfiguration: network})
		task := c.running(t, arn)
		_, public = c.addresses(t, task)
		six = aws.ToString(task.Containers[0].NetworkInterfaces[0].Ipv6Address)
		if a, err := netip.ParseAddr(six); err != nil || !a.Is6() {
			t.Fatalf("%q is no IPv6 address: %s", six, told(task))
		}
		return public + ":8080", six
	}
	one, _ := peer()
	two, six := peer()
	answers(t, one)
	answers(t, two)
	reachable(t, one, net.JoinHostPort(six, "80"), "open")
	reachable(t, one, net.JoinHostPort(six, "8080"), "silent")
	answers(t, net.JoinHostPort(six, "80"))
	_, err := c.ec2.RevokeSecurityGroupIngress(t.Context(), &ec2.RevokeSecurityGroupIngressInput{GroupId: aws.String(web),
		IpPermissions: []ec2types.IpPermission{tcp6(80, "::/0")}})
	ok(t, err)
	reachable(t, one, net.JoinHostPort(six, "80"), "silent")
	answers(t, two)
}
