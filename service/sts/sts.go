// Package sts answers the AWS Security Token Service.
package sts

import (
	"context"
	"net/http"

	"neargate/auth"
	api "neargate/aws/sts"
	"neargate/service"
	"neargate/store"
	"neargate/store/tables"
	"neargate/wire/shape"
)

// Service is the STS API.
type Service struct{ deps service.Deps }

var _ api.API = (*Service)(nil)

// New returns the STS API.
func New(d service.Deps) *Service { return &Service{d} }

// GetCallerIdentity says who signed the request.
func (s *Service) GetCallerIdentity(ctx context.Context, _ *api.GetCallerIdentityInput) (*api.GetCallerIdentityOutput, error) {
	c := auth.CallerFrom(ctx)
	return &api.GetCallerIdentityOutput{Arn: &c.ARN, UserId: &c.UserID, Account: &c.Account}, nil
}

// GetAccessKeyInfo says which account an access key belongs to.
func (s *Service) GetAccessKeyInfo(ctx context.Context, in *api.GetAccessKeyInfoInput) (*api.GetAccessKeyInfoOutput, error) {
	var account string
	err := s.deps.Store.View(ctx, func(tx store.Tx) error {
		session, ok, err := tables.Sessions.Find(tx, *in.AccessKeyId)
		if ok || err != nil {
			account = session.Account
			return err
		}
		key, ok, err := tables.AccessKeys.Find(tx, *in.AccessKeyId)
		if err == nil && !ok {
			err = invalid("Invalid Access Key: %s", *in.AccessKeyId)
		}
		account = key.Account
		return err
	})
	if err != nil {
		return nil, err
	}
	return &api.GetAccessKeyInfoOutput{Account: &account}, nil
}

func invalid(format string, args ...any) error {
	return shape.Errorf("ValidationError", format, args...)
}

func accessDenied(message string) error {
	return shape.NewError("AccessDenied", http.StatusForbidden, message)
}
