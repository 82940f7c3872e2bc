// Package s3 is the API of Amazon S3. Its protocol has no like: the operation is
// in the method and the query, bodies are streams, and the signature may cover a
// body piece by piece; so the package serves HTTP itself, and is an http.Handler
// beside the front door of the other services.
//
// A request is routed, its signature is proven, its bucket is found, policies
// decide, and then the operation runs; it ends at the first that refuses it.
package s3

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"

	"neargate/arn"
	"neargate/auth"
	"neargate/resource/image"
	"neargate/service/s3/bucket"
	"neargate/service/s3/form"
	"neargate/service/s3/internal/call"
	"neargate/service/s3/internal/sigv2"
	"neargate/service/s3/object"
	"neargate/service/s3/upload"
	"neargate/wire/sigv4"
)

// What a server is built with and tells.
type (
	Config = call.Config
	Engine = call.Engine
	Vault  = call.Vault
	Call   = call.Call
)

// Server serves Amazon S3. It is safe for concurrent use.
type Server struct {
	cfg        Config
	verifier   *sigv4.Verifier
	operations map[string]call.Operation
}

type request = call.Request

// New makes a server.
func New(cfg Config) *Server {
	if cfg.DefaultRegion == "" {
		cfg.DefaultRegion = arn.DefaultRegion
	}
	if cfg.Layers != nil {
		cfg.Keys = layerKeys{cfg.Keys, image.LayerSecret(cfg.TokenKey)}
	}
	s := &Server{cfg: cfg, verifier: sigv4.NewVerifier(cfg.Keys, cfg.Now), operations: map[string]call.Operation{}}
	for _, table := range []map[string]call.Operation{bucket.Operations(), object.Operations(), upload.Operations(), form.Operations()} {
		maps.Copy(s.operations, table)
	}
	return s
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in call.Incoming
	out := call.Outgoing{ResponseWriter: w}
	x := &request{Config: &s.cfg, W: &out, R: r, Ctx: r.Context(), ID: newID(), Start: s.cfg.Now(), Query: r.URL.Query(), Region: s.cfg.DefaultRegion}
	if r.ContentLength == 0 && strings.EqualFold(r.Header.Get("Expect"), "100-continue") {
		// There is nothing to wait for, but botocore takes the next answer on the
		// connection for another when it does not get what it expects.
		w.WriteHeader(http.StatusContinue)
	}
	h := w.Header()
	h["x-amz-request-id"] = []string{x.ID}
	h["x-amz-id-2"] = []string{x.ID + x.ID}
	h["Server"] = []string{"AmazonS3"}
	err := s.serve(x, &in)
	if err != nil {
		x.Fail(err)
	}
	if s.cfg.Observe != nil {
		c := report(x)
		c.In, c.Out = in.N, out.N
		s.cfg.Observe(c)
	}
	if err != nil && x.Broken {
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

// serve takes the request through every stage, counting its content. A panic below is
// an error like any other.
func (s *Server) serve(x *request, in *call.Incoming) (err error) {
	defer func() {
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler {
				panic(p)
			}
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	x.Place = locate(x.R)
	if x.R.Method == http.MethodOptions {
		x.Op = call.Operation{Name: "OPTIONS"}
		return bucket.Preflight(x)
	}
	if err := s.prove(x); err != nil {
		return err
	}
	in.From, x.Body = x.Body, in
	if region, ok := image.LayerRegion(x.Place.Bucket); ok && s.cfg.Layers != nil {
		return layer(x, region)
	}
	if x.Op, err = s.route(x.Place, x.R.Method, x.Query, x.R.Header); err != nil {
		return err
	}
	if err := x.Find(); err != nil {
		return err
	}
	bucket.CrossOrigin(x)
	if err := x.Admit(); err != nil {
		return err
	}
	if x.Op.Run == nil {
		return call.ErrNotImplemented
	}
	return x.Op.Run(x)
}

// prove proves who the caller is.
func (s *Server) prove(x *request) error {
	claim, unsigned := sigv4.Parse(x.R)
	x.Claim = claim
	if claim != nil && arn.KnownRegion(claim.Region) {
		x.Region = claim.Region
	}
	if x.NoAuth {
		return assume(x)
	}
	if refused, ok := errors.AsType[*sigv4.Error](unsigned); ok && refused.Reason == sigv4.Missing {
		if old, ok := sigv2.Parse(x.Query); ok {
			return proveOld(x, old)
		}
		x.Anonymous, x.Body, x.Trailer = true, x.R.Body, func() http.Header { return nil }
		x.Become(sigv4.Key{Principal: auth.Caller{}})
		return nil
	}
	switch {
	case oldHeader(x.R):
		return call.Fail("InvalidRequest", 400, "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.")
	case unsigned != nil:
		return unsigned
	case claim.Service != "s3":
		return call.WrongScope("incorrect service \"" + claim.Service + "\". This endpoint belongs to \"s3\".")
	case !arn.KnownRegion(claim.Region):
		return call.WrongScope("the region '"+claim.Region+"' is wrong; expecting '"+x.DefaultRegion+"'", call.With("Region", x.DefaultRegion))
	}
	key, body, err := s.verifier.VerifyStream(x.Ctx, x.R, claim)
	if err != nil {
		return err
	}
	x.Body, x.Trailer = body, body.Trailer
	x.Become(key)
	if claim.Presigned {
		hoist(x)
	}
	return nil
}

// proveOld proves who presigned a URL the old way.
func proveOld(x *request, claim sigv2.Claim) error {
	key, err := x.Lookup(claim.AccessKeyID, claim.SessionToken)
	switch {
	case err != nil:
		return err
	case x.Start.After(claim.Expires):
		return call.Fail("AccessDenied", 403, "Request has expired", call.With("Expires", call.Stamp(claim.Expires)), call.With("ServerTime", call.Stamp(x.Start)))
	}
	bucket, _ := splitHost(hostName(x.R.Host))
	if key.Secret == "" || !claim.Proves(x.R, x.Query, bucket, key.Secret) {
		return &sigv4.Error{Reason: sigv4.Mismatch}
	}
	x.Body, x.Trailer = x.R.Body, func() http.Header { return nil }
	x.Become(key)
	hoist(x)
	return nil
}

// ofSignature are the parameters of a presigned URL that are about its signature.
var ofSignature = []string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-Signedheaders", "X-Amz-Signature",
	"X-Amz-Security-Token", "X-Amz-Content-Sha256", "X-Amz-Sdk-Checksum-Algorithm"}

// hoist makes headers of the parameters of a presigned URL that signers have made
// of headers.
func hoist(x *request) {
	for name, values := range x.Query {
		name = http.CanonicalHeaderKey(name)
		if strings.HasPrefix(name, "X-Amz-") && !slices.Contains(ofSignature, name) && x.R.Header.Get(name) == "" {
			x.R.Header[name] = values
		}
	}
}

// assume finds whom a request is from when nobody has to prove it.
func assume(x *request) (err error) {
	var key sigv4.Key
	err = sigv4.ErrUnknownKey
	if x.Claim != nil {
		key, err = x.Keys.Key(x.Ctx, x.Claim.AccessKeyID, x.Claim.SessionToken)
	}
	if err != nil {
		if key, err = x.Keys.Key(x.Ctx, "", ""); err != nil {
			return err
		}
	}
	body := sigv4.Unproven(x.R)
	x.Body, x.Trailer = body, body.Trailer
	x.Become(key)
	return nil
}

func report(x *request) Call {
	c := Call{
		ID: x.ID, Operation: x.Op.Name, Account: x.Caller.Account, Caller: x.Caller, Bucket: x.Place.Bucket, Region: x.Region, SourceIP: x.SourceIP(), UserAgent: x.R.UserAgent(),
		Status: x.Status, Code: x.Code, Start: x.Start, Duration: x.Now().Sub(x.Start), Err: x.Failed,
		Message: x.Message, Key: x.Place.Key, Owner: x.Bucket.Account, Query: x.Query, Header: x.R.Header, Answer: x.W.Header(), Host: x.R.Host, TLS: x.R.TLS,
	}
	switch {
	case x.Form != "":
		c.AccessKeyID, c.SignedBy = x.Caller.AccessKeyID, x.Form
	case x.Claim != nil && x.Claim.Presigned:
		c.AccessKeyID, c.SignedBy, c.SignedIn = x.Claim.AccessKeyID, "SigV4", "QueryString"
	case x.Claim != nil:
		c.AccessKeyID, c.SignedBy, c.SignedIn = x.Claim.AccessKeyID, "SigV4", "AuthHeader"
	case !x.Anonymous && x.Query.Has("Signature"):
		c.AccessKeyID, c.SignedBy, c.SignedIn = x.Caller.AccessKeyID, "SigV2", "QueryString"
	}
	return c
}
