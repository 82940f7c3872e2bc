package auth

import (
	"context"
	"testing"

	"neargate/resource/identity"
	"neargate/store"
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

func TestAllowsForwarded(t *testing.T) {
	const action, role = "iam:CreateServiceLinkedRole", "arn:aws:iam::123456789012:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS"
	allow := func(condition string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"` + action + `","Resource":"*"` + condition + `}]}`
	}
	for text, want := range map[string]bool{
		allow(""): true,
		allow(`,"Condition":{"Bool":{"aws:ViaAWSService":"true"}}`):                                           true,
		allow(`,"Condition":{"Bool":{"aws:ViaAWSService":"false"}}`):                                          false,
		allow(`,"Condition":{"ForAnyValue:StringEquals":{"aws:CalledVia":"ecs.amazonaws.com"}}`):              true,
		allow(`,"Condition":{"ForAnyValue:StringEquals":{"aws:CalledVia":"ec2.amazonaws.com"}}`):              false,
		allow(`,"Condition":{"StringEquals":{"iam:AWSServiceName":"ecs.amazonaws.com"}}`):                     true,
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ecs:*","Resource":"*"}]}`:           false,
		`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"iam:*","Resource":"` + role + `"}]}`: false,
	} {
		w := newWorld(t, identity.Grants{Inline: []identity.Inline{{Name: "p", Document: text}}})
		for _, key := range []struct {
			id, token string
			want      bool
		}{{w.alice.ID, "", want}, {w.session.ID, w.token, want}, {w.root.ID, "", true}} {
			c, err := w.Lookup(context.Background(), key.id, key.token)
			if err != nil {
				t.Fatal(err)
			}
			var got bool
			err = w.store.View(context.Background(), func(tx store.Tx) error {
				got, err = AllowsForwarded(tx, c.Caller, "ecs.amazonaws.com", action, role, now)
				return err
			})
			if err != nil || got != key.want {
				t.Errorf("%s with %s: %v, %v", c.Caller.ARN, text, got, err)
			}
		}
	}
}
