package ec2

import (
	"fmt"
	"time"

	wire "neargate/aws/ec2"
	"neargate/service/ec2/internal/filter"
)

// text is the value of a member as filters see it: none when absent.
func text[T string | bool | int32](p *T) []string {
	if p == nil {
		return nil
	}
	return []string{fmt.Sprint(*p)}
}

func moment(p *time.Time) []string {
	if p == nil {
		return nil
	}
	return []string{p.UTC().Format("2006-01-02T15:04:05.000Z")}
}

// each gathers the values of a list's elements.
func each[E any](list []E, value func(*E) []string) []string {
	var out []string
	for i := range list {
		out = append(out, value(&list[i])...)
	}
	return out
}

// within is the value of a member of an optional structure.
func within[E any](p *E, value func(*E) []string) []string {
	if p == nil {
		return nil
	}
	return value(p)
}

// none is the filter on something that no resource here has.
func none[W any](*W) []string { return nil }

// tagsAs makes the tag filters of a resource from its tag member.
func tagsAs[W any](tags func(*W) []wire.Tag) func(*W) []filter.Tag {
	return func(w *W) []filter.Tag {
		var out []filter.Tag
		for _, t := range tags(w) {
			out = append(out, filter.Tag{Key: val(t.Key), Value: val(t.Value)})
		}
		return out
	}
}
