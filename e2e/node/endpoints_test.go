package node

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
)

// caller is a task that asks AWS who it is, by an SDK with no setting at all, in an
// image without any certificates.
func (c *tenant) caller(t *testing.T, group, role string, args ...string) (arn, said string) {
	t.Helper()
	main := types.ContainerDefinition{Name: aws.String("main"), Image: aws.String("public.ecr.aws/neargate/caller:latest"), Command: args, LogConfiguration: c.awslogs(t, group, nil)}
	arn = c.run(t, definition{TaskRoleArn: aws.String(role), ExecutionRoleArn: aws.String(c.role), ContainerDefinitions: []types.ContainerDefinition{main}})
	c.running(t, arn)
	eventually(t, "the task says who it is", func() bool {
		said = strings.Join(c.events(t, group, "main", arn), "\n")
		return said != ""
	})
	return arn, said
}

// TestSDK has a task with a public address call AWS at its public endpoint, by TLS,
// with the credentials of its role, and is told who it is. In a VPC with an endpoint of
// the service the same call goes there, and the endpoint's policy decides too. The
// ports of the host are somebody else's meanwhile.
func TestSDK(t *testing.T) {
	for _, port := range []string{":443", ":80"} {
		if l, err := net.Listen("tcp", port); err == nil { // else somebody has it
			t.Cleanup(func() { l.Close() })
		}
	}
	for _, runtime := range runtimes(gvisor, runc) {
		t.Run(runtime, func(t *testing.T) {
			t.Parallel()
			c := newWorld(t, runtime).tenant(t)
			group := c.logged(t)
			role, err := c.iam.CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: aws.String("app"), AssumeRolePolicyDocument: aws.String(
				`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"}]}`)})
			ok(t, err)
			arn, said := c.caller(t, group, *role.Role.Arn)
			if want := fmt.Sprintf("arn: arn:aws:sts::%s:assumed-role/app/%s", c.account, arn[strings.LastIndex(arn, "/")+1:]); said != want {
				t.Errorf("%s, want %s", said, want)
			}

			policy := func(vpc string) *string {
				return aws.String(`{"Statement":[{"Effect":"Allow","Principal":"*","Action":"sts:*","Resource":"*","Condition":{"StringEquals":{"aws:SourceVpc":"` + vpc + `"}}}]}`)
			}
			out, err := c.ec2.CreateVpcEndpoint(t.Context(), &ec2.CreateVpcEndpointInput{VpcId: aws.String(c.vpc), VpcEndpointType: ec2types.VpcEndpointTypeInterface,
				ServiceName: aws.String("com.amazonaws." + c.region + ".sts"), PrivateDnsEnabled: aws.Bool(true), SubnetIds: c.subnets[:1],
				SecurityGroupIds: []string{c.open}, PolicyDocument: policy("vpc-another")})
			ok(t, err)
			id := out.VpcEndpoint.VpcEndpointId
			eventually(t, "the endpoint is available", func() bool {
				found, err := c.ec2.DescribeVpcEndpoints(t.Context(), &ec2.DescribeVpcEndpointsInput{VpcEndpointIds: []string{*id}})
				ok(t, err)
				return found.VpcEndpoints[0].State == "available" // as EC2 writes it, and the SDK does not
			})
			if _, said = c.caller(t, group, *role.Role.Arn); !strings.Contains(said, "because no VPC endpoint policy allows the sts:GetCallerIdentity action") {
				t.Errorf("against the endpoint's policy: %s", said)
			}
			_, err = c.ec2.ModifyVpcEndpoint(t.Context(), &ec2.ModifyVpcEndpointInput{VpcEndpointId: id, PolicyDocument: policy(c.vpc)})
			ok(t, err)
			if _, said = c.caller(t, group, *role.Role.Arn); !strings.HasPrefix(said, "arn: ") {
				t.Errorf("through the endpoint: %s", said)
			}
			if events := c.aws(t, "cloudtrail", "lookup-events", "--lookup-attributes", "AttributeKey=EventName,AttributeValue=GetCallerIdentity"); !strings.Contains(events, *id) {
				t.Errorf("no event of the endpoint: %s", events)
			}
		})
	}
}
