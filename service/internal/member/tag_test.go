package member

import (
	"slices"
	"testing"
)

type tag struct{ Key, Value string }

func TestTags(t *testing.T) {
	have := []tag{{"b", "1"}, {"a", "2"}}
	kept := slices.Clone(have)
	got := SetTag(SetTag(have, "b", "3"), "A", "4")
	if want := []tag{{"b", "3"}, {"a", "2"}, {"A", "4"}}; !slices.Equal(got, want) {
		t.Errorf("set: %v, want %v", got, want)
	}
	SortTags(got)
	if want := []tag{{"A", "4"}, {"a", "2"}, {"b", "3"}}; !slices.Equal(got, want) {
		t.Errorf("sorted: %v, want %v", got, want)
	}
	if left := WithoutTags(have, []string{"b", "none"}); !slices.Equal(left, []tag{{"a", "2"}}) {
		t.Errorf("without b: %v", left)
	}
	if !slices.Equal(have, kept) {
		t.Errorf("what was given has become %v", have)
	}
	for key, want := range map[string]bool{"aws:x": true, "AWS:": true, "aws": false, "xaws:": false, "": false} {
		if ReservedTag(key) != want {
			t.Errorf("%q reserved: %v", key, !want)
		}
	}
}
