package node

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/smithy-go"

	"neargate/e2e/story"
)

// lent is what the credentials endpoint answers.
type lent struct {
	RoleArn, AccessKeyId, SecretAccessKey, Token string
	Expiration                                   time.Time
}

// credentialsPath is where a task is told its credentials are.
func credentialsPath(t *testing.T, address string) string {
	t.Helper()
	return factsOf(t, ask(t, address, "facts")).Env["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"]
}

// TestCredentials has a task fetch the credentials of its role and use them: what
// the role allows and no more, from the next call on. No other task gets them.
func TestCredentials(t *testing.T) {
	for _, runtime := range runtimes(gvisor, runc) {
		t.Run(runtime, func(t *testing.T) {
			t.Parallel()
			c := newWorld(t, runtime).tenant(t)
			role, err := c.iam.CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: aws.String("app"), AssumeRolePolicyDocument: aws.String(
				`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"}]}`)})
			ok(t, err)
			allow := func(action string) {
				t.Helper()
				_, err := c.iam.PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{RoleName: aws.String("app"), PolicyName: aws.String("p"), PolicyDocument: aws.String(
					`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"` + action + `","Resource":"*"}]}`)})
				ok(t, err)
			}
			allow("logs:DescribeLogGroups")
			serve := []types.ContainerDefinition{guestContainer("main", "serve", ":80")}
			arn, _, public := c.server(t, definition{TaskRoleArn: role.Role.Arn, ContainerDefinitions: serve})
			_, _, other := c.server(t, definition{ContainerDefinitions: serve})
			path := credentialsPath(t, public)
			if !strings.HasPrefix(path, "/v2/credentials/") || credentialsPath(t, other) != "" {
				t.Fatalf("%q, and without a role %q", path, credentialsPath(t, other))
			}
			url := "http://169.254.170.2" + path
			var got lent
			said := ask(t, public, "get", url)
			ok(t, json.Unmarshal([]byte(said[strings.Index(said, "{"):]), &got))
			if got.RoleArn != *role.Role.Arn || time.Until(got.Expiration) < time.Hour {
				t.Errorf("%+v", got)
			}
			if said, _ = story.Ask(other, "get", url); !strings.Contains(said, "InvalidIdInRequest") {
				t.Errorf("another task's credentials: %s", said)
			}

			logs := cloudwatchlogs.New(c.logs.Options(), func(o *cloudwatchlogs.Options) {
				o.Credentials = credentials.NewStaticCredentialsProvider(got.AccessKeyId, got.SecretAccessKey, got.Token)
			})
			_, err = logs.DescribeLogGroups(t.Context(), &cloudwatchlogs.DescribeLogGroupsInput{})
			ok(t, err)
			create := func() error {
				_, err := logs.CreateLogGroup(t.Context(), &cloudwatchlogs.CreateLogGroupInput{LogGroupName: aws.String("of-the-task")})
				return err
			}
			who := "assumed-role/app/" + arn[strings.LastIndex(arn, "/")+1:]
			if refused, is := smithyError(create()); !is || refused.ErrorCode() != "AccessDeniedException" || !strings.Contains(refused.ErrorMessage(), who+" is not authorized to perform: logs:CreateLogGroup") {
				t.Error(refused)
			}
			allow("logs:CreateLogGroup")
			ok(t, create())
			_, err = c.iam.DeleteRolePolicy(t.Context(), &iam.DeleteRolePolicyInput{RoleName: aws.String("app"), PolicyName: aws.String("p")})
			ok(t, err)
			if _, is := smithyError(create()); !is {
				t.Error("a permission that was taken away is still there")
			}
			// ECS hands nobody's secret to who may only look.
			out, err := c.ecs.DescribeTasks(t.Context(), &ecs.DescribeTasksInput{Tasks: []string{arn}})
			ok(t, err)
			told, err := json.Marshal(out)
			ok(t, err)
			if strings.Contains(string(told), got.SecretAccessKey) || strings.Contains(string(told), path) {
				t.Error("the description of the task tells its credentials")
			}
		})
	}
}

// smithyError is what the API answered.
func smithyError(err error) (smithy.APIError, bool) {
	var e smithy.APIError
	is := errors.As(err, &e)
	return e, is
}
