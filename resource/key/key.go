// Package key holds the stored records of AWS KMS: keys, their aliases and grants.
// The material of a key is stored only as the service sealed it.
package key

import (
	"encoding/base64"
	"strings"
	"time"

	"neargate/arn"
)

// States of keys.
const (
	Enabled         = "Enabled"
	Disabled        = "Disabled"
	PendingDeletion = "PendingDeletion"
)

// Who manages a key.
const (
	Customer = "CUSTOMER"
	AWS      = "AWS"
)

// Ways of rotation.
const (
	Automatic = "AUTOMATIC"
	OnDemand  = "ON_DEMAND"
)

// Tag is a key and a value attached to a key.
type Tag struct{ Key, Value string }

// Key is a symmetric encryption key.
type Key struct {
	Account, Region, ID string
	CreatedAt           time.Time
	Description         string `json:",omitempty"`
	Manager             string // CUSTOMER, AWS
	State               string // Enabled, Disabled, PendingDeletion
	DeletionAt          time.Time
	Window              int32 `json:",omitempty"` // days between asking for the deletion and it
	Policy              string
	Tags                []Tag      `json:",omitempty"` // by key
	Materials           []Material // the last encrypts, all decrypt
	Rotates             bool       `json:",omitempty"`
	RotationDays        int32      `json:",omitempty"` // kept while it does not rotate; 0: DefaultRotation
	NextRotation        time.Time
}

// DefaultRotation is the rotation period in days of a key that names none.
const DefaultRotation = 365

// Material is one version of what a key encrypts with.
type Material struct {
	ID        string // 64 hexadecimal digits
	CreatedAt time.Time
	Rotation  string `json:",omitempty"` // how it came: AUTOMATIC, ON_DEMAND; "": with the key
	Sealed    []byte // under the installation's master key
}

// ARN is the key's Amazon Resource Name.
func (k *Key) ARN() string { return ARN(k.Account, k.Region, k.ID) }

// Current is the material that encrypts.
func (k *Key) Current() *Material { return &k.Materials[len(k.Materials)-1] }

// Period is the rotation period in days.
func (k *Key) Period() int32 {
	if k.RotationDays == 0 {
		return DefaultRotation
	}
	return k.RotationDays
}

// Mint makes material for the key. Seal encrypts it, bound to a context.
func (k *Key) Mint(ids *arn.Source, rotation string, now time.Time, seal func(value, context []byte) []byte) Material {
	m := Material{ID: ids.Hex(64), CreatedAt: now, Rotation: rotation}
	m.Sealed = seal(ids.Bytes(32), k.Bound(m.ID))
	return m
}

// Bound is the context that material of the key is sealed in.
func (k *Key) Bound(material string) []byte {
	return []byte(strings.Join([]string{k.Account, k.Region, k.ID, material}, "\x00"))
}

// Rotate makes m the material that encrypts from now on.
func (k *Key) Rotate(m Material) {
	k.Materials = append(k.Materials[:len(k.Materials):len(k.Materials)], m)
	if k.Rotates {
		k.NextRotation = m.CreatedAt.AddDate(0, 0, int(k.Period()))
	}
}

// Due is when something happens to the key by itself: it is deleted or rotates.
// It is zero when nothing will.
func (k *Key) Due() time.Time {
	switch {
	case k.State == PendingDeletion:
		return k.DeletionAt
	case k.State == Enabled && k.Rotates:
		return k.NextRotation
	}
	return time.Time{}
}

// ARN prints the ARN of a key.
func ARN(account, region, id string) string { return arn.New("kms", region, account, "key/"+id) }

// Alias is another name of a key.
type Alias struct {
	Account, Region, Name string // the name with alias/ before it
	Key                   string // id; "" for an AWS managed key that is not used yet
	CreatedAt, UpdatedAt  time.Time
}

// ARN is the alias's Amazon Resource Name.
func (a *Alias) ARN() string { return AliasARN(a.Account, a.Region, a.Name) }

// AliasARN prints the ARN of an alias.
func AliasARN(account, region, name string) string { return arn.New("kms", region, account, name) }

// Grant lets a principal use a key.
type Grant struct {
	Account, Region, Key, ID string
	Name                     string `json:",omitempty"`
	CreatedAt                time.Time
	Token                    string // names the grant, and cannot be guessed
	Issuer                   string // account
	Grantee                  string // ARN
	Retiring                 string `json:",omitempty"` // ARN
	Operations               []string
	Equals, Subset           map[string]string `json:",omitempty"` // constraints on the encryption context
}

// MakeToken makes the token of a grant with some random text.
func (g *Grant) MakeToken(random string) string {
	return base64.URLEncoding.EncodeToString([]byte(strings.Join([]string{g.Account, g.Region, g.Key, g.ID, random}, "|")))
}

// ParseToken returns the key and the grant that a token names; it proves nothing.
func ParseToken(token string) (account, region, id, grant string, ok bool) {
	b, err := base64.URLEncoding.DecodeString(token)
	f := strings.Split(string(b), "|")
	if err != nil || len(f) != 5 || !arn.ValidAccount(f[0]) || !validID(f[2]) || strings.Contains(string(b), "\x00") {
		return "", "", "", "", false
	}
	return f[0], f[1], f[2], f[3], true
}

// Reference is what a request names a key by.
type Reference struct {
	Account, Region string
	ID, Alias       string // one of them
	Text            string // as given
}

// Parse reads a key given by id, ARN, alias or alias ARN, as a caller in an
// account and region means it. ok is false when it is none of these.
func Parse(text, account, region string) (r Reference, ok bool) {
	r = Reference{Account: account, Region: region, Text: text}
	if arn.Is(text) {
		a, err := arn.Parse(text)
		if err != nil || a.Service != "kms" || a.Partition != arn.Partition(a.Region) || !arn.ValidAccount(a.Account) {
			return r, false
		}
		r.Account, r.Region = a.Account, a.Region
		id, isKey := strings.CutPrefix(a.Resource, "key/")
		switch {
		case isKey && validID(id):
			r.ID = id
		case strings.HasPrefix(a.Resource, "alias/"):
			r.Alias = a.Resource
		default:
			return r, false
		}
		return r, true
	}
	if strings.HasPrefix(text, "alias/") {
		r.Alias = text
		return r, true
	}
	r.ID = text
	return r, validID(text)
}

// validID reports whether id is a UUID.
func validID(id string) bool {
	if len(id) != 36 {
		return false
	}
	for i, c := range []byte(id) {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash != (c == '-') || !dash && !strings.ContainsRune("0123456789abcdef", rune(c)) {
			return false
		}
	}
	return true
}
