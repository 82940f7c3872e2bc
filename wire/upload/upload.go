// Package upload writes an object to Amazon S3 as any SDK does: signed requests over
// the network, and in parts where there is more than fits in one.
package upload

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"neargate/wire/sigv4"
)

// PartSize is how much is sent at a time, in bytes. Amazon S3 takes 10,000 parts.
const PartSize = 16 << 20

// Bucket is where objects are written to.
type Bucket struct {
	HTTP     http.RoundTripper
	Endpoint string // http://host:port
	Name     string
	Region   string // that is asked where the bucket is
	With     sigv4.Credentials
	Now      func() time.Time
}

// Put writes what body has under a key. Nothing is there if it fails, but perhaps
// what was before.
func (b Bucket) Put(ctx context.Context, key, contentType string, body io.Reader) error {
	if err := b.find(ctx); err != nil {
		return err
	}
	first, more, err := part(body)
	if err != nil {
		return err
	}
	if !more {
		_, err := b.call(ctx, http.MethodPut, key, nil, contentType, first)
		return err
	}
	return b.parts(ctx, key, contentType, first, body)
}

// find learns the bucket's region.
func (b *Bucket) find(ctx context.Context) error {
	resp, err := b.send(ctx, http.MethodHead, "", nil, "", nil)
	if err != nil {
		return err
	}
	resp.Body.Close()
	if region := resp.Header.Get("X-Amz-Bucket-Region"); region != "" {
		b.Region = region
		return nil
	}
	if resp.StatusCode == http.StatusNotFound {
		return fmt.Errorf("there is no bucket %s", b.Name)
	}
	return fmt.Errorf("bucket %s: %s", b.Name, resp.Status)
}

// parts uploads what comes in parts, which become the object at the end.
func (b Bucket) parts(ctx context.Context, key, contentType string, first []byte, body io.Reader) (err error) {
	answer, err := b.call(ctx, http.MethodPost, key, url.Values{"uploads": {""}}, contentType, nil)
	if err != nil {
		return err
	}
	var begun struct{ UploadId string }
	if err := xml.Unmarshal(answer.body, &begun); err != nil || begun.UploadId == "" {
		return fmt.Errorf("an upload has no id: %w", err)
	}
	upload := url.Values{"uploadId": {begun.UploadId}}
	defer func() {
		if err != nil {
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
			defer cancel()
			_, gone := b.call(last, http.MethodDelete, key, upload, "", nil)
			err = errors.Join(err, gone)
		}
	}()
	var done struct {
		XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ CompleteMultipartUpload"`
		Part    []sent
	}
	for n, piece, more := 1, first, true; ; n++ {
		answer, err := b.call(ctx, http.MethodPut, key, url.Values{"partNumber": {strconv.Itoa(n)}, "uploadId": upload["uploadId"]}, "", piece)
		if err != nil {
			return err
		}
		done.Part = append(done.Part, sent{answer.tag, n})
		if !more {
			break
		}
		if piece, more, err = part(body); err != nil {
			return err
		}
		if len(piece) == 0 {
			break
		}
	}
	text, err := xml.Marshal(done)
	if err != nil {
		return err
	}
	_, err = b.call(ctx, http.MethodPost, key, upload, "", text)
	return err
}

type sent struct {
	ETag       string
	PartNumber int
}

// part reads the next part; more says that it is full.
func part(body io.Reader) (b []byte, more bool, err error) {
	var piece bytes.Buffer
	n, err := io.CopyN(&piece, body, PartSize)
	if err == io.EOF {
		err = nil
	}
	return piece.Bytes(), n == PartSize, err
}

type answer struct {
	body []byte
	tag  string
}

// maxAnswer bounds an answer, in bytes.
const maxAnswer = 1 << 20

// call sends a request and reads an answer, which is an error unless it is success.
func (b Bucket) call(ctx context.Context, method, key string, query url.Values, contentType string, body []byte) (answer, error) {
	resp, err := b.send(ctx, method, key, query, contentType, body)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return answer{}, err
	}
	var refused struct {
		XMLName       xml.Name
		Code, Message string
	}
	_ = xml.Unmarshal(text, &refused) // what is no XML has no code
	if resp.StatusCode >= 300 || refused.XMLName.Local == "Error" {
		if refused.Code == "" {
			return answer{}, errors.New(resp.Status)
		}
		return answer{}, fmt.Errorf("%s: %s", refused.Code, refused.Message)
	}
	return answer{text, resp.Header.Get("Etag")}, nil
}

func (b Bucket) send(ctx context.Context, method, key string, query url.Values, contentType string, body []byte) (*http.Response, error) {
	path := "/" + b.Name
	if key != "" {
		path += "/" + key
	}
	u, err := url.Parse(b.Endpoint)
	if err != nil {
		return nil, err
	}
	u.Path, u.RawPath, u.RawQuery = path, escape(path), query.Encode()
	r, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	sigv4.Sign(r, body, b.With, "s3", b.Region, b.Now())
	return b.HTTP.RoundTrip(r)
}

// escape writes a path with its slashes as they are.
func escape(path string) string {
	parts := strings.Split(path, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return strings.Join(parts, "/")
}
