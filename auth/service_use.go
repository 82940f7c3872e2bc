package auth

import (
	"errors"

	"neargate/auth/policy"
	"neargate/auth/target"
	"neargate/resource/key"
)

// ServiceMayUse reports whether a resource's policy lets an AWS service, such as
// logs.us-east-1.amazonaws.com, do something with the resource on behalf of a
// resource of an account. Without a policy it does not.
func ServiceMayUse(document, service, action, resource, sourceAccount, sourceARN string) (bool, error) {
	keys := policy.Context{}
	keys.Set("s3:x-amz-acl", "bucket-owner-full-control")
	return serviceMay(document, Agent{Service: service, Account: sourceAccount, Source: sourceARN}, action, resource, keys)
}

// Agent is an AWS service that acts for a resource of an account.
type Agent struct {
	Service         string // e.g. logs.us-east-1.amazonaws.com
	Account, Region string
	Source          string // ARN of the resource
}

// MayUseKey reports whether the policy of a KMS key lets the service do something with
// the key, with an encryption context.
func (a Agent) MayUseKey(k *key.Key, action string, context map[string]string) (bool, error) {
	keys := policy.Context{}
	target.EncryptionContext(keys, context)
	return serviceMay(k.Policy, a, action, k.ARN(), keys)
}

func serviceMay(document string, a Agent, action, resource string, keys policy.Context) (bool, error) {
	if document == "" {
		return false, nil
	}
	doc, err := policy.Parse(document)
	if err != nil {
		return false, errors.Join(errors.New("auth: stored policy"), err)
	}
	keys.Set("aws:SourceAccount", a.Account)
	keys.Set("aws:SourceArn", a.Source)
	keys.Set("aws:PrincipalIsAWSService", "true")
	keys.Set("aws:PrincipalServiceName", a.Service)
	keys.Set("aws:SecureTransport", "true")
	return doc.Evaluate(&policy.Request{
		Action: action, Resource: resource, Context: keys, Principals: []policy.Principal{{Type: "Service", ID: a.Service}},
	}) == policy.Allow, nil
}
