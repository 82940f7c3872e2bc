package permission

import (
	"errors"
	"strings"
	"testing"

	wire "neargate/aws/ec2"
	"neargate/resource/network"
	"neargate/wire/shape"
)

const account = "123456789012"

func TestParse(t *testing.T) {
	n := func(i int32) *int32 { return &i }
	all := []wire.IpRange{{CidrIp: new("0.0.0.0/0")}}
	for _, c := range []struct {
		name string
		in   wire.IpPermission
		want string // text of the only grant
		code string
		text string
	}{
		{"tcp by number", wire.IpPermission{IpProtocol: new("6"), FromPort: n(80), ToPort: n(81), IpRanges: all}, "peer: 0.0.0.0/0, TCP, from port: 80, to port: 81, ALLOW", "", ""},
		{"udp", wire.IpPermission{IpProtocol: new("UDP"), FromPort: n(0), ToPort: n(65535), IpRanges: all}, "peer: 0.0.0.0/0, UDP, from port: 0, to port: 65535, ALLOW", "", ""},
		{"all ignores ports", wire.IpPermission{IpProtocol: new("-1"), FromPort: n(1), ToPort: n(2), IpRanges: all}, "peer: 0.0.0.0/0, ALL, ALLOW", "", ""},
		{"all by name", wire.IpPermission{IpProtocol: new("all"), IpRanges: all}, "peer: 0.0.0.0/0, ALL, ALLOW", "", ""},
		{"ICMP", wire.IpPermission{IpProtocol: new("icmp"), FromPort: n(8), ToPort: n(-1), IpRanges: all}, "peer: 0.0.0.0/0, ICMP, type: 8, code: ALL, ALLOW", "", ""},
		{"ICMPv6 without type", wire.IpPermission{IpProtocol: new("58"), Ipv6Ranges: []wire.Ipv6Range{{CidrIpv6: new("::/0")}}}, "peer: ::/0, ICMPV6, type: ALL, code: ALL, ALLOW", "", ""},
		{"another protocol", wire.IpPermission{IpProtocol: new("50"), IpRanges: all}, "peer: 0.0.0.0/0, 50, ALLOW", "", ""},
		{"canonical", wire.IpPermission{IpProtocol: new("-1"), IpRanges: []wire.IpRange{{CidrIp: new("10.237.19.7/20")}}}, "peer: 10.237.16.0/20, ALL, ALLOW", "", ""},
		{"group", wire.IpPermission{IpProtocol: new("-1"), UserIdGroupPairs: []wire.UserIdGroupPair{{GroupId: new("sg-1"), UserId: new(account)}}}, "peer: sg-1, ALL, ALLOW", "", ""},
		{"group of another account", wire.IpPermission{IpProtocol: new("-1"), UserIdGroupPairs: []wire.UserIdGroupPair{{GroupId: new("sg-1"), UserId: new("210987654321")}}}, "peer: sg-1, ALL, ALLOW", "", ""},
		{"prefix list", wire.IpPermission{IpProtocol: new("-1"), PrefixListIds: []wire.PrefixListId{{PrefixListId: new("pl-1")}}}, "peer: pl-1, ALL, ALLOW", "", ""},

		{"no protocol", wire.IpPermission{IpRanges: all}, "", "InvalidParameterValue", "Invalid value 'null' for protocol. VPC security group rules must specify protocols explicitly."},
		{"unknown protocol", wire.IpPermission{IpProtocol: new("tpc"), IpRanges: all}, "", "InvalidParameterValue", "Invalid value 'tpc' for IP protocol. Unknown protocol."},
		{"protocol number too large", wire.IpPermission{IpProtocol: new("256"), IpRanges: all}, "", "InvalidParameterValue", ""},
		{"tcp without ports", wire.IpPermission{IpProtocol: new("tcp"), FromPort: n(80), IpRanges: all}, "", "InvalidParameterValue", "Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange."},
		{"icmp without type", wire.IpPermission{IpProtocol: new("icmp"), IpRanges: all}, "", "InvalidParameterValue", "Invalid value 'Must specify both from and to ports with ICMP.' for portRange."},
		{"port out of range", wire.IpPermission{IpProtocol: new("tcp"), FromPort: n(-1), ToPort: n(80), IpRanges: all}, "", "InvalidPermission.Malformed", "TCP/UDP port (-1) out of range"},
		{"ports the wrong way round", wire.IpPermission{IpProtocol: new("tcp"), FromPort: n(81), ToPort: n(80), IpRanges: all}, "", "InvalidParameterValue", "Invalid TCP/UDP port range (81:80)"},
		{"ICMP code without type", wire.IpPermission{IpProtocol: new("icmp"), FromPort: n(-1), ToPort: n(1), IpRanges: all}, "", "InvalidPermission.Malformed", ""},
		{"ICMP type out of range", wire.IpPermission{IpProtocol: new("icmp"), FromPort: n(256), ToPort: n(1), IpRanges: all}, "", "InvalidPermission.Malformed", ""},
		{"malformed CIDR", wire.IpPermission{IpProtocol: new("-1"), IpRanges: []wire.IpRange{{CidrIp: new("10.0.0.0")}}}, "", "InvalidParameterValue", "CIDR block 10.0.0.0 is malformed"},
		{"IPv6 where IPv4 belongs", wire.IpPermission{IpProtocol: new("-1"), IpRanges: []wire.IpRange{{CidrIp: new("::/0")}}}, "", "InvalidParameterValue", ""},
		{"IPv4 where IPv6 belongs", wire.IpPermission{IpProtocol: new("-1"), Ipv6Ranges: []wire.Ipv6Range{{CidrIpv6: new("0.0.0.0/0")}}}, "", "InvalidParameterValue", ""},
		{"twice", wire.IpPermission{IpProtocol: new("-1"), IpRanges: []wire.IpRange{{CidrIp: new("10.0.0.1/8")}, {CidrIp: new("10.0.0.0/8"), Description: new("x")}}}, "", "InvalidParameterValue", "The same permission must not appear multiple times"},
		{"no prefix list", wire.IpPermission{IpProtocol: new("-1"), PrefixListIds: []wire.PrefixListId{{}}}, "", "MissingParameter", ""},
		{"named group of another account", wire.IpPermission{IpProtocol: new("-1"), UserIdGroupPairs: []wire.UserIdGroupPair{{GroupName: new("web"), UserId: new("210987654321")}}}, "", "InvalidGroup.NotFound", ""},
		{"no group", wire.IpPermission{IpProtocol: new("-1"), UserIdGroupPairs: []wire.UserIdGroupPair{{}}}, "", "MissingParameter", ""},
		{"bad description", wire.IpPermission{IpProtocol: new("-1"), IpRanges: []wire.IpRange{{CidrIp: new("10.0.0.0/8"), Description: new("a|b")}}}, "", "InvalidParameterValue", ""},
		{"long description", wire.IpPermission{IpProtocol: new("-1"), IpRanges: []wire.IpRange{{CidrIp: new("10.0.0.0/8"), Description: new(strings.Repeat("x", 256))}}}, "", "InvalidParameterValue", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			grants, err := Parse([]wire.IpPermission{c.in}, true, account)
			if c.code != "" {
				var e *shape.Error
				if !errors.As(err, &e) || e.Code != c.code || c.text != "" && e.Message != c.text {
					t.Fatalf("got %v, want %s: %s", err, c.code, c.text)
				}
				return
			}
			if err != nil || len(grants) != 1 || Text(grants[0].Permission) != c.want || !grants[0].Egress {
				t.Errorf("got %+v, %v", grants, err)
			}
		})
	}
}

func TestFromRule(t *testing.T) {
	g, err := FromRule(&wire.SecurityGroupRuleRequest{IpProtocol: new("-1"), ReferencedGroupId: new("sg-1"), Description: new("d")}, false)
	want := network.Permission{Protocol: network.AllProtocols, From: -1, To: -1, Peer: "sg-1"}
	if err != nil || g.Permission != want || *g.Description != "d" {
		t.Errorf("got %+v, %v", g, err)
	}
	if _, err := FromRule(&wire.SecurityGroupRuleRequest{IpProtocol: new("-1")}, false); !shape.IsCode(err, "InvalidParameterCombination") {
		t.Errorf("without a peer: %v", err)
	}
}
