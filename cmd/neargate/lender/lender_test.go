package lender

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"neargate/arn"
	"neargate/auth"
	"neargate/resource/compute"
	"neargate/resource/identity"
	"neargate/store"
	"neargate/store/mem"
	"neargate/store/tables"
)

const trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"}]}`

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestLend follows the credentials of a task through its life: the same ones until
// an hour before their end, others when the role was made anew, none from a role
// that does not trust tasks.
func TestLend(t *testing.T) {
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	st := mem.New()
	put := func(id, trust string) {
		t.Helper()
		ok(t, st.Update(t.Context(), func(tx store.Tx) error {
			return tables.Roles.Put(tx, &identity.Role{Account: "123456789012", Name: "r", Path: "/p/", ID: id, Trust: trust, MaxSession: 3600})
		}))
	}
	put("AROA1", trust)
	l := New(st, arn.NewSource(rand.NewChaCha8([32]byte{})), [32]byte{1}, func() time.Time { return now })
	task := &compute.Task{Account: "123456789012", Region: "us-east-1", ID: "0123456789abcdef0123456789abcdef"}
	if id := l.ID(task); id != "" {
		t.Errorf("without a role: %q", id)
	}
	task.Spec.TaskRole = "arn:aws:iam::123456789012:role/p/r"
	other := *task
	other.ID = "fedcba9876543210fedcba9876543210"
	if a, b := l.ID(task), l.ID(&other); a == b || len(a) != 36 || a != l.ID(task) {
		t.Errorf("%q and %q", a, b)
	}
	first, err := l.Lend(t.Context(), task)
	ok(t, err)
	if first.RoleARN != task.Spec.TaskRole || !first.Expiration.Equal(now.Add(lifetime)) {
		t.Errorf("%+v", first)
	}
	directory := auth.NewDirectory(st, func() time.Time { return now })
	who := func(id, token string) (auth.Caller, error) {
		found, err := directory.Lookup(context.Background(), id, token)
		return found.Caller, err
	}
	if c, err := who(first.AccessKeyID, first.Token); err != nil || c.ARN != "arn:aws:sts::123456789012:assumed-role/r/"+task.ID {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := who(first.AccessKeyID, "x"); !errors.Is(err, auth.ErrBadToken) {
		t.Error(err)
	}
	now = now.Add(lifetime - renewBefore - time.Second)
	if again, err := l.Lend(t.Context(), task); err != nil || again != first {
		t.Errorf("%+v, %v", again, err)
	}
	now = now.Add(time.Second)
	second, err := l.Lend(t.Context(), task)
	ok(t, err)
	if second.AccessKeyID == first.AccessKeyID || !second.Expiration.Equal(now.Add(lifetime)) {
		t.Errorf("%+v", second)
	}
	if _, err := who(first.AccessKeyID, first.Token); err != nil {
		t.Errorf("the first ones, before their end: %v", err)
	}
	put("AROA2", trust)
	third, err := l.Lend(t.Context(), task)
	ok(t, err)
	if third.AccessKeyID == second.AccessKeyID {
		t.Error("a role made anew has the credentials of the old one")
	}
	put("AROA2", strings.Replace(trust, "ecs-tasks", "lambda", 1))
	if _, err := l.Lend(t.Context(), &other); !errors.Is(err, auth.ErrCannotAssume) {
		t.Error(err)
	}
}
