package auth

import (
	"context"
	"errors"
	"testing"

	"neargate/resource/identity"
	"neargate/store"
	"neargate/store/tables"
)

func TestForTask(t *testing.T) {
	const trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
	w := newWorld(t, identity.Grants{})
	role := identity.Role{Account: account, Path: "/", Name: "Execution", ID: "AROAEXEC", Trust: trust, Grants: identity.Grants{
		Inline: []identity.Inline{{Name: "p", Document: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"logs:CreateLogStream","Resource":"*"}]}`}},
	}}
	put(t, w.store, tables.Roles, &role)
	assume := func(account, name string) (c Caller, err error) {
		err = w.store.View(context.Background(), func(tx store.Tx) error {
			c, err = ForTask(tx, account, "eu-west-1", name, "0123", now)
			return err
		})
		return c, err
	}
	for _, name := range []string{"Execution", "arn:aws:iam::123456789012:role/Execution"} {
		c, err := assume(account, name)
		if err != nil || c.ARN != "arn:aws:sts::123456789012:assumed-role/Execution/0123" || c.UserID != "AROAEXEC:0123" || c.Region != "eu-west-1" {
			t.Fatalf("%s: %+v, %v", name, c, err)
		}
		if err := w.Authorize(t.Context(), c, Call{Service: "logs", Operation: "CreateLogStream"}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var denied *Denied
		if err := w.Authorize(t.Context(), c, Call{Service: "logs", Operation: "CreateLogGroup"}); !errors.As(err, &denied) {
			t.Errorf("%s may create groups: %v", name, err)
		}
	}
	for account, name := range map[string]string{account: "nobody", "210987654321": "arn:aws:iam::123456789012:role/Execution", "123456789013": "Execution"} {
		if c, err := assume(account, name); !errors.Is(err, ErrCannotAssume) {
			t.Errorf("%s in %s: %+v, %v", name, account, c, err)
		}
	}
	// What the role may is decided at each call.
	c, err := assume(account, "Execution")
	if err != nil {
		t.Fatal(err)
	}
	role.Grants = identity.Grants{}
	put(t, w.store, tables.Roles, &role)
	var denied *Denied
	if err := w.Authorize(t.Context(), c, Call{Service: "logs", Operation: "CreateLogStream"}); !errors.As(err, &denied) {
		t.Errorf("a permission outlives its policy: %v", err)
	}
	if _, err := assume(account, "arn:aws:iam::123456789012:role/path/Execution"); !errors.Is(err, ErrCannotAssume) {
		t.Errorf("a role of another path: %v", err)
	}
}
