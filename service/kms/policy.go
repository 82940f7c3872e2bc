package kms

import (
	"context"
	"errors"

	"neargate/auth"
	api "neargate/aws/kms"
	"neargate/resource/key"
	"neargate/service/internal/guard"
	"neargate/service/internal/member"
	"neargate/store"
	"neargate/store/tables/keys"
)

// policyName is the name of a key's only policy.
const policyName = "default"

// maxPolicy bounds a key policy, in bytes.
const maxPolicy = 32 << 10

// checkPolicy refuses a policy that is none, that names principals which do not
// exist, or that would keep the caller from changing it again.
func (s *Service) checkPolicy(tx store.Tx, c auth.Caller, k *key.Key, text string, bypass bool) error {
	if len(text) > maxPolicy {
		return api.LimitExceededException("The key policy is larger than 32768 bytes.")
	}
	_, err := guard.Check(tx, text)
	switch {
	case errors.Is(err, guard.ErrMalformed):
		return api.MalformedPolicyDocumentException("Policy contains a statement that is not valid.")
	case errors.Is(err, guard.ErrPrincipal):
		return api.MalformedPolicyDocumentException("Policy contains a statement with one or more invalid principals.")
	case err != nil || bypass:
		return err
	}
	err = auth.Allow(tx, c, s.deps.Now(), auth.Use{Action: "kms:PutKeyPolicy", Resource: k.ARN(), On: auth.Resource{
		Account: k.Account, Policy: text, Sole: true,
	}})
	if _, denied := errors.AsType[*auth.Denied](err); denied {
		return api.MalformedPolicyDocumentException("The new key policy will not allow you to update the key policy in the future.")
	}
	return err
}

func checkName(name *string) error {
	if member.Or(name, policyName) != policyName {
		return api.NotFoundException("No such policy exists")
	}
	return nil
}

// PutKeyPolicy replaces a key's policy.
func (s *Service) PutKeyPolicy(ctx context.Context, in *api.PutKeyPolicyInput) (*api.PutKeyPolicyOutput, error) {
	if err := checkName(in.PolicyName); err != nil {
		return nil, err
	}
	c := auth.CallerFrom(ctx)
	err := s.deps.Store.Update(ctx, func(tx store.Tx) error {
		k, err := own(ctx, tx, *in.KeyId)
		if err == nil {
			err = firstOf(customers(ctx, &k, "PutKeyPolicy"), s.checkPolicy(tx, c, &k, *in.Policy, member.Or(in.BypassPolicyLockoutSafetyCheck, false)))
		}
		if err != nil {
			return err
		}
		k.Policy = *in.Policy
		return keys.Keys.Put(tx, &k)
	})
	return &api.PutKeyPolicyOutput{}, err
}

// GetKeyPolicy shows a key's policy.
func (s *Service) GetKeyPolicy(ctx context.Context, in *api.GetKeyPolicyInput) (*api.GetKeyPolicyOutput, error) {
	out := &api.GetKeyPolicyOutput{PolicyName: new(policyName)}
	err := s.deps.Store.View(ctx, func(tx store.Tx) error {
		k, err := own(ctx, tx, *in.KeyId)
		out.Policy = &k.Policy
		return firstOf(err, checkName(in.PolicyName))
	})
	return out, err
}

// ListKeyPolicies lists the names of a key's policies, of which there is one.
func (s *Service) ListKeyPolicies(ctx context.Context, in *api.ListKeyPoliciesInput) (*api.ListKeyPoliciesOutput, error) {
	after, scope, err := s.marker(ctx, in.Marker, "ListKeyPolicies", *in.KeyId)
	if err != nil {
		return nil, err
	}
	err = s.deps.Store.View(ctx, func(tx store.Tx) error {
		_, err := own(ctx, tx, *in.KeyId)
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &api.ListKeyPoliciesOutput{}
	out.PolicyNames, out.NextMarker, out.Truncated, err = cut(s, []string{policyName}, after, in.Limit, scope)
	return out, err
}
