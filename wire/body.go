package wire

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"

	"neargate/wire/shape"
)

// readBody reads the body as sent, at most max bytes of it. Reading again reads
// what the first limit left.
func (c *call) readBody(max int64) error {
	if c.r.Body == nil || c.r.Body == http.NoBody {
		return nil
	}
	if c.r.ContentLength > max {
		return c.tooLarge()
	}
	if c.body != nil {
		return nil
	}
	if n := c.r.ContentLength; n > 0 {
		c.raw.Grow(int(min(n, keepBuffer/2)) + bytes.MinRead)
	}
	n, err := c.raw.ReadFrom(io.LimitReader(c.r.Body, max+1))
	if n > max {
		return c.tooLarge()
	}
	if err != nil {
		return &cutOff{err}
	}
	c.body, c.read = c.raw.Bytes(), c.raw.Len()
	return nil
}

// inflate undoes a gzip Content-Encoding. The signature covers the compressed
// bytes, so it comes after the proof; what comes out has the same limit as a
// plain body.
func (c *call) inflate() error {
	if len(c.body) == 0 || !strings.EqualFold(strings.TrimSpace(c.r.Header.Get("Content-Encoding")), "gzip") {
		return nil
	}
	z, err := gzip.NewReader(&c.raw)
	if err != nil {
		return badGzip()
	}
	n, err := c.flat.ReadFrom(io.LimitReader(z, c.svc.maxBody+1))
	switch {
	case n > c.svc.maxBody:
		return c.tooLarge()
	case err != nil:
		return badGzip()
	}
	c.body = c.flat.Bytes()
	return nil
}

func badGzip() error { return shape.NewError("SerializationException", http.StatusBadRequest, "") }

func (c *call) tooLarge() error {
	c.w.Header().Set("Connection", "close")
	e := shape.NewError("RequestEntityTooLargeException", http.StatusRequestEntityTooLarge, "Request size exceeded the limit.")
	e.Query = "RequestEntityTooLarge"
	return e
}

// formText is the text of a query request: the query string of a GET, else the
// body.
func (c *call) formText() string {
	if c.r.Method == http.MethodGet || c.r.Method == http.MethodHead {
		return c.r.URL.RawQuery
	}
	return string(c.body)
}

// cutOff is a body that ended early.
type cutOff struct{ err error }

func (e *cutOff) Error() string { return "reading the request: " + e.err.Error() }
func (e *cutOff) Unwrap() error { return e.err }

func (e *cutOff) tooSlow() bool {
	var t interface{ Timeout() bool }
	return errors.As(e.err, &t) && t.Timeout()
}
