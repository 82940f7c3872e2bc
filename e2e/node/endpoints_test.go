package node

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
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
// with the credentials of its role. It is told who it is; where security groups let
// nothing out to there, it is not answered.
func TestSDK(t *testing.T) {
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
		})
	}
}
