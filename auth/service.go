package auth

import (
	"errors"

	"neargate/auth/policy"
	"neargate/resource/identity"
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
