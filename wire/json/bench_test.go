package json

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"
	"time"

	"neargate/wire/shape"
)

// The benchmark shapes carry both tag sets, so that encoding/json works on the
// same values beside this package.
type keyValue struct {
	Name  *string `aws:"name" json:"name,omitempty"`
	Value *string `aws:"value" json:"value,omitempty"`
}

type benchAttachment struct {
	ID      *string    `aws:"id" json:"id,omitempty"`
	Type    *string    `aws:"type" json:"type,omitempty"`
	Status  *string    `aws:"status" json:"status,omitempty"`
	Details []keyValue `aws:"details" json:"details"`
}

type benchContainer struct {
	ContainerArn *string    `aws:"containerArn" json:"containerArn,omitempty"`
	TaskArn      *string    `aws:"taskArn" json:"taskArn,omitempty"`
	Name         *string    `aws:"name" json:"name,omitempty"`
	Image        *string    `aws:"image" json:"image,omitempty"`
	ImageDigest  *string    `aws:"imageDigest" json:"imageDigest,omitempty"`
	RuntimeID    *string    `aws:"runtimeId" json:"runtimeId,omitempty"`
	LastStatus   *string    `aws:"lastStatus" json:"lastStatus,omitempty"`
	CPU          *string    `aws:"cpu" json:"cpu,omitempty"`
	Health       *string    `aws:"healthStatus" json:"healthStatus,omitempty"`
	Interfaces   []keyValue `aws:"networkInterfaces" json:"networkInterfaces"`
}

type benchTask struct {
	Attachments    []benchAttachment `aws:"attachments" json:"attachments"`
	Attributes     []keyValue        `aws:"attributes" json:"attributes"`
	Zone           *string           `aws:"availabilityZone" json:"availabilityZone,omitempty"`
	ClusterArn     *string           `aws:"clusterArn" json:"clusterArn,omitempty"`
	Connectivity   *string           `aws:"connectivity" json:"connectivity,omitempty"`
	ConnectivityAt *time.Time        `aws:"connectivityAt" json:"connectivityAt,omitempty"`
	Containers     []benchContainer  `aws:"containers" json:"containers"`
	CPU            *string           `aws:"cpu" json:"cpu,omitempty"`
	CreatedAt      *time.Time        `aws:"createdAt" json:"createdAt,omitempty"`
	DesiredStatus  *string           `aws:"desiredStatus" json:"desiredStatus,omitempty"`
	Exec           *bool             `aws:"enableExecuteCommand" json:"enableExecuteCommand,omitempty"`
	Group          *string           `aws:"group" json:"group,omitempty"`
	LastStatus     *string           `aws:"lastStatus" json:"lastStatus,omitempty"`
	LaunchType     *string           `aws:"launchType" json:"launchType,omitempty"`
	Memory         *string           `aws:"memory" json:"memory,omitempty"`
	StartedAt      *time.Time        `aws:"startedAt" json:"startedAt,omitempty"`
	Tags           []keyValue        `aws:"tags" json:"tags"`
	TaskArn        *string           `aws:"taskArn" json:"taskArn,omitempty"`
	Definition     *string           `aws:"taskDefinitionArn" json:"taskDefinitionArn,omitempty"`
	Version        *int64            `aws:"version" json:"version,omitempty"`
}

type benchTasks struct {
	Failures []keyValue  `aws:"failures" json:"failures"`
	Tasks    []benchTask `aws:"tasks" json:"tasks"`
}

type benchPort struct {
	ContainerPort *int32  `aws:"containerPort" json:"containerPort,omitempty"`
	Protocol      *string `aws:"protocol" json:"protocol,omitempty"`
}

type benchLog struct {
	Driver  *string           `aws:"logDriver" json:"logDriver,omitempty"`
	Options map[string]string `aws:"options" json:"options,omitempty"`
}

type benchDefinition struct {
	Name        *string     `aws:"name" json:"name,omitempty"`
	Image       *string     `aws:"image" json:"image,omitempty"`
	CPU         *int32      `aws:"cpu" json:"cpu,omitempty"`
	Essential   *bool       `aws:"essential" json:"essential,omitempty"`
	Command     []string    `aws:"command" json:"command,omitempty"`
	Environment []keyValue  `aws:"environment" json:"environment,omitempty"`
	Ports       []benchPort `aws:"portMappings" json:"portMappings,omitempty"`
	Log         *benchLog   `aws:"logConfiguration" json:"logConfiguration,omitempty"`
}

type benchRegister struct {
	Family     *string           `aws:"family" json:"family,omitempty"`
	Network    *string           `aws:"networkMode" json:"networkMode,omitempty"`
	CPU        *string           `aws:"cpu" json:"cpu,omitempty"`
	Memory     *string           `aws:"memory" json:"memory,omitempty"`
	Role       *string           `aws:"executionRoleArn" json:"executionRoleArn,omitempty"`
	Requires   []string          `aws:"requiresCompatibilities" json:"requiresCompatibilities,omitempty"`
	Containers []benchDefinition `aws:"containerDefinitions" json:"containerDefinitions,omitempty"`
}

func tenTasks() *benchTasks {
	now := time.UnixMilli(1789551555929)
	out := &benchTasks{Failures: []keyValue{}}
	for i := range 10 {
		arn := fmt.Sprintf("arn:aws:ecs:us-east-1:123456789012:task/web/%032x", i)
		c := benchContainer{
			ContainerArn: &arn, TaskArn: &arn, Name: new("main"), Image: new("public.ecr.aws/nginx/nginx:1.27"),
			ImageDigest: new("sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"),
			RuntimeID:   new("0123456789abcdef-3935363592"), LastStatus: new("RUNNING"), CPU: new("0"), Health: new("UNKNOWN"),
			Interfaces: []keyValue{{new("attachmentId"), new("d1f2")}},
		}
		out.Tasks = append(out.Tasks, benchTask{
			Attachments: []benchAttachment{{new("8f2c"), new("ElasticNetworkInterface"), new("ATTACHED"), []keyValue{
				{new("subnetId"), new("subnet-0123456789abcdef0")}, {new("networkInterfaceId"), new("eni-0123456789abcdef0")},
				{new("macAddress"), new("12:ff:00:11:22:33")}, {new("privateIPv4Address"), new("10.0.0.5")}}}},
			Attributes: []keyValue{{new("ecs.cpu-architecture"), new("x86_64")}},
			Zone:       new("us-east-1a"), ClusterArn: new("arn:aws:ecs:us-east-1:123456789012:cluster/web"),
			Connectivity: new("CONNECTED"), ConnectivityAt: &now, Containers: []benchContainer{c, c}, CPU: new("256"),
			CreatedAt: &now, DesiredStatus: new("RUNNING"), Exec: new(false), Group: new("service:web"),
			LastStatus: new("RUNNING"), LaunchType: new("FARGATE"), Memory: new("512"), StartedAt: &now, Tags: []keyValue{},
			TaskArn: &arn, Definition: new("arn:aws:ecs:us-east-1:123456789012:task-definition/web:7"), Version: new(int64(3)),
		})
	}
	return out
}

func registration() *benchRegister {
	in := &benchRegister{Family: new("web"), Network: new("awsvpc"), CPU: new("512"), Memory: new("1024"),
		Role: new("arn:aws:iam::123456789012:role/exec"), Requires: []string{"FARGATE"}}
	for i := range 3 {
		d := benchDefinition{Name: new(fmt.Sprint("c", i)), Image: new("nginx"), CPU: new(int32(10)), Essential: new(true),
			Command: []string{"sh", "-c", "echo \"hello\" && sleep 1"}, Ports: []benchPort{{new(int32(80)), new("tcp")}},
			Log: &benchLog{new("awslogs"), map[string]string{"awslogs-group": "/ecs/web", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "w"}}}
		for j := range 8 {
			d.Environment = append(d.Environment, keyValue{new(fmt.Sprint("KEY_", j)), new("some value of usual length")})
		}
		in.Containers = append(in.Containers, d)
	}
	return in
}

func BenchmarkDescribeTasks(b *testing.B) {
	out, plan := tenTasks(), shape.NewPlans().Of(reflect.TypeFor[benchTasks]())
	b.Run("append", func(b *testing.B) {
		b.ReportAllocs()
		var buf []byte
		for b.Loop() {
			buf = Append(buf[:0], plan, out)
		}
		b.SetBytes(int64(len(buf)))
	})
	b.Run("encoding-json", func(b *testing.B) {
		b.ReportAllocs()
		n := 0
		for b.Loop() {
			text, _ := json.Marshal(out)
			n = len(text)
		}
		b.SetBytes(int64(n))
	})
}

func BenchmarkRegisterTaskDefinition(b *testing.B) {
	text, _ := json.Marshal(registration())
	plan := shape.NewPlans().Of(reflect.TypeFor[benchRegister]())
	b.Run("read", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			if err := Read(text, plan, new(benchRegister)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoding-json", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			if err := json.Unmarshal(text, new(benchRegister)); err != nil {
				b.Fatal(err)
			}
		}
	})
}
