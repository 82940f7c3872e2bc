// Command run measures the way of a task: from RunTask to its container's first
// instruction, which is a line, and to RUNNING in DescribeTasks, and from StopTask until
// nothing of it is left, beside the raw runtime's run of the same program and, if asked,
// beside what else runs it. bench/task.sh and bench/peers.sh run it. Or it measures the
// network between two tasks; bench/path.sh runs that.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"neargate/e2e/images"
	"neargate/e2e/story"
)

const (
	group    = "/bench"
	patience = time.Minute
	// every is how often is asked meanwhile: often enough to tell the time. Asking takes
	// processor time from what is measured, so it begins when a task may run, by the
	// least that one took.
	every  = 10 * time.Millisecond
	trust  = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
	policy = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
)

func main() {
	runtime := flag.String("runtime", "gvisor", "gvisor or runc")
	n := flag.Int("n", 20, "tasks")
	beside := flag.Int("beside", 0, "idle tasks that run meanwhile")
	warm := flag.Int("warm", 2, "sandboxes kept ready")
	bin := flag.String("bin", "../bin", "`DIR` of the binaries")
	path := flag.Bool("path", false, "measure the network between two tasks")
	var peers []*peer
	flag.Func("peer", "`NAME=COMMAND` that runs the program \"first\" another way, measured in turns with the tasks; may be given again", func(s string) error {
		p, err := parsePeer(s)
		peers = append(peers, p)
		return err
	})
	flag.Parse()
	with := func(ctx context.Context, b *bench, bin, dir string) error {
		return b.starts(ctx, bin, *runtime, dir, *n, *beside, peers)
	}
	if *path {
		with = func(ctx context.Context, b *bench, bin, dir string) error {
			return b.paths(ctx, bin, *runtime, dir, *n)
		}
	}
	if err := measure(*runtime, *bin, *warm, with); err != nil {
		fmt.Fprintln(os.Stderr, "run:", err)
		os.Exit(1)
	}
}

// bench is a running neargate with an account.
type bench struct {
	story.Installation
	ecs    *ecs.Client
	ec2    *ec2.Client
	logs   *cloudwatchlogs.Client
	subnet string
	least  time.Duration // that a task took to its first line; 0: not known
}

// measure measures with an installation and a directory.
func measure(runtime, bin string, warm int, with func(ctx context.Context, b *bench, bin, dir string) error) (err error) {
	ctx := context.Background()
	bin, err = filepath.Abs(bin)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "ngb")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	cache, err := images.DefaultDir()
	if err != nil {
		return err
	}
	library, err := images.Open(cache)
	if err != nil {
		return err
	}
	if err := library.EnsureNamed("first", "guest"); err != nil {
		return err
	}
	server := httptest.NewServer(library)
	defer server.Close()
	registries := filepath.Join(dir, "registries.json")
	mirror := fmt.Sprintf(`{"registries": {"public.ecr.aws": {"mirrors": [%q], "only": true}}}`, server.URL)
	if err := os.WriteFile(registries, []byte(mirror), 0o600); err != nil {
		return err
	}
	b := &bench{Installation: story.Installation{Program: filepath.Join(bin, "neargate"), Dir: filepath.Join(dir, "data")}}
	if err := b.Up("--runtime", runtime, "--registries", registries, "--uplink", "none", "--no-throttle", "--warm", fmt.Sprint(warm), "--memory", "1000000", "--cpu", "1000000"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Down()) }()
	if err := b.prepare(ctx); err != nil {
		return err
	}
	return with(ctx, b, bin, filepath.Join(dir, "raw"))
}

// starts measures n starts and stops, while other tasks run.
func (b *bench) starts(ctx context.Context, bin, runtime, dir string, n, beside int, peers []*peer) (err error) {
	raw, err := newRaw(bin, runtime, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unpin(raw.state)) }()
	if _, err := b.task(ctx); err != nil { // pulls the image
		return err
	}
	for range beside {
		if _, err := b.start(ctx, "idle"); err != nil {
			return err
		}
	}
	return b.report(ctx, raw, peers, n)
}

// report takes turns between the raw runtime, peers and tasks, and prints medians.
func (b *bench) report(ctx context.Context, raw *raw, peers []*peer, n int) error {
	var all []times
	var floors []time.Duration
	for range n {
		took, err := raw.run(ctx)
		if err != nil {
			return err
		}
		floors = append(floors, took)
		for _, p := range peers {
			if err := p.run(ctx); err != nil {
				return err
			}
		}
		t, err := b.task(ctx)
		if err != nil {
			return err
		}
		all = append(all, t)
		time.Sleep(500 * time.Millisecond) // another sandbox gets ready meanwhile, as between most tasks
	}
	floor := median(floors)
	show := func(what string, of func(times) time.Duration) time.Duration {
		var ds []time.Duration
		for _, t := range all {
			ds = append(ds, of(t))
		}
		m := median(ds)
		fmt.Printf("%-52s %8.1f ms %8.2f x raw\n", what, ms(m), float64(m)/float64(floor))
		return m
	}
	fmt.Printf("%-52s %8.1f ms\n", "raw run to its first line", ms(floor))
	task := show("RunTask sent to the first line", func(t times) time.Duration { return t.line })
	show("… of it, the image that is there and the log stream", func(t times) time.Duration { return t.pull })
	show("the first line to RUNNING in DescribeTasks", func(t times) time.Duration { return t.running - t.line })
	show("StopTask to STOPPED", func(t times) time.Duration { return t.stopped })
	for _, p := range peers {
		m := median(p.took)
		fmt.Printf("%-52s %8.1f ms %8.2f x raw %8.2f x RunTask\n", p.name+" to the first line", ms(m), float64(m)/float64(floor), float64(m)/float64(task))
	}
	return nil
}

// times are what a task took: to its first line and to RUNNING from RunTask, its pull,
// to STOPPED from StopTask.
type times struct{ line, running, pull, stopped time.Duration }

func (b *bench) prepare(ctx context.Context) error {
	env, err := b.Env()
	if err != nil {
		return err
	}
	cfg, err := config.LoadDefaultConfig(ctx, config.WithRegion(env["AWS_REGION"]), config.WithBaseEndpoint(env["AWS_ENDPOINT_URL"]),
		config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], "")))
	if err != nil {
		return err
	}
	b.ecs, b.ec2, b.logs = ecs.NewFromConfig(cfg), ec2.NewFromConfig(cfg), cloudwatchlogs.NewFromConfig(cfg)
	roles := iam.NewFromConfig(cfg)
	role, err := roles.CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("execution"), AssumeRolePolicyDocument: aws.String(trust)})
	if err != nil {
		return err
	}
	_, err = roles.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: aws.String("execution"), PolicyArn: aws.String(policy)})
	if err != nil {
		return err
	}
	subnets, err := b.ec2.DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{})
	if err != nil {
		return err
	}
	b.subnet = *subnets.Subnets[0].SubnetId
	if _, err := b.logs.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: aws.String(group)}); err != nil {
		return err
	}
	if _, err := b.ecs.CreateCluster(ctx, &ecs.CreateClusterInput{}); err != nil {
		return err
	}
	for family, d := range map[string]struct {
		cpu, memory, image string
		command            []string
	}{
		"line":   {"256", "512", "first", []string{"stay"}},
		"idle":   {"256", "512", "first", []string{"stay"}},
		"answer": {"1024", "2048", "guest", []string{"answer", ":90"}},
		"serve":  {"1024", "2048", "guest", []string{"serve", ":80"}},
	} {
		in := &ecs.RegisterTaskDefinitionInput{
			Family: &family, NetworkMode: types.NetworkModeAwsvpc, RequiresCompatibilities: []types.Compatibility{types.CompatibilityFargate},
			Cpu: &d.cpu, Memory: &d.memory, ExecutionRoleArn: role.Role.Arn,
			ContainerDefinitions: []types.ContainerDefinition{{
				Name: aws.String("app"), Image: aws.String("public.ecr.aws/neargate/" + d.image + ":latest"), Command: d.command,
			}},
		}
		if family == "line" {
			in.ContainerDefinitions[0].LogConfiguration = &types.LogConfiguration{LogDriver: types.LogDriverAwslogs, Options: map[string]string{
				"awslogs-group": group, "awslogs-region": cfg.Region, "awslogs-stream-prefix": "b"}}
		}
		if _, err := b.ecs.RegisterTaskDefinition(ctx, in); err != nil {
			return err
		}
	}
	return nil
}

// start runs a task and waits until it is RUNNING.
func (b *bench) start(ctx context.Context, family string) (arn string, err error) {
	out, err := b.ecs.RunTask(ctx, &ecs.RunTaskInput{
		TaskDefinition: &family, LaunchType: types.LaunchTypeFargate,
		NetworkConfiguration: &types.NetworkConfiguration{AwsvpcConfiguration: &types.AwsVpcConfiguration{AssignPublicIp: types.AssignPublicIpEnabled, Subnets: []string{b.subnet}}},
	})
	if err != nil || len(out.Tasks) != 1 {
		return "", fmt.Errorf("%+v: %w", out, err)
	}
	time.Sleep(b.least * 9 / 10)
	return *out.Tasks[0].TaskArn, b.until(ctx, *out.Tasks[0].TaskArn, "RUNNING")
}

// until waits until DescribeTasks says so.
func (b *bench) until(ctx context.Context, task, status string) error {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(every) {
		out, err := b.ecs.DescribeTasks(ctx, &ecs.DescribeTasksInput{Tasks: []string{task}})
		if err != nil {
			return err
		}
		switch last := *out.Tasks[0].LastStatus; {
		case last == status:
			return nil
		case last == "STOPPED":
			why, _ := json.Marshal(out.Tasks[0])
			return fmt.Errorf("task ended: %s", why)
		}
	}
	return fmt.Errorf("%s is not %s within %v", task, status, patience)
}

// task runs a task that says a line, and stops it.
func (b *bench) task(ctx context.Context) (t times, err error) {
	begin := time.Now()
	arn, err := b.start(ctx, "line")
	if err != nil {
		return t, err
	}
	t.running = time.Since(begin)
	stream := "b/app/" + arn[strings.LastIndexByte(arn, '/')+1:]
	for deadline := time.Now().Add(patience); t.line == 0; time.Sleep(every) {
		out, err := b.logs.GetLogEvents(ctx, &cloudwatchlogs.GetLogEventsInput{LogGroupName: aws.String(group), LogStreamName: &stream, StartFromHead: aws.Bool(true)})
		if err != nil {
			return t, err
		}
		if len(out.Events) > 0 {
			t.line = time.UnixMilli(*out.Events[0].Timestamp).Sub(begin.Truncate(time.Millisecond))
			if b.least == 0 || t.line < b.least {
				b.least = t.line
			}
		} else if time.Now().After(deadline) {
			return t, errors.New("no line in the log stream")
		}
	}
	out, err := b.ecs.DescribeTasks(ctx, &ecs.DescribeTasksInput{Tasks: []string{arn}})
	if err != nil {
		return t, err
	}
	t.pull = out.Tasks[0].PullStoppedAt.Sub(*out.Tasks[0].PullStartedAt)
	begin = time.Now()
	if _, err := b.ecs.StopTask(ctx, &ecs.StopTaskInput{Task: &arn}); err != nil {
		return t, err
	}
	err = b.until(ctx, arn, "STOPPED")
	t.stopped = time.Since(begin)
	return t, err
}

func median(ds []time.Duration) time.Duration {
	slices.Sort(ds)
	return ds[len(ds)/2]
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
