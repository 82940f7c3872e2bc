package objects

import (
	"errors"
	"io"
	"time"

	"neargate/internal/checksum"
)

// Null is the id of a version that was written while its bucket had no versioning.
const Null = "null"

// Types of checksums of objects that were uploaded in parts.
const (
	Composite  = "COMPOSITE"
	FullObject = "FULL_OBJECT"
)

// Checksum is a checksum kept with an object, an upload or a part. The zero
// value is none.
type Checksum struct {
	Algorithm checksum.Algorithm `json:",omitempty"`
	Value     string             `json:",omitempty"` // base64; composite ones end with -PARTS
	Type      string             `json:",omitempty"`
}

// About is what a writer says of an object beside its content.
type About struct {
	Headers  map[string]string `json:",omitempty"` // by canonical name: Content-Type, Cache-Control, …
	Metadata map[string]string `json:",omitempty"` // by lower-case name without x-amz-meta-
	Class    string            `json:",omitempty"` // storage class; "" for STANDARD
	Tags     []Tag             `json:",omitempty"`
	// Encryption is nil where content is encrypted with the installation's key.
	Encryption *Encryption `json:",omitempty"`
}

// DataKey encrypts content; nil for the installation's key.
type DataKey []byte

// Encryption is how content is encrypted with a key of AWS KMS, or of the customer's own.
type Encryption struct {
	Key       string `json:",omitempty"` // ARN
	Context   string `json:",omitempty"` // encryption context, as the writer sent it
	BucketKey bool   `json:",omitempty"`
	DataKey   []byte `json:",omitempty"` // encrypted
	// Customer proves the customer's key; nil for keys of AWS KMS.
	Customer []byte `json:",omitempty"`
}

// Version is a version of an object, or a delete marker.
type Version struct {
	Key      string
	ID       string // Null, or 32 characters
	Marker   bool   `json:",omitempty"`
	Modified time.Time
	Size     int64
	ETag     string `json:",omitempty"` // without quotes
	About
	Checksum Checksum
	Parts    int    `json:",omitempty"` // 0 unless uploaded in parts
	Upload   string `json:",omitempty"` // id of the upload it came from
	Latest   bool   `json:"-"`
	// Place is where the content is; it is the engine's.
	Place Place
	// Order is the version's place among the versions of its key: a later one's is greater.
	Order uint64 `json:"-"`
	// Replaced is when a newer version came; zero for the latest.
	Replaced time.Time `json:"-"`
}

// Place is where the engine keeps content.
type Place struct {
	Blob   string `json:",omitempty"` // "" for no content, and for content in parts
	Inline bool   `json:",omitempty"` // in the index, not in a file
}

// Upload is a multipart upload in progress.
type Upload struct {
	Key       string
	ID        string
	Account   string // that began it
	Initiated time.Time
	About
	Checksum Checksum // algorithm and type only
}

// Part is a part of an upload, or of an object that came from one.
type Part struct {
	Number   int
	Size     int64
	ETag     string
	Modified time.Time
	Checksum Checksum
	Place    Place
}

// Limits of Amazon S3.
const (
	MaxKey      = 1024
	MaxObject   = 5 << 40
	MaxPut      = 5 << 30
	MinPart     = 5 << 20
	MaxParts    = 10000
	MaxMetadata = 2 << 10
	MaxPage     = 1000
	MaxTags     = 10
)

// Condition is what must hold of the current version for a write to happen.
type Condition struct {
	IfMatch     string    // ETag without quotes, or *; "" for none
	IfNoneMatch bool      // there must be none
	Size        *int64    // of DeleteObject
	Modified    time.Time // of DeleteObject; zero for none
}

// Query is a listing of keys, versions or uploads.
type Query struct {
	Prefix, Delimiter string
	After             string // key or common prefix after which to start
	AfterVersion      string // with After as a key: the version, or upload, after which to start
	FromKey           bool   // After is where to start, itself left out, and was not answered by a listing
	Max               int
}

// Listing is a page. Elements and prefixes are each in order.
type Listing[T any] struct {
	Items     []T
	Prefixes  []string
	Truncated bool
	// Last is the last key or prefix, and LastVersion its version or upload, after
	// which the next page starts.
	Last, LastVersion string
}

// Staged is content that has been taken in and belongs to nothing yet.
type Staged struct {
	Place Place
	Data  []byte // inline content
	Size  int64
	MD5   []byte
	Sums  map[checksum.Algorithm][]byte
}

// Write is content to become a version.
type Write struct {
	Bucket     string // id
	Versioning string // of the bucket
	Key        string
	About
	ETag     string // "" for the MD5 of the content
	Checksum Checksum
	If       Condition
}

// Doomed is a version to delete; without an id, the object.
type Doomed struct {
	Key, ID string
	If      Condition
}

// Deleted is what became of a Doomed.
type Deleted struct {
	ID     string // of the version deleted, or of the marker made
	Marker bool   // a marker was made or deleted
	Err    error
}

// Finish is what completes an upload.
type Finish struct {
	Bucket, Versioning string
	Key, Upload        string
	Parts              []Part // numbers, ETags and checksums as the caller has them
	Size               *int64 // that the whole must have
	Checksum           Checksum
	If                 Condition
}

// What writers and readers are refused for.
var (
	ErrNoBucket  = errors.New("objects: no such bucket")
	ErrNotEmpty  = errors.New("objects: the bucket is not empty")
	ErrNoKey     = errors.New("objects: no such key")
	ErrNoVersion = errors.New("objects: no such version")
	ErrNoUpload  = errors.New("objects: no such upload")
	ErrCondition = errors.New("objects: a condition does not hold")
	ErrPart      = errors.New("objects: a part is not there or is another")
	ErrOrder     = errors.New("objects: parts are not in ascending order")
	ErrSmall     = errors.New("objects: a part is too small")
	ErrSize      = errors.New("objects: the whole has another size")
	ErrChecksum  = errors.New("objects: the whole has another checksum")
	ErrLocked    = errors.New("objects: the content is encrypted with a key that was not given")
	ErrFull      = errors.New("objects: the file system is nearly full")
)

// Content is a version being read. What it reads stays until Close.
type Content interface {
	Version() Version
	// Unlock gives the key of content that is encrypted with one of its own.
	Unlock(key DataKey)
	// Range reads length bytes from offset on, which must be there, until the content
	// is closed.
	Range(offset, length int64) io.Reader
	Close() error
}
