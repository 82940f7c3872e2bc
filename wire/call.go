package wire

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"time"

	"neargate/arn"
	"neargate/wire/form"
	"neargate/wire/rest"
	"neargate/wire/shape"
	"neargate/wire/sigv4"
	"neargate/wire/validate"
)

// call is one request on its way through the front door. Calls are reused, and
// with them their buffers.
type call struct {
	server *Server
	w      http.ResponseWriter
	r      *http.Request
	id     string
	start  time.Time
	route  func(*call) *service

	claim *sigv4.Claim // nil when not signed
	svc   *service     // nil when not routed
	op    *operation   // nil likewise
	name  string       // of the operation asked for
	key   sigv4.Key    // proven, or assumed without authentication

	region     string
	raw        bytes.Buffer // body as sent
	read       int          // length of the body as sent
	flat       bytes.Buffer // body inflated
	body       []byte       // body as the codec reads it; raw's or flat's
	out        []byte       // answer
	pairs      []form.Pair  // parameters of a query request
	labels     rest.Labels  // in the path of a request to a protocol with paths
	status     int
	code       string
	failed     error  // what went wrong inside
	failure    string // AWS's error message
	in, result any    // decoded input, and the handler's output
	wrote      int    // length of the answer

	events any                // output with a stream of events; nil for any other
	cancel context.CancelFunc // of its context
}

// keepBuffer is the size above which a buffer is not kept for the next call.
const keepBuffer = 256 << 10

func (c *call) begin(w http.ResponseWriter, r *http.Request) {
	c.w, c.r = w, r
	c.start = c.server.cfg.Now()
	c.id = c.server.newID()
}

func (c *call) release() {
	if c.cancel != nil {
		c.cancel()
	}
	raw, flat, out := c.raw, c.flat, c.out
	*c = call{server: c.server}
	if raw.Cap() <= keepBuffer {
		raw.Reset()
		c.raw = raw
	}
	if flat.Cap() <= keepBuffer {
		flat.Reset()
		c.flat = flat
	}
	if cap(out) <= keepBuffer {
		c.out = out[:0]
	}
}

// newID makes a request id, a random UUID (RFC 9562 version 4).
func (s *Server) newID() string {
	var b [16]byte
	if _, err := io.ReadFull(s.cfg.Entropy, b[:]); err != nil {
		panic("wire: no entropy: " + err.Error())
	}
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	var id [36]byte
	hex.Encode(id[:], b[:4])
	hex.Encode(id[9:], b[4:6])
	hex.Encode(id[14:], b[6:8])
	hex.Encode(id[19:], b[8:10])
	hex.Encode(id[24:], b[10:])
	id[8], id[13], id[18], id[23] = '-', '-', '-', '-'
	return string(id[:])
}

// serve takes the call through every stage up to its result, which it encodes
// into c.out. A panic below is an error like any other.
func (c *call) serve() (err error) {
	defer func() {
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler {
				panic(p)
			}
			err = &panicked{p, debug.Stack()}
		}
	}()
	if err := c.identify(); err != nil {
		return err
	}
	if err := c.resolve(); err != nil {
		return err
	}
	if !c.server.buckets.Take(bucketKey{c.key.Account, c.region, c.op.limit}, c.op.rate, c.start, 1) {
		return c.svc.throttled
	}
	in := c.op.newInput()
	if err := c.svc.protocol.read(c, in); err != nil {
		return err
	}
	c.in = in
	ctx, err := c.let(in)
	if err != nil {
		return err
	}
	if c.op.out.Stream != nil {
		ctx, c.cancel = c.streaming(ctx)
		c.events, err = c.op.Serve(ctx, in)
		return err
	}
	out, err := c.op.Serve(ctx, in)
	if err != nil {
		return err
	}
	c.status, c.result = http.StatusOK, out
	c.out = c.svc.protocol.append(c, c.out[:0], out)
	return nil
}

// identify routes the request, reads its body and proves its caller. It reads
// no body of a request that its headers alone refuse.
func (c *call) identify() error {
	claim, unsigned := sigv4.Parse(c.r)
	c.claim = claim
	if claim != nil {
		c.region = claim.Region
	} else {
		c.region = regionOf(c.r.Host, c.server.cfg.DefaultRegion)
	}
	if !c.server.signsFor(claim) && c.r.Header.Get("X-Amz-Target") == "" {
		// The API version may tell the service, and may be in the body.
		if err := c.readBody(defaultBody); err != nil {
			return err
		}
	}
	if c.svc = c.route(c); c.svc == nil {
		return errNoService
	}
	if err := c.svc.protocol.accepts(c); err != nil {
		return err
	}
	open := c.needsNoProof()
	if !c.server.cfg.NoAuth && !open {
		if err := c.checkScope(unsigned); err != nil {
			return err
		}
	}
	if err := c.readBody(c.svc.maxBody); err != nil {
		return err
	}
	if open {
		return c.inflate()
	}
	if err := c.prove(); err != nil {
		return err
	}
	return c.inflate()
}

// needsNoProof reports whether the request claims no caller and asks for an operation
// that needs none. Its service speaks a query protocol, so its body has been read.
func (c *call) needsNoProof() bool {
	return len(c.svc.unsigned) > 0 && c.claim == nil && c.r.Header.Get("Authorization") == "" &&
		slices.Contains(c.svc.unsigned, c.parameter("Action"))
}

// checkScope refuses a request without a signature, or with one for elsewhere.
func (c *call) checkScope(unsigned error) error {
	switch {
	case unsigned != nil:
		return unsigned
	case c.claim.Service != c.svc.SigningName:
		return &sigv4.Error{Reason: sigv4.Mismatch, Message: "Credential should be scoped to correct service: '" + c.svc.SigningName + "'. "}
	case !arn.KnownRegion(c.claim.Region):
		return &sigv4.Error{Reason: sigv4.Mismatch, Message: "Credential should be scoped to a valid region, not '" + c.claim.Region + "'. "}
	}
	return nil
}

func (c *call) prove() (err error) {
	if c.server.cfg.NoAuth {
		return c.assume()
	}
	c.key, err = c.server.verifier.Verify(c.r.Context(), c.r, c.claim, c.raw.Bytes())
	return err
}

// assume finds whom a request is from when nobody has to prove it.
func (c *call) assume() (err error) {
	keys := c.server.cfg.Keys
	if !arn.KnownRegion(c.region) {
		c.region = c.server.cfg.DefaultRegion
	}
	if c.claim != nil {
		if c.key, err = keys.Key(c.r.Context(), c.claim.AccessKeyID, c.claim.SessionToken); err == nil {
			return nil
		}
	}
	c.key, err = keys.Key(c.r.Context(), "", "")
	return err
}

// resolve finds the operation.
func (c *call) resolve() error {
	name, err := c.svc.protocol.operation(c)
	if err != nil {
		return err
	}
	c.name = name
	c.op = c.svc.operations[name]
	if c.op == nil {
		return c.svc.protocol.unknown(c)
	}
	return nil
}

// let checks a request and has it authorised, in the service's order.
func (c *call) let(in any) (ctx context.Context, err error) {
	if validate.Late(&c.svc.Service) {
		if ctx, err = c.admit(in); err != nil {
			return nil, err
		}
		return ctx, validate.Input(&c.svc.Service, c.op.in, in)
	}
	if err := validate.Input(&c.svc.Service, c.op.in, in); err != nil {
		return nil, err
	}
	return c.admit(in)
}

func (c *call) admit(in any) (context.Context, error) {
	return c.server.cfg.Gate.Admit(c.r.Context(), Request{
		ID:          c.id,
		Service:     c.svc.ID,
		Operation:   c.op.Name,
		Action:      c.op.action,
		Region:      c.region,
		Account:     c.key.Account,
		AccessKeyID: c.accessKeyID(),
		Principal:   c.key.Principal,
		Input:       in,
		SourceIP:    c.sourceIP(),
		UserAgent:   c.r.UserAgent(),
		Host:        c.r.Host,
		Secure:      c.r.TLS != nil,
		Time:        c.start,
	})
}

func (c *call) accessKeyID() string {
	if c.claim == nil {
		return ""
	}
	return c.claim.AccessKeyID
}

func (c *call) sourceIP() string {
	host, _, err := net.SplitHostPort(c.r.RemoteAddr)
	if err != nil {
		return c.r.RemoteAddr
	}
	return host
}

// answer sends the result of serve.
func (c *call) answer(err error) {
	if err != nil {
		if c.r.Context().Err() != nil && errors.Is(err, c.r.Context().Err()) {
			c.status = StatusGone
			return
		}
		c.fail(err)
	} else if c.events != nil {
		c.sendEvents(c.events)
		return
	}
	c.wrote = len(c.out)
	h := c.w.Header()
	h["x-amzn-RequestId"] = []string{c.id} // spelled as AWS does
	if c.svc != nil && c.svc.extended != "" {
		h[c.svc.extended] = []string{base64.StdEncoding.EncodeToString([]byte(c.id))}
	}
	h["Content-Length"] = []string{strconv.Itoa(len(c.out))}
	if _, ok := h["Content-Type"]; !ok {
		h["Content-Type"] = []string{c.svc.protocol.contentType()}
	}
	c.w.WriteHeader(c.status)
	if c.r.Method != http.MethodHead {
		c.w.Write(c.out)
	}
}

func (c *call) report() Call {
	k := Call{
		ID: c.id, Region: c.region, Account: c.key.Account, AccessKeyID: c.accessKeyID(), SourceIP: c.sourceIP(), UserAgent: c.r.UserAgent(),
		Status: c.status, Code: c.code, Start: c.start, Duration: c.server.cfg.Now().Sub(c.start), Read: c.read, Wrote: c.wrote, Err: c.failed,
		Message: c.failure, Principal: c.key.Principal, Input: c.in, Output: c.result, Host: c.r.Host, TLS: c.r.TLS, Context: c.r.Context(),
	}
	if c.svc != nil {
		k.Service = c.svc.ID
	}
	if c.op != nil {
		k.Operation = c.op.Name
	}
	return k
}

// asShape is the AWS error in err, nil if there is none.
func asShape(err error) *shape.Error {
	var e *shape.Error
	if errors.As(err, &e) {
		return e
	}
	return nil
}
