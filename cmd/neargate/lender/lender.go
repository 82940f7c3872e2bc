// Package lender gives tasks temporary credentials of their task roles.
package lender

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"sync"
	"time"

	"neargate/arn"
	"neargate/auth"
	"neargate/node/metadata"
	"neargate/resource/compute"
	"neargate/resource/identity"
	"neargate/store"
	"neargate/store/tables"
)

// lifetime is how long credentials are good, and renewBefore how long before their
// end a task gets others. SDKs ask again some minutes before the end.
const lifetime, renewBefore = 6 * time.Hour, time.Hour

// Lender is a metadata.Lender. What it lent is forgotten with the process; a task
// that asks the next one gets other credentials, and keeps the use of the first.
type Lender struct {
	store store.Store
	ids   *arn.Source
	now   func() time.Time
	key   [32]byte

	mu   sync.Mutex
	lent map[string]loan // by task
}

type loan struct {
	role string // its id
	metadata.Credentials
}

var _ metadata.Lender = (*Lender)(nil)

// New is a lender whose paths of credentials are made with a key.
func New(st store.Store, ids *arn.Source, key [32]byte, now func() time.Time) *Lender {
	return &Lender{store: st, ids: ids, now: now, key: key, lent: map[string]loan{}}
}

// ID implements metadata.Lender: it cannot be guessed and is the same for the
// task's life.
func (l *Lender) ID(t *compute.Task) string {
	if t.Spec.TaskRole == "" {
		return ""
	}
	mac := hmac.New(sha256.New, l.key[:])
	fmt.Fprintf(mac, "credentials\x00%s\x00%s\x00%s", t.Account, t.Region, t.ID)
	b := mac.Sum(nil)
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:16])
}

// Lend implements metadata.Lender. A role that no longer trusts tasks, or is gone,
// gives no new credentials; it returns auth.ErrCannotAssume then.
func (l *Lender) Lend(ctx context.Context, t *compute.Task) (metadata.Credentials, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	for task, x := range l.lent {
		if !now.Before(x.Expiration) {
			delete(l.lent, task)
		}
	}
	var issued identity.Session
	token := issued.Issue(l.ids)
	had := l.lent[t.ID]
	same := false
	err := l.store.Update(ctx, func(tx store.Tx) error {
		s, err := auth.TaskSession(tx, t.Account, t.Region, t.Spec.TaskRole, t.ID, now)
		if err != nil {
			return err
		}
		if same = had.role == s.RoleID && now.Before(had.Expiration.Add(-renewBefore)); same {
			return nil
		}
		s.ID, s.Secret, s.TokenHash = issued.ID, issued.Secret, issued.TokenHash
		s.Expires = s.IssuedAt.Add(lifetime)
		issued = s
		return tables.Sessions.Put(tx, &s)
	})
	if err != nil || same {
		return had.Credentials, err
	}
	role := identity.Role{Account: issued.Account, Name: issued.Role}
	c := metadata.Credentials{
		RoleARN: role.ARN(), AccessKeyID: issued.ID, Secret: issued.Secret, Token: token, Expiration: issued.Expires,
	}
	if owner, _, isARN := identity.RoleName(t.Spec.TaskRole); isARN && owner == issued.Account {
		c.RoleARN = t.Spec.TaskRole // with its path
	}
	l.lent[t.ID] = loan{issued.RoleID, c}
	return c, nil
}
