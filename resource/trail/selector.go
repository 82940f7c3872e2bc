package trail

import (
	"slices"
	"strings"
	"time"
)

// Selector selects events: all fields must match. A basic one selects management events,
// and data events of some resources.
type Selector struct {
	Name     string  `json:",omitempty"`
	Advanced bool    `json:",omitempty"` // was put as an advanced event selector
	Fields   []Field `json:",omitempty"`
	// What a basic event selector says.
	ReadWrite string         `json:",omitempty"` // All, ReadOnly, WriteOnly
	None      bool           `json:",omitempty"` // no management events
	Exclude   []string       `json:",omitempty"` // event sources of management events
	Data      []DataResource `json:",omitempty"`
}

// DataResource is resources of a type whose data events a basic event selector selects: of
// those in Amazon S3, what begins with one of the values.
type DataResource struct {
	Type   string
	Values []string `json:",omitempty"`
}

// Everything selects all management events, as a new trail does.
func Everything() []Selector { return []Selector{{ReadWrite: "All"}} }

// Choose makes the trail want the events that selectors select, from a time on.
func (t *Trail) Choose(selectors []Selector, now time.Time) {
	was := t.SelectsData()
	t.Selectors, t.Custom = selectors, true
	if !was && t.SelectsData() {
		t.DataSince = uint64(now.UnixNano())
	}
}

// SelectsData reports whether the trail may want data events.
func (t *Trail) SelectsData() bool {
	return slices.ContainsFunc(t.Selectors, func(s Selector) bool { return len(s.Data) > 0 || s.Category() == CategoryData })
}

// Categories of events, as events and selectors name them.
const (
	CategoryManagement = "Management"
	CategoryData       = "Data"
)

// Category is what an advanced event selector's field of that name says, "" for a basic
// one.
func (s *Selector) Category() string {
	for _, f := range s.Fields {
		if f.Name == "eventCategory" && len(f.Equals) == 1 {
			return f.Equals[0]
		}
	}
	return ""
}

// Field is a condition of an advanced event selector. Of each list, one must match, or
// of those that begin with Not, none.
type Field struct {
	Name                          string
	Equals, StartsWith, EndsWith  []string `json:",omitempty"`
	NotEquals, NotStarts, NotEnds []string `json:",omitempty"`
}

func (s *Selector) matches(e *Event) bool {
	if s.Advanced {
		for i := range s.Fields {
			if !s.Fields[i].matches(e.field(s.Fields[i].Name)) {
				return false
			}
		}
		return true
	}
	if s.ReadWrite == "ReadOnly" && !e.ReadOnly || s.ReadWrite == "WriteOnly" && e.ReadOnly {
		return false
	}
	if e.Data {
		return slices.ContainsFunc(s.Data, func(d DataResource) bool { return d.matches(e) })
	}
	return !s.None && !slices.Contains(s.Exclude, e.Source)
}

func (d *DataResource) matches(e *Event) bool {
	return d.Type == e.field("resources.type") &&
		slices.ContainsFunc(d.Values, func(v string) bool { return strings.HasPrefix(e.field("resources.ARN"), v) })
}

// field is what an advanced event selector asks for by a name.
func (e *Event) field(name string) string {
	switch name {
	case "eventCategory":
		if e.Data {
			return CategoryData
		}
		return CategoryManagement
	case "eventName":
		return e.Name
	case "eventSource":
		return e.Source
	case "eventType":
		return "AwsApiCall"
	case "userIdentity.arn":
		return e.Caller
	case "readOnly":
		if e.ReadOnly {
			return "true"
		}
		return "false"
	}
	if len(e.Resources) > 0 {
		switch name {
		case "resources.type":
			return e.Resources[0].Type
		case "resources.ARN":
			return e.Resources[0].Name
		}
	}
	return "" // nothing comes from a console
}

// FieldNames are the fields that events of a category can be selected by.
// Source: AWS CloudTrail API Reference, AdvancedFieldSelector.
func FieldNames(category string) []string {
	if category == CategoryData {
		return []string{"eventCategory", "eventName", "eventSource", "eventType", "readOnly", "resources.ARN", "resources.type", "sessionCredentialFromConsole", "userIdentity.arn"}
	}
	return []string{"eventCategory", "eventName", "eventSource", "eventType", "readOnly"}
}

func (f *Field) matches(v string) bool {
	any := func(list []string, is func(s, part string) bool) bool {
		return slices.ContainsFunc(list, func(p string) bool { return is(v, p) })
	}
	same := func(a, b string) bool { return a == b }
	if len(f.Equals)+len(f.StartsWith)+len(f.EndsWith) > 0 && !any(f.Equals, same) && !any(f.StartsWith, strings.HasPrefix) && !any(f.EndsWith, strings.HasSuffix) {
		return false
	}
	return !any(f.NotEquals, same) && !any(f.NotStarts, strings.HasPrefix) && !any(f.NotEnds, strings.HasSuffix)
}
