package secretsmanager

import (
	"context"
	"errors"

	api "neargate/aws/secretsmanager"
	"neargate/resource/secret"
	"neargate/service/internal/guard"
	"neargate/service/internal/member"
	"neargate/store"
)

// PutResourcePolicy replaces the policy of a secret.
func (s *Service) PutResourcePolicy(ctx context.Context, in *api.PutResourcePolicyInput) (*api.PutResourcePolicyOutput, error) {
	sec, err := s.change(ctx, *in.SecretId, func(tx store.Tx, sec *secret.Secret) error {
		doc, err := guard.Check(tx, *in.ResourcePolicy)
		switch {
		case errors.Is(err, guard.ErrMalformed):
			return api.MalformedPolicyDocumentException("This resource policy contains invalid Json")
		case errors.Is(err, guard.ErrPrincipal):
			return api.MalformedPolicyDocumentException("This resource policy contains an unsupported principal.")
		case err != nil:
			return err
		case member.Or(in.BlockPublicPolicy, false) && guard.Public(doc):
			return api.PublicPolicyException("You can not attach a resource policy that grants Public access to your secret.")
		}
		sec.Policy = *in.ResourcePolicy
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.PutResourcePolicyOutput{ARN: new(sec.ARN()), Name: &sec.Name}, nil
}

// GetResourcePolicy shows the policy of a secret, if it has one.
func (s *Service) GetResourcePolicy(ctx context.Context, in *api.GetResourcePolicyInput) (*api.GetResourcePolicyOutput, error) {
	out := &api.GetResourcePolicyOutput{}
	err := s.deps.Store.View(ctx, func(tx store.Tx) error {
		sec, err := living(ctx, tx, *in.SecretId)
		*out = api.GetResourcePolicyOutput{ARN: new(sec.ARN()), Name: &sec.Name, ResourcePolicy: text(sec.Policy)}
		return err
	})
	return out, err
}

// DeleteResourcePolicy takes the policy of a secret away.
func (s *Service) DeleteResourcePolicy(ctx context.Context, in *api.DeleteResourcePolicyInput) (*api.DeleteResourcePolicyOutput, error) {
	sec, err := s.change(ctx, *in.SecretId, func(_ store.Tx, sec *secret.Secret) error {
		sec.Policy = ""
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.DeleteResourcePolicyOutput{ARN: new(sec.ARN()), Name: &sec.Name}, nil
}

// ValidateResourcePolicy says what is wrong with a policy that is to be attached.
func (s *Service) ValidateResourcePolicy(ctx context.Context, in *api.ValidateResourcePolicyInput) (*api.ValidateResourcePolicyOutput, error) {
	out := &api.ValidateResourcePolicyOutput{}
	err := s.deps.Store.View(ctx, func(tx store.Tx) error {
		*out = api.ValidateResourcePolicyOutput{ValidationErrors: []api.ValidationErrorsEntry{}}
		if in.SecretId != nil {
			if _, err := find(ctx, tx, *in.SecretId); err != nil {
				return err
			}
		}
		add := func(check, message string) {
			out.ValidationErrors = append(out.ValidationErrors, api.ValidationErrorsEntry{CheckName: &check, ErrorMessage: &message})
		}
		doc, err := guard.Check(tx, *in.ResourcePolicy)
		switch {
		case errors.Is(err, guard.ErrMalformed):
			return api.MalformedPolicyDocumentException("This resource policy contains invalid Json")
		case errors.Is(err, guard.ErrPrincipal):
			add("PRINCIPAL", "This resource policy contains an unsupported principal.")
		case err != nil:
			return err
		case guard.Public(doc):
			add("PUBLIC_ACCESS", "You can not attach a resource policy that grants Public access to your secret.")
		}
		out.PolicyValidationPassed = new(len(out.ValidationErrors) == 0)
		return nil
	})
	return out, err
}
