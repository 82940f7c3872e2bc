// Package trail holds the records of calls: CloudTrail events.
package trail

import (
	"strings"
	"time"
)

// Event is a call that was made, and what CloudTrail says of it.
type Event struct {
	ID              string // UUID
	Account, Region string
	Time            time.Time
	Name            string // operation
	Source          string // e.g. ecs.amazonaws.com
	Username        string
	AccessKeyID     string     `json:",omitempty"`
	ReadOnly        bool       `json:",omitempty"`
	Resources       []Resource `json:",omitempty"`
	Data            bool       `json:",omitempty"` // is a data event, about the first of Resources
	Caller          string     `json:",omitempty"` // of a data event: the caller's ARN
	Text            string     // the event in CloudTrail's JSON format
}

// Resource is what a call was about.
type Resource struct{ Type, Name string }

// Arrival is an event and its position in the order in which events came, which is
// never used again.
type Arrival struct {
	Position uint64
	Event
}

// Keep is how long events can be looked up.
const Keep = 90 * 24 * time.Hour

// Query asks for events of an account and region, newest first.
type Query struct {
	Account, Region string
	From, To        time.Time // both inclusive
	Attribute       string    // of LookupEvents; "" for all events
	Value           string
	After           string // position of the last event of the page before; "" for the first page
	Limit           int
}

// Page is a part of what a query finds. Next is the position to go on from, "" at the
// end; a page may be shorter than the limit and yet not be the last.
type Page struct {
	Events []Event
	Next   string
}

// Matches reports whether the event has the attribute that the query asks for.
func (q *Query) Matches(e *Event) bool {
	switch q.Attribute {
	case "":
		return true
	case "EventId":
		return e.ID == q.Value
	case "EventName":
		return e.Name == q.Value
	case "EventSource":
		return e.Source == q.Value
	case "Username":
		return e.Username == q.Value
	case "AccessKeyId":
		return e.AccessKeyID == q.Value
	case "ReadOnly":
		return strings.EqualFold(q.Value, "true") == e.ReadOnly
	}
	for _, r := range e.Resources {
		if q.Attribute == "ResourceName" && r.Name == q.Value || q.Attribute == "ResourceType" && r.Type == q.Value {
			return true
		}
	}
	return false
}
