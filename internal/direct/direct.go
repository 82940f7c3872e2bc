// Package direct asks an http.Handler of the same process, as if over a connection
// with TLS.
package direct

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
)

// Transport is an http.RoundTripper that asks a handler. Bodies are streamed.
type Transport struct{ Handler http.Handler }

// RoundTrip implements http.RoundTripper.
func (t Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(req.Context())
	body, w := io.Pipe()
	a := &answer{header: http.Header{}, w: w, head: req.Method == http.MethodHead, begun: make(chan struct{})}
	r := req.Clone(ctx)
	r.RequestURI, r.RemoteAddr, r.TLS = req.URL.RequestURI(), "", &tls.ConnectionState{}
	if r.Host == "" {
		r.Host = req.URL.Host
	}
	if r.Body == nil {
		r.Body = http.NoBody
	}
	stop := context.AfterFunc(ctx, func() { w.CloseWithError(context.Cause(ctx)) })
	go func() {
		defer stop()
		defer r.Body.Close()
		w.CloseWithError(a.serve(t.Handler, r))
	}()
	select {
	case <-a.begun:
	case <-ctx.Done():
		cancel()
		return nil, context.Cause(ctx)
	}
	return a.response(req, &reader{body, cancel}), nil
}

// reader is a body; closing it ends the handler's context.
type reader struct {
	*io.PipeReader
	cancel context.CancelFunc
}

// Close implements io.Closer.
func (r *reader) Close() error {
	err := r.PipeReader.Close()
	r.cancel()
	return err
}

// answer is what a handler writes.
type answer struct {
	header, sent http.Header
	status       int
	w            *io.PipeWriter
	head         bool
	once         sync.Once
	begun        chan struct{}
}

// Header implements http.ResponseWriter.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	a.once.Do(func() {
		a.status, a.sent = status, a.header.Clone()
		close(a.begun)
	})
}

// Write implements http.ResponseWriter.
func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	if a.head {
		return len(p), nil
	}
	return a.w.Write(p)
}

// serve runs the handler and returns what ends the body: nil is its plain end.
func (a *answer) serve(h http.Handler, r *http.Request) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = errors.New("the handler panicked")
			if p != http.ErrAbortHandler {
				err = fmt.Errorf("the handler panicked: %v", p)
			}
			a.WriteHeader(http.StatusInternalServerError)
		}
	}()
	h.ServeHTTP(a, r)
	a.WriteHeader(http.StatusOK)
	return nil
}

func (a *answer) response(req *http.Request, body io.ReadCloser) *http.Response {
	resp := &http.Response{
		Status: strconv.Itoa(a.status) + " " + http.StatusText(a.status), StatusCode: a.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: a.sent, Body: body, ContentLength: -1, Request: req,
	}
	if n, err := strconv.ParseInt(a.sent.Get("Content-Length"), 10, 64); err == nil {
		resp.ContentLength = n
	}
	return resp
}
