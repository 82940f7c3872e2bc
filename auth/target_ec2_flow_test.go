package auth

import (
	"errors"
	"testing"

	"neargate/resource/identity"
	"neargate/resource/network/edge"
	"neargate/store"
	"neargate/store/tables"
	"neargate/store/tables/edges"
)

func TestFlowLogPermissions(t *testing.T) {
	type part struct {
		ResourceIds, FlowLogIds                                    []string
		ResourceType, DeliverLogsPermissionArn, LogDestinationType *string
	}
	const (
		here = `arn:aws:ec2:us-east-1:123456789012:`
		role = "arn:aws:iam::123456789012:role/flow"
		make = `{"Effect":"Allow","Action":"ec2:CreateFlowLogs","Resource":["` + here + `vpc-flow-log/*","` + here + `vpc/vpc-1"]}`
		pass = `,{"Effect":"Allow","Action":"iam:PassRole","Resource":"` + role + `","Condition":{"StringEquals":{"iam:PassedToService":"vpc-flow-logs.amazonaws.com"}}}`
	)
	to := part{ResourceIds: []string{"vpc-1"}, ResourceType: new("VPC"), DeliverLogsPermissionArn: new(role)}
	elsewhere := to
	elsewhere.ResourceIds = []string{"vpc-1", "vpc-2"}
	bucket := part{ResourceIds: []string{"vpc-1"}, ResourceType: new("VPC"), LogDestinationType: new("s3")}
	for _, c := range []struct {
		name, statements, operation string
		in                          part
		want                        bool
	}{
		{"with the role", make + pass, "CreateFlowLogs", to, true},
		{"without the role", make, "CreateFlowLogs", to, false},
		{"another VPC too", make + pass, "CreateFlowLogs", elsewhere, false},
		{"a bucket", make + `,{"Effect":"Allow","Action":"logs:CreateLogDelivery","Resource":"*"}`, "CreateFlowLogs", bucket, true},
		{"a bucket, not to be delivered to", make, "CreateFlowLogs", bucket, false},
		{"delete", `{"Effect":"Allow","Action":"ec2:DeleteFlowLogs","Resource":"` + here + `vpc-flow-log/fl-1"}`, "DeleteFlowLogs", part{FlowLogIds: []string{"fl-1"}}, true},
		{"delete another", `{"Effect":"Allow","Action":"ec2:DeleteFlowLogs","Resource":"` + here + `vpc-flow-log/fl-1"}`, "DeleteFlowLogs", part{FlowLogIds: []string{"fl-1", "fl-2"}}, false},
		{"delete of a bucket", `{"Effect":"Allow","Action":"ec2:DeleteFlowLogs","Resource":"*"}`, "DeleteFlowLogs", part{FlowLogIds: []string{"fl-2"}}, false},
	} {
		w := newWorld(t, identity.Grants{Inline: []identity.Inline{{Name: "p", Document: `{"Version":"2012-10-17","Statement":[` + c.statements + `]}`}}})
		put(t, w.store, edges.FlowLogs, &edge.FlowLog{Account: account, Region: "us-east-1", ID: "fl-1", Type: edge.ToLogs},
			&edge.FlowLog{Account: account, Region: "us-east-1", ID: "fl-2", Type: edge.ToBucket})
		cred, err := w.Lookup(t.Context(), w.alice.ID, "")
		if err != nil {
			t.Fatal(err)
		}
		cred.Caller.Region = "us-east-1"
		if err := w.Authorize(t.Context(), cred.Caller, Call{"ec2", c.operation, &c.in}); (err == nil) != c.want {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestForFlowLog(t *testing.T) {
	trust := func(service, source string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"` + service + `"},"Action":"sts:AssumeRole","Condition":{"ArnLike":{"aws:SourceArn":"` + source + `"}}}]}`
	}
	const here = "arn:aws:ec2:us-east-1:123456789012:vpc-flow-log/"
	for _, c := range []struct {
		trust string
		want  error
	}{
		{trust(FlowPrincipal, here+"*"), nil},
		{trust(FlowPrincipal, here+"fl-2"), ErrCannotAssume},
		{trust(TaskPrincipal, here+"*"), ErrCannotAssume},
	} {
		w := newWorld(t, identity.Grants{})
		put(t, w.store, tables.Roles, &identity.Role{Account: account, Path: "/", Name: "flow", ID: "AROAFLOW", Trust: c.trust})
		err := w.store.View(t.Context(), func(tx store.Tx) error {
			caller, err := ForFlowLog(tx, account, "us-east-1", "arn:aws:iam::123456789012:role/flow", "fl-1", now)
			if err == nil && caller.ARN != "arn:aws:sts::123456789012:assumed-role/flow/fl-1" {
				t.Errorf("%+v", caller)
			}
			return err
		})
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.trust, err)
		}
	}
}
