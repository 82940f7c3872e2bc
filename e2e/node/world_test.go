package node

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"neargate/e2e/leak"
	"neargate/e2e/story"
)

// Runtimes.
const (
	gvisor = "gvisor"
	runc   = "runc"
)

// patience bounds every wait for what should take seconds.
const patience = 90 * time.Second

// world is a neargate with real sandboxes and networks of its own.
type world struct {
	story.Installation
	runtime string
	pool    netip.Prefix
	flags   []string
	scope   leak.Scope
	before  leak.Snapshot
}

// worlds counts, so that each has its own public addresses.
var worlds atomic.Int32

// newWorld starts a neargate, which is stopped at the end of the test; then
// nothing may be left of it.
func newWorld(t *testing.T, runtime string, flags ...string) *world {
	t.Helper()
	dir, err := os.MkdirTemp("", "ngw") // t.TempDir is too long for sockets
	ok(t, err)
	data := filepath.Join(dir, "data")
	n := (os.Getpid()*8 + int(worlds.Add(1))) % 255
	w := &world{
		Installation: story.Installation{Program: program, Dir: data}, runtime: runtime,
		pool: netip.PrefixFrom(netip.AddrFrom4([4]byte{198, byte(18 + n/128), byte(n % 128 * 2), 0}), 23),
	}
	w.flags = append([]string{"--runtime", runtime, "--registries", registries, "--public-pool", w.pool.String(), "--uplink", "none", "--no-throttle", "--log-level", "debug"}, flags...)
	w.scope = leak.Scope{Words: append(marks(data), dir), Pool: w.pool}
	w.before, err = leak.Take(w.scope)
	ok(t, err)
	t.Cleanup(func() { w.finish(t, dir) })
	ok(t, w.Up(w.flags...))
	return w
}

// marks are words in the names of everything that an installation has in the
// kernel.
func marks(data string) []string {
	h := sha256.Sum256([]byte(data))
	tag := hex.EncodeToString(h[:5])
	h = sha256.Sum256([]byte(tag))
	return []string{tag, "ng-" + strings.ToLower(base32.HexEncoding.EncodeToString(h[:]))[:5]}
}

// finish stops the world and checks that nothing is left of it but its data.
func (w *world) finish(t *testing.T, dir string) {
	if err := w.Down(); err != nil {
		t.Error("down:", err)
	}
	left, err := leak.Left(w.scope, w.before, 15*time.Second)
	if err != nil {
		t.Error(err)
	}
	if len(left) > 0 {
		t.Errorf("left behind:\n\t%s", strings.Join(left, "\n\t"))
	}
	if t.Failed() {
		if log, err := os.ReadFile(filepath.Join(w.Dir, "neargate.log")); err == nil {
			log = regexp.MustCompile(`(?m)^.*level=DEBUG.*from=etcd\n`).ReplaceAll(log, nil)
			t.Logf("the daemon's log:\n%s", log[max(0, len(log)-50_000):])
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Error(err)
	}
}

// tenant is an account of a world with its clients and the default VPC.
type tenant struct {
	*world
	account, region string
	env             map[string]string
	ecs             *ecs.Client
	ec2             *ec2.Client
	logs            *cloudwatchlogs.Client
	iam             *iam.Client
	subnets         []string
	vpc             string
	role            string // of execution
	open            string // a security group that lets everything in
	families        atomic.Int32
}

func (w *world) tenant(t *testing.T) *tenant {
	t.Helper()
	env, err := w.Account()
	ok(t, err)
	cfg, err := config.LoadDefaultConfig(t.Context(),
		config.WithRegion(env["AWS_REGION"]), config.WithBaseEndpoint(env["AWS_ENDPOINT_URL"]),
		config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], "")))
	ok(t, err)
	c := &tenant{world: w, account: env["ACCOUNT"], region: env["AWS_REGION"], env: env,
		ecs: ecs.NewFromConfig(cfg), ec2: ec2.NewFromConfig(cfg), logs: cloudwatchlogs.NewFromConfig(cfg), iam: iam.NewFromConfig(cfg)}
	ctx := t.Context()
	_, err = c.ecs.CreateCluster(ctx, &ecs.CreateClusterInput{})
	ok(t, err)
	subnets, err := c.ec2.DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{Filters: []ec2types.Filter{{Name: aws.String("default-for-az"), Values: []string{"true"}}}})
	ok(t, err)
	for _, s := range subnets.Subnets {
		c.subnets, c.vpc = append(c.subnets, *s.SubnetId), *s.VpcId
	}
	c.open = c.group(t, "open")
	c.allow(t, c.open, ec2types.IpPermission{IpProtocol: aws.String("-1"), IpRanges: []ec2types.IpRange{{CidrIp: aws.String("0.0.0.0/0")}}})
	role, err := c.iam.CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("ecsTaskExecutionRole"), AssumeRolePolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"}]}`)})
	ok(t, err)
	_, err = c.iam.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: aws.String("ecsTaskExecutionRole"),
		PolicyArn: aws.String("arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy")})
	ok(t, err)
	c.role = *role.Role.Arn
	return c
}

// group makes a security group of the default VPC.
func (c *tenant) group(t *testing.T, name string) string {
	t.Helper()
	g, err := c.ec2.CreateSecurityGroup(t.Context(), &ec2.CreateSecurityGroupInput{GroupName: aws.String(name), Description: aws.String(name), VpcId: aws.String(c.vpc)})
	ok(t, err)
	return *g.GroupId
}

func (c *tenant) allow(t *testing.T, group string, p ec2types.IpPermission) {
	t.Helper()
	_, err := c.ec2.AuthorizeSecurityGroupIngress(t.Context(), &ec2.AuthorizeSecurityGroupIngressInput{GroupId: aws.String(group), IpPermissions: []ec2types.IpPermission{p}})
	ok(t, err)
}

// tcp permits a port to a range of addresses.
func tcp(port int32, cidr string) ec2types.IpPermission {
	return ec2types.IpPermission{IpProtocol: aws.String("tcp"), FromPort: aws.Int32(port), ToPort: aws.Int32(port), IpRanges: []ec2types.IpRange{{CidrIp: aws.String(cidr)}}}
}

// definition is a task definition to be registered.
type definition = ecs.RegisterTaskDefinitionInput

// guestContainer is a container of the stories' own image that does something.
func guestContainer(name string, command ...string) types.ContainerDefinition {
	return types.ContainerDefinition{Name: aws.String(name), Image: aws.String("public.ecr.aws/neargate/guest:latest"), Command: command}
}

// define registers a Fargate task definition of a quarter of a vCPU unless d says
// otherwise, and returns its ARN.
func (c *tenant) define(t *testing.T, d definition) string {
	t.Helper()
	if d.Family == nil {
		d.Family = aws.String(fmt.Sprint("f", c.families.Add(1)))
	}
	if d.Cpu == nil {
		d.Cpu, d.Memory = aws.String("256"), aws.String("512")
	}
	d.NetworkMode, d.RequiresCompatibilities = types.NetworkModeAwsvpc, []types.Compatibility{types.CompatibilityFargate}
	out, err := c.ecs.RegisterTaskDefinition(t.Context(), &d)
	ok(t, err)
	return *out.TaskDefinition.TaskDefinitionArn
}

// place is where tasks run: the default subnets, with a public address, in groups.
func (c *tenant) place(groups ...string) *types.NetworkConfiguration {
	if len(groups) == 0 {
		groups = []string{c.open}
	}
	return &types.NetworkConfiguration{AwsvpcConfiguration: &types.AwsVpcConfiguration{
		Subnets: c.subnets, SecurityGroups: groups, AssignPublicIp: types.AssignPublicIpEnabled}}
}

// start runs one task, which is stopped at the end of the test.
func (c *tenant) start(t *testing.T, in ecs.RunTaskInput) string {
	t.Helper()
	if in.NetworkConfiguration == nil {
		in.NetworkConfiguration = c.place()
	}
	in.LaunchType = types.LaunchTypeFargate
	out, err := c.ecs.RunTask(t.Context(), &in)
	ok(t, err)
	if len(out.Tasks) != 1 {
		t.Fatalf("%+v", out.Failures)
	}
	arn := *out.Tasks[0].TaskArn
	t.Cleanup(func() {
		if t.Failed() {
			c.explain(t, arn)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if _, err := c.ecs.StopTask(ctx, &ecs.StopTaskInput{Task: aws.String(arn)}); err != nil {
			t.Logf("stopping %s: %v", arn, err)
		}
	})
	return arn
}

// explain logs how a task is and what its containers said, as far as that is there.
func (c *tenant) explain(t *testing.T, arn string) {
	out, err := c.ecs.DescribeTasks(cleanup(), &ecs.DescribeTasksInput{Tasks: []string{arn}})
	if err != nil || len(out.Tasks) == 0 {
		t.Logf("%s: %v", arn, err)
		return
	}
	t.Logf("%s: %s", arn, told(out.Tasks[0]))
	found, _ := filepath.Glob(filepath.Join(c.Dir, "tasks", arn[strings.LastIndex(arn, "/")+1:], "log", "*"))
	for _, f := range found {
		if b, err := os.ReadFile(f); err == nil && len(b) > 0 {
			t.Logf("%s: %s", filepath.Base(f), b[max(0, len(b)-2000):])
		}
	}
}

// run registers a definition and starts a task of it.
func (c *tenant) run(t *testing.T, d definition) string {
	t.Helper()
	return c.start(t, ecs.RunTaskInput{TaskDefinition: aws.String(c.define(t, d))})
}

// guests runs a task of containers of the stories' image.
func (c *tenant) guests(t *testing.T, containers ...types.ContainerDefinition) string {
	t.Helper()
	return c.run(t, definition{ContainerDefinitions: containers})
}

func (c *tenant) task(t *testing.T, arn string) types.Task {
	t.Helper()
	out, err := c.ecs.DescribeTasks(t.Context(), &ecs.DescribeTasksInput{Tasks: []string{arn}})
	ok(t, err)
	if len(out.Tasks) != 1 {
		t.Fatalf("%s: %+v", arn, out.Failures)
	}
	return out.Tasks[0]
}

// until waits until a task is as wanted.
func (c *tenant) until(t *testing.T, arn, what string, wanted func(types.Task) bool) types.Task {
	t.Helper()
	var last types.Task
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if last = c.task(t, arn); wanted(last) {
			return last
		}
	}
	t.Fatalf("the task is not %s after %v: %s", what, patience, told(last))
	return last
}

// running waits until a task runs; it must not have stopped.
func (c *tenant) running(t *testing.T, arn string) types.Task {
	t.Helper()
	task := c.until(t, arn, "running", func(x types.Task) bool { return *x.LastStatus == "RUNNING" || *x.LastStatus == "STOPPED" })
	if *task.LastStatus != "RUNNING" {
		t.Fatalf("the task stopped: %s", told(task))
	}
	return task
}

func (c *tenant) stopped(t *testing.T, arn string) types.Task {
	t.Helper()
	return c.until(t, arn, "stopped", func(x types.Task) bool { return *x.LastStatus == "STOPPED" })
}

// stop stops a task and waits.
func (c *tenant) stop(t *testing.T, arn string) types.Task {
	t.Helper()
	_, err := c.ecs.StopTask(t.Context(), &ecs.StopTaskInput{Task: aws.String(arn), Reason: aws.String("the story")})
	ok(t, err)
	return c.stopped(t, arn)
}

// told is what matters of a task, in a line.
func told(x types.Task) string {
	parts := []string{aws.ToString(x.LastStatus), string(x.StopCode), aws.ToString(x.StoppedReason)}
	for _, k := range x.Containers {
		parts = append(parts, fmt.Sprintf("%s: %s, %s, %q", aws.ToString(k.Name), aws.ToString(k.LastStatus), exitCode(k), aws.ToString(k.Reason)))
	}
	return strings.Join(parts, "; ")
}

func exitCode(k types.Container) string {
	if k.ExitCode == nil {
		return "no exit code"
	}
	return fmt.Sprint("exit code ", *k.ExitCode)
}

// exited reports whether a container ended with a code.
func exited(t *testing.T, x types.Task, name string, code int32) bool {
	t.Helper()
	k := container(t, x, name)
	return k.ExitCode != nil && *k.ExitCode == code
}

func container(t *testing.T, x types.Task, name string) types.Container {
	t.Helper()
	for _, k := range x.Containers {
		if *k.Name == name {
			return k
		}
	}
	t.Fatalf("the task has no container %s", name)
	return types.Container{}
}

// addresses are a task's private and public addresses.
func (c *tenant) addresses(t *testing.T, x types.Task) (private, public string) {
	t.Helper()
	details := map[string]string{}
	for _, a := range x.Attachments {
		for _, d := range a.Details {
			details[*d.Name] = aws.ToString(d.Value)
		}
	}
	out, err := c.ec2.DescribeNetworkInterfaces(t.Context(), &ec2.DescribeNetworkInterfacesInput{NetworkInterfaceIds: []string{details["networkInterfaceId"]}})
	ok(t, err)
	if a := out.NetworkInterfaces[0].Association; a != nil {
		public = *a.PublicIp
	}
	return details["privateIPv4Address"], public
}

// server runs a task whose guest can be asked at its public address.
func (c *tenant) server(t *testing.T, d definition) (arn, private, public string) {
	t.Helper()
	if len(d.ContainerDefinitions) == 0 {
		d.ContainerDefinitions = []types.ContainerDefinition{guestContainer("main", "serve", ":80")}
	}
	arn = c.run(t, d)
	private, public = c.addresses(t, c.running(t, arn))
	answers(t, public)
	return arn, private, public
}

// answers waits until the page of a guest comes from an address.
func answers(t *testing.T, address string) string {
	t.Helper()
	var said string
	var err error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if said, err = story.Fetch("http://" + address + "/"); err == nil {
			return said
		}
	}
	t.Fatalf("%s does not answer: %v", address, err)
	return ""
}

// ask has a guest do something and returns what it printed.
func ask(t *testing.T, address string, command ...string) string {
	t.Helper()
	said, err := story.Ask(address, command...)
	ok(t, err)
	return strings.TrimRight(said, "\n")
}

// facts are what a guest sees of itself.
type facts struct {
	PID, UID, GID, Processes int
	Groups                   []int
	Cwd, Hostname            string
	Capabilities             string
	Args, Mounts             []string
	Env                      map[string]string
	Limits                   map[string][2]uint64
	RootWritable             bool
}

func factsOf(t *testing.T, line string) facts {
	t.Helper()
	var f facts
	if err := json.Unmarshal([]byte(line), &f); err != nil {
		t.Fatalf("%v: %q", err, line)
	}
	return f
}

// awslogs sends a container's output to a group that exists.
func (c *tenant) awslogs(t *testing.T, group string, more map[string]string) *types.LogConfiguration {
	options := map[string]string{"awslogs-group": group, "awslogs-region": c.region, "awslogs-stream-prefix": "s"}
	for k, v := range more {
		options[k] = v
	}
	return &types.LogConfiguration{LogDriver: types.LogDriverAwslogs, Options: options}
}

// events are the messages of a container's log stream, in order.
func (c *tenant) events(t *testing.T, group, name, arn string) []string {
	t.Helper()
	return c.eventsOf(t, group, "s/"+name+"/"+arn[strings.LastIndex(arn, "/")+1:])
}

func (c *tenant) eventsOf(t *testing.T, group, stream string) (messages []string) {
	t.Helper()
	in := &cloudwatchlogs.GetLogEventsInput{LogGroupName: aws.String(group), LogStreamName: aws.String(stream), StartFromHead: aws.Bool(true)}
	for {
		out, err := c.logs.GetLogEvents(t.Context(), in)
		if err != nil && strings.Contains(err.Error(), "log stream does not exist") {
			return nil
		}
		ok(t, err)
		for _, e := range out.Events {
			messages = append(messages, *e.Message)
		}
		if in.NextToken != nil && *in.NextToken == *out.NextForwardToken {
			return messages
		}
		in.NextToken = out.NextForwardToken
	}
}

// logged makes a log group and returns its name.
func (c *tenant) logged(t *testing.T) string {
	t.Helper()
	name := "/story/" + regexp.MustCompile(`[^A-Za-z0-9]+`).ReplaceAllString(t.Name(), "-")
	_, err := c.logs.CreateLogGroup(t.Context(), &cloudwatchlogs.CreateLogGroupInput{LogGroupName: aws.String(name)})
	ok(t, err)
	return name
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually waits until wanted says yes.
func eventually(t *testing.T, what string, wanted func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !wanted(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not after %v", what, patience)
		}
	}
}

// cleanup is a context for what is done when the test's own has ended.
func cleanup() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	time.AfterFunc(time.Minute, cancel)
	return ctx
}
