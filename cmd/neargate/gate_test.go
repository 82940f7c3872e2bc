package main

import (
	"context"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"neargate/arn"
	"neargate/auth"
	awsecs "neargate/aws/ecs"
	awsiam "neargate/aws/iam"
	awslogs "neargate/aws/logs"
	awssts "neargate/aws/sts"
	"neargate/cmd/neargate/door"
	"neargate/resource/identity"
	"neargate/service"
	"neargate/service/iam"
	"neargate/service/sts"
	"neargate/store"
	"neargate/store/mem"
	"neargate/store/tables"
	"neargate/wire"
	"neargate/wire/shape"
)

// visitor makes calls of one key after another.
type visitor struct {
	t *testing.T
	door.Keys
	door.Gate
	id, token string
	insecure  bool
}

// admit proves the caller and asks whether the call may pass.
func (d visitor) admit(service, operation string, input any) (context.Context, error) {
	d.t.Helper()
	key, err := d.Key(d.t.Context(), d.id, d.token)
	if err != nil {
		d.t.Fatal(err)
	}
	return d.Admit(d.t.Context(), wire.Request{
		Service: service, Operation: operation, Input: input, Principal: key.Principal, Region: "us-east-1", Secure: !d.insecure,
	})
}

// made admits a call, makes it and returns its answer.
func made[In, Out any](d visitor, service, operation string, f func(context.Context, *In) (*Out, error), in *In) *Out {
	d.t.Helper()
	ctx, err := d.admit(service, operation, in)
	if err != nil {
		d.t.Fatal(err)
	}
	out, err := f(ctx, in)
	if err != nil {
		d.t.Fatal(err)
	}
	return out
}

func (d visitor) refused(service, operation string, input any, status int, code, message string) {
	d.t.Helper()
	_, err := d.admit(service, operation, input)
	e, ok := err.(*shape.Error)
	if !ok || e.Status != status || e.Code != code || e.Message != message {
		d.t.Errorf("%s:%s: %v, want %d %s: %s", service, operation, err, status, code, message)
	}
}

type chance struct{ *rand.ChaCha8 }

// TestUserAssumesRole goes from the root user over a user with an access key to a
// session of a role, and is refused in AWS's words on the way.
func TestUserAssumesRole(t *testing.T) {
	const (
		user, role, session = "arn:aws:iam::123456789012:user/ann", "arn:aws:iam::123456789012:role/ops", "arn:aws:sts::123456789012:assumed-role/ops/s1"

		mayAssume = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["sts:AssumeRole","iam:CreateAccessKey"],"Resource":["` + role + `","arn:aws:iam::*:user/${aws:username}"]}]}`
		trust     = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"sts:AssumeRole"}]}`
		mayOps    = `{"Version":"2012-10-17","Statement":[
			{"Effect":"Allow","Action":["ecs:*","logs:*"],"Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"true"}}},
			{"Effect":"Deny","Action":"logs:CreateLogStream","Resource":"*"}]}`
	)
	st := mem.New(mem.Paranoid())
	defer st.Close()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	deps := service.Deps{Store: st, Now: func() time.Time { return now }, IDs: arn.NewSource(chance{rand.NewChaCha8([32]byte{1})})}
	account, key := identity.NewAccount(arn.DefaultAccount, "main", now, deps.IDs)
	if err := st.Update(t.Context(), func(tx store.Tx) error {
		if err := tables.Accounts.Put(tx, &account); err != nil {
			return err
		}
		return tables.AccessKeys.Put(tx, &key)
	}); err != nil {
		t.Fatal(err)
	}
	directory := auth.NewDirectory(st, deps.Now)
	root := visitor{t: t, Keys: door.Keys{Directory: directory}, Gate: door.Gate{Directory: directory}, id: key.ID}
	people, tokens := iam.New(deps), sts.New(deps)

	made(root, "iam", "CreateUser", people.CreateUser, &awsiam.CreateUserInput{UserName: new("ann")})
	ann := root
	ann.id = *made(root, "iam", "CreateAccessKey", people.CreateAccessKey, &awsiam.CreateAccessKeyInput{UserName: new("ann")}).AccessKey.AccessKeyId
	ann.refused("iam", "CreateAccessKey", &awsiam.CreateAccessKeyInput{}, http.StatusForbidden, "AccessDenied",
		"User: "+user+" is not authorized to perform: iam:CreateAccessKey on resource: "+user+" because no identity-based policy allows the iam:CreateAccessKey action")
	made(root, "iam", "PutUserPolicy", people.PutUserPolicy, &awsiam.PutUserPolicyInput{UserName: new("ann"), PolicyName: new("p"), PolicyDocument: new(mayAssume)})
	made(ann, "iam", "CreateAccessKey", people.CreateAccessKey, &awsiam.CreateAccessKeyInput{})
	ann.refused("iam", "ListUsers", &awsiam.ListUsersInput{}, http.StatusForbidden, "AccessDenied",
		"User: "+user+" is not authorized to perform: iam:ListUsers on resource: arn:aws:iam::123456789012:user/ because no identity-based policy allows the iam:ListUsers action")
	ann.refused("ecs", "ListClusters", &awsecs.ListClustersInput{}, http.StatusBadRequest, "AccessDeniedException",
		"User: "+user+" is not authorized to perform: ecs:ListClusters on resource: * because no identity-based policy allows the ecs:ListClusters action")

	made(root, "iam", "CreateRole", people.CreateRole, &awsiam.CreateRoleInput{RoleName: new("ops"), AssumeRolePolicyDocument: new(trust)})
	made(root, "iam", "PutRolePolicy", people.PutRolePolicy, &awsiam.PutRolePolicyInput{RoleName: new("ops"), PolicyName: new("p"), PolicyDocument: new(mayOps)})
	c := made(ann, "sts", "AssumeRole", tokens.AssumeRole, &awssts.AssumeRoleInput{RoleArn: new(role), RoleSessionName: new("s1")}).Credentials
	ops := root
	ops.id, ops.token = *c.AccessKeyId, *c.SessionToken
	if who := made(ops, "sts", "GetCallerIdentity", tokens.GetCallerIdentity, &awssts.GetCallerIdentityInput{}); *who.Arn != session {
		t.Errorf("the session is %s", *who.Arn)
	}
	if _, err := ops.admit("ecs", "ListClusters", &awsecs.ListClustersInput{}); err != nil {
		t.Errorf("over TLS: %v", err)
	}
	ops.refused("logs", "CreateLogStream", &awslogs.CreateLogStreamInput{LogGroupName: new("/g"), LogStreamName: new("s")}, http.StatusBadRequest, "AccessDeniedException",
		"User: "+session+" is not authorized to perform: logs:CreateLogStream on resource: arn:aws:logs:us-east-1:123456789012:log-group:/g:log-stream:s with an explicit deny in an identity-based policy")
	ops.insecure = true
	ops.refused("ecs", "ListClusters", &awsecs.ListClustersInput{}, http.StatusBadRequest, "AccessDeniedException",
		"User: "+session+" is not authorized to perform: ecs:ListClusters on resource: * because no identity-based policy allows the ecs:ListClusters action")
}
