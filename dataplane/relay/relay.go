// Package relay is how tasks reach registries that an installation reaches through
// mirrors: each mirror has a public address of the installation's own, by which a
// pull takes the way that the task's network gives it, and what arrives there is
// relayed, byte by byte, to the mirror as the host reaches it.
package relay

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"neargate/internal/perhost"
	"neargate/internal/registries"
	"neargate/resource/network"
)

// Ports of mirrors as tasks see them, whatever their own are.
const (
	httpPort  = 80
	httpsPort = 443
)

// Bounds of what is relayed.
const (
	dialWithin   = 10 * time.Second
	connsPerHost = 1024 // many tasks may be behind one NAT gateway
)

// Relay is a mirror with the address that stands for it.
type Relay struct {
	Address netip.AddrPort
	Host    string // of the mirror, with its port
}

// Table knows the relays of an installation. It does not change.
type Table struct {
	relays []Relay
	at     map[string]netip.AddrPort // by the mirror's key
	names  map[string][]netip.Addr   // of registries that are their mirrors only
}

// New gives every mirror of a configuration an address in the public range pool. The
// same configuration gives the same addresses; mirrors for which there are none left
// are not relayed.
func New(c registries.Config, pool netip.Prefix) *Table {
	t := &Table{at: map[string]netip.AddrPort{}, names: map[string][]netip.Addr{}}
	hosts := map[string]string{} // by key
	for _, registry := range c.Hosts() {
		mirrors, _ := c.Mirrors(registry)
		for _, m := range mirrors {
			hosts[key(m)] = hostPort(m)
		}
	}
	for i, k := range slices.Sorted(maps.Keys(hosts)) {
		a, ok := network.MirrorAddress(pool, i)
		if !ok {
			break
		}
		port := uint16(httpsPort)
		if strings.HasPrefix(k, "http://") {
			port = httpPort
		}
		t.at[k] = netip.AddrPortFrom(a, port)
		t.relays = append(t.relays, Relay{t.at[k], hosts[k]})
	}
	for _, registry := range c.Hosts() {
		mirrors, only := c.Mirrors(registry)
		name := registry
		if name == "docker.io" {
			name = "registry-1.docker.io" // which is what is dialed
		}
		if _, err := netip.ParseAddr(name); !only || err == nil || strings.Contains(name, ":") || name == "localhost" {
			continue
		}
		if a, ok := t.at[key(mirrors[0])]; ok {
			t.names[name] = []netip.Addr{a.Addr()}
		}
	}
	return t
}

// key is what mirrors have in common that one relay serves.
func key(mirror *url.URL) string { return mirror.Scheme + "://" + hostPort(mirror) }

func hostPort(mirror *url.URL) string {
	port := mirror.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[mirror.Scheme]
	}
	return net.JoinHostPort(strings.ToLower(mirror.Hostname()), port)
}

// Address is where tasks reach a mirror, one of those of the configuration. Names in
// requests and in TLS stay the mirror's own.
func (t *Table) Address(mirror *url.URL) (netip.AddrPort, bool) {
	a, ok := t.at[key(mirror)]
	return a, ok
}

// Lookup is what the resolver of a VPC answers for a registry's host name, in lower
// case: the address of its first mirror, if the registry is nowhere else.
func (t *Table) Lookup(name string) (addresses []netip.Addr, ok bool) {
	addresses, ok = t.names[name]
	return addresses, ok
}

// Relays are all relays, in the order of their addresses.
func (t *Table) Relays() []Relay { return t.relays }

// Serve relays the connections of a listener to the mirror until ctx ends, which
// returns nil, or accepting fails. The listener is closed when it returns.
func (r Relay) Serve(ctx context.Context, l net.Listener, log *slog.Logger) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	l = perhost.Limit(l, connsPerHost)
	defer l.Close()
	var conns sync.WaitGroup
	defer conns.Wait()
	defer cancel() // before waiting
	for {
		c, err := l.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				c.Close()
			}
			return nil
		case err != nil:
			return err
		}
		conns.Go(func() {
			if err := r.relay(ctx, c); err != nil && ctx.Err() == nil {
				log.Debug("relaying to a mirror", "mirror", r.Host, "error", err)
			}
		})
	}
}

// relay copies in both directions until both have ended. A mirror that is not reached
// is a connection that is reset.
func (r Relay) relay(ctx context.Context, c net.Conn) error {
	defer c.Close()
	dialing, cancel := context.WithTimeout(ctx, dialWithin)
	defer cancel()
	up, err := new(net.Dialer).DialContext(dialing, "tcp", r.Host)
	if counted, ok := c.(interface{ NetConn() net.Conn }); ok {
		c = counted.NetConn() // which can be closed in one direction
	}
	if err != nil {
		if t, ok := c.(*net.TCPConn); ok {
			err = errors.Join(err, t.SetLinger(0))
		}
		return err
	}
	defer up.Close()
	stop := context.AfterFunc(ctx, func() { c.Close(); up.Close() })
	defer stop()
	var answer sync.WaitGroup
	answer.Go(func() { pour(c, up) })
	pour(up, c)
	answer.Wait()
	return nil
}

// pour copies until the source ends, and says so to where it went; where that is
// gone, the source's end is not waited for.
func pour(to, from net.Conn) {
	_, err := io.Copy(to, from)
	half, ok := to.(interface{ CloseWrite() error })
	if err != nil || !ok || half.CloseWrite() != nil {
		to.Close()
		from.Close()
	}
}
