// Package perhost limits how many connections of a listener one remote address
// may hold, so that no client of many can use up what all share.
package perhost

import (
	"net"
	"net/netip"
	"sync"
)

// Limit returns l with at most max open connections from one address; more are
// closed as they come.
func Limit(l net.Listener, max int) net.Listener {
	return &listener{Listener: l, max: max, open: map[netip.Addr]int{}}
}

type listener struct {
	net.Listener
	max int

	mu   sync.Mutex
	open map[netip.Addr]int
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from := Addr(c.RemoteAddr())
		if l.take(from) {
			return &conn{Conn: c, give: sync.OnceFunc(func() { l.give(from) })}, nil
		}
		c.Close()
	}
}

func (l *listener) take(a netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[a] >= l.max {
		return false
	}
	l.open[a]++
	return true
}

func (l *listener) give(a netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[a]--; l.open[a] == 0 {
		delete(l.open, a)
	}
}

type conn struct {
	net.Conn
	give func()
}

// Close implements net.Conn.
func (c *conn) Close() error {
	defer c.give()
	return c.Conn.Close()
}

// NetConn is the connection that is counted, as tls.Conn has it.
func (c *conn) NetConn() net.Conn { return c.Conn }

// Addr is the IP address of a TCP or UDP address; invalid for others.
func Addr(a net.Addr) netip.Addr {
	switch a := a.(type) {
	case *net.TCPAddr:
		return a.AddrPort().Addr().Unmap()
	case *net.UDPAddr:
		return a.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}
