package tag

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"neargate/aws/ecs"
	"neargate/resource/compute"
)

func TestRead(t *testing.T) {
	got, err := Read([]ecs.Tag{{Key: new("a"), Value: new("")}, {Key: new("b"), Value: new("2")}})
	if want := []compute.Tag{{Key: "a"}, {Key: "b", Value: "2"}}; err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("Read = %v, %v", got, err)
	}
	many := make([]ecs.Tag, 51)
	for i := range many {
		many[i] = ecs.Tag{Key: new(fmt.Sprint(i)), Value: new("")}
	}
	for want, in := range map[string][]ecs.Tag{
		"ClientException: Tag value can not be null.":                     {{Key: new("a")}},
		"ClientException: Tag key can not be null.":                       {{Value: new("a")}},
		"InvalidParameterException: aws: prefixed":                        {{Key: new("AWS:x"), Value: new("")}},
		"InvalidParameterException: Duplicate tag keys":                   {{Key: new("a"), Value: new("1")}, {Key: new("a"), Value: new("2")}},
		"InvalidParameterException: The number of tags exceeds the limit": many,
	} {
		if _, err := Read(in); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("Read: %v, want %s", err, want)
		}
	}
}

func TestMergeWithout(t *testing.T) {
	old := []compute.Tag{{Key: "a", Value: "1"}, {Key: "b", Value: "1"}}
	merged, err := Merge(old, []compute.Tag{{Key: "b", Value: "2"}, {Key: "c", Value: "2"}})
	if want := []compute.Tag{{Key: "a", Value: "1"}, {Key: "b", Value: "2"}, {Key: "c", Value: "2"}}; err != nil || !reflect.DeepEqual(merged, want) {
		t.Errorf("Merge = %v, %v", merged, err)
	}
	if old[1].Value != "1" {
		t.Error("Merge wrote through its argument")
	}
	if got := Without(merged, []string{"a", "zzz"}); len(got) != 2 || len(merged) != 3 || merged[0].Key != "a" {
		t.Errorf("Without = %v, leaving %v", got, merged)
	}
	if Show(nil) == nil {
		t.Error("no tags are shown as absent")
	}
}
