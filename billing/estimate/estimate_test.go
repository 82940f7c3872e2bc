package estimate

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"neargate/resource/billing"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := "testdata/" + name
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
	}
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func list(t *testing.T, region string) *billing.List {
	t.Helper()
	l, err := billing.AWS(region)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

var october = time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)

func estimateOf(t *testing.T, p Plan, l *billing.List, s Schedule) *Estimate {
	t.Helper()
	e, err := Price(p, l, october, s)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func table(t *testing.T, e *Estimate) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := e.Table(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func asJSON(t *testing.T, e *Estimate) []byte {
	t.Helper()
	b, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(b, '\n')
}

func tasks(size billing.Size, count int64) Plan {
	return Plan{Items: []Item{{Name: "task of " + Describe(size), Count: count, Size: &size}}}
}

// TestSchedule is the first worked example of AWS's page, and in Tokyo on ARM.
func TestSchedule(t *testing.T) {
	size := billing.Size{CPU: 1024, Memory: 2048, StorageGiB: 30}
	e := estimateOf(t, tasks(size, 5), list(t, "us-east-1"), Schedule{Seconds: 600, Days: 30})
	if got := e.Cost.Total.Text(2); got != "1.26" {
		t.Errorf("the page has $1.26, this is %s", got)
	}
	size.Architecture = "ARM64"
	e = estimateOf(t, tasks(size, 5), list(t, "ap-northeast-1"), Schedule{Seconds: 600, Days: 30})
	golden(t, "tokyo.golden", table(t, e))
	golden(t, "tokyo.json", asJSON(t, e))
}

// TestMinimum charges a run of a second as a minute, each day anew.
func TestMinimum(t *testing.T) {
	size := billing.Size{CPU: 1024, Memory: 2048}
	second := estimateOf(t, tasks(size, 2), list(t, "us-east-1"), Schedule{Seconds: 1, Days: 3})
	minute := estimateOf(t, tasks(size, 2), list(t, "us-east-1"), Schedule{Seconds: 60, Days: 3})
	if second.Cost.Total.Cmp(*minute.Cost.Total) != 0 || second.Cost.Total.Text(6) != "0.004937" {
		t.Errorf("a second a day costs %s, a minute %s", second.Cost.Total, minute.Cost.Total)
	}
}

// TestTerms prints what of the terms is not AWS's.
func TestTerms(t *testing.T) {
	r := Request{CPU: "1", Memory: "2", Spot: true, Region: "ap-northeast-1", Schedule: Schedule{Seconds: 50, Days: 1}, Prices: []byte(`{"base": "aws", "region": "ap-northeast-1",
		"terms": {"freeStorageGiB": 0, "windowsMinimumSeconds": 60, "discounts": [{"name": "friends", "percent": 10, "usage": ["Fargate-GB-Hours", "SpotUsage-Fargate-GB-Hours"]}]}}`),
		Knobs: Knobs{Discount: "25", Currency: "JPY", Rate: "150.5", Minimum: new(int64(1)), Step: new(int64(30)), Decimals: new(int64(3))}}
	e, err := r.Estimate(october)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "terms.golden", table(t, e))
}

// TestCalculator wants what AWS's Pricing Calculator said of tasks that run always.
func TestCalculator(t *testing.T) {
	e := estimateOf(t, tasks(billing.Size{CPU: 2048, Memory: 4096, Architecture: "arm64"}, 4), list(t, "eu-central-1"), Schedule{})
	if got := e.Cost.Month.Text(2); got != "265.31" || e.Cost.Total != nil {
		t.Errorf("730 hours cost %s, want 265.31; a total of %v", got, e.Cost.Total)
	}
}

func TestTaskDefinition(t *testing.T) {
	for _, c := range []struct{ doc, want string }{
		{`{"family": "web", "cpu": "1 vCPU", "memory": "2GB", "ephemeralStorage": {"sizeInGiB": 30}, "runtimePlatform": {"cpuArchitecture": "ARM64"},
			"requiresCompatibilities": ["EC2", "FARGATE"], "containerDefinitions": [{"name": "web"}], "volumes": []}`,
			"web: task of 1 vCPU, 2 GB, 30 GB storage, ARM64"},
		{`{"taskDefinition": {"family": "web", "cpu": "256", "memory": "512", "registeredAt": 1790000000.5, "containerDefinitions": [{"name": "web"}]}, "tags": []}`,
			"web: task of 0.25 vCPU, 0.5 GB"},
	} {
		p, err := TaskDefinition([]byte(c.doc), 3, false)
		if err != nil || len(p.Items) != 1 || p.Items[0].Name != c.want || p.Items[0].Count != 3 {
			t.Errorf("got %+v, %v; want %s", p, err, c.want)
		}
	}
	const containers = `"containerDefinitions": [{"name": "web"}]`
	for _, c := range []struct{ doc, want string }{
		{``, "end of JSON"},
		{"{\n\n]", "line 3"},
		{`[]`, "cannot unmarshal array"},
		{`{}`, "containerDefinitions"},
		{`{` + containers + `}`, "cpu or memory is missing"},
		{`{"cpu": "256", ` + containers + `}`, "cpu or memory is missing"},
		{`{"cpu": 256, "memory": "512", ` + containers + `}`, "cannot unmarshal number"},
		{`{"cpu": "a lot", "memory": "512", ` + containers + `}`, `"a lot" is no size`},
		{`{"cpu": "256", "memory": "-1", ` + containers + `}`, `"-1" is no size`},
		{`{"cpu": "256", "memory": "4096", ` + containers + `}`, "no task on Fargate has 0.25 vCPU and 4 GB"},
		{`{"cpu": "256", "memory": "512", "ephemeralStorage": {}, ` + containers + `}`, "sizeInGiB is missing"},
		{`{"cpu": "256", "memory": "512", "ephemeralStorage": {"sizeInGiB": 500}, ` + containers + `}`, "500 GB of ephemeral storage"},
		{`{"cpu": "256", "memory": "512", "requiresCompatibilities": ["EC2"], ` + containers + `}`, "without FARGATE"},
		{`{"cpu": "256", "memory": "512", "runtimePlatform": {"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"}, ` + containers + `}`, "on Windows"},
		{strings.Repeat(" ", maxDocument+1), "bytes"},
	} {
		if p, err := TaskDefinition([]byte(c.doc), 1, false); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.80s: got %+v, %v; want an error with %q", c.doc, p, err, c.want)
		}
	}
}

func TestTemplate(t *testing.T) {
	p, err := Template(read(t, "service.yaml"), "ap-northeast-1", nil)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "service.golden", table(t, estimateOf(t, p, list(t, "ap-northeast-1"), Schedule{Days: 30})))
	p, err = Template(read(t, "service.yaml"), "ap-northeast-1", map[string]string{"Stage": "test", "Size": "large", "Count": "0"})
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "service-test.golden", table(t, estimateOf(t, p, list(t, "ap-northeast-1"), Schedule{})))
}

// TestTemplateJSON reads the same as JSON, and prices a task no service runs.
func TestTemplateJSON(t *testing.T) {
	p, err := Template([]byte(`{"Resources": {"Job": {"Type": "AWS::ECS::TaskDefinition", "Properties": {
		"Cpu": 1024, "Memory": {"Fn::Join": ["", ["20", "48"]]}, "RuntimePlatform": {"CpuArchitecture": "ARM64"}}}}}`), "us-east-1", nil)
	if err != nil || len(p.Items) != 1 || p.Items[0].Name != "Job: task of 1 vCPU, 2 GB, ARM64" || len(p.Notes) != 0 {
		t.Errorf("got %+v, %v", p, err)
	}
}

func TestBadTemplates(t *testing.T) {
	good := string(read(t, "service.yaml"))
	for _, c := range []struct{ old, new, want string }{
		{good, "", "no mapping"},
		{good, "{", "EOF"},
		{good, "a: [", "line"},
		{good, "Resources: {}", "At least one Resources member"},
		{good, "Resources: {A: {}}", "A: format error: a resource needs a Type"},
		{good, "Resources: {A: {Type: &a B}, C: *a}", "aliases are not allowed"},
		{good, "Resources: {A: {Type: B, Type: C}}", "a second time"},
		{"Default: small, ", "", "parameter Size has no default: give it with --parameter Size=…"},
		{"Default: small", "Default: huge", "parameter 'Size' must be one of AllowedValues"},
		{"Default: 4", "Default: four", `"four" is not between`},
		{"Default: 4", "Default: 5001", `"5001" is not between`},
		{"Cpu: 256, Memory: 512}\n    large", "Cpu: 256, Memory: 4096}\n    large", "Web: property TaskDefinition: Task: no task on Fargate has 0.25 vCPU and 4 GB"},
		{"SizeInGiB: 30", "SizeInGiB: much", `"much" is no size`},
		{"!FindInMap [Sizes, !Ref Size, Cpu]", "!ImportValue cpu", "property Cpu: Fn::ImportValue is known when the template is deployed"},
		{"TaskDefinition: !Ref Task\n", "TaskDefinition: !Ref Role\n", "Role: it is no task definition"},
		{"Weight: 2", "Weight: -2", "Weight"},
	} {
		bad := strings.Replace(good, c.old, c.new, 1)
		if bad == good {
			t.Fatalf("%q is not in the template", c.old)
		}
		if p, err := Template([]byte(bad), "us-east-1", nil); err == nil || !strings.Contains(err.Error(), c.want) || p.Items != nil {
			t.Errorf("%.60q → %.60q: got %v, want an error with %q", c.old, c.new, err, c.want)
		}
	}
	if _, err := Template([]byte(good), "us-east-1", map[string]string{"Colour": "red"}); err == nil || !strings.Contains(err.Error(), "parameters: [Colour] do not exist in the template") {
		t.Error(err)
	}
}

// TestConditionsEnd evaluates conditions that mean themselves, and ones that
// would be looked at 2^60 times if each were looked at anew.
func TestConditionsEnd(t *testing.T) {
	var b strings.Builder
	b.WriteString("Conditions:\n  Self: !Not [!Condition Self]\n  C60: !Equals [a, a]\n")
	for i := range 60 {
		n := func(i int) string { return "C" + string(rune('0'+i/10)) + string(rune('0'+i%10)) }
		b.WriteString("  " + n(i) + ": !And [!Condition " + n(i+1) + ", !Condition " + n(i+1) + "]\n")
	}
	b.WriteString("Resources:\n  A: {Type: AWS::EC2::EIP, Condition: Self}\n  B: {Type: AWS::EC2::EIP, Condition: C20}\n  C: {Type: AWS::EC2::EIP, Condition: C40}\n")
	p, err := Template([]byte(b.String()), "us-east-1", nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Items) != 2 || len(p.Notes) != 1 || !strings.Contains(p.Notes[0], "A: whether it will exist is not known: condition Self means itself") {
		t.Errorf("got %+v", p)
	}
}

func TestPriceRefuses(t *testing.T) {
	size := billing.Size{CPU: 1024, Memory: 2048}
	for _, c := range []struct {
		plan Plan
		s    Schedule
		want string
	}{
		{tasks(size, 1), Schedule{Seconds: -1}, "seconds"},
		{tasks(size, 1), Schedule{Seconds: 86401}, "seconds"},
		{tasks(size, 1), Schedule{Days: -1}, "days"},
		{tasks(size, -1), Schedule{}, "count"},
		{tasks(billing.Size{CPU: 1024, Memory: 2048, OSFamily: "WINDOWS_SERVER_2022_CORE"}, 1), Schedule{}, "no price is known for APN1-Fargate-Windows-vCPU-Hours:perCPU"},
		{tasks(billing.Size{}, 1), Schedule{}, "no task on Fargate"},
	} {
		if e, err := Price(c.plan, list(t, "ap-northeast-1"), october, c.s); err == nil || e != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: got %v, want an error with %q", c.plan, err, c.want)
		}
	}
}

// FuzzTemplate wants any input read or refused: priced without a panic, and never
// for less than nothing.
func FuzzTemplate(f *testing.F) {
	b, err := os.ReadFile("testdata/service.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"Resources": {"A": {"Type": "AWS::ECS::TaskDefinition", "Properties": {"Cpu": {"Fn::Select": [1, {"Fn::Split": ["-", "a-256"]}]}, "Memory": 512}}}}`))
	f.Add([]byte("Resources: {A: {Type: AWS::ECS::Service, Properties: {CapacityProviderStrategy: [{CapacityProvider: FARGATE, Base: 9, Weight: 0}], TaskDefinition: !Ref B}}}"))
	l, err := billing.AWS("us-east-1")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Template(b, "us-east-1", nil)
		if err != nil {
			return
		}
		if e, err := Price(p, l, october, Schedule{Days: 1}); err == nil && (e.Cost.Total.Sign() < 0 || len(table(t, e)) == 0) {
			t.Errorf("%s costs %s", b, e.Cost.Total)
		}
	})
}
