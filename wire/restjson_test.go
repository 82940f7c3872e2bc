package wire

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	awssigner "neargate/aws/signer"
	"neargate/wire/shape"
	"neargate/wire/sigv4"
)

// signerAPI answers what it understood of the requests in a member of the answers.
type signerAPI struct{ awssigner.API }

func (signerAPI) ListSigningProfiles(_ context.Context, in *awssigner.ListSigningProfilesInput) (*awssigner.ListSigningProfilesOutput, error) {
	return &awssigner.ListSigningProfilesOutput{NextToken: new(fmt.Sprint(in.Statuses, *in.IncludeCanceled, *in.MaxResults))}, nil
}

func (signerAPI) GetRevocationStatus(_ context.Context, in *awssigner.GetRevocationStatusInput) (*awssigner.GetRevocationStatusOutput, error) {
	return &awssigner.GetRevocationStatusOutput{RevokedEntities: append(in.CertificateHashes, in.SignatureTimestamp.Format(time.RFC3339))}, nil
}

func (signerAPI) PutSigningProfile(_ context.Context, in *awssigner.PutSigningProfileInput) (*awssigner.PutSigningProfileOutput, error) {
	return &awssigner.PutSigningProfileOutput{Arn: new(*in.ProfileName + " " + *in.PlatformId + " " + in.Tags["k"])}, nil
}

func (signerAPI) ListTagsForResource(_ context.Context, in *awssigner.ListTagsForResourceInput) (*awssigner.ListTagsForResourceOutput, error) {
	return &awssigner.ListTagsForResourceOutput{Tags: map[string]string{"of": *in.ResourceArn}}, nil
}

func (signerAPI) CancelSigningProfile(context.Context, *awssigner.CancelSigningProfileInput) (*awssigner.CancelSigningProfileOutput, error) {
	return &awssigner.CancelSigningProfileOutput{}, nil
}

func (signerAPI) GetSigningProfile(_ context.Context, in *awssigner.GetSigningProfileInput) (*awssigner.GetSigningProfileOutput, error) {
	return nil, awssigner.ResourceNotFoundException("profile with name " + *in.ProfileName + " does not exist")
}

func TestRestJSON(t *testing.T) {
	s := server(func(c *Config) { c.Services = append(c.Services, awssigner.Describe(signerAPI{})) })
	with := sigv4.Credentials{AccessKeyID: "AKIAONE", Secret: "secret one"}
	ask := func(method, path, body string) *http.Request {
		r := post(path, body)
		r.Method = method
		sigv4.Sign(r, []byte(body), with, "signer", "us-east-1", now)
		return r
	}
	const profile = "/signing-profiles/one"
	arn := "arn:aws:signer:us-east-1:123456789012:/signing-profiles/one"
	revocations := "/revocations?platformId=p&jobArn=" + url.QueryEscape(strings.Repeat("j", 20)) + "&profileVersionArn=" + strings.Repeat("v", 20) +
		"&certificateHashes=a&certificateHashes=b&signatureTimestamp="
	unsigned := post(profile, "")
	unsigned.Method, unsigned.Host = http.MethodGet, "signer.us-east-1.amazonaws.com"
	for _, tt := range []struct {
		name    string
		request *http.Request
		status  int
		code    string
		body    string
	}{
		{"lists in the query", ask("GET", "/signing-profiles?statuses=Active&statuses=Revoked&includeCanceled=true&maxResults=7", ""), 200, "", `{"nextToken":"[Active Revoked] true 7"}`},
		{"times in the query", ask("GET", revocations+"2026-03-01T12:00:00Z", ""), 200, "", `{"revokedEntities":["a","b","2026-03-01T12:00:00Z"]}`},
		{"a label and a body", ask("PUT", profile, `{"platformId":"p","tags":{"k":"v"}}`), 200, "", `{"arn":"one p v"}`},
		{"a label is not in the body", ask("PUT", profile, `{"profileName":"other","platformId":"p"}`), 200, "", `{"arn":"one p "}`},
		{"an escaped label", ask("GET", "/tags/"+url.PathEscape(arn), ""), 200, "", `{"tags":{"of":"` + arn + `"}}`},
		{"no output", ask("DELETE", profile, ""), 200, "", ""},
		{"an error", ask("GET", profile, ""), 404, "ResourceNotFoundException", `{"message":"profile with name one does not exist"}`},
		{"incomplete", ask("PUT", profile, `{}`), 400, "ValidationException", `{"message":"1 validation error detected: Value null at 'platformId' failed to satisfy constraint: Member must not be null"}`},
		{"a bad label", ask("GET", "/signing-profiles/a-b", ""), 400, "ValidationException", `{"message":"1 validation error detected: Value 'a-b' at 'profileName' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[a-zA-Z0-9_]{2,}"}`},
		{"no number", ask("GET", "/signing-profiles?maxResults=many", ""), 400, "SerializationException", `{"message":"Invalid value 'many' of parameter 'maxResults'"}`},
		{"no time", ask("GET", revocations+"yesterday", ""), 400, "SerializationException", `{"message":"Invalid value 'yesterday' of parameter 'signatureTimestamp'"}`},
		{"no JSON", ask("PUT", profile, `x`), 400, "SerializationException", `{}`},
		{"another type", ask("PUT", profile, `{"platformId":1}`), 400, "SerializationException", `{"Message":"NUMBER_VALUE can not be converted to a String"}`},
		{"unsigned", unsigned, 403, "MissingAuthenticationTokenException", `{"message":"Missing Authentication Token"}`},
		{"an operation that is not here", ask("POST", "/signing-jobs", "{}"), 404, "", notHereBody},
		{"nowhere", ask("GET", "/nothing", ""), 404, "", notHereBody},
	} {
		w := do(t, s, tt.request)
		if w.Code != tt.status || w.Body.String() != tt.body || w.Header().Get("X-Amzn-ErrorType") != tt.code {
			t.Errorf("%s: %d %q %s", tt.name, w.Code, w.Header().Get("X-Amzn-ErrorType"), w.Body)
		}
		if tt.body != notHereBody && w.Header().Get("Content-Type") != "application/json" || requestID(w) == "" {
			t.Errorf("%s: %v", tt.name, w.Header())
		}
	}
	with.Secret = "guess"
	if w := do(t, s, ask("GET", profile, "")); w.Code != 403 || w.Header().Get("X-Amzn-ErrorType") != "InvalidSignatureException" || !json.Valid(w.Body.Bytes()) {
		t.Errorf("with a wrong signature: %d %v %s", w.Code, w.Header(), w.Body)
	}
	open := server(func(c *Config) {
		c.Services, c.NoAuth = []shape.Service{awssigner.Describe(signerAPI{})}, true
	})
	plain := post("/signing-profiles/one", `{"platformId":"p"}`)
	plain.Method, plain.Host = http.MethodPut, "signer.eu-west-1.amazonaws.com"
	if w := do(t, open, plain); w.Code != 200 {
		t.Errorf("by its host's name, where no signature is needed: %d %s", w.Code, w.Body)
	}
}

type storeInput struct {
	Name   *string           `aws:"name,required" http:"label=name"`
	Kind   *string           `aws:"kind" http:"header=X-Kind"`
	Others map[string]string `aws:"others" http:"params"`
	Data   []byte            `aws:"data" http:"payload"`
}

type storeOutput struct {
	Status *int32  `aws:"status" http:"status"`
	Where  *string `aws:"where" http:"header=Location"`
	Text   *string `aws:"text" http:"payload"`
}

// TestRestJSONPlaces: members that are the whole body, headers, the status and what else
// is in the query.
func TestRestJSONPlaces(t *testing.T) {
	places := shape.Service{ID: "places", SigningName: "places", Endpoint: "places", Protocol: shape.RestJSON, Operations: []shape.Operation{
		shape.Op("Store", func(_ context.Context, in *storeInput) (*storeOutput, error) {
			out := &storeOutput{Where: in.Name, Text: new(fmt.Sprint(*in.Kind, " ", in.Others, " ", string(in.Data)))}
			if in.Data == nil {
				out.Status, out.Text = new(int32(202)), nil
			}
			return out, nil
		}).At("PUT", "/things/{name}", 201),
	}}
	s := server(func(c *Config) { c.Services, c.NoAuth = []shape.Service{places}, true })
	for body, want := range map[string]string{
		`{"raw":1}`: `201 a b "k map[x:1] {\"raw\":1}"`,
		"":          `202 a b ""`,
	} {
		r := post("/things/a%20b?x=1", body, "X-Kind", "k")
		r.Method, r.Host = http.MethodPut, "places.us-east-1.localhost"
		w := do(t, s, r)
		if got := fmt.Sprintf("%d %s %q", w.Code, w.Header().Get("Location"), w.Body); got != want {
			t.Errorf("%q: %s, want %s", body, got, want)
		}
	}
}
