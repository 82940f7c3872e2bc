package s3

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"neargate/auth"
)

const (
	customer = "X-Amz-Server-Side-Encryption-Customer-"
	copied   = "X-Amz-Copy-Source-Server-Side-Encryption-Customer-"
)

// with are the headers of a customer's key.
func with(headers, key string) []string {
	sum := md5.Sum([]byte(key))
	return []string{headers + "Algorithm: AES256", headers + "Key: " + base64.StdEncoding.EncodeToString([]byte(key)), headers + "Key-Md5: " + base64.StdEncoding.EncodeToString(sum[:])}
}

var one, two = strings.Repeat("1", 32), strings.Repeat("2", 32)

// blocking is the encryption of a bucket that blocks a kind of it.
func blocking(kind string) string {
	return `<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault>` + kind + `</Rule></ServerSideEncryptionConfiguration>`
}

const (
	blocked   = "<BlockedEncryptionTypes><EncryptionType>SSE-C</EncryptionType></BlockedEncryptionTypes>"
	unblocked = "<BlockedEncryptionTypes><EncryptionType>NONE</EncryptionType></BlockedEncryptionTypes>"
)

// unblocked makes a bucket that lets writers use keys of their own.
func (w *world) unblocked() {
	w.t.Helper()
	w.must(w.do("root", "PUT /bkt", ""), 200, "")
	w.must(w.do("root", "PUT /bkt?encryption", blocking(unblocked)), 200, "")
}

// TestCustomerKeysBlocked has a bucket block such keys until it is told not to, and what
// is there stays readable.
func TestCustomerKeysBlocked(t *testing.T) {
	w := newWorld(t)
	w.must(w.do("root", "PUT /bkt", ""), 200, "")
	w.must(w.do("root", "GET /bkt?encryption", ""), 200, blocked)
	key := with(customer, one)
	w.must(w.do("root", "PUT /bkt/k", "x", key...), 403, "<Code>AccessDenied</Code>")
	w.must(w.do("root", "POST /bkt/k?uploads", "", key...), 403, "<Code>AccessDenied</Code>")
	for _, bad := range []string{"<BlockedEncryptionTypes></BlockedEncryptionTypes>", strings.Replace(blocked, "SSE-C", "SSE-S3", 1), strings.Replace(blocked, "<Enc", "<EncryptionType>NONE</EncryptionType><Enc", 1)} {
		w.must(w.do("root", "PUT /bkt?encryption", blocking(bad)), 400, "<Code>MalformedXML</Code>")
	}
	w.must(w.do("root", "PUT /bkt?encryption", blocking(unblocked)), 200, "")
	w.must(w.do("root", "PUT /bkt?encryption", blocking("")), 200, "")
	w.must(w.do("root", "GET /bkt?encryption", ""), 200, unblocked)
	w.must(w.do("root", "PUT /bkt/k", "x", key...), 200, "")
	w.must(w.do("root", "PUT /bkt?encryption", blocking(blocked)), 200, "")
	w.must(w.do("root", "PUT /bkt/k", "y", key...), 403, "")
	w.must(w.do("root", "GET /bkt/k", "", key...), 200, "x")
	w.must(w.do("root", "PUT /bkt?encryption", blocking(unblocked)), 200, "")
	w.must(w.do("root", "DELETE /bkt?encryption", ""), 204, "")
	w.must(w.do("root", "GET /bkt?encryption", ""), 200, blocked)
}

// TestCustomerKeys writes, reads and copies with keys that the customer keeps.
func TestCustomerKeys(t *testing.T) {
	w := newWorld(t)
	w.unblocked()
	long := strings.Repeat("a secret of some length ", 20000)
	for name, text := range map[string]string{"small": "a short secret", "large": long} {
		put := w.must(w.do("root", "PUT /bkt/"+name, text, with(customer, one)...), 200, "", customer+"Algorithm: AES256")
		if sum := md5.Sum([]byte(text)); strings.Contains(put.header.Get("Etag"), hex.EncodeToString(sum[:])) || put.header.Get("X-Amz-Server-Side-Encryption") != "" {
			t.Error(put.header)
		}
		if put.header.Get(customer+"Key-Md5") == "" {
			t.Error(put.header)
		}
		w.must(w.do("root", "GET /bkt/"+name, "", with(customer, one)...), 200, text)
		w.must(w.do("root", "GET /bkt/"+name, "", append(with(customer, one), "Range: bytes=2-6")...), 206, text[2:7])
		w.must(w.do("root", "HEAD /bkt/"+name, "", with(customer, one)...), 200, "", customer+"Algorithm: AES256")
		for _, method := range []string{"GET", "HEAD"} {
			w.must(w.do("root", method+" /bkt/"+name, ""), 400, "")
			w.must(w.do("root", method+" /bkt/"+name, "", with(customer, two)...), 403, "")
		}
		w.must(w.do("root", "GET /bkt/"+name, ""), 400, "<Code>InvalidRequest</Code><Message>The object was stored using a form of Server Side Encryption.")
		w.must(w.do("root", "GET /bkt/"+name, "", with(customer, two)...), 403, "<Code>AccessDenied</Code>")
		w.must(w.do("root", "GET /bkt/"+name+"?attributes", "", "X-Amz-Object-Attributes: ObjectSize"), 400, "<Code>InvalidRequest</Code>")
	}
	for _, text := range []string{"a secret of some", "a short secret", one, base64.StdEncoding.EncodeToString([]byte(one))} {
		if w.onDisk(text) {
			t.Errorf("%q is on disk", text)
		}
	}

	// Copies: the key of what is copied, and that of the copy.
	from := "X-Amz-Copy-Source: /bkt/large"
	w.must(w.do("root", "PUT /bkt/copy", "", from), 400, "<Code>InvalidRequest</Code>")
	w.must(w.do("root", "PUT /bkt/copy", "", append(with(customer, one), from)...), 400, "<Code>InvalidRequest</Code>")
	w.must(w.do("root", "PUT /bkt/copy", "", append(with(copied, two), from)...), 403, "<Code>AccessDenied</Code>")
	w.must(w.do("root", "PUT /bkt/copy", "", append(with(copied, one), from)...), 200, "", "X-Amz-Server-Side-Encryption: AES256")
	w.must(w.do("root", "GET /bkt/copy", ""), 200, long)
	w.must(w.do("root", "GET /bkt/copy", "", with(customer, one)...), 400, "<Code>InvalidRequest</Code><Message>The encryption parameters are not applicable to this object.</Message>")
	w.must(w.do("root", "PUT /bkt/copy", "", append(with(customer, two), "X-Amz-Copy-Source: /bkt/copy")...), 200, "")
	w.must(w.do("root", "GET /bkt/copy", "", with(customer, two)...), 200, long)
	rekeyed := slices.Concat(with(copied, one), with(customer, two), []string{from})
	w.must(w.do("root", "PUT /bkt/large", "", rekeyed...), 200, "")
	w.must(w.do("root", "GET /bkt/large", "", with(customer, two)...), 200, long)
	w.must(w.do("root", "GET /bkt/large", "", with(customer, one)...), 403, "")
	if _, err := w.inside.Get(t.Context(), auth.CallerFrom(w.caller("root")), "bkt", "large", ""); Refusal(err) != "InvalidRequest" {
		t.Error(err)
	}
}

// TestCustomerKeyOfUpload has all parts of an upload encrypted with one key.
func TestCustomerKeyOfUpload(t *testing.T) {
	w := newWorld(t)
	w.unblocked()
	part := strings.Repeat("part of a secret", 5<<16)
	w.must(w.do("root", "PUT /bkt/source", part, with(customer, two)...), 200, "")
	begun := element(w.must(w.do("root", "POST /bkt/k?uploads", "", with(customer, one)...), 200, "", customer+"Algorithm: AES256"), "UploadId")
	at := "PUT /bkt/k?uploadId=" + begun + "&partNumber="
	w.must(w.do("root", at+"1", part), 400, "The multipart upload initiate requested encryption.")
	w.must(w.do("root", at+"1", part, with(customer, two)...), 400, "The provided encryption parameters did not match the ones used originally.")
	etags := []string{w.must(w.do("root", at+"1", part, with(customer, one)...), 200, "", customer+"Algorithm: AES256").header.Get("Etag")}
	from := "X-Amz-Copy-Source: /bkt/source"
	w.must(w.do("root", at+"2", "", append(with(customer, one), from)...), 400, "<Code>InvalidRequest</Code>")
	w.must(w.do("root", at+"2", "", append(with(copied, two), from)...), 400, "<Code>InvalidRequest</Code>")
	etags = append(etags, element(w.must(w.do("root", at+"2", "", slices.Concat(with(copied, two), with(customer, one), []string{from})...), 200, ""), "ETag"))
	done := "<CompleteMultipartUpload>"
	for i, etag := range etags {
		done += "<Part><PartNumber>" + string(rune('1'+i)) + "</PartNumber><ETag>" + strings.ReplaceAll(etag, "&#34;", "") + "</ETag></Part>"
	}
	w.must(w.do("root", "POST /bkt/k?uploadId="+begun, done+"</CompleteMultipartUpload>"), 200, "")
	w.must(w.do("root", "GET /bkt/k", "", with(customer, one)...), 200, part+part)
	w.must(w.do("root", "GET /bkt/k?partNumber=2", "", with(customer, one)...), 206, part)
	w.must(w.do("root", "GET /bkt/k", "", with(customer, two)...), 403, "")
	w.must(w.do("root", "GET /bkt/k", ""), 400, "")
	plain := element(w.must(w.do("root", "POST /bkt/k?uploads", ""), 200, ""), "UploadId")
	w.must(w.do("root", "PUT /bkt/k?partNumber=1&uploadId="+plain, "x", with(customer, one)...), 400, "The encryption parameters are not applicable to this object.")
}

// TestCustomerHeaders refuses what is no key, and keeps what was there.
func TestCustomerHeaders(t *testing.T) {
	w := newWorld(t)
	w.unblocked()
	w.must(w.do("root", "PUT /bkt/k", "before"), 200, "")
	good := with(customer, one)
	for _, tt := range []struct {
		headers []string
		text    string
	}{
		{good[:1], "must provide an appropriate secret key."},
		{good[:2], "must provide the client calculated MD5 of the secret key."},
		{good[1:], "must provide a valid encryption algorithm."},
		{append([]string{customer + "Algorithm: AES128"}, good[1:]...), "must provide a valid encryption algorithm."},
		{with(customer, "short"), "The secret key was invalid for the specified algorithm."},
		{[]string{good[0], customer + "Key: %", good[2]}, "The secret key was invalid for the specified algorithm."},
		{[]string{good[0], good[1], with(customer, two)[2]}, "The calculated MD5 hash of the key did not match the hash that was provided."},
		{append([]string{"X-Amz-Server-Side-Encryption: AES256"}, good...), "is incompatible with the encryption method specified"},
		{append([]string{kmsHeader}, good...), "is incompatible with the encryption method specified"},
	} {
		w.must(w.do("root", "PUT /bkt/k", "after", tt.headers...), 400, "<Code>InvalidArgument</Code>")
		w.must(w.do("root", "PUT /bkt/k", "after", tt.headers...), 400, tt.text)
		w.must(w.do("root", "GET /bkt/k", ""), 200, "before")
	}
}
