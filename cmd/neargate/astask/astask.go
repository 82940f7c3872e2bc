// Package astask calls the AWS APIs in the name of tasks, with their roles: every
// call passes the same gate as any customer's.
package astask

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"neargate/arn"
	"neargate/auth"
	awsecs "neargate/aws/ecs"
	awslogs "neargate/aws/logs"
	"neargate/cmd/neargate/door"
	"neargate/cmd/neargate/lender"
	"neargate/internal/direct"
	"neargate/node/logdriver"
	"neargate/node/metadata"
	"neargate/node/outlet"
	"neargate/resource/compute"
	"neargate/resource/logs"
	"neargate/store"
	"neargate/store/tables"
	"neargate/wire"
	"neargate/wire/client"
	"neargate/wire/shape"
	"neargate/wire/sigv4"
)

// Calls are the APIs as tasks may call them. What Fargate does for a task before its
// containers start goes over the network; the rest, in this process.
type Calls struct {
	Gate  door.Gate
	Store store.Store
	Now   func() time.Time
	IDs   *arn.Source
	ECS   awsecs.API
	Roles *lender.Lender
	Door  func() http.Handler // the front door of this process
	Plans *shape.Plans
	// Mirror is where a task's interface reaches a mirror of a registry.
	Mirror func(*url.URL) (netip.AddrPort, bool)
}

// LogMode is the account's defaultLogDriverMode for a task.
func (a Calls) LogMode(ctx context.Context, t *compute.Task) (mode string, err error) {
	err = a.Store.View(ctx, func(tx store.Tx) error {
		s, _, err := tables.AccountSettings.Find(tx, t.Account, t.Region, "defaultLogDriverMode", "")
		mode = s.Value
		return err
	})
	return mode, err
}

// Admit is a context for a call with a role of a task, and the call's request id.
func (a Calls) Admit(ctx context.Context, account, region, role, task, service, operation string, in any) (context.Context, string, error) {
	id := a.IDs.UUID()
	var c auth.Caller
	err := a.Store.View(ctx, func(tx store.Tx) (err error) {
		c, err = auth.ForTask(tx, account, region, role, task, a.Now())
		return err
	})
	if err != nil {
		return nil, id, err
	}
	ctx, err = a.Gate.Admit(ctx, wire.Request{
		ID: id, Service: service, Operation: operation, Region: region, Account: account, Principal: c, Input: in, Secure: true, Time: a.Now(),
	})
	return ctx, id, err
}

// SSM is Parameter Store's API.
func SSM() client.API {
	return client.API{Name: "ssm", Host: "ssm", Target: "AmazonSSM", Version: "1.1"}
}

// Secrets is the API of Secrets Manager.
func Secrets() client.API {
	return client.API{Name: "secretsmanager", Host: "secretsmanager", Target: "secretsmanager", Version: "1.1"}
}

func apiLogs() client.API {
	return client.API{Name: "logs", Host: "logs", Target: "Logs_20140328", Version: "1.1"}
}

func apiECR() client.API {
	return client.API{Name: "ecr", Host: "api.ecr", Target: "AmazonEC2ContainerRegistry_V20150921", Version: "1.1"}
}

// userAgent is what calls for tasks say of themselves.
const userAgent = "neargate (Fargate)"

// way is how ctx reaches AWS: through the task's interface, or in this process where
// a task has none that is free.
func (a Calls) way(ctx context.Context) http.RoundTripper {
	if o := outlet.From(ctx); o != nil {
		return o.Transport()
	}
	return direct.Transport{Handler: a.Door()}
}

// call calls an API over the network with credentials of a task's role, again while
// nothing answers, tries times in all. Beside the errors of client.Client it returns
// auth.ErrCannotAssume.
func (a Calls) call(ctx context.Context, w lender.Who, api client.API, region, operation string, tries int, in, out any) error {
	with, err := a.credentials(ctx, w)
	if err != nil {
		return err
	}
	c := client.Client{HTTP: a.way(ctx), Plans: a.Plans, UserAgent: userAgent, Now: a.Now}
	for n := 1; ; n++ {
		err := c.Call(ctx, api, region, operation, with, in, out)
		if _, silent := errors.AsType[*client.Unreachable](err); !silent || n >= tries || ctx.Err() != nil {
			return err
		}
	}
}

func (a Calls) credentials(ctx context.Context, w lender.Who) (sigv4.Credentials, error) {
	c, err := a.Roles.Session(ctx, w)
	return sigv4.Credentials{AccessKeyID: c.AccessKeyID, Secret: c.Secret, Token: c.Token}, err
}

// secretTries is how often a secret or an environment file is asked for while nothing
// answers.
const secretTries = 5

// Ask calls a JSON API with a task's execution role. It returns what client.Client
// does, and auth.ErrCannotAssume.
func (a Calls) Ask(ctx context.Context, t *compute.Task, api client.API, region, operation string, in, out any) error {
	return a.call(ctx, executor(t), api, region, operation, secretTries, in, out)
}

// Get asks Amazon S3 for what is at a URL, with a task's execution role. It returns
// *client.Unreachable and auth.ErrCannotAssume.
func (a Calls) Get(ctx context.Context, t *compute.Task, region, url string) (*http.Response, error) {
	with, err := a.credentials(ctx, executor(t))
	if err != nil {
		return nil, err
	}
	for n := 1; ; n++ {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return nil, err
		}
		r.Header.Set("User-Agent", userAgent)
		sigv4.Sign(r, nil, with, "s3", region, a.Now())
		resp, err := a.way(ctx).RoundTrip(r)
		if err == nil {
			return resp, nil
		}
		if n >= secretTries || ctx.Err() != nil {
			return nil, &client.Unreachable{Method: "Get", URL: url, Err: err}
		}
	}
}

// executor is a task with its execution role.
func executor(t *compute.Task) lender.Who {
	return lender.Who{Account: t.Account, Region: t.Region, Role: t.Spec.ExecutionRole, Task: t.ID}
}

// Open implements logdriver.Streams.
func (a Calls) Open(ctx context.Context, o logdriver.Owner, group, stream string, createGroup bool) (logs.StreamID, error) {
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
	err = a.Store.View(ctx, func(tx store.Tx) (err error) {
		s, err = tables.LogStreams.Get(tx, o.Account, o.Region, group, stream)
		return err
	})
	return s.ID, err
}

// Prepare implements logdriver.Streams.
func (a Calls) Prepare(ctx context.Context, o logdriver.Owner) {
	way := outlet.From(ctx)
	if way == nil {
		_, _ = a.credentials(ctx, who(o))
		return
	}
	if to, err := url.Parse(apiLogs().URL(o.Region)); err == nil {
		way.Prepare(ctx, net.JoinHostPort(to.Host, "443"))
	}
}

// who is an owner with its role.
func who(o logdriver.Owner) lender.Who {
	return lender.Who{Account: o.Account, Region: o.Region, Role: o.ExecutionRole, Task: o.Task}
}

func (a Calls) createStream(ctx context.Context, o logdriver.Owner, group, stream string) error {
	return a.log(ctx, o, "CreateLogStream", &awslogs.CreateLogStreamInput{LogGroupName: &group, LogStreamName: &stream})
}

func (a Calls) createGroup(ctx context.Context, o logdriver.Owner, group string) error {
	return a.log(ctx, o, "CreateLogGroup", &awslogs.CreateLogGroupInput{LogGroupName: &group})
}

// log makes a call of CloudWatch Logs with the owner's execution role. What it
// refuses is a Refusal; that something exists already is none.
func (a Calls) log(ctx context.Context, o logdriver.Owner, operation string, in any) error {
	err := a.call(ctx, who(o), apiLogs(), o.Region, operation, 1, in, nil)
	if errors.Is(err, auth.ErrCannotAssume) {
		return &logdriver.Refusal{Operation: operation, Code: "AccessDenied", Status: http.StatusForbidden, RequestID: a.IDs.UUID(),
			Message: "Not authorized to perform sts:AssumeRole"}
	}
	if u, ok := errors.AsType[*client.Unreachable](err); ok {
		return &logdriver.Unreachable{Err: u}
	}
	r, ok := errors.AsType[*client.Refusal](err)
	switch {
	case !ok:
		return err
	case r.Code == "ResourceAlreadyExistsException":
		return nil
	}
	return &logdriver.Refusal{Operation: operation, Code: r.Code, Message: r.Message, Status: r.Status, RequestID: r.RequestID}
}

// Protector reads and sets the protection of tasks as the tasks themselves.
type Protector struct{ Calls }

var _ metadata.Protector = Protector{}

// Protection implements metadata.Protector.
func (p Protector) Protection(ctx context.Context, t *compute.Task) (compute.Protection, error) {
	in := &awsecs.GetTaskProtectionInput{Cluster: &t.Cluster, Tasks: []string{t.ARN()}}
	ctx, id, err := p.Admit(ctx, t.Account, t.Region, t.Spec.TaskRole, t.ID, "ecs", "GetTaskProtection", in)
	if err != nil {
		return compute.Protection{}, apiError(id, err)
	}
	out, err := p.ECS.GetTaskProtection(ctx, in)
	if err != nil {
		return compute.Protection{}, apiError(id, err)
	}
	return protection(out.ProtectedTasks, out.Failures)
}

// Protect implements metadata.Protector.
func (p Protector) Protect(ctx context.Context, t *compute.Task, enabled bool, minutes *int64) (compute.Protection, error) {
	in := &awsecs.UpdateTaskProtectionInput{Cluster: &t.Cluster, Tasks: []string{t.ARN()}, ProtectionEnabled: &enabled}
	if minutes != nil {
		in.ExpiresInMinutes = new(int32(*minutes))
	}
	ctx, id, err := p.Admit(ctx, t.Account, t.Region, t.Spec.TaskRole, t.ID, "ecs", "UpdateTaskProtection", in)
	if err != nil {
		return compute.Protection{}, apiError(id, err)
	}
	out, err := p.ECS.UpdateTaskProtection(ctx, in)
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
