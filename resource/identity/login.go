package identity

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Login is a user's password for the console. Passwords are kept nowhere, only their
// hashes.
type Login struct {
	Hashed
	CreatedAt time.Time
	ChangedAt time.Time
	Earlier   []Hashed `json:",omitempty"` // passwords before, newest first
	Reset     bool     // the user has to choose another at the next sign-in
}

// Hashed is a password's hash.
type Hashed struct {
	Salt string
	Hash []byte
}

// rounds is how often a password is hashed: what OWASP advises for PBKDF2 with SHA-256
// is more, but these are guarded by the access to the store already.
const rounds = 210_000

// maxEarlier is how many earlier passwords a password policy may look at.
const maxEarlier = 24

// HashPassword hashes a password; salt is a random text. It takes tens of milliseconds.
func HashPassword(password, salt string) Hashed {
	key, err := pbkdf2.Key(sha256.New, password, []byte(salt), rounds, sha256.Size)
	if err != nil {
		panic("identity: " + err.Error()) // the arguments are within its bounds
	}
	return Hashed{salt, key}
}

// Is reports whether it is the password.
func (h Hashed) Is(password string) bool {
	return subtle.ConstantTimeCompare(HashPassword(password, h.Salt).Hash, h.Hash) == 1
}

// Change replaces the password and remembers the one before.
func (l *Login) Change(to Hashed, now time.Time) {
	earlier := l.Earlier[:min(len(l.Earlier), maxEarlier-1)]
	l.Earlier = append([]Hashed{l.Hashed}, earlier...)
	l.Hashed, l.ChangedAt = to, now
}

// PasswordPolicy says what passwords have to be like.
type PasswordPolicy struct {
	MinLength                              int32
	Symbols, Numbers, Uppercase, Lowercase bool
	MayChange                              bool  // users may change their own
	MaxAge                                 int32 // days; 0 for ever
	Reuse                                  int32 // how many earlier passwords must differ
	HardExpiry                             bool
}

// DefaultPasswordPolicy is what holds in an account that has set none.
func DefaultPasswordPolicy() PasswordPolicy { return PasswordPolicy{MinLength: 8} }

// symbols are the characters that count as symbols.
const symbols = "!@#$%^&*()_+-=[]{}|'"

// Violation is what is wrong with a password, in AWS's words, or "".
func (p *PasswordPolicy) Violation(password string) string {
	has := func(set string) bool { return strings.ContainsAny(password, set) }
	switch {
	case utf8.RuneCountInString(password) < int(p.MinLength):
		return fmt.Sprintf("Password should have a minimum length of %d", p.MinLength)
	case p.Uppercase && !has("ABCDEFGHIJKLMNOPQRSTUVWXYZ"):
		return "Password should have at least one uppercase letter"
	case p.Lowercase && !has("abcdefghijklmnopqrstuvwxyz"):
		return "Password should have at least one lowercase letter"
	case p.Numbers && !has("0123456789"):
		return "Password should have at least one number"
	case p.Symbols && !has(symbols):
		return "Password should have at least one symbol"
	}
	return ""
}

// Reused reports whether the password is the login's, or one it had as far back as the
// policy looks.
func (p *PasswordPolicy) Reused(l *Login, password string) bool {
	had := append([]Hashed{l.Hashed}, l.Earlier...)
	return slices.ContainsFunc(had[:min(len(had), int(p.Reuse))], func(h Hashed) bool { return h.Is(password) })
}

// Settings are what an account says of all its users.
type Settings struct {
	Account   string
	Alias     string          `json:",omitempty"`
	Passwords *PasswordPolicy `json:",omitempty"` // nil when not set
}
