package filter

import (
	"strings"
	"testing"
	"time"

	"neargate/wire/shape"
)

func TestGlob(t *testing.T) {
	for _, c := range []struct {
		pattern, s string
		want       bool
	}{
		{"", "", true}, {"", "a", false}, {"a", "", false}, {"abc", "abc", true}, {"abc", "abd", false},
		{"*", "", true}, {"*", "anything", true}, {"a*", "abc", true}, {"a*c", "abc", true}, {"a*c", "abcd", false},
		{"*b*", "abc", true}, {"**x", "yx", true}, {"?", "", false}, {"?", "a", true}, {"a?c", "abc", true}, {"a?c", "ac", false},
		{`\*`, "*", true}, {`\*`, "a", false}, {`a\?`, "a?", true}, {`a\?`, "ab", false}, {"A", "a", false},
		{"*aab", "aaaaab", true}, {"subnet-*", "subnet-01", true},
	} {
		if got := glob(c.pattern, c.s); got != c.want {
			t.Errorf("glob(%q, %q) = %v", c.pattern, c.s, got)
		}
	}
}

func FuzzGlob(f *testing.F) {
	f.Add("a*", "abc")
	f.Fuzz(func(t *testing.T, prefix, s string) {
		literal := strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`).Replace(prefix)
		if want := strings.HasPrefix(s, prefix); glob(literal+"*", s) != want {
			t.Errorf("glob(%q, %q) is not %v", literal+"*", s, want)
		}
	})
}

type tag struct{ Key, Value *string }

type thing struct {
	Name  *string
	Parts []*struct{ Size int32 }
	At    time.Time
	Tags  []tag
}

func TestCompile(t *testing.T) {
	set := Set{
		Fields: map[string]string{"name": "Name", "part.size": "Parts.Size", "at": "At", "colour": ""},
		Tags:   "Tags",
	}
	a := thing{
		Name: new("a"), Parts: []*struct{ Size int32 }{{1}, nil, {22}}, At: time.Date(2026, 9, 1, 2, 3, 4, 5e6, time.UTC),
		Tags: []tag{{new("Stage"), new("dev")}, {new("Empty"), new("")}},
	}
	for _, c := range []struct {
		name    string
		filters []Filter
		want    bool
		code    string
	}{
		{"none", nil, true, ""},
		{"one of two values", []Filter{{"name", []string{"b", "a"}}}, true, ""},
		{"no value", []Filter{{"name", []string{"b"}}}, false, ""},
		{"both filters", []Filter{{"name", []string{"a"}}, {"tag:Stage", []string{"de?"}}}, true, ""},
		{"one filter fails", []Filter{{"name", []string{"a"}}, {"tag:Stage", []string{"prod"}}}, false, ""},
		{"member of a list", []Filter{{"part.size", []string{"22"}}}, true, ""},
		{"time", []Filter{{"at", []string{"2026-09-01T*"}}}, true, ""},
		{"what nothing has", []Filter{{"colour", []string{"*"}}}, false, ""},
		{"tag key", []Filter{{"tag-key", []string{"Stage"}}}, true, ""},
		{"absent tag", []Filter{{"tag:Nothing", []string{"*"}}}, false, ""},
		{"empty tag value", []Filter{{"tag:Empty", []string{""}}}, true, ""},
		{"unknown", []Filter{{"weight", []string{"a"}}}, false, "InvalidParameterValue"},
		{"no values", []Filter{{"name", nil}}, false, "InvalidParameterValue"},
		{"too many values", []Filter{{"name", make([]string, 201)}}, false, "FilterLimitExceeded"},
	} {
		t.Run(c.name, func(t *testing.T) {
			match, err := Compile[thing](set, c.filters)
			if c.code != "" {
				if !shape.IsCode(err, c.code) {
					t.Fatalf("error %v, want %s", err, c.code)
				}
				return
			}
			if err != nil || match(&a) != c.want {
				t.Errorf("error %v, match %v", err, err == nil && match(&a))
			}
		})
	}
	if _, err := Compile[thing](Set{}, []Filter{{"tag-key", []string{"x"}}}); err == nil {
		t.Error("a tag filter on something untagged was accepted")
	}
}
