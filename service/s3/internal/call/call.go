// Package call is one request to Amazon S3 on its way: what it is about, who makes
// it, what it may do, and how it is answered.
package call

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"

	"neargate/auth"
	"neargate/internal/checksum"
	"neargate/resource/objects"
	"neargate/service"
	"neargate/store"
	"neargate/store/tables/buckets"
	"neargate/wire/sigv4"
)

// Engine keeps objects. What it returns errors for is in resource/objects.
type Engine interface {
	Contents
	Versions
	Uploads
	// Drop deletes an empty bucket, whose record forget deletes.
	Drop(bucket string, forget func() error) error
}

// Contents takes content in and gives it out.
type Contents interface {
	Stage(ctx context.Context, from io.Reader, key objects.DataKey, sums ...checksum.Algorithm) (objects.Staged, error)
	Discard(st objects.Staged)
	Open(bucket, key, id string) (objects.Content, error)
}

// Versions reads and writes what a bucket holds.
type Versions interface {
	Put(w objects.Write, st objects.Staged) (objects.Version, error)
	Find(bucket, key, id string) (objects.Version, error)
	Delete(bucket, versioning string, doomed ...objects.Doomed) ([]objects.Deleted, error)
	Retag(bucket, key, id string, tags []objects.Tag) (objects.Version, error)
	List(bucket string, q objects.Query) (objects.Listing[objects.Version], error)
	Versions(bucket string, q objects.Query) (objects.Listing[objects.Version], error)
	Pieces(v objects.Version) ([]objects.Part, error)
}

// Uploads puts objects together from parts.
type Uploads interface {
	Begin(bucket string, u objects.Upload) (objects.Upload, error)
	Upload(bucket, key, id string) (objects.Upload, error)
	PutPart(bucket, key, upload string, p objects.Part, st objects.Staged) (objects.Part, error)
	Parts(upload string, after, max int) ([]objects.Part, error)
	Uploads(bucket string, q objects.Query) (objects.Listing[objects.Upload], error)
	Complete(f objects.Finish) (objects.Version, error)
	Abort(bucket, key, upload string) error
}

// Config says what a Server is built with.
type Config struct {
	service.Deps
	Engine        Engine
	Keys          sigv4.Keys      // whose principals are auth.Callers
	Auth          *auth.Directory // notes who used which key
	Vault         Vault           // nil where there is no AWS KMS
	NoAuth        bool            // as wire.Config's
	Log           *slog.Logger
	DefaultRegion string     // of requests that name none; arn.DefaultRegion if empty
	Observe       func(Call) // told of every request after its answer; may be nil
	// Layers opens a layer of Amazon ECR by its digest, or fails with image.ErrNoBlob;
	// nil where there are none.
	Layers func(digest string) (*os.File, error)
}

// Place is what a request is about; without a bucket it is about all of them.
type Place struct{ Bucket, Key string }

// Operation is one of the API's.
type Operation struct {
	Name, Action string // e.g. ListObjectsV2, s3:ListBucket; without an action the operation decides itself
	Run          func(*Request) error
}

// Op is an operation.
func Op(name, action string, run func(*Request) error) Operation { return Operation{name, action, run} }

// Request is a request on its way.
type Request struct {
	*Config
	W     http.ResponseWriter
	R     *http.Request
	Ctx   context.Context
	ID    string
	Start time.Time
	Query url.Values

	Place     Place
	Op        Operation
	Claim     *sigv4.Claim // nil when not signed
	Body      io.Reader
	Trailer   func() http.Header // after the body has been read
	Caller    auth.Caller
	Anonymous bool
	Form      string         // version of the signature of the form that was posted, as SigV4; "" for none
	Region    string         // that the request was signed for
	Bucket    objects.Bucket // for operations on an existing one

	Status  int
	Code    string // of the error
	Message string // likewise
	Failed  error  // what went wrong inside
	Sent    bool   // the answer has begun
	Broken  bool   // and ended too early
	Gone    bool   // the client has left in the middle of it
}

// Call is what became of a request.
type Call struct {
	ID, Operation        string
	Account, AccessKeyID string // "" when the caller was not proven
	Caller               auth.Caller
	Bucket               string // "" for none
	Region               string
	SourceIP, UserAgent  string
	Status               int
	Code                 string // error code, "" for success
	Start                time.Time
	Duration             time.Duration
	Err                  error // what went wrong inside

	Message        string      // error message
	Key            string      // "" for none
	Owner          string      // the bucket's account; "" where there is no such bucket
	SignedBy       string      // version of the signature, as SigV4; "" for none
	SignedIn       string      // AuthHeader or QueryString; "" for none
	In, Out        int64       // bytes of content
	Query          url.Values  // these are the request's own, and not to be changed or kept
	Header, Answer http.Header // likewise
	Host           string
	TLS            *tls.ConnectionState // nil without
}

// Find finds the bucket, and holds it against what the request says of it.
func (x *Request) Find() error {
	if x.Place.Bucket == "" || x.Op.Name == "CreateBucket" {
		return nil
	}
	err := x.Store.View(x.Ctx, func(tx store.Tx) (err error) {
		x.Bucket, err = buckets.Buckets.Get(tx, x.Place.Bucket)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return noSuchBucket(x.Place.Bucket)
	}
	if err != nil {
		return err
	}
	if owner := x.R.Header.Get("X-Amz-Expected-Bucket-Owner"); owner != "" && owner != x.Bucket.Account {
		return errAccessDenied
	}
	if x.Claim == nil {
		x.Region = x.Bucket.Region
		x.Caller.Region = x.Region
	}
	if !x.NoAuth && x.Region != x.Bucket.Region && x.Op.Name != "GetBucketLocation" {
		return WrongScope("the region '"+x.Region+"' is wrong; expecting '"+x.Bucket.Region+"'", Element{"Region", x.Bucket.Region})
	}
	if len(x.Place.Key) > objects.MaxKey {
		return Fail("KeyTooLongError", 400, "Your key is too long", Element{"Size", strconv.Itoa(len(x.Place.Key))}, Element{"MaxSizeAllowed", "1024"})
	}
	return nil
}

// SourceIP is where the request comes from.
func (x *Request) SourceIP() string {
	host, _, err := net.SplitHostPort(x.R.RemoteAddr)
	if err != nil {
		return x.R.RemoteAddr
	}
	return host
}

// Set gives the answer a header, spelled as Amazon S3 does.
func (x *Request) Set(name, value string) {
	if value != "" {
		x.W.Header()[name] = []string{value}
	}
}

// OK answers without a body.
func (x *Request) OK(status int) error {
	x.Status, x.Sent = status, true
	if status == http.StatusOK {
		x.Set("Content-Length", "0")
	}
	x.W.WriteHeader(status)
	return nil
}

// AccessKeyID is the key of the caller, proven or not; "" where the request has none.
func (x *Request) AccessKeyID() string {
	if x.Claim == nil {
		return ""
	}
	return x.Claim.AccessKeyID
}

// Admit decides whether the caller may do what the request asks. Operations
// without an action in their table decide themselves.
func (x *Request) Admit() error {
	if x.Op.Action == "" {
		return nil
	}
	action := x.Op.Action
	if id := x.Query.Get("versionId"); id != "" && x.Place.Key != "" {
		if versioned, ok := versionActions[action]; ok {
			action = versioned
		}
	}
	return x.Allow(action, x.Place.Key)
}

// versionActions are the actions of operations on a given version.
var versionActions = map[string]string{
	"s3:GetObject":           "s3:GetObjectVersion",
	"s3:DeleteObject":        "s3:DeleteObjectVersion",
	"s3:GetObjectTagging":    "s3:GetObjectVersionTagging",
	"s3:PutObjectTagging":    "s3:PutObjectVersionTagging",
	"s3:DeleteObjectTagging": "s3:DeleteObjectVersionTagging",
	"s3:GetObjectAcl":        "s3:GetObjectVersionAcl",
	"s3:PutObjectAcl":        "s3:PutObjectVersionAcl",
	"s3:GetObjectAttributes": "s3:GetObjectVersionAttributes",
}
