// Package check holds the checks that ECS operations repeat, with ECS's texts.
package check

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"neargate/aws/ecs"
	"neargate/service/internal/page"
)

// Required refuses a request, a pointer to its struct, in which a member that the
// model requires is absent, at any depth. ECS words this itself, so that the front
// door leaves it to the operations.
func Required(in any) error {
	if name := absent(reflect.ValueOf(in).Elem()); name != "" {
		return ecs.InvalidParameterException(strings.ToUpper(name[:1]) + name[1:] + " can not be blank.")
	}
	return nil
}

// absent returns the name of the first required member that v lacks, "" for none.
func absent(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			return absent(v.Elem())
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() != reflect.Struct {
			return ""
		}
		for i := range v.Len() {
			if name := absent(v.Index(i)); name != "" {
				return name
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			name, options, _ := strings.Cut(v.Type().Field(i).Tag.Get("aws"), ",")
			if name == "" {
				continue
			}
			if v.Field(i).IsNil() {
				if slices.Contains(strings.Split(options, ","), "required") {
					return name
				}
				continue
			}
			if name := absent(v.Field(i)); name != "" {
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
