package image

import (
	"slices"
	"time"
)

// SigningRule says with which signing profile of AWS Signer images are signed when they
// are pushed.
type SigningRule struct {
	Profile string   // ARN
	Filters []Filter `json:",omitempty"` // none: every repository
}

// Signers are the signing profiles with which a repository's images are signed.
func (r *Registry) Signers(name string) []string {
	var out []string
	if r.Signing == nil {
		return nil
	}
	for _, rule := range *r.Signing {
		if chosen(rule.Filters, name) && !slices.Contains(out, rule.Profile) {
			out = append(out, rule.Profile)
		}
	}
	return out
}

// Signing is the signing of an image with a signing profile.
type Signing struct {
	Account, Region, Repository, Digest string
	Profile                             string // ARN
	Status                              string // IN_PROGRESS, COMPLETE, FAILED
	Failure, Reason                     string `json:",omitempty"` // code and text
	By                                  []byte `json:",omitempty"` // who pushed the image, as service/ecr wrote it; none once it is over
	At                                  time.Time
}
