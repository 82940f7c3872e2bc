// Package rdata reads the values of resource records as users of Route 53 write them
// into records of DNS. Names need no last dot, and \ begins three octal digits.
//
// Formats: Amazon Route 53 Developer Guide, Supported DNS record types.
package rdata

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/miekg/dns"

	"neargate/resource/zone"
)

// Error says what is wrong with a value in the words of Route 53.
type Error struct{ Problem, Text, Value string }

// Error implements error.
func (e *Error) Error() string {
	return fmt.Sprintf("FATAL problem: %s (%s) encountered with '%s'", e.Problem, e.Text, e.Value)
}

// parsers read the values of a type. Types that are written as in zone files are not
// among them.
var parsers = map[string]func(value string) (dns.RR, error){
	"A":     address4,
	"AAAA":  address6,
	"CAA":   authority,
	"CNAME": func(v string) (dns.RR, error) { n, err := Name(v); return &dns.CNAME{Target: n}, err },
	"NS":    func(v string) (dns.RR, error) { n, err := Name(v); return &dns.NS{Ns: n}, err },
	"PTR":   func(v string) (dns.RR, error) { n, err := Name(v); return &dns.PTR{Ptr: n}, err },
	"MX":    exchange,
	"SOA":   start,
	"SPF":   func(v string) (dns.RR, error) { t, err := quoted(v); return &dns.SPF{Txt: t}, err },
	"SRV":   server,
	"TXT":   func(v string) (dns.RR, error) { t, err := quoted(v); return &dns.TXT{Txt: t}, err },
}

// Type is the number of a record type that Route 53 has.
func Type(name string) (uint16, bool) {
	switch name {
	case "A", "AAAA", "CAA", "CNAME", "DS", "HTTPS", "MX", "NAPTR", "NS", "PTR", "SOA", "SPF", "SRV", "SSHFP", "SVCB", "TLSA", "TXT":
		return dns.StringToType[name], true
	}
	return 0, false
}

// Parse reads a value of a type into a record that has no name, class or time to
// live yet.
func Parse(typ, value string) (dns.RR, error) {
	number, ok := Type(typ)
	if !ok {
		return nil, &Error{"UnsupportedType", "Record type is not supported", typ}
	}
	parse := parsers[typ]
	if parse == nil {
		parse = func(v string) (dns.RR, error) { return presented(typ, v) }
	}
	rr, err := parse(value)
	if err != nil {
		return nil, err
	}
	rr.Header().Rrtype, rr.Header().Class = number, dns.ClassINET
	return rr, nil
}

// Name is a name as it stands in DNS messages' presentation form.
func Name(s string) (string, error) {
	canonical, err := zone.Canonical(strings.TrimSpace(s))
	if err != nil {
		return "", err
	}
	return Presentation(canonical), nil
}

// Presentation is a canonical name in the presentation form of DNS, whose escapes are
// decimal.
func Presentation(canonical string) string {
	if !strings.Contains(canonical, `\`) {
		return canonical
	}
	var out strings.Builder
	for i := 0; i < len(canonical); i++ {
		if canonical[i] != '\\' {
			out.WriteByte(canonical[i])
			continue
		}
		n, _ := strconv.ParseUint(canonical[i+1:i+4], 8, 8)
		fmt.Fprintf(&out, `\%03d`, n)
		i += 3
	}
	return out.String()
}

// Canonical is the canonical form of a name in the presentation form of DNS.
func Canonical(presentation string) string {
	var labels [][]byte
	for _, l := range dns.SplitDomainName(presentation) {
		var label []byte
		for i := 0; i < len(l); i++ {
			if l[i] != '\\' || i+1 == len(l) {
				label = append(label, l[i])
				continue
			}
			if n, err := strconv.ParseUint(l[i+1:min(i+4, len(l))], 10, 8); err == nil && i+3 < len(l) {
				label, i = append(label, byte(n)), i+3
				continue
			}
			label, i = append(label, l[i+1]), i+1
		}
		labels = append(labels, label)
	}
	return zone.FromLabels(labels)
}

func address4(v string) (dns.RR, error) {
	a, err := netip.ParseAddr(v)
	if err != nil || !a.Is4() {
		return nil, &Error{"ARRDATAIllegalIPv4Address", "Value is not a valid IPv4 address", v}
	}
	return &dns.A{A: a.AsSlice()}, nil
}

func address6(v string) (dns.RR, error) {
	a, err := netip.ParseAddr(v)
	if err != nil || !a.Is6() || a.Zone() != "" {
		return nil, &Error{"AAAARRDATAIllegalIPv6Address", "Value is not a valid IPv6 address", v}
	}
	return &dns.AAAA{AAAA: a.AsSlice()}, nil
}

// fields are the n fields of a value.
func fields(typ, v string, n int) ([]string, error) {
	f := strings.Fields(v)
	if len(f) != n {
		return nil, &Error{typ + "RRDATANotEnoughFields", fmt.Sprintf("%s record doesn't have %d fields", typ, n), v}
	}
	return f, nil
}

// numbers reads fields that are integers below a bound of bits.
func numbers(typ string, bits int, texts ...string) ([]uint64, error) {
	var all []uint64
	for _, s := range texts {
		n, err := strconv.ParseUint(s, 10, bits)
		if err != nil {
			return nil, &Error{typ + "RRDATAIllegalNumber", "Value is not a valid number", s}
		}
		all = append(all, n)
	}
	return all, nil
}

func exchange(v string) (dns.RR, error) {
	f, err := fields("MX", v, 2)
	if err != nil {
		return nil, err
	}
	n, err := numbers("MX", 16, f[0])
	if err != nil {
		return nil, err
	}
	name, err := Name(f[1])
	if err != nil {
		return nil, err
	}
	return &dns.MX{Preference: uint16(n[0]), Mx: name}, nil
}

func server(v string) (dns.RR, error) {
	f, err := fields("SRV", v, 4)
	if err != nil {
		return nil, err
	}
	n, err := numbers("SRV", 16, f[:3]...)
	if err != nil {
		return nil, err
	}
	name, err := Name(f[3])
	if err != nil {
		return nil, err
	}
	return &dns.SRV{Priority: uint16(n[0]), Weight: uint16(n[1]), Port: uint16(n[2]), Target: name}, nil
}

func start(v string) (dns.RR, error) {
	f, err := fields("SOA", v, 7)
	if err != nil {
		return nil, err
	}
	n, err := numbers("SOA", 32, f[2:]...)
	if err != nil {
		return nil, err
	}
	ns, err := Name(f[0])
	if err != nil {
		return nil, err
	}
	mbox, err := Name(f[1])
	if err != nil {
		return nil, err
	}
	return &dns.SOA{Ns: ns, Mbox: mbox, Serial: uint32(n[0]), Refresh: uint32(n[1]), Retry: uint32(n[2]), Expire: uint32(n[3]), Minttl: uint32(n[4])}, nil
}

func authority(v string) (dns.RR, error) {
	parts := strings.SplitN(strings.TrimSpace(v), " ", 3)
	if len(parts) != 3 {
		return nil, &Error{"CAARRDATANotThreeFields", "CAA record doesn't have 3 fields", v}
	}
	flag, err := numbers("CAA", 8, parts[0])
	if err != nil {
		return nil, err
	}
	text, err := quoted(parts[2])
	if err != nil {
		return nil, err
	}
	for _, c := range []byte(parts[1]) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9') {
			return nil, &Error{"CAARRDATAIllegalTag", "Tag is not valid", parts[1]}
		}
	}
	if len(text) != 1 || parts[1] == "" {
		return nil, &Error{"CAARRDATANotThreeFields", "CAA record doesn't have 3 fields", v}
	}
	return &dns.CAA{Flag: uint8(flag[0]), Tag: parts[1], Value: text[0]}, nil
}

// quoted reads strings in quotation marks, in the presentation form of DNS. In them,
// \" and \\ are characters, and \ with three octal digits is any.
func quoted(v string) ([]string, error) {
	unquoted := &Error{"InvalidCharacterString", "Value should be enclosed in quotation marks", v}
	var all []string
	rest := strings.TrimSpace(v)
	for rest != "" {
		if rest[0] != '"' {
			return nil, unquoted
		}
		text, n, ok := characters(rest[1:])
		if !ok {
			return nil, unquoted
		}
		if len(text) > 255 {
			return nil, &Error{"CharacterStringTooLong", "Value is too long", v}
		}
		all = append(all, present(text))
		rest = rest[1+n:]
		trimmed := strings.TrimLeft(rest, " \t")
		if trimmed != "" && len(trimmed) == len(rest) {
			return nil, unquoted
		}
		rest = trimmed
	}
	if all == nil {
		return nil, unquoted
	}
	return all, nil
}

// characters reads up to and with the closing quotation mark, n bytes in all.
func characters(s string) (text []byte, n int, ok bool) {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return text, i + 1, true
		case c == '\\':
			if i+1 == len(s) {
				return nil, 0, false
			}
			if b, ok := zone.Unescape(s[i:min(i+4, len(s))]); ok && len(b) == 1 {
				text, i = append(text, b[0]), i+3
				continue
			}
			i++
			text = append(text, s[i])
		case c < ' ' && c != '\t' || c >= 0x7f:
			return nil, 0, false
		default:
			text = append(text, c)
		}
	}
	return nil, 0, false
}

// present is a string in the presentation form of DNS.
func present(text []byte) string {
	var out strings.Builder
	for _, c := range text {
		switch {
		case c == '"' || c == '\\':
			out.WriteByte('\\')
			out.WriteByte(c)
		case c < ' ' || c >= 0x7f:
			fmt.Fprintf(&out, `\%03d`, c)
		default:
			out.WriteByte(c)
		}
	}
	return out.String()
}

// presented reads a value as zone files have it, on one line and without comments.
func presented(typ, v string) (dns.RR, error) {
	wrong := &Error{typ + "RRDATAIllegal", "Value is not a valid " + typ + " record", v}
	if strings.TrimSpace(v) == "" || strings.ContainsAny(v, "\n\r;()$@") && typ != "NAPTR" || strings.ContainsAny(v, "\n\r;") {
		return nil, wrong
	}
	rr, err := dns.NewRR(". 0 IN " + typ + " " + v)
	if err != nil || rr == nil || dns.TypeToString[rr.Header().Rrtype] != typ {
		return nil, wrong
	}
	packed := make([]byte, dns.MaxMsgSize)
	if _, err := dns.PackRR(rr, packed, 0, nil, false); err != nil {
		return nil, wrong
	}
	return rr, nil
}
