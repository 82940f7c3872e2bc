package validate

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"neargate/aws/ec2"
	"neargate/aws/ecs"
	"neargate/aws/iam"
	"neargate/aws/logs"
	"neargate/aws/sts"
	"neargate/wire/shape"
)

type sample struct {
	Name    *string           `aws:"Name,required,len=1:5" pattern:"[a-z]+"`
	Secret  *string           `aws:"Secret,len=1:,sensitive"`
	Days    *int32            `aws:"RotationPeriodInDays,range=90:2560"`
	Ratio   *float64          `aws:"Ratio,range=0.5:"`
	Mode    *string           `aws:"Mode,enum=ON|OFF"`
	Token   *string           `aws:"Token,required,idem"`
	Words   []string          `aws:"Words,len=:2" each:"len=1:3" eachpattern:"[a-z]*"`
	Labels  map[string]string `aws:"Labels" key:"len=1:2" each:"enum=A|B"`
	Items   []item            `aws:"Items"`
	Grid    [][]item          `aws:"Grid"`
	ByKey   map[string]item   `aws:"ByKey"`
	Child   *item             `aws:"Child"`
	Plain   *string           `aws:"Plain"`
	Letters *string           `aws:"Letters,len=:3"`
}

type item struct {
	Key    *string `aws:"Key,required"`
	Hidden *string `aws:"Hidden,sensitive"`
}

var samplePlan = shape.NewPlans().Of(reflect.TypeFor[sample]())

func TestMessages(t *testing.T) {
	ok := func() sample { return sample{Name: new("a")} }
	with := func(change func(*sample)) sample { s := ok(); change(&s); return s }
	tests := []struct {
		in   sample
		want string
	}{
		{ok(), ""},
		{sample{}, "Value null at 'name' failed to satisfy constraint: Member must not be null"},
		{with(func(s *sample) { s.Name = new("abcdef") }), "Value 'abcdef' at 'name' failed to satisfy constraint: Member must have length less than or equal to 5"},
		{with(func(s *sample) { s.Name = new("A") }), "Value 'A' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-z]+"},
		{with(func(s *sample) { s.Secret = new("") }), "Value at 'secret' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		{with(func(s *sample) { s.Days = new(int32(2561)) }), "Value '2561' at 'rotationPeriodInDays' failed to satisfy constraint: Member must have value less than or equal to 2560"},
		{with(func(s *sample) { s.Days = new(int32(2560)) }), ""},
		{with(func(s *sample) { s.Ratio = new(0.25) }), "Value '0.25' at 'ratio' failed to satisfy constraint: Member must have value greater than or equal to 0.5"},
		{with(func(s *sample) { s.Mode = new("on") }), "Value 'on' at 'mode' failed to satisfy constraint: Member must satisfy enum value set: [ON, OFF]"},
		{with(func(s *sample) { s.Words = []string{"a", "b", "c"} }), "Value '[a, b, c]' at 'words' failed to satisfy constraint: Member must have length less than or equal to 2"},
		{with(func(s *sample) { s.Words = []string{"ok", "B"} }), "Value '[ok, B]' at 'words' failed to satisfy constraint: Member must satisfy constraint: [Member must have length less than or equal to 3, Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: [a-z]*]"},
		{with(func(s *sample) { s.Labels = map[string]string{"abc": "A"} }), "Value '{abc=A}' at 'labels' failed to satisfy constraint: Map keys must satisfy constraint: [Member must have length less than or equal to 2, Member must have length greater than or equal to 1]"},
		{with(func(s *sample) { s.Labels = map[string]string{"a": "C"} }), "Value '{a=C}' at 'labels' failed to satisfy constraint: Map value must satisfy constraint: [Member must satisfy enum value set: [A, B]]"},
		{with(func(s *sample) { s.Items = []item{{Key: new("k")}, {}} }), "Value null at 'items.2.member.key' failed to satisfy constraint: Member must not be null"},
		{with(func(s *sample) { s.Grid = [][]item{{{}}} }), "Value null at 'grid.1.member.1.member.key' failed to satisfy constraint: Member must not be null"},
		{with(func(s *sample) { s.ByKey = map[string]item{"x": {}} }), "Value null at 'byKey.x.member.key' failed to satisfy constraint: Member must not be null"},
		{with(func(s *sample) { s.Child = &item{} }), "Value null at 'child.key' failed to satisfy constraint: Member must not be null"},
		{with(func(s *sample) { s.Letters = new("äöü") }), ""},
		{with(func(s *sample) { s.Letters = new("äöüß") }), "Value 'äöüß' at 'letters' failed to satisfy constraint: Member must have length less than or equal to 3"},
	}
	for _, tt := range tests {
		found := Check(samplePlan, &tt.in)
		got := ""
		if len(found) > 0 {
			got = strings.TrimPrefix(framework(found), "1 validation error detected: ")
		}
		if got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
}

func TestSeveralViolations(t *testing.T) {
	got := framework(Check(samplePlan, &sample{Name: new(""), Mode: new("x")}))
	want := "3 validation errors detected: Value '' at 'name' failed to satisfy constraint: Member must have length greater than or equal to 1; " +
		"Value '' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-z]+; " +
		"Value 'x' at 'mode' failed to satisfy constraint: Member must satisfy enum value set: [ON, OFF]"
	if got != want {
		t.Errorf("got %s", got)
	}
}

func TestEchoHidesSecrets(t *testing.T) {
	type input struct {
		Items []item `aws:"items,len=:1"`
	}
	in := input{[]item{{Key: new("k"), Hidden: new("s3cret")}, {Key: new("k")}}}
	got := framework(Check(shape.NewPlans().Of(reflect.TypeFor[input]()), &in))
	if strings.Contains(got, "s3cret") || !strings.Contains(got, "[item(key=k, hidden=***") {
		t.Errorf("got %s", got)
	}
}

func TestServices(t *testing.T) {
	plans := shape.NewPlans()
	describe := map[string]shape.Service{"ecs": ecs.Describe(struct{ ecs.API }{}), "ec2": ec2.Describe(struct{ ec2.API }{}), "iam": iam.Describe(struct{ iam.API }{}), "logs": logs.Describe(struct{ logs.API }{}), "ecr": {ID: "ecr", Protocol: shape.JSON11}}
	tests := []struct {
		service string
		in      any
		want    string
	}{
		{"iam", &iam.CreateRoleInput{RoleName: new(strings.Repeat("x", 65)), AssumeRolePolicyDocument: new("{}")},
			"ValidationError: 1 validation error detected: Value '" + strings.Repeat("x", 65) + "' at 'roleName' failed to satisfy constraint: Member must have length less than or equal to 64"},
		{"iam", &iam.CreateRoleInput{RoleName: new("r"), AssumeRolePolicyDocument: new("{}"), Tags: []iam.Tag{{Key: new("k"), Value: new("v")}, {Value: new("v")}}},
			"ValidationError: 1 validation error detected: Value null at 'tags.2.member.key' failed to satisfy constraint: Member must not be null"},
		{"iam", &iam.CreateRoleInput{RoleName: new("r"), AssumeRolePolicyDocument: new("{}")}, ""},
		{"logs", &logs.CreateLogGroupInput{},
			"InvalidParameterException: 1 validation error detected: Value null at 'logGroupName' failed to satisfy constraint: Member must not be null"},
		{"ecr", &sample{Name: new("")},
			"InvalidParameterException: Invalid parameter at 'name' failed to satisfy constraint: 'Member must have length greater than or equal to 1'"},
		{"ecs", &ecs.RegisterTaskDefinitionInput{NetworkMode: new("bogus"), RequiresCompatibilities: []string{"MARS"}}, ""},
		{"ec2", &ec2.CreateSecurityGroupInput{Description: new("d")}, "MissingParameter: The request must contain the parameter groupName"},
		{"ec2", &ec2.DescribeVpcsInput{MaxResults: new(int32(3))},
			"InvalidParameterValue: Value ( 3 ) for parameter maxResults is invalid. Expecting a value greater than 5."},
		{"ec2", &ec2.DescribeVpcsInput{MaxResults: new(int32(1001))},
			"InvalidParameterValue: Value ( 1001 ) for parameter maxResults is invalid. Expecting a value smaller than or equal to 1000."},
	}
	for _, tt := range tests {
		s := describe[tt.service]
		got := ""
		if err := Input(&s, plans.Of(reflect.TypeOf(tt.in).Elem()), tt.in); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s: got  %s\nwant %s", tt.service, got, tt.want)
		}
	}
}

func TestFallbacks(t *testing.T) {
	for protocol, want := range map[shape.Protocol]string{shape.Query: "ValidationError", shape.JSON11: "ValidationException", shape.JSON10: "ValidationException"} {
		var e *shape.Error
		if err := Input(&shape.Service{ID: "other", Protocol: protocol}, samplePlan, &sample{}); !errors.As(err, &e) || e.Code != want {
			t.Errorf("%s: got %v", protocol, err)
		}
	}
}

// TestModels compiles every operation there is, and holds that Go can use every
// pattern of the models.
func TestModels(t *testing.T) {
	plans := shape.NewPlans()
	for _, s := range []shape.Service{ecs.Describe(struct{ ecs.API }{}), ec2.Describe(struct{ ec2.API }{}), iam.Describe(struct{ iam.API }{}), logs.Describe(struct{ logs.API }{}), sts.Describe(struct{ sts.API }{})} {
		for _, op := range s.Operations {
			seen := map[*shape.Plan]bool{}
			checkPatterns(t, plans.Of(op.Input), seen)
			plans.Of(op.Output)
		}
	}
}

func checkPatterns(t *testing.T, p *shape.Plan, seen map[*shape.Plan]bool) {
	if seen[p] {
		return
	}
	seen[p] = true
	for _, m := range p.Members {
		for _, pattern := range []*shape.Pattern{m.Rules.Pattern, m.Each.Pattern, m.Key.Pattern} {
			if pattern != nil && (pattern.Err() != nil || strings.Contains(pattern.Text, "&&")) {
				t.Errorf("%v.%s: %s: %v", p.Type, m.Name, pattern.Text, pattern.Err())
			}
		}
		v := &m.Value
		for v.Elem != nil {
			v = v.Elem
		}
		if v.Structure != nil {
			checkPatterns(t, v.Structure, seen)
		}
	}
}

func TestStylesAreWhole(t *testing.T) {
	for id, st := range styles {
		if st.code == "" || st.message == nil || slices.Contains(st.skip, MaxLength) {
			t.Errorf("%s: %+v", id, st)
		}
	}
}

func BenchmarkRegisterTaskDefinition(b *testing.B) {
	in := &ecs.RegisterTaskDefinitionInput{Family: new("web"), Tags: []ecs.Tag{{Key: new("k"), Value: new("v")}}}
	for range 3 {
		in.ContainerDefinitions = append(in.ContainerDefinitions, ecs.ContainerDefinition{Name: new("c"), Image: new("nginx"),
			Environment:  []ecs.KeyValuePair{{Name: new("a"), Value: new("b")}, {Name: new("a"), Value: new("b")}},
			PortMappings: []ecs.PortMapping{{ContainerPort: new(int32(80))}}})
	}
	s, plan := ecs.Describe(struct{ ecs.API }{}), shape.NewPlans().Of(reflect.TypeFor[ecs.RegisterTaskDefinitionInput]())
	b.ReportAllocs()
	for b.Loop() {
		if err := Input(&s, plan, in); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCompileModels(b *testing.B) {
	services := []shape.Service{ecs.Describe(struct{ ecs.API }{}), ec2.Describe(struct{ ec2.API }{}), iam.Describe(struct{ iam.API }{})}
	b.ReportAllocs()
	for b.Loop() {
		plans := shape.NewPlans()
		for _, s := range services {
			for _, op := range s.Operations {
				plans.Of(op.Input)
				plans.Of(op.Output)
			}
		}
	}
}
