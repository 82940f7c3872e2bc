package e2e

import (
	"net/http"
	"strings"
	"testing"
)

// network keeps the ids of the account's default network.
func (c *client) network(t *testing.T) {
	t.Helper()
	c.run(t, "ec2", []row{
		{source: "setup", op: "DescribeVpcs", keep: "VPC=vpcSet.0.vpcId"},
		{source: "setup", op: "DescribeSubnets", keep: "SUBNET=subnetSet.0.subnetId"},
	})
}

func TestRecordedDefaultNetwork(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.network(t)
	c.run(t, "ec2", []row{
		{source: "form of an answer", op: "DescribeVpcs", want: []string{
			`raw ~ ^<\?xml version="1.0" encoding="UTF-8"\?>\n<DescribeVpcsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>[0-9a-f-]{36}</requestId><vpcSet>`,
			`vpcSet.0.cidrBlock = "172.31.0.0/16"`, `vpcSet.0.isDefault = "true"`, `vpcSet.0.state = "available"`, `vpcSet.0.vpcId ~ ^vpc-[0-9a-f]{17}$$`,
			`vpcSet.0.cidrBlockAssociationSet.0.cidrBlockState.state = "associated"`, `vpcSet.0.cidrBlockAssociationSet.0.associationId ~ ^vpc-cidr-assoc-[0-9a-f]{17}$$`,
			`vpcSet.0.blockPublicAccessStates.internetGatewayBlockMode = "off"`, `!vpcSet.0.ipv6CidrBlockAssociationSet`, `vpcSet.0.dhcpOptionsId ~ ^dopt-[0-9a-f]{17}$$`}},
		{source: "unknown id", op: "DescribeVpcs", in: "VpcId.1=vpc-invalid", fails: "InvalidVpcID.NotFound: The vpc ID 'vpc-invalid' does not exist"},
		{source: "enableDnsSupport", op: "DescribeVpcAttribute", in: "VpcId=$VPC&Attribute=enableDnsSupport", want: []string{`enableDnsSupport.value = "true"`}},
		{source: "a subnet", op: "DescribeSubnets", in: "SubnetId.1=$SUBNET", want: []string{
			`subnetSet.# = 1`, `subnetSet.0.state = "available"`, `subnetSet.0.subnetArn = "arn:aws:ec2:us-east-1:$ACCOUNT:subnet/$SUBNET"`, `subnetSet.0.availabilityZoneId`,
			`subnetSet.0.ipv6CidrBlockAssociationSet = ""`, `subnetSet.0.privateDnsNameOptionsOnLaunch = {"hostnameType":"ip-name","enableResourceNameDnsARecord":"false","enableResourceNameDnsAAAARecord":"false"}`,
			`subnetSet.0.mapCustomerOwnedIpOnLaunch = "false"`, `subnetSet.0.assignIpv6AddressOnCreation = "false"`, `subnetSet.0.ipv6Native = "false"`, `subnetSet.0.enableDns64 = "false"`,
			`subnetSet.0.blockPublicAccessStates.internetGatewayBlockMode = "off"`, `subnetSet.0.availableIpAddressCount = "4091"`}},
		{source: "one missing id among good ones", op: "DescribeSubnets", in: "SubnetId.1=$SUBNET&SubnetId.2=subnet-0123456789abcdef0", fails: "InvalidSubnetID.NotFound: The subnet ID 'subnet-0123456789abcdef0' does not exist"},
		{source: "main route table", op: "DescribeRouteTables", want: []string{
			`routeTableSet.# = 1`, `routeTableSet.0.associationSet.# = 1`, `routeTableSet.0.associationSet.0.main = "true"`, `!routeTableSet.0.associationSet.0.subnetId`,
			`routeTableSet.0.associationSet.0.associationState.state = "associated"`, `routeTableSet.0.associationSet.0.routeTableAssociationId ~ ^rtbassoc-[0-9a-f]{17}$$`,
			`routeTableSet.0.propagatingVgwSet = ""`, `routeTableSet.0.tagSet = ""`, `routeTableSet.0.routeSet.0.origin = "CreateRoute"`,
			`routeTableSet.0.routeSet.1 = {"destinationCidrBlock":"172.31.0.0/16","gatewayId":"local","origin":"CreateRouteTable","state":"active"}`}},
		{source: "unknown route table", op: "DescribeRouteTables", in: "RouteTableId.1=rtb-0123456789abcdef0", fails: "InvalidRouteTableID.NotFound: The routeTable ID 'rtb-0123456789abcdef0' does not exist"},
		{source: "gateway attachment", op: "DescribeInternetGateways", in: "Filter.1.Name=attachment.state&Filter.1.Value.1=available", want: []string{
			`internetGatewaySet.0.attachmentSet = [{"state":"available","vpcId":"$VPC"}]`, `internetGatewaySet.0.internetGatewayId ~ ^igw-[0-9a-f]{17}$$`}},
		{source: "gateway attachment", op: "DescribeInternetGateways", in: "Filter.1.Name=attachment.state&Filter.1.Value.1=attached", want: []string{`internetGatewaySet = ""`}},
		{source: "unknown filter", op: "DescribeInternetGateways", in: "Filter.1.Name=unsupported-probe-filter&Filter.1.Value.1=x", fails: "InvalidParameterValue: The filter 'unsupported-probe-filter' is invalid"},
		{source: "default ACL", op: "DescribeNetworkAcls", want: []string{
			`networkAclSet.0.associationSet.# = 6`, `networkAclSet.0.associationSet.0.networkAclAssociationId ~ ^aclassoc-[0-9a-f]{17}$$`, `networkAclSet.0.tagSet = ""`,
			`networkAclSet.0.entrySet = [{"cidrBlock":"0.0.0.0/0","egress":"true","protocol":"-1","ruleAction":"allow","ruleNumber":"100"},
				{"cidrBlock":"0.0.0.0/0","egress":"true","protocol":"-1","ruleAction":"deny","ruleNumber":"32767"},
				{"cidrBlock":"0.0.0.0/0","egress":"false","protocol":"-1","ruleAction":"allow","ruleNumber":"100"},
				{"cidrBlock":"0.0.0.0/0","egress":"false","protocol":"-1","ruleAction":"deny","ruleNumber":"32767"}]`}},
		{source: "unknown ACL", op: "DescribeNetworkAcls", in: "NetworkAclId.1=acl-0123456789abcdef0", fails: "InvalidNetworkAclID.NotFound: The networkAcl ID 'acl-0123456789abcdef0' does not exist"},
		{source: "default group", op: "DescribeSecurityGroups", want: []string{
			`securityGroupInfo.# = 1`, `securityGroupInfo.0.groupName = "default"`, `securityGroupInfo.0.groupDescription = "default VPC security group"`, `!securityGroupInfo.0.tagSet`,
			`securityGroupInfo.0.ipPermissions.0.ipProtocol = "-1"`, `!securityGroupInfo.0.ipPermissions.0.fromPort`, `securityGroupInfo.0.ipPermissions.0.ipRanges = ""`,
			`securityGroupInfo.0.ipPermissions.0.groups.0.userId = "$ACCOUNT"`, `securityGroupInfo.0.ipPermissions.0.ipv6Ranges = ""`, `securityGroupInfo.0.ipPermissions.0.prefixListIds = ""`,
			`securityGroupInfo.0.ipPermissionsEgress = [{"ipProtocol":"-1","ipRanges":[{"cidrIp":"0.0.0.0/0"}],"ipv6Ranges":"","prefixListIds":"","groups":""}]`}},
		{source: "wrong case of a list", op: "DescribeVpcs", in: "vpcId.1=$VPC", fails: "UnknownParameter: The parameter vpcId is not recognized"},
		{source: "gaps and zero in lists", op: "DescribeVpcs", in: "VpcId.0=$VPC&Filter.7.Name=vpc-id&Filter.7.Value.3=$VPC", want: []string{`vpcSet.# = 1`}},
		{source: "unindexed and leading zero", op: "DescribeVpcs", in: "VpcId=$VPC&Filter.007.Name=vpc-id&Filter.007.Value=$VPC", want: []string{`vpcSet.# = 1`}},
		{source: "non-numeric index binds an empty id", op: "DescribeVpcs", in: "VpcId.x=$VPC", fails: "InvalidVpcID.NotFound: The vpc ID '' does not exist"},
		{source: "the last of two scalars", op: "DescribeVpcAttribute", in: "VpcId=vpc-x&VpcId=$VPC&Attribute=enableDnsSupport", want: []string{`vpcId = "$VPC"`}},
		{source: "DryRun", op: "DescribeVpcs", in: "DryRun=true", code: 412, fails: "DryRunOperation: Request would have succeeded, but DryRun flag is set."},
		{source: "DryRun before validation", op: "DescribeVpcs", in: "DryRun=true&Filter.1.Name=bogus", code: 412, fails: "DryRunOperation: Request would have succeeded, but DryRun flag is set."},
		{source: "DryRun before validation", op: "DeleteSecurityGroup", in: "DryRun=true&GroupId=sg-0123456789abcdef0", code: 412, fails: "DryRunOperation: Request would have succeeded, but DryRun flag is set."},
		{source: "MaxResults with ids", op: "DescribeSubnets", in: "SubnetId.1=$SUBNET&MaxResults=5", fails: "InvalidParameterCombination: The parameter SubnetIds cannot be used with the parameter MaxResults"},
		{source: "token with ids", op: "DescribeSubnets", in: "SubnetId.1=$SUBNET&NextToken=x", fails: "InvalidParameterCombination: The parameter SubnetIds cannot be used with the parameter NextToken"},
		{source: "bad token", op: "DescribeSubnets", in: "NextToken=stackd-invalid-token", fails: "InvalidParameterValue: Value ( stackd-invalid-token ) for parameter NextToken is invalid. The token is invalid."},
		{source: "six subnets", op: "DescribeSubnets", in: "MaxResults=5", want: []string{`subnetSet.# = 5`}, keep: "TOKEN=nextToken"},
		{source: "page size left out, filters changed", op: "DescribeSubnets", in: "NextToken=$TOKEN&Filter.1.Name=state&Filter.1.Value.1=available", want: []string{`subnetSet.# = 1`, `!nextToken`}},
		{source: "token of another operation", op: "DescribeVpcs", in: "NextToken=$TOKEN", fails: "InvalidParameterValue: Value ( $TOKEN ) for parameter NextToken is invalid. The token is invalid."},
	})
	c.in("eu-west-1").run(t, "ec2", []row{{source: "token of another region", op: "DescribeSubnets", in: "NextToken=$TOKEN",
		fails: "InvalidParameterValue: Value ( $TOKEN ) for parameter NextToken is invalid. The token is invalid."}})
	small := c.call(t, "ec2", "DescribeSubnets", "MaxResults=4", nil)
	if code, _ := at(small.value, "Errors.Error.Code"); code != "InvalidParameterValue" || small.status != http.StatusBadRequest {
		t.Errorf("MaxResults 4: %s", small.body)
	}
}

func TestRecordedSecurityGroups(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.network(t)
	const (
		rule     = "IpPermissions.1.IpProtocol=tcp&IpPermissions.1.FromPort=8080&IpPermissions.1.ToPort=8080&IpPermissions.1.IpRanges.1.CidrIp="
		notFound = "InvalidPermission.NotFound: The specified rule does not exist in this security group."
	)
	c.run(t, "ec2", []row{
		{source: "create", op: "CreateSecurityGroup", in: "GroupName=g&GroupDescription=d&VpcId=$VPC", want: []string{
			`return = "true"`, `groupId ~ ^sg-[0-9a-f]{17}$$`, `securityGroupArn ~ ^arn:aws:ec2:us-east-1:$ACCOUNT:security-group/sg-`, `!tagSet`}, keep: "GROUP=groupId"},
		{source: "new group", op: "DescribeSecurityGroups", in: "GroupId.1=$GROUP", want: []string{`securityGroupInfo.0.ipPermissions = ""`, `securityGroupInfo.0.ipPermissionsEgress.# = 1`, `!securityGroupInfo.0.tagSet`}},
		{source: "same name", op: "CreateSecurityGroup", in: "GroupName=g&GroupDescription=d&VpcId=$VPC", fails: "InvalidGroup.Duplicate: The security group 'g' already exists for VPC '$VPC'"},
		{source: "tags given", op: "CreateSecurityGroup", in: "GroupName=h&GroupDescription=d&VpcId=$VPC&TagSpecification.1.ResourceType=security-group&TagSpecification.1.Tag.1.Key=a&TagSpecification.1.Tag.1.Value=1",
			want: []string{`tagSet = [{"key":"a","value":"1"}]`}, keep: "OTHER=groupId"},
		{source: "authorize", op: "AuthorizeSecurityGroupIngress", in: "GroupId=$GROUP&" + rule + "10.237.17.7/24&IpPermissions.1.IpRanges.1.Description=x", want: []string{
			`return = "true"`, `securityGroupRuleSet.0.cidrIpv4 = "10.237.17.0/24"`, `securityGroupRuleSet.0.description = "x"`, `securityGroupRuleSet.0.groupOwnerId = "$ACCOUNT"`,
			`securityGroupRuleSet.0.isEgress = "false"`, `securityGroupRuleSet.0.securityGroupRuleId ~ ^sgr-[0-9a-f]{17}$$`, `securityGroupRuleSet.0.securityGroupRuleArn`, `!securityGroupRuleSet.0.tagSet`}},
		{source: "duplicate", op: "AuthorizeSecurityGroupIngress", in: "GroupId=$GROUP&" + rule + "10.237.17.0/24",
			fails: `InvalidPermission.Duplicate: the specified rule "peer: 10.237.17.0/24, TCP, from port: 8080, to port: 8080, ALLOW" already exists`},
		{source: "rules", op: "DescribeSecurityGroupRules", in: "Filter.1.Name=group-id&Filter.1.Value.1=$GROUP", want: []string{
			`raw ~ <fromPort>-1</fromPort>`, `raw ~ <toPort>-1</toPort>`, `securityGroupRuleSet.0.tagSet = ""`, `securityGroupRuleSet.1.tagSet = ""`}},
		{source: "revoke without the description", op: "RevokeSecurityGroupIngress", in: "GroupId=$GROUP&" + rule + "10.237.17.0/24", want: []string{
			`return = "true"`, `revokedSecurityGroupRuleSet.# = 1`, `revokedSecurityGroupRuleSet.0.description = "x"`, `!revokedSecurityGroupRuleSet.0.groupOwnerId`, `!revokedSecurityGroupRuleSet.0.securityGroupRuleArn`}},
		{source: "revoke again", op: "RevokeSecurityGroupIngress", in: "GroupId=$GROUP&" + rule + "10.237.17.0/24", fails: notFound},
		{source: "describe an absent rule", op: "UpdateSecurityGroupRuleDescriptionsIngress", in: "GroupId=$GROUP&" + rule + "10.0.0.0/8&IpPermissions.1.IpRanges.1.Description=z", fails: notFound},
		{source: "missing reference", op: "AuthorizeSecurityGroupIngress", in: "GroupId=$GROUP&IpPermissions.1.IpProtocol=-1&IpPermissions.1.Groups.1.GroupId=sg-0123456789abcdef0",
			fails: "InvalidGroup.NotFound: The security group 'sg-0123456789abcdef0' does not exist"},
		{source: "reference", op: "AuthorizeSecurityGroupIngress", in: "GroupId=$GROUP&IpPermissions.1.IpProtocol=-1&IpPermissions.1.Groups.1.GroupId=$OTHER", want: []string{
			`securityGroupRuleSet.0.referencedGroupInfo = {"groupId":"$OTHER","userId":"$ACCOUNT"}`}, keep: "RULE=securityGroupRuleSet.0.securityGroupRuleId"},
		{source: "delete while referenced", op: "DeleteSecurityGroup", in: "GroupId=$OTHER", fails: "DependencyViolation: resource $OTHER has a dependent object"},
		{source: "revoke by id", op: "RevokeSecurityGroupIngress", in: "GroupId=$GROUP&SecurityGroupRuleId.1=$RULE", want: []string{`revokedSecurityGroupRuleSet.0.referencedGroupId = "$OTHER"`}},
		{source: "attached to an interface", op: "CreateNetworkInterface", in: "SubnetId=$SUBNET&SecurityGroupId.1=$OTHER", keep: "ENI=networkInterface.networkInterfaceId"},
		{source: "delete while attached", op: "DeleteSecurityGroup", in: "GroupId=$OTHER", fails: "DependencyViolation: resource $OTHER has a dependent object"},
		{source: "unattached", op: "DeleteNetworkInterface", in: "NetworkInterfaceId=$ENI", want: []string{`return = "true"`}},
		{source: "delete", op: "DeleteSecurityGroup", in: "GroupId=$OTHER", want: []string{`return = "true"`}},
		{source: "deleted id", op: "DescribeSecurityGroups", in: "GroupId.1=$OTHER", fails: "InvalidGroup.NotFound: The security group '$OTHER' does not exist"},
		{source: "all-zero id", op: "DescribeSecurityGroups", in: "GroupId.1=sg-00000000000000000", fails: `InvalidGroupId.Malformed: Invalid id: "sg-00000000000000000"`},
		{source: "tags merge", op: "CreateTags", in: "ResourceId.1=$GROUP&Tag.1.Key=Name&Tag.1.Value=n&Tag.2.Key=Empty&Tag.2.Value=&Tag.3.Key=stackd:probe&Tag.3.Value=p", want: []string{`return = "true"`}},
		{source: "overwrite", op: "CreateTags", in: "ResourceId.1=$GROUP&Tag.1.Key=Name&Tag.1.Value=m"},
		{source: "non-matching value removes nothing", op: "DeleteTags", in: "ResourceId.1=$GROUP&Tag.1.Key=Name&Tag.1.Value=zz", want: []string{`return = "true"`}},
		{source: "sorted by key", op: "DescribeTags", want: []string{`tagSet = [{"key":"Empty","resourceId":"$GROUP","resourceType":"security-group","value":""},
			{"key":"Name","resourceId":"$GROUP","resourceType":"security-group","value":"m"},{"key":"stackd:probe","resourceId":"$GROUP","resourceType":"security-group","value":"p"}]`}},
		{source: "the key alone", op: "DeleteTags", in: "ResourceId.1=$GROUP&Tag.1.Key=Name"},
		{source: "the key alone", op: "DescribeTags", want: []string{`tagSet.# = 2`}},
	})
	unknown := c.call(t, "ec2", "RevokeSecurityGroupIngress", c.expand("GroupId=$GROUP&SecurityGroupRuleId.1=sgr-0123456789abcdef0"), nil)
	if !strings.Contains(unknown.body, "<Code>InvalidSecurityGroupRuleId.NotFound</Code>") {
		t.Errorf("unknown rule id: %s", unknown.body)
	}
}

func TestRecordedSecurityGroupPages(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.network(t)
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		c.run(t, "ec2", []row{{source: "setup", op: "CreateSecurityGroup", in: "GroupDescription=d&VpcId=$VPC&GroupName=" + name}})
	}
	c.run(t, "ec2", []row{
		{source: "seven groups", op: "DescribeSecurityGroups", in: "MaxResults=5", want: []string{`securityGroupInfo.# = 5`}, keep: "TOKEN=nextToken"},
		{source: "the second page has a token", op: "DescribeSecurityGroups", in: "MaxResults=5&NextToken=$TOKEN", want: []string{`securityGroupInfo.# = 2`}, keep: "TOKEN=nextToken"},
		{source: "until the token is absent", op: "DescribeSecurityGroups", in: "MaxResults=5&NextToken=$TOKEN", want: []string{`securityGroupInfo = ""`, `!nextToken`}},
	})
}

func TestRecordedInterfaces(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.network(t)
	const mismatch = "IdempotentParameterMismatch: Arguments on this idempotent request are inconsistent with arguments used in previous request(s)."
	const tags = "&TagSpecification.1.ResourceType=network-interface&TagSpecification.1.Tag.1.Key=a&TagSpecification.1.Tag.1.Value="
	c.run(t, "ec2", []row{
		{source: "setup", op: "CreateSecurityGroup", in: "GroupName=g&GroupDescription=d&VpcId=$VPC", keep: "G=groupId"},
		{source: "setup", op: "CreateSecurityGroup", in: "GroupName=h&GroupDescription=d&VpcId=$VPC", keep: "H=groupId"},
		{source: "create", op: "CreateNetworkInterface", in: "SubnetId=$SUBNET&ClientToken=t&SecurityGroupId.1=$G&SecurityGroupId.2=$H&SecondaryPrivateIpAddressCount=2" + tags + "1", want: []string{
			`networkInterface.status = "pending"`, `networkInterface.requesterManaged = "false"`, `networkInterface.requesterId = "$ACCOUNT"`, `networkInterface.interfaceType = "interface"`,
			`networkInterface.sourceDestCheck = "true"`, `networkInterface.operator = {"managed":"false"}`, `!networkInterface.publicDnsName`, `networkInterface.privateIpAddressesSet.# = 3`,
			`networkInterface.macAddress ~ ^12(:[0-9a-f]{2}){5}$$`, `networkInterface.tagSet = [{"key":"a","value":"1"}]`}, keep: "ENI=networkInterface.networkInterfaceId"},
		{source: "describe", op: "DescribeNetworkInterfaces", in: "NetworkInterfaceId.1=$ENI", want: []string{
			`networkInterfaceSet.0.status = "available"`, `networkInterfaceSet.0.operator = {"hiddenByDefault":"false","managed":"false"}`, `networkInterfaceSet.0.publicDnsName = ""`}},
		{source: "three addresses taken", op: "DescribeSubnets", in: "SubnetId.1=$SUBNET", want: []string{`subnetSet.0.availableIpAddressCount = "4088"`}},
		{source: "mutate", op: "ModifyNetworkInterfaceAttribute", in: "NetworkInterfaceId=$ENI&Description.Value=later"},
		{source: "mutate", op: "CreateTags", in: "ResourceId.1=$ENI&Tag.1.Key=a&Tag.1.Value=9"},
		{source: "replay: current description, the request's tags; group order and tags do not matter", op: "CreateNetworkInterface",
			in:   "SubnetId=$SUBNET&ClientToken=t&SecurityGroupId.1=$H&SecurityGroupId.2=$G&SecondaryPrivateIpAddressCount=2" + tags + "2",
			want: []string{`networkInterface.networkInterfaceId = "$ENI"`, `networkInterface.description = "later"`, `networkInterface.tagSet = [{"key":"a","value":"1"}]`}},
		{source: "an explicit InterfaceType differs", op: "CreateNetworkInterface", in: "SubnetId=$SUBNET&ClientToken=t&SecurityGroupId.1=$G&SecurityGroupId.2=$H&SecondaryPrivateIpAddressCount=2&InterfaceType=interface" + tags + "1", fails: mismatch},
		{source: "mismatch", op: "CreateNetworkInterface", in: "SubnetId=$SUBNET&ClientToken=t", fails: mismatch},
		{source: "groups left out", op: "CreateNetworkInterface", in: "SubnetId=$SUBNET", want: []string{`networkInterface.groupSet.0.groupName = "default"`}, keep: "ADDRESS=networkInterface.privateIpAddress"},
	})
	used := c.call(t, "ec2", "CreateNetworkInterface", c.expand("SubnetId=$SUBNET&PrivateIpAddress=$ADDRESS"), nil)
	if !strings.Contains(used.body, "<Code>InvalidIPAddress.InUse</Code>") {
		t.Errorf("address in use: %s", used.body)
	}
}

func TestRecordedTaskInterfaces(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.fargate(t)
	c.run(t, "ec2", []row{{source: "setup", op: "CreateSecurityGroup", in: "GroupName=g&GroupDescription=d&VpcId=$VPC", keep: "GROUP=groupId"}})
	c.run(t, "ecs", []row{
		{source: "setup", op: "RunTask", in: `{"cluster":"web","taskDefinition":"app","launchType":"FARGATE","networkConfiguration":{"awsvpcConfiguration":{"subnets":["$SUBNET"],"securityGroups":["$GROUP"]}}}`,
			keep: "TASK=tasks.0.taskArn ATTACHMENT=tasks.0.attachments.0.id"},
		{source: "setup", op: "DescribeTasks", in: `{"cluster":"web","tasks":["$TASK"]}`, await: true, want: []string{`tasks.0.lastStatus = "RUNNING"`}, keep: "ENI=tasks.0.attachments.0.details.1.value"},
	})
	c.run(t, "ec2", []row{
		{source: "a task's interface", op: "DescribeNetworkInterfaces", in: "NetworkInterfaceId.1=$ENI", want: []string{
			`networkInterfaceSet.0.requesterManaged = "true"`, `networkInterfaceSet.0.description = "arn:aws:ecs:us-east-1:$ACCOUNT:attachment/$ATTACHMENT"`,
			`networkInterfaceSet.0.attachment.deviceIndex = "1"`, `networkInterfaceSet.0.attachment.deleteOnTermination = "false"`, `networkInterfaceSet.0.status = "in-use"`,
			`networkInterfaceSet.0.privateIpAddressesSet.# = 1`, `networkInterfaceSet.0.attachment.instanceOwnerId ~ ^[0-9]{12}$$`, `networkInterfaceSet.0.requesterId`}},
		{source: "delete", op: "DeleteNetworkInterface", in: "NetworkInterfaceId=$ENI", fails: "InvalidParameterValue: Network interface '$ENI' is currently in use."},
		{source: "its group", op: "DeleteSecurityGroup", in: "GroupId=$GROUP", fails: "DependencyViolation: resource $GROUP has a dependent object"},
	})
	change := c.call(t, "ec2", "ModifyNetworkInterfaceAttribute", c.expand("NetworkInterfaceId=$ENI&Description.Value=x"), nil)
	if !strings.Contains(change.body, "<Code>AuthFailure</Code>") {
		t.Errorf("a customer's change: %s", change.body)
	}
}
