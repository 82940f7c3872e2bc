package call

import (
	"crypto/tls"
	"net/http"
	"testing"
)

// TestSecret takes keys by TLS, and from this machine.
func TestSecret(t *testing.T) {
	for _, tt := range []struct {
		from string
		tls  *tls.ConnectionState
		want bool
	}{
		{"127.0.0.1:1", nil, true},
		{"[::1]:1", nil, true},
		{"10.0.0.1:1", nil, false},
		{"[2001:db8::1]:1", nil, false},
		{"10.0.0.1:1", &tls.ConnectionState{}, true},
		{"", nil, false},
	} {
		x := &Request{R: &http.Request{RemoteAddr: tt.from, TLS: tt.tls, Header: http.Header{customerHeader + "Algorithm": {"AES256"}}}}
		if x.secret() != tt.want {
			t.Errorf("%s: %v", tt.from, !tt.want)
		}
		if _, err := x.given(customerHeader); (err.Error() == "InvalidRequest: Requests specifying Server Side Encryption with Customer provided keys must be made over a secure connection.") == tt.want {
			t.Errorf("%s: %v", tt.from, err)
		}
	}
}
