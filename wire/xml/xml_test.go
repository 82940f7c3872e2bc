package xml

import (
	"encoding/xml"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"neargate/aws/ec2"
	"neargate/aws/iam"
	"neargate/aws/sts"
	"neargate/wire/shape"
)

var (
	plans = shape.NewPlans()
	query = &shape.Service{ID: "iam", Namespace: "https://iam.amazonaws.com/doc/2010-05-08/"}
	other = &shape.Service{ID: "any", Namespace: "urn:any"}
	vpc   = &shape.Service{ID: "ec2", Namespace: "http://ec2.amazonaws.com/doc/2016-11-15/"}
)

type sample struct {
	Text   *string           `aws:"Text"`
	Yes    *bool             `aws:"Yes"`
	Num    *int64            `aws:"Num"`
	Ratio  *float64          `aws:"Ratio"`
	At     *time.Time        `aws:"At"`
	Epoch  *time.Time        `aws:"Epoch,ts=epoch-seconds"`
	Blob   []byte            `aws:"Blob"`
	Words  []string          `aws:"Words"`
	Flat   []string          `aws:"Flat,flat"`
	Named  []sample          `aws:"Named" xml:"nameSet" item:"n"`
	Labels map[string]string `aws:"Labels"`
	Child  *sample           `aws:"Child"`
}

type nothing struct{}

func appendSample(s *shape.Service, v *sample) string {
	p := plans.Of(reflect.TypeFor[sample]())
	return string(AppendQuery(nil, s, &shape.Operation{Name: "Do"}, "id-1", p, v))
}

func TestAppendQuery(t *testing.T) {
	at := time.UnixMilli(1789551555929)
	got := appendSample(other, &sample{
		Text: new("a<b>&\"'\r\x01é\xff"), Yes: new(true), Num: new(int64(-3)), Ratio: new(100.0), At: &at, Epoch: &at,
		Blob: []byte{0, 1, 2}, Words: []string{"a", ""}, Flat: []string{"x", "y"}, Named: []sample{{Text: new("")}, {}},
		Labels: map[string]string{"b": "2", "a": "1"}, Child: &sample{Words: []string{}, Labels: map[string]string{}},
	})
	want := `<DoResponse xmlns="urn:any">
  <DoResult>
    <Text>a&lt;b&gt;&amp;&quot;'&#xD;` + "\uFFFDé\uFFFD" + `</Text>
    <Yes>true</Yes>
    <Num>-3</Num>
    <Ratio>100.0</Ratio>
    <At>2026-09-16T09:39:15.929Z</At>
    <Epoch>1789551555</Epoch>
    <Blob>AAEC</Blob>
    <Words>
      <member>a</member>
      <member/>
    </Words>
    <Flat>x</Flat>
    <Flat>y</Flat>
    <nameSet>
      <n>
        <Text/>
      </n>
      <n/>
    </nameSet>
    <Labels>
      <entry>
        <key>a</key>
        <value>1</value>
      </entry>
      <entry>
        <key>b</key>
        <value>2</value>
      </entry>
    </Labels>
    <Child>
      <Words/>
      <Labels/>
    </Child>
  </DoResult>
  <ResponseMetadata>
    <RequestId>id-1</RequestId>
  </ResponseMetadata>
</DoResponse>
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestEmptyQueryAnswers(t *testing.T) {
	metadata := "  <ResponseMetadata>\n    <RequestId>id-1</RequestId>\n  </ResponseMetadata>\n</DoResponse>\n"
	if got, want := appendSample(other, &sample{}), "<DoResponse xmlns=\"urn:any\">\n  <DoResult/>\n"+metadata; got != want {
		t.Errorf("got\n%s", got)
	}
	got := string(AppendQuery(nil, other, &shape.Operation{Name: "Do", Void: true}, "id-1", plans.Of(reflect.TypeFor[nothing]()), new(nothing)))
	if want := "<DoResponse xmlns=\"urn:any\">\n" + metadata; got != want {
		t.Errorf("got\n%s", got)
	}
}

func TestRecordedForms(t *testing.T) {
	made := time.Date(2025, 3, 18, 14, 1, 41, 999e6, time.UTC)
	role := string(AppendQuery(nil, query, &shape.Operation{Name: "CreateRole"}, "r", plans.Of(reflect.TypeFor[iam.CreateRoleOutput]()),
		&iam.CreateRoleOutput{Role: &iam.Role{CreateDate: &made}}))
	if !strings.Contains(role, "<CreateDate>2025-03-18T14:01:41Z</CreateDate>") {
		t.Errorf("IAM dates are whole seconds:\n%s", role)
	}
	who := string(AppendQuery(nil, &shape.Service{ID: "sts", Namespace: "https://sts.amazonaws.com/doc/2011-06-15/"}, &shape.Operation{Name: "GetCallerIdentity"}, "r",
		plans.Of(reflect.TypeFor[sts.GetCallerIdentityOutput]()), &sts.GetCallerIdentityOutput{Arn: new("arn:x"), Account: new("1"), UserId: new("u")}))
	if !strings.HasPrefix(who, "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n  <GetCallerIdentityResult>\n    <") {
		t.Errorf("got\n%s", who)
	}
	vpcs := string(AppendEC2(nil, vpc, "DescribeVpcs", "r", plans.Of(reflect.TypeFor[ec2.DescribeVpcsOutput]()), &ec2.DescribeVpcsOutput{
		Vpcs: []ec2.Vpc{{VpcId: new("vpc-1"), IsDefault: new(false), Ipv6CidrBlockAssociationSet: []ec2.VpcIpv6CidrBlockAssociation{},
			Tags: []ec2.Tag{{Key: new("k"), Value: new("")}}}}}))
	want := `<?xml version="1.0" encoding="UTF-8"?>
<DescribeVpcsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r</requestId><vpcSet><item>` +
		`<ipv6CidrBlockAssociationSet/><isDefault>false</isDefault><tagSet><item><key>k</key><value/></item></tagSet><vpcId>vpc-1</vpcId></item></vpcSet></DescribeVpcsResponse>`
	if vpcs != want {
		t.Errorf("got\n%s\nwant\n%s", vpcs, want)
	}
	none := string(AppendEC2(nil, vpc, "DescribeVpcs", "r", plans.Of(reflect.TypeFor[ec2.DescribeVpcsOutput]()), &ec2.DescribeVpcsOutput{Vpcs: []ec2.Vpc{}}))
	if !strings.HasSuffix(none, `<requestId>r</requestId><vpcSet/></DescribeVpcsResponse>`) {
		t.Errorf("got\n%s", none)
	}
	void := string(AppendEC2(nil, vpc, "CreateTags", "r", plans.Of(reflect.TypeFor[nothing]()), new(nothing)))
	if !strings.HasSuffix(void, `<requestId>r</requestId><return>true</return></CreateTagsResponse>`) {
		t.Errorf("got\n%s", void)
	}
}

func TestErrors(t *testing.T) {
	e := &shape.Error{Code: "NoSuchEntityException", Query: "NoSuchEntity", Fault: shape.Client, Message: "The role <x> cannot be found."}
	want := `<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">
  <Error>
    <Type>Sender</Type>
    <Code>NoSuchEntity</Code>
    <Message>The role &lt;x&gt; cannot be found.</Message>
  </Error>
  <RequestId>r</RequestId>
</ErrorResponse>
`
	if got := string(AppendQueryError(nil, query, "r", e)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	server := shape.NewError("ServiceFailure", 500, "m").With("Ids", []string{"a"})
	if got := string(AppendQueryError(nil, query, "r", server)); !strings.Contains(got, "<Type>Receiver</Type>") || !strings.Contains(got, "<member>a</member>") {
		t.Errorf("got\n%s", got)
	}
	want = `<?xml version="1.0" encoding="UTF-8"?>
<Response><Errors><Error><Code>InvalidGroupId.Malformed</Code><Message>Invalid id: &quot;sg-0&quot;</Message></Error></Errors><RequestID>r</RequestID></Response>`
	if got := string(AppendEC2Error(nil, "r", shape.Errorf("InvalidGroupId.Malformed", "Invalid id: %q", "sg-0"))); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// FuzzText holds that any text survives an XML parser, short of what XML lacks.
func FuzzText(f *testing.F) {
	f.Add("a<b>&\"\r\n\t\x00\u2028é\xff\uFFFE")
	f.Fuzz(func(t *testing.T, s string) {
		var got struct {
			Text string `xml:"DoResult>Text"`
		}
		if err := xml.Unmarshal([]byte(appendSample(other, &sample{Text: &s})), &got); err != nil {
			t.Fatal(err)
		}
		clean := strings.Map(func(r rune) rune {
			if r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF {
				return '\uFFFD'
			}
			return r
		}, s)
		if got.Text != clean {
			t.Fatalf("%q came back as %q", s, got.Text)
		}
	})
}

// The benchmark compares with encoding/xml on one shape that carries both tag sets.
type benchItem struct {
	ID    *string    `aws:"Id" xml:"id,omitempty"`
	State *string    `aws:"State" xml:"state,omitempty"`
	Size  *int32     `aws:"Size" xml:"size,omitempty"`
	Made  *time.Time `aws:"Made" xml:"made,omitempty"`
	Tags  []benchTag `aws:"Tags" xml:"tagSet>item" item:"item"`
}

type benchTag struct {
	Key   *string `aws:"Key" xml:"key"`
	Value *string `aws:"Value" xml:"value"`
}

type benchOutput struct {
	Items []benchItem `aws:"Items" xml:"itemSet>item" item:"item"`
}

func BenchmarkAppend(b *testing.B) {
	now := time.UnixMilli(1789551555929)
	out := &benchOutput{}
	for i := range 20 {
		out.Items = append(out.Items, benchItem{new(fmt.Sprintf("subnet-%017x", i)), new("available"), new(int32(251)), &now,
			[]benchTag{{new("Name"), new("web")}, {new("Stage"), new("prod")}}})
	}
	plan := plans.Of(reflect.TypeFor[benchOutput]())
	b.Run("append", func(b *testing.B) {
		b.ReportAllocs()
		var buf []byte
		for b.Loop() {
			buf = AppendEC2(buf[:0], vpc, "Describe", "r", plan, out)
		}
	})
	b.Run("encoding-xml", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := xml.Marshal(out); err != nil {
				b.Fatal(err)
			}
		}
	})
}
