package outlet

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/vishvananda/netlink"

	"neargate/internal/netns"
)

// space makes a namespace whose loopback is up, with a resolver that knows one name,
// and returns its file and the resolver's address.
func space(t *testing.T) (string, netip.AddrPort) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("namespaces need root")
	}
	dir := filepath.Join(t.TempDir(), "ns")
	if err := netns.Prepare(dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := netns.Discard(dir); err != nil {
			t.Error(err)
		}
	})
	file := filepath.Join(dir, "task")
	if err := netns.Create(file); err != nil {
		t.Fatal(err)
	}
	var udp net.PacketConn
	err := netns.Do(file, func() error {
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		if err := netlink.LinkSetUp(lo); err != nil {
			return err
		}
		udp, err = net.ListenPacket("udp4", "127.0.0.1:0")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	server := &dns.Server{PacketConn: udp, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		switch q.Question[0].Name {
		case "inside.test.":
			m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: "inside.test.", Rrtype: dns.TypeA, Class: dns.ClassINET}, A: net.IPv4(127, 0, 0, 1)}}
		case "broken.test.":
			m.Rcode = dns.RcodeServerFailure
		case "silent.test.":
			return
		default:
			m.Rcode = dns.RcodeNameError
		}
		if err := w.WriteMsg(m); err != nil {
			t.Error(err)
		}
	})}
	done := make(chan error, 1)
	go func() { done <- server.ActivateAndServe() }()
	t.Cleanup(func() {
		server.Shutdown()
		<-done
	})
	return file, udp.LocalAddr().(*net.UDPAddr).AddrPort()
}

// TestOutlet reaches a server that listens in the namespace only, by a name that its
// resolver only knows.
func TestOutlet(t *testing.T) {
	file, resolver := space(t)
	var l net.Listener
	if err := netns.Do(file, func() (err error) { l, err = net.Listen("tcp4", "127.0.0.1:0"); return err }); err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "inside "+r.Host) })}
	go server.Serve(l)
	defer server.Close()
	o := New(file, resolver, nil)
	defer o.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	resp, err := (&http.Client{Transport: o.Transport()}).Get("http://inside.test:" + port)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil || string(body) != "inside inside.test:"+port {
		t.Errorf("%q, %v", body, err)
	}
	if c, err := net.DialTimeout("tcp4", l.Addr().String(), time.Second); err == nil {
		c.Close()
		t.Error("the server is reached from the host, too")
	}
	for name, want := range map[string]string{
		"absent.test": "dial tcp: lookup absent.test on " + resolver.String() + ": no such host",
		"broken.test": "dial tcp: lookup broken.test on " + resolver.String() + ": server misbehaving",
		"silent.test": "dial tcp: lookup silent.test on " + resolver.String() + ": i/o timeout",
		"192.0.2.1":   "dial tcp 192.0.2.1:443: connect: network is unreachable",
	} {
		if _, err := o.DialContext(t.Context(), "tcp", name+":443"); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// TestContext carries an outlet to what works for a task.
func TestContext(t *testing.T) {
	if o := From(t.Context()); o != nil {
		t.Error("a context has an outlet that nobody gave it")
	}
	o := New("", netip.AddrPort{}, nil)
	if From(With(t.Context(), o)) != o || From(With(t.Context(), nil)) != nil {
		t.Error("another outlet")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := o.DialContext(ctx, "tcp", "127.0.0.1:1"); !errors.Is(err, context.Canceled) && err == nil {
		t.Error(err)
	}
}
