// Package check holds the checks that ECS operations repeat, with ECS's texts.
package check

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"neargate/aws/ecs"
	"neargate/service/internal/page"
)

// Required returns a function that refuses a request in which a member that the model
// requires is absent, at any depth. ECS words this itself, so that the front door leaves
// it to the operations. What a request of this type must have is worked out once.
func Required[T any]() func(in *T) error {
	n := needs{}.of(reflect.TypeFor[T]())
	return func(in *T) error {
		if name := n.absent(reflect.ValueOf(in).Elem()); name != "" {
			return ecs.InvalidParameterException(strings.ToUpper(name[:1]) + name[1:] + " can not be blank.")
		}
		return nil
	}
}

// need is what a struct must have: members in the model's order.
type need struct{ members []needed }

type needed struct {
	index    int
	name     string
	required bool
	inside   *need // what it must have if it is there, or each of its elements
}

// needs are those worked out, also those that are being worked out: types can be recursive.
type needs map[reflect.Type]*need

func (all needs) of(t reflect.Type) *need {
	if n, ok := all[t]; ok {
		return n
	}
	n := &need{}
	all[t] = n
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("aws"), ",")
		if name == "" {
			continue
		}
		m := needed{index: i, name: name, required: slices.Contains(strings.Split(options, ","), "required")}
		if k := f.Type.Kind(); (k == reflect.Pointer || k == reflect.Slice) && f.Type.Elem().Kind() == reflect.Struct && f.Type.Elem() != reflect.TypeFor[time.Time]() {
			m.inside = all.of(f.Type.Elem())
		}
		if m.required || m.inside != nil {
			n.members = append(n.members, m)
		}
	}
	return n
}

// absent returns the name of the first required member that v lacks, "" for none.
func (n *need) absent(v reflect.Value) string {
	for i := range n.members {
		m := &n.members[i]
		f := v.Field(m.index)
		switch {
		case f.IsNil():
			if m.required {
				return m.name
			}
			continue
		case m.inside == nil || len(m.inside.members) == 0:
			continue
		case f.Kind() == reflect.Pointer:
			if name := m.inside.absent(f.Elem()); name != "" {
				return name
			}
			continue
		}
		for i := range f.Len() {
			if name := m.inside.absent(f.Index(i)); name != "" {
				return name
			}
		}
	}
	return ""
}

// OneOf refuses a value that is not among the allowed ones; nil passes.
func OneOf(what string, value *string, allowed ...string) error {
	if value == nil || slices.Contains(allowed, *value) {
		return nil
	}
	return ecs.InvalidParameterException(fmt.Sprintf("%s should be one of [%s]", what, strings.Join(allowed, ",")))
}

// Include refuses an include list with anything but the allowed words.
func Include(include []string, allowed ...string) error {
	for i := range include {
		if err := OneOf("include", &include[i], allowed...); err != nil {
			return err
		}
	}
	return nil
}

// AtMost refuses a list of more than limit items.
func AtMost(what string, n, limit int) error {
	if n <= limit {
		return nil
	}
	return ecs.InvalidParameterException(fmt.Sprintf("%s can have at most %d items.", what, limit))
}

// Given refuses an empty list.
func Given(what string, n int) error {
	if n > 0 {
		return nil
	}
	return ecs.InvalidParameterException(what + " cannot be empty.")
}

// PageSize returns the page size that maxResults asks for, absent standing for the
// size without it; at most 100.
func PageSize(maxResults *int32, absent int) (int, error) {
	switch {
	case maxResults == nil:
		return absent, nil
	case *maxResults > 100:
		return 0, ecs.InvalidParameterException("Max results can not be greater than 100")
	case *maxResults < 1:
		return 0, ecs.InvalidParameterException("Max results can not be lesser than 1")
	}
	return int(*maxResults), nil
}

// Position opens a nextToken sealed for the scope; no token is the empty position.
func Position(s *page.Sealer, token *string, scope ...string) (string, error) {
	if token == nil || *token == "" {
		return "", nil
	}
	at, err := s.Open(*token, scope...)
	if err != nil {
		return "", BadToken()
	}
	return at, nil
}

// BadToken is the error for a nextToken that ECS did not give out.
func BadToken() error { return ecs.InvalidParameterException("Invalid token") }

// Page cuts a list of which one more than the page size was read, and returns the
// last item on the page when another page follows, nil otherwise.
func Page[T any](items []T, size int) ([]T, *T) {
	if len(items) <= size {
		return items, nil
	}
	return items[:size], &items[size-1]
}
