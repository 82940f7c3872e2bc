// Package signing holds the stored records of AWS Signer: signing profiles, signing jobs
// and the authority that certifies the keys of profiles. Private keys are stored only
// as the service sealed them.
package signing

import (
	"strings"
	"time"

	"neargate/arn"
)

// The platform, of signatures of the Notary Project, and how it is called.
const (
	Notation     = "Notation-OCI-SHA384-ECDSA"
	NotationName = "Notation for container registries"
)

// States of profiles.
const (
	Active   = "Active"
	Canceled = "Canceled"
	Revoked  = "Revoked"
)

// Tag is a key and a value attached to a profile.
type Tag struct{ Key, Value string }

// Profile is a signing profile: a key, and how long what it signs is valid.
type Profile struct {
	Account, Region, Name string
	Version               string // ten letters and digits
	Platform              string
	Validity              Period
	Parameters            map[string]string `json:",omitempty"`
	Tags                  []Tag             `json:",omitempty"` // by key
	CreatedAt             time.Time
	Status                string       // Active, Canceled, Revoked
	EndedAt               time.Time    `json:",omitzero"` // when it was canceled or revoked, whichever came first
	Revocation            *Revocation  `json:",omitempty"`
	Permissions           []Permission `json:",omitempty"` // in the order they came
	Revision              string       `json:",omitempty"` // of the permissions; "" before there were any
	Chain                 [][]byte     // certificates in DER: that of the key, then the authority's
	Sealed                []byte       // the private key, PKCS #8, under the installation's master key
}

// Revocation says that signatures are not to be trusted.
type Revocation struct {
	Reason        string
	By            string // ARN of who revoked
	At            time.Time
	EffectiveFrom time.Time `json:",omitzero"` // of a profile: of which signatures on; zero for jobs
}

// Permission lets another account, or a role, use a profile.
type Permission struct {
	ID        string
	Action    string
	Principal string // account id or ARN of a role
	Version   string `json:",omitempty"` // of the profile; "" for all
}

// What names a profile, before its version, and a job in ARNs.
const profilePath, jobPath = "/signing-profiles/", "/signing-jobs/"

// ARN is the profile's Amazon Resource Name.
func (p *Profile) ARN() string { return ARN(p.Account, p.Region, p.Name) }

// VersionARN is the Amazon Resource Name of the profile's version.
func (p *Profile) VersionARN() string { return p.ARN() + "/" + p.Version }

// ARN prints the ARN of a profile.
func ARN(account, region, name string) string {
	return arn.New("signer", region, account, profilePath+name)
}

// ParseProfile reads the ARN of a profile or of its version; ok is false for any other
// text.
func ParseProfile(text string) (account, region, name, version string, ok bool) {
	rest, a, ok := under(text, profilePath)
	if !ok {
		return "", "", "", "", false
	}
	name, version, _ = strings.Cut(rest, "/")
	return a.Account, a.Region, name, version, name != "" && !strings.Contains(version, "/")
}

// ParseJob reads the ARN of a job; ok is false for any other text.
func ParseJob(text string) (account, region, id string, ok bool) {
	id, a, ok := under(text, jobPath)
	return a.Account, a.Region, id, ok && id != "" && !strings.Contains(id, "/")
}

func under(text, path string) (rest string, a arn.ARN, ok bool) {
	a, err := arn.Parse(text)
	if err != nil || a.Service != "signer" || a.Partition != arn.Partition(a.Region) || !arn.ValidAccount(a.Account) {
		return "", a, false
	}
	rest, ok = strings.CutPrefix(a.Resource, path)
	return rest, a, ok
}

// Bound is the context that the profile's private key is sealed in.
func (p *Profile) Bound() []byte {
	return []byte(strings.Join([]string{"signer", p.Account, p.Region, p.Name, p.Version}, "\x00"))
}

// retention is how long what no longer signs, or a signature that is no longer valid, is
// remembered. Source: AWS Signer Developer Guide, "Data Retention for Signer".
const retention = 6 // months

// ForgetAt is when the profile is deleted: no signature is valid then that it made. It
// is zero while the profile can sign.
func (p *Profile) ForgetAt() time.Time {
	if p.EndedAt.IsZero() {
		return time.Time{}
	}
	return p.Validity.After(p.EndedAt).AddDate(0, retention, 0)
}

// Units of periods.
const (
	Days   = "DAYS"
	Months = "MONTHS"
	Years  = "YEARS"
)

// Period is a time by the calendar.
type Period struct {
	Value int32
	Type  string // DAYS, MONTHS, YEARS
}

// Longest is how long a signature is valid when a profile does not say, and at most.
// Source: AWS Signer Developer Guide, "Creating profiles using the AWS CLI".
func Longest() Period { return Period{135, Months} }

// After is the time a period after another. A day that its month lacks is the month's
// last.
func (p Period) After(t time.Time) time.Time {
	months := int(p.Value)
	switch p.Type {
	case Days:
		return t.AddDate(0, 0, int(p.Value))
	case Years:
		months *= 12
	}
	out := t.AddDate(0, months, 0)
	if out.Day() != t.Day() {
		out = out.AddDate(0, 0, -out.Day())
	}
	return out
}

// Job is a signature that was made. It belongs to the owner of its profile.
type Job struct {
	Account, Region, ID string
	Profile, Version    string
	Platform            string
	Parameters          map[string]string `json:",omitempty"`
	CreatedAt           time.Time
	ExpiresAt           time.Time   // of the signature
	By                  string      // ARN of who asked
	Invoker             string      // account of who asked
	Revocation          *Revocation `json:",omitempty"`
}

// ARN is the job's Amazon Resource Name.
func (j *Job) ARN() string { return JobARN(j.Account, j.Region, j.ID) }

// JobARN prints the ARN of a job.
func JobARN(account, region, id string) string {
	return arn.New("signer", region, account, jobPath+id)
}

// ForgetAt is when the job is deleted.
func (j *Job) ForgetAt() time.Time { return j.ExpiresAt.AddDate(0, retention, 0) }

// Authority certifies the keys of profiles. An installation has one.
type Authority struct {
	Certificate []byte // DER
	Sealed      []byte // the private key, PKCS #8, under the installation's master key
}

// Bound is the context that the authority's private key is sealed in.
func (a *Authority) Bound() []byte {
	return append([]byte("signer\x00authority\x00"), a.Certificate...)
}
