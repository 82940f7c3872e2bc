package xml

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"neargate/aws/route53"
	"neargate/wire/shape"
)

func read(t *testing.T, body string) (in route53.ChangeResourceRecordSetsInput, err error) {
	t.Helper()
	p := shape.NewPlans().Of(reflect.TypeFor[route53.ChangeResourceRecordSetsInput]())
	err = Read([]byte(body), "ChangeResourceRecordSetsRequest", p, &in)
	return in, err
}

// TestRead reads what botocore and the SDK for Go send.
func TestRead(t *testing.T) {
	in, err := read(t, `<ChangeResourceRecordSetsRequest xmlns="https://route53.amazonaws.com/doc/2013-04-01/"><ChangeBatch><Comment>a &lt;b&gt; <![CDATA[&c]]></Comment><Changes>`+
		`<Change><Action>CREATE</Action><ResourceRecordSet><Name>a.b.</Name><Type>A</Type><TTL>60</TTL><ResourceRecords><ResourceRecord><Value>192.0.2.1</Value></ResourceRecord>`+
		`<ResourceRecord><Value/></ResourceRecord></ResourceRecords></ResourceRecordSet></Change>
		<!-- and one more -->
		<Change> <Action>DELETE</Action> <ResourceRecordSet><Name> x</Name><Type>A</Type><MultiValueAnswer> true </MultiValueAnswer></ResourceRecordSet></Change></Changes></ChangeBatch></ChangeResourceRecordSetsRequest>
`)
	if err != nil {
		t.Fatal(err)
	}
	b := in.ChangeBatch
	first, second := b.Changes[0].ResourceRecordSet, b.Changes[1].ResourceRecordSet
	if *b.Comment != "a <b> &c" || len(b.Changes) != 2 || *first.TTL != 60 || len(first.ResourceRecords) != 2 || *first.ResourceRecords[1].Value != "" ||
		*second.Name != " x" || !*second.MultiValueAnswer || second.TTL != nil || in.HostedZoneId != nil {
		t.Errorf("read %+v", b)
	}
	if in, err := read(t, ""); err != nil || in.ChangeBatch != nil {
		t.Errorf("an empty body: %+v, %v", in, err)
	}
	if in, err := read(t, "<ChangeResourceRecordSetsRequest><ChangeBatch><Changes/></ChangeBatch></ChangeResourceRecordSetsRequest>"); err != nil || in.ChangeBatch.Changes == nil {
		t.Errorf("an empty list: %+v, %v", in, err)
	}
}

func TestReadRefuses(t *testing.T) {
	const open, end = "<ChangeResourceRecordSetsRequest>", "</ChangeResourceRecordSetsRequest>"
	for body, want := range map[string]string{
		"no":                         "text between elements",
		"<Other></Other>":            "the root element is not 'ChangeResourceRecordSetsRequest'",
		open:                         "unexpected EOF",
		open + "<ChangeBatch>" + end: "element <ChangeBatch> closed by </ChangeResourceRecordSetsRequest>",
		open + "<Nothing/>" + end:    "Invalid content was found starting with element 'Nothing'.",
		open + "<HostedZoneId>Z</HostedZoneId>" + end:                                                                                     "Invalid content was found starting with element 'HostedZoneId'.",
		open + "<ChangeBatch><Changes><Item/></Changes></ChangeBatch>" + end:                                                              "Invalid content was found starting with element 'Item'.",
		open + "<ChangeBatch/><ChangeBatch/>" + end:                                                                                       "element 'ChangeBatch' is repeated",
		open + "<ChangeBatch>x</ChangeBatch>" + end:                                                                                       "text between elements",
		open + "<ChangeBatch><Comment><b/></Comment></ChangeBatch>" + end:                                                                 "element 'Comment' holds element 'b'",
		open + "<ChangeBatch><Changes><Change><ResourceRecordSet><TTL>x</TTL></ResourceRecordSet></Change></Changes></ChangeBatch>" + end: "'x' is not a valid value of element 'TTL'",
		open + end + "x":        "text after element",
		open + end + open + end: "more after element",
		open + "<ChangeBatch>&evil;</ChangeBatch>" + end: "invalid character entity &evil;",
		`<!DOCTYPE x [<!ENTITY evil "x">]>` + open + end: "a document type",
		open + "\x00" + end: "illegal character code",
		strings.Repeat("<ChangeResourceRecordSetsRequest>", 3): "Invalid content",
	} {
		_, err := read(t, body)
		if !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", body, err, want)
		}
	}
}

type nested struct {
	Kid *nested `aws:"Kid"`
}

func TestReadIsBounded(t *testing.T) {
	p := shape.NewPlans().Of(reflect.TypeFor[nested]())
	body := "<R>" + strings.Repeat("<Kid>", 100000)
	if err := Read([]byte(body), "R", p, new(nested)); err == nil || !strings.Contains(err.Error(), "nested too deep") {
		t.Errorf("got %v", err)
	}
}

func TestAppendRest(t *testing.T) {
	s := &shape.Service{Namespace: "https://route53.amazonaws.com/doc/2013-04-01/"}
	p := shape.NewPlans().Of(reflect.TypeFor[route53.CreateHostedZoneOutput]())
	out := &route53.CreateHostedZoneOutput{
		Location:      new("https://route53.amazonaws.com/2013-04-01/hostedzone/Z1"),
		HostedZone:    &route53.HostedZone{Id: new("/hostedzone/Z1"), Name: new("a."), CallerReference: new("r"), Config: &route53.HostedZoneConfig{PrivateZone: new(false)}, ResourceRecordSetCount: new(int64(2))},
		ChangeInfo:    &route53.ChangeInfo{Id: new("/change/C1"), Status: new("PENDING"), SubmittedAt: new(time.Date(2026, 3, 1, 12, 0, 0, 5e6, time.UTC))},
		DelegationSet: &route53.DelegationSet{NameServers: []string{"ns-1", "ns-2"}},
	}
	want := `<?xml version="1.0"?>
<CreateHostedZoneResponse xmlns="https://route53.amazonaws.com/doc/2013-04-01/"><HostedZone><Id>/hostedzone/Z1</Id><Name>a.</Name><CallerReference>r</CallerReference>` +
		`<Config><PrivateZone>false</PrivateZone></Config><ResourceRecordSetCount>2</ResourceRecordSetCount></HostedZone>` +
		`<ChangeInfo><Id>/change/C1</Id><Status>PENDING</Status><SubmittedAt>2026-03-01T12:00:00.005Z</SubmittedAt></ChangeInfo>` +
		`<DelegationSet><NameServers><NameServer>ns-1</NameServer><NameServer>ns-2</NameServer></NameServers></DelegationSet></CreateHostedZoneResponse>`
	if got := string(AppendRest(nil, s, "CreateHostedZone", p, out)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	e := route53.NoSuchHostedZone("No hosted zone found with ID: <Z>")
	want = `<?xml version="1.0"?>
<ErrorResponse xmlns="https://route53.amazonaws.com/doc/2013-04-01/"><Error><Type>Sender</Type><Code>NoSuchHostedZone</Code><Message>No hosted zone found with ID: &lt;Z&gt;</Message></Error><RequestId>r</RequestId></ErrorResponse>`
	if got := string(AppendRestError(nil, s, "r", e)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func FuzzRead(f *testing.F) {
	f.Add("<ChangeResourceRecordSetsRequest><ChangeBatch><Comment>c</Comment></ChangeBatch></ChangeResourceRecordSetsRequest>")
	p := shape.NewPlans().Of(reflect.TypeFor[route53.ChangeResourceRecordSetsInput]())
	f.Fuzz(func(t *testing.T, body string) {
		var in route53.ChangeResourceRecordSetsInput
		if err := Read([]byte(body), "ChangeResourceRecordSetsRequest", p, &in); err != nil && !errors.Is(err, ErrMalformed) {
			t.Fatal(err)
		}
	})
}
