package e2e

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logstypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
)

// sdk are the clients of the SDK for Go, configured as its users do, in an
// account of their own.
type sdk struct {
	account string
	ecs     *ecs.Client
	ec2     *ec2.Client
	iam     *iam.Client
	logs    *cloudwatchlogs.Client
	sts     *sts.Client
}

func newSDK(t *testing.T) sdk {
	t.Helper()
	vars, err := shared.Account()
	check(t, err)
	cfg, err := config.LoadDefaultConfig(t.Context(),
		config.WithRegion(vars["AWS_REGION"]), config.WithBaseEndpoint(vars["AWS_ENDPOINT_URL"]),
		config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(vars["AWS_ACCESS_KEY_ID"], vars["AWS_SECRET_ACCESS_KEY"], "")),
		config.WithRetryer(func() aws.Retryer { return aws.NopRetryer{} }))
	check(t, err)
	return sdk{vars["ACCOUNT"], ecs.NewFromConfig(cfg), ec2.NewFromConfig(cfg), iam.NewFromConfig(cfg), cloudwatchlogs.NewFromConfig(cfg), sts.NewFromConfig(cfg)}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// refused checks that err is an E of the SDK with the given text and returns it.
func refused[E error](t *testing.T, err error, text string) E {
	t.Helper()
	var e E
	if !errors.As(err, &e) {
		t.Fatalf("%T wanted, got %v", e, err)
	}
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorMessage() != text {
		t.Fatalf("message %q wanted, got %v", text, err)
	}
	return e
}

// all are the items of every page.
func all[Page, Item any](t *testing.T, more func() bool, next func() (Page, error), items func(Page) []Item) (list []Item, pages int) {
	t.Helper()
	for more() {
		page, err := next()
		check(t, err)
		list, pages = append(list, items(page)...), pages+1
	}
	return list, pages
}

const trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"}]}`

// A service from nothing to nothing.
func TestSDKService(t *testing.T) {
	t.Parallel()
	c, ctx := newSDK(t), t.Context()
	_, err := c.ecs.CreateCluster(ctx, &ecs.CreateClusterInput{ClusterName: aws.String("c"), Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}}})
	check(t, err)
	network := c.network(t)
	for n := range 2 {
		_, err = c.ecs.RegisterTaskDefinition(ctx, &ecs.RegisterTaskDefinitionInput{
			Family: aws.String("app"), NetworkMode: types.NetworkModeAwsvpc, RequiresCompatibilities: []types.Compatibility{types.CompatibilityFargate},
			Cpu: aws.String("256"), Memory: aws.String("512"),
			ContainerDefinitions: []types.ContainerDefinition{{Name: aws.String("main"), Image: aws.String(fmt.Sprint("nginx:", n))}},
		})
		check(t, err)
	}
	created, err := c.ecs.CreateService(ctx, &ecs.CreateServiceInput{
		Cluster: aws.String("c"), ServiceName: aws.String("web"), TaskDefinition: aws.String("app:1"), DesiredCount: aws.Int32(2),
		LaunchType: types.LaunchTypeFargate, NetworkConfiguration: network,
		DeploymentConfiguration: &types.DeploymentConfiguration{MinimumHealthyPercent: aws.Int32(0), MaximumPercent: aws.Int32(200)},
	})
	check(t, err)
	if created.Service.AvailabilityZoneRebalancing != types.AvailabilityZoneRebalancingEnabled || created.Service.CurrentServiceRevisions == nil {
		t.Errorf("%+v", created.Service)
	}
	web := &ecs.DescribeServicesInput{Cluster: aws.String("c"), Services: []string{"web"}}
	stable := ecs.NewServicesStableWaiter(c.ecs, func(o *ecs.ServicesStableWaiterOptions) { o.MinDelay, o.MaxDelay = time.Second, time.Second })
	check(t, stable.Wait(ctx, web, time.Minute))

	// Roll, and see both deployments and both revisions.
	_, err = c.ecs.UpdateService(ctx, &ecs.UpdateServiceInput{Cluster: aws.String("c"), Service: aws.String("web"), TaskDefinition: aws.String("app:2")})
	check(t, err)
	check(t, stable.Wait(ctx, web, 2*time.Minute))
	request, more := &ecs.ListServiceDeploymentsInput{Cluster: aws.String("c"), Service: aws.String("web"), MaxResults: aws.Int32(1)}, true
	deployments, pages := all(t, func() bool { return more }, func() (*ecs.ListServiceDeploymentsOutput, error) {
		page, err := c.ecs.ListServiceDeployments(ctx, request)
		if err == nil {
			request.NextToken, more = page.NextToken, page.NextToken != nil
		}
		return page, err
	}, func(p *ecs.ListServiceDeploymentsOutput) []types.ServiceDeploymentBrief { return p.ServiceDeployments })
	if len(deployments) != 2 || pages < 2 {
		t.Fatalf("%d deployments in %d pages", len(deployments), pages)
	}
	described, err := c.ecs.DescribeServiceDeployments(ctx, &ecs.DescribeServiceDeploymentsInput{ServiceDeploymentArns: []string{*deployments[0].ServiceDeploymentArn}})
	check(t, err)
	if d := described.ServiceDeployments; len(d) != 1 || d[0].Status != types.ServiceDeploymentStatusSuccessful {
		t.Errorf("%+v", d)
	}
	revisions, err := c.ecs.DescribeServiceRevisions(ctx, &ecs.DescribeServiceRevisionsInput{ServiceRevisionArns: []string{*deployments[0].TargetServiceRevisionArn, *deployments[1].TargetServiceRevisionArn}})
	check(t, err)
	var images []string
	for _, r := range revisions.ServiceRevisions {
		images = append(images, *r.ContainerImages[0].Image)
	}
	if slices.Sort(images); !slices.Equal(images, []string{"nginx:0", "nginx:1"}) {
		t.Errorf("images %v", images)
	}

	// Delete.
	_, err = c.ecs.DeleteService(ctx, &ecs.DeleteServiceInput{Cluster: aws.String("c"), Service: aws.String("web")})
	refused[*types.InvalidParameterException](t, err, "The service cannot be stopped while it is scaled above 0.")
	_, err = c.ecs.DeleteService(ctx, &ecs.DeleteServiceInput{Cluster: aws.String("c"), Service: aws.String("web"), Force: aws.Bool(true)})
	check(t, err)
	gone := ecs.NewServicesInactiveWaiter(c.ecs, func(o *ecs.ServicesInactiveWaiterOptions) { o.MinDelay, o.MaxDelay = time.Second, time.Second })
	check(t, gone.Wait(ctx, web, time.Minute))
	for n := range 2 {
		_, err = c.ecs.DeregisterTaskDefinition(ctx, &ecs.DeregisterTaskDefinitionInput{TaskDefinition: aws.String(fmt.Sprint("app:", n+1))})
		check(t, err)
	}
	deleted, err := c.ecs.DeleteTaskDefinitions(ctx, &ecs.DeleteTaskDefinitionsInput{TaskDefinitions: []string{"app:1", "app:2", "app:3"}})
	check(t, err)
	if len(deleted.TaskDefinitions) != 2 || len(deleted.Failures) != 1 || deleted.TaskDefinitions[0].Status != types.TaskDefinitionStatusDeleteInProgress {
		t.Errorf("%+v", deleted)
	}
	_, err = c.ecs.DeleteCluster(ctx, &ecs.DeleteClusterInput{Cluster: aws.String("c")})
	check(t, err)
}

// Tasks, their waiters, client tokens and typed errors.
func TestSDKTasks(t *testing.T) {
	t.Parallel()
	c, ctx := newSDK(t), t.Context()
	_, err := c.ecs.RunTask(ctx, &ecs.RunTaskInput{Cluster: aws.String("none"), TaskDefinition: aws.String("app")})
	refused[*types.ClusterNotFoundException](t, err, "Cluster not found.")
	_, err = c.ecs.CreateCluster(ctx, &ecs.CreateClusterInput{CapacityProviders: []string{"FARGATE"}})
	check(t, err)
	_, err = c.ecs.RunTask(ctx, &ecs.RunTaskInput{TaskDefinition: aws.String("app")})
	refused[*types.ClientException](t, err, "TaskDefinition not found.")
	_, err = c.ecs.UpdateService(ctx, &ecs.UpdateServiceInput{Service: aws.String("none")})
	refused[*types.ServiceNotFoundException](t, err, "Service not found.")
	_, err = c.ecs.RegisterTaskDefinition(ctx, &ecs.RegisterTaskDefinitionInput{
		Family: aws.String("app"), NetworkMode: types.NetworkModeAwsvpc, RequiresCompatibilities: []types.Compatibility{types.CompatibilityFargate},
		Cpu: aws.String(".5 vCPU"), Memory: aws.String("1 GB"),
		ContainerDefinitions: []types.ContainerDefinition{{Name: aws.String("main"), Image: aws.String("nginx")}},
	})
	check(t, err)

	run := &ecs.RunTaskInput{
		TaskDefinition: aws.String("app"), Count: aws.Int32(3), ClientToken: aws.String("token"), NetworkConfiguration: c.network(t),
		CapacityProviderStrategy: []types.CapacityProviderStrategyItem{{CapacityProvider: aws.String("FARGATE"), Weight: 1}},
	}
	ran, err := c.ecs.RunTask(ctx, run)
	check(t, err)
	if len(ran.Tasks) != 3 || *ran.Tasks[0].Cpu != "512" || aws.ToString(ran.Tasks[0].CapacityProviderName) != "FARGATE" {
		t.Fatalf("%+v", ran)
	}
	again, err := c.ecs.RunTask(ctx, run)
	check(t, err)
	if *again.Tasks[0].TaskArn != *ran.Tasks[0].TaskArn && len(again.Tasks) != 3 {
		t.Errorf("a replay ran %+v", again.Tasks)
	}
	run.Count = aws.Int32(2)
	_, err = c.ecs.RunTask(ctx, run)
	conflict := refused[*types.ConflictException](t, err, "The RunTask request could not be processed due to conflicts. The provided clientToken is already in use with a different request.")
	var arns []string
	for _, task := range ran.Tasks {
		arns = append(arns, *task.TaskArn)
	}
	if slices.Sort(conflict.ResourceIds); !slices.Equal(conflict.ResourceIds, slices.Sorted(slices.Values(arns))) {
		t.Errorf("the conflict names %v, not %v", conflict.ResourceIds, arns)
	}

	tasks := &ecs.DescribeTasksInput{Tasks: arns}
	running := ecs.NewTasksRunningWaiter(c.ecs, func(o *ecs.TasksRunningWaiterOptions) { o.MinDelay, o.MaxDelay = time.Second, time.Second })
	check(t, running.Wait(ctx, tasks, time.Minute))
	pager := ecs.NewListTasksPaginator(c.ecs, &ecs.ListTasksInput{MaxResults: aws.Int32(2)})
	listed, pages := all(t, pager.HasMorePages, func() (*ecs.ListTasksOutput, error) { return pager.NextPage(ctx) },
		func(p *ecs.ListTasksOutput) []string { return p.TaskArns })
	if slices.Sort(listed); pages != 2 || !slices.Equal(listed, slices.Sorted(slices.Values(arns))) {
		t.Errorf("%d pages of %v", pages, listed)
	}
	for _, arn := range arns {
		_, err = c.ecs.StopTask(ctx, &ecs.StopTaskInput{Task: aws.String(arn)})
		check(t, err)
	}
	stopped := ecs.NewTasksStoppedWaiter(c.ecs, func(o *ecs.TasksStoppedWaiterOptions) { o.MinDelay, o.MaxDelay = time.Second, time.Second })
	check(t, stopped.Wait(ctx, tasks, time.Minute))
	interfaces, err := c.ec2.DescribeNetworkInterfaces(ctx, &ec2.DescribeNetworkInterfacesInput{})
	check(t, err)
	if n := len(interfaces.NetworkInterfaces); n != 0 {
		t.Errorf("%d network interfaces are left", n)
	}
}

// network places tasks in the default subnets.
func (c sdk) network(t *testing.T) *types.NetworkConfiguration {
	t.Helper()
	subnets, err := c.ec2.DescribeSubnets(t.Context(), &ec2.DescribeSubnetsInput{
		Filters: []ec2types.Filter{{Name: aws.String("default-for-az"), Values: []string{"true"}}}})
	check(t, err)
	v := &types.AwsVpcConfiguration{}
	for _, s := range subnets.Subnets[:2] {
		v.Subnets = append(v.Subnets, *s.SubnetId)
	}
	return &types.NetworkConfiguration{AwsvpcConfiguration: v}
}

// EC2, IAM, Logs and STS: make, page through, delete, and what is refused.
func TestSDKPlatform(t *testing.T) {
	t.Parallel()
	c, ctx := newSDK(t), t.Context()
	who, err := c.sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	check(t, err)
	if *who.Account != c.account {
		t.Fatalf("account %s", *who.Account)
	}
	for n := range 5 {
		name := aws.String(fmt.Sprint("n", n))
		_, err = c.ec2.CreateSecurityGroup(ctx, &ec2.CreateSecurityGroupInput{GroupName: name, Description: name})
		check(t, err)
		_, err = c.iam.CreateRole(ctx, &iam.CreateRoleInput{RoleName: name, AssumeRolePolicyDocument: aws.String(trust)})
		check(t, err)
		_, err = c.logs.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: name})
		check(t, err)
	}

	groups := ec2.NewDescribeSecurityGroupsPaginator(c.ec2, &ec2.DescribeSecurityGroupsInput{MaxResults: aws.Int32(5)})
	sgs, pages := all(t, groups.HasMorePages, func() (*ec2.DescribeSecurityGroupsOutput, error) { return groups.NextPage(ctx) },
		func(p *ec2.DescribeSecurityGroupsOutput) []ec2types.SecurityGroup { return p.SecurityGroups })
	if len(sgs) != 6 || pages < 2 {
		t.Errorf("%d security groups in %d pages", len(sgs), pages)
	}
	roles := iam.NewListRolesPaginator(c.iam, &iam.ListRolesInput{MaxItems: aws.Int32(2)})
	rs, pages := all(t, roles.HasMorePages, func() (*iam.ListRolesOutput, error) { return roles.NextPage(ctx) },
		func(p *iam.ListRolesOutput) []iamtypes.Role { return p.Roles })
	if len(rs) != 5 || pages != 3 {
		t.Errorf("%d roles in %d pages", len(rs), pages)
	}
	logGroups := cloudwatchlogs.NewDescribeLogGroupsPaginator(c.logs, &cloudwatchlogs.DescribeLogGroupsInput{Limit: aws.Int32(2)})
	ls, pages := all(t, logGroups.HasMorePages, func() (*cloudwatchlogs.DescribeLogGroupsOutput, error) { return logGroups.NextPage(ctx) },
		func(p *cloudwatchlogs.DescribeLogGroupsOutput) []logstypes.LogGroup { return p.LogGroups })
	if len(ls) != 5 || pages != 3 {
		t.Errorf("%d log groups in %d pages", len(ls), pages)
	}

	_, err = c.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: aws.String("none")})
	refused[*iamtypes.NoSuchEntityException](t, err, "The role with name none cannot be found.")
	_, err = c.logs.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: aws.String("n0")})
	refused[*logstypes.ResourceAlreadyExistsException](t, err, "The specified log group already exists")
	_, err = c.ec2.DescribeVpcs(ctx, &ec2.DescribeVpcsInput{VpcIds: []string{"vpc-invalid"}})
	if e := refused[*smithy.GenericAPIError](t, err, "The vpc ID 'vpc-invalid' does not exist"); e.Code != "InvalidVpcID.NotFound" {
		t.Error(e.Code)
	}

	for _, sg := range sgs {
		if *sg.GroupName != "default" {
			_, err = c.ec2.DeleteSecurityGroup(ctx, &ec2.DeleteSecurityGroupInput{GroupId: sg.GroupId})
			check(t, err)
		}
	}
	for n := range 5 {
		name := aws.String(fmt.Sprint("n", n))
		_, err = c.iam.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: name})
		check(t, err)
		_, err = c.logs.DeleteLogGroup(ctx, &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: name})
		check(t, err)
	}
}
