package wire

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"neargate/aws/route53"
	"neargate/wire/shape"
)

type route53API struct{ route53.API }

func (route53API) CreateHostedZone(_ context.Context, in *route53.CreateHostedZoneInput) (*route53.CreateHostedZoneOutput, error) {
	return &route53.CreateHostedZoneOutput{HostedZone: &route53.HostedZone{Name: in.Name}, Location: new("https://example.com/Z1")}, nil
}

func (route53API) ListResourceRecordSets(_ context.Context, in *route53.ListResourceRecordSetsInput) (*route53.ListResourceRecordSetsOutput, error) {
	return nil, route53.NoSuchHostedZone("No hosted zone found with ID: " + *in.HostedZoneId + " " + *in.StartRecordName)
}

func TestRestXML(t *testing.T) {
	s := server(func(c *Config) { c.Services = append(c.Services, route53.Describe(route53API{})) })
	k := key("route53")
	k.region = "us-east-1"
	const zones, sets = "/2013-04-01/hostedzone", "/2013-04-01/hostedzone/Z1/rrset"
	create := `<CreateHostedZoneRequest xmlns="https://route53.amazonaws.com/doc/2013-04-01/"><Name>a.b</Name><CallerReference>r</CallerReference></CreateHostedZoneRequest>`
	get := func(path string) *http.Request {
		r := post(path, "")
		r.Method = http.MethodGet
		return r
	}
	none := strings.ReplaceAll(create, "<CallerReference>r</CallerReference>", "")
	for _, tt := range []struct {
		name    string
		request *http.Request
		status  int
		body    string
	}{
		{"create", k.sign(post(zones, create), create), 201, `<CreateHostedZoneResponse xmlns="https://route53.amazonaws.com/doc/2013-04-01/"><HostedZone><Name>a.b</Name></HostedZone></CreateHostedZoneResponse>`},
		{"unsigned", post(zones, create), 403, "<Code>MissingAuthenticationToken</Code>"},
		{"incomplete", k.sign(post(zones, none), none), 400, "<Code>InvalidInput</Code><Message>1 validation error detected: Value null at 'callerReference' failed to satisfy constraint: Member must not be null</Message>"},
		{"no XML", k.sign(post(zones, "x"), "x"), 400, "<Code>InvalidInput</Code><Message>Invalid XML ; text between elements</Message>"},
		{"an error", k.sign(get(sets+"?maxitems=3&name=x.y"), ""), 404, "<Error><Type>Sender</Type><Code>NoSuchHostedZone</Code><Message>No hosted zone found with ID: Z1 x.y</Message></Error><RequestId>%s</RequestId></ErrorResponse>"},
		{"nowhere", k.sign(get("/2013-04-01/nothing"), ""), 404, "<UnknownOperationException/>"},
		{"a form", k.sign(post("/", "Action=ListHostedZones&Version=2013-04-01"), "Action=ListHostedZones&Version=2013-04-01"), 404, "<UnknownOperationException/>"},
	} {
		w := do(t, s, tt.request)
		if body := strings.ReplaceAll(tt.body, "%s", requestID(w)); w.Code != tt.status || !strings.Contains(w.Body.String(), body) {
			t.Errorf("%s: %d %s", tt.name, w.Code, w.Body)
		}
		if location := w.Header().Get("Location"); (location == "https://example.com/Z1") != (tt.status == 201) {
			t.Errorf("%s: location %q", tt.name, location)
		}
	}
	open := server(func(c *Config) {
		c.Services, c.NoAuth = []shape.Service{route53.Describe(route53API{})}, true
	})
	if w := do(t, open, post(zones, create)); w.Code != 201 {
		t.Errorf("without a signature, where none is needed: %d %s", w.Code, w.Body)
	}
}
