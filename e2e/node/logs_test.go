package node

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logstypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
)

// filtered are the events of a group that match a pattern, in order of time.
func (c *tenant) filtered(t *testing.T, group, pattern string) (events []logstypes.FilteredLogEvent) {
	t.Helper()
	pager := cloudwatchlogs.NewFilterLogEventsPaginator(c.logs, &cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String(group), FilterPattern: aws.String(pattern)})
	for pager.HasMorePages() {
		page, err := pager.NextPage(t.Context())
		ok(t, err)
		events = append(events, page.Events...)
	}
	slices.SortStableFunc(events, func(a, b logstypes.FilteredLogEvent) int { return int(*a.Timestamp - *b.Timestamp) })
	return events
}

// talker is a container whose output goes to a group.
func (c *tenant) talker(t *testing.T, group string, options map[string]string, command ...string) definition {
	k := guestContainer("main", command...)
	k.LogConfiguration = c.awslogs(t, group, options)
	return definition{ContainerDefinitions: []types.ContainerDefinition{k}, ExecutionRoleArn: aws.String(c.role)}
}

// logLines: every line arrives once, in order, within a second, whatever it is.
func logLines(t *testing.T, c *tenant) {
	group := c.logged(t)
	slow := c.run(t, c.talker(t, group, nil, "lines", "40", "10", "slow"))
	fast := c.run(t, c.talker(t, group, nil, "lines", "20000", "0", "fast"))
	odd := c.run(t, c.talker(t, group, nil,
		"raw", `no line feed yet`, "then", "sleep", "200ms", "then", "raw", ` and now\n`, "then", "raw", `\xff\xfe binary\n`, "then", "raw", `\n`, "then",
		"sleep", "300ms", "then", "error", "to standard error", "then", "sleep", "300ms", "then", "raw", strings.Repeat("0123456789abcdef", 16<<10/16)+`\n`, "then", "raw", `the end without a line feed`))
	c.running(t, slow)
	eventually(t, "the first line", func() bool { return len(c.events(t, group, "main", slow)) > 0 })
	for range 5 {
		said := c.filtered(t, group, "slow")
		if len(said) == 0 {
			continue
		}
		at := time.UnixMilli(*said[len(said)-1].Timestamp)
		if age := time.Since(at); len(said) < 40 && age > 1500*time.Millisecond {
			t.Errorf("the newest line is %v old", age)
		}
		time.Sleep(100 * time.Millisecond) // between samples
	}
	for arn, want := range map[string][]string{slow: numbered("slow", 40), fast: numbered("fast", 20000)} {
		c.stopped(t, arn)
		sameLines(t, func() []string { return c.events(t, group, "main", arn) }, want)
	}
	c.stopped(t, odd)
	sameLines(t, func() []string { return c.events(t, group, "main", odd) }, []string{
		"no line feed yet and now", "\ufffd\ufffd binary", "to standard error", strings.Repeat("0123456789abcdef", 1<<10), "the end without a line feed"})
}

func numbered(prefix string, n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprint(prefix, " ", i)
	}
	return list
}

// sameLines waits until there are as many lines as wanted and compares them.
func sameLines(t *testing.T, get func() []string, want []string) {
	t.Helper()
	var got []string
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if got = get(); len(got) >= len(want) {
			break
		}
	}
	if slices.Equal(got, want) {
		return
	}
	at := 0
	for at < min(len(got), len(want)) && got[at] == want[at] {
		at++
	}
	t.Errorf("%d lines, want %d; from number %d on\n%.200q\nwant\n%.200q", len(got), len(want), at, got[at:min(at+5, len(got))], want[at:min(at+5, len(want))])
}

// logOptions: create-group, multi-line patterns and datetime formats, modes.
func logOptions(t *testing.T, c *tenant) {
	group := c.logged(t)
	_, err := c.iam.PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{RoleName: aws.String("ecsTaskExecutionRole"), PolicyName: aws.String("create"),
		PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"logs:CreateLogGroup","Resource":"*"}]}`)})
	ok(t, err)
	trace := []string{"raw", `2026-01-02 first\n  at one\n  at two\n`, "then", "raw", `2026-01-03 second\n  at three\n`, "then", "print", "2026-01-04 third"}
	want := []string{"2026-01-02 first\n  at one\n  at two\n", "2026-01-03 second\n  at three\n", "2026-01-04 third\n"}
	for _, s := range []struct {
		name    string
		group   string
		options map[string]string
		want    []string
	}{
		{"create", group + "-made", map[string]string{"awslogs-create-group": "true"}, lines(strings.Join(want, ""))},
		{"pattern", group, map[string]string{"awslogs-multiline-pattern": `^\d{4}-`}, want},
		{"datetime", group, map[string]string{"awslogs-datetime-format": `%Y-%m-%d`}, want},
		{"blocking", group, map[string]string{"mode": "blocking"}, lines(strings.Join(want, ""))},
		{"buffer", group, map[string]string{"mode": "non-blocking", "max-buffer-size": "4m"}, lines(strings.Join(want, ""))},
	} {
		s.options["awslogs-stream-prefix"] = s.name
		arn := c.run(t, c.talker(t, s.group, s.options, trace...))
		if x := c.stopped(t, arn); x.StopCode != types.TaskStopCodeEssentialContainerExited {
			t.Errorf("%s: %s", s.name, told(x))
			continue
		}
		stream := s.name + "/main/" + arn[strings.LastIndex(arn, "/")+1:]
		t.Run(s.name, func(t *testing.T) { sameLines(t, func() []string { return c.eventsOf(t, s.group, stream) }, s.want) })
	}
}

// logFailures: a task whose log cannot be kept does not start, in AWS's words.
func logFailures(t *testing.T, c *tenant) {
	const begin = `^ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: failed to create Cloudwatch log `
	for _, s := range []struct {
		name    string
		options map[string]string
		reason  string
	}{
		{"missing", nil, begin + `stream: operation error CloudWatch Logs: CreateLogStream, https response error StatusCode: 400, RequestID: [0-9a-f-]{36}, ResourceNotFoundException: The specified log group does not exist. : exit status 1$`},
		{"create", map[string]string{"awslogs-create-group": "true"}, begin + `group: operation error CloudWatch Logs: CreateLogGroup, https response error StatusCode: 400, RequestID: [0-9a-f-]{36}, api error AccessDeniedException: User: arn:aws:sts::` + c.account +
			`:assumed-role/ecsTaskExecutionRole/[0-9a-f]{32} is not authorized to perform: logs:CreateLogGroup on resource: \S+ because no identity-based policy allows the logs:CreateLogGroup action : exit status 1$`},
	} {
		x := c.stopped(t, c.run(t, c.talker(t, "/none", s.options, "print", "x")))
		k := container(t, x, "main")
		if !regexp.MustCompile(s.reason).MatchString(aws.ToString(x.StoppedReason)) || x.StopCode != types.TaskStopCodeTaskFailedToStart || x.StartedAt != nil || k.ExitCode != nil || k.Reason != nil {
			t.Errorf("%s: %s", s.name, told(x))
		}
	}
}
