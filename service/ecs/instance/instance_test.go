package instance

import (
	"context"
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"
	"time"

	"neargate/arn"
	"neargate/auth"
	"neargate/aws/ecs"
	"neargate/resource/compute"
	"neargate/service"
	"neargate/store"
	"neargate/store/mem"
	"neargate/store/tables"
)

const account, region = "123456789012", "us-east-1"

var ctx = auth.WithCaller(context.Background(), auth.Caller{Account: account, Region: region, ARN: "arn:aws:iam::123456789012:root"})

func newHandler(t *testing.T) *Handler {
	s := mem.New(mem.Paranoid())
	t.Cleanup(func() { s.Close() })
	h := New(service.Deps{Store: s, Now: time.Now, IDs: arn.NewSource(rand.New(rand.NewSource(1)))})
	put(t, h, tables.Clusters, compute.Cluster{Account: account, Region: region, Name: "default", Status: "ACTIVE"})
	return h
}

func put[T any](t *testing.T, h *Handler, table store.Table[T], r T) {
	t.Helper()
	if err := h.deps.Store.Update(ctx, func(tx store.Tx) error { return table.Put(tx, &r) }); err != nil {
		t.Fatal(err)
	}
}

func registration(kind string) *ecs.RegisterContainerInstanceInput {
	return &ecs.RegisterContainerInstanceInput{
		InstanceIdentityDocument:          new(`{"instanceId":"i-0123","instanceType":"` + kind + `","availabilityZone":"us-east-1a","architecture":"x86_64"}`),
		InstanceIdentityDocumentSignature: new("signature"),
		VersionInfo:                       &ecs.VersionInfo{AgentVersion: new("1.80.0")},
		TotalResources: []ecs.Resource{
			{Name: new("CPU"), Type: new("INTEGER"), IntegerValue: new(int32(1024))},
			{Name: new("PORTS"), Type: new("STRINGSET"), StringSetValue: []string{"22"}},
		},
		Attributes: []ecs.Attribute{{Name: new("ecs.os-type"), Value: new("linux")}},
		Tags:       []ecs.Tag{{Key: new("k"), Value: new("v")}},
	}
}

func register(t *testing.T, h *Handler, kind string) *ecs.ContainerInstance {
	t.Helper()
	out, err := h.RegisterContainerInstance(ctx, registration(kind))
	if err != nil {
		t.Fatal(err)
	}
	return out.ContainerInstance
}

func describe(t *testing.T, h *Handler, name string) ecs.ContainerInstance {
	t.Helper()
	out, err := h.DescribeContainerInstances(ctx, &ecs.DescribeContainerInstancesInput{ContainerInstances: []string{name}, Include: []string{"TAGS", "CONTAINER_INSTANCE_HEALTH"}})
	if err != nil || len(out.ContainerInstances) != 1 {
		t.Fatalf("%+v, %v", out, err)
	}
	return out.ContainerInstances[0]
}

func TestRegisterAndDescribe(t *testing.T) {
	h := newHandler(t)
	i := register(t, h, "t3.small")
	if !strings.HasPrefix(*i.ContainerInstanceArn, "arn:aws:ecs:us-east-1:123456789012:container-instance/default/") ||
		*i.AgentConnected || *i.Status != "ACTIVE" || *i.Ec2InstanceId != "i-0123" || len(i.RemainingResources) != 2 || len(i.Attributes) != 4 {
		t.Errorf("registered %+v", i)
	}
	got := describe(t, h, *i.ContainerInstanceArn)
	if len(got.Tags) != 1 || *got.HealthStatus.OverallStatus != "INSUFFICIENT_DATA" || *got.VersionInfo.AgentVersion != "1.80.0" {
		t.Errorf("described %+v", got)
	}
	again := registration("t3.large")
	again.ContainerInstanceArn = i.ContainerInstanceArn
	out, err := h.RegisterContainerInstance(ctx, again)
	if err != nil || *out.ContainerInstance.ContainerInstanceArn != *i.ContainerInstanceArn || *out.ContainerInstance.Version != 2 {
		t.Errorf("registered again: %+v, %v", out, err)
	}
	missing, err := h.DescribeContainerInstances(ctx, &ecs.DescribeContainerInstancesInput{ContainerInstances: []string{strings.Repeat("0", 32)}})
	if err != nil || len(missing.Failures) != 1 || *missing.Failures[0].Reason != "MISSING" {
		t.Errorf("missing instance: %+v, %v", missing, err)
	}
}

func TestRefusals(t *testing.T) {
	h := newHandler(t)
	many := make([]string, 101)
	_, elsewhere := h.RegisterContainerInstance(ctx, func() *ecs.RegisterContainerInstanceInput {
		in := registration("t3.small")
		in.Cluster = new("none")
		return in
	}())
	_, undocumented := h.RegisterContainerInstance(ctx, &ecs.RegisterContainerInstanceInput{})
	_, gpu := h.RegisterContainerInstance(ctx, func() *ecs.RegisterContainerInstanceInput {
		in := registration("p3")
		in.PlatformDevices = []ecs.PlatformDevice{{Id: new("0"), Type: new("GPU")}}
		return in
	}())
	_, tooMany := h.DescribeContainerInstances(ctx, &ecs.DescribeContainerInstancesInput{ContainerInstances: many})
	_, none := h.DescribeContainerInstances(ctx, &ecs.DescribeContainerInstancesInput{ContainerInstances: []string{}})
	_, status := h.UpdateContainerInstancesState(ctx, &ecs.UpdateContainerInstancesStateInput{ContainerInstances: []string{"a"}, Status: new("INACTIVE")})
	_, filter := h.ListContainerInstances(ctx, &ecs.ListContainerInstancesInput{Filter: new("x ==")})
	_, unknown := h.DeregisterContainerInstance(ctx, &ecs.DeregisterContainerInstanceInput{ContainerInstance: new(strings.Repeat("0", 32))})
	for want, err := range map[string]error{
		"ClusterNotFoundException: Cluster not found.":                                elsewhere,
		"ClientException: Instance identity document can not be blank.":               undocumented,
		"ClientException: The 'platformDevices' parameter is not supported":           gpu,
		"InvalidParameterException: instanceIds can have at most 100 items.":          tooMany,
		"InvalidParameterException: Container instances cannot be empty.":             none,
		"InvalidParameterException: status should be one of [ACTIVE,DRAINING]":        status,
		"InvalidParameterException: Invalid filter: ":                                 filter,
		"InvalidParameterException: The referenced container instance was not found.": unknown,
	} {
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func TestListFiltersAndPages(t *testing.T) {
	h := newHandler(t)
	var arns []string
	for n := range 5 {
		arns = append(arns, *register(t, h, fmt.Sprintf("t%d.small", n%2)).ContainerInstanceArn)
	}
	slices.Sort(arns)
	drained := arns[4]
	out, err := h.UpdateContainerInstancesState(ctx, &ecs.UpdateContainerInstancesStateInput{ContainerInstances: []string{drained, strings.Repeat("0", 32)}, Status: new("DRAINING")})
	if err != nil || len(out.Failures) != 1 || len(out.ContainerInstances) != 1 || *out.ContainerInstances[0].Status != "DRAINING" {
		t.Fatalf("%+v, %v", out, err)
	}
	list := func(in ecs.ListContainerInstancesInput) (got []string) {
		for {
			out, err := h.ListContainerInstances(ctx, &in)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, out.ContainerInstanceArns...)
			if in.NextToken = out.NextToken; in.NextToken == nil {
				return got
			}
		}
	}
	for n := range int32(6) {
		if got := list(ecs.ListContainerInstancesInput{MaxResults: new(n + 1)}); !slices.Equal(got, arns) {
			t.Errorf("in pages of %d: %v", n+1, got)
		}
	}
	for name, c := range map[string]struct {
		in   ecs.ListContainerInstancesInput
		want int
	}{
		"draining":  {ecs.ListContainerInstancesInput{Status: new("DRAINING")}, 1},
		"type":      {ecs.ListContainerInstancesInput{Filter: new("attribute:ecs.instance-type =~ t1.*"), MaxResults: new(int32(1))}, 2},
		"agent":     {ecs.ListContainerInstancesInput{Filter: new("agentConnected == true")}, 0},
		"no groups": {ecs.ListContainerInstancesInput{Filter: new("task:group != service:x and runningTasksCount == 0")}, 5},
	} {
		if got := list(c.in); len(got) != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestDeregister(t *testing.T) {
	h := newHandler(t)
	name := *register(t, h, "t3.small").ContainerInstanceArn
	id := name[strings.LastIndex(name, "/")+1:]
	put(t, h, tables.Tasks, compute.Task{Account: account, Region: region, Cluster: "default", ID: "1",
		Spec: compute.TaskSpec{LaunchType: "EC2", Instance: id, Group: "family:job"}, Intent: compute.Intent{Desired: compute.Running}, State: compute.TaskState{Last: compute.Running}})
	if got := describe(t, h, id); *got.RunningTasksCount != 1 {
		t.Errorf("described %+v", got)
	}
	in := &ecs.DeregisterContainerInstanceInput{ContainerInstance: &id}
	if _, err := h.DeregisterContainerInstance(ctx, in); err == nil || err.Error() != "InvalidParameterException: Found running tasks on the instance." {
		t.Errorf("deregistered with a task: %v", err)
	}
	in.Force = new(true)
	out, err := h.DeregisterContainerInstance(ctx, in)
	if err != nil || *out.ContainerInstance.Status != "INACTIVE" {
		t.Fatalf("%+v, %v", out, err)
	}
	err = h.deps.Store.View(ctx, func(tx store.Tx) error {
		task, err := tables.Tasks.Get(tx, account, region, "default", "1")
		if err == nil && (task.Intent.Desired != compute.Stopped || task.Intent.StopReason != forced) {
			t.Errorf("the task of a deregistered instance is meant to be %+v", task.Intent)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if got := describe(t, h, id); *got.Status != "INACTIVE" {
		t.Errorf("described after deregistration: %+v", got)
	}
	if list, err := h.ListContainerInstances(ctx, &ecs.ListContainerInstancesInput{}); err != nil || len(list.ContainerInstanceArns) != 0 {
		t.Errorf("listed after deregistration: %v, %v", list, err)
	}
}
