package wire

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	awssigner "neargate/aws/signer"
	"neargate/wire/shape"
	"neargate/wire/sigv4"
)

// recorded is a file of requests signed by botocore; e2e/sigv4 writes it.
type recorded struct {
	Now, Key, Secret string
	Cases            []struct {
		Name, Method, Target, Body, Token string
		Headers                           [][2]string
	}
}

type recordedKey struct{ id, secret string }

func (k recordedKey) Key(_ context.Context, id, _ string) (sigv4.Key, error) {
	if id != k.id {
		return sigv4.Key{}, sigv4.ErrUnknownKey
	}
	return sigv4.Key{Secret: k.secret, Account: "123456789012", Principal: "botocore"}, nil
}

// recordedSigner answers what botocore asks AWS Signer for, and only that.
type recordedSigner struct{ awssigner.API }

func (recordedSigner) TagResource(_ context.Context, in *awssigner.TagResourceInput) (*awssigner.TagResourceOutput, error) {
	if *in.ResourceArn != "arn:aws:signer:eu-west-1:123456789012:/signing-profiles/a_b" || in.Tags["k"] != "é" {
		return nil, shape.Errorf("NotAsked", "%s %v", *in.ResourceArn, in.Tags)
	}
	return &awssigner.TagResourceOutput{}, nil
}

func (recordedSigner) ListSigningProfiles(_ context.Context, in *awssigner.ListSigningProfilesInput) (*awssigner.ListSigningProfilesOutput, error) {
	return &awssigner.ListSigningProfilesOutput{NextToken: new(fmt.Sprint(in.Statuses, *in.MaxResults))}, nil
}

// TestBotocoreClients takes what whole botocore clients send, header for header,
// through the front door.
func TestBotocoreClients(t *testing.T) {
	data, err := os.ReadFile("sigv4/testdata/botocore.json")
	if err != nil {
		t.Fatal(err)
	}
	var file recorded
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	at, err := time.Parse("20060102T150405Z", file.Now)
	if err != nil {
		t.Fatal(err)
	}
	s := server(func(c *Config) {
		c.Services = append(c.Services, awssigner.Describe(recordedSigner{}))
		c.Keys, c.Now = recordedKey{file.Key, file.Secret}, func() time.Time { return at }
	})
	want := map[string]string{
		"ecs list_clusters":           `{"clusterArns":["arn:of:botocore"]}`,
		"sts get_caller_identity":     "<Account>botocore</Account>",
		"ec2 describe_vpcs":           "<vpcId>vpc-1</vpcId>",
		"elbv2 describe_load":         "Could not find operation DescribeLoadBalancers for version 2015-12-01",
		"cloudwatch put_metric":       `{"__type":"UnknownOperationException"}`,
		"servicediscovery discover_i": `{"__type":"UnknownOperationException"}`,
		"signer tag_resource":         `{}`,
		"signer list_signing":         `{"nextToken":"[Active Revoked] 3"}`,
		"s3 get_object":               notHereBody,
	}
	seen := map[string]int{}
	for _, c := range file.Cases {
		name, ok := strings.CutPrefix(c.Name, "client http ")
		if !ok {
			name, ok = strings.CutPrefix(c.Name, "client https ")
		}
		for prefix, answer := range want {
			if !ok || !strings.HasPrefix(name, prefix) {
				continue
			}
			seen[prefix]++
			body, err := base64.StdEncoding.DecodeString(c.Body)
			if err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequest(c.Method, c.Target, bytes.NewReader(body))
			for _, h := range c.Headers {
				if h[0] == "Host" {
					r.Host = h[1]
				}
				r.Header.Set(h[0], h[1])
			}
			if w := do(t, s, r); !strings.Contains(w.Body.String(), answer) {
				t.Errorf("%s: %d %s", c.Name, w.Code, w.Body)
			}
		}
	}
	if len(seen) != len(want) {
		t.Errorf("only %v were recorded", seen)
	}
}

// FuzzFrontDoor sends requests nobody signed: none passes, none makes a service
// fail.
func FuzzFrontDoor(f *testing.F) {
	const auth = "AWS4-HMAC-SHA256 Credential=AKIAONE/20260901/us-east-1/%s/aws4_request, SignedHeaders=host, Signature=00"
	for _, service := range []string{"ecs", "sts", "ec2", "none"} {
		f.Add("POST", "/", "localhost", strings.Replace(auth, "%s", service, 1), "AmazonEC2ContainerServiceV20141113.ListClusters", "application/x-amz-json-1.1", "", "{}")
	}
	f.Add("GET", "/?Action=GetCallerIdentity&Version=2011-06-15", "sts.amazonaws.com", "", "", "", "", "")
	f.Add("POST", "/ecs", "ecs.us-east-1.localhost:4566", "x", "", "application/x-www-form-urlencoded", "gzip", "Action=DescribeVpcs&Version=2016-11-15")
	var passed []Request
	s := server(func(c *Config) { c.Gate = gate{seen: &passed} })
	f.Fuzz(func(t *testing.T, method, target, host, authorization, amzTarget, contentType, encoding, body string) {
		r, err := http.NewRequest(method, "http://localhost/", strings.NewReader(body))
		if err != nil || !strings.HasPrefix(target, "/") {
			return
		}
		if r.URL, err = r.URL.Parse(target); err != nil {
			return
		}
		r.Host = host
		for name, value := range map[string]string{"Authorization": authorization, "X-Amz-Target": amzTarget, "Content-Type": contentType,
			"Content-Encoding": encoding, "X-Amz-Date": "20260901T123045Z"} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		w := do(t, s, r)
		if w.Code < 400 || w.Code >= 500 || len(passed) > 0 {
			t.Errorf("%d %s, passed %+v", w.Code, w.Body, passed)
		}
	})
}
