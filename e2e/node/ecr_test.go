package node

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// pushed is the guest's image in a repository of the tenant's.
func (c *tenant) pushed(t *testing.T, repository string) (uri string) {
	t.Helper()
	cfg, err := config.LoadDefaultConfig(t.Context(),
		config.WithRegion(c.region), config.WithBaseEndpoint(c.env["AWS_ENDPOINT_URL"]),
		config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(c.env["AWS_ACCESS_KEY_ID"], c.env["AWS_SECRET_ACCESS_KEY"], "")))
	ok(t, err)
	client := ecr.NewFromConfig(cfg)
	made, err := client.CreateRepository(t.Context(), &ecr.CreateRepositoryInput{RepositoryName: &repository})
	ok(t, err)
	token, err := client.GetAuthorizationToken(t.Context(), &ecr.GetAuthorizationTokenInput{})
	ok(t, err)
	login, err := base64.StdEncoding.DecodeString(*token.AuthorizationData[0].AuthorizationToken)
	ok(t, err)
	user, password, _ := strings.Cut(string(login), ":")
	from, err := name.ParseReference(strings.TrimPrefix(imagesURL, "http://") + "/neargate/guest:latest")
	ok(t, err)
	index, err := remote.Index(from)
	ok(t, err)
	to, err := name.ParseReference(strings.TrimPrefix(c.env["AWS_ENDPOINT_URL"], "http://") + "/" + repository + ":v1")
	ok(t, err)
	ok(t, remote.WriteIndex(to, index, remote.WithAuth(&authn.Basic{Username: user, Password: password})))
	return *made.Repository.RepositoryUri
}

// registryPulls: a task pulls from its account's registry with its execution role,
// and fails in AWS's words for each permission that the role lacks.
func registryPulls(t *testing.T, c *tenant) {
	uri := c.pushed(t, "team/guest")
	task := definition{ContainerDefinitions: []types.ContainerDefinition{{Name: aws.String("main"), Image: aws.String(uri + ":v1"), Command: []string{"exit", "7"}}}, ExecutionRoleArn: &c.role}
	x := c.stopped(t, c.run(t, task))
	if !exited(t, x, "main", 7) || !strings.HasPrefix(aws.ToString(container(t, x, "main").ImageDigest), "sha256:") {
		t.Error(told(x))
	}
	role := aws.String("ecsTaskExecutionRole")
	_, err := c.iam.DetachRolePolicy(t.Context(), &iam.DetachRolePolicyInput{RoleName: role, PolicyArn: aws.String("arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy")})
	ok(t, err)
	const denied = "is not authorized to perform: ecr:%[1]s on resource: %[2]s because no identity-based policy allows the ecr:%[1]s action"
	repository := "arn:aws:ecr:" + c.region + ":" + c.account + ":repository/team/guest"
	for _, s := range []struct{ actions, begin, end string }{
		{"ecr:DescribeImages", "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve ecr registry auth: " +
			"service call has been retried 1 time(s): AccessDeniedException: User: arn:aws:sts::" + c.account + ":assumed-role/ecsTaskExecutionRole/", fmt.Sprintf(denied, "GetAuthorizationToken", "*")},
		{"ecr:GetAuthorizationToken", "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref " + uri + ":v1: ", fmt.Sprintf(denied, "BatchGetImage", repository)},
		// The layers are on the host, which permits nothing.
		{`ecr:GetAuthorizationToken","ecr:BatchGetImage`, "CannotPullContainerError: ref pull has been retried 1 time(s): failed to copy: httpReadSeeker: failed open: unexpected status code https://" +
			strings.Replace(uri, "/", "/v2/", 1) + "/blobs/sha256:", fmt.Sprintf(denied, "GetDownloadUrlForLayer", repository)},
	} {
		_, err := c.iam.PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{RoleName: role, PolicyName: aws.String("p"), PolicyDocument: aws.String(
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["` + s.actions + `"],"Resource":"*"}]}`)})
		ok(t, err)
		x := c.stopped(t, c.run(t, task))
		text := aws.ToString(x.StoppedReason)
		if x.StopCode != types.TaskStopCodeTaskFailedToStart || !strings.HasPrefix(text, s.begin) || !strings.Contains(text, s.end) {
			t.Errorf("with %s: %s", s.actions, told(x))
		}
	}
	_, err = c.iam.PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{RoleName: role, PolicyName: aws.String("p"), PolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ecr:*","Resource":"*"}]}`)})
	ok(t, err)
	task.ContainerDefinitions[0].Image = aws.String(uri + ":none")
	if x := c.stopped(t, c.run(t, task)); !strings.HasSuffix(aws.ToString(x.StoppedReason), uri+":none: not found") {
		t.Error(told(x))
	}
}
