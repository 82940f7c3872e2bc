package client_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"neargate/wire/client"
	"neargate/wire/shape"
	"neargate/wire/sigv4"
)

type request struct {
	Names []string `aws:"Names"`
	Deep  *bool    `aws:"WithDecryption"`
}

type answer struct {
	Values map[string]string `aws:"Values"`
	At     *time.Time        `aws:"At"`
}

// to sends every request to one server.
type to struct{ server *httptest.Server }

func (t to) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Host, r.URL.Scheme, r.URL.Host = r.URL.Host, "http", strings.TrimPrefix(t.server.URL, "http://")
	return http.DefaultTransport.RoundTrip(r)
}

type key struct{ sigv4.Credentials }

func (k key) Key(_ context.Context, id, token string) (sigv4.Key, error) {
	if id != k.AccessKeyID || token != k.Token {
		return sigv4.Key{}, sigv4.ErrUnknownKey
	}
	return sigv4.Key{Secret: k.Secret}, nil
}

func TestCall(t *testing.T) {
	with := sigv4.Credentials{AccessKeyID: "ASIAEXAMPLE", Secret: "s", Token: "t"}
	now := func() time.Time { return time.Unix(1_790_000_000, 0) }
	verifier := sigv4.NewVerifier(key{with}, now)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		claim, err := sigv4.Parse(r)
		if err == nil {
			_, err = verifier.Verify(r.Context(), r, claim, body)
		}
		w.Header()["x-amzn-RequestId"] = []string{"id-1"}
		switch {
		case err != nil:
			t.Error(err)
			w.WriteHeader(http.StatusForbidden)
		case r.Host != "ssm.eu-west-1.amazonaws.com" || r.Header.Get("X-Amz-Target") != "AmazonSSM.GetParameters" || claim.Region != "eu-west-1":
			t.Errorf("%s %v", r.Host, r.Header)
		case strings.Contains(string(body), "refuse"):
			w.WriteHeader(http.StatusBadRequest)
			io.WriteString(w, `{"__type":"com.example#AccessDeniedException","Message":"no"}`)
		case strings.Contains(string(body), "break"):
			w.WriteHeader(http.StatusBadGateway)
			io.WriteString(w, `<html>`)
		case string(body) != `{"Names":["a"],"WithDecryption":true}`:
			t.Errorf("%s", body)
		default:
			io.WriteString(w, `{"Values":{"a":"1"},"At":1790000000.5}`)
		}
	}))
	defer server.Close()
	c := client.Client{HTTP: to{server}, Plans: shape.NewPlans(), UserAgent: "test", Now: now}
	ssm := client.API{Name: "ssm", Host: "ssm", Target: "AmazonSSM", Version: "1.1"}
	var out answer
	if err := c.Call(t.Context(), ssm, "eu-west-1", "GetParameters", with, &request{Names: []string{"a"}, Deep: new(true)}, &out); err != nil {
		t.Fatal(err)
	}
	at := time.UnixMilli(1_790_000_000_500).UTC()
	if !reflect.DeepEqual(out.Values, map[string]string{"a": "1"}) || !out.At.Equal(at) {
		t.Errorf("%+v", out)
	}
	for name, want := range map[string]client.Refusal{
		"refuse": {Code: "AccessDeniedException", Message: "no", RequestID: "id-1", Status: 400},
		"break":  {Code: "Bad Gateway", RequestID: "id-1", Status: 502},
	} {
		err := c.Call(t.Context(), ssm, "eu-west-1", "GetParameters", with, &request{Names: []string{name}}, &out)
		if r, ok := errors.AsType[*client.Refusal](err); !ok || *r != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	server.Close()
	err := c.Call(t.Context(), ssm, "cn-north-1", "GetParameters", with, &request{}, &out)
	if u, ok := errors.AsType[*client.Unreachable](err); !ok || !strings.HasPrefix(u.Error(), `Post "https://ssm.cn-north-1.amazonaws.com.cn/": dial tcp 127.0.0.1:`) {
		t.Errorf("%v", err)
	}
}
