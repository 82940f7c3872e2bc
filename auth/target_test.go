package auth

import (
	"testing"

	"neargate/resource/compute"
	"neargate/resource/identity"
	"neargate/store/tables"
)

// TestConditionKeys decides by what a request and what its resources say.
func TestConditionKeys(t *testing.T) {
	type vpc struct {
		Subnets        []string
		AssignPublicIp *string
	}
	type network struct{ AwsvpcConfiguration *vpc }
	type run struct {
		Cluster, TaskDefinition *string
		EnableExecuteCommand    *bool
		NetworkConfiguration    *network
	}
	type entity struct{ RoleName, UserName, PolicyArn *string }
	const boundary = "arn:aws:iam::aws:policy/AmazonSSMReadOnlyAccess"
	tests := []struct {
		name, condition string
		call            Call
		want            bool
	}{
		{"tag of a cluster", `"StringEquals":{"aws:ResourceTag/stage":"dev","ecs:ResourceTag/stage":"dev"}`, Call{"ecs", "DeleteCluster", &cluster{new("c")}}, true},
		{"tag of no cluster", `"StringEquals":{"aws:ResourceTag/stage":"dev"}`, Call{"ecs", "DeleteCluster", &cluster{new("d")}}, false},
		{"cluster of a task", `"ArnEquals":{"ecs:cluster":"arn:aws:ecs:us-east-1:123456789012:cluster/c"}`, Call{"ecs", "RunTask", &run{Cluster: new("c"), TaskDefinition: new("t")}}, true},
		{"another cluster", `"ArnEquals":{"ecs:cluster":"arn:aws:ecs:us-east-1:123456789012:cluster/c"}`, Call{"ecs", "RunTask", &run{Cluster: new("d"), TaskDefinition: new("t")}}, false},
		{"no exec", `"Bool":{"ecs:enable-execute-command":"false"}`, Call{"ecs", "RunTask", &run{EnableExecuteCommand: new(true)}}, false},
		{"no public address", `"Bool":{"ecs:auto-assign-public-ip":"false"}`, Call{"ecs", "RunTask", &run{NetworkConfiguration: &network{&vpc{[]string{"subnet-1"}, new("DISABLED")}}}}, true},
		{"public address", `"Bool":{"ecs:auto-assign-public-ip":"false"}`, Call{"ecs", "RunTask", &run{NetworkConfiguration: &network{&vpc{[]string{"subnet-1"}, new("ENABLED")}}}}, false},
		{"boundary of a role", `"StringEquals":{"iam:PermissionsBoundary":"` + boundary + `"}`, Call{"iam", "AttachRolePolicy", &entity{RoleName: new("bounded"), PolicyArn: new("p")}}, true},
		{"role without boundary", `"StringEquals":{"iam:PermissionsBoundary":"` + boundary + `"}`, Call{"iam", "AttachRolePolicy", &entity{RoleName: new("worker"), PolicyArn: new("p")}}, false},
		{"tag of a user", `"StringEquals":{"iam:ResourceTag/team":"${aws:PrincipalTag/team}"}`, Call{"iam", "GetUser", &entity{UserName: new("alice")}}, true},
	}
	for _, tt := range tests {
		w := newWorld(t, identity.Grants{Inline: []identity.Inline{{Name: "p", Document: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Condition":{` + tt.condition + `}}]}`}}})
		put(t, w.store, tables.Clusters, &compute.Cluster{Account: account, Region: "us-east-1", Name: "c", Tags: []compute.Tag{{Key: "stage", Value: "dev"}}})
		put(t, w.store, tables.Roles, &identity.Role{Account: account, Path: "/", Name: "bounded", ID: "AROAB", Grants: identity.Grants{Boundary: boundary}})
		cred, err := w.Lookup(t.Context(), w.alice.ID, "")
		if err != nil {
			t.Fatal(err)
		}
		cred.Caller.Region = "us-east-1"
		if err := w.Authorize(t.Context(), cred.Caller, tt.call); (err == nil) != tt.want {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}
