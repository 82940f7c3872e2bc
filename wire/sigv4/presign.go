package sigv4

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Signer is what a presigned URL is signed with.
type Signer struct {
	AccessKeyID, Secret string
	Region, Service     string
}

// Presign signs the URL of a request that anybody may make until it expires, with
// any headers but the host's unsigned and any body.
func (s Signer) Presign(method string, u *url.URL, now time.Time, expires time.Duration) {
	c := &Claim{
		AccessKeyID: s.AccessKeyID, Region: s.Region, Service: s.Service, Presigned: true,
		date: now.UTC().Format(basicDate), stamp: now.UTC().Format(basicTime),
		signedHeaders: []string{"host"}, headerList: "host",
	}
	q := u.Query()
	q.Set("X-Amz-Algorithm", algorithm)
	q.Set("X-Amz-Credential", s.AccessKeyID+"/"+c.scope())
	q.Set("X-Amz-Date", c.stamp)
	q.Set("X-Amz-Expires", strconv.FormatInt(int64(expires/time.Second), 10))
	q.Set("X-Amz-SignedHeaders", c.headerList)
	u.RawQuery = q.Encode()
	r := &http.Request{Method: method, URL: u, Host: u.Host}
	payload := emptyHash
	if c.s3() {
		payload = unsignedPayload
	}
	sum := sha256.Sum256(appendCanonical(nil, r, c, payload, variant{barePort: true}))
	key := derive(keyName{s.AccessKeyID, s.Secret, c.date, s.Region, s.Service})
	u.RawQuery += "&X-Amz-Signature=" + hex.EncodeToString(mac(key, appendStringToSign(nil, c, sum)))
}
