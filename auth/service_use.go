package auth

import (
	"errors"

	"neargate/auth/policy"
)

// ServiceMayUse reports whether a resource's policy lets an AWS service, such as
// logs.us-east-1.amazonaws.com, do something with the resource on behalf of a
// resource of an account. Without a policy it does not.
func ServiceMayUse(document, service, action, resource, sourceAccount, sourceARN string) (bool, error) {
	if document == "" {
		return false, nil
	}
	doc, err := policy.Parse(document)
	if err != nil {
		return false, errors.Join(errors.New("auth: stored policy"), err)
	}
	keys := policy.Context{}
	keys.Set("aws:SourceAccount", sourceAccount)
	keys.Set("aws:SourceArn", sourceARN)
	keys.Set("aws:PrincipalIsAWSService", "true")
	keys.Set("aws:PrincipalServiceName", service)
	keys.Set("aws:SecureTransport", "true")
	keys.Set("s3:x-amz-acl", "bucket-owner-full-control")
	return doc.Evaluate(&policy.Request{
		Action: action, Resource: resource, Context: keys, Principals: []policy.Principal{{Type: "Service", ID: service}},
	}) == policy.Allow, nil
}
