package auth

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"neargate/auth/policy"
	"neargate/resource/identity"
	"neargate/store"
	"neargate/store/tables"
)

// Why an access key cannot be used.
var (
	ErrUnknownKey   = errors.New("auth: unknown access key")
	ErrInactiveKey  = errors.New("auth: access key is inactive")
	ErrBadToken     = errors.New("auth: session token does not belong to the access key")
	ErrExpiredToken = errors.New("auth: session token has expired")
	// ErrNotForSessions refuses a call of IAM with credentials that may not make any.
	ErrNotForSessions = errors.New("auth: no such call with a session of a user")
)

// Directory finds who is behind an access key and what they may do.
type Directory struct {
	store store.Store
	now   func() time.Time
	parse *parser
	seen  *seen
}

// NewDirectory returns a directory of the identities in the store.
func NewDirectory(s store.Store, now func() time.Time) *Directory {
	return &Directory{store: s, now: now, parse: &parser{}, seen: &seen{}}
}

// Credential is a usable access key.
type Credential struct {
	Secret string
	// Caller says who the key belongs to; what comes from the request (region,
	// addresses, ids) is not filled in.
	Caller Caller
}

// Lookup finds a usable access key. The session token is empty for long-term
// keys. The error is one of ErrUnknownKey, ErrInactiveKey, ErrBadToken and
// ErrExpiredToken, or a failure of the store.
func (d *Directory) Lookup(ctx context.Context, accessKeyID, sessionToken string) (c Credential, err error) {
	err = d.store.View(ctx, func(tx store.Tx) error {
		if strings.HasPrefix(accessKeyID, "ASIA") {
			s, ok, err := tables.Sessions.Find(tx, accessKeyID)
			if err != nil || !ok {
				return unknown(err)
			}
			c, err = temporary(tx, &s, sessionToken, d.now())
			return err
		}
		k, ok, err := tables.AccessKeys.Find(tx, accessKeyID)
		if err != nil || !ok {
			return unknown(err)
		}
		if sessionToken != "" {
			return ErrBadToken
		}
		c, err = longTerm(tx, &k)
		return err
	})
	return c, err
}

// unknown is the failure to find a key: err, or that there is none.
func unknown(err error) error {
	if err != nil {
		return err
	}
	return ErrUnknownKey
}

func temporary(tx store.Tx, s *identity.Session, token string, now time.Time) (Credential, error) {
	if !s.HasToken(token) {
		return Credential{}, ErrBadToken
	}
	if s.Expired(now) {
		return Credential{}, ErrExpiredToken
	}
	caller := Caller{Account: s.Account, ARN: s.ARN(), UserID: s.UserID(), AccessKeyID: s.ID}
	if s.Kind == identity.SessionRole {
		_, err := sessionRole(tx, s)
		return Credential{s.Secret, caller}, err
	}
	user, err := sessionUser(tx, s)
	if s.Kind == identity.SessionUser {
		caller.ARN, caller.UserID = identity.RootARN(s.Account), s.Account
		if s.User != "" {
			caller.ARN, caller.UserID = user.ARN(), user.ID
		}
	}
	return Credential{s.Secret, caller}, err
}

// sessionUser is the user behind a session, or ErrUnknownKey when it has been deleted;
// nobody for the root user.
func sessionUser(tx store.Tx, s *identity.Session) (identity.User, error) {
	if s.User == "" {
		return identity.User{}, nil
	}
	user, ok, err := tables.Users.Find(tx, s.Account, identity.Fold(s.User))
	if err == nil && (!ok || user.ID != s.UserIs) {
		err = ErrUnknownKey
	}
	return user, err
}

// sessionRole is the role of a session, or ErrUnknownKey when it has been
// deleted: its sessions end with it.
func sessionRole(tx store.Tx, s *identity.Session) (identity.Role, error) {
	role, ok, err := tables.Roles.Find(tx, s.Account, identity.Fold(s.Role))
	if err == nil && (!ok || role.ID != s.RoleID) {
		err = ErrUnknownKey
	}
	return role, err
}

func longTerm(tx store.Tx, k *identity.AccessKey) (Credential, error) {
	if k.Status != identity.KeyActive {
		return Credential{}, ErrInactiveKey
	}
	caller := Caller{Account: k.Account, AccessKeyID: k.ID, ARN: identity.RootARN(k.Account), UserID: k.Account}
	if k.User != "" {
		user, ok, err := tables.Users.Find(tx, k.Account, identity.Fold(k.User))
		if err != nil || !ok {
			return Credential{}, unknown(err)
		}
		caller.ARN, caller.UserID = user.ARN(), user.ID
	}
	return Credential{k.Secret, caller}, nil
}

// Root reports whether the caller is its account's root user.
func (c Caller) Root() bool { return c.UserID == c.Account && c.Account != "" }

// Anonymous reports whether the caller proved nothing: the zero Caller, to whom
// only policies of resources can allow anything.
func (c Caller) Anonymous() bool { return c.Account == "" }

// parser parses policy documents and remembers them.
type parser struct {
	mu   sync.Mutex
	docs map[string]*policy.Document
}

// parserLimit bounds how many documents are remembered.
const parserLimit = 4096

func (p *parser) document(text string) (*policy.Document, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if d, ok := p.docs[text]; ok {
		return d, nil
	}
	d, err := policy.Parse(text)
	if err != nil {
		return nil, err
	}
	if p.docs == nil || len(p.docs) >= parserLimit {
		p.docs = map[string]*policy.Document{}
	}
	p.docs[text] = d
	return d, nil
}
