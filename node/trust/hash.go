package trust

import (
	"crypto/sha1"
	"encoding/asn1"
	"encoding/binary"
	"fmt"
	"strings"
)

// attribute is one of a name.
type attribute struct {
	Type  asn1.ObjectIdentifier
	Value asn1.RawValue
}

// canonical is one in OpenSSL's canonical form.
type canonical struct {
	Type  asn1.ObjectIdentifier
	Value string `asn1:"utf8"`
}

// texts are the tags of strings that have a canonical form: those of ASCII or UTF-8.
var texts = map[int]bool{asn1.TagUTF8String: true, asn1.TagPrintableString: true, asn1.TagIA5String: true, 26: true} // 26: VisibleString

// subjectHash is by what OpenSSL names the file of an authority with the subject.
// Source: OpenSSL, X509_NAME_hash(3) and crypto/x509/x_name.c.
func subjectHash(subject []byte) (string, error) {
	var name []asn1.RawValue
	if _, err := asn1.Unmarshal(subject, &name); err != nil {
		return "", err
	}
	var all []byte
	for _, set := range name {
		var attributes []attribute
		if _, err := asn1.UnmarshalWithParams(set.FullBytes, &attributes, "set"); err != nil {
			return "", err
		}
		var one []asn1.RawValue
		for _, a := range attributes {
			var b []byte
			var err error
			if texts[a.Value.Tag] {
				b, err = asn1.Marshal(canonical{a.Type, plain(string(a.Value.Bytes))})
			} else {
				b, err = asn1.Marshal(a)
			}
			if err != nil {
				return "", err
			}
			one = append(one, asn1.RawValue{FullBytes: b})
		}
		b, err := asn1.MarshalWithParams(one, "set")
		if err != nil {
			return "", err
		}
		all = append(all, b...)
	}
	sum := sha1.Sum(all)
	return fmt.Sprintf("%08x", binary.LittleEndian.Uint32(sum[:4])), nil
}

// plain is a text in lower case, as far as that is ASCII, with single spaces.
func plain(s string) string {
	space := func(r rune) bool { return r == ' ' || r >= '\t' && r <= '\r' }
	lower := func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}
	return strings.Map(lower, strings.Join(strings.FieldsFunc(s, space), " "))
}
