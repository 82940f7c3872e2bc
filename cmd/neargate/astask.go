package main

import (
	"context"
	"errors"
	"net/http"
	"time"

	"neargate/arn"
	"neargate/auth"
	awsecs "neargate/aws/ecs"
	awslogs "neargate/aws/logs"
	"neargate/cmd/neargate/door"
	"neargate/node/logdriver"
	"neargate/node/metadata"
	"neargate/resource/compute"
	"neargate/resource/logs"
	"neargate/service"
	"neargate/service/ecs"
	logservice "neargate/service/logs"
	"neargate/store"
	"neargate/store/tables"
	"neargate/wire"
	"neargate/wire/shape"
)

// asTask calls the AWS APIs in the name of tasks, with their roles: every call
// passes the same gate as any customer's.
type asTask struct {
	gate  door.Gate
	store store.Store
	now   func() time.Time
	ids   *arn.Source
	logs  awslogs.API
	ecs   awsecs.API
}

// asTask is how this installation calls in the name of tasks.
func (d *daemon) asTask() asTask {
	deps := service.Deps{Store: d.store, Now: time.Now, IDs: d.ids, TokenKey: d.key}
	return asTask{
		gate: door.Gate{Directory: auth.NewDirectory(d.store, time.Now)}, store: d.store, now: time.Now, ids: d.ids,
		logs: logservice.New(deps, d.logs, nil), ecs: ecs.New(deps, d.limits.Launches),
	}
}

// logMode is the account's defaultLogDriverMode for a task.
func (a asTask) logMode(ctx context.Context, t *compute.Task) (mode string, err error) {
	err = a.store.View(ctx, func(tx store.Tx) error {
		s, _, err := tables.AccountSettings.Find(tx, t.Account, t.Region, "defaultLogDriverMode", "")
		mode = s.Value
		return err
	})
	return mode, err
}

// admit is a context for a call with a role of a task, and the call's request id.
func (a asTask) admit(ctx context.Context, account, region, role, task, service, operation string, in any) (context.Context, string, error) {
	id := a.ids.UUID()
	var c auth.Caller
	err := a.store.View(ctx, func(tx store.Tx) (err error) {
		c, err = auth.ForTask(tx, account, region, role, task, a.now())
		return err
	})
	if err != nil {
		return nil, id, err
	}
	ctx, err = a.gate.Admit(ctx, wire.Request{
		ID: id, Service: service, Operation: operation, Region: region, Account: account, Principal: c, Input: in, Secure: true, Time: a.now(),
	})
	return ctx, id, err
}

// Open implements logdriver.Streams.
func (a asTask) Open(ctx context.Context, o logdriver.Owner, group, stream string, createGroup bool) (logs.StreamID, error) {
	err := a.createStream(ctx, o, group, stream)
	var refused *logdriver.Refusal
	if createGroup && errors.As(err, &refused) && refused.Code == "ResourceNotFoundException" {
		if err = a.createGroup(ctx, o, group); err == nil {
			err = a.createStream(ctx, o, group, stream)
		}
	}
	if err != nil {
		return logs.StreamID{}, err
	}
	var s logs.Stream
	err = a.store.View(ctx, func(tx store.Tx) (err error) {
		s, err = tables.LogStreams.Get(tx, o.Account, o.Region, group, stream)
		return err
	})
	return s.ID, err
}

func (a asTask) createStream(ctx context.Context, o logdriver.Owner, group, stream string) error {
	in := &awslogs.CreateLogStreamInput{LogGroupName: &group, LogStreamName: &stream}
	return a.call(ctx, o, "CreateLogStream", in, func(ctx context.Context) error {
		_, err := a.logs.CreateLogStream(ctx, in)
		return err
	})
}

func (a asTask) createGroup(ctx context.Context, o logdriver.Owner, group string) error {
	in := &awslogs.CreateLogGroupInput{LogGroupName: &group}
	return a.call(ctx, o, "CreateLogGroup", in, func(ctx context.Context) error {
		_, err := a.logs.CreateLogGroup(ctx, in)
		return err
	})
}

// call makes a call of CloudWatch Logs with the owner's execution role. What it
// refuses is a Refusal; that something exists already is none.
func (a asTask) call(ctx context.Context, o logdriver.Owner, operation string, in any, do func(context.Context) error) error {
	ctx, id, err := a.admit(ctx, o.Account, o.Region, o.ExecutionRole, o.Task, "logs", operation, in)
	if err == nil {
		err = do(ctx)
	}
	refused, ok := errors.AsType[*shape.Error](err)
	switch {
	case errors.Is(err, auth.ErrCannotAssume):
		return &logdriver.Refusal{Operation: operation, Code: "AccessDenied", Status: http.StatusForbidden, RequestID: id,
			Message: "Not authorized to perform sts:AssumeRole"}
	case !ok:
		return err
	case refused.Code == "ResourceAlreadyExistsException":
		return nil
	}
	return &logdriver.Refusal{Operation: operation, Code: refused.Code, Message: refused.Message, Status: refused.Status, RequestID: id}
}

// protector reads and sets the protection of tasks as the tasks themselves.
type protector struct{ asTask }

var _ metadata.Protector = protector{}

// Protection implements metadata.Protector.
func (p protector) Protection(ctx context.Context, t *compute.Task) (compute.Protection, error) {
	in := &awsecs.GetTaskProtectionInput{Cluster: &t.Cluster, Tasks: []string{t.ARN()}}
	ctx, id, err := p.admit(ctx, t.Account, t.Region, t.Spec.TaskRole, t.ID, "ecs", "GetTaskProtection", in)
	if err != nil {
		return compute.Protection{}, apiError(id, err)
	}
	out, err := p.ecs.GetTaskProtection(ctx, in)
	if err != nil {
		return compute.Protection{}, apiError(id, err)
	}
	return protection(out.ProtectedTasks, out.Failures)
}

// Protect implements metadata.Protector.
func (p protector) Protect(ctx context.Context, t *compute.Task, enabled bool, minutes *int64) (compute.Protection, error) {
	in := &awsecs.UpdateTaskProtectionInput{Cluster: &t.Cluster, Tasks: []string{t.ARN()}, ProtectionEnabled: &enabled}
	if minutes != nil {
		in.ExpiresInMinutes = new(int32(*minutes))
	}
	ctx, id, err := p.admit(ctx, t.Account, t.Region, t.Spec.TaskRole, t.ID, "ecs", "UpdateTaskProtection", in)
	if err != nil {
		return compute.Protection{}, apiError(id, err)
	}
	out, err := p.ecs.UpdateTaskProtection(ctx, in)
	if err != nil {
		return compute.Protection{}, apiError(id, err)
	}
	return protection(out.ProtectedTasks, out.Failures)
}

func protection(tasks []awsecs.ProtectedTask, failures []awsecs.Failure) (compute.Protection, error) {
	switch {
	case len(failures) > 0:
		return compute.Protection{}, &metadata.Failure{Reason: text(failures[0].Reason), Detail: text(failures[0].Detail)}
	case len(tasks) == 0:
		return compute.Protection{}, errors.New("ecs answered neither a task nor a failure")
	}
	t := &tasks[0]
	p := compute.Protection{Enabled: t.ProtectionEnabled != nil && *t.ProtectionEnabled}
	if t.ExpirationDate != nil {
		p.Until = *t.ExpirationDate
	}
	return p, nil
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// apiError is what ECS answered, as the metadata endpoint passes it on.
func apiError(id string, err error) error {
	if errors.Is(err, auth.ErrCannotAssume) {
		return &metadata.APIError{RequestID: id, Code: "AccessDeniedException", Message: err.Error(), Status: http.StatusForbidden}
	}
	if e, ok := errors.AsType[*shape.Error](err); ok {
		return &metadata.APIError{RequestID: id, Code: e.Code, Message: e.Message, Status: e.Status}
	}
	return err
}
