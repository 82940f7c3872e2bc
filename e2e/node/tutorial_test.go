package node

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"neargate/e2e/story"
)

// TestTutorial plays AWS's tutorial on each runtime: by hand and by script with
// the AWS CLI, with boto3, and with the SDK for Go.
func TestTutorial(t *testing.T) {
	for _, runtime := range runtimes(gvisor, runc) {
		t.Run(runtime, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, runtime)
			w.stage("testdata").Run(t)
			t.Run("SDK", func(t *testing.T) {
				t.Parallel()
				tutorialSDK(t, w.tenant(t))
			})
		})
	}
}

// tutorialSDK is the tutorial with the SDK for Go.
func tutorialSDK(t *testing.T, c *tenant) {
	archive, err := os.ReadFile("testdata/tutorial.txtar")
	ok(t, err)
	_, source, found := strings.Cut(string(archive), "-- fargate-task.json --\n")
	if !found {
		t.Fatal("no task definition in the story")
	}
	var d definition
	ok(t, json.Unmarshal([]byte(source), &d))
	arn := c.service(t, "fargate-service", d)
	stable := ecs.NewServicesStableWaiter(c.ecs, func(o *ecs.ServicesStableWaiterOptions) { o.MinDelay, o.MaxDelay = time.Second, time.Second })
	ok(t, stable.Wait(t.Context(), &ecs.DescribeServicesInput{Services: []string{"fargate-service"}}, patience))
	x := c.task(t, arn)
	private, public := c.addresses(t, x)
	if page := answers(t, public); !strings.Contains(page, "<h1>Amazon ECS Sample App</h1>") {
		t.Errorf("the page: %s", page)
	}
	if *x.Containers[0].NetworkInterfaces[0].PrivateIpv4Address != private || x.HealthStatus != types.HealthStatusUnknown {
		t.Errorf("%+v", x.Containers[0])
	}

	// To scale in takes the page away.
	_, err = c.ecs.UpdateService(t.Context(), &ecs.UpdateServiceInput{Service: aws.String("fargate-service"), DesiredCount: aws.Int32(0)})
	ok(t, err)
	if x = c.stopped(t, arn); x.StopCode != types.TaskStopCodeServiceSchedulerInitiated || !strings.HasPrefix(*x.StoppedReason, "Scaling activity initiated by (deployment ecs-svc/") {
		t.Error(told(x))
	}
	if _, err := story.Fetch("http://" + public + "/"); err == nil {
		t.Error("the page is still there")
	}
	c.bill(t, x)
}
