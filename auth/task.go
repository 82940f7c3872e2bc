package auth

import (
	"errors"
	"time"

	"neargate/arn"
	"neargate/resource/identity"
	"neargate/store"
	"neargate/store/tables"
)

// TaskPrincipal is the AWS service that acts with the roles of tasks.
const TaskPrincipal = "ecs-tasks.amazonaws.com"

// ErrCannotAssume reports that a role is gone or does not trust TaskPrincipal.
var ErrCannotAssume = errors.New("auth: ECS is unable to assume the role")

// ForTask is who acts when Amazon ECS does something for a task with a role of the
// task's account, given by its ARN or name: the role's session, named after the
// task. Nothing is stored, so a change of the role takes effect with the next
// call. It returns ErrCannotAssume.
func ForTask(tx store.Tx, account, region, role, task string, now time.Time) (Caller, error) {
	owner, name, isARN := identity.RoleName(role)
	if !isARN {
		owner, name = account, role
	}
	r, found, err := tables.Roles.Find(tx, owner, identity.Fold(name))
	if err != nil {
		return Caller{}, err
	}
	if !found || owner != account || isARN && r.ARN() != role {
		return Caller{}, ErrCannotAssume
	}
	ok, err := ServiceMayAssume(&r, TaskPrincipal, arn.New("ecs", region, account, "task/*"))
	if err != nil {
		return Caller{}, err
	}
	if !ok {
		return Caller{}, ErrCannotAssume
	}
	s := &identity.Session{
		Account: account, Role: r.Name, RoleID: r.ID, Name: task,
		IssuedAt: now.UTC().Truncate(time.Second), Expires: now.Add(identity.DefaultMaxSession * time.Second),
	}
	return Caller{
		Account: account, Region: region, Partition: arn.Partition(region),
		ARN: s.ARN(), UserID: s.UserID(), Secure: true, session: s,
	}, nil
}
