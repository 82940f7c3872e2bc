package sts

import (
	"context"
	"errors"
	"maps"
	"time"

	"neargate/arn"
	"neargate/auth"
	"neargate/auth/policy"
	api "neargate/aws/sts"
	"neargate/resource/identity"
	"neargate/store"
	"neargate/store/tables"
)

func notAuthorized(action string) error { return accessDenied("Not authorized to perform " + action) }

// federate issues a session of a role, and its token, to whom a provider vouches for, if
// the role's trust policy lets it by an action; own are the condition keys of how it does.
func (s *Service) federate(ctx context.Context, action, provider string, own policy.Context, as *api.AssumeRoleInput, now time.Time) (session identity.Session, token string, err error) {
	if err := checkInput(as); err != nil {
		return session, "", err
	}
	account, name, _ := identity.RoleName(*as.RoleArn)
	var minted identity.Session
	token = minted.Issue(s.deps.IDs)
	err = s.deps.Store.Update(ctx, func(tx store.Tx) error {
		role, ok, err := tables.Roles.Find(tx, account, identity.Fold(name))
		if err != nil {
			return err
		}
		if !ok || role.ARN() != *as.RoleArn {
			return notAuthorized(action)
		}
		if session, err = newSession(as, &role, nil, now); err != nil {
			return err
		}
		session.Provider = provider
		if err := trusted(&role, action, provider, own, as, &session, now); err != nil {
			return err
		}
		if err := checkPolicies(tx, role.Account, session.PolicyARNs); err != nil {
			return err
		}
		session.ID, session.Secret, session.TokenHash = minted.ID, minted.Secret, minted.TokenHash
		return tables.Sessions.Put(tx, &session)
	})
	return session, token, err
}

// trusted refuses a session that the role's trust policy does not give to whom the
// provider vouches for by an action; own are the condition keys of how it does.
func trusted(role *identity.Role, action, provider string, own policy.Context, as *api.AssumeRoleInput, session *identity.Session, now time.Time) error {
	trust, err := policy.Parse(role.Trust)
	if err != nil {
		return errors.Join(errors.New("sts: stored trust policy"), err)
	}
	keys := auth.ConditionKeys(auth.Caller{Secure: true, Region: arn.DefaultRegion}, now)
	requestKeys(keys, as, session)
	keys.Set("aws:FederatedProvider", provider)
	maps.Copy(keys, own)
	actions := []string{action}
	if len(as.Tags) > 0 || len(as.TransitiveTagKeys) > 0 {
		actions = append(actions, "sts:TagSession")
	}
	if session.SourceIdentity != "" {
		actions = append(actions, "sts:SetSourceIdentity")
	}
	for _, needed := range actions {
		r := policy.Request{Action: needed, Resource: role.ARN(), Context: keys, Principals: []policy.Principal{{Type: "Federated", ID: provider}}}
		if trust.Evaluate(&r) != policy.Allow {
			return notAuthorized(action)
		}
	}
	return nil
}
