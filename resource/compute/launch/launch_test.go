package launch

import (
	"reflect"
	"testing"
	"time"

	"neargate/resource/compute"
	"neargate/resource/compute/taskdef"
)

func TestPick(t *testing.T) {
	subnets := []Subnet{{"s1", "a"}, {"s2", "a"}, {"s3", "b"}}
	none := func(string) bool { return false }
	for _, tt := range []struct {
		name string
		have map[string]int
		shun func(string) bool
		turn int
		want string
	}{
		{"first of equals", nil, none, 0, "s1"},
		{"turns within a zone", nil, none, 1, "s2"},
		{"fewest", map[string]int{"a": 1}, none, 5, "s3"},
		{"shunned", nil, func(z string) bool { return z == "a" }, 0, "s3"},
		{"all shunned", nil, func(string) bool { return true }, 0, "s1"},
	} {
		if got := Pick(subnets, tt.have, tt.shun, tt.turn); got.ID != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got.ID, tt.want)
		}
	}
	if got := Pick(nil, nil, none, 3); got != (Subnet{}) {
		t.Errorf("of nothing: %v", got)
	}
}

func TestTaskWithoutInterface(t *testing.T) {
	d := &taskdef.Definition{Family: "f", Revision: 2, ContainerDefinitions: []taskdef.Container{{Name: "c", Memory: new(int32(64))}}}
	now := time.Date(2026, 9, 16, 0, 0, 0, 0, time.UTC)
	got := Task(Order{Definition: d, ID: "x", ContainerIDs: []string{"1"}, Now: now, LaunchType: "EC2", Instance: "i"})
	if got.State.Last != compute.Pending || got.Attachment.ID != "" || got.Spec.PlatformVersion != "" || got.Spec.EphemeralGiB != 0 ||
		got.Spec.Containers[0].Memory != "64" || got.Spec.Group != "family:f" {
		t.Errorf("task %+v", got)
	}
}

func TestTags(t *testing.T) {
	d := &taskdef.Definition{Tags: []compute.Tag{{Key: "a", Value: "def"}, {Key: "b", Value: "def"}}}
	service := []compute.Tag{{Key: "s", Value: "svc"}}
	for _, tt := range []struct {
		order Order
		want  []compute.Tag
	}{
		{Order{PropagateTags: "NONE", ServiceTags: service}, nil},
		{Order{PropagateTags: "SERVICE", ServiceTags: service}, service},
		{Order{PropagateTags: "TASK_DEFINITION", Tags: []compute.Tag{{Key: "b", Value: "req"}}}, []compute.Tag{{Key: "a", Value: "def"}, {Key: "b", Value: "req"}}},
		{Order{ManagedTags: true, Cluster: "c", Service: "web"}, []compute.Tag{{Key: "aws:ecs:clusterName", Value: "c"}, {Key: "aws:ecs:serviceName", Value: "web"}}},
	} {
		tt.order.Definition = d
		if got := Tags(tt.order); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%+v gives %v, want %v", tt.order, got, tt.want)
		}
	}
}

func TestFamily(t *testing.T) {
	for os, want := range map[string]string{"LINUX": "Linux", "WINDOWS_SERVER_2022_CORE": "Windows-Server-2022-Core"} {
		if got := Family(&taskdef.Definition{RuntimePlatform: &taskdef.RuntimePlatform{OperatingSystemFamily: &os}}); got != want {
			t.Errorf("%s is %s", os, got)
		}
	}
}
