package trail

import (
	"strings"
	"time"
)

// LogFile is a delivered file, as a digest file tells of it.
type LogFile struct {
	Bucket, Key    string
	Hash           string // SHA-256 of what is compressed in it, in hexadecimal digits
	Oldest, Newest time.Time
}

// Chain is how far the digest files of a trail have come in a region. Only the delivery
// writes it.
type Chain struct {
	Account, Home, Name, Region string // Home is the trail's region, Name its slot
	Trail                       string // id
	Since                       time.Time
	Files                       []LogFile `json:",omitempty"` // delivered since, those of Pending first
	Previous                    *Digest   `json:",omitempty"` // nil at the chain's begin
	// Pending is what was to be written when the process ended, nil for nothing.
	Pending *Digest `json:",omitempty"`
}

// Digest is a digest file.
type Digest struct {
	End         time.Time
	Files       int    // how many of the chain's files it tells of
	Fingerprint string // of the key that signs it
	Bucket, Key string
	Hash        string `json:",omitempty"`
	Signature   string `json:",omitempty"`
}

// Key signs digest files of a region.
type Key struct {
	Region, Fingerprint string
	Public              []byte // PKCS #1, DER
	Sealed              []byte // the private key
	From, Until         time.Time
}

// DigestFolder is what begins the keys of a trail's digest files, in the bucket with a
// prefix.
func DigestFolder(prefix, account string) string {
	return strings.TrimSuffix(Folder(prefix, account), "/") + "-Digest/"
}

// DigestKey is the key of the digest file of a region that ends at a time.
// Source: AWS CloudTrail User Guide, "CloudTrail digest file structure".
func (t *Trail) DigestKey(region string, end time.Time) string {
	end = end.UTC()
	return DigestFolder(t.Prefix, t.Account) + region + end.Format("/2006/01/02/") +
		t.Account + "_CloudTrail-Digest_" + region + "_" + t.Name + "_" + t.Region + "_" + end.Format("20060102T150405Z") + ".json.gz"
}
