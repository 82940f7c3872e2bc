// Package v2 serves the registry protocol, by which images are pushed and pulled,
// over the ECR API: each request is a call of an operation, by the bearer of an
// authorization token, and decided like one.
//
// Source: OCI Distribution Specification 1.1, and Amazon ECR's answers.
package v2

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"strings"

	"neargate/auth"
	api "neargate/aws/ecr"
	"neargate/resource/image"
	"neargate/service/ecr/images"
	"neargate/service/ecr/registry"
	"neargate/wire/shape"
)

// Gate lets a caller's call of an operation pass, or not: the error is a
// *shape.Error. The context is for the call.
type Gate func(ctx context.Context, c auth.Caller, operation string, input any) (context.Context, error)

// Config says what a handler works with.
type Config struct {
	Images       *images.Service
	Repositories Catalog
	Tokens       *registry.Tokens
	Gate         Gate
	Anonymous    *auth.Caller // who a request without a usable token is from; nil: nobody
	Log          *slog.Logger
}

// Catalog lists repositories.
type Catalog interface {
	DescribeRepositories(context.Context, *api.DescribeRepositoriesInput) (*api.DescribeRepositoriesOutput, error)
}

// Handler serves the protocol.
type Handler struct{ Config }

// New returns a handler.
func New(c Config) *Handler { return &Handler{c} }

// Wants reports whether a request to the front door is for the registry protocol:
// its path is, and nothing says that it is a signed call of an AWS API.
func Wants(r *http.Request) bool {
	return (r.URL.Path == "/v2" || strings.HasPrefix(r.URL.Path, "/v2/")) &&
		!strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-") && !r.URL.Query().Has("X-Amz-Algorithm")
}

// request is a request with who makes it and which registry it is for.
type request struct {
	*http.Request
	w       http.ResponseWriter
	caller  auth.Caller
	account string
	name    string // of the repository
	tail    string // what follows the kind of thing in the path: a reference, a digest, an id
}

// route is how requests for one kind of thing are answered.
type route struct {
	kind  string // what stands between the name and the tail
	serve map[string]func(*Handler, *request) error
}

// routes are tried in order.
var routes = []route{
	{"/blobs/uploads/", map[string]func(*Handler, *request) error{
		http.MethodPost: (*Handler).beginUpload, http.MethodPatch: (*Handler).continueUpload, http.MethodPut: (*Handler).endUpload,
		http.MethodGet: (*Handler).showUpload, http.MethodDelete: (*Handler).cancelUpload,
	}},
	{"/blobs/", map[string]func(*Handler, *request) error{http.MethodGet: (*Handler).getBlob, http.MethodHead: (*Handler).headBlob}},
	{"/manifests/", map[string]func(*Handler, *request) error{
		http.MethodGet: (*Handler).getManifest, http.MethodHead: (*Handler).getManifest, http.MethodPut: (*Handler).putManifest,
	}},
	{"/tags/list", map[string]func(*Handler, *request) error{http.MethodGet: (*Handler).listTags}},
	{"/referrers/", map[string]func(*Handler, *request) error{http.MethodGet: (*Handler).listReferrers}},
}

// nameForm is how repositories are named.
var nameForm = regexp.MustCompile(`^(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*$`)

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
	if token, ok := strings.CutPrefix(req.URL.Path, "/v2/_layers/"); ok {
		h.download(w, req, token)
		return
	}
	r := &request{Request: req, w: w}
	if err := h.authenticate(r); err != nil {
		h.fail(r, err)
		return
	}
	if err := h.serve(r); err != nil {
		h.fail(r, err)
	}
}

// authenticate finds out who makes a request, and for which registry: the one of
// the host's name, or the one the token was made for.
func (h *Handler) authenticate(r *request) error {
	user, password, given := r.BasicAuth()
	err := errAnonymous
	if given && user == registry.User {
		r.caller, err = h.Tokens.Read(r.Context(), password)
	}
	if err != nil {
		if h.Anonymous == nil {
			return err
		}
		r.caller = *h.Anonymous
	}
	r.account = r.caller.Account
	if account, region, ok := image.ParseHost(r.Host); ok {
		r.account, r.caller.Region = account, region
	}
	r.caller.UserAgent, r.caller.Host, r.caller.Secure = r.UserAgent(), r.Host, r.TLS != nil
	if ip, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		r.caller.SourceIP = ip
	}
	return nil
}

func (h *Handler) serve(r *request) error {
	path := strings.TrimPrefix(r.URL.Path, "/v2")
	switch path {
	case "", "/":
		return r.json(http.StatusOK, "application/json", struct{}{})
	case "/_catalog":
		return h.catalog(r)
	}
	for _, route := range routes {
		at := strings.LastIndex(path, route.kind)
		if at < 1 {
			continue
		}
		r.name, r.tail = path[1:at], path[at+len(route.kind):]
		if !nameForm.MatchString(r.name) || len(r.name) > 256 {
			return refused(http.StatusBadRequest, "NAME_INVALID", "invalid repository name: "+r.name)
		}
		serve, ok := route.serve[r.Method]
		if !ok {
			return refused(http.StatusMethodNotAllowed, "UNSUPPORTED", "The operation is unsupported.")
		}
		return serve(h, r)
	}
	return refused(http.StatusNotFound, "UNSUPPORTED", "The operation is unsupported.")
}

// admit lets the call of an operation pass.
func (h *Handler) admit(r *request, operation string, input any) (context.Context, error) {
	return h.Gate(r.Context(), r.caller, operation, input)
}

// refusal is an answer of the protocol that refuses something.
type refusal struct {
	status        int
	code, message string
}

// Error implements error.
func (e *refusal) Error() string { return e.code + ": " + e.message }

func refused(status int, code, message string) error { return &refusal{status, code, message} }

// errAnonymous reports a request without a token.
var errAnonymous = errors.New("no token")

// answers are how ECR's errors are said in the protocol.
var answers = map[string]refusal{
	"RepositoryNotFoundException":          {http.StatusNotFound, "NAME_UNKNOWN", ""},
	"AccessDeniedException":                {http.StatusForbidden, "DENIED", ""},
	"ImageNotFoundException":               {http.StatusNotFound, "MANIFEST_UNKNOWN", ""},
	"ImageTagAlreadyExistsException":       {http.StatusBadRequest, "TAG_INVALID", ""},
	"LayersNotFoundException":              {http.StatusNotFound, "BLOB_UNKNOWN", ""},
	"ReferencedImagesNotFoundException":    {http.StatusNotFound, "MANIFEST_UNKNOWN", ""},
	"ImageDigestDoesNotMatchException":     {http.StatusBadRequest, "DIGEST_INVALID", ""},
	"InvalidLayerException":                {http.StatusBadRequest, "DIGEST_INVALID", ""},
	"UploadNotFoundException":              {http.StatusNotFound, "BLOB_UPLOAD_UNKNOWN", ""},
	"InvalidParameterException":            {http.StatusBadRequest, "MANIFEST_INVALID", ""},
	"LimitExceededException":               {http.StatusForbidden, "DENIED", ""},
	"UnableToGetUpstreamImageException":    {http.StatusNotFound, "MANIFEST_UNKNOWN", ""},
	"UnableToGetUpstreamLayerException":    {http.StatusNotFound, "MANIFEST_UNKNOWN", ""},
	"UnsupportedUpstreamRegistryException": {http.StatusBadRequest, "UNSUPPORTED", ""},
}

// fail answers an error.
func (h *Handler) fail(r *request, err error) {
	switch {
	case errors.Is(err, errAnonymous):
		r.w.Header().Set("Www-Authenticate", `Basic realm="https://`+r.Host+`/",service="ecr.amazonaws.com"`)
		r.plain(http.StatusUnauthorized, "Not Authorized\n")
		return
	case errors.Is(err, registry.ErrBadToken):
		r.plain(http.StatusBadRequest, "Bad Request\n")
		return
	case errors.Is(err, registry.ErrExpiredToken):
		err = refused(http.StatusForbidden, "DENIED", "Your authorization token has expired. Reauthenticate and try again.")
	}
	answer, ok := errors.AsType[*refusal](err)
	if !ok {
		if e, is := errors.AsType[*shape.Error](err); is {
			if a, known := answers[e.Code]; known {
				answer, ok = &refusal{a.status, a.code, e.Message}, true
			}
		}
	}
	if !ok {
		if r.Context().Err() == nil {
			h.Log.Error("registry", "method", r.Method, "path", r.URL.Path, "error", err)
		}
		answer = &refusal{http.StatusInternalServerError, "UNKNOWN", "unknown error"}
	}
	type one struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	_ = r.json(answer.status, "application/json; charset=utf-8", map[string][]one{"errors": {{answer.code, answer.message}}})
}

func (r *request) plain(status int, text string) {
	r.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	r.w.WriteHeader(status)
	_, _ = r.w.Write([]byte(text)) // a client that has left needs no answer
}

// json answers a value and a line feed, as ECR does.
func (r *request) json(status int, contentType string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	r.w.Header().Set("Content-Type", contentType)
	r.w.WriteHeader(status)
	_, _ = r.w.Write(append(b, '\n'))
	return nil
}
