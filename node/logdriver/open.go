package logdriver

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"

	"neargate/resource/compute/taskdef"
	"neargate/resource/logs"
	"neargate/shim/api"
)

// Streams makes log streams.
type Streams interface {
	// Open makes a log stream as the owner's execution role, unless it exists, and
	// the group before if that is asked for and it does not exist. What CloudWatch
	// Logs refuses is a Refusal.
	Open(ctx context.Context, o Owner, group, stream string, createGroup bool) (logs.StreamID, error)
	// Prepare gets what the next Open in the owner's name will need: credentials,
	// and where the context has a network of the task's, a connection. What cannot be
	// had now, Open will ask for.
	Prepare(ctx context.Context, o Owner)
}

// Owner says in whose name a log stream is made, and where.
type Owner struct {
	Account, Region string
	ExecutionRole   string // ARN
	Task            string // id, the name of the role's session
}

// Task is what the driver must know of a task.
type Task struct {
	ID, Account   string
	ExecutionRole string // ARN
	DefaultMode   string // the account's defaultLogDriverMode; empty: non-blocking
}

// Refusal is an error that CloudWatch Logs answers.
type Refusal struct {
	Operation     string // CreateLogStream, CreateLogGroup
	Code, Message string
	Status        int
	RequestID     string
}

// modelled are the errors that AWS's SDK knows of the operations; it shows others
// differently.
var modelled = []string{
	"InvalidParameterException", "LimitExceededException", "OperationAbortedException",
	"ResourceAlreadyExistsException", "ResourceNotFoundException", "ServiceUnavailableException",
}

// Error is the text of AWS's SDK.
func (r *Refusal) Error() string {
	kind := "api error "
	if slices.Contains(modelled, r.Code) {
		kind = ""
	}
	return fmt.Sprintf("operation error CloudWatch Logs: %s, https response error StatusCode: %d, RequestID: %s, %s%s: %s",
		r.Operation, r.Status, r.RequestID, kind, r.Code, r.Message)
}

// Unreachable says that a task's network leads to nobody who answers.
type Unreachable struct{ Err error }

// Error implements error, in the words of ECS.
func (u *Unreachable) Error() string {
	return "The task cannot find the Amazon CloudWatch log group defined in the task definition. " +
		"There is a connection issue between the task and Amazon CloudWatch. Check your network configuration."
}

// Unwrap returns why.
func (u *Unreachable) Unwrap() error { return u.Err }

// initError is why a container's log could not be opened, in the words of ECS.
type initError struct{ error }

// ECSName is the name ECS gives to such an error.
func (e initError) ECSName() string { return "ResourceInitializationError" }

func (e initError) Error() string {
	end := "exit status 1"
	if _, silent := errors.AsType[*Unreachable](e.error); silent {
		end = "signal: killed"
	}
	return fmt.Sprintf("failed to validate logger args: %v : %s", e.error, end)
}

func (e initError) Unwrap() error { return e.error }

// maxBuffer bounds the disk a container's log takes, whatever its definition says.
const maxBuffer = 1 << 30

// Open makes the log stream of a container and says what the shim is to do with
// its output; without a log configuration the output is discarded. It is called
// before the container is created, and again before it is created again. The
// text of an error is that of ECS; its name is said by a method ECSName.
func (d *Driver) Open(ctx context.Context, t Task, container string, l *taskdef.Logging) (api.Log, error) {
	if l == nil {
		return api.Log{}, nil
	}
	log, err := shimLog(t, l)
	if err != nil {
		return api.Log{}, initError{err}
	}
	begins, err := pattern(l)
	if err != nil {
		return api.Log{}, initError{err}
	}
	id, err := d.openStream(ctx, t, container, l)
	if err != nil {
		return api.Log{}, initError{err}
	}
	d.mu.Lock()
	f, err := d.find(t.ID, container)
	d.mu.Unlock()
	if err != nil {
		return api.Log{}, err
	}
	if f == nil {
		f = d.follower(t.ID, container)
	}
	if err := f.open(id, begins); err != nil {
		return api.Log{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.followers[f.source] == nil {
		d.followers[f.source] = f
	}
	return log, nil
}

// Prepare gets what the next Open of a log with such a configuration will need, see
// Streams.
func (d *Driver) Prepare(ctx context.Context, t Task, l *taskdef.Logging) {
	if l != nil && l.LogDriver == "awslogs" {
		d.cfg.Streams.Prepare(ctx, owner(t, l))
	}
}

// owner is in whose name the stream of a task's log is made.
func owner(t Task, l *taskdef.Logging) Owner {
	return Owner{Account: t.Account, Region: l.Options[taskdef.LogRegion], ExecutionRole: t.ExecutionRole, Task: t.ID}
}

// shimLog is what the shim is told.
func shimLog(t Task, l *taskdef.Logging) (api.Log, error) {
	fallback := t.DefaultMode
	if fallback == "" {
		fallback = taskdef.LogNonBlocking
	}
	mode, ok := l.Mode(fallback)
	buffer, sized := l.BufferSize()
	switch {
	case l.LogDriver != "awslogs":
		return api.Log{}, fmt.Errorf("no log driver %s", l.LogDriver)
	case !ok:
		return api.Log{}, fmt.Errorf("logging mode not supported: %s", mode)
	case mode == taskdef.LogBlocking:
		return api.Log{Mode: api.Blocking}, nil
	case !sized:
		return api.Log{}, fmt.Errorf("error parsing max-buffer-size: %q", l.Options[taskdef.LogBuffer])
	}
	return api.Log{Mode: api.NonBlocking, Buffer: min(buffer, maxBuffer)}, nil
}

// openStream makes the stream; it tries twice, as ECS does.
func (d *Driver) openStream(ctx context.Context, t Task, container string, l *taskdef.Logging) (id logs.StreamID, err error) {
	create, ok := l.CreatesGroup()
	if !ok {
		return id, fmt.Errorf("must specify valid value for log opt '%s': %q", taskdef.LogCreateGroup, l.Options[taskdef.LogCreateGroup])
	}
	for range 2 {
		id, err = d.cfg.Streams.Open(ctx, owner(t, l), l.Options[taskdef.LogGroup], l.Stream(container, t.ID), create)
		if err == nil {
			return id, nil
		}
	}
	if u, silent := errors.AsType[*Unreachable](err); silent {
		return id, u
	}
	what := "stream"
	if r, ok := errors.AsType[*Refusal](err); ok && r.Operation == "CreateLogGroup" {
		what = "group"
	}
	return id, fmt.Errorf("create stream has been retried 1 times: failed to create Cloudwatch log %s: %w", what, err)
}

// open sends the events that follow to a stream.
func (f *follower) open(id logs.StreamID, begins string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.kept != nil && f.c.Stream == id && f.c.Pattern == begins {
		return nil
	}
	f.c.Stream, f.c.Pattern, f.begins = id, begins, nil
	if begins != "" {
		f.begins = regexp.MustCompile(begins)
	}
	return f.store(true)
}
