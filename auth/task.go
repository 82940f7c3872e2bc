package auth

import (
	"errors"
	"time"

	"neargate/arn"
	"neargate/auth/target"
	"neargate/resource/identity"
	"neargate/store"
	"neargate/store/tables"
)

// TaskPrincipal is the AWS service that acts with the roles of tasks.
const TaskPrincipal = target.Tasks

// ErrCannotAssume reports that a role is gone or does not trust TaskPrincipal.
var ErrCannotAssume = errors.New("auth: ECS is unable to assume the role")

// ForTask is who acts when Amazon ECS does something for a task with a role of the
// task's account, given by its ARN or name: the role's session, named after the
// task. Nothing is stored, so a change of the role takes effect with the next
// call. It returns ErrCannotAssume.
func ForTask(tx store.Tx, account, region, role, task string, now time.Time) (Caller, error) {
	s, err := TaskSession(tx, account, region, role, task, now)
	if err != nil {
		return Caller{}, err
	}
	return Caller{
		Account: account, Region: region, Partition: arn.Partition(region),
		ARN: s.ARN(), UserID: s.UserID(), Secure: true, session: &s,
	}, nil
}

// TaskSession is the session of a task's role as ForTask uses it, without a key. It
// returns ErrCannotAssume.
func TaskSession(tx store.Tx, account, region, role, task string, now time.Time) (identity.Session, error) {
	owner, name, isARN := identity.RoleName(role)
	if !isARN {
		owner, name = account, role
	}
	r, found, err := tables.Roles.Find(tx, owner, identity.Fold(name))
	if err != nil {
		return identity.Session{}, err
	}
	if !found || owner != account || isARN && r.ARN() != role {
		return identity.Session{}, ErrCannotAssume
	}
	ok, err := ServiceMayAssume(&r, TaskPrincipal, arn.New("ecs", region, account, "task/*"))
	if err == nil && !ok {
		err = ErrCannotAssume
	}
	issued := now.UTC().Truncate(time.Second)
	return identity.Session{
		Account: account, Role: r.Name, RoleID: r.ID, Name: task,
		IssuedAt: issued, Expires: issued.Add(identity.DefaultMaxSession * time.Second),
	}, err
}
