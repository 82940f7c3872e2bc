package node

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
)

// endpointServices are those that a task in a private subnet needs, whose image is in
// ECR, whose logs go to CloudWatch, and whose secrets come from both stores. Amazon
// S3's endpoint is a gateway.
var endpointServices = []string{"ecr.api", "ecr.dkr", "logs", "s3", "secretsmanager", "ssm"}

// subnet is a private subnet of a VPC built by hand.
type subnet struct {
	*tenant
	vpc, id, table string
	own, doors     string // security groups: of tasks, of the endpoints
}

// privateSubnet builds a VPC without a way to the internet.
func (c *tenant) privateSubnet(t *testing.T) *subnet {
	t.Helper()
	ctx, s := t.Context(), &subnet{tenant: c}
	v, err := c.ec2.CreateVpc(ctx, &ec2.CreateVpcInput{CidrBlock: aws.String("10.0.0.0/16")})
	ok(t, err)
	s.vpc = *v.Vpc.VpcId
	on := &ec2types.AttributeBooleanValue{Value: aws.Bool(true)}
	_, err = c.ec2.ModifyVpcAttribute(ctx, &ec2.ModifyVpcAttributeInput{VpcId: &s.vpc, EnableDnsHostnames: on})
	ok(t, err)
	made, err := c.ec2.CreateSubnet(ctx, &ec2.CreateSubnetInput{VpcId: &s.vpc, CidrBlock: aws.String("10.0.1.0/24"), AvailabilityZone: aws.String(c.region + "a")})
	ok(t, err)
	s.id = *made.Subnet.SubnetId
	tables, err := c.ec2.DescribeRouteTables(ctx, &ec2.DescribeRouteTablesInput{Filters: []ec2types.Filter{{Name: aws.String("vpc-id"), Values: []string{s.vpc}}}})
	ok(t, err)
	s.table = *tables.RouteTables[0].RouteTableId
	for name, id := range map[string]*string{"own": &s.own, "doors": &s.doors} {
		g, err := c.ec2.CreateSecurityGroup(ctx, &ec2.CreateSecurityGroupInput{GroupName: aws.String(name), Description: aws.String(name), VpcId: &s.vpc})
		ok(t, err)
		*id = *g.GroupId
	}
	return s
}

// open lets tasks reach the endpoints.
func (s *subnet) open(t *testing.T) {
	t.Helper()
	s.allow(t, s.doors, tcp(443, "10.0.0.0/16"))
}

// endpoint makes the VPC's endpoint of a service, and waits until it is there.
func (s *subnet) endpoint(t *testing.T, service string) {
	t.Helper()
	in := &ec2.CreateVpcEndpointInput{VpcId: &s.vpc, ServiceName: aws.String("com.amazonaws." + s.region + "." + service)}
	if service == "s3" {
		in.RouteTableIds = []string{s.table}
	} else {
		in.VpcEndpointType, in.SubnetIds, in.SecurityGroupIds = ec2types.VpcEndpointTypeInterface, []string{s.id}, []string{s.doors}
		in.PrivateDnsEnabled = aws.Bool(true)
	}
	made, err := s.ec2.CreateVpcEndpoint(t.Context(), in)
	ok(t, err)
	eventually(t, "the endpoint of "+service, func() bool {
		out, err := s.ec2.DescribeVpcEndpoints(t.Context(), &ec2.DescribeVpcEndpointsInput{VpcEndpointIds: []string{*made.VpcEndpoint.VpcEndpointId}})
		ok(t, err)
		return strings.EqualFold(string(out.VpcEndpoints[0].State), "available")
	})
}

// inPrivate tells what happens in a private subnet where a piece is missing, and then
// with it.
func inPrivate(t *testing.T, c *tenant, missing string, want string) {
	s := c.privateSubnet(t)
	if missing != "open" {
		s.open(t)
	}
	for _, service := range endpointServices {
		if service != missing {
			s.endpoint(t, service)
		}
	}
	uri, group := c.pushed(t, "team/guest"), c.logged(t)
	c.aws(t, "ssm", "put-parameter", "--name", "/app/word", "--type", "SecureString", "--value", "from the store")
	secret := c.aws(t, "secretsmanager", "create-secret", "--name", "app", "--secret-string", "from the manager", "--query", "ARN", "--output", "text")
	_, err := c.iam.PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{RoleName: aws.String("ecsTaskExecutionRole"), PolicyName: aws.String("secrets"),
		PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ssm:GetParameters","secretsmanager:GetSecretValue"],"Resource":"*"}]}`)})
	ok(t, err)
	task := c.define(t, definition{ExecutionRoleArn: &c.role, ContainerDefinitions: []types.ContainerDefinition{{
		Name: aws.String("main"), Image: aws.String(uri + ":v1"), Command: []string{"facts"}, LogConfiguration: c.awslogs(t, group, nil),
		Secrets: []types.Secret{{Name: aws.String("WORD"), ValueFrom: aws.String("/app/word")}, {Name: aws.String("SECRET"), ValueFrom: &secret}},
	}}})
	run := func() types.Task {
		t.Helper()
		arn := c.start(t, ecs.RunTaskInput{TaskDefinition: &task, NetworkConfiguration: &types.NetworkConfiguration{AwsvpcConfiguration: &types.AwsVpcConfiguration{
			Subnets: []string{s.id}, SecurityGroups: []string{s.own}, AssignPublicIp: types.AssignPublicIpDisabled}}})
		return c.stopped(t, arn)
	}
	x := run()
	pattern := strings.NewReplacer("REGION", c.region, "URI", regexp.QuoteMeta(uri), "HOST", regexp.QuoteMeta(strings.Split(uri, "/")[0]), "SECRET", regexp.QuoteMeta(secret)).Replace(want)
	if x.StopCode != types.TaskStopCodeTaskFailedToStart || !regexp.MustCompile("^"+pattern+"$").MatchString(aws.ToString(x.StoppedReason)) {
		t.Errorf("without %s: %s\nwant %s", missing, told(x), pattern)
	}
	if missing == "open" {
		s.open(t)
	} else {
		s.endpoint(t, missing)
	}
	x = run()
	if !exited(t, x, "main", 0) {
		t.Fatal(told(x))
	}
	eventually(t, "the task's output", func() bool {
		said := fmt.Sprint(c.events(t, group, "main", *x.TaskArn))
		return strings.Contains(said, "from the store") && strings.Contains(said, "from the manager")
	})
}

// TestPrivateSubnet runs a task where there is no way but VPC endpoints: with any of
// them missing, or closed, it fails as on AWS, and with it it runs. All the VPCs have
// the same addresses.
func TestPrivateSubnet(t *testing.T) {
	const (
		start   = "ResourceInitializationError: "
		pull    = "CannotPullContainerError: "
		fetch   = start + "unable to pull secrets or registry auth: execution resource retrieval failed: "
		timeout = `dial tcp [0-9.]+:443: i/o timeout`
		hint    = `\. Please check your task network configuration\.`
		request = "RequestCanceled: request context canceled caused by: context deadline exceeded" + hint
	)
	login := func(address string) string {
		return fetch + `unable to retrieve ecr registry auth: service call has been retried 3 time\(s\): RequestError: send request failed caused by: ` +
			`Post "https://api\.ecr\.REGION\.amazonaws\.com/": dial tcp ` + address + `:443: i/o timeout` + hint
	}
	for _, runtime := range runtimes(gvisor, runc) {
		t.Run(runtime, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, runtime)
			for missing, want := range map[string]string{
				"ecr.api": login(`198\.1[89]\.[0-9.]+`),
				"ecr.dkr": pull + `pull image manifest has been retried 5 time\(s\): failed to resolve ref URI:v1: failed to do request: Head "https://HOST/v2/team/guest/manifests/v1": ` + timeout,
				"s3": pull + `(pull image manifest|ref pull) has been retried 5 time\(s\): failed to copy: httpReadSeeker: failed open: failed to do request: ` +
					`Get "https://prod-REGION-starport-layer-bucket\.s3\.REGION\.amazonaws\.com/.*": ` + timeout,
				"logs": start + `failed to validate logger args: The task cannot find the Amazon CloudWatch log group defined in the task definition\. ` +
					`There is a connection issue between the task and Amazon CloudWatch\. Check your network configuration\. : signal: killed`,
				"ssm":            fetch + `unable to retrieve secrets from ssm: service call has been retried 5 time\(s\): ` + request,
				"secretsmanager": fetch + `unable to retrieve secret from asm: service call has been retried 5 time\(s\): failed to fetch secret SECRET from secrets manager: ` + request,
				"open":           fetch + `unable to retrieve secrets from ssm: service call has been retried 5 time\(s\): ` + request,
			} {
				t.Run(missing, func(t *testing.T) {
					t.Parallel()
					inPrivate(t, w.tenant(t), missing, want)
				})
			}
		})
	}
}
