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
	if c.Anonymous() {
		return nil
	}
	if s := c.session; s != nil {
		return d.noteRole(ctx, s, c.Region, now)
	}
	if !d.seen.claim(c.AccessKeyID, now) {
		return nil
	}
	var s identity.Session
	var ok bool
	err := d.store.View(ctx, func(tx store.Tx) (err error) {
		s, ok, err = tables.Sessions.Find(tx, c.AccessKeyID)
		return err
	})
	switch {
	case err != nil:
		d.seen.forget(c.AccessKeyID)
		return err
	case ok && s.Kind == identity.SessionRole:
		return d.noteRole(ctx, &s, c.Region, now)
	case ok:
		return nil
	}
	return d.put(ctx, c.AccessKeyID, func(tx store.Tx) error {
		_, ok, err := tables.AccessKeys.Find(tx, c.AccessKeyID)
		if err != nil || !ok {
			return err
		}
		return tables.KeyUses.Put(tx, &identity.KeyUse{ID: c.AccessKeyID, At: usedAt(now), Service: service, Region: c.Region})
	})
}

// noteRole records that a role was used, once for all its sessions.
func (d *Directory) noteRole(ctx context.Context, s *identity.Session, region string, now time.Time) error {
	if !d.seen.claim(s.RoleID, now) {
		return nil
	}
	err := d.put(ctx, s.RoleID, func(tx store.Tx) error {
		return tables.RoleUses.Put(tx, &identity.RoleUse{Account: s.Account, Role: s.Role, At: usedAt(now), Region: region})
	})
	if err != nil {
		d.seen.forget(s.ID)
	}
	return err
}

func usedAt(now time.Time) time.Time { return now.UTC().Truncate(time.Second) }

// put writes a claimed use.
func (d *Directory) put(ctx context.Context, key string, write func(store.Tx) error) error {
	err := d.store.Update(ctx, write)
	if err != nil {
		d.seen.forget(key)
	}
	if errors.Is(err, store.ErrFull) {
		return nil // who reads needs no room
	}
	return err
}
