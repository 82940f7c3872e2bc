package call

import (
	"io"
	"net/http"
)

// Incoming counts the bytes of a request's content.
type Incoming struct {
	From io.Reader
	N    int64
}

// Read implements io.Reader.
func (c *Incoming) Read(p []byte) (int, error) {
	n, err := c.From.Read(p)
	c.N += int64(n)
	return n, err
}

// Outgoing counts the bytes of an answer's content.
type Outgoing struct {
	http.ResponseWriter
	N int64
}

// Write implements io.Writer.
func (c *Outgoing) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p)
	c.N += int64(n)
	return n, err
}

// Unwrap is for http.ResponseController.
func (c *Outgoing) Unwrap() http.ResponseWriter { return c.ResponseWriter }
