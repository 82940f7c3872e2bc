// Package outlet reaches the network as a task does: from the namespace that its
// interface is in, with names as its VPC's resolver answers them. So what Fargate
// does for a task before its containers start meets the task's routes, security
// groups and endpoints. Source: Amazon ECS Developer Guide, Fargate task networking
// (platform version 1.4.0).
package outlet

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/miekg/dns"

	"neargate/internal/netns"
)

// Bounds of waiting. A connection attempt is given up when a third SYN has had no
// answer either.
const (
	dialTimeout   = 5 * time.Second
	lookupTimeout = 2 * time.Second
	lookups       = 2 // of one name
	answerTimeout = 30 * time.Second
	idleTimeout   = 10 * time.Second
)

// Outlet is a task's way to the network, as long as nothing else speaks for the
// interface's addresses: a sandbox that takes them over closes it.
type Outlet struct {
	space    string
	resolver netip.AddrPort
	tls      *tls.Config

	mu        sync.Mutex
	transport *http.Transport
	early     map[string]*early // by address
	closed    bool              // to what is early
}

// New is the way out of a network namespace, which a file names, with a resolver
// that is reached from there. Connections by TLS are made with conf.
func New(space string, resolver netip.AddrPort, conf *tls.Config) *Outlet {
	return &Outlet{space: space, resolver: resolver, tls: conf}
}

// key is of the context value.
type key struct{}

// With is a context for what a task needs from the network; nil: from the host.
func With(ctx context.Context, o *Outlet) context.Context { return context.WithValue(ctx, key{}, o) }

// From is the context's way to the network, nil if it has none of its own.
func From(ctx context.Context) *Outlet {
	o, _ := ctx.Value(key{}).(*Outlet)
	return o
}

// DialContext connects to a TCP address. Its errors are those of package net.
func (o *Outlet) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	addresses := []netip.Addr{}
	if a, err := netip.ParseAddr(host); err == nil {
		addresses = append(addresses, a)
	} else if addresses, err = o.lookup(ctx, host); err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	var last error
	for _, a := range addresses {
		c, err := o.connect(ctx, network, net.JoinHostPort(a.String(), port))
		if err == nil {
			return c, nil
		}
		last = err
		if ctx.Err() != nil {
			break
		}
	}
	return nil, last
}

// connect dials an address that needs no lookup: that happens on this goroutine's
// thread.
func (o *Outlet) connect(ctx context.Context, network, address string) (c net.Conn, err error) {
	d := net.Dialer{Timeout: dialTimeout, FallbackDelay: -1}
	entered := netns.Do(o.space, func() error {
		c, err = d.DialContext(ctx, network, address)
		return nil
	})
	if op, ok := errors.AsType[*net.OpError](err); ok && errors.Is(err, context.DeadlineExceeded) {
		op.Err = os.ErrDeadlineExceeded // as package net says it without a context
	}
	return c, errors.Join(err, entered)
}

// lookup asks the VPC's resolver for a name's IPv4 addresses.
func (o *Outlet) lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	failed := &net.DNSError{Name: host, Server: o.resolver.String()}
	for range lookups {
		m, err := o.ask(ctx, host)
		switch {
		case err != nil:
			failed.Err, failed.IsTimeout = reason(err), true
			continue
		case m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError:
			failed.Err, failed.IsTemporary = "server misbehaving", true
			continue
		}
		var out []netip.Addr
		for _, r := range m.Answer {
			if a, ok := r.(*dns.A); ok {
				if addr, ok := netip.AddrFromSlice(a.A.To4()); ok {
					out = append(out, addr)
				}
			}
		}
		if len(out) == 0 {
			return nil, &net.DNSError{Name: host, Server: o.resolver.String(), Err: "no such host", IsNotFound: true}
		}
		return out, nil
	}
	return nil, failed
}

func reason(err error) string {
	if n, ok := errors.AsType[net.Error](err); ok && n.Timeout() {
		return "i/o timeout"
	}
	return err.Error()
}

// ask asks once, by UDP and for an answer that is too large by TCP.
func (o *Outlet) ask(ctx context.Context, host string) (m *dns.Msg, err error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	q := new(dns.Msg).SetQuestion(dns.Fqdn(host), dns.TypeA)
	for _, network := range []string{"udp", "tcp"} {
		c, err := o.connect(ctx, network, o.resolver.String())
		if err != nil {
			return nil, err
		}
		m, _, err = (&dns.Client{Net: network, Timeout: lookupTimeout}).ExchangeWithConnContext(ctx, q, &dns.Conn{Conn: c})
		c.Close()
		if err != nil || !m.Truncated {
			return m, err
		}
	}
	return m, nil
}

// Transport makes requests over the outlet.
func (o *Outlet) Transport() http.RoundTripper {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.transport == nil {
		o.transport = &http.Transport{
			DialContext: o.DialContext, DialTLSContext: o.dialPrepared,
			ResponseHeaderTimeout: answerTimeout, IdleConnTimeout: idleTimeout,
		}
	}
	return o.transport
}

// TLS is how connections by TLS are made.
func (o *Outlet) TLS() *tls.Config { return o.tls }

// Close ends connections that nobody uses.
func (o *Outlet) Close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	for _, e := range o.early {
		e.drop()
	}
	clear(o.early)
	if o.transport != nil {
		o.transport.CloseIdleConnections()
	}
}
