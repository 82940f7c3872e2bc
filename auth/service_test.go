package auth

import (
	"testing"

	"neargate/resource/identity"
)

func TestServiceMayAssume(t *testing.T) {
	trust := func(condition string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"` + condition + `}]}`
	}
	source := func(pattern string) string {
		return trust(`,"Condition":{"StringEquals":{"aws:SourceAccount":"123456789012"},"ArnLike":{"aws:SourceArn":"` + pattern + `"}}`)
	}
	// The patterns for the source are as recorded with RunTask.
	for text, want := range map[string]bool{
		trust(""): true,
		source("arn:aws:ecs:us-east-1:123456789012:*"):                 true,
		source("arn:aws:ecs:us-east-1:123456789012:task/*"):            true,
		source("arn:aws:ecs:us-east-1:123456789012:cluster/*"):         false,
		source("arn:aws:ecs:us-east-1:123456789012:task-definition/*"): false,
		source("arn:aws:ecs:us-east-1:210987654321:*"):                 false,
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}`: false,
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"sts:AssumeRole"}]}`:          false,
	} {
		role := &identity.Role{Account: "123456789012", Path: "/", Name: "r", Trust: text}
		got, err := ServiceMayAssume(role, "ecs-tasks.amazonaws.com", "arn:aws:ecs:us-east-1:123456789012:task/*")
		if err != nil || got != want {
			t.Errorf("%s: %v %v", text, got, err)
		}
	}
	if _, err := ServiceMayAssume(&identity.Role{Trust: "{"}, "ecs-tasks.amazonaws.com", ""); err == nil {
		t.Error("a trust policy that does not parse is no error")
	}
}
