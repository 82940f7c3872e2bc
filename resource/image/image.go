// Package image holds the stored records of Amazon ECR: repositories, images,
// tags, layers and the settings of a registry. What layers and manifests contain
// is not in records; it lies in the blob store under its digest.
package image

import (
	"cmp"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"neargate/arn"
)

// Tag mutability of repositories.
const (
	Mutable                = "MUTABLE"
	Immutable              = "IMMUTABLE"
	ImmutableWithExclusion = "IMMUTABLE_WITH_EXCLUSION"
	MutableWithExclusion   = "MUTABLE_WITH_EXCLUSION"
)

// Label is a key and a value attached to a repository: a tag in AWS's words,
// which here are those of images.
type Label struct{ Key, Value string }

// Encryption says how a repository's images are said to be encrypted.
type Encryption struct {
	Type   string // AES256, KMS, KMS_DSSE
	KMSKey string `json:",omitempty"`
}

// Exclusion is a filter of tags to which a repository's mutability does not apply.
type Exclusion struct{ Filter, Type string }

// Repository is an ECR repository.
type Repository struct {
	Account, Region, Name string
	ID                    string // never used again: a repository of the same name made later has another
	CreatedAt             time.Time
	Mutability            string
	Exclusions            []Exclusion `json:",omitempty"`
	ScanOnPush            bool        `json:",omitempty"`
	Encryption            Encryption
	Labels                []Label   `json:",omitempty"` // in the order they came
	Policy                string    `json:",omitempty"`
	Lifecycle             Lifecycle `json:",omitzero"`
}

// Lifecycle is a repository's lifecycle policy and when it was last applied.
type Lifecycle struct {
	Text      string
	SetAt     time.Time
	Evaluated time.Time
}

// ARN is the repository's Amazon Resource Name.
func (r *Repository) ARN() string { return ARN(r.Account, r.Region, r.Name) }

// URI is what the repository's images are named after.
func (r *Repository) URI() string { return Host(r.Account, r.Region) + "/" + r.Name }

// ARN prints the ARN of a repository.
func ARN(account, region, name string) string {
	return arn.New("ecr", region, account, "repository/"+name)
}

// RepositoryName is the name in the ARN of a repository of the account and region;
// ok is false for any other ARN.
func RepositoryName(repository, account, region string) (name string, ok bool) {
	a, err := arn.Parse(repository)
	if err != nil || a.Partition != arn.Partition(region) || a.Service != "ecr" || a.Region != region || a.Account != account {
		return "", false
	}
	name, ok = strings.CutPrefix(a.Resource, "repository/")
	return name, ok && name != ""
}

// Host is the name of a registry.
func Host(account, region string) string {
	return account + ".dkr.ecr." + region + "." + arn.DNSSuffix(region)
}

// hostForm is a registry's name: AWS's, and one below localhost that leads to this
// machine.
var hostForm = regexp.MustCompile(`^(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.(amazonaws\.com(?:\.cn)?|localhost)(?::\d+)?$`)

// ParseHost is the account and region of a registry's host name, with or without
// a port; ok is false for any other name.
func ParseHost(host string) (account, region string, ok bool) {
	m := hostForm.FindStringSubmatch(strings.ToLower(host))
	if m == nil || !arn.KnownRegion(m[2]) {
		return "", "", false
	}
	return m[1], m[2], true
}

// TagIsFixed reports whether the repository keeps a tag where it is. An exclusion
// turns its mutability around.
func (r *Repository) TagIsFixed(tag string) bool {
	fixed := r.Mutability == Immutable || r.Mutability == ImmutableWithExclusion
	if r.Mutability == ImmutableWithExclusion || r.Mutability == MutableWithExclusion {
		for _, e := range r.Exclusions {
			if wildcard(e.Filter, tag) {
				return !fixed
			}
		}
	}
	return fixed
}

// wildcard reports whether a name matches a pattern in which * stands for any
// characters.
func wildcard(pattern, name string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == name
	}
	rest, ok := strings.CutPrefix(name, parts[0])
	if !ok {
		return false
	}
	last := parts[len(parts)-1]
	for _, p := range parts[1 : len(parts)-1] {
		i := strings.Index(rest, p)
		if i < 0 {
			return false
		}
		rest = rest[i+len(p):]
	}
	return strings.HasSuffix(rest, last)
}

// Image is what a manifest makes of its layers: an image, a list of images or an
// artifact.
type Image struct {
	Account, Region, Repository string
	Digest                      string
	MediaType                   string
	Artifact                    string `json:",omitempty"` // media type of what it is, if the manifest says
	PushedAt                    time.Time
	PulledAt                    time.Time `json:",omitzero"`
	Bytes                       int64     // of the manifest
	Blobs                       []Blob    `json:",omitempty"` // the layers, then the configuration
	Children                    []string  `json:",omitempty"` // digests of the manifests in a list
	Subject                     string    `json:",omitempty"` // digest of what it refers to
}

// Blob is a layer or a configuration as a manifest names it.
type Blob struct {
	Digest    string
	MediaType string
	Size      int64
	Elsewhere bool `json:",omitempty"` // not kept in registries
}

// Size is what ECR shows as the image's: its manifest's and its blobs'.
func (i *Image) Size() int64 {
	n := i.Bytes
	seen := map[string]bool{}
	for _, b := range i.Blobs {
		if !seen[b.Digest] && !b.Elsewhere {
			seen[b.Digest] = true
			n += b.Size
		}
	}
	return n
}

// Tag is a name of an image.
type Tag struct {
	Account, Region, Repository string
	Name                        string
	Digest                      string
	At                          time.Time // when it was put where it is
}

// Layer says that a repository has a blob.
type Layer struct {
	Account, Region, Repository string
	Digest                      string
	Size                        int64
	MediaType                   string    `json:",omitempty"` // as the first manifest with it says
	At                          time.Time // when it was last uploaded or looked for
}

// Under reports whether a repository's name is below a prefix; ROOT is above all.
func Under(prefix, name string) bool {
	return prefix == Root || strings.HasPrefix(name, path.Clean(prefix)+"/")
}

// Root is the prefix of rules and templates for every repository.
const Root = "ROOT"

// SortTags orders tags by when they were put where they are.
func SortTags(tags []Tag) {
	slices.SortFunc(tags, func(a, b Tag) int {
		return cmp.Or(a.At.Compare(b.At), strings.Compare(a.Name, b.Name))
	})
}
