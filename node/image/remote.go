package image

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/containerd/containerd/v2/core/remotes"
	"github.com/containerd/containerd/v2/core/remotes/docker"
	"github.com/containerd/log"
)

// Waiting for a registry is bounded.
const (
	dialTimeout   = 10 * time.Second
	answerTimeout = 30 * time.Second
	idleTimeout   = 60 * time.Second // no byte came
	longestPause  = 10 * time.Second // that a registry may ask for
)

// remote is how one pull reaches registries.
type remote struct {
	library    *Library
	dial       func(ctx context.Context, network, addr string) (net.Conn, error) // nil: from the host
	dialMirror func(ctx context.Context, mirror *url.URL) (net.Conn, error)      // nil: from the host
	login      func(host string) (user, password string, err error)              // nil: anonymous
	own        func(host string) http.RoundTripper                               // nil: none
	mu         sync.Mutex
	transports []*http.Transport
}

// resolver finds and fetches what a reference names.
func (r *remote) resolver() remotes.Resolver {
	return docker.NewResolver(docker.ResolverOptions{Hosts: r.hosts, Headers: http.Header{"User-Agent": {"neargate"}}})
}

// close lets go of idle connections.
func (r *remote) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range r.transports {
		t.CloseIdleConnections()
	}
}

// hosts are where the images of a registry are looked for, in order.
func (r *remote) hosts(name string) ([]docker.RegistryHost, error) {
	var out []docker.RegistryHost
	mirrors, only := r.library.registries.Mirrors(name)
	for _, m := range mirrors {
		var dial func(context.Context, string, string) (net.Conn, error)
		if r.dialMirror != nil {
			dial = func(ctx context.Context, _, _ string) (net.Conn, error) { return r.dialMirror(ctx, m) }
		}
		out = append(out, r.host(m.Host, m.Scheme, m.Path, dial))
	}
	if only {
		return out, nil
	}
	host, err := docker.DefaultHost(name)
	if err != nil {
		return nil, err
	}
	return append(out, r.host(host, "https", "", r.dial)), nil
}

func (r *remote) host(host, scheme, path string, dial func(context.Context, string, string) (net.Conn, error)) docker.RegistryHost {
	conf, plain := r.library.registries.Trust(host)
	t := &http.Transport{
		TLSClientConfig:       conf,
		TLSHandshakeTimeout:   dialTimeout,
		ResponseHeaderTimeout: answerTimeout,
		IdleConnTimeout:       answerTimeout,
		MaxIdleConnsPerHost:   downloadsPerPull,
		ForceAttemptHTTP2:     true,
	}
	if dial == nil {
		t.Proxy = http.ProxyFromEnvironment
		dial = (&net.Dialer{}).DialContext
	}
	t.DialContext = r.library.bounded(dial)
	r.mu.Lock()
	r.transports = append(r.transports, t)
	r.mu.Unlock()
	var trip http.RoundTripper = t
	if plain && scheme == "https" {
		trip = docker.NewHTTPFallback(trip)
	}
	if r.own != nil {
		if own := r.own(host); own != nil {
			trip = own
		}
	}
	client := &http.Client{Transport: &paced{next: trip, first: r.library.pause}}
	auth := []docker.AuthorizerOpt{docker.WithAuthClient(client)}
	if r.login != nil {
		auth = append(auth, docker.WithAuthCreds(func(host string) (string, string, error) {
			user, password, err := r.login(host)
			if err != nil {
				err = permanent{err}
			}
			return user, password, err
		}))
	}
	return docker.RegistryHost{
		Client: client, Authorizer: docker.NewDockerAuthorizer(auth...),
		Host: host, Scheme: scheme, Path: "/v2" + path,
		Capabilities: docker.HostCapabilityPull | docker.HostCapabilityResolve,
	}
}

// paced makes a client wait before it bothers a registry again that wanted to be
// left alone. Its errors are final for the resolver, whose own retries do not
// wait.
type paced struct {
	next  http.RoundTripper
	first time.Duration

	mu    sync.Mutex
	waits int
}

// RoundTrip implements http.RoundTripper.
func (p *paced) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := p.next.RoundTrip(req)
	if err != nil {
		return nil, tripError(err.Error())
	}
	pause := p.pause(resp)
	if pause == 0 {
		return resp, nil
	}
	if err := sleep(req.Context(), pause); err != nil {
		resp.Body.Close()
		return nil, err
	}
	return resp, nil
}

// pause is how long to wait after an answer.
func (p *paced) pause(resp *http.Response) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if resp.StatusCode != http.StatusTooManyRequests && resp.StatusCode != http.StatusServiceUnavailable {
		p.waits = 0
		return 0
	}
	pause := p.first << min(p.waits, attempts)
	p.waits++
	if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s >= 0 {
		pause = max(pause, time.Duration(min(s, 3600))*time.Second)
	}
	return min(pause, longestPause)
}

// tripError is why a request got no answer.
type tripError string

func (e tripError) Error() string { return string(e) }

// bounded limits the time that dialing and waiting for bytes take.
func (l *Library) bounded(dial func(context.Context, string, string) (net.Conn, error)) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		limited, cancel := context.WithTimeout(ctx, l.dialTimeout)
		defer cancel()
		conn, err := dial(limited, network, addr)
		switch {
		case err == nil:
			return &watched{Conn: conn, limit: l.idleTimeout}, nil
		case ctx.Err() == nil && limited.Err() != nil && !errors.As(err, new(*net.OpError)):
			return nil, errors.New("dial " + network + " " + addr + ": " + os.ErrDeadlineExceeded.Error())
		}
		return nil, err
	}
}

// watched is a connection that fails when nothing comes or goes for a while.
type watched struct {
	net.Conn
	limit time.Duration
}

// Read implements net.Conn.
func (w *watched) Read(b []byte) (int, error) {
	if err := w.Conn.SetReadDeadline(time.Now().Add(w.limit)); err != nil {
		return 0, err
	}
	return w.Conn.Read(b)
}

// Write implements net.Conn.
func (w *watched) Write(b []byte) (int, error) {
	if err := w.Conn.SetWriteDeadline(time.Now().Add(w.limit)); err != nil {
		return 0, err
	}
	return w.Conn.Write(b)
}

// quiet keeps the libraries from writing to standard error: what they have to
// say is in the errors they return.
func quiet(ctx context.Context) context.Context {
	entry := log.G(ctx).WithFields(nil)
	entry.Logger = silent(entry.Logger)
	return log.WithLogger(ctx, entry)
}

// silent is a logger's zero value, which logs nothing short of a panic.
func silent[L any](*L) *L { return new(L) }
