package auth

import (
	"neargate/resource/identity"
	"neargate/store"
	"neargate/store/tables"
)

// Lasting is who a caller is, in a form that outlives their request: what a token
// holds that is sealed and kept by its bearer. What the caller may do is not in
// it; that is decided anew at each use.
type Lasting struct {
	Root    string            `json:",omitempty"` // account whose root user it is
	Key     string            `json:",omitempty"` // long-term access key
	Session *identity.Session `json:",omitempty"` // without its secrets
}

// Lasting is who the caller is.
func (c Caller) Lasting(tx store.Tx) (Lasting, error) {
	if c.Root() {
		return Lasting{Root: c.Account}, nil
	}
	if c.session != nil {
		return Lasting{Session: c.session}, nil
	}
	s, ok, err := tables.Sessions.Find(tx, c.AccessKeyID)
	if err != nil || !ok {
		return Lasting{Key: c.AccessKeyID}, err
	}
	s.Secret, s.TokenHash = "", ""
	return Lasting{Session: &s}, nil
}

// Caller is who that is now. Like a lookup of the access key it returns
// ErrUnknownKey and ErrInactiveKey; a session counts as long as its role exists,
// also after its own end.
func (l Lasting) Caller(tx store.Tx) (Caller, error) {
	switch {
	case l.Root != "":
		return Caller{Account: l.Root, ARN: identity.RootARN(l.Root), UserID: l.Root}, nil
	case l.Session != nil:
		if _, err := sessionRole(tx, l.Session); err != nil {
			return Caller{}, err
		}
		s := l.Session
		return Caller{Account: s.Account, ARN: s.ARN(), UserID: s.UserID(), AccessKeyID: s.ID, session: s}, nil
	}
	k, ok, err := tables.AccessKeys.Find(tx, l.Key)
	if err != nil || !ok {
		return Caller{}, unknown(err)
	}
	c, err := longTerm(tx, &k)
	return c.Caller, err
}
