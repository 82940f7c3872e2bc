package sts

import (
	"context"
	"time"

	"neargate/auth"
	"neargate/resource/identity"
	"neargate/store"
	"neargate/store/tables"
	"neargate/store/tables/identities"
)

// proveMFA is when the caller, a user, proved to have an MFA device, by a code of it: now,
// or zero where the request names neither device nor code. Each code counts once, and wrong
// ones are counted too.
func (s *Service) proveMFA(ctx context.Context, serial, code *string) (time.Time, error) {
	switch {
	case serial == nil && code == nil:
		return time.Time{}, nil
	case serial == nil || code == nil:
		return time.Time{}, accessDenied("MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code.")
	}
	caller := auth.CallerFrom(ctx)
	now := s.deps.Now()
	accepted := false
	err := s.deps.Store.Update(ctx, func(tx store.Tx) error {
		key, ok, err := tables.AccessKeys.Find(tx, caller.AccessKeyID)
		if err != nil {
			return err
		}
		var d identity.MFADevice
		if ok && key.User != "" {
			d, ok, err = identities.FindDevice(tx, *serial)
		}
		if err == nil && (!ok || d.UserIs == "" || d.UserIs != caller.UserID || d.Account != caller.Account) {
			err = accessDenied("MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial number is valid and associated with this user.")
		}
		if err != nil {
			return err
		}
		accepted = d.Accept(*code, now)
		return identities.Devices.Put(tx, &d)
	})
	if err == nil && !accepted {
		err = accessDenied("MultiFactorAuthentication failed with invalid MFA one time pass code.")
	}
	return now.UTC().Truncate(time.Second), err
}
