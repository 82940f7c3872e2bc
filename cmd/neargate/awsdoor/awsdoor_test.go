package awsdoor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"neargate/auth"
	"neargate/dataplane/relay"
	"neargate/internal/ca"
	"neargate/internal/netns"
	"neargate/node/vpc"
	"neargate/resource/network"
	"neargate/resource/network/edge"
)

const region = "eu-west-1"

var pool = netip.MustParsePrefix("127.19.0.0/20") // this machine's own, so that nothing needs to be made

// world has doors, and network namespaces as the network would make them.
type world struct {
	*testing.T
	*Doors
	dir      string
	services string // a namespace
	roots    *x509.CertPool
}

func newWorld(t *testing.T, relays ...relay.Relay) *world {
	if os.Getuid() != 0 {
		t.Skip("needs root: makes network namespaces")
	}
	w := &world{T: t, dir: filepath.Join(t.TempDir(), "ns"), roots: x509.NewCertPool()}
	authority, err := ca.Open(t.TempDir(), time.Now)
	w.must(err)
	w.roots.AddCert(authority.Certificate())
	w.must(netns.Prepare(w.dir))
	t.Cleanup(func() { w.must(netns.Discard(w.dir)) })
	w.services = w.space("services", "127.0.0.9")
	w.Doors = New(Config{Space: w.services, Pool: pool, Leaf: authority.Leaf, Relays: relays, All: tell("all"), Of: tell, Log: slog.New(slog.DiscardHandler)})
	return w
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// space makes a namespace that has an address.
func (w *world) space(name, address string) string {
	w.Helper()
	path := filepath.Join(w.dir, name)
	w.must(netns.Create(path))
	w.must(netns.Do(path, func() error {
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		if err := netlink.LinkSetUp(lo); err != nil {
			return err
		}
		a, err := netlink.ParseAddr(address + "/32")
		if err != nil {
			return err
		}
		return netlink.AddrAdd(lo, a)
	}))
	return path
}

// client asks, from a namespace, an address whatever a URL names.
func (w *world) client(space, address string) *http.Client {
	dial := func(ctx context.Context, _, target string) (c net.Conn, err error) {
		_, port, _ := net.SplitHostPort(target)
		err = netns.Do(space, func() error {
			c, err = new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(address, port))
			return err
		})
		return c, err
	}
	t := &http.Transport{DialContext: dial, TLSClientConfig: &tls.Config{RootCAs: w.roots}, ForceAttemptHTTP2: true}
	w.Cleanup(t.CloseIdleConnections)
	return &http.Client{Transport: t, Timeout: 10 * time.Second}
}

func get(c *http.Client, url string) string {
	resp, err := c.Get(url)
	if err != nil {
		return "error: " + err.Error()
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return fmt.Sprint(string(b), err)
}

// tell answers what a request knows.
func tell(service string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		via := "nothing"
		if v := auth.ViaOf(r.Context()); v != nil {
			via = v.Endpoint + " of " + v.Vpc
		}
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		fmt.Fprintf(w, "%s via %s from %s, TLS %v ", service, via, host, r.TLS != nil)
	})
}

// run runs the public doors; stop ends them.
func (w *world) run() (stop func()) {
	ctx, cancel := context.WithCancel(w.Context())
	var wg sync.WaitGroup
	wg.Go(func() { w.must(w.Doors.Run(ctx)) })
	stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
	w.Cleanup(stop)
	return stop
}

// eventually asks until somebody answers.
func (w *world) eventually(c *http.Client, url string) string {
	w.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		got := get(c, url)
		if !strings.HasPrefix(got, "error: ") || !strings.Contains(got, "refused") || time.Now().After(deadline) {
			return got
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestPublicDoors(t *testing.T) {
	mirror, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go http.Serve(mirror, tell("mirror"))
	defer mirror.Close()
	address, _ := network.MirrorAddress(pool, 0)
	w := newWorld(t, relay.Relay{Address: netip.AddrPortFrom(address, httpPort), Host: mirror.Addr().String()})
	stop := w.run()
	services, objects, mirrored := w.client(w.services, "127.19.0.2"), w.client(w.services, "127.19.0.16"), w.client(w.services, "127.19.0.64")
	for _, tt := range []struct {
		client    *http.Client
		url, want string
	}{
		{services, "http://sts.eu-west-1.amazonaws.com/", "all via nothing from 127.0.0.1, TLS false <nil>"},
		{services, "https://sts.eu-west-1.amazonaws.com/", "all via nothing from 127.0.0.1, TLS true <nil>"},
		{services, "https://127.19.0.2/", "all via nothing from 127.0.0.1, TLS true <nil>"},
		{services, "https://example.org/", "error: Get \"https://example.org/\": remote error: tls: internal error"},
		{objects, "https://b.s3.us-east-1.amazonaws.com/", "s3 via nothing from 127.0.0.1, TLS true <nil>"},
		{objects, "https://sts.eu-west-1.amazonaws.com/", "certificate is valid for s3.amazonaws.com, not sts.eu-west-1.amazonaws.com"},
		{mirrored, "http://public.ecr.aws/", "mirror via nothing from 127.0.0.1, TLS false <nil>"},
	} {
		if got := w.eventually(tt.client, tt.url); !strings.Contains(got, tt.want) {
			t.Errorf("%s: %s, want %s", tt.url, got, tt.want)
		}
	}
	// Somebody removes the namespace, which is made again.
	w.must(netns.Remove(w.services))
	w.space("services", "127.0.0.9")
	for _, c := range []*http.Client{services, objects, mirrored} {
		c.CloseIdleConnections()
		if got := w.eventually(c, "http://sts.eu-west-1.amazonaws.com/"); !strings.Contains(got, "TLS false <nil>") {
			t.Errorf("in another namespace: %s", got)
		}
	}
	stop()
	for _, c := range []*http.Client{services, objects, mirrored} {
		if got := get(c, "http://sts.eu-west-1.amazonaws.com/"); !strings.Contains(got, "refused") && !strings.Contains(got, "reset") && !strings.Contains(got, "EOF") {
			t.Errorf("after the end: %s", got)
		}
	}
}

func TestTakenPort(t *testing.T) {
	w := newWorld(t)
	taken, err := net.Listen("tcp", "127.19.0.2:443")
	w.must(err)
	defer taken.Close()
	if _, err := w.open("", netip.MustParseAddr("127.19.0.2"), t.Context(), nil, nil); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("opened where another one listens: %v", err)
	}
	l, err := net.Listen("tcp", "127.19.0.2:80")
	if err != nil {
		t.Errorf("a half-open door: %v", err)
	} else {
		l.Close()
	}
}

func TestEndpoints(t *testing.T) {
	w := newWorld(t)
	endpoint := func(id, service, kind string) edge.Endpoint {
		return edge.Endpoint{ID: id, Service: edge.ServiceName(region, service), Type: kind, State: edge.Available, Vpc: "vpc-1"}
	}
	v := vpc.View{VPC: network.Vpc{Account: "123456789012", Region: region, ID: "vpc-1"}, Endpoints: []edge.Endpoint{
		endpoint("vpce-1", "ecr.api", edge.InterfaceEndpoint), endpoint("vpce-2", "ecr.dkr", edge.InterfaceEndpoint),
		endpoint("vpce-3", "s3", edge.GatewayEndpoint), endpoint("vpce-4", "s3", edge.InterfaceEndpoint),
	}}
	clients := map[string]*http.Client{}
	for i, e := range v.Endpoints {
		address := fmt.Sprint("10.0.0.", i+1)
		space := w.space(e.ID, address)
		v.Listen = append(v.Listen, vpc.Listener{Endpoint: e.ID, Service: e.Service, Space: space, Address: netip.MustParseAddr(address), Inode: 1})
		clients[e.ID] = w.client(space, address)
	}
	v.Listen = append(v.Listen, vpc.Listener{Endpoint: "vpce-9", Space: filepath.Join(w.dir, "absent")})
	w.Set(v)
	own, _ := edge.ServiceNamed(region, v.Endpoints[0].Service, edge.InterfaceEndpoint)
	tests := []struct{ endpoint, host, want string }{
		{"vpce-1", "api.ecr.eu-west-1.amazonaws.com", "ecr.api via vpce-1 of vpc-1 from 10.0.0.1, TLS true"},
		{"vpce-1", own.Names("vpce-1", nil)[0], "ecr.api via vpce-1 of vpc-1 from 10.0.0.1, TLS true"},
		{"vpce-1", "api.ecr.us-east-1.amazonaws.com", "certificate is valid for api.ecr.eu-west-1.amazonaws.com, not api.ecr.us-east-1.amazonaws.com"},
		{"vpce-1", "sts.eu-west-1.amazonaws.com", "certificate is valid for api.ecr.eu-west-1.amazonaws.com, not sts.eu-west-1.amazonaws.com"},
		{"vpce-2", "123456789012.dkr.ecr.eu-west-1.amazonaws.com", "ecr.dkr via vpce-2 of vpc-1"},
		{"vpce-2", "api.ecr.eu-west-1.amazonaws.com", "certificate is valid for dkr.ecr.eu-west-1.amazonaws.com"},
		{"vpce-3", "b.s3.eu-west-1.amazonaws.com", "s3 via vpce-3 of vpc-1"},
		{"vpce-3", "ecs.eu-west-1.amazonaws.com", "certificate is valid for s3.eu-west-1.amazonaws.com"},
		{"vpce-4", "b.bucket.vpce-4-x.s3.eu-west-1.vpce.amazonaws.com", "s3 via vpce-4 of vpc-1"},
	}
	for _, tt := range tests {
		if got := get(clients[tt.endpoint], "https://"+tt.host+"/"); !strings.Contains(got, tt.want) {
			t.Errorf("%s, %s: %s, want %s", tt.endpoint, tt.host, got, tt.want)
		}
	}
	if got := get(clients["vpce-1"], "http://api.ecr.eu-west-1.amazonaws.com/"); !strings.Contains(got, "TLS false") {
		t.Error(got)
	}

	// A namespace that somebody made anew is served again; an endpoint that is gone
	// is cut off, also on connections that are open.
	space := v.Listen[0].Space
	w.must(netns.Remove(space))
	w.space("vpce-1", "10.0.0.1")
	v.Listen = v.Listen[:2]
	v.Listen[0].Inode = 2
	w.Set(v)
	fresh := w.client(space, "10.0.0.1")
	if got := get(fresh, "https://api.ecr.eu-west-1.amazonaws.com/"); !strings.Contains(got, "via vpce-1") {
		t.Errorf("in the new namespace: %s", got)
	}
	if got := get(clients["vpce-4"], "https://b.s3.eu-west-1.amazonaws.com/"); !strings.HasPrefix(got, "error: ") {
		t.Errorf("after its end an endpoint answers %s", got)
	}
	w.Set(v)
	if got := get(fresh, "https://api.ecr.eu-west-1.amazonaws.com/"); !strings.Contains(got, "via vpce-1") {
		t.Errorf("after a Set that changes nothing: %s", got)
	}
	w.Remove("vpc-1")
	if got := get(fresh, "https://api.ecr.eu-west-1.amazonaws.com/"); !strings.HasPrefix(got, "error: ") || len(w.vpcs) != 0 {
		t.Errorf("after its VPC's end an endpoint answers %s", got)
	}
	var gone *os.PathError
	if _, err := os.Stat(filepath.Join(w.dir, "absent")); !errors.As(err, &gone) {
		t.Error("a namespace was made")
	}
}
