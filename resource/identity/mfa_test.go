package identity

import (
	"testing"
	"time"
)

// TestCodes holds codes against those of RFC 6238, appendix B, of which the last six
// digits count.
func TestCodes(t *testing.T) {
	d := MFADevice{Secret: []byte("12345678901234567890")}
	for at, want := range map[int64]string{59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130"} {
		if got := d.Code(time.Unix(at, 0)); got != want {
			t.Errorf("at %d: %s, want %s", at, got, want)
		}
	}
	if d.Seed() != "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ" {
		t.Error(d.Seed())
	}
}

// TestAccept takes each code once, about when it is shown, and not after many guesses.
func TestAccept(t *testing.T) {
	now := time.Unix(2_000_000_000, 0)
	step := func(n int) time.Time { return now.Add(time.Duration(n) * 30 * time.Second) }
	d := MFADevice{Account: "123456789012", Path: "/a/", Name: "phone", Secret: []byte("12345678901234567890")}
	if d.Synchronize(d.Code(step(3)), d.Code(step(5)), now) || d.Synchronize(d.Code(step(4)), d.Code(step(3)), now) || d.Synchronize(d.Code(step(30)), d.Code(step(31)), now) {
		t.Error("synchronized by codes that are none, or too far off")
	}
	if !d.Synchronize(d.Code(step(3)), d.Code(step(4)), now) || d.Drift != 4 {
		t.Error("not synchronized")
	}
	for i, tt := range []struct {
		code string
		at   int
		want bool
	}{
		{d.Code(step(4)), 0, false}, // was used
		{d.Code(step(5)), 0, true},
		{d.Code(step(5)), 0, false}, // again
		{d.Code(step(5)), 2, false},
		{d.Code(step(6)), 2, true},
		{d.Code(step(9)), 2, false}, // too early
		{d.Code(step(7)), 20, false},
		{"", 21, false},
	} {
		if got := d.Accept(tt.code, step(tt.at)); got != tt.want {
			t.Errorf("%d: %v", i, got)
		}
	}
	for range 10 {
		d.Accept("nothing", step(30))
	}
	if d.Accept(d.Code(step(34)), step(30)) {
		t.Error("accepted after many guesses")
	}
	if !d.Accept(d.Code(step(35)), step(31)) {
		t.Error("not accepted in the next step")
	}
	if account, path, name, ok := MFAName(d.SerialNumber()); !ok || account != d.Account || path != d.Path || name != d.Name {
		t.Error(d.SerialNumber(), path, name, ok)
	}
}
