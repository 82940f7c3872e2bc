package e2e

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"strings"
	"testing"
)

// TestRecordedForms holds what every JSON service answers to requests that are
// not of the form it knows.
func TestRecordedForms(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	const notHere = "<UnknownOperationException/>\n"
	zip := func(b []byte) []byte {
		var out bytes.Buffer
		w := gzip.NewWriter(&out)
		w.Write(b)
		w.Close()
		return out.Bytes()
	}
	header := func(name, value string) func(*http.Request, *[]byte) {
		return func(r *http.Request, _ *[]byte) {
			r.Header.Set(name, value)
			if value == "" {
				r.Header.Del(name)
			}
		}
	}
	body := func(b []byte, encoding string) func(*http.Request, *[]byte) {
		return func(r *http.Request, out *[]byte) {
			*out = b
			if encoding != "" {
				r.Header.Set("Content-Encoding", encoding)
			}
		}
	}
	const tooMany = `{"__type":"InvalidParameterException","message":"Max results can not be greater than 100"}`
	for _, tt := range []struct {
		source string
		op     string
		edit   func(*http.Request, *[]byte)
		status int
		body   string // the answer; a prefix where it ends in …
		mime   string // "" for the service's own
	}{
		{"operation that does not exist", "Bogus", nil, 400, `{"__type":"UnknownOperationException"}`, ""},
		{"operation that is not built", "ExecuteCommand", nil, 400, `{"__type":"UnknownOperationException"}`, ""},
		{"operation in another case", "listclusters", nil, 400, `{"__type":"UnknownOperationException"}`, ""},
		{"content type of JSON 1.0", "ListClusters", header("Content-Type", "application/x-amz-json-1.0"), 404, notHere, "application/xml"},
		{"other content type", "ListClusters", header("Content-Type", "application/json"), 404, notHere, "application/xml"},
		{"no content type", "ListClusters", header("Content-Type", ""), 404, notHere, "application/xml"},
		{"no target", "ListClusters", header("X-Amz-Target", ""), 404, notHere, "application/xml"},
		{"GET", "ListClusters", func(r *http.Request, b *[]byte) { r.Method, *b = http.MethodGet, nil }, 404, notHere, "application/xml"},
		{"content type with parameter", "ListClusters", header("Content-Type", "application/x-amz-json-1.1; charset=utf-8"), 200, `{"clusterArns":[]}`, ""},
		{"empty body", "ListClusters", body(nil, ""), 200, `{"clusterArns":[]}`, ""},
		{"null is absent, unknown members are ignored", "ListClusters", body([]byte(`{"maxResults":null,"bogus":{"a":[1,{"b":null}]},"nextToken":null}`), ""), 200, `{"clusterArns":[]}`, ""},
		{"exponents", "ListClusters", body([]byte(`{"maxResults":1.0E2}`), ""), 200, `{"clusterArns":[]}`, ""},
		{"escapes", "ListClusters", body([]byte(`{"max\u0052esults":101}`), ""), 400, tooMany, ""},
		{"gzip", "ListClusters", body(zip([]byte(`{"maxResults":101}`)), "gzip"), 400, tooMany, ""},
		{"gzip that is none", "ListClusters", body([]byte(`{}`), "gzip"), 400, `{"__type":"SerializationException"…`, ""},
		{"gzip cut short", "ListClusters", body(zip([]byte(`{"maxResults":101}`))[:20], "gzip"), 400, `{"__type":"SerializationException"…`, ""},
		{"gzip that grows too large", "ListClusters", body(zip(bytes.Repeat([]byte(" "), 16<<20)), "gzip"), 413, `{"__type":"RequestEntityTooLargeException"…`, ""},
		{"body too large", "ListClusters", body(bytes.Repeat([]byte(" "), 2<<20), ""), 413, `{"__type":"RequestEntityTooLargeException"…`, ""},
		{"number as string", "ListClusters", body([]byte(`{"maxResults":"5"}`), ""), 400, `{"__type":"SerializationException"…`, ""},
		{"string as number", "ListClusters", body([]byte(`{"nextToken":5}`), ""), 400, `{"__type":"SerializationException"…`, ""},
		{"number out of range", "ListClusters", body([]byte(`{"maxResults":2147483648}`), ""), 400, `{"__type":"SerializationException"…`, ""},
		{"list for a string", "DescribeClusters", body([]byte(`{"clusters":[["a"]]}`), ""), 400, `{"__type":"SerializationException"…`, ""},
		{"cut short", "ListClusters", body([]byte(`{"maxResults":`), ""), 400, `{"__type":"SerializationException"…`, ""},
		{"more after the end", "ListClusters", body([]byte(`{}{}`), ""), 400, `{"__type":"SerializationException"…`, ""},
		{"a list", "ListClusters", body([]byte(`[]`), ""), 400, `{"__type":"SerializationException"…`, ""},
		{"not UTF-8", "ListClusters", body([]byte("{\"nextToken\":\"\xff\"}"), ""), 400, `{"__type":"SerializationException"…`, ""},
		{"deep", "ListClusters", body([]byte(strings.Repeat(`{"a":`, 50000)+"1"+strings.Repeat("}", 50000)), ""), 400, `{"__type":"SerializationException"…`, ""},
		{"wrong type before anything else", "DeleteCluster", body([]byte(`{"cluster":7}`), ""), 400, `{"__type":"SerializationException"…`, ""},
	} {
		t.Run(tt.source, func(t *testing.T) {
			a := c.call(t, "ecs", tt.op, "", tt.edit)
			want, partly := strings.CutSuffix(tt.body, "…")
			if a.status != tt.status || a.body != want && !(partly && strings.HasPrefix(a.body, want)) {
				t.Errorf("%d %s", a.status, a.body)
			}
			if tt.mime == "" {
				tt.mime = "application/x-amz-json-1.1"
			}
			if got := a.header.Get("Content-Type"); got != tt.mime {
				t.Errorf("content type %s", got)
			}
		})
	}
}

// TestRecordedQueryForms holds the same of the query protocols.
func TestRecordedQueryForms(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	for _, tt := range []struct{ source, service, op, in, code string }{
		{"operation that does not exist", "iam", "Bogus", "", "InvalidAction"},
		{"operation that is not built", "iam", "UploadServerCertificate", "", "InvalidAction"},
		{"operation that does not exist", "ec2", "Bogus", "", "InvalidAction"},
		{"operation that is not built", "ec2", "RunInstances", "", "InvalidAction"},
		{"no operation", "iam", "", "", "MissingAction"},
		{"not a number", "ec2", "DescribeSubnets", "MaxResults=x", "InvalidParameterValue"},
		{"negative index", "ec2", "DescribeVpcs", "VpcId.-1=vpc-1", "InvalidParameterValue"},
		{"unknown parameter", "ec2", "DescribeVpcs", "Bogus=1", "UnknownParameter"},
	} {
		a := c.call(t, tt.service, tt.op, tt.in, nil)
		if a.status != 400 || !strings.Contains(a.body, "<Code>"+tt.code+"</Code>") {
			t.Errorf("%s: %d %s", tt.source, a.status, a.body)
		}
	}
	other := func(r *http.Request, body *[]byte) {
		*body = bytes.Replace(*body, []byte("2010-05-08"), []byte("2001-01-01"), 1)
	}
	if a := c.call(t, "iam", "ListRoles", "", other); !strings.Contains(a.body, "<Code>InvalidAction</Code>") {
		t.Errorf("another version: %s", a.body)
	}
	if a := c.call(t, "iam", "GetRole", "RoleName=%zz", nil); a.status != 404 || !strings.Contains(a.body, "<Code>MalformedQueryString</Code>") {
		t.Errorf("malformed escape: %d %s", a.status, a.body)
	}
	large := func(r *http.Request, body *[]byte) { *body = append(*body, bytes.Repeat([]byte("x"), 2<<20)...) }
	if a := c.call(t, "iam", "ListRoles", "", large); a.status != http.StatusRequestEntityTooLarge {
		t.Errorf("body too large: %d %s", a.status, a.body)
	}
	get := func(r *http.Request, body *[]byte) {
		r.Method, r.URL.RawQuery, *body = http.MethodGet, "Action=GetCallerIdentity&Version=2011-06-15", nil
		r.Header.Del("Content-Type")
	}
	if a := c.call(t, "sts", "", "", get); a.status != 200 {
		t.Errorf("GET: %d %s", a.status, a.body)
	}
	first := func(r *http.Request, body *[]byte) {
		r.Method, r.URL.RawQuery, *body = http.MethodGet, "Action=DescribeVpcs&Version=2016-11-15&MaxResults=5&MaxResults=x", nil
		r.Header.Del("Content-Type")
	}
	if a := c.call(t, "ec2", "", "", first); a.status != 200 {
		t.Errorf("a GET counts the first of two scalars: %d %s", a.status, a.body)
	}
}

// TestRecordedNames holds what names may be.
func TestRecordedNames(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	long := strings.Repeat("a", 255)
	for op, in := range map[string]string{
		"CreateCluster":          `{"clusterName":"NAME"}`,
		"RegisterTaskDefinition": `{"family":"NAME","containerDefinitions":[{"name":"NAME","image":"a","memory":64}]}`,
	} {
		for name, status := range map[string]int{long: 200, long + "a": 400, "naïve": 400, "名前": 400, "a b": 400, "": 400, "a/b": 400, "a\\u0000b": 400, "A-z_0": 200} {
			if a := c.call(t, "ecs", op, strings.ReplaceAll(in, "NAME", name), nil); a.status != status {
				t.Errorf("%s of %.20s (%d): %d %s", op, name, len(name), a.status, a.body)
			}
		}
	}
	c.services(t)
	for name, status := range map[string]int{long: 200, long + "a": 400, "名前": 400, "": 400, "a:b": 400} {
		in := `{"cluster":"web","taskDefinition":"ec2","desiredCount":0,"serviceName":"` + name + `"}`
		if a := c.call(t, "ecs", "CreateService", in, nil); a.status != status {
			t.Errorf("CreateService of %.20s: %d %s", name, a.status, a.body)
		}
	}
	c.run(t, "ecs", []row{
		{source: "tags in any script", op: "TagResource", in: `{"resourceArn":"${ECS}cluster/web","tags":[{"key":"ключ","value":"値 ` + strings.Repeat("é", 254) + `"}]}`},
		{source: "tags in any script", op: "ListTagsForResource", in: `{"resourceArn":"${ECS}cluster/web"}`, want: []string{`tags = [{"key":"ключ","value":"値 ` + strings.Repeat("é", 254) + `"}]`}},
		{source: "environment in any script", op: "RegisterTaskDefinition", in: `{"family":"u","containerDefinitions":[{"name":"m","image":"a","memory":64,"environment":[{"name":"É","value":"\ud83d\ude00 <&> \"\\ \u2028"}]}]}`,
			want: []string{`taskDefinition.containerDefinitions.0.environment = [{"name":"É","value":"😀 <&> \"\\ \u2028"}]`}},
	})
}
