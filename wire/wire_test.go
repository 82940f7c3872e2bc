package wire

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"neargate/aws/ec2"
	"neargate/aws/ecs"
	"neargate/aws/iam"
	"neargate/aws/logs"
	"neargate/aws/sts"
	"neargate/wire/shape"
	"neargate/wire/sigv4"
)

var now = time.Date(2026, 9, 1, 12, 30, 45, 0, time.UTC)

// keyring has a root key of two accounts and a session that is over.
type keyring struct{}

func (keyring) Key(_ context.Context, id, token string) (sigv4.Key, error) {
	switch id {
	case "AKIAONE":
		return sigv4.Key{Secret: "secret one", Account: "111111111111", Principal: "one"}, nil
	case "AKIATWO":
		return sigv4.Key{Secret: "secret two", Account: "222222222222", Principal: "two"}, nil
	case "ASIAOVER":
		return sigv4.Key{}, sigv4.ErrExpiredToken
	case "":
		return sigv4.Key{Account: "123456789012", Principal: "anyone"}, nil
	case "AKIABROKEN":
		return sigv4.Key{}, errors.New("the store is down")
	}
	return sigv4.Key{}, sigv4.ErrUnknownKey
}

// backend answers the operations the tests call. The rest of each API is nil.
type (
	ecsAPI struct {
		ecs.API
		list func(context.Context, *ecs.ListClustersInput) (*ecs.ListClustersOutput, error)
	}
	ec2API  struct{ ec2.API }
	iamAPI  struct{ iam.API }
	stsAPI  struct{ sts.API }
	logsAPI struct{ logs.API }
)

func (a ecsAPI) ListClusters(ctx context.Context, in *ecs.ListClustersInput) (*ecs.ListClustersOutput, error) {
	if a.list != nil {
		return a.list(ctx, in)
	}
	return &ecs.ListClustersOutput{ClusterArns: []string{"arn:of:" + ctx.Value(principal{}).(string)}}, nil
}

func (ecsAPI) RunTask(context.Context, *ecs.RunTaskInput) (*ecs.RunTaskOutput, error) {
	return &ecs.RunTaskOutput{}, nil
}

func (ec2API) DescribeVpcs(context.Context, *ec2.DescribeVpcsInput) (*ec2.DescribeVpcsOutput, error) {
	return &ec2.DescribeVpcsOutput{Vpcs: []ec2.Vpc{{VpcId: new("vpc-1")}}}, nil
}

func (stsAPI) GetCallerIdentity(ctx context.Context, _ *sts.GetCallerIdentityInput) (*sts.GetCallerIdentityOutput, error) {
	return &sts.GetCallerIdentityOutput{Account: new(ctx.Value(principal{}).(string))}, nil
}

type principal struct{}

// gate admits everybody but a caller named in deny.
type gate struct {
	deny string
	seen *[]Request
}

func (g gate) Admit(ctx context.Context, r Request) (context.Context, error) {
	if g.seen != nil {
		*g.seen = append(*g.seen, r)
	}
	if r.Account == g.deny {
		return nil, shape.NewError("AccessDeniedException", 400, "no")
	}
	return context.WithValue(ctx, principal{}, r.Principal), nil
}

func server(change func(*Config)) *Server { return serverWith(ecsAPI{}, change) }

func serverWith(e ecsAPI, change func(*Config)) *Server {
	cfg := Config{
		Services: []shape.Service{ecs.Describe(e), ec2.Describe(ec2API{}), iam.Describe(iamAPI{}), sts.Describe(stsAPI{}), logs.Describe(logsAPI{})},
		Keys:     keyring{},
		Gate:     gate{},
		Now:      func() time.Time { return now },
		Log:      slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&cfg)
	}
	return New(cfg)
}

func key(service string) signer {
	return signer{"AKIAONE", "secret one", service, "ap-northeast-1", now}
}

func ecsCall(operation, body string) *http.Request {
	return post("/", body, "X-Amz-Target", "AmazonEC2ContainerServiceV20141113."+operation, "Content-Type", "application/x-amz-json-1.1")
}

func formCall(body string) *http.Request {
	return post("/", body, "Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
}

var uuid = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

// requestID is the header as AWS spells it, which http.Header.Get cannot see.
func requestID(w *httptest.ResponseRecorder) string { return spelled(w, "x-amzn-RequestId") }

// spelled is the value of the header spelled so.
func spelled(w *httptest.ResponseRecorder, as string) string {
	for name, values := range w.Header() {
		if name == as {
			return values[0]
		}
	}
	return ""
}

func TestAnswers(t *testing.T) {
	s := server(nil)
	const vpcs = "Action=DescribeVpcs&Version=2016-11-15"
	const identity = "Action=GetCallerIdentity&Version=2011-06-15"
	q := url.Values{"Action": {"GetCallerIdentity"}, "Version": {"2011-06-15"}}
	tests := []struct {
		name        string
		request     *http.Request
		contentType string
		body        string // %s is the request id
	}{
		{"awsJson", key("ecs").sign(ecsCall("ListClusters", `{"unknown":1}`), `{"unknown":1}`), "application/x-amz-json-1.1", `{"clusterArns":["arn:of:one"]}`},
		{"awsJson without body", key("ecs").sign(ecsCall("ListClusters", ""), ""), "application/x-amz-json-1.1", `{"clusterArns":["arn:of:one"]}`},
		{"ec2Query", key("ec2").sign(formCall(vpcs), vpcs), "text/xml;charset=UTF-8", `<requestId>%s</requestId><vpcSet><item><vpcId>vpc-1</vpcId>`},
		{"awsQuery", key("sts").sign(formCall(identity), identity), "text/xml", "<Account>one</Account>\n  </GetCallerIdentityResult>\n  <ResponseMetadata>\n    <RequestId>%s</RequestId>"},
		{"presigned", httptest.NewRequest("GET", key("sts").presign("example.com", q), nil), "text/xml", "<Account>one</Account>"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := do(t, s, tt.request)
			id := requestID(w)
			body := strings.ReplaceAll(tt.body, "%s", id)
			if w.Code != 200 || w.Header().Get("Content-Type") != tt.contentType || !strings.Contains(w.Body.String(), body) || !uuid.MatchString(id) {
				t.Fatalf("%d %v\n%s", w.Code, w.Header(), w.Body)
			}
			extended := spelled(w, "x-amz-sts-extended-request-id")
			if sts := strings.Contains(tt.body, "<Account>"); (extended != "") != sts {
				t.Errorf("extended request id %q", extended)
			}
		})
	}
}

// errorOf reads the code and message of an error in any protocol.
func errorOf(t *testing.T, w *httptest.ResponseRecorder) (code, message string) {
	t.Helper()
	if strings.HasPrefix(w.Header().Get("Content-Type"), "application/x-amz-json") {
		var e struct{ Type, Message string }
		m := regexp.MustCompile(`^\{"__type":"([A-Za-z]+)"(?:,"[mM]essage":"(.*)")?\}$`).FindStringSubmatch(w.Body.String())
		if m == nil {
			t.Fatalf("%s", w.Body)
		}
		if h := w.Header()["X-Amzn-Errortype"]; len(h) != 1 || h[0] != m[1] {
			t.Errorf("X-Amzn-Errortype %q beside %s", h, m[1])
		}
		e.Type, e.Message = m[1], m[2]
		return e.Type, e.Message
	}
	var e struct {
		Code      string `xml:"Error>Code"`
		Message   string `xml:"Error>Message"`
		Code2     string `xml:"Errors>Error>Code"`
		Message2  string `xml:"Errors>Error>Message"`
		RequestID string `xml:"RequestID"`
		RequestId string `xml:"RequestId"`
	}
	if err := xml.Unmarshal(w.Body.Bytes(), &e); err != nil {
		t.Fatalf("%v in %s", err, w.Body)
	}
	if id := requestID(w); e.RequestID+e.RequestId != id {
		t.Errorf("request id %s%s in the body, %s in the header", e.RequestID, e.RequestId, id)
	}
	return e.Code + e.Code2, e.Message + e.Message2
}

// TestRefusedSignatures has every way of not being proven, in every protocol.
func TestRefusedSignatures(t *testing.T) {
	const mismatch = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
	const invalid = "The security token included in the request is invalid."
	const ec2Text = "AWS was not able to validate the provided access credentials"
	with := func(change func(*signer)) func(signer, *http.Request, string) *http.Request {
		return func(k signer, r *http.Request, body string) *http.Request { change(&k); return k.sign(r, body) }
	}
	type answer struct {
		status        int
		code, message string
	}
	tests := []struct {
		name            string
		sign            func(signer, *http.Request, string) *http.Request
		json, xml, ec2_ answer
	}{
		{"unsigned", func(_ signer, r *http.Request, _ string) *http.Request { return r },
			answer{400, "MissingAuthenticationTokenException", "Missing Authentication Token"},
			answer{403, "MissingAuthenticationToken", "Request is missing Authentication Token"},
			answer{403, "MissingAuthenticationToken", "Request is missing Authentication Token"}},
		{"unknown key", with(func(k *signer) { k.id = "AKIANONE" }),
			answer{400, "UnrecognizedClientException", invalid}, answer{403, "InvalidClientTokenId", invalid}, answer{401, "AuthFailure", ec2Text}},
		{"wrong secret", with(func(k *signer) { k.secret = "guess" }),
			answer{400, "InvalidSignatureException", mismatch}, answer{403, "SignatureDoesNotMatch", mismatch}, answer{401, "AuthFailure", ec2Text}},
		{"clock behind", with(func(k *signer) { k.at = now.Add(-6 * time.Minute) }),
			answer{400, "InvalidSignatureException", "Signature expired: 20260901T122445Z is now earlier than 20260901T122545Z (20260901T123045Z - 5 min.)"},
			answer{403, "SignatureDoesNotMatch", "Signature expired: 20260901T122445Z is now earlier than 20260901T122545Z (20260901T123045Z - 5 min.)"},
			answer{400, "RequestExpired", "Request has expired."}},
		{"clock ahead", with(func(k *signer) { k.at = now.Add(6 * time.Minute) }),
			answer{400, "InvalidSignatureException", "Signature not yet current: 20260901T123645Z is still later than 20260901T123545Z (20260901T123045Z + 5 min.)"},
			answer{403, "SignatureDoesNotMatch", "Signature not yet current: 20260901T123645Z is still later than 20260901T123545Z (20260901T123045Z + 5 min.)"},
			answer{401, "AuthFailure", ec2Text}},
		{"session over", with(func(k *signer) { k.id = "ASIAOVER" }),
			answer{400, "ExpiredTokenException", "The security token included in the request is expired"},
			answer{403, "ExpiredToken", "The security token included in the request is expired"},
			answer{400, "RequestExpired", "Request has expired."}},
		{"no region of AWS", with(func(k *signer) { k.region = "moon-1" }),
			answer{400, "InvalidSignatureException", "Credential should be scoped to a valid region, not 'moon-1'. "},
			answer{403, "SignatureDoesNotMatch", "Credential should be scoped to a valid region, not 'moon-1'. "},
			answer{401, "AuthFailure", ec2Text}},
		{"other body", func(k signer, r *http.Request, body string) *http.Request { return k.sign(r, body+" ") },
			answer{400, "InvalidSignatureException", mismatch}, answer{403, "SignatureDoesNotMatch", mismatch}, answer{401, "AuthFailure", ec2Text}},
	}
	s := server(nil)
	const identity, vpcs = "Action=GetCallerIdentity&Version=2011-06-15", "Action=DescribeVpcs&Version=2016-11-15"
	for _, tt := range tests {
		for _, call := range []struct {
			r    *http.Request
			want answer
		}{
			{tt.sign(key("ecs"), ecsCall("ListClusters", "{}"), "{}"), tt.json},
			{tt.sign(key("sts"), formCall(identity), identity), tt.xml},
			{tt.sign(key("ec2"), formCall(vpcs), vpcs), tt.ec2_},
		} {
			w := do(t, s, call.r)
			if code, message := errorOf(t, w); (answer{w.Code, code, message}) != call.want {
				t.Errorf("%s: %d %s %q, want %v", tt.name, w.Code, code, message, call.want)
			}
		}
	}
}

func TestRefusedRequests(t *testing.T) {
	sign := func(service string, r *http.Request, body string) *http.Request { return key(service).sign(r, body) }
	sized := func(service string, r func(string) *http.Request, n int) *http.Request {
		body := strings.Repeat(" ", n)
		return sign(service, r(body), body)
	}
	list := func(body string) *http.Request { return ecsCall("ListClusters", body) }
	misdirected := ecsCall("ListClusters", "{}")
	tests := []struct {
		name          string
		r             *http.Request
		status        int
		code, message string
	}{
		{"unknown operation", sign("ecs", ecsCall("MakeCoffee", "{}"), "{}"), 400, "UnknownOperationException", ""},
		{"unknown operation, unsigned", ecsCall("MakeCoffee", "{}"), 400, "UnknownOperationException", ""},
		{"target of another service", sign("ecs", post("/", "{}", "X-Amz-Target", "Logs_20140328.DescribeLogGroups", "Content-Type", "application/x-amz-json-1.1"), "{}"), 400, "UnknownOperationException", ""},
		{"scope of a service that is not here", sign("sqs", misdirected, "{}"), 400, "InvalidSignatureException", "Credential should be scoped to correct service: 'ecs'. "},
		{"JSON service that is not here", sign("sqs", post("/", "{}", "X-Amz-Target", "AmazonSQS.ListQueues", "Content-Type", "application/x-amz-json-1.0"), "{}"), 400, "UnknownOperationException", ""},
		{"query service that is not here", sign("rds", formCall("Action=X&Version=2014-10-31"), "Action=X&Version=2014-10-31"), 400, "InvalidAction", "Could not find operation X for version 2014-10-31"},
		{"unknown action", sign("iam", formCall("Action=X&Version=2010-05-08"), "Action=X&Version=2010-05-08"), 400, "InvalidAction", "Could not find operation X for version 2010-05-08"},
		{"wrong version", sign("iam", formCall("Action=GetRole&Version=2000-01-01"), "Action=GetRole&Version=2000-01-01"), 400, "InvalidAction", "Could not find operation GetRole for version 2000-01-01"},
		{"no version", sign("sts", formCall("Action=GetCallerIdentity"), "Action=GetCallerIdentity"), 400, "InvalidAction", "Could not find operation GetCallerIdentity for version NO_VERSION_SPECIFIED"},
		{"no action", sign("sts", formCall("Version=2011-06-15"), "Version=2011-06-15"), 400, "MissingAction", "Missing Action"},
		{"unknown EC2 action", sign("ec2", formCall("Action=X&Version=2016-11-15"), "Action=X&Version=2016-11-15"), 400, "InvalidAction", "The action X is not valid for this web service."},
		{"old EC2", sign("ec2", formCall("Action=DescribeVpcs&Version=2006-06-26"), "Action=DescribeVpcs&Version=2006-06-26"), 400, "NoSuchVersion", "The requested version (2006-06-26) of service AmazonEC2 does not exist"},
		{"no JSON", sign("ecs", list("{"), "{"), 400, "SerializationException", ""},
		{"too large", sized("ecs", list, 1<<20+1), 413, "RequestEntityTooLargeException", "Request size exceeded the limit."},
		{"large enough", sized("ecs", list, 1<<20), 200, "", ""},
		{"too large form", sized("iam", formCall, 1<<20+1), 413, "RequestEntityTooLarge", "Request size exceeded the limit."},
		{"unauthorised", signer{"AKIATWO", "secret two", "ecs", "us-east-1", now}.sign(list("{}"), "{}"), 400, "AccessDeniedException", "no"},
		{"invalid before unauthorised", signer{"AKIATWO", "secret two", "ec2", "us-east-1", now}.sign(formCall("Action=DescribeVpcs&Version=2016-11-15&MaxResults=x"), "Action=DescribeVpcs&Version=2016-11-15&MaxResults=x"), 400, "InvalidParameterValue", ""},
		{"key store down", signer{"AKIABROKEN", "x", "ecs", "us-east-1", now}.sign(list("{}"), "{}"), 500, "ServerException", "Service Unavailable. Please try again later."},
	}
	s := server(func(c *Config) { c.Gate = gate{deny: "222222222222"} })
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := do(t, s, tt.r)
			if w.Code != tt.status {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
			if tt.status == 200 {
				return
			}
			code, message := errorOf(t, w)
			if code != tt.code || tt.message != "" && message != tt.message {
				t.Fatalf("%s %q", code, message)
			}
		})
	}
}

// TestNotJSON is the recorded answer to another content type, and to requests
// that are none of a JSON service.
func TestNotJSON(t *testing.T) {
	target := "AmazonEC2ContainerServiceV20141113.ListClusters"
	for name, r := range map[string]*http.Request{
		"JSON 1.0":   post("/", "{}", "X-Amz-Target", target, "Content-Type", "application/x-amz-json-1.0"),
		"plain JSON": post("/", "{}", "X-Amz-Target", target, "Content-Type", "application/json"),
		"no target":  post("/", "{}", "Content-Type", "application/x-amz-json-1.1"),
		"nothing":    httptest.NewRequest("GET", "/favicon.ico", nil),
		"DELETE":     httptest.NewRequest("DELETE", "/", nil),
	} {
		s := server(nil)
		if name != "nothing" {
			r = key("ecs").sign(r, "{}")
		}
		if w := do(t, s, r); w.Code != 404 || w.Body.String() != "<UnknownOperationException/>\n" {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

// TestRouting sends unsigned requests, so that only the request itself tells
// the service.
func TestRouting(t *testing.T) {
	s := server(nil)
	for _, tt := range []struct {
		name, want string
		r          *http.Request
	}{
		{"target", "ecs", ecsCall("ListClusters", "{}")},
		{"version in the body", "iam", formCall("Action=GetRole&Version=2010-05-08")},
		{"version in the query", "sts", httptest.NewRequest("GET", "/?Action=GetCallerIdentity&Version=2011-06-15", nil)},
		{"host", "ecs", post("/", "{}", "Host", "ecs.us-east-1.amazonaws.com")},
		{"host with port", "logs", post("/", "{}", "Host", "logs.eu-west-1.localhost:4566")},
		{"host prefix", "logs", post("/", "{}", "Host", "stream-logs.eu-west-1.localhost:4566")},
		{"host of a query service", "ec2", post("/", "", "Host", "EC2.us-east-1.amazonaws.com")},
		{"path", "ecs", post("/ecs/", "{}")},
		{"path of a query service", "sts", post("/sts", "Action=X")},
		{"nothing", "", post("/", "{}")},
		{"address", "", post("/", "{}", "Host", "127.0.0.1:4566")},
		{"look-alike host", "", post("/", "{}", "Host", "ecsx.us-east-1.amazonaws.com")},
	} {
		c := &call{server: s, r: tt.r, w: httptest.NewRecorder()}
		if err := c.readBody(defaultBody); err != nil {
			t.Fatal(err)
		}
		got := ""
		if v := s.route(c); v != nil {
			got = v.ID
		}
		if got != tt.want {
			t.Errorf("%s: %q", tt.name, got)
		}
	}
	for _, path := range []string{"/ecs", "/ecs/", "/any/prefix/"} {
		r := ecsCall("ListClusters", "{}")
		r.URL.Path = path
		if w := do(t, s, key("ecs").sign(r, "{}")); w.Code != 200 {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

// TestOnly asks the front door of one service for it, for others and for none.
func TestOnly(t *testing.T) {
	s := server(nil)
	sts := "Action=GetCallerIdentity&Version=2011-06-15"
	for _, tt := range []struct {
		name, only string
		r          *http.Request
		status     int
		want       string
	}{
		{"its own", "ecs", key("ecs").sign(ecsCall("ListClusters", "{}"), "{}"), 200, ""},
		{"signed for another", "ecs", key("logs").sign(ecsCall("ListClusters", "{}"), "{}"), 400, "Credential should be scoped to correct service: 'ecs'. "},
		{"another protocol", "ecs", key("sts").sign(formCall(sts), sts), 404, "UnknownOperationException"},
		{"another target", "logs", key("logs").sign(ecsCall("ListClusters", "{}"), "{}"), 400, "UnknownOperationException"},
		{"query service, another signed", "sts", key("ecs").sign(ecsCall("ListClusters", "{}"), "{}"), 403, "scoped to correct service: 'sts'"},
		{"none", "ssmmessages", key("ecs").sign(ecsCall("ListClusters", "{}"), "{}"), 400, "UnknownOperationException"},
	} {
		w := do(t, s.Only(tt.only), tt.r)
		if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.want) {
			t.Errorf("%s: %d %s", tt.name, w.Code, w.Body)
		}
	}
}

func TestGzip(t *testing.T) {
	squeeze := func(text string) string {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		io.WriteString(z, text)
		z.Close()
		return b.String()
	}
	s := server(nil)
	send := func(body string) *httptest.ResponseRecorder {
		r := ecsCall("ListClusters", body)
		r.Header.Set("Content-Encoding", "gzip")
		return do(t, s, key("ecs").sign(r, body))
	}
	if w := send(squeeze(`{"maxResults":1}`)); w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if w := send(squeeze(strings.Repeat(" ", 1<<20+1))); w.Code != 413 {
		t.Fatalf("a bomb: %d %s", w.Code, w.Body)
	}
	for _, body := range []string{"{}", squeeze("{}")[:10]} {
		if w := send(body); w.Code != 400 {
			t.Fatalf("not gzip: %d %s", w.Code, w.Body)
		}
	}
}

// TestFailures shows that what goes wrong inside is logged with the request id
// and told to nobody.
func TestFailures(t *testing.T) {
	const secret = "password of the store"
	var logged bytes.Buffer
	var seen []Call
	var fail func() error
	s := serverWith(ecsAPI{list: func(ctx context.Context, _ *ecs.ListClustersInput) (*ecs.ListClustersOutput, error) {
		return nil, fail()
	}}, func(c *Config) {
		c.Log = slog.New(slog.NewTextHandler(&logged, nil))
		c.Observe = func(k Call) { seen = append(seen, k) }
	})
	for name, f := range map[string]func() error{
		"error": func() error { return errors.New(secret) },
		"panic": func() error { panic(secret) },
	} {
		fail = f
		logged.Reset()
		w := do(t, s, key("ecs").sign(ecsCall("ListClusters", "{}"), "{}"))
		if code, _ := errorOf(t, w); w.Code != 500 || code != "ServerException" || strings.Contains(w.Body.String(), secret) {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		if l := logged.String(); !strings.Contains(l, secret) || !strings.Contains(l, requestID(w)) {
			t.Errorf("%s: log %q", name, l)
		}
		last := seen[len(seen)-1]
		if last.Err == nil || last.Status != 500 || last.Code != "ServerException" || last.Operation != "ListClusters" || last.Account != "111111111111" {
			t.Errorf("%s: observed %+v", name, last)
		}
	}
	fail = func() error { return fmt.Errorf("wrapped: %w", ecs.ClusterNotFoundException("Cluster not found.")) }
	w := do(t, s, key("ecs").sign(ecsCall("ListClusters", "{}"), "{}"))
	if w.Body.String() != `{"__type":"ClusterNotFoundException","message":"Cluster not found."}` || w.Code != 400 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	ctx, cancel := context.WithCancel(t.Context())
	fail = func() error { cancel(); return ctx.Err() }
	logged.Reset()
	w = do(t, s, key("ecs").sign(ecsCall("ListClusters", "{}"), "{}").WithContext(ctx))
	if last := seen[len(seen)-1]; last.Status != StatusGone || logged.Len() > 0 || w.Body.Len() > 0 {
		t.Errorf("client gone: %+v, log %q", last, &logged)
	}
}

func TestLimits(t *testing.T) {
	at := now
	s := server(func(c *Config) { c.Limits = DefaultLimits(); c.Now = func() time.Time { return at } })
	run := func(k signer) *httptest.ResponseRecorder {
		return do(t, s, k.sign(ecsCall("RunTask", `{"taskDefinition":"t"}`), `{"taskDefinition":"t"}`))
	}
	for i := range 20 {
		if w := run(key("ecs")); w.Code != 200 {
			t.Fatalf("call %d: %d %s", i, w.Code, w.Body)
		}
	}
	w := run(key("ecs"))
	if code, message := errorOf(t, w); w.Code != 400 || code != "ThrottlingException" || message != "Rate exceeded" {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	elsewhere := key("ecs")
	elsewhere.region = "us-east-1"
	if w := run(elsewhere); w.Code != 200 {
		t.Errorf("another region: %d", w.Code)
	}
	if w := run(signer{"AKIATWO", "secret two", "ecs", "ap-northeast-1", now}); w.Code != 200 {
		t.Errorf("another account: %d", w.Code)
	}
	if w := do(t, s, key("ecs").sign(ecsCall("ListClusters", "{}"), "{}")); w.Code != 200 {
		t.Errorf("another group: %d", w.Code)
	}
	at = at.Add(50 * time.Millisecond)
	if w := run(key("ecs")); w.Code != 200 {
		t.Errorf("after a wait: %d", w.Code)
	}
	for id, want := range map[string]string{"ec2": "503 RequestLimitExceeded Request limit exceeded.", "iam": "400 Throttling Rate exceeded", "logs": "400 ThrottlingException Rate exceeded"} {
		for _, v := range s.services {
			if e := v.throttled; v.ID == id && fmt.Sprint(e.Status, " ", e.Code, " ", e.Message) != want {
				t.Errorf("%s: %v", id, e)
			}
		}
	}
}

func TestNoAuth(t *testing.T) {
	var seen []Request
	s := server(func(c *Config) { c.NoAuth, c.Gate = true, gate{seen: &seen} })
	forged := key("ecs")
	forged.secret = "guess"
	stranger := forged
	stranger.id, stranger.region = "test", "moon-1"
	for _, tt := range []struct {
		r               *http.Request
		account, region string
	}{
		{ecsCall("ListClusters", "{}"), "123456789012", "us-east-1"},
		{forged.sign(ecsCall("ListClusters", "{}"), "{}"), "111111111111", "ap-northeast-1"},
		{stranger.sign(ecsCall("ListClusters", "{}"), "{}"), "123456789012", "us-east-1"},
		{post("/", "{}", "Host", "ecs.eu-west-1.localhost:4566", "Content-Type", "application/x-amz-json-1.1",
			"X-Amz-Target", "AmazonEC2ContainerServiceV20141113.ListClusters"), "123456789012", "eu-west-1"},
	} {
		if w := do(t, s, tt.r); w.Code != 200 {
			t.Errorf("%d %s", w.Code, w.Body)
			continue
		}
		if r := seen[len(seen)-1]; r.Account != tt.account || r.Region != tt.region || r.Action != "ecs:ListClusters" {
			t.Errorf("%+v, want %s in %s", r, tt.account, tt.region)
		}
	}
}

// TestCallsDoNotMix reuses calls for requests of different callers, sizes and
// protocols at once.
func TestCallsDoNotMix(t *testing.T) {
	s := server(nil)
	done := make(chan error)
	for i := range 8 {
		go func() {
			for n := range 200 {
				k, want := key("ecs"), "arn:of:one"
				if (i+n)%2 == 0 {
					k, want = signer{"AKIATWO", "secret two", "ecs", "us-east-1", now}, "arn:of:two"
				}
				body := strings.Repeat(" ", n) + "{}"
				w := httptest.NewRecorder()
				s.ServeHTTP(w, k.sign(ecsCall("ListClusters", body), body))
				if !strings.Contains(w.Body.String(), want) {
					done <- fmt.Errorf("%s instead of %s", w.Body, want)
					return
				}
			}
			done <- nil
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
