package node

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"neargate/e2e/story"
)

// TestFlowLogs reads in CloudWatch Logs what was let in to a task and what refused,
// after the task is gone.
func TestFlowLogs(t *testing.T) {
	for _, runtime := range runtimes(runc) {
		t.Run(runtime, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, runtime)
			c := w.tenant(t)
			group := c.logged(t)
			role := c.aws(t, "iam", "create-role", "--role-name", "flow", "--query", "Role.Arn", "--output", "text", "--assume-role-policy-document",
				`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"vpc-flow-logs.amazonaws.com"},"Action":"sts:AssumeRole"}]}`)
			c.aws(t, "iam", "put-role-policy", "--role-name", "flow", "--policy-name", "logs", "--policy-document",
				`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["logs:CreateLogStream","logs:PutLogEvents"],"Resource":"*"}]}`)
			made, err := c.ec2.CreateFlowLogs(t.Context(), &ec2.CreateFlowLogsInput{ResourceType: ec2types.FlowLogsResourceTypeVpc, ResourceIds: []string{c.vpc},
				TrafficType: ec2types.TrafficTypeAll, LogGroupName: &group, DeliverLogsPermissionArn: &role, MaxAggregationInterval: aws.Int32(60)})
			ok(t, err)
			web := c.group(t, "web")
			c.allow(t, web, tcp(80, "0.0.0.0/0"))
			arn := c.start(t, ecs.RunTaskInput{TaskDefinition: aws.String(c.define(t, definition{ContainerDefinitions: []types.ContainerDefinition{
				guestContainer("main", "serve", ":80"), guestContainer("other", "serve", ":8080")}})), NetworkConfiguration: c.place(web)})
			private, public := c.addresses(t, c.running(t, arn))
			answers(t, public)
			if said, err := story.Fetch("http://" + public + ":8080/"); err == nil {
				t.Fatalf("a closed port answered %q", said)
			}
			c.stop(t, arn)
			record := func(port int, action string) *regexp.Regexp {
				return regexp.MustCompile(fmt.Sprintf(`(?m)^2 %s eni-[0-9a-f]{17} [0-9.]+ %s \d+ %d 6 \d+ \d+ \d+ \d+ %s OK$`, c.account, regexp.QuoteMeta(private), port, action))
			}
			let, refused, said := record(80, "ACCEPT"), record(8080, "REJECT"), ""
			eventually(t, "records of both", func() bool {
				var messages []string
				out := c.aws(t, "logs", "filter-log-events", "--log-group-name", group, "--log-stream-name-prefix", "eni-", "--query", "events[].message")
				ok(t, json.Unmarshal([]byte(out), &messages))
				said = strings.Join(messages, "\n")
				return let.MatchString(said) && refused.MatchString(said)
			})
			if record(8080, "ACCEPT").MatchString(said) || record(80, "REJECT").MatchString(said) {
				t.Errorf("the records are wrong:\n%s", said)
			}
			shown, err := c.ec2.DescribeFlowLogs(t.Context(), &ec2.DescribeFlowLogsInput{FlowLogIds: made.FlowLogIds})
			ok(t, err)
			if l := shown.FlowLogs[0]; aws.ToString(l.DeliverLogsStatus) != "SUCCESS" {
				t.Errorf("delivery: %s %s", aws.ToString(l.DeliverLogsStatus), aws.ToString(l.DeliverLogsErrorMessage))
			}
		})
	}
}
