package auth

import (
	"errors"
	"testing"

	"neargate/resource/identity"
	"neargate/store"
	"neargate/store/tables"
)

// TestTrailRole demands that who gives a trail a role may pass it, to CloudTrail.
func TestTrailRole(t *testing.T) {
	type part struct{ Name, CloudWatchLogsRoleArn *string }
	const create = `{"Effect":"Allow","Action":"cloudtrail:*Trail","Resource":"arn:aws:cloudtrail:us-east-1:123456789012:trail/main"}`
	pass := func(service string) string {
		return create + `,{"Effect":"Allow","Action":"iam:PassRole","Resource":"arn:aws:iam::123456789012:role/trail","Condition":{"StringEquals":{"iam:PassedToService":"` + service + `"}}}`
	}
	role := new("arn:aws:iam::123456789012:role/trail")
	for _, c := range []struct {
		name, statements, operation string
		in                          part
		want                        bool
	}{
		{"no role", create, "CreateTrail", part{new("main"), nil}, true},
		{"no role any more", create, "UpdateTrail", part{new("main"), new("")}, true},
		{"role", create, "CreateTrail", part{new("main"), role}, false},
		{"role later", create, "UpdateTrail", part{new("main"), role}, false},
		{"passed", pass("cloudtrail.amazonaws.com"), "CreateTrail", part{new("main"), role}, true},
		{"passed elsewhere", pass("ecs-tasks.amazonaws.com"), "CreateTrail", part{new("main"), role}, false},
		{"another role", pass("cloudtrail.amazonaws.com"), "UpdateTrail", part{new("main"), new("arn:aws:iam::123456789012:role/other")}, false},
	} {
		w := newWorld(t, identity.Grants{Inline: []identity.Inline{{Name: "p", Document: `{"Version":"2012-10-17","Statement":[` + c.statements + `]}`}}})
		cred, err := w.Lookup(t.Context(), w.alice.ID, "")
		if err != nil {
			t.Fatal(err)
		}
		cred.Caller.Region = "us-east-1"
		if err := w.Authorize(t.Context(), cred.Caller, Call{"cloudtrail", c.operation, &c.in}); (err == nil) != c.want {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestForTrail(t *testing.T) {
	w := newWorld(t, identity.Grants{})
	put(t, w.store, tables.Roles, &identity.Role{Account: account, Path: "/", Name: "trail", ID: "AROATRAIL",
		Trust: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"cloudtrail.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"aws:SourceArn":"arn:aws:cloudtrail:us-east-1:123456789012:trail/main"}}}]}`})
	for name, want := range map[string]error{"main": nil, "other": ErrCannotAssume} {
		err := w.store.View(t.Context(), func(tx store.Tx) error {
			caller, err := ForTrail(tx, account, "us-east-1", "arn:aws:iam::123456789012:role/trail", name, now)
			if err == nil && caller.ARN != "arn:aws:sts::123456789012:assumed-role/trail/CLOUDWATCH_LOGS_DELIVERY_SESSION" {
				t.Errorf("%+v", caller)
			}
			return err
		})
		if !errors.Is(err, want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
