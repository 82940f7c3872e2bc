// Package muxtls serves HTTP and HTTPS on one port: the first byte a client
// sends tells them apart, as a TLS connection begins with a handshake record.
package muxtls

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"syscall"
	"time"
)

// handshake is the content type of a TLS handshake record (RFC 8446 section 5.1).
const handshake = 0x16

// Listener accepts connections of both kinds: from Plain those whose first
// byte is not TLS's, from TLS the others, not yet decrypted.
type Listener struct {
	inner net.Listener
	wait  time.Duration
	plain chan net.Conn
	tls   chan net.Conn
	open  context.Context // over when accepting has ended; its cause says why
	end   context.CancelCauseFunc
}

// Split starts to accept from inner. A client has the time wait to send its
// first byte.
func Split(inner net.Listener, wait time.Duration) *Listener {
	l := &Listener{inner: inner, wait: wait, plain: make(chan net.Conn), tls: make(chan net.Conn)}
	l.open, l.end = context.WithCancelCause(context.Background())
	go l.accept()
	return l
}

// Plain is the listener of unencrypted connections.
func (l *Listener) Plain() net.Listener { return half{l, l.plain} }

// TLS is the listener of connections that begin a TLS handshake.
func (l *Listener) TLS() net.Listener { return half{l, l.tls} }

// Close ends both halves and the listener below. Closing again does nothing, as
// each half may be closed by its own server.
func (l *Listener) Close() error {
	if l.open.Err() != nil {
		return nil
	}
	l.end(net.ErrClosed)
	return l.inner.Close()
}

// accept hands every connection to a goroutine of its own, so that a client
// which says nothing holds up nobody.
func (l *Listener) accept() {
	pause := time.Duration(0)
	for {
		c, err := l.inner.Accept()
		if err != nil {
			if !passing(err) {
				l.end(err)
				return
			}
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			select {
			case <-time.After(pause):
			case <-l.open.Done():
				return
			}
			continue
		}
		pause = 0
		go l.sort(c)
	}
}

// passing reports whether accepting may go well again: the client has left, or
// the host is short of something.
func passing(err error) bool {
	for _, e := range []error{syscall.ECONNABORTED, syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

func (l *Listener) sort(c net.Conn) {
	stop := context.AfterFunc(l.open, func() { c.Close() })
	first := make([]byte, 1)
	c.SetReadDeadline(time.Now().Add(l.wait))
	n, err := c.Read(first)
	c.SetReadDeadline(time.Time{})
	if !stop() || err != nil || n == 0 {
		c.Close()
		return
	}
	to := l.plain
	if first[0] == handshake {
		to = l.tls
	}
	select {
	case to <- &conn{Conn: c, first: first}:
	case <-l.open.Done():
		c.Close()
	}
}

// conn gives back the byte that was read ahead. It is read by one goroutine at
// a time, as http.Server does.
type conn struct {
	net.Conn
	first []byte
}

func (c *conn) Read(p []byte) (int, error) {
	if len(c.first) > 0 && len(p) > 0 {
		n := copy(p, c.first)
		c.first = c.first[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}

type half struct {
	l     *Listener
	conns chan net.Conn
}

func (h half) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.l.open.Done():
		return nil, context.Cause(h.l.open)
	}
}

func (h half) Close() error   { return h.l.Close() }
func (h half) Addr() net.Addr { return h.l.inner.Addr() }

// Timeouts of the servers made by Serve.
const (
	firstByte   = 10 * time.Second
	headerTime  = 10 * time.Second // slow senders of headers are cut off
	readTime    = 2 * time.Minute
	idleTime    = 3 * time.Minute
	headerBytes = 64 << 10
)

// Serve answers HTTP and HTTPS connections of l with h until ctx is over, then
// lets requests in progress finish for at most grace. It returns nil when all
// did. Connections that fail are reported to log for debugging.
func Serve(ctx context.Context, l net.Listener, config *tls.Config, h http.Handler, log *slog.Logger, grace time.Duration) error {
	return serve(ctx, l, NewServer(config, h, log), grace)
}

// NewServer is a server as Serve uses one, for those who have a port for each kind.
func NewServer(config *tls.Config, h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		TLSConfig:         config,
		ReadHeaderTimeout: headerTime,
		ReadTimeout:       readTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    headerBytes,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

func serve(ctx context.Context, l net.Listener, server *http.Server, grace time.Duration) error {
	split := Split(l, firstByte)
	ended := make(chan error, 2)
	go func() { ended <- server.Serve(split.Plain()) }()
	go func() { ended <- server.ServeTLS(split.TLS(), "", "") }()
	select {
	case err := <-ended:
		split.Close()
		server.Close()
		<-ended
		return err
	case <-ctx.Done():
	}
	deadline, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	err := server.Shutdown(deadline)
	if err != nil {
		server.Close()
	}
	<-ended
	<-ended
	return err
}
