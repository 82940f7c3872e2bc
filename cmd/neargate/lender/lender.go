// Package lender gives tasks temporary credentials of their roles.
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
	lent map[Who]loan
}

type loan struct {
	role string // its id
	metadata.Credentials
}

var _ metadata.Lender = (*Lender)(nil)

// New is a lender whose paths of credentials are made with a key.
func New(st store.Store, ids *arn.Source, key [32]byte, now func() time.Time) *Lender {
	return &Lender{store: st, ids: ids, now: now, key: key, lent: map[Who]loan{}}
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
	return l.Session(ctx, Who{Account: t.Account, Region: t.Region, Role: t.Spec.TaskRole, Task: t.ID})
}

// Who is a task with one of its roles.
type Who struct {
	Account, Region string
	Role            string // ARN or name
	Task            string // id: the name of the session
}

// Session is Lend for a role that is named.
func (l *Lender) Session(ctx context.Context, w Who) (metadata.Credentials, error) {
	now := l.now()
	had := l.had(w, now)
	var issued identity.Session
	token := issued.Issue(l.ids)
	same := false
	err := l.store.Update(ctx, func(tx store.Tx) error {
		s, err := auth.TaskSession(tx, w.Account, w.Region, w.Role, w.Task, now)
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
	if owner, _, isARN := identity.RoleName(w.Role); isARN && owner == issued.Account {
		c.RoleARN = w.Role // with its path
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lent[w] = loan{issued.RoleID, c}
	return c, nil
}

// had is what a task was lent last, and forgets what has expired.
func (l *Lender) had(w Who, now time.Time) loan {
	l.mu.Lock()
	defer l.mu.Unlock()
	for who, x := range l.lent {
		if !now.Before(x.Expiration) {
			delete(l.lent, who)
		}
	}
	return l.lent[w]
}
