package trust

import (
	"strings"
	"testing"
	"time"

	"neargate/auth"
	"neargate/resource/compute/taskdef"
	"neargate/resource/identity"
	"neargate/service/ecs/internal/ref"
	"neargate/store"
	"neargate/store/mem"
	"neargate/store/tables"
)

const (
	account = "123456789012"
	roleARN = "arn:aws:iam::" + account + ":role/"
	trusted = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
	other   = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
	mayPass = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:PassRole","Resource":"` + roleARN + `app-*",
		"Condition":{"StringEquals":{"iam:PassedToService":"ecs-tasks.amazonaws.com"}}}]}`
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// world has the user alice, who may pass the roles app-*, and three roles of
// which ECS may not assume app-ec2.
func world(t *testing.T) (store.Store, auth.Caller) {
	t.Helper()
	st := mem.New(mem.Paranoid())
	t.Cleanup(func() { st.Close() })
	err := st.Update(t.Context(), func(tx store.Tx) error {
		for name, text := range map[string]string{"app-1": trusted, "db": trusted, "app-ec2": other} {
			if err := tables.Roles.Put(tx, &identity.Role{Account: account, Path: "/", Name: name, Trust: text}); err != nil {
				return err
			}
		}
		if err := tables.AccessKeys.Put(tx, &identity.AccessKey{ID: "AKIAALICE", Account: account, User: "alice"}); err != nil {
			return err
		}
		return tables.Users.Put(tx, &identity.User{Account: account, Path: "/", Name: "alice",
			Grants: identity.Grants{Inline: []identity.Inline{{Name: "p", Document: mayPass}}}})
	})
	if err != nil {
		t.Fatal(err)
	}
	return st, auth.Caller{Account: account, Region: "us-east-1", ARN: "arn:aws:iam::" + account + ":user/alice", UserID: "AIDAALICE", AccessKeyID: "AKIAALICE"}
}

func TestRolesOfTasks(t *testing.T) {
	refused := func(role string) string {
		return "AccessDeniedException: User: arn:aws:iam::123456789012:user/alice is not authorized to perform: iam:PassRole on resource: " +
			roleARN + role + " because no identity-based policy allows the iam:PassRole action"
	}
	unable := func(role string) string {
		return "ClientException: ECS was unable to assume the role '" + role + "' that was provided for this task. Please verify that the role being passed has the proper trust relationship and permissions and that your IAM user has permissions to pass this role."
	}
	tests := []struct {
		task, execution, override string
		pass, assume              string
	}{
		{"", "", "", "", ""},
		{roleARN + "app-1", "", "", "", ""},
		{"app-1", roleARN + "app-1", "", "", ""},
		{roleARN + "app-ec2", "", "", "", unable(roleARN + "app-ec2")},
		{roleARN + "app-none", "", "", "", unable(roleARN + "app-none")},
		{"app-ec2", "", "", "", unable("app-ec2")},
		{roleARN + "db", "", "", refused("db"), ""},
		{roleARN + "app-1", "db", "", refused("db"), ""},
		{roleARN + "db", "", roleARN + "app-1", "", ""},
		{roleARN + "app-1", "", roleARN + "db", refused("db"), ""},
		{strings.Replace(roleARN, account, "210987654321", 1) + "app-1", "", "", "AccessDeniedException: User: ", unable("arn:aws:iam::210987654321:role/app-1")},
	}
	st, alice := world(t)
	root := auth.Caller{Account: account, Region: "us-east-1", UserID: account}
	for _, tt := range tests {
		d, o := &taskdef.Definition{}, &taskdef.Override{}
		for p, v := range map[**string]string{&d.TaskRoleArn: tt.task, &d.ExecutionRoleArn: tt.execution, &o.TaskRoleArn: tt.override} {
			if v != "" {
				*p = &v
			}
		}
		if err := st.View(t.Context(), func(tx store.Tx) error {
			if err := Pass(tx, alice, now, d, o); !matches(err, tt.pass) {
				t.Errorf("%+v: %v", tt, err)
			}
			if err := Pass(tx, root, now, d, o); err != nil {
				t.Errorf("%+v: the root user is refused: %v", tt, err)
			}
			if err := Roles(tx, ref.Of(alice), d, o); !matches(err, tt.assume) {
				t.Errorf("%+v: %v", tt, err)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
}

// matches reports whether err begins with want; nothing wanted is no error.
func matches(err error, want string) bool {
	if err == nil || want == "" {
		return err == nil && want == ""
	}
	return strings.HasPrefix(err.Error(), want)
}
