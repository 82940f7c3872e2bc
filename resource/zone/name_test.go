package zone

import (
	"slices"
	"strings"
	"testing"
	"testing/quick"
)

func TestCanonical(t *testing.T) {
	tests := []struct{ in, want, problem string }{
		{"example.com", "example.com.", ""},
		{"Example.COM.", "example.com.", ""},
		{".", ".", ""},
		{"*.example.com", `\052.example.com.`, ""},
		{`\052.example.com.`, `\052.example.com.`, ""},
		{`\101.b`, "a.b.", ""},
		{"_sip._tcp.a", "_sip._tcp.a.", ""},
		{"a/b.c", `a\057b.c.`, ""},
		{"", "", "DomainLabelEmpty"},
		{"a..b", "", "DomainLabelEmpty"},
		{".a", "", "DomainLabelEmpty"},
		{"a b.c", "", "UnsupportedCharacter"},
		{"ü.de", "", "UnsupportedCharacter"},
		{"a\x00b", "", "UnsupportedCharacter"},
		{`\05.a`, "", "InvalidEscape"},
		{`\999.a`, "", "InvalidEscape"},
		{`a\`, "", "InvalidEscape"},
		{strings.Repeat("a", 64) + ".com", "", "DomainLabelTooLong"},
		{strings.Repeat("a", 63) + ".com", strings.Repeat("a", 63) + ".com.", ""},
		{strings.Repeat("abcdefg.", 32), "", "DomainNameTooLong"},
	}
	for _, tt := range tests {
		got, err := Canonical(tt.in)
		if tt.problem == "" && (err != nil || got != tt.want) {
			t.Errorf("%q: got %q, %v; want %q", tt.in, got, err, tt.want)
		}
		if e, _ := err.(*NameError); tt.problem != "" && (e == nil || e.Problem != tt.problem) {
			t.Errorf("%q: got %q, %v; want %s", tt.in, got, err, tt.problem)
		}
	}
}

// TestCanonicalStays holds that a canonical name is its own, and that labels of any
// bytes have one.
func TestCanonicalStays(t *testing.T) {
	err := quick.Check(func(a, b []byte) bool {
		labels := [][]byte{append([]byte("x"), a[:min(20, len(a))]...), append([]byte("y"), b[:min(20, len(b))]...)}
		name := FromLabels(labels)
		again, err := Canonical(name)
		return err == nil && again == name && strings.Count(name, ".") == 2
	}, nil)
	if err != nil {
		t.Error(err)
	}
}

func TestOrder(t *testing.T) {
	names := []string{"example.com.", `\052.example.com.`, "a.example.com.", "b.a.example.com.", "example-a.com.", "z.example.com."}
	got := slices.SortedFunc(slices.Values(names), func(a, b string) int { return strings.Compare(Order(a), Order(b)) })
	want := []string{"example-a.com.", "example.com.", `\052.example.com.`, "a.example.com.", "b.a.example.com.", "z.example.com."}
	if !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
	for _, n := range names {
		if Under(n, "example.com.") != strings.HasPrefix(Order(n), Order("example.com.")) {
			t.Errorf("%s: its order does not tell what it is under", n)
		}
	}
}

func TestUnder(t *testing.T) {
	for name, want := range map[string]bool{"example.com.": true, "a.example.com.": true, "badexample.com.": false, "com.": false, ".": false} {
		if Under(name, "example.com.") != want || !Under(name, ".") {
			t.Errorf("%s: want %v", name, want)
		}
	}
	if Parent("a.example.com.") != "example.com." || Parent("com.") != "." {
		t.Error("parents are wrong")
	}
}

func TestNameServers(t *testing.T) {
	want := []string{"ns-1536.awsdns-00.co.uk", "ns-0.awsdns-00.com", "ns-1024.awsdns-00.org", "ns-512.awsdns-00.net"}
	if got := NameServers([4]int{}); !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
	if got := NameServers([4]int{0, 77, 210, 511}); got[1] != "ns-77.awsdns-09.com" || got[2] != "ns-1234.awsdns-26.org" || got[3] != "ns-1023.awsdns-63.net" {
		t.Errorf("got %v", got)
	}
}
