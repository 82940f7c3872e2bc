package outlet

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"neargate/internal/netns"
)

// TestPrepare begins connections before requests need them: one that is used, ones that
// come to nothing, and ones that nobody asks for.
func TestPrepare(t *testing.T) {
	file, resolver := space(t)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.RemoteAddr) }))
	server.Listener.Close()
	if err := netns.Do(file, func() (err error) { server.Listener, err = net.Listen("tcp4", "127.0.0.1:0"); return err }); err != nil {
		t.Fatal(err)
	}
	var come, open atomic.Int32
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		switch s {
		case http.StateNew:
			come.Add(1)
			open.Add(1)
		case http.StateClosed:
			open.Add(-1)
		}
	}
	server.StartTLS()
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	address := net.JoinHostPort("inside.test", port)
	trust := &tls.Config{RootCAs: roots, ServerName: "example.com"}
	o := New(file, resolver, trust)
	ask := func() string {
		t.Helper()
		r, err := (&http.Client{Transport: o.Transport()}).Get("https://" + address)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	made := func() *early {
		o.Prepare(t.Context(), address)
		o.Prepare(t.Context(), address)
		o.mu.Lock()
		e := o.early[address]
		o.mu.Unlock()
		<-e.done
		return e
	}
	e := made()
	if from := ask(); e.err != nil || from != e.conn.LocalAddr().String() || ask() != from || come.Load() != 1 {
		t.Errorf("%v; asked from %s over connection %d", e.err, from, come.Load())
	}
	o.Close()

	// It is too old when it is needed.
	o = New(file, resolver, trust)
	e = made()
	e.at = time.Now().Add(-fresh - time.Second)
	if from := ask(); from == e.conn.LocalAddr().String() {
		t.Error("asked over an old connection")
	}
	made() // and nobody asks
	o.Close()
	o.Prepare(t.Context(), address)
	if len(o.early) > 0 {
		t.Error("connects after the end")
	}
	for deadline := time.Now().Add(10 * time.Second); open.Load() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d connections are left open", open.Load())
		}
	}

	// What is wrong is the request's error, in its words.
	for _, c := range []struct{ address, want string }{
		{"absent.test:443", "dial tcp: lookup absent.test on " + resolver.String() + ": no such host"},
		{address, "tls: failed to verify certificate: x509: certificate is valid for example.com, *.example.com, not inside.test"},
	} {
		o = New(file, resolver, &tls.Config{RootCAs: roots})
		o.Prepare(t.Context(), c.address)
		_, err := o.Transport().RoundTrip(httptest.NewRequest(http.MethodGet, "https://"+c.address, nil))
		if err == nil || err.Error() != c.want {
			t.Errorf("%s: %v, want %s", c.address, err, c.want)
		}
		o.Close()
	}
}
