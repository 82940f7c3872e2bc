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

// ErrCannotAssume reports that a role is gone or does not trust the service that
// wants to act with it.
var ErrCannotAssume = errors.New("auth: ECS is unable to assume the role")

// ForTask is who acts when Amazon ECS does something for a task with a role of the
// task's account, given by its ARN or name: the role's session, named after the
// task. Nothing is stored, so a change of the role takes effect with the next
// call. It returns ErrCannotAssume.
func ForTask(tx store.Tx, account, region, role, task string, now time.Time) (Caller, error) {
	s, err := TaskSession(tx, account, region, role, task, now)
	return acting(region, s, err)
}

// FlowPrincipal is the AWS service that acts with the roles of flow logs.
const FlowPrincipal = target.FlowLogs

// ForFlowLog is ForTask for Amazon VPC, when it writes the records of a flow log,
// given by id.
func ForFlowLog(tx store.Tx, account, region, role, id string, now time.Time) (Caller, error) {
	s, err := roleSession(tx, account, role, id, FlowPrincipal, arn.New("ec2", region, account, "vpc-flow-log/"+id), now)
	return acting(region, s, err)
}

// acting is who acts with a session, unless there is none.
func acting(region string, s identity.Session, err error) (Caller, error) {
	if err != nil {
		return Caller{}, err
	}
	return Caller{
		Account: s.Account, Region: region, Partition: arn.Partition(region),
		ARN: s.ARN(), UserID: s.UserID(), Secure: true, session: &s,
	}, nil
}

// TaskSession is the session of a task's role as ForTask uses it, without a key. It
// returns ErrCannotAssume.
func TaskSession(tx store.Tx, account, region, role, task string, now time.Time) (identity.Session, error) {
	return roleSession(tx, account, role, task, TaskPrincipal, arn.New("ecs", region, account, "task/*"), now)
}

// roleSession is a session of a role of the account, which an AWS service assumes
// on behalf of a resource.
func roleSession(tx store.Tx, account, role, name, service, source string, now time.Time) (identity.Session, error) {
	owner, own, isARN := identity.RoleName(role)
	if !isARN {
		owner, own = account, role
	}
	r, found, err := tables.Roles.Find(tx, owner, identity.Fold(own))
	if err != nil {
		return identity.Session{}, err
	}
	if !found || owner != account || isARN && r.ARN() != role {
		return identity.Session{}, ErrCannotAssume
	}
	ok, err := ServiceMayAssume(&r, service, source)
	if err == nil && !ok {
		err = ErrCannotAssume
	}
	issued := now.UTC().Truncate(time.Second)
	return identity.Session{
		Account: account, Role: r.Name, RoleID: r.ID, Name: name,
		IssuedAt: issued, Expires: issued.Add(identity.DefaultMaxSession * time.Second),
	}, err
}
