package auth

import (
	"context"
	"errors"
	"sync"
	"time"

	"neargate/resource/identity"
	"neargate/store"
	"neargate/store/tables"
)

// useInterval is how precisely it is kept when keys and roles were last used.
const useInterval = time.Hour

// seenLimit bounds how many keys are remembered as noted.
const seenLimit = 4096

// seen remembers when the use of an access key was last noted, so that calls
// within useInterval of one another write once.
type seen struct {
	mu sync.Mutex
	at map[string]time.Time
}

// claim reports whether a use of the key at now is to be noted, to one caller only.
func (s *seen) claim(key string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at, ok := s.at[key]; ok && now.Sub(at) < useInterval {
		return false
	}
	if s.at == nil || len(s.at) >= seenLimit {
		s.at = map[string]time.Time{}
	}
	s.at[key] = now
	return true
}

// forget takes a claim back.
func (s *seen) forget(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.at, key)
}

// note records that the caller's access key, or the role behind its session, was
// used for a service.
func (d *Directory) note(ctx context.Context, c Caller, service string, now time.Time) error {
	key := c.AccessKeyID
	if c.Anonymous() {
		return nil
	}
	if c.session != nil {
		key = c.session.RoleID
	}
	if !d.seen.claim(key, now) {
		return nil
	}
	at := now.UTC().Truncate(time.Second)
	err := d.store.Update(ctx, func(tx store.Tx) error {
		if s := c.session; s != nil {
			return tables.RoleUses.Put(tx, &identity.RoleUse{Account: s.Account, Role: s.Role, At: at, Region: c.Region})
		}
		s, ok, err := tables.Sessions.Find(tx, c.AccessKeyID)
		if err != nil {
			return err
		}
		if ok && s.Kind != identity.SessionRole {
			return nil
		}
		if ok {
			return tables.RoleUses.Put(tx, &identity.RoleUse{Account: s.Account, Role: s.Role, At: at, Region: c.Region})
		}
		_, ok, err = tables.AccessKeys.Find(tx, c.AccessKeyID)
		if err != nil || !ok {
			return err
		}
		return tables.KeyUses.Put(tx, &identity.KeyUse{ID: c.AccessKeyID, At: at, Service: service, Region: c.Region})
	})
	if err != nil {
		d.seen.forget(key)
	}
	if errors.Is(err, store.ErrFull) {
		return nil // who reads needs no room
	}
	return err
}
