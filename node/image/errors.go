package image

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/containerd/containerd/v2/core/remotes/docker"
	remoteerrors "github.com/containerd/containerd/v2/core/remotes/errors"
	"github.com/containerd/errdefs"
)

// Error says why an image could not be pulled, in the words ECS shows after the
// error's name.
type Error struct {
	Stage    string // what was tried
	Attempts int    // how often; 0: nothing was
	Text     string
	Err      error
}

// The stages of a pull.
const (
	stageManifest = "pull image manifest"
	stageRef      = "ref pull"
)

// Error implements error.
func (e *Error) Error() string {
	if e.Attempts == 0 {
		return e.Text
	}
	return fmt.Sprintf("%s has been retried %d time(s): %s", e.Stage, e.Attempts, e.Text)
}

// ECSName is the name ECS gives such errors.
func (e *Error) ECSName() string { return "CannotPullContainerError" }

// Unwrap returns what caused it.
func (e *Error) Unwrap() error { return e.Err }

// permanent is an error that stays the same however often one tries.
type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

// attempts is how often a registry is asked for one thing in vain; the resolver
// asks as often by itself when it is told to wait.
const attempts = 5

// try does something, again and again with growing pauses while it fails for
// reasons that may pass and without having got anywhere: do says how far it is.
func (l *Library) try(ctx context.Context, stage string, do func() (reached int64, err error)) error {
	var best int64
	for n := 1; ; n++ {
		reached, err := do()
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case isFull(err):
			freed, e := l.relieve()
			if e != nil {
				l.log.Error("images could not be removed from a full disk", "error", e)
			}
			if freed {
				n--
				continue
			}
		}
		status, _ := errors.AsType[remoteerrors.ErrUnexpectedStatus](err)
		switch {
		case !transient(err, status.StatusCode):
			return l.failed(stage, n, err)
		case status.StatusCode == http.StatusTooManyRequests || status.StatusCode == http.StatusRequestTimeout:
			return l.failed(stage, attempts, err)
		}
		if reached > best {
			best, n = reached, 1
		}
		if n >= attempts {
			return l.failed(stage, n, err)
		}
		if err := sleep(ctx, l.pause<<(n-1)); err != nil {
			return err
		}
	}
}

func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// transient reports whether it may help to try again. status is what a registry
// answered; 0: it did not.
func transient(err error, status int) bool {
	switch {
	case errors.As(err, new(permanent)), errdefs.IsNotFound(err), errdefs.IsInvalidArgument(err), errdefs.IsNotImplemented(err),
		errors.Is(err, docker.ErrInvalidAuthorization), isFull(err):
		return false
	case status == 0:
		return true
	}
	return status >= 500 || status == http.StatusTooManyRequests || status == http.StatusRequestTimeout
}

// failed is the error of a stage that was tried n times.
func (l *Library) failed(stage string, n int, err error) *Error {
	text := err.Error()
	if status, ok := errors.AsType[remoteerrors.ErrUnexpectedStatus](err); ok {
		said := status.Error()
		status.RequestURL = withoutQuery(status.RequestURL)
		say := status.Error()
		if status.RequestMethod == http.MethodGet {
			say = fmt.Sprintf("unexpected status code %s: %s", status.RequestURL, status.Status)
		}
		text = strings.Replace(text, said, say, 1)
	}
	text = strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", " - Server message: ")
	return &Error{Stage: stage, Attempts: n, Text: strings.ReplaceAll(text, l.dir+"/", ""), Err: err}
}

// withoutQuery removes what may be a signature from a URL.
func withoutQuery(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return "?"
	}
	u.RawQuery, u.User = "", nil
	return u.String()
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
