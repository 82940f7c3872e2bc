package perhost

import (
	"io"
	"net"
	"net/netip"
	"testing"
	"time"
)

func TestLimit(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := Limit(inner, 2)
	defer l.Close()
	accepted := make(chan net.Conn, 10)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				close(accepted)
				return
			}
			accepted <- c
		}
	}()
	dial := func(from string) net.Conn {
		t.Helper()
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
		c, err := d.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		c.SetDeadline(time.Now().Add(10 * time.Second))
		return c
	}
	next := func() net.Conn {
		t.Helper()
		select {
		case c := <-accepted:
			return c
		case <-time.After(10 * time.Second):
			t.Fatal("not accepted")
			return nil
		}
	}
	closed := func(c net.Conn) bool {
		_, err := c.Read(make([]byte, 1))
		ne, ok := err.(net.Error)
		return err == io.EOF || err != nil && !(ok && ne.Timeout())
	}

	dial("127.0.0.1")
	first := next()
	dial("127.0.0.1")
	second := next()
	if !closed(dial("127.0.0.1")) {
		t.Error("a third connection of one address stays open")
	}
	dial("127.0.0.2")
	other := next()
	if a := Addr(other.RemoteAddr()); a != netip.MustParseAddr("127.0.0.2") {
		t.Errorf("accepted from %s", a)
	}
	first.Close()
	first.Close() // gives back once
	dial("127.0.0.1")
	third := next()
	if !closed(dial("127.0.0.1")) {
		t.Error("more than two after one closed twice")
	}
	for _, c := range []net.Conn{second, third, other} {
		c.Close()
	}
	if n := len(l.(*listener).open); n != 0 {
		t.Errorf("%d addresses remembered", n)
	}
}

func TestAddr(t *testing.T) {
	for want, a := range map[string]net.Addr{
		"192.0.2.1":   &net.UDPAddr{IP: net.ParseIP("192.0.2.1")},
		"192.0.2.2":   &net.TCPAddr{IP: net.ParseIP("::ffff:192.0.2.2")},
		"2001:db8::1": &net.TCPAddr{IP: net.ParseIP("2001:db8::1")},
	} {
		if got := Addr(a); got.String() != want {
			t.Errorf("%v: %s, want %s", a, got, want)
		}
	}
	if Addr(&net.UnixAddr{Name: "x"}).IsValid() {
		t.Error("a unix socket has an address")
	}
}
