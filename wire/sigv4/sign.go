package sigv4

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Credentials are what a request is signed with. The token is empty for long-term
// keys.
type Credentials struct{ AccessKeyID, Secret, Token string }

// Sign signs a request with the given body for a service in a region: it sets
// X-Amz-Date, X-Amz-Content-Sha256 where S3 wants it, X-Amz-Security-Token and
// Authorization. All headers that are there are signed, and Host.
func Sign(r *http.Request, body []byte, with Credentials, service, region string, at time.Time) {
	at = at.UTC()
	c := &Claim{
		AccessKeyID: with.AccessKeyID, Region: region, Service: service,
		date: at.Format(basicDate), stamp: at.Format(basicTime),
	}
	sum := sha256.Sum256(body)
	payload := hex.EncodeToString(sum[:])
	r.Header.Set("X-Amz-Date", c.stamp)
	if c.s3() {
		r.Header.Set("X-Amz-Content-Sha256", payload)
	}
	if with.Token != "" {
		r.Header.Set("X-Amz-Security-Token", with.Token)
	}
	if r.Host == "" {
		r.Host = r.URL.Host
	}
	c.signedHeaders = append(c.signedHeaders, "host")
	for name := range r.Header {
		if name != "User-Agent" && name != "Authorization" {
			c.signedHeaders = append(c.signedHeaders, strings.ToLower(name))
		}
	}
	slices.Sort(c.signedHeaders)
	c.headerList = strings.Join(c.signedHeaders, ";")
	canonical := sha256.Sum256(appendCanonical(nil, r, c, payload, variant{}))
	key := derive(keyName{with.AccessKeyID, with.Secret, c.date, region, service})
	signature := hex.EncodeToString(mac(key, appendStringToSign(nil, c, canonical)))
	r.Header.Set("Authorization", algorithm+" Credential="+with.AccessKeyID+"/"+c.scope()+
		", SignedHeaders="+c.headerList+", Signature="+signature)
}

// SignText is the signature of a text, such as a policy in a form, by the key for a day
// (as 20060102), a region and a service.
func SignText(secret, day, region, service, text string) string {
	return hex.EncodeToString(mac(derive(keyName{secret: secret, date: day, region: region, service: service}), []byte(text)))
}
