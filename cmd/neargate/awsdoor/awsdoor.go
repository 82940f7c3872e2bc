// Package awsdoor serves AWS's endpoints where tasks find them: at the public
// addresses of the installation, and at the VPC endpoints on this host. Every
// request knows by which way it came.
//
// Ports are AWS's: 443 for TLS, 80 for plain HTTP. A door shows the certificate for
// the name that a client asks for if that is a name of what is behind the door, else
// that of its principal name, which the client will not take.
package awsdoor

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"neargate/auth"
	"neargate/dataplane/names"
	"neargate/dataplane/relay"
	"neargate/internal/muxtls"
	"neargate/internal/netns"
	"neargate/internal/pause"
	"neargate/internal/perhost"
	"neargate/node/vpc"
	"neargate/resource/network"
	"neargate/resource/network/edge"
)

// Ports of AWS's endpoints.
const (
	httpsPort = 443
	httpPort  = 80
)

// Bounds of doors.
const (
	grace        = 5 * time.Second // that requests have to end with the daemon
	retryAfter   = 2 * time.Second
	connsPerHost = 1024
)

// Config is what doors are made with.
type Config struct {
	Space  string                                      // network namespace of the public doors; empty: the host's
	Pool   netip.Prefix                                // public range
	Leaf   func(name string) (*tls.Certificate, error) // server certificates
	Relays []relay.Relay                               // mirrors of registries
	// All serves everything, and Of one endpoint service alone, by the end of its name,
	// such as ecr.api.
	All http.Handler
	Of  func(service string) http.Handler
	Log *slog.Logger
}

// Doors are the doors of a host. Methods may be called from many goroutines.
type Doors struct {
	cfg Config

	mu   sync.Mutex
	vpcs map[string]map[vpc.Listener]*door
}

// New makes doors, all of them closed.
func New(c Config) *Doors { return &Doors{cfg: c, vpcs: map[string]map[vpc.Listener]*door{}} }

// Run keeps the public doors and the relays open until ctx ends, and then closes
// all doors.
func (d *Doors) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	public := func(a netip.Addr, name func(sni string) string, h http.Handler) {
		wg.Go(func() {
			d.keep(ctx, a, func() (*door, error) {
				return d.open(d.cfg.Space, a, context.Background(), name, h)
			})
		})
	}
	services, objects := network.ServiceAddress(d.cfg.Pool), network.ObjectRange(d.cfg.Pool).Addr()
	public(services, func(sni string) string {
		if sni == "" {
			return services.String()
		}
		return sni
	}, d.cfg.All)
	public(objects, objectName("s3.amazonaws.com"), d.cfg.Of("s3"))
	for _, r := range d.cfg.Relays {
		wg.Go(func() { d.keepRelay(ctx, r) })
	}
	wg.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	for id, doors := range d.vpcs {
		for _, x := range doors {
			wg.Go(func() { x.close(grace) })
		}
		delete(d.vpcs, id)
	}
	wg.Wait()
	return nil
}

// keep holds a public door open until ctx ends.
func (d *Doors) keep(ctx context.Context, a netip.Addr, open func() (*door, error)) {
	d.stay(ctx, a, func(here context.Context) error {
		x, err := open()
		if err != nil {
			return err
		}
		select {
		case err = <-x.failed:
			x.close(0)
		case <-here.Done():
			x.close(grace)
		}
		return err
	})
}

// stay lets serve serve in the namespace of the public doors until ctx ends: again
// when it failed, or when there is another namespace, which somebody removed.
func (d *Doors) stay(ctx context.Context, a netip.Addr, serve func(context.Context) error) {
	told := ""
	for ctx.Err() == nil {
		here, leave := context.WithCancel(ctx)
		moved, was := make(chan struct{}), identity(d.cfg.Space)
		go func() {
			defer close(moved)
			defer leave()
			for pause.For(here, retryAfter) && identity(d.cfg.Space) == was {
			}
		}()
		began := time.Now()
		err := serve(here)
		again := here.Err() != nil
		leave()
		<-moved
		if ctx.Err() != nil || again {
			continue
		}
		if time.Since(began) > retryAfter {
			told = ""
		}
		d.complain(a, err, &told)
		pause.For(ctx, retryAfter)
	}
}

// identity tells network namespaces apart that have the same name one after the other.
func identity(space string) any {
	info, err := os.Stat(space)
	if err != nil {
		return nil
	}
	st := info.Sys().(*syscall.Stat_t)
	return [2]uint64{st.Dev, st.Ino}
}

// keepRelay holds the door of a mirror open until ctx ends.
func (d *Doors) keepRelay(ctx context.Context, r relay.Relay) {
	d.stay(ctx, r.Address.Addr(), func(here context.Context) error {
		l, err := listen(ctx, d.cfg.Space, r.Address)
		if err != nil {
			return err
		}
		return r.Serve(here, l, d.cfg.Log)
	})
}

// complain logs a failure that was not told before.
func (d *Doors) complain(a netip.Addr, err error, told *string) {
	if err == nil || err.Error() == *told {
		return
	}
	*told = err.Error()
	d.cfg.Log.Error("tasks do not reach a public endpoint", "address", a, "error", err)
}

// Set opens the doors of a VPC's endpoints on this host, and closes those that are
// no more. What fails is tried again at the next Set.
func (d *Doors) Set(v vpc.View) {
	d.mu.Lock()
	defer d.mu.Unlock()
	is := d.vpcs[v.VPC.ID]
	want := map[vpc.Listener]*door{}
	for _, l := range v.Listen {
		if want[l] = nil; is[l] != nil && is[l].err() == nil {
			want[l] = is[l]
			delete(is, l)
		}
	}
	for _, x := range is {
		x.close(0)
	}
	for l, x := range want {
		if x != nil {
			continue
		}
		x, err := d.endpoint(&v, l)
		if err != nil {
			d.cfg.Log.Warn("a VPC endpoint is not served", "endpoint", l.Endpoint, "error", err)
			delete(want, l)
			continue
		}
		want[l] = x
	}
	if d.vpcs[v.VPC.ID] = want; len(want) == 0 {
		delete(d.vpcs, v.VPC.ID)
	}
}

// Remove closes the doors of a VPC.
func (d *Doors) Remove(id string) { d.Set(vpc.View{VPC: network.Vpc{ID: id}}) }

// endpoint opens the door of an endpoint.
func (d *Doors) endpoint(v *vpc.View, l vpc.Listener) (*door, error) {
	region := v.VPC.Region
	ctx := context.Background()
	ctx = auth.WithVia(ctx, auth.Via{Account: v.VPC.Account, Region: region, Endpoint: l.Endpoint, Vpc: v.VPC.ID})
	name := objectName("s3." + region + ".amazonaws.com")
	for _, e := range v.Endpoints {
		if s, ok := edge.ServiceNamed(region, l.Service, edge.InterfaceEndpoint); ok && e.ID == l.Endpoint && e.Type == edge.InterfaceEndpoint {
			name = serviceName(s)
		}
	}
	short := strings.TrimPrefix(l.Service, edge.ServiceName(region, ""))
	return d.open(l.Space, l.Address, ctx, name, d.cfg.Of(short))
}

// serviceName gives the name of the certificate that the door of an interface
// endpoint shows to who asks for a name.
func serviceName(s edge.Service) func(sni string) string {
	return func(sni string) string {
		sni = strings.ToLower(sni)
		if s.Serves(sni) || strings.HasSuffix(sni, "."+s.Base) {
			return sni
		}
		return strings.TrimPrefix(s.Private[0], "*.")
	}
}

// objectName is the same of a door of Amazon S3.
func objectName(principal string) func(sni string) string {
	return func(sni string) string {
		if sni = strings.ToLower(sni); names.IsObjects(sni) {
			return sni
		}
		return principal
	}
}

// door is an open one.
type door struct {
	server *http.Server
	failed chan error // when accepting ends before close; the error stays in there
	ended  sync.WaitGroup
}

// open opens a door in a network namespace, empty for the host's. Requests carry the
// values of ctx.
func (d *Doors) open(space string, a netip.Addr, ctx context.Context, name func(sni string) string, h http.Handler) (*door, error) {
	secure, err := listen(ctx, space, netip.AddrPortFrom(a, httpsPort))
	if err != nil {
		return nil, err
	}
	plain, err := listen(ctx, space, netip.AddrPortFrom(a, httpPort))
	if err != nil {
		secure.Close()
		return nil, err
	}
	config := &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) { return d.cfg.Leaf(name(h.ServerName)) },
	}
	x := &door{server: muxtls.NewServer(config, h, d.cfg.Log), failed: make(chan error, 2)}
	x.server.BaseContext = func(net.Listener) context.Context { return ctx }
	x.ended.Go(func() { x.end(x.server.Serve(perhost.Limit(plain, connsPerHost))) })
	x.ended.Go(func() { x.end(x.server.ServeTLS(perhost.Limit(secure, connsPerHost), "", "")) })
	return x, nil
}

func (x *door) end(err error) {
	if !errors.Is(err, http.ErrServerClosed) {
		x.failed <- err
	}
}

// err is why the door stopped to answer; nil while it does.
func (x *door) err() error {
	select {
	case err := <-x.failed:
		x.failed <- err
		return err
	default:
		return nil
	}
}

// close closes the door; requests in progress have some time to end.
func (x *door) close(within time.Duration) {
	if within > 0 {
		ctx, cancel := context.WithTimeout(context.Background(), within)
		defer cancel()
		_ = x.server.Shutdown(ctx) // else they are cut off
	}
	_ = x.server.Close() // of its listeners nobody asks
	x.ended.Wait()
}

// listen listens in a network namespace on an address that need not be there yet.
func listen(ctx context.Context, space string, a netip.AddrPort) (l net.Listener, err error) {
	lc := net.ListenConfig{Control: netns.FreeBind}
	err = netns.Do(space, func() (err error) {
		l, err = lc.Listen(ctx, "tcp4", a.String())
		return err
	})
	return l, err
}
