package relay

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"neargate/internal/registries"
)

var pool = netip.MustParsePrefix("198.18.16.0/20")

func table(t *testing.T, text string) *Table {
	t.Helper()
	path := filepath.Join(t.TempDir(), "registries.json")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := registries.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	return New(c, pool)
}

func TestTable(t *testing.T) {
	tb := table(t, `{"registries":{
		"public.ecr.aws": {"mirrors": ["http://127.0.0.1:5000/ecr"], "only": true},
		"docker.io": {"mirrors": ["https://Mirror.example/hub", "http://127.0.0.1:5000"], "only": true},
		"quay.io": {"mirrors": ["https://mirror.example:443/quay"]},
		"ghcr.io:8443": {"mirrors": ["https://mirror.example:8443"], "only": true},
		"10.0.0.7": {"mirrors": ["http://10.0.0.8"], "only": true},
		"plain.example": {"insecure": true}}}`)
	for mirror, want := range map[string]string{
		"http://10.0.0.8":             "198.18.16.64:80",
		"http://127.0.0.1:5000/ecr":   "198.18.16.65:80",
		"http://127.0.0.1:5000":       "198.18.16.65:80",
		"https://mirror.example/x":    "198.18.16.66:443",
		"https://mirror.example:8443": "198.18.16.67:443",
		"https://other.example":       "invalid AddrPort",
	} {
		u, err := url.Parse(mirror)
		if err != nil {
			t.Fatal(err)
		}
		if a, ok := tb.Address(u); a.String() != want || ok != (want[0] == '1') {
			t.Errorf("%s: %s, %v", mirror, a, ok)
		}
	}
	for name, want := range map[string]string{
		"public.ecr.aws": "[198.18.16.65]", "registry-1.docker.io": "[198.18.16.66]", "docker.io": "[]", "quay.io": "[]", "ghcr.io": "[]", "plain.example": "[]", "10.0.0.7": "[]",
	} {
		a, ok := tb.Lookup(name)
		if got := slog.AnyValue(a).String(); got != want || ok != (want != "[]") {
			t.Errorf("%s: %s, %v", name, got, ok)
		}
	}
	if r := tb.Relays(); len(r) != 4 || r[2].Host != "mirror.example:443" {
		t.Errorf("%+v", r)
	}
}

func TestTableIsFull(t *testing.T) {
	text := `{"registries":{"a.example":{"mirrors":["http://m0"`
	for i := range 300 {
		text += `,"http://m0:` + string(rune('1'+i%9)) + string(rune('0'+i/9%10)) + string(rune('0'+i/90)) + `"`
	}
	tb := table(t, text+`]}}}`)
	if n := len(tb.Relays()); n != 192 {
		t.Errorf("%d relays", n)
	}
}

// serve relays to a mirror and returns where to connect.
func serve(t *testing.T, host string) (addr string, stop func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- Relay{Host: host}.Serve(ctx, l, slog.New(slog.DiscardHandler)) }()
	return l.Addr().String(), func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(10 * time.Second):
			t.Error("the relay does not end")
		}
	}
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := net.DialTimeout("tcp", addr, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(10 * time.Second))
	return c
}

// TestRelay sends until the end, and gets what the mirror answers after that; then
// connections that are open end with the relay.
func TestRelay(t *testing.T) {
	mirror, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer mirror.Close()
	go func() {
		for {
			c, err := mirror.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				b, _ := io.ReadAll(c)
				c.Write(append(b, " and back"...))
			}()
		}
	}()
	addr, stop := serve(t, mirror.Addr().String())
	c := dial(t, addr)
	io.WriteString(c, "there")
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(c); err != nil || string(b) != "there and back" {
		t.Errorf("%q, %v", b, err)
	}
	open := dial(t, addr)
	io.WriteString(open, "x")
	stop()
	if _, err := open.Read(make([]byte, 1)); err == nil || os.IsTimeout(err) {
		t.Errorf("a connection outlives the relay: %v", err)
	}
}

// TestNoMirror resets a connection for which there is no mirror.
func TestNoMirror(t *testing.T) {
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	addr, stop := serve(t, gone.Addr().String())
	defer stop()
	c, err := net.DialTimeout("tcp", addr, 10*time.Second)
	if err == nil {
		defer c.Close()
		c.SetDeadline(time.Now().Add(10 * time.Second))
		_, err = io.ReadAll(c)
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("%v instead of a reset", err)
	}
}
