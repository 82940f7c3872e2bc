// Package s3 is the API of Amazon S3. Its protocol has no like: the operation is
// in the method and the query, bodies are streams, and the signature may cover a
// body piece by piece; so the package serves HTTP itself, and is an http.Handler
// beside the front door of the other services.
//
// A request is routed, its signature is proven, its bucket is found, policies
// decide, and then the operation runs; it ends at the first that refuses it.
package s3

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"neargate/arn"
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
	Stage(ctx context.Context, from io.Reader, sums ...checksum.Algorithm) (objects.Staged, error)
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

// Call is what became of a request.
type Call struct {
	ID, Operation        string
	Account, AccessKeyID string // "" when the caller was not proven
	Region               string
	SourceIP, UserAgent  string
	Status               int
	Code                 string // error code, "" for success
	Start                time.Time
	Duration             time.Duration
	Err                  error // what went wrong inside
}

// Config says what a Server is built with.
type Config struct {
	service.Deps
	Engine  Engine
	Keys    sigv4.Keys      // whose principals are auth.Callers
	Auth    *auth.Directory // notes who used which key
	NoAuth  bool            // as wire.Config's
	Region  string          // of requests that name none; arn.DefaultRegion if empty
	Log     *slog.Logger
	Observe func(Call) // told of every request after its answer; may be nil
}

// Server serves Amazon S3. It is safe for concurrent use.
type Server struct {
	cfg      Config
	verifier *sigv4.Verifier
}

// New makes a server.
func New(cfg Config) *Server {
	if cfg.Region == "" {
		cfg.Region = arn.DefaultRegion
	}
	return &Server{cfg: cfg, verifier: sigv4.NewVerifier(cfg.Keys, cfg.Now)}
}

// request is a request on its way.
type request struct {
	*Server
	w     http.ResponseWriter
	r     *http.Request
	ctx   context.Context
	id    string
	start time.Time
	query url.Values

	place     place
	op        operation
	claim     *sigv4.Claim
	body      io.Reader
	trailer   func() http.Header // after the body has been read
	caller    auth.Caller
	anonymous bool
	region    string
	bucket    objects.Bucket // for operations on an existing one

	status int
	code   string
	failed error
	sent   bool // the answer has begun
	broken bool // and ended too early
	gone   bool // the client has left in the middle of it
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &request{Server: s, w: w, r: r, ctx: r.Context(), id: newID(), start: s.cfg.Now(), query: r.URL.Query(), region: s.cfg.Region}
	h := w.Header()
	h["x-amz-request-id"] = []string{x.id}
	h["x-amz-id-2"] = []string{x.id + x.id}
	h["Server"] = []string{"AmazonS3"}
	err := x.serve()
	if err != nil {
		x.fail(err)
	}
	if s.cfg.Observe != nil {
		s.cfg.Observe(x.report())
	}
	if err != nil && x.broken {
		panic(http.ErrAbortHandler) // nothing is left but to break off
	}
}

// newID is a request id as Amazon S3's look. It tells nothing, so it needs no
// injected source.
func newID() string {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return strings.ToUpper(hex.EncodeToString(b[:]))
}

// serve takes the request through every stage. A panic below is an error like
// any other.
func (x *request) serve() (err error) {
	defer func() {
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler {
				panic(p)
			}
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	x.place = locate(x.r)
	if x.r.Method == http.MethodOptions {
		x.op = operation{name: "OPTIONS"}
		return x.preflight()
	}
	if x.op, err = route(x.place, x.r.Method, x.query, x.r.Header); err != nil {
		return err
	}
	if err := x.prove(); err != nil {
		return err
	}
	if err := x.find(); err != nil {
		return err
	}
	x.crossOrigin()
	if err := x.admit(); err != nil {
		return err
	}
	if x.op.run == nil {
		return errNotImplemented
	}
	return x.op.run(x)
}

// prove proves who the caller is.
func (x *request) prove() error {
	claim, unsigned := sigv4.Parse(x.r)
	x.claim = claim
	if claim != nil && arn.KnownRegion(claim.Region) {
		x.region = claim.Region
	}
	if x.cfg.NoAuth {
		return x.assume()
	}
	if refused, ok := errors.AsType[*sigv4.Error](unsigned); ok && refused.Reason == sigv4.Missing {
		x.anonymous, x.body, x.trailer = true, x.r.Body, func() http.Header { return nil }
		return nil
	}
	switch {
	case unsigned != nil:
		return unsigned
	case claim.Service != "s3":
		return wrongScope("incorrect service \"" + claim.Service + "\". This endpoint belongs to \"s3\".")
	case !arn.KnownRegion(claim.Region):
		return wrongScope("the region '"+claim.Region+"' is wrong; expecting '"+x.cfg.Region+"'", element{"Region", x.cfg.Region})
	}
	key, body, err := x.verifier.VerifyStream(x.ctx, x.r, claim)
	if err != nil {
		return err
	}
	x.body, x.trailer = body, body.Trailer
	x.become(key)
	return nil
}

func (x *request) become(key sigv4.Key) {
	c := key.Principal.(auth.Caller)
	c.Region, c.Partition = x.region, arn.Partition(x.region)
	c.RequestID, c.SourceIP, c.UserAgent, c.Secure = x.id, x.sourceIP(), x.r.UserAgent(), x.r.TLS != nil
	x.caller = c
	x.ctx = auth.WithCaller(x.ctx, c)
}

// assume finds whom a request is from when nobody has to prove it.
func (x *request) assume() (err error) {
	var key sigv4.Key
	err = sigv4.ErrUnknownKey
	if x.claim != nil {
		key, err = x.cfg.Keys.Key(x.ctx, x.claim.AccessKeyID, x.claim.SessionToken)
	}
	if err != nil {
		if key, err = x.cfg.Keys.Key(x.ctx, "", ""); err != nil {
			return err
		}
	}
	body := sigv4.Unproven(x.r)
	x.body, x.trailer = body, body.Trailer
	x.become(key)
	return nil
}

// find finds the bucket, and holds it against what the request says of it.
func (x *request) find() error {
	if x.place.bucket == "" || x.op.name == "CreateBucket" {
		return nil
	}
	err := x.cfg.Store.View(x.ctx, func(tx store.Tx) (err error) {
		x.bucket, err = buckets.Buckets.Get(tx, x.place.bucket)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return noSuchBucket(x.place.bucket)
	}
	if err != nil {
		return err
	}
	x.set("x-amz-bucket-region", x.bucket.Region)
	if owner := x.r.Header.Get("X-Amz-Expected-Bucket-Owner"); owner != "" && owner != x.bucket.Account {
		return errAccessDenied
	}
	if !x.anonymous && !x.cfg.NoAuth && x.region != x.bucket.Region && x.op.name != "GetBucketLocation" {
		return wrongScope("the region '"+x.region+"' is wrong; expecting '"+x.bucket.Region+"'", element{"Region", x.bucket.Region})
	}
	if len(x.place.key) > objects.MaxKey {
		return fail("KeyTooLongError", 400, "Your key is too long", element{"Size", strconv.Itoa(len(x.place.key))}, element{"MaxSizeAllowed", "1024"})
	}
	if x.op.name != "HeadBucket" {
		x.w.Header().Del("x-amz-bucket-region")
	}
	return nil
}

func (x *request) sourceIP() string {
	host, _, err := net.SplitHostPort(x.r.RemoteAddr)
	if err != nil {
		return x.r.RemoteAddr
	}
	return host
}

// set gives the answer a header, spelled as Amazon S3 does.
func (x *request) set(name, value string) {
	if value != "" {
		x.w.Header()[name] = []string{value}
	}
}

// ok answers without a body.
func (x *request) ok(status int) error {
	x.status, x.sent = status, true
	if status == http.StatusOK {
		x.set("Content-Length", "0")
	}
	x.w.WriteHeader(status)
	return nil
}

func (x *request) report() Call {
	c := Call{
		ID: x.id, Operation: x.op.name, Account: x.caller.Account, Region: x.region, SourceIP: x.sourceIP(), UserAgent: x.r.UserAgent(),
		Status: x.status, Code: x.code, Start: x.start, Duration: x.cfg.Now().Sub(x.start), Err: x.failed,
	}
	if x.claim != nil {
		c.AccessKeyID = x.claim.AccessKeyID
	}
	return c
}
