package metadata

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"neargate/resource/compute"
)

// Protector reads and sets the scale-in protection of a task, as the task itself
// with its role: GetTaskProtection and UpdateTaskProtection. What ECS answers
// instead of a protection comes back as a *[Failure] or an *[APIError].
type Protector interface {
	Protection(ctx context.Context, t *compute.Task) (compute.Protection, error)
	Protect(ctx context.Context, t *compute.Task, enabled bool, minutes *int64) (compute.Protection, error)
}

// Failure is the failure that ECS lists for a task.
type Failure struct{ Reason, Detail string }

// Error implements error.
func (f *Failure) Error() string { return f.Reason + " " + f.Detail }

// APIError is an error that ECS answered.
type APIError struct {
	RequestID, Code, Message string
	Status                   int // of HTTP
}

// Error implements error.
func (e *APIError) Error() string { return e.Code + ": " + e.Message }

// Bounds of a request. Source: amazon-ecs-agent, task protection endpoint.
const (
	protectWithin = 4 * time.Second
	maxBody       = 64 << 10
)

// Error codes of the endpoint.
const (
	codeInvalid  = "InvalidParameterException"
	codeNotFound = "ResourceNotFoundException"
	codeDenied   = "AccessDeniedException"
	codeServer   = "ServerException"
	codeCanceled = "RequestCanceled"
)

// protectionAnswer is what the endpoint answers: one of its last three members.
type protectionAnswer struct {
	RequestID  *string          `json:"requestID,omitempty"`
	Protection *protectedTask   `json:"protection,omitempty"`
	Failure    *failedTask      `json:"failure,omitempty"`
	Error      *protectionError `json:"error,omitempty"`
}

type protectedTask struct {
	ExpirationDate    *time.Time
	ProtectionEnabled bool
	TaskArn           string
}

type failedTask struct {
	Arn    string
	Detail *string
	Reason string
}

type protectionError struct {
	Arn     string `json:",omitempty"`
	Code    string
	Message string
}

func (e *endpoint) getProtection(w http.ResponseWriter, r *http.Request) {
	v, ok := e.protected(w, r)
	if !ok || !hasRole(w, &v.Task) {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), protectWithin)
	defer cancel()
	p, err := e.protect.Protection(ctx, &v.Task)
	answerProtection(w, &v.Task, p, err)
}

func (e *endpoint) putProtection(w http.ResponseWriter, r *http.Request) {
	var in struct {
		ProtectionEnabled *bool
		ExpiresInMinutes  *int64
	}
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		refuseProtection(w, http.StatusBadRequest, protectionError{"", codeInvalid, "UpdateTaskProtection: failed to decode request"})
		return
	}
	v, ok := e.protected(w, r)
	if !ok {
		return
	}
	if in.ProtectionEnabled == nil {
		refuseProtection(w, http.StatusBadRequest, protectionError{v.Task.ARN(), codeInvalid, "Invalid request: does not contain 'ProtectionEnabled' field"})
		return
	}
	if !hasRole(w, &v.Task) {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), protectWithin)
	defer cancel()
	p, err := e.protect.Protect(ctx, &v.Task, *in.ProtectionEnabled, in.ExpiresInMinutes)
	answerProtection(w, &v.Task, p, err)
}

func (e *endpoint) protected(w http.ResponseWriter, r *http.Request) (View, bool) {
	v, _, ok := e.find(r)
	if !ok {
		refuseProtection(w, http.StatusNotFound, protectionError{"", codeNotFound, "Failed to find a task for the request"})
	}
	return v, ok
}

func hasRole(w http.ResponseWriter, t *compute.Task) bool {
	if t.Spec.TaskRole == "" {
		refuseProtection(w, http.StatusForbidden, protectionError{t.ARN(), codeDenied, "Invalid Request: no task IAM role credentials available for task"})
		return false
	}
	return true
}

func answerProtection(w http.ResponseWriter, t *compute.Task, p compute.Protection, err error) {
	failure, failed := errors.AsType[*Failure](err)
	api, refused := errors.AsType[*APIError](err)
	switch {
	case err == nil:
		write(w, http.StatusOK, protectionAnswer{Protection: &protectedTask{at(p.Until), p.Enabled, t.ARN()}})
	case failed:
		f := &failedTask{Arn: t.ARN(), Reason: failure.Reason}
		if failure.Detail != "" {
			f.Detail = &failure.Detail
		}
		write(w, http.StatusOK, protectionAnswer{Failure: f})
	case refused:
		a := protectionAnswer{Error: &protectionError{t.ARN(), api.Code, api.Message}}
		if api.RequestID != "" {
			a.RequestID = &api.RequestID
		}
		if api.Status < http.StatusBadRequest {
			api = &APIError{Status: http.StatusInternalServerError}
		}
		write(w, api.Status, a)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		refuseProtection(w, http.StatusGatewayTimeout, protectionError{t.ARN(), codeCanceled, "Timed out calling ECS Task Protection API"})
	default:
		refuseProtection(w, http.StatusInternalServerError, protectionError{t.ARN(), codeServer, "Unexpected error occurred"})
	}
}

func refuseProtection(w http.ResponseWriter, code int, e protectionError) {
	write(w, code, protectionAnswer{Error: &e})
}
