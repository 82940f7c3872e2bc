package image

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Registry holds what is set for a whole registry: an account in a region.
type Registry struct {
	Account, Region string
	Policy          string            `json:",omitempty"`
	Replication     []ReplicationRule `json:",omitempty"`
	ScanType        string            `json:",omitempty"` // BASIC if empty
	ScanRules       []ScanRule        `json:",omitempty"`
	Settings        map[string]string `json:",omitempty"` // account settings that were changed
	Signing         *[]SigningRule    `json:",omitempty"` // nil: there is no signing configuration
}

// Names of account settings.
const (
	BlobMounting         = "BLOB_MOUNTING"
	PolicyScope          = "REGISTRY_POLICY_SCOPE"
	BasicScanTypeVersion = "BASIC_SCAN_TYPE_VERSION"
)

// Setting is the value of an account setting.
func (r *Registry) Setting(name string) string {
	return cmp.Or(r.Settings[name], map[string]string{BlobMounting: "DISABLED", PolicyScope: "V2", BasicScanTypeVersion: "AWS_NATIVE"}[name])
}

// ScanRule says how often repositories are scanned.
type ScanRule struct {
	Frequency string
	Filters   []Filter
}

// ReplicationRule says where images are copied when they are pushed.
type ReplicationRule struct {
	To      []Destination
	Filters []Filter `json:",omitempty"` // none: every repository
}

// Destination is a registry that images are copied to.
type Destination struct{ Account, Region string }

// Filter chooses repositories.
type Filter struct{ Filter, Type string }

// Matches reports whether a filter chooses a repository.
func (f Filter) Matches(name string) bool {
	if f.Type == "PREFIX_MATCH" {
		return strings.HasPrefix(name, f.Filter)
	}
	return wildcard(f.Filter, name)
}

// chosen reports whether filters choose a repository; none choose every one.
func chosen(filters []Filter, name string) bool {
	return len(filters) == 0 || slices.ContainsFunc(filters, func(f Filter) bool { return f.Matches(name) })
}

// Copies are where a repository's images are copied to.
func (r *Registry) Copies(name string) []Destination {
	var out []Destination
	for _, rule := range r.Replication {
		if !chosen(rule.Filters, name) {
			continue
		}
		for _, d := range rule.To {
			if !slices.Contains(out, d) {
				out = append(out, d)
			}
		}
	}
	return out
}

// Replica is the copying of an image to another registry.
type Replica struct {
	Account, Region, Repository, Digest string
	Tag                                 string // the tag it was pushed with; "" without
	To                                  Destination
	Status                              string // IN_PROGRESS, COMPLETE, FAILED
	Failure                             string `json:",omitempty"` // code
	At                                  time.Time
}

// States of copying, of signing and of previews.
const (
	InProgress = "IN_PROGRESS"
	Complete   = "COMPLETE"
	Failed     = "FAILED"
)

// CacheRule makes repositories below a prefix copies of those of another registry.
type CacheRule struct {
	Account, Region, Prefix string
	Upstream                string // AWS's name of the kind of registry, if given or known
	URL                     string // host of the registry
	UpstreamPrefix          string // of repositories there; ROOT or nothing for none
	Credential              string `json:",omitempty"` // ARN of a secret
	Role                    string `json:",omitempty"`
	CreatedAt, UpdatedAt    time.Time
}

// Source is the repository upstream of one that the rule covers.
func (c *CacheRule) Source(name string) string {
	rest := name
	if c.Prefix != Root {
		rest = strings.TrimPrefix(name, c.Prefix+"/")
	}
	if c.UpstreamPrefix != "" && c.UpstreamPrefix != Root {
		rest = c.UpstreamPrefix + "/" + rest
	}
	return rest
}

// What repository creation templates are for.
const (
	ForReplication  = "REPLICATION"
	ForPullThrough  = "PULL_THROUGH_CACHE"
	ForCreateOnPush = "CREATE_ON_PUSH"
)

// Template says how repositories are made that nobody made by a call.
type Template struct {
	Account, Region, Prefix string
	Description             string `json:",omitempty"`
	AppliedFor              []string
	Encryption              Encryption
	Mutability              string
	Exclusions              []Exclusion `json:",omitempty"`
	Labels                  []Label     `json:",omitempty"`
	Policy                  string      `json:",omitempty"`
	Lifecycle               string      `json:",omitempty"`
	Role                    string      `json:",omitempty"`
	CreatedAt, UpdatedAt    time.Time
}

// Choose is the template for a repository: the one with the longest prefix among
// those for the purpose.
func Choose(all []Template, purpose, name string) (best Template, ok bool) {
	for _, t := range all {
		if !slices.Contains(t.AppliedFor, purpose) || !Under(t.Prefix, name) {
			continue
		}
		if !ok || best.Prefix == Root || t.Prefix != Root && len(t.Prefix) > len(best.Prefix) {
			best, ok = t, true
		}
	}
	return best, ok
}

// Make is a repository made for a purpose: by a template, or as AWS makes it
// without one.
func Make(account, region, name, purpose string, templates []Template, id string, now time.Time) Repository {
	r := Repository{
		Account: account, Region: region, Name: name, ID: id, CreatedAt: now,
		Mutability: Mutable, Encryption: Encryption{Type: "AES256"},
	}
	if t, ok := Choose(templates, purpose, name); ok {
		r.Mutability, r.Exclusions, r.Encryption, r.Labels, r.Policy = t.Mutability, t.Exclusions, t.Encryption, t.Labels, t.Policy
		if t.Lifecycle != "" {
			r.Lifecycle = Lifecycle{Text: t.Lifecycle, SetAt: now}
		}
	}
	return r
}

// Preview is what a lifecycle policy would do, asked for by a call.
type Preview struct {
	Account, Region, Repository string
	Text                        string
	Status                      string
	At                          time.Time
	Doomed                      []Doomed `json:",omitempty"`
}

// Doomed is an image that a rule of a lifecycle policy expires.
type Doomed struct {
	Digest   string
	Tags     []string `json:",omitempty"`
	PushedAt time.Time
	Priority int32
}
