package sigv4

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
)

// golden is a file of requests signed by an official signer; e2e/sigv4 writes
// it.
type golden struct {
	Now, Key, Secret string
	Cases            []goldenCase
}

type goldenCase struct {
	Name, Method, Target, Body, Token string
	Headers                           [][2]string
}

func readGolden(t testing.TB, path string) golden {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	if len(g.Cases) == 0 {
		t.Fatal("no cases")
	}
	return g
}

func (g golden) verifier(c goldenCase) *Verifier {
	return NewVerifier(oneKey{g.Key, g.Secret, c.Token}, at(g.Now))
}

// wire is the request as it was sent, headers first, then the body.
func (c goldenCase) wire() (head string, body []byte) {
	body, err := base64.StdEncoding.DecodeString(c.Body)
	if err != nil {
		panic(err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\n", c.Method, c.Target)
	length := false
	for _, h := range c.Headers {
		if strings.EqualFold(h[0], "Transfer-Encoding") {
			continue // the test sends the body with its length
		}
		length = length || strings.EqualFold(h[0], "Content-Length")
		fmt.Fprintf(&b, "%s: %s\r\n", h[0], h[1])
	}
	if !length {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(body))
	}
	return b.String() + "\r\n", body
}

func parseWire(head string, body []byte) (*http.Request, error) {
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(head)))
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return r, nil
}

// verifyAny verifies as the addressed service would: S3 while reading, all
// others at once.
func verifyAny(v *Verifier, r *http.Request, body []byte) ([]byte, error) {
	c, err := Parse(r)
	if err != nil {
		return nil, err
	}
	if c.s3() {
		return verifyStream(v, r)
	}
	return body, verify(v, r, body)
}

func TestBotocore(t *testing.T) {
	g := readGolden(t, "testdata/botocore.json")
	for _, c := range g.Cases {
		t.Run(c.Name, func(t *testing.T) {
			head, body := c.wire()
			r, err := parseWire(head, body)
			if err != nil {
				t.Fatal(err)
			}
			got, err := verifyAny(g.verifier(c), r, body)
			if err != nil {
				t.Fatalf("%v\n%s", err, head)
			}
			if strings.HasSuffix(c.Name, " stream") && string(got) != "streamed body" {
				t.Fatalf("decoded %q", got)
			}
		})
	}
}
