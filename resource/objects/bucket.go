// Package objects holds what is stored of Amazon S3: buckets with their
// configurations, versions of objects, and multipart uploads; and what follows
// from it.
package objects

import (
	"net/netip"
	"regexp"
	"strings"
	"time"

	"neargate/arn"
)

// Tag is a key and a value attached to a bucket or to a version.
type Tag struct{ Key, Value string }

// States of a bucket's versioning. A bucket that never had it has neither.
const (
	Enabled   = "Enabled"
	Suspended = "Suspended"
)

// Values of a bucket's object ownership.
const (
	OwnerEnforced  = "BucketOwnerEnforced"
	OwnerPreferred = "BucketOwnerPreferred"
	ObjectWriter   = "ObjectWriter"
)

// Bucket is a bucket. Names are unique in the installation.
type Bucket struct {
	Name            string
	ID              string // never used again
	Account, Region string
	CreatedAt       time.Time
	Versioning      string `json:",omitempty"`
	Ownership       string `json:",omitempty"` // "" after its controls were deleted, which means ObjectWriter
	Tags            []Tag  `json:",omitempty"`
	Policy          string `json:",omitempty"` // document as sent
	Block           *Block `json:",omitempty"` // nil after it was deleted, which blocks nothing
	Rules           []Rule `json:",omitempty"` // lifecycle
	MinimumSize     string `json:",omitempty"` // default minimum object size of transitions, as sent
	CORS            []CORS `json:",omitempty"`
	BucketKey       bool   `json:",omitempty"` // BucketKeyEnabled, as sent
	CustomerKeys    bool   `json:",omitempty"` // SSE-C is not blocked, as it is in a new bucket
	// Encryption is what encrypts objects whose writers name nothing; nil for Amazon S3's own keys.
	Encryption *DefaultEncryption `json:",omitempty"`
}

// DefaultEncryption names a key of AWS KMS.
type DefaultEncryption struct {
	Key string `json:",omitempty"` // as sent; "" for the account's own for Amazon S3
}

// Block is a bucket's public access block.
type Block struct {
	Acls, Ignore, Policy, Restrict bool
}

// NewBucket is a bucket as Amazon S3 makes it: owned and blocked.
func NewBucket(name, account, region string, now time.Time, ids *arn.Source) Bucket {
	return Bucket{
		Name: name, ID: ids.Hex(16), Account: account, Region: region, CreatedAt: now.UTC().Truncate(time.Second),
		Ownership: OwnerEnforced, Block: &Block{true, true, true, true},
	}
}

// BucketARN is the Amazon Resource Name of a bucket.
func BucketARN(region, name string) string {
	return arn.ARN{Partition: arn.Partition(region), Service: "s3", Resource: name}.String()
}

var (
	bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	reserved   = regexp.MustCompile(`^(xn--|sthree-|amzn-s3-demo-)|(-s3alias|--ol-s3|\.mrap|--x-s3|--table-s3)$`)
)

// ValidBucketName reports whether a bucket may be made with the name.
// Source: Amazon S3 User Guide, "General purpose buckets naming rules".
func ValidBucketName(name string) bool {
	if !bucketName.MatchString(name) || strings.Contains(name, "..") || reserved.MatchString(name) {
		return false
	}
	_, err := netip.ParseAddr(name)
	return err != nil
}

// Versioned reports whether a write to the bucket leaves older versions alone.
func (b *Bucket) Versioned() bool { return b.Versioning == Enabled }

// CORS is a rule that lets web pages of other origins use a bucket.
type CORS struct {
	ID      string `json:",omitempty"`
	Origins []string
	Methods []string
	Headers []string `json:",omitempty"` // allowed
	Expose  []string `json:",omitempty"`
	MaxAge  *int32   `json:",omitempty"` // seconds
}

// Allows reports whether the rule lets a page of an origin make a request with
// a method and headers.
func (c *CORS) Allows(origin, method string, headers []string) bool {
	if !anyMatch(c.Origins, origin, false) {
		return false
	}
	found := false
	for _, m := range c.Methods {
		found = found || m == method
	}
	for _, h := range headers {
		found = found && anyMatch(c.Headers, h, true)
	}
	return found
}

// anyMatch matches against patterns with at most one asterisk.
func anyMatch(patterns []string, s string, fold bool) bool {
	for _, p := range patterns {
		if fold {
			p, s = strings.ToLower(p), strings.ToLower(s)
		}
		before, after, star := strings.Cut(p, "*")
		if !star && p == s || star && len(s) >= len(before)+len(after) && strings.HasPrefix(s, before) && strings.HasSuffix(s, after) {
			return true
		}
	}
	return false
}
