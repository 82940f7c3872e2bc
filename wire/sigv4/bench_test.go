package sigv4

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"testing"
)

// BenchmarkVerify verifies bodies of several sizes, with the signing key known
// from an earlier request and without. The floor is the hash of the body.
func BenchmarkVerify(b *testing.B) {
	const secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
	for _, size := range []int{1 << 10, 64 << 10, 1 << 20} {
		body := bytes.Repeat([]byte("x"), size)
		r, _ := request(b, "POST / HTTP/1.1\nHost: localhost:4566\nContent-Type: application/x-amz-json-1.1\nUser-Agent: bench\n"+
			"X-Amz-Date: 20260901T123045Z\nX-Amz-Target: AmazonEC2ContainerServiceV20141113.DescribeTasks\nContent-Length: 0")
		c := &Claim{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", Region: "ap-northeast-1", Service: "ecs", date: "20260901", terminator: terminator,
			stamp: "20260901T123045Z", headerList: "content-type;host;x-amz-date;x-amz-target",
			signedHeaders: []string{"content-type", "host", "x-amz-date", "x-amz-target"}}
		sum := sha256.Sum256(body)
		canonical := sha256.Sum256(appendCanonical(nil, r, c, hex.EncodeToString(sum[:]), variant{}))
		key := derive(keyName{c.AccessKeyID, secret, c.date, c.Region, c.Service})
		r.Header.Set("Authorization", fmt.Sprintf("AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%x",
			c.AccessKeyID, c.scope(), c.headerList, mac(key, appendStringToSign(nil, c, canonical))))
		run := func(name string, verify func(*http.Request) error) {
			b.Run(fmt.Sprintf("%s/%dKiB", name, size>>10), func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(size))
				for b.Loop() {
					if err := verify(r); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		v := NewVerifier(oneKey{c.AccessKeyID, secret, ""}, at("20260901T123045Z"))
		once := func(r *http.Request) error {
			claim, err := Parse(r)
			if err != nil {
				return err
			}
			_, err = v.Verify(context.Background(), r, claim, body)
			return err
		}
		run("cached", once)
		run("cold", func(r *http.Request) error {
			v.signing = newSigningKeys(1)
			return once(r)
		})
		run("floor", func(*http.Request) error { sum = sha256.Sum256(body); return nil })
	}
}
