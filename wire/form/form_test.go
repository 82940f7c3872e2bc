package form

import (
	"errors"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"neargate/aws/ec2"
	"neargate/aws/iam"
	"neargate/wire/shape"
)

type input struct {
	Name   *string           `aws:"Name"`
	Flag   *bool             `aws:"Flag"`
	Count  *int32            `aws:"Count"`
	Ratio  *float64          `aws:"Ratio"`
	At     *time.Time        `aws:"At"`
	Blob   []byte            `aws:"Blob"`
	Words  []string          `aws:"Words"`
	Tags   []tag             `aws:"Tags"`
	Flat   []string          `aws:"Flat,flat"`
	Named  []string          `aws:"Named" item:"entry"`
	Labels map[string]string `aws:"Labels"`
	ByKey  map[string]tag    `aws:"ByKey,flat"`
	Child  *input            `aws:"Child" form:"TheChild"`
}

type tag struct {
	Key   *string  `aws:"Key"`
	Words []string `aws:"Words"`
}

var inputPlan = shape.NewPlans().Of(reflect.TypeFor[input]())

func TestReadQuery(t *testing.T) {
	at := time.Date(2025, 3, 18, 14, 1, 41, 0, time.UTC)
	tests := map[string]input{
		"":                        {},
		"Action=Do&Version=1&X=y": {},
		"Name=a&Name=b":           {Name: new("b")},
		"Name=":                   {Name: new("")},
		"name=a":                  {},
		"Name.x=1":                {},
		"Name=a+b%2B%c3%A9&&":     {Name: new("a b+é")},
		"Count=0900":              {Count: new(int32(900))},
		"Count=%2B900":            {Count: new(int32(900))},
		"Flag=1":                  {Flag: new(true)},
		"Flag=false":              {Flag: new(false)},
		"Ratio=1.5&At=2025-03-18T14:01:41Z&Blob=AAEC": {Ratio: new(1.5), At: &at, Blob: []byte{0, 1, 2}},
		"Words.member.2=b&Words.member.1=a":           {Words: []string{"a", "b"}},
		"Words.member.01=a":                           {Words: []string{"a"}},
		"Words=":                                      {Words: []string{}},
		"Words.1=a":                                   {},
		"Flat.1=a&Flat.2=b":                           {Flat: []string{"a", "b"}},
		"Named.entry.1=a":                             {Named: []string{"a"}},
		"Tags.member.2.Key=b":                         {Tags: []tag{{}, {Key: new("b")}}},
		"Tags.member.11.Key=b":                        {Tags: append(make([]tag, 10), tag{Key: new("b")})},
		"Tags.member.1.Key=a&Tags.member.1.No=x&Tags.member.1.Words.member.1=w": {Tags: []tag{{new("a"), []string{"w"}}}},
		"Labels.entry.1.key=a&Labels.entry.1.value=b":                           {Labels: map[string]string{"a": "b"}},
		"ByKey.1.key=k&ByKey.1.value.Key=v":                                     {ByKey: map[string]tag{"k": {Key: new("v")}}},
		"TheChild.TheChild.Name=x":                                              {Child: &input{Child: &input{Name: new("x")}}},
		"Child.Name=x":                                                          {},
	}
	for in, want := range tests {
		var got input
		pairs, err := Parse(in)
		if err == nil {
			err = ReadQuery(pairs, inputPlan, &got)
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v (%v)", in, got, err)
		}
	}
}

func TestReadQueryRefuses(t *testing.T) {
	tests := map[string]string{
		"Count=+900":           "MalformedInput", // + is a blank
		"Count=900.0":          "MalformedInput",
		"Count=9e2":            "MalformedInput",
		"Count=2147483648":     "MalformedInput",
		"Count=":               "MalformedInput",
		"Flag=True":            "MalformedInput",
		"Flag=":                "MalformedInput",
		"At=yesterday":         "MalformedInput",
		"Ratio=0x1p1":          "MalformedInput",
		"Words=a":              "MalformedInput",
		"Words.member.0=a":     "MalformedInput",
		"Words.member.-1=a":    "MalformedInput",
		"Words.member.x=a":     "MalformedInput",
		"Tags.member.12.Key=a": "MalformedInput",
		"Tags.member.1.Key=a&Tags.member.12.Key=b": "MalformedInput",
		"Tags.member.9999999999.Key=a":             "MalformedInput",
		"Labels.entry.1.value=b":                   "MalformedInput",
		"Words.member.2=b":                         "ValidationError",
		"Name=%zz":                                 "MalformedQueryString",
		"Name=%4":                                  "MalformedQueryString",
		"Name=%ff":                                 "MalformedQueryString",
		"Name" + strings.Repeat(".a", 40) + "=":    "MalformedQueryString",
		strings.Repeat("A=1&", maxPairs+1):         "MalformedQueryString",
		"Words.member.1=a&Words.member.8=b&Words.member.19=c":  "MalformedInput",
		"Tags.member.1.Words=x&Tags.member.1.Words.member.1=a": "",
	}
	for in, want := range tests {
		pairs, err := Parse(in)
		if err == nil {
			err = ReadQuery(pairs, inputPlan, new(input))
		}
		if got := codeOf(err); got != want {
			t.Errorf("%.60s: got %v, want %s", in, err, want)
		}
	}
}

func TestGapsMayAddUp(t *testing.T) {
	pairs, _ := Parse("Tags.member.15.Key=c&Tags.member.1.Key=a&Tags.member.8.Key=b")
	var got input
	if err := ReadQuery(pairs, inputPlan, &got); err != nil || len(got.Tags) != 15 {
		t.Errorf("got %d (%v)", len(got.Tags), err)
	}
}

func TestLongListInAnyOrder(t *testing.T) {
	values := url.Values{} // encodes sorted by name, as some clients do: 1, 10, 100, 101, …
	for i := range 250 {
		values.Set("Words.member."+string(rune('0'+(i+1)/100))+string(rune('0'+(i+1)/10%10))+string(rune('0'+(i+1)%10)), "v")
	}
	pairs, err := Parse(values.Encode())
	var got input
	if err == nil {
		err = ReadQuery(pairs, inputPlan, &got)
	}
	if err != nil || len(got.Words) != 250 {
		t.Errorf("got %d words (%v)", len(got.Words), err)
	}
}

func TestReadEC2(t *testing.T) {
	plan := shape.NewPlans().Of(reflect.TypeFor[ec2.DescribeVpcsInput]())
	two := []ec2.Filter{{Name: new("a"), Values: []string{"x", "y"}}, {Name: new("b")}}
	tests := map[string]ec2.DescribeVpcsInput{
		"Action=DescribeVpcs&Version=2016-11-15&X-Amz-Signature=1&AWSAccessKeyId=2": {},
		"VpcId.1=a&VpcId.2=b":      {VpcIds: []string{"a", "b"}},
		"VpcId.0=a&VpcId.07=b":     {VpcIds: []string{"a", "b"}},
		"VpcId.10=b&VpcId.9=a":     {VpcIds: []string{"a", "b"}},
		"VpcId=a":                  {VpcIds: []string{"a"}},
		"VpcId.abc=a":              {VpcIds: []string{""}},
		"VpcId.999999999=a":        {VpcIds: []string{"a"}},
		"MaxResults=5&DryRun=true": {MaxResults: new(int32(5)), DryRun: new(true)},
		"Filter.1.Name=a&Filter.1.Value.1=x&Filter.1.Value.2=y&Filter.2.Name=b": {Filters: two},
		"Filter.2.Name=a&Filter.2.Value.3=x&Filter.2.Value.5=y&Filter.7.Name=b": {Filters: two},
		"Filter.Name=a": {Filters: []ec2.Filter{{Name: new("a")}}},
	}
	for in, want := range tests {
		var got ec2.DescribeVpcsInput
		pairs, err := Parse(in)
		if err == nil {
			err = ReadEC2(pairs, plan, &got, false)
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v (%v)", in, got, err)
		}
	}
}

func TestReadEC2Refuses(t *testing.T) {
	plan := shape.NewPlans().Of(reflect.TypeFor[ec2.DescribeVpcsInput]())
	tests := map[string]string{
		"vpcId.1=a":                    "UnknownParameter: The parameter vpcId is not recognized",
		"Filter.1.Foo=a":               "UnknownParameter: The parameter Filter.1.Foo is not recognized",
		"NextToken.x=a":                "UnknownParameter: The parameter NextToken.x is not recognized",
		"Filter.1=a":                   "UnknownParameter: The parameter Filter.1 is not recognized",
		"VpcId.-1=a":                   "InvalidParameterValue: Value (-1) for parameter vpcId is invalid",
		"MaxResults=x":                 "InvalidParameterValue: Value (x) for parameter maxResults is invalid",
		"MaxResults=":                  "InvalidParameterValue: Value () for parameter maxResults is invalid",
		"DryRun=maybe":                 "InvalidParameterValue: Value (maybe) for parameter dryRun is invalid",
		"VpcId.99999999999999999999=a": "InvalidParameterValue: Value (99999999999999999999) for parameter vpcId is invalid",
	}
	for in, want := range tests {
		pairs, _ := Parse(in)
		if err := ReadEC2(pairs, plan, new(ec2.DescribeVpcsInput), false); err == nil || err.Error() != want {
			t.Errorf("%s: got %v", in, err)
		}
	}
}

func TestRepeatedScalarInEC2(t *testing.T) {
	plan := shape.NewPlans().Of(reflect.TypeFor[ec2.DescribeVpcsInput]())
	pairs, _ := Parse("NextToken=a&NextToken=b")
	for get, want := range map[bool]string{true: "a", false: "b"} {
		var got ec2.DescribeVpcsInput
		if err := ReadEC2(pairs, plan, &got, get); err != nil || *got.NextToken != want {
			t.Errorf("get=%v: got %q (%v)", get, *got.NextToken, err)
		}
	}
}

func TestGet(t *testing.T) {
	pairs := []Pair{{"Action", "a"}, {"Action", "b"}}
	if got := Get(pairs, "Action"); got != "b" {
		t.Errorf("got %q", got)
	}
	if got := Get(pairs, "Version"); got != "" {
		t.Errorf("got %q", got)
	}
}

func codeOf(err error) string {
	var e *shape.Error
	if !errors.As(err, &e) {
		return ""
	}
	return e.Code
}

// FuzzRead holds that no request panics or makes more than it carries: every
// error is an AWS error, and lists stay within the gaps allowed.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		"Words.member.1=a&Tags.member.11.Key=b&Labels.entry.1.key=k&ByKey.1.key=k&TheChild.TheChild.Flag=1",
		"Words.-1=a&Words.x=b&Tags.Key=a&Tags.01.Key=b&Count=1&At=2025-03-18T14:01:41Z&%zz", "Flat=&Words=&..=&=&.1=",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, encoded string) {
		pairs, err := Parse(encoded)
		if err != nil {
			return
		}
		var query, compute input
		if err := ReadQuery(pairs, inputPlan, &query); err != nil && codeOf(err) == "" {
			t.Fatalf("unexpected error %v", err)
		}
		if limit := (maxGap + 1) * (len(pairs) + 1); len(query.Tags) > limit || len(query.Words) > len(pairs) {
			t.Fatalf("%d pairs made %d structures and %d strings", len(pairs), len(query.Tags), len(query.Words))
		}
		for _, get := range []bool{false, true} {
			if err := ReadEC2(pairs, inputPlan, &compute, get); err != nil && codeOf(err) == "" {
				t.Fatalf("unexpected error %v", err)
			}
		}
	})
}

func BenchmarkReadQuery(b *testing.B) {
	in := "Action=CreateRole&Version=2010-05-08&RoleName=ecsTaskExecutionRole&Path=%2F&Description=Allows+ECS+tasks" +
		"&AssumeRolePolicyDocument=%7B%22Version%22%3A%222012-10-17%22%7D&Tags.member.1.Key=a&Tags.member.1.Value=b&Tags.member.2.Key=c&Tags.member.2.Value=d"
	plan := shape.NewPlans().Of(reflect.TypeFor[iam.CreateRoleInput]())
	b.Run("read", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			pairs, _ := Parse(in)
			if err := ReadQuery(pairs, plan, new(iam.CreateRoleInput)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("net-url-ParseQuery-alone", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := url.ParseQuery(in); err != nil {
				b.Fatal(err)
			}
		}
	})
}
