package rdata

import (
	"strings"
	"testing"

	"github.com/miekg/dns"
)

func TestParse(t *testing.T) {
	long := strings.Repeat("x", 255)
	tests := []struct{ typ, value, want string }{
		{"A", "192.0.2.1", "192.0.2.1"},
		{"AAAA", "2001:db8::1", "2001:db8::1"},
		{"CNAME", "www.example.com", "www.example.com."},
		{"CNAME", `\052.Example.com.`, `\042.example.com.`},
		{"MX", "10 mail.example.com", "10 mail.example.com."},
		{"SRV", "1 10 5269 xmpp.example.com.", "1 10 5269 xmpp.example.com."},
		{"TXT", `"one" "two"`, `"one" "two"`},
		{"TXT", `"a;b(c) \"q\" \\ \303\274"`, `"a;b(c) \"q\" \\ \195\188"`},
		{"TXT", `"` + long + `"`, `"` + long + `"`},
		{"SPF", `"v=spf1 -all"`, `"v=spf1 -all"`},
		{"CAA", `0 issue "ca.example.com"`, `0 issue "ca.example.com"`},
		{"SOA", "ns-0.awsdns-00.com. awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400", "ns-0.awsdns-00.com. awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400"},
		{"NAPTR", `100 50 "u" "E2U+sip" "!^.*$!sip:a@b.c!" .`, `100 50 "u" "E2U+sip" "!^.*$!sip:a@b.c!" .`},
		{"DS", "123 8 2 " + strings.Repeat("AB", 32), "123 8 2 " + strings.Repeat("AB", 32)},
		{"HTTPS", `1 . alpn="h2"`, `1 . alpn="h2"`},
	}
	for _, tt := range tests {
		rr, err := Parse(tt.typ, tt.value)
		if err != nil {
			t.Errorf("%s %s: %v", tt.typ, tt.value, err)
			continue
		}
		rr.Header().Name = "x."
		if got := strings.SplitN(rr.String(), "\t", 5)[4]; got != tt.want {
			t.Errorf("%s %s: got %s", tt.typ, tt.value, got)
		}
		packed := make([]byte, 4096)
		if _, err := dns.PackRR(rr, packed, 0, nil, false); err != nil {
			t.Errorf("%s %s: %v", tt.typ, tt.value, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	tests := []struct{ typ, value, problem string }{
		{"A", "1.2.3", "ARRDATAIllegalIPv4Address (Value is not a valid IPv4 address)"},
		{"A", "::1", "ARRDATAIllegalIPv4Address (Value is not a valid IPv4 address)"},
		{"A", "1.2.3.4 ", "ARRDATAIllegalIPv4Address (Value is not a valid IPv4 address)"},
		{"AAAA", "1.2.3.4", "AAAARRDATAIllegalIPv6Address (Value is not a valid IPv6 address)"},
		{"AAAA", "fe80::1%eth0", "AAAARRDATAIllegalIPv6Address (Value is not a valid IPv6 address)"},
		{"CNAME", "a..b", "DomainLabelEmpty (Domain label is empty)"},
		{"CNAME", "a b", "UnsupportedCharacter (Value contains unsupported characters)"},
		{"MX", "mail.example.com", "MXRRDATANotEnoughFields"},
		{"MX", "x mail.example.com", "MXRRDATAIllegalNumber"},
		{"MX", "70000 mail.example.com", "MXRRDATAIllegalNumber"},
		{"SRV", "1 2 3", "SRVRRDATANotEnoughFields"},
		{"TXT", "plain", "InvalidCharacterString (Value should be enclosed in quotation marks)"},
		{"TXT", `"open`, "InvalidCharacterString"},
		{"TXT", `"a""b"`, "InvalidCharacterString"},
		{"TXT", "\"a\nb\"", "InvalidCharacterString"},
		{"TXT", "", "InvalidCharacterString"},
		{"TXT", `"` + strings.Repeat("x", 256) + `"`, "CharacterStringTooLong"},
		{"CAA", `0 issue`, "CAARRDATANotThreeFields"},
		{"CAA", `256 issue "a"`, "CAARRDATAIllegalNumber"},
		{"CAA", `0 is-sue "a"`, "CAARRDATAIllegalTag"},
		{"DS", "1 2", "DSRRDATAIllegal"},
		{"DS", "1 8 2 AB\n. 0 IN A 1.2.3.4", "DSRRDATAIllegal"},
		{"DS", "1 8 2 AB ; c", "DSRRDATAIllegal"},
		{"SOA", "a b 1 2 3", "SOARRDATANotEnoughFields"},
	}
	for _, tt := range tests {
		_, err := Parse(tt.typ, tt.value)
		if err == nil || !strings.Contains(err.Error(), "FATAL problem: "+tt.problem) {
			t.Errorf("%s %q: got %v, want %s", tt.typ, tt.value, err, tt.problem)
		}
	}
}

// TestNames holds that names survive the way into messages and back.
func TestNames(t *testing.T) {
	for _, canonical := range []string{".", "a.b.", `\052.a.`, `x\056y.a.`, `\134.a.`, `a\000\377.b.`, `\042.c.`} {
		wire := make([]byte, 300)
		n, err := dns.PackDomainName(Presentation(canonical), wire, 0, nil, false)
		if err != nil {
			t.Errorf("%s: %v", canonical, err)
			continue
		}
		back, _, err := dns.UnpackDomainName(wire[:n], 0)
		if err != nil || Canonical(back) != canonical {
			t.Errorf("%s came back as %s, %s: %v", canonical, back, Canonical(back), err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, typ := range []string{"TXT", "CAA", "NAPTR", "HTTPS", "TLSA", "SRV"} {
		f.Add(typ, `1 2 3 "x"`)
	}
	f.Fuzz(func(t *testing.T, typ, value string) {
		rr, err := Parse(typ, value)
		if err != nil {
			return
		}
		rr.Header().Name = "x."
		m := new(dns.Msg)
		m.Answer = []dns.RR{rr}
		packed, err := m.Pack()
		if err != nil {
			t.Fatalf("%s %q is accepted but is no record: %v", typ, value, err)
		}
		if err := new(dns.Msg).Unpack(packed); err != nil {
			t.Fatalf("%s %q: %v", typ, value, err)
		}
	})
}
