package eventstream

import (
	"encoding/hex"
	"testing"
)

// TestAppend compares with messages that AWS publishes for tests of decoders.
func TestAppend(t *testing.T) {
	payload := []byte("{'foo':'bar'}")
	for _, tt := range []struct {
		headers []Header
		payload []byte
		want    string
	}{
		{nil, nil, "000000100000000005c248eb7d98c8ff"},
		{nil, payload, "0000001d00000000fd528c5a7b27666f6f273a27626172277dc3653936"},
		{[]Header{{"content-type", "application/json"}}, payload,
			"0000003d0000002007fd83960c636f6e74656e742d7479706507001061" +
				"70706c69636174696f6e2f6a736f6e7b27666f6f273a27626172277d8d9c08b1"},
	} {
		got := hex.EncodeToString(Append([]byte("before"), tt.headers, tt.payload)[len("before"):])
		if got != tt.want {
			t.Errorf("%v %s:\n%s\nwant\n%s", tt.headers, tt.payload, got, tt.want)
		}
	}
}
