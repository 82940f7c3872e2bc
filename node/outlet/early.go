package outlet

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"time"
)

// fresh is how long a connection that was begun early is good for: servers do not wait
// for the first request for ever.
const fresh = 5 * time.Second

// early is a connection that is made before it is needed.
type early struct {
	done   chan struct{} // closed when it is made, or cannot be
	cancel context.CancelFunc
	conn   net.Conn
	err    error
	at     time.Time
}

// Prepare begins to connect by TLS to an address, host and port, where the next
// request over the transport will be to. Nothing comes of it where that cannot be, or
// the request comes late.
func (o *Outlet) Prepare(ctx context.Context, address string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.early[address] != nil || o.closed {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	e := &early{done: make(chan struct{}), cancel: cancel}
	if o.early == nil {
		o.early = map[string]*early{}
	}
	o.early[address] = e
	go func() {
		defer close(e.done)
		defer cancel()
		e.conn, e.err = o.dialTLS(ctx, "tcp", address)
		e.at = time.Now()
	}()
}

// drop gives a connection up that is not needed.
func (e *early) drop() {
	e.cancel()
	go func() {
		if <-e.done; e.conn != nil {
			e.conn.Close()
		}
	}()
}

// dialPrepared is the connection that was begun early, or another.
func (o *Outlet) dialPrepared(ctx context.Context, network, address string) (net.Conn, error) {
	o.mu.Lock()
	e := o.early[address]
	delete(o.early, address)
	o.mu.Unlock()
	if e == nil {
		return o.dialTLS(ctx, network, address)
	}
	select {
	case <-e.done:
	case <-ctx.Done():
		e.drop()
		return nil, ctx.Err()
	}
	if time.Since(e.at) > fresh {
		e.drop()
		return o.dialTLS(ctx, network, address)
	}
	return e.conn, e.err
}

// errHandshake is that of net/http.
type errHandshake struct{}

func (errHandshake) Error() string   { return "net/http: TLS handshake timeout" }
func (errHandshake) Timeout() bool   { return true }
func (errHandshake) Temporary() bool { return true }

// dialTLS connects to an address and makes sure who is there.
func (o *Outlet) dialTLS(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := o.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	conf := o.tls.Clone()
	if conf == nil {
		conf = &tls.Config{}
	}
	if conf.ServerName == "" {
		if conf.ServerName, _, err = net.SplitHostPort(address); err != nil {
			c.Close()
			return nil, err
		}
	}
	within, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	t := tls.Client(c, conf)
	if err := t.HandshakeContext(within); err != nil {
		c.Close()
		if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			err = errHandshake{}
		}
		return nil, err
	}
	return t, nil
}
