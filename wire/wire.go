// Package wire is the front door: it turns HTTP requests into calls of AWS
// operations and their results into answers, exactly as AWS's own endpoints do.
// It knows protocols; what a service does is behind the handlers it is given.
//
// A call goes through routing, signature, decoding, the model's constraints,
// authorisation (Gate) and the handler, in this order, and ends at the first
// that refuses it.
package wire

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"neargate/arn"
	"neargate/internal/bucket"
	"neargate/wire/shape"
	"neargate/wire/sigv4"
)

// Config says what a Server serves and whom it asks.
type Config struct {
	Services []shape.Service
	Keys     sigv4.Keys
	Gate     Gate

	// NoAuth admits every request. Its access key is still looked up, so that
	// accounts stay apart; where there is none or it is unknown, Keys is asked
	// for the key "" and must answer with whom such a caller is.
	NoAuth bool

	DefaultRegion string           // of requests that name none; arn.DefaultRegion if empty
	Limits        []Limit          // nil for no throttling; DefaultLimits for AWS's
	Now           func() time.Time // time.Now if nil
	Entropy       io.Reader        // of request ids; crypto/rand if nil
	Log           *slog.Logger     // slog.Default if nil
	Observe       func(Call)       // told of every call after its answer; may be nil
	Ending        context.Context  // over when the server begins to end, and streams of events with it; may be nil
}

// Gate decides whether a proven caller may make a call, and attaches the caller
// to the context for the service. A refusal is a *shape.Error.
type Gate interface {
	Admit(ctx context.Context, r Request) (context.Context, error)
}

// Request is a decoded call before it is authorised.
type Request struct {
	ID          string // request id
	Service     string // shape.Service.ID
	Operation   string
	Action      string // the operation in policies, e.g. ecs:RunTask
	Region      string
	Account     string // owning the access key
	AccessKeyID string
	Principal   any // sigv4.Key.Principal
	Input       any // the operation's decoded input
	SourceIP    string
	UserAgent   string
	Host        string // that the request was sent to
	Secure      bool   // over TLS
	Time        time.Time
}

// Call is what became of a request.
type Call struct {
	ID          string
	Service     string // "" when the request could not be routed
	Operation   string // "" likewise
	Region      string
	Account     string // "" when the caller was not proven
	AccessKeyID string
	SourceIP    string
	UserAgent   string
	Status      int    // HTTP status; StatusGone when the client had left
	Code        string // AWS's error code, "" for success
	Start       time.Time
	Duration    time.Duration
	Read, Wrote int   // bytes of the bodies
	Err         error // what went wrong inside; nil for answers AWS would give

	Message       string // AWS's error message
	Principal     any    // sigv4.Key.Principal; nil when the caller was not proven
	Input, Output any    // decoded input and output, as far as there are; not to be changed
	Host          string
	TLS           *tls.ConnectionState // nil without
	Context       context.Context      // the request's, for its values; it is over
}

// StatusGone is observed for a client that left before its answer.
const StatusGone = 499

// Limit is a token bucket that a group of a service's operations share, one per
// account and region.
type Limit struct {
	Service    string   // shape.Service.ID
	Operations []string // none: all that no other limit of the service names
	Rate       bucket.Rate
}

// Server is the front door. It is an http.Handler and safe for concurrent use.
type Server struct {
	cfg      Config
	verifier *sigv4.Verifier
	services []*service
	calls    sync.Pool // *call
	buckets  bucket.Set[bucketKey]
}

type bucketKey struct {
	account, region string
	limit           int // index in Config.Limits
}

// New makes a server. It panics on services that contradict their contract,
// which is a mistake in the program.
func New(cfg Config) *Server {
	if cfg.DefaultRegion == "" {
		cfg.DefaultRegion = arn.DefaultRegion
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Entropy == nil {
		cfg.Entropy = rand.Reader
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	s := &Server{cfg: cfg, verifier: sigv4.NewVerifier(cfg.Keys, cfg.Now)}
	s.calls.New = func() any { return &call{server: s} }
	plans := shape.NewPlans()
	for _, described := range cfg.Services {
		s.services = append(s.services, newService(described, plans, cfg.Limits))
	}
	return s
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.serve(w, r, s.route) }

// Only is the front door of the one service with an id, whatever requests are for;
// where there is no such service, of none.
func (s *Server) Only(id string) http.Handler {
	one := s.find(func(v *service) bool { return v.ID == id })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.serve(w, r, func(*call) *service { return one })
	})
}

// serve answers a request for the service that route finds.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, route func(*call) *service) {
	c := s.calls.Get().(*call)
	c.begin(w, r)
	c.route = route
	c.answer(c.serve())
	if s.cfg.Observe != nil {
		s.cfg.Observe(c.report())
	}
	c.release()
	s.calls.Put(c)
}
