// Package trust says whether a caller may give ECS the roles of a task, and
// whether ECS may act as them.
package trust

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"neargate/arn"
	"neargate/auth"
	"neargate/aws/ecs"
	"neargate/resource/compute/launch"
	"neargate/resource/compute/taskdef"
	"neargate/resource/identity"
	"neargate/service/ecs/internal/ref"
	"neargate/store"
	"neargate/store/tables"
	"neargate/wire/shape"
)

// roles are the roles of a task, as far as it has any.
func roles(d *taskdef.Definition, o *taskdef.Override) (out []string) {
	for _, role := range []string{launch.TaskRole(d, o), launch.ExecutionRole(d, o)} {
		if role != "" {
			out = append(out, role)
		}
	}
	return out
}

// Pass refuses a caller who may not pass the roles of a task to ECS. The override
// may be nil.
func Pass(tx store.Tx, c auth.Caller, now time.Time, d *taskdef.Definition, o *taskdef.Override) error {
	for _, role := range roles(d, o) {
		err := auth.MayPass(tx, c, now, role, auth.TaskPrincipal)
		var denied *auth.Denied
		if errors.As(err, &denied) {
			return shape.NewError("AccessDeniedException", http.StatusBadRequest, denied.Error())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Roles refuses a task whose roles do not exist or do not trust ECS for tasks of
// the account and region. As AWS does, it asks for the source ARN task/*
// literally, whatever the task will be. The override may be nil.
func Roles(tx store.Tx, t ref.Tenant, d *taskdef.Definition, o *taskdef.Override) error {
	for _, role := range roles(d, o) {
		ok, err := assumable(tx, t, role)
		if err != nil {
			return err
		}
		if !ok {
			return ecs.ClientException(fmt.Sprintf("ECS was unable to assume the role '%s' that was provided for this task. "+
				"Please verify that the role being passed has the proper trust relationship and permissions and that "+
				"your IAM user has permissions to pass this role.", role))
		}
	}
	return nil
}

func assumable(tx store.Tx, t ref.Tenant, role string) (bool, error) {
	account, name, ok := identity.RoleName(role)
	if !ok {
		account, name = t.Account, role // a name instead of an ARN
	}
	r, found, err := tables.Roles.Find(tx, account, identity.Fold(name))
	if err != nil || !found || account != t.Account || ok && r.ARN() != role {
		return false, err
	}
	return auth.ServiceMayAssume(&r, auth.TaskPrincipal, arn.New("ecs", t.Region, t.Account, "task/*"))
}
