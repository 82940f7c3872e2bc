// Package operation reads the inputs of operations by the names of their members,
// and gives rules to operations by name.
package operation

import (
	"maps"
	"reflect"

	"neargate/resource/identity"
)

// Field is the named member of a structure; the zero Value when there is none or
// it is nil.
func Field(v reflect.Value, name string) reflect.Value {
	if v.Kind() != reflect.Struct {
		return reflect.Value{}
	}
	return reflect.Indirect(v.FieldByName(name))
}

// Text is v if it is a string, else "".
func Text(v reflect.Value) string {
	if v.Kind() != reflect.String {
		return ""
	}
	return v.String()
}

// List are the strings in the named list.
func List(v reflect.Value, name string) []string {
	var out []string
	for _, e := range All(v, name) {
		out = append(out, Text(e))
	}
	return out
}

// All are the elements of the named list.
func All(v reflect.Value, name string) []reflect.Value {
	list := Field(v, name)
	if list.Kind() != reflect.Slice {
		return nil
	}
	out := make([]reflect.Value, list.Len())
	for i := range out {
		out[i] = reflect.Indirect(list.Index(i))
	}
	return out
}

// Each gives several operations the same rule.
func Each[F any](f F, operations ...string) map[string]F {
	m := map[string]F{}
	for _, op := range operations {
		m[op] = f
	}
	return m
}

// Merge puts rules of different operations together.
func Merge[F any](parts ...map[string]F) map[string]F {
	all := map[string]F{}
	for _, p := range parts {
		maps.Copy(all, p)
	}
	return all
}

// Tags are the tags of a record.
func Tags[T ~struct{ Key, Value string }](tags []T) []identity.Tag {
	out := make([]identity.Tag, len(tags))
	for i, t := range tags {
		out[i] = identity.Tag(t)
	}
	return out
}
