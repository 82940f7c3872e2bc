package tables

import (
	"reflect"
	"testing"

	"neargate/resource/compute/taskdef"
)

// TestFlat: the records of flat tables are what their JSON decodes to, and share nothing.
func TestFlat(t *testing.T) {
	if !Families.Flat {
		t.Error("task definition families are decoded at each registration")
	}
	r := reflect.TypeFor[taskdef.Family]()
	for i := range r.NumField() {
		f := r.Field(i)
		switch f.Type.Kind() {
		case reflect.String, reflect.Int, reflect.Bool:
		default:
			t.Errorf("%s is not flat", f.Name)
		}
		if !f.IsExported() || f.Tag.Get("json") == "-" {
			t.Errorf("%s is not in the JSON", f.Name)
		}
	}
}
