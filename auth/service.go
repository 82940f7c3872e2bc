package auth

import (
	"errors"
	"time"

	"neargate/auth/policy"
	"neargate/resource/identity"
	"neargate/store"
)

// ServiceMayAssume reports whether a role's trust policy lets an AWS service,
// such as ecs-tasks.amazonaws.com, assume the role on behalf of a resource of
// the role's account. Amazon ECS names arn:aws:ecs:REGION:ACCOUNT:task/* before
// a task has an ARN.
func ServiceMayAssume(role *identity.Role, service, sourceARN string) (bool, error) {
	trust, err := policy.Parse(role.Trust)
	if err != nil {
		return false, errors.Join(errors.New("auth: stored trust policy"), err)
	}
	keys := policy.Context{}
	keys.Set("aws:SourceAccount", role.Account)
	keys.Set("aws:SourceArn", sourceARN)
	keys.Set("aws:PrincipalIsAWSService", "true")
	keys.Set("aws:PrincipalServiceName", service)
	return trust.Evaluate(&policy.Request{
		Action: "sts:AssumeRole", Resource: role.ARN(), Context: keys,
		Principals: []policy.Principal{{Type: "Service", ID: service}},
	}) == policy.Allow, nil
}

// AllowsForwarded reports whether the caller's policies allow an AWS service, such
// as ecs.amazonaws.com, an action in the caller's name.
// Source: Forward access sessions, IAM User Guide.
func AllowsForwarded(tx store.Tx, c Caller, service, action, resource string, now time.Time) (bool, error) {
	if c.Root() {
		return true, nil
	}
	p, err := FindPrincipal(tx, c)
	if err != nil {
		return false, err
	}
	keys := p.keys(c, now)
	forwarded(keys, service)
	keys.Set("iam:AWSServiceName", service)
	return p.Set.Decide(&policy.Request{Action: action, Resource: resource, Context: keys}, nil).Allowed, nil
}
