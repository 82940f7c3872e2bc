package shape

import (
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"
)

type tree struct {
	Kids  []tree          `aws:"kids,len=0:10"`
	Left  *tree           `aws:"left"`
	ByKey map[string]tree `aws:"byKey" key:"len=1:128"`
	Name  *string         `aws:"Name,required,len=1:5,enum=a|b,sensitive" form:"TheName" xml:"nameSet" pattern:"[a-z]+"`
	Made  *time.Time      `aws:"made,ts=date-time"`
	Count *int32          `aws:"count,range=1:"`
	Other *int32          // no wire name
}

func TestPlanOfRecursiveType(t *testing.T) {
	plans := NewPlans()
	p := plans.Of(reflect.TypeFor[tree]())
	if plans.Of(reflect.TypeFor[tree]()) != p {
		t.Error("compiled twice")
	}
	if len(p.Members) != 6 {
		t.Fatalf("got %d members", len(p.Members))
	}
	kids := p.ByName([]byte("kids"))
	if kids.Kind != List || kids.Elem.Structure != p || kids.Rules.MaxLen != 10 {
		t.Errorf("kids: %+v", kids)
	}
	name := p.ByName([]byte("Name"))
	if !name.Required || !name.Sensitive || name.Rules.MinLen != 1 || len(name.Rules.Enum) != 2 {
		t.Errorf("name: %+v", name)
	}
	if name.XML != "nameSet" || p.ByForm(Query, "TheName") != name || p.ByForm(EC2, "TheName") != name {
		t.Errorf("name: %+v", name)
	}
	if p.ByForm(EC2, "Count") == nil || p.ByForm(Query, "Count") != nil || p.ByForm(Query, "count") == nil {
		t.Error("EC2 names are capitalised, query names are not")
	}
	if p.ByName([]byte("made")).Format != DateTime {
		t.Error("timestamp format lost")
	}
	if got := p.Sorted[0].Name; got != "Name" {
		t.Errorf("first in order is %q", got)
	}
	if c := p.ByName([]byte("count")).Rules; !c.HasMin || c.HasMax || c.Min != 1 {
		t.Errorf("count: %+v", c)
	}
}

func TestPatternDialect(t *testing.T) {
	tests := []struct {
		pattern, in string
		want        bool
	}{
		{`[\u0020-\u00FF]+`, "aé", true},
		{`[\u0020-\u00FF]+`, "世", false},
		{`[\u2028]{2}`, "\u2028\u2028", true},
		{`a{2}`, "aaa", false},
		{`[\s\S]{0,2048}`, "x", true},
		{`ab`, "xab", false},
		{`a|b`, "ab", false},
		{`^a+$`, "aaa", true},
		{`\d{12}`, "123456789012", true},
	}
	for _, tt := range tests {
		p := NewPattern(tt.pattern)
		if err := p.Err(); err != nil {
			t.Errorf("%s: %v", tt.pattern, err)
		}
		if got := p.Match(tt.in); got != tt.want {
			t.Errorf("%s on %q: got %v", tt.pattern, tt.in, got)
		}
	}
	if NewPattern(`(?!aws:)x`).Err() == nil {
		t.Error("look-ahead reported as usable")
	}
}

func TestAppendDouble(t *testing.T) {
	tests := map[float64]string{
		0: "0.0", 100: "100.0", 0.5: "0.5", 1789551555.929: "1.789551555929E9", 1789551555: "1.789551555E9",
		1789574381.9: "1.7895743819E9", 1e7: "1.0E7", 9999999: "9999999.0", 0.001: "0.001", 0.0001: "1.0E-4",
		-2.5e-10: "-2.5E-10", math.Inf(1): "Infinity", math.Inf(-1): "-Infinity",
	}
	for in, want := range tests {
		if got := string(AppendDouble(nil, in, 64)); got != want {
			t.Errorf("%v: got %s, want %s", in, got, want)
		}
	}
}

// TestAppendSeconds: the short way writes what the long one does.
func TestAppendSeconds(t *testing.T) {
	chance := rand.New(rand.NewPCG(1, 2))
	for i := range 200_000 {
		ms := chance.Int64N(1 << (10 + i%52))
		if i%3 == 0 {
			ms -= ms % int64(math.Pow10(i%9))
		}
		if i%7 == 0 {
			ms = -ms
		}
		want := string(AppendDouble(nil, float64(ms)/1000, 64))
		if got := string(AppendSeconds(nil, time.UnixMilli(ms))); got != want {
			t.Fatalf("%d ms is %s, not %s", ms, got, want)
		}
	}
}
