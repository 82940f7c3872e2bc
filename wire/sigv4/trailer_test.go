package sigv4

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
)

// TestTrailerExample is the signed chunk upload with a trailing checksum of the
// Amazon S3 API Reference.
func TestTrailerExample(t *testing.T) {
	const signature = "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435"
	head := "PUT /examplebucket/chunkObject.txt HTTP/1.1\nHost: s3.amazonaws.com\nx-amz-date: 20130524T000000Z\n" +
		"x-amz-storage-class: REDUCED_REDUNDANCY\nx-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER\n" +
		"Content-Encoding: aws-chunked\nx-amz-decoded-content-length: 66560\nx-amz-trailer: x-amz-checksum-crc32c\n" +
		fmt.Sprintf(s3Auth, "content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class;x-amz-trailer",
			"106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e")
	body := "10000;chunk-signature=b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2\r\n" + strings.Repeat("a", 65536) + "\r\n" +
		"400;chunk-signature=1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7\r\n" + strings.Repeat("a", 1024) + "\r\n" +
		"0;chunk-signature=2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992\r\n" +
		"x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:" + signature + "\r\n\r\n"

	v := NewVerifier(oneKey{s3Key, s3Secret, ""}, at("20130524T000000Z"))
	read := func(body string) (string, error) {
		r, _ := request(t, head)
		r.Body = io.NopCloser(strings.NewReader(body))
		c, err := Parse(r)
		if err != nil {
			return "", err
		}
		_, b, err := v.VerifyStream(context.Background(), r, c)
		if err != nil {
			return "", err
		}
		if data, err := io.ReadAll(b); err != nil || len(data) != 66560 {
			return "", fmt.Errorf("%d bytes: %w", len(data), err)
		}
		return b.Trailer().Get("x-amz-checksum-crc32c"), nil
	}
	if got, err := read(body); err != nil || got != "sOO8/Q==" {
		t.Fatalf("%q, %v", got, err)
	}
	for name, change := range map[string][2]string{
		"checksum":           {"sOO8", "sOO9"},
		"trailer signature":  {signature, strings.Repeat("0", 64)},
		"no signature":       {"x-amz-trailer-signature:" + signature + "\r\n", ""},
		"no trailer":         {"x-amz-checksum-crc32c:sOO8/Q==\r\n", ""},
		"nothing":            {"x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:" + signature + "\r\n", ""},
		"undeclared trailer": {"x-amz-checksum-crc32c:", "x-evil:1\r\nx-amz-checksum-crc32c:"},
		"after signature":    {signature + "\r\n", signature + "\r\nx-amz-checksum-crc32c:AAAA\r\n"},
		"cut":                {"\r\n\r\n", "\r\n"},
	} {
		if _, err := read(strings.Replace(body, change[0], change[1], 1)); err == nil {
			t.Errorf("%s: verified", name)
		}
	}
}
