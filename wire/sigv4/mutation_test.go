package sigv4

import (
	"bytes"
	"net/http"
	"net/url"
	"path"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// meaning is what a service may act on in a verified request, in a form in
// which equal requests are equal. It is computed without the package's own
// canonical form.
type meaning struct {
	method, host, path string
	query              url.Values
	headers            http.Header
	body               string
	key, token         string
	service, region    string
	stamp              string
}

func meaningOf(r *http.Request, c *Claim, body []byte) meaning {
	m := meaning{
		method: r.Method, path: r.URL.Path, query: r.URL.Query(), headers: http.Header{}, body: string(body),
		key: c.AccessKeyID, token: c.SessionToken, service: c.Service, region: c.Region, stamp: c.stamp,
		host: strings.TrimSuffix(strings.TrimSuffix(r.Host, ":80"), ":443"),
	}
	if !c.s3() {
		slash := strings.HasSuffix(m.path, "/")
		if m.path = path.Clean("/" + m.path); slash && m.path != "/" {
			m.path += "/"
		}
	}
	if c.s3() && (c.Presigned || strings.Contains(r.Header.Get("X-Amz-Content-Sha256"), "UNSIGNED")) {
		m.body = "" // not part of what was signed
	}
	for _, values := range m.query {
		slices.Sort(values) // the canonical query is sorted: their order is not signed
	}
	for name, values := range r.Header {
		lower := strings.ToLower(name)
		if c.signed(lower) || strings.HasPrefix(lower, "x-amz-") {
			m.headers[name] = []string{strings.Join(strings.Fields(strings.Join(values, ",")), " ")}
		}
	}
	m.headers.Del("X-Amz-Content-Sha256") // proven by the body's equality
	return m
}

// tamper is one change to the bytes of a request.
type tamper struct {
	at   int
	kind byte // 0 replace, 1 insert, 2 delete, 3 flip a bit
	with byte
}

func (m tamper) apply(data []byte) []byte {
	at := m.at % len(data)
	switch m.kind % 4 {
	case 0:
		data = slices.Clone(data)
		data[at] = m.with
	case 1:
		data = slices.Insert(slices.Clone(data), at, m.with)
	case 2:
		data = slices.Delete(slices.Clone(data), at, at+1)
	default:
		data = slices.Clone(data)
		data[at] ^= 1 << (m.with % 8)
	}
	return data
}

// holds fails the test when the tampered request verifies and means anything
// else than the original.
func (g golden) holds(t *testing.T, c goldenCase, m tamper) {
	head, body := c.wire()
	original, err := parseWire(head, body)
	if err != nil {
		t.Fatal(err)
	}
	claim, err := Parse(original)
	if err != nil {
		t.Fatal(err)
	}
	sent := append([]byte(head), body...)
	changed := m.apply(sent)
	if bytes.Equal(changed, sent) {
		return
	}
	i := bytes.Index(changed, []byte("\r\n\r\n"))
	if i < 0 {
		return
	}
	newHead, newBody := string(changed[:i+4]), changed[i+4:]
	r, err := parseWire(newHead, newBody)
	if err != nil {
		return
	}
	v := g.verifier(c)
	got, err := verifyAny(v, r, newBody)
	if err != nil {
		return
	}
	newClaim, err := Parse(r)
	if err != nil {
		t.Fatalf("verified, but not parsed: %v", err)
	}
	want, err := verifyAny(v, original, body)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := meaningOf(original, claim, want), meaningOf(r, newClaim, got); !reflect.DeepEqual(a, b) {
		t.Fatalf("%s: %+v verified\nsigned %+v\ngot    %+v\n%q", c.Name, m, a, b, changed)
	}
}

// TestTampering changes every byte of every signed request in several ways.
func TestTampering(t *testing.T) {
	g := readGolden(t, "testdata/botocore.json")
	for i, c := range g.Cases {
		if testing.Short() && i%10 != 0 {
			continue
		}
		head, body := c.wire()
		for at := range len(head) + len(body) {
			g.holds(t, c, tamper{at, 3, byte(at)})
			g.holds(t, c, tamper{at, byte(i), "%/+ &=\n,;.0aA"[(at+i)%13]})
		}
	}
}

// FuzzTampering looks for any change to a signed request that still verifies
// and means something else.
func FuzzTampering(f *testing.F) {
	g := readGolden(f, "testdata/botocore.json")
	for i := range g.Cases {
		f.Add(i, 5+i*7, byte(i), byte('%'), i*3, byte(1), byte('/'))
	}
	f.Fuzz(func(t *testing.T, index, at int, kind, with byte, at2 int, kind2, with2 byte) {
		if index < 0 || at < 0 || at2 < 0 {
			return
		}
		c := g.Cases[index%len(g.Cases)]
		g.holds(t, c, tamper{at, kind, with})
		g.holds(t, c, tamper{at2, kind2, with2})
	})
}

// FuzzUnsigned shows that no request passes without the secret, whatever it
// says of itself.
func FuzzUnsigned(f *testing.F) {
	f.Add("GET", "/", "", "", "")
	f.Add("POST", "/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE/20260901/r/s3/aws4_request&X-Amz-Date=20260901T123045Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=", "", "UNSIGNED-PAYLOAD", "")
	f.Add("POST", "/", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260901/r/ecs/aws4_request, SignedHeaders=host, Signature=", "20260901T123045Z", "x")
	f.Add("POST", "/", "AWS4-HMAC-SHA256 Credential=/////, SignedHeaders=;;, Signature==", "2", "x")
	v := NewVerifier(oneKey{"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", ""}, at("20260901T123045Z"))
	f.Fuzz(func(t *testing.T, method, target, authorization, date, body string) {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			return
		}
		r := &http.Request{Method: method, URL: u, Host: "h", Header: http.Header{"Authorization": {authorization}, "X-Amz-Date": {date}}, Body: http.NoBody}
		if _, err := verifyAny(v, r, []byte(body)); err == nil {
			t.Fatal("an unsigned request was verified")
		}
	})
}
