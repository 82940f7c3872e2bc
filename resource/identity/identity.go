// Package identity holds the stored records of accounts and of AWS Identity and
// Access Management: access keys, temporary credentials, users, roles and
// policies, with the AWS managed policies and service-linked roles everybody
// has. Names are unique and found without regard to case; Fold gives the form
// they are keyed by.
package identity

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"strings"
	"time"

	"neargate/arn"
)

// Tag is a key and a value attached to a resource.
type Tag struct{ Key, Value string }

// Account is an AWS account of the installation.
type Account struct {
	ID        string // 12 digits
	Name      string
	CreatedAt time.Time
}

// NewAccount makes an account and its root user's access key.
func NewAccount(id, name string, now time.Time, ids *arn.Source) (Account, AccessKey) {
	return Account{ID: id, Name: name, CreatedAt: now}, NewAccessKey(id, "", now, ids)
}

// RootARN is the principal of an account's root user; as a principal in a
// policy it stands for the whole account.
func RootARN(account string) string { return iamARN(account, "root") }

// Statuses of access keys.
const (
	KeyActive   = "Active"
	KeyInactive = "Inactive"
)

// AccessKey is a long-term access key of the root user or of an IAM user.
type AccessKey struct {
	ID, Secret string
	Account    string
	User       string // user name; "" for the root user
	Status     string // Active, Inactive
	CreatedAt  time.Time
}

// NewAccessKey makes an active access key of a user, or of the root user when
// the name is empty.
func NewAccessKey(account, user string, now time.Time, ids *arn.Source) AccessKey {
	return AccessKey{
		ID: ids.IAM("AKIA"), Secret: ids.Secret(40), Account: account, User: user,
		Status: KeyActive, CreatedAt: now,
	}
}

// KeyUse is when, where and for which service a long-term access key was last used.
type KeyUse struct {
	ID              string // access key id
	At              time.Time
	Service, Region string
}

// Kinds of sessions.
const (
	SessionRole      = ""          // of an assumed role
	SessionUser      = "user"      // of a user, or of the root user, itself
	SessionFederated = "federated" // of somebody a user vouches for
)

// Session is temporary credentials.
type Session struct {
	ID, Secret        string // access key id ASIA…
	TokenHash         string // SHA-256 of the session token, hexadecimal
	Account           string
	Kind              string   `json:",omitempty"`
	Role              string   `json:",omitempty"` // role name
	RoleID            string   `json:",omitempty"` // AROA…; a role made anew under the name is another
	User              string   `json:",omitempty"` // name of the user behind it, if that is no role; "" for the root user
	UserIs            string   `json:",omitempty"` // AIDA…, of User
	Name              string   `json:",omitempty"` // role session name, name of a federated user
	Provider          string   `json:",omitempty"` // ARN of the identity provider that vouched for it
	SourceIdentity    string   `json:",omitempty"`
	Tags              []Tag    `json:",omitempty"` // session tags
	TransitiveTagKeys []string `json:",omitempty"`
	Policy            string   `json:",omitempty"` // inline session policy document
	PolicyARNs        []string `json:",omitempty"` // managed session policies
	IssuedAt, Expires time.Time
	MFAAt             time.Time // when the user proved to have an MFA device; zero: did not
}

// ARN is the principal the session acts as, unless that is a user itself.
func (s *Session) ARN() string {
	resource := "assumed-role/" + s.Role + "/" + s.Name
	if s.Kind == SessionFederated {
		resource = "federated-user/" + s.Name
	}
	return arn.ARN{Partition: "aws", Service: "sts", Account: s.Account, Resource: resource}.String()
}

// UserID is the unique id of the assumed role, AROA…:name, or of the federated user.
func (s *Session) UserID() string {
	if s.Kind == SessionFederated {
		return s.Account + ":" + s.Name
	}
	return s.RoleID + ":" + s.Name
}

// Expired reports whether the session is over at now.
func (s *Session) Expired(now time.Time) bool { return !now.Before(s.Expires) }

// SweepAt is when an expired session may be forgotten. Until then using it is
// answered as an expired token, afterwards as an unknown key.
func (s *Session) SweepAt() time.Time { return s.Expires.Add(24 * time.Hour) }

// Issue fills in a session's key, secret and token hash and returns the session
// token, which is kept nowhere.
func (s *Session) Issue(ids *arn.Source) (token string) {
	token = ids.Secret(356)
	s.ID, s.Secret, s.TokenHash = ids.IAM("ASIA"), ids.Secret(40), hashToken(token)
	return token
}

// HasToken reports whether token was issued with the session, in constant time.
func (s *Session) HasToken(token string) bool {
	return subtle.ConstantTimeCompare([]byte(hashToken(token)), []byte(s.TokenHash)) == 1
}

func hashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// Inline is a policy embedded in a user, a group or a role.
type Inline struct {
	Name     string
	Document string // as sent
}

// Grants are the permissions a user, a group or a role holds itself.
type Grants struct {
	Inline   []Inline `json:",omitempty"` // by folded name
	Attached []string `json:",omitempty"` // ARNs of managed policies, oldest first
	Boundary string   `json:",omitempty"` // ARN of the permissions boundary
}

// User is an IAM user.
type User struct {
	Account, Path, Name string
	ID                  string // AIDA…
	CreatedAt           time.Time
	Tags                []Tag    `json:",omitempty"`
	Groups              []string `json:",omitempty"` // ids of the groups the user is in, oldest first
	Login               *Login   `json:",omitempty"` // nil for a user without a password
	Grants
}

// ARN is the user's Amazon Resource Name.
func (u *User) ARN() string { return iamARN(u.Account, "user"+u.Path+u.Name) }

// Role is an IAM role.
type Role struct {
	Account, Path, Name string
	ID                  string // AROA…
	CreatedAt           time.Time
	Description         string `json:",omitempty"`
	Trust               string // trust policy document as sent
	MaxSession          int32  // seconds
	Tags                []Tag  `json:",omitempty"`
	LinkedTo            string `json:",omitempty"` // service principal of a service-linked role
	Grants
}

// DefaultMaxSession is the longest session of a role that says nothing, in seconds.
const DefaultMaxSession = 3600

// ARN is the role's Amazon Resource Name.
func (r *Role) ARN() string { return iamARN(r.Account, "role"+r.Path+r.Name) }

// RoleUse is when and where credentials of a role were last used.
type RoleUse struct {
	Account, Role string
	At            time.Time
	Region        string
}

// Version is one document of a managed policy.
type Version struct {
	ID        string // v1, v2, …
	Document  string // as sent
	CreatedAt time.Time
}

// Policy is a managed policy. AWS's own have the account "aws".
type Policy struct {
	Account, Path, Name string
	ID                  string // ANPA…
	Description         string `json:",omitempty"`
	Default             string // version id
	Latest              int    // number of the newest version ever made
	Versions            []Version
	CreatedAt           time.Time
	UpdatedAt           time.Time
	Tags                []Tag `json:",omitempty"`
}

// MaxVersions is how many versions a managed policy may have at a time.
const MaxVersions = 5

// ARN is the policy's Amazon Resource Name.
func (p *Policy) ARN() string { return iamARN(p.Account, "policy"+p.Path+p.Name) }

// Version returns the version with the id.
func (p *Policy) Version(id string) (Version, bool) {
	for _, v := range p.Versions {
		if v.ID == id {
			return v, true
		}
	}
	return Version{}, false
}

// Document is the text of the policy's default version.
func (p *Policy) Document() string {
	v, _ := p.Version(p.Default)
	return v.Document
}

// PolicyName splits a policy ARN into its account ("aws" for AWS's own) and
// name; ok is false when it is not the ARN of a policy.
func PolicyName(policyARN string) (account, name string, ok bool) {
	a, err := arn.Parse(policyARN)
	if err != nil || a.Service != "iam" || a.Region != "" {
		return "", "", false
	}
	path, ok := strings.CutPrefix(a.Resource, "policy/")
	if !ok {
		return "", "", false
	}
	name = path[strings.LastIndexByte(path, '/')+1:]
	return a.Account, name, name != "" && (a.Account == awsAccount || arn.ValidAccount(a.Account))
}

// RoleName returns the account and name in a role ARN; ok is false when it is
// not one.
func RoleName(roleARN string) (account, name string, ok bool) {
	a, err := arn.Parse(roleARN)
	if err != nil || a.Service != "iam" || a.Region != "" || !arn.ValidAccount(a.Account) {
		return "", "", false
	}
	path, ok := strings.CutPrefix(a.Resource, "role/")
	name = path[strings.LastIndexByte(path, '/')+1:]
	return a.Account, name, ok && name != ""
}

// Fold is the form of a name under which it is found.
func Fold(name string) string { return strings.ToLower(name) }

func iamARN(account, resource string) string {
	return arn.ARN{Partition: "aws", Service: "iam", Account: account, Resource: resource}.String()
}
