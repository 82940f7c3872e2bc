// Package secret holds the stored records of AWS Secrets Manager.
package secret

import (
	"maps"
	"slices"
	"strings"
	"time"

	"neargate/arn"
)

// Staging labels that Secrets Manager moves itself.
const (
	Current  = "AWSCURRENT"
	Previous = "AWSPREVIOUS"
	Pending  = "AWSPENDING"
)

// DefaultKey encrypts secrets that name no key.
const DefaultKey = "alias/aws/secretsmanager"

// Tag is a key and a value attached to a secret.
type Tag struct{ Key, Value string }

// Secret is a secret without its values.
type Secret struct {
	Account, Region, Name string
	Suffix                string // six characters that end its ARN
	Description           string `json:",omitempty"`
	KeyID                 string `json:",omitempty"` // as given; "" for DefaultKey
	CreatedAt, ChangedAt  time.Time
	AccessedAt            time.Time         // a day
	DeletedAt             time.Time         // when its deletion was asked for
	DeletionAt            time.Time         // when it is deleted
	Policy                string            `json:",omitempty"`
	Tags                  []Tag             `json:",omitempty"`
	Tagged                bool              `json:",omitempty"` // ever had tags
	Stages                map[string]string // which version has a staging label
	Versions              int               `json:",omitempty"` // how many are kept
}

// Version is one value of a secret.
type Version struct {
	Account, Region, Name, ID string
	CreatedAt                 time.Time
	AccessedAt                time.Time // a day
	Sealed                    []byte    // a ciphertext of KMS
	Digest                    []byte    // of the value, with a secret of the installation
	Binary                    bool      `json:",omitempty"`
	KeyID                     string    `json:",omitempty"` // as given when it was encrypted
}

// ARN is the secret's Amazon Resource Name.
func (s *Secret) ARN() string { return ARN(s.Account, s.Region, s.Name+"-"+s.Suffix) }

// ARN prints the ARN of a secret with a name and a suffix.
func ARN(account, region, full string) string {
	return arn.New("secretsmanager", region, account, "secret:"+full)
}

// Deleted reports whether the secret's deletion was asked for.
func (s *Secret) Deleted() bool { return !s.DeletedAt.IsZero() }

// Key is the KMS key the secret's values are encrypted with.
func (s *Secret) Key() string {
	if s.KeyID == "" {
		return DefaultKey
	}
	return s.KeyID
}

// StagesOf are the staging labels of a version, sorted.
func (s *Secret) StagesOf(id string) []string {
	out := []string{}
	for stage, v := range s.Stages {
		if v == id {
			out = append(out, stage)
		}
	}
	slices.Sort(out)
	return out
}

// Staged are the versions that have a staging label, with their labels.
func (s *Secret) Staged() map[string][]string {
	out := map[string][]string{}
	for _, id := range s.Stages {
		out[id] = s.StagesOf(id)
	}
	return out
}

// Move gives a staging label to a version. When AWSCURRENT moves, the version that
// had it gets AWSPREVIOUS.
func (s *Secret) Move(stage, id string) {
	stages := maps.Clone(s.Stages)
	if stages == nil {
		stages = map[string]string{}
	}
	if was := stages[Current]; stage == Current && was != "" && was != id {
		stages[Previous] = was
	}
	stages[stage] = id
	if stage == Current && stages[Previous] == id {
		delete(stages, Previous)
	}
	s.Stages = stages
}

// Drop takes a staging label away.
func (s *Secret) Drop(stage string) {
	s.Stages = maps.Clone(s.Stages)
	delete(s.Stages, stage)
}

// Reference is what a request names a secret by.
type Reference struct {
	Account, Region string
	Name            string // to look for; of an ARN, what follows "secret:"
	ARN             bool
}

// Parse reads a secret given by name, ARN, or ARN without the suffix, as a caller in
// an account and region means it.
func Parse(text, account, region string) Reference {
	if !arn.Is(text) {
		return Reference{Account: account, Region: region, Name: text}
	}
	a, err := arn.Parse(text)
	name, ok := strings.CutPrefix(a.Resource, "secret:")
	if err != nil || a.Service != "secretsmanager" || !ok {
		return Reference{Account: account, Region: region, ARN: true}
	}
	return Reference{Account: a.Account, Region: a.Region, Name: name, ARN: true}
}

// Split cuts the suffix off a name in an ARN, if it may be one.
func Split(full string) (name, suffix string, ok bool) {
	i := len(full) - 7
	if i < 1 || full[i] != '-' {
		return full, "", false
	}
	return full[:i], full[i+1:], true
}
