package sts

import (
	"context"
	"time"

	"neargate/auth"
	api "neargate/aws/sts"
	"neargate/resource/identity"
	"neargate/store"
	"neargate/store/tables"
)

// Durations, in seconds, of sessions that say nothing, and the most for the root user.
const (
	defaultDuration = 43200
	rootDuration    = 3600
)

// GetSessionToken issues temporary credentials of the user who calls.
func (s *Service) GetSessionToken(ctx context.Context, in *api.GetSessionTokenInput) (*api.GetSessionTokenOutput, error) {
	proved, err := s.proveMFA(ctx, in.SerialNumber, in.TokenCode)
	if err != nil {
		return nil, err
	}
	session, token, err := s.forUser(ctx, "GetSessionToken", in.DurationSeconds, func(session *identity.Session) error {
		session.Kind, session.MFAAt = identity.SessionUser, proved
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.GetSessionTokenOutput{Credentials: credentials(session, token)}, nil
}

// GetFederationToken issues temporary credentials of somebody the user who calls
// vouches for.
func (s *Service) GetFederationToken(ctx context.Context, in *api.GetFederationTokenInput) (*api.GetFederationTokenOutput, error) {
	as := &api.AssumeRoleInput{RoleSessionName: in.Name, Policy: in.Policy, PolicyArns: in.PolicyArns, Tags: in.Tags}
	if err := checkInput(as); err != nil {
		return nil, err
	}
	session, token, err := s.forUser(ctx, "GetFederationToken", in.DurationSeconds, func(session *identity.Session) error {
		session.Kind, session.Name = identity.SessionFederated, *in.Name
		return fill(session, as)
	})
	if err != nil {
		return nil, err
	}
	return &api.GetFederationTokenOutput{
		Credentials:      credentials(session, token),
		FederatedUser:    &api.FederatedUser{Arn: new(session.ARN()), FederatedUserId: new(session.UserID())},
		PackedPolicySize: packedShare(session),
	}, nil
}

// forUser stores a session of the user who calls, made by f, and returns it with its
// token.
func (s *Service) forUser(ctx context.Context, operation string, duration *int32, f func(*identity.Session) error) (*identity.Session, *string, error) {
	caller := auth.CallerFrom(ctx)
	seconds := int32(defaultDuration)
	if caller.Root() {
		seconds = rootDuration
	}
	if duration != nil {
		seconds = *duration
		if caller.Root() {
			seconds = min(seconds, rootDuration)
		}
	}
	issued := s.deps.Now().UTC().Truncate(time.Second)
	session := &identity.Session{Account: caller.Account, IssuedAt: issued, Expires: issued.Add(time.Duration(seconds) * time.Second)}
	token := session.Issue(s.deps.IDs)
	err := s.deps.Store.Update(ctx, func(tx store.Tx) error {
		key, ok, err := tables.AccessKeys.Find(tx, caller.AccessKeyID)
		switch {
		case err != nil:
			return err
		case !ok:
			return accessDenied("Cannot call " + operation + " with session credentials")
		}
		made := *session
		if made.User = key.User; key.User != "" {
			user, err := tables.Users.Get(tx, key.Account, identity.Fold(key.User))
			if err != nil {
				return err
			}
			made.UserIs = user.ID
		}
		if err := f(&made); err != nil {
			return err
		}
		if err := checkPolicies(tx, made.Account, made.PolicyARNs); err != nil {
			return err
		}
		*session = made
		return tables.Sessions.Put(tx, session)
	})
	return session, &token, err
}
