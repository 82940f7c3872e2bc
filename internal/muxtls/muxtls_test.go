package muxtls

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"neargate/internal/ca"
)

// start serves h on a port of its own and returns the address, a client that
// trusts the installation's authority, and what ends the server.
func start(t *testing.T, h http.HandlerFunc) (addr string, client *http.Client, stop func() error) {
	t.Helper()
	authority, err := ca.Open(t.TempDir(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- Serve(ctx, l, authority.TLSConfig(), h, slog.New(slog.DiscardHandler), 5*time.Second)
	}()
	roots := x509.NewCertPool()
	roots.AddCert(authority.Certificate())
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", l.Addr().String())
	}
	client = &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots}, DialContext: dial, ForceAttemptHTTP2: true,
	}}
	t.Cleanup(client.CloseIdleConnections)
	return l.Addr().String(), client, func() error { cancel(); return <-ended }
}

func get(t *testing.T, c *http.Client, url string) string {
	t.Helper()
	resp, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestOnePort(t *testing.T) {
	addr, client, stop := start(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.Proto+" ")
		if r.TLS != nil {
			io.WriteString(w, "over TLS")
		}
	})
	_, port, _ := net.SplitHostPort(addr)
	for url, want := range map[string]string{
		"http://" + addr:                               "HTTP/1.1 ",
		"http://localhost:" + port:                     "HTTP/1.1 ",
		"https://" + addr:                              "HTTP/2.0 over TLS",
		"https://localhost:" + port:                    "HTTP/2.0 over TLS",
		"https://ecs.us-east-1.localhost:" + port:      "HTTP/2.0 over TLS",
		"https://ecs.ap-northeast-1.amazonaws.com:443": "HTTP/2.0 over TLS",
	} {
		if got := get(t, client, url); got != want {
			t.Errorf("%s: %q", url, got)
		}
	}
	if _, err := client.Get("https://example.com"); err == nil {
		t.Error("a certificate for a foreign name")
	}
	client.CloseIdleConnections()
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := net.Dial("tcp", addr); err == nil {
		t.Error("still listening")
	}
}

// TestSilentClientHoldsUpNobody connects without a word and asks on another
// connection.
func TestSilentClientHoldsUpNobody(t *testing.T) {
	addr, client, stop := start(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "ok") })
	silent, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	if got := get(t, client, "http://"+addr); got != "ok" {
		t.Fatal(got)
	}
	client.CloseIdleConnections()
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	silent.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := silent.Read(make([]byte, 1)); errors.Is(err, context.DeadlineExceeded) || err == nil {
		t.Fatalf("the silent connection outlived the server: %v", err)
	}
}

func TestShutdownLetsRequestsFinish(t *testing.T) {
	entered, proceed := make(chan struct{}), make(chan struct{})
	addr, _, stop := start(t, func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		<-proceed
		io.WriteString(w, "finished")
	})
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
	<-entered
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	for { // until the port is closed, so that shutdown has begun
		probe, err := net.Dial("tcp", addr)
		if err != nil {
			break
		}
		probe.Close()
	}
	close(proceed)
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := io.ReadAll(resp.Body); !strings.Contains(string(b), "finished") {
		t.Fatalf("%q", b)
	}
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
}

// TestFirstByteIsAwaited connects without a word and is cut off.
func TestFirstByteIsAwaited(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := Split(inner, 20*time.Millisecond)
	defer l.Close()
	c, err := net.Dial("tcp", inner.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := c.Read(make([]byte, 1)); err != io.EOF {
		t.Fatalf("%v instead of the end", err)
	}
}

// TestSlowHeadersAreCutOff sends a header that never ends.
func TestSlowHeadersAreCutOff(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	none := func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, net.ErrClosed }
	go func() {
		ended <- serve(ctx, l, &http.Server{ReadHeaderTimeout: 50 * time.Millisecond, TLSConfig: &tls.Config{GetCertificate: none}}, time.Second)
	}()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "POST / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	if b, err := io.ReadAll(c); err != nil {
		t.Fatalf("%q, %v", b, err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}
