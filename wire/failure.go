package wire

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"neargate/wire/shape"
	"neargate/wire/sigv4"
	"neargate/wire/xml"
)

// errNoService is for requests that no service here would recognise.
var errNoService = errors.New("wire: no service for this request")

// panicked is a panic of a handler, kept for the log.
type panicked struct {
	value any
	stack []byte
}

func (p *panicked) Error() string { return fmt.Sprintf("panic: %v\n%s", p.value, p.stack) }

// fail turns an error into the answer AWS gives. What is not one of AWS's
// errors goes to the log under the request's id; the client learns only that
// the service failed.
func (c *call) fail(err error) {
	if err == errNotHere || err == errNoService {
		c.notHere(err)
		return
	}
	if c.svc == nil { // refused before it was routed
		c.notHere(errNoService)
		return
	}
	e := c.translate(err)
	c.status, c.code, c.failure = e.Status, e.Code, e.Message
	if c.status == 0 {
		c.status = http.StatusBadRequest
	}
	c.out = c.svc.protocol.appendError(c, c.out[:0], e)
}

// notHere answers what no service here would recognise, as closely to what the
// client speaks as can be told.
func (c *call) notHere(err error) {
	h := c.w.Header()
	c.status, c.code = http.StatusNotFound, "UnknownOperationException"
	h["Content-Type"] = []string{"application/xml"}
	c.out = append(c.out[:0], notHereBody...)
	if err == errNotHere {
		return
	}
	if c.r.Header.Get("X-Amz-Target") != "" {
		c.status = http.StatusBadRequest
		h["Content-Type"] = []string{c.r.Header.Get("Content-Type")}
		h["X-Amzn-Errortype"] = []string{c.code}
		c.out = append(c.out[:0], `{"__type":"UnknownOperationException"}`...)
		return
	}
	if action := c.parameter("Action"); action != "" {
		h["Content-Type"] = []string{awsQuery{}.contentType()}
		e := noAction(action, c.parameter("Version"))
		c.status, c.code = e.Status, e.Code
		c.out = xml.AppendQueryError(c.out[:0], &shape.Service{}, c.id, e)
	}
}

func (c *call) translate(err error) *shape.Error {
	if e := asShape(err); e != nil {
		return e
	}
	var refused *sigv4.Error
	if errors.As(err, &refused) {
		return refusals[c.svc.Protocol].of(refused)
	}
	var cut *cutOff
	if errors.As(err, &cut) {
		if cut.tooSlow() {
			return shape.NewError("RequestTimeoutException", http.StatusRequestTimeout, "")
		}
		return shape.NewError("IncompleteBody", http.StatusBadRequest, "The request body terminated unexpectedly")
	}
	c.failed = err
	c.server.cfg.Log.LogAttrs(c.r.Context(), slog.LevelError, "request failed",
		slog.String("request_id", c.id), slog.String("service", c.svc.ID), slog.String("operation", c.name), slog.String("error", err.Error()))
	return c.svc.internal
}

// refusal is how a protocol words a refused signature.
type refusal struct {
	code    string
	status  int
	message string // "" for the verifier's own
}

type refusalTable map[sigv4.Reason]refusal

func (t refusalTable) of(e *sigv4.Error) *shape.Error {
	r := t[e.Reason]
	if r.message == "" {
		r.message = e.Message
	}
	return shape.NewError(r.code, r.status, r.message)
}

// refusals are the answers of each protocol to requests that are not properly
// signed. EC2 tells less than the others.
var refusals = map[shape.Protocol]refusalTable{
	shape.JSON10:   jsonRefusals,
	shape.JSON11:   jsonRefusals,
	shape.Query:    queryRefusals,
	shape.EC2:      ec2Refusals,
	shape.XML:      queryRefusals,
	shape.RestJSON: restRefusals,
}

var jsonRefusals = refusalTable{
	sigv4.Missing:        {"MissingAuthenticationTokenException", 400, ""},
	sigv4.Incomplete:     {"IncompleteSignatureException", 400, ""},
	sigv4.Mismatch:       {"InvalidSignatureException", 400, ""},
	sigv4.TooOld:         {"InvalidSignatureException", 400, ""},
	sigv4.TooNew:         {"InvalidSignatureException", 400, ""},
	sigv4.HeaderUnsigned: {"InvalidSignatureException", 400, ""},
	sigv4.BodyMismatch:   {"InvalidSignatureException", 400, ""},
	sigv4.UnknownKey:     {"UnrecognizedClientException", 400, ""},
	sigv4.BadToken:       {"UnrecognizedClientException", 400, ""},
	sigv4.ExpiredToken:   {"ExpiredTokenException", 400, ""},
}

var restRefusals = refusalTable{
	sigv4.Missing:        {"MissingAuthenticationTokenException", 403, "Missing Authentication Token"},
	sigv4.Incomplete:     {"IncompleteSignatureException", 403, ""},
	sigv4.Mismatch:       {"InvalidSignatureException", 403, ""},
	sigv4.TooOld:         {"InvalidSignatureException", 403, ""},
	sigv4.TooNew:         {"InvalidSignatureException", 403, ""},
	sigv4.HeaderUnsigned: {"InvalidSignatureException", 403, ""},
	sigv4.BodyMismatch:   {"InvalidSignatureException", 403, ""},
	sigv4.UnknownKey:     {"UnrecognizedClientException", 403, ""},
	sigv4.BadToken:       {"UnrecognizedClientException", 403, ""},
	sigv4.ExpiredToken:   {"ExpiredTokenException", 403, ""},
}

var queryRefusals = refusalTable{
	sigv4.Missing:        {"MissingAuthenticationToken", 403, "Request is missing Authentication Token"},
	sigv4.Incomplete:     {"IncompleteSignature", 400, ""},
	sigv4.Mismatch:       {"SignatureDoesNotMatch", 403, ""},
	sigv4.TooOld:         {"SignatureDoesNotMatch", 403, ""},
	sigv4.TooNew:         {"SignatureDoesNotMatch", 403, ""},
	sigv4.HeaderUnsigned: {"SignatureDoesNotMatch", 403, ""},
	sigv4.BodyMismatch:   {"SignatureDoesNotMatch", 403, ""},
	sigv4.UnknownKey:     {"InvalidClientTokenId", 403, ""},
	sigv4.BadToken:       {"InvalidClientTokenId", 403, ""},
	sigv4.ExpiredToken:   {"ExpiredToken", 403, ""},
}

const (
	ec2AuthText    = "AWS was not able to validate the provided access credentials"
	ec2ExpiredText = "Request has expired."
)

var ec2Refusals = refusalTable{
	sigv4.Missing:        {"MissingAuthenticationToken", 403, "Request is missing Authentication Token"},
	sigv4.Incomplete:     {"IncompleteSignature", 400, ""},
	sigv4.Mismatch:       {"AuthFailure", 401, ec2AuthText},
	sigv4.TooOld:         {"RequestExpired", 400, ec2ExpiredText},
	sigv4.TooNew:         {"AuthFailure", 401, ec2AuthText},
	sigv4.HeaderUnsigned: {"AuthFailure", 401, ec2AuthText},
	sigv4.BodyMismatch:   {"AuthFailure", 401, ec2AuthText},
	sigv4.UnknownKey:     {"AuthFailure", 401, ec2AuthText},
	sigv4.BadToken:       {"AuthFailure", 401, ec2AuthText},
	sigv4.ExpiredToken:   {"RequestExpired", 400, ec2ExpiredText},
}
