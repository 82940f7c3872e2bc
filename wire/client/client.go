// Package client calls the JSON APIs of AWS as any SDK does: one signed request
// over the network.
package client

import (
	"bytes"
	"context"
	stdjson "encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"time"

	"neargate/wire/json"
	"neargate/wire/shape"
	"neargate/wire/sigv4"
)

// API is one of AWS's JSON APIs.
type API struct {
	Name    string // the SigV4 service, e.g. "logs"
	Host    string // the first labels of its host name, e.g. "api.ecr"
	Target  string // prefix of X-Amz-Target
	Version string // of the JSON protocol: 1.0 or 1.1
}

// Client makes calls.
type Client struct {
	HTTP      http.RoundTripper
	Plans     *shape.Plans
	UserAgent string
	Now       func() time.Time
}

// Refusal is an answer of AWS that is not success.
type Refusal struct {
	Code, Message, RequestID string
	Status                   int
}

// Error implements error.
func (r *Refusal) Error() string { return r.Code + ": " + r.Message }

// maxAnswer bounds an answer, in bytes.
const maxAnswer = 16 << 20

// URL is where an API answers in a region.
func (a API) URL(region string) string {
	domain := ".amazonaws.com/"
	if strings.HasPrefix(region, "cn-") {
		domain = ".amazonaws.com.cn/"
	}
	return "https://" + a.Host + "." + region + domain
}

// Call calls an operation with the input that in points to, and fills what out
// points to. It returns a *Refusal for what AWS answers, and an *Unreachable when
// nothing answers.
func (c *Client) Call(ctx context.Context, a API, region, operation string, with sigv4.Credentials, in, out any) error {
	body := json.Append(nil, c.Plans.Of(reflect.TypeOf(in).Elem()), in)
	url := a.URL(region)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-amz-json-"+a.Version)
	r.Header.Set("X-Amz-Target", a.Target+"."+operation)
	r.Header.Set("User-Agent", c.UserAgent)
	sigv4.Sign(r, body, with, a.Name, region, c.Now())
	resp, err := c.HTTP.RoundTrip(r)
	if err != nil {
		return &Unreachable{Method: "Post", URL: url, Err: err}
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return &Unreachable{Method: "Post", URL: url, Err: err}
	case len(answer) > maxAnswer:
		return fmt.Errorf("%s: an answer of more than %d bytes", operation, maxAnswer)
	case resp.StatusCode >= 300:
		return refusal(resp, answer)
	case out == nil || len(answer) == 0:
		return nil
	}
	return json.Read(answer, c.Plans.Of(reflect.TypeOf(out).Elem()), out)
}

// Unreachable says that no answer came.
type Unreachable struct {
	Method, URL string
	Err         error
}

// Error implements error, in the words of Go's HTTP client.
func (u *Unreachable) Error() string { return fmt.Sprintf("%s %q: %v", u.Method, u.URL, u.Err) }

// Unwrap returns why.
func (u *Unreachable) Unwrap() error { return u.Err }

func refusal(resp *http.Response, body []byte) *Refusal {
	var e struct {
		Type  string `json:"__type"`
		Lower string `json:"message"`
		Upper string `json:"Message"`
	}
	_ = stdjson.Unmarshal(body, &e) // what is no JSON has no code
	code := e.Type[strings.LastIndexByte(e.Type, '#')+1:]
	if code == "" {
		code = http.StatusText(resp.StatusCode)
	}
	message := e.Lower
	if message == "" {
		message = e.Upper
	}
	return &Refusal{Code: code, Message: message, RequestID: requestID(resp.Header), Status: resp.StatusCode}
}

// requestID is the id of the call. Its header has no canonical spelling where no
// network was in between.
func requestID(h http.Header) string {
	for name, v := range h {
		if strings.EqualFold(name, "x-amzn-RequestId") && len(v) > 0 {
			return v[0]
		}
	}
	return ""
}
