// Package logs holds the stored records of Amazon CloudWatch Logs: groups and
// streams. Log events are not records; they live in the log store.
package logs

import (
	"strings"
	"time"

	"neargate/arn"
)

// Classes of log groups.
const (
	Standard         = "STANDARD"
	InfrequentAccess = "INFREQUENT_ACCESS"
)

// Tag is a key and a value attached to a log group.
type Tag struct{ Key, Value string }

// Group is a log group.
type Group struct {
	Account, Region, Name string
	ID                    uint64 // never used again: a group created later under the same name has another
	CreatedAt             time.Time
	Class                 string // STANDARD, INFREQUENT_ACCESS
	RetentionDays         int32  `json:",omitempty"` // 0: events never expire
	Tags                  []Tag  `json:",omitempty"` // by key
	MetricFilters         int32  `json:",omitempty"` // how many it has
	Metered               int64  `json:",omitempty"` // KiB that came and are in usage records
}

// ARN is the group's Amazon Resource Name, without the ":*" of older answers.
func (g *Group) ARN() string { return GroupARN(g.Account, g.Region, g.Name) }

// Oldest is the time, in milliseconds, from which on the group keeps events.
func (g *Group) Oldest(now time.Time) int64 {
	if g.RetentionDays == 0 {
		return 0
	}
	return now.AddDate(0, 0, -int(g.RetentionDays)).UnixMilli()
}

// GroupARN prints the ARN of a log group.
func GroupARN(account, region, name string) string {
	return arn.New("logs", region, account, "log-group:"+name)
}

// GroupName returns the name in the ARN of a log group of the account and
// region, with or without a trailing ":*"; ok is false for any other ARN.
func GroupName(groupARN, account, region string) (name string, ok bool) {
	a, err := arn.Parse(groupARN)
	if err != nil || a.Partition != arn.Partition(region) || a.Service != "logs" || a.Region != region || a.Account != account {
		return "", false
	}
	name, ok = strings.CutPrefix(a.Resource, "log-group:")
	name = strings.TrimSuffix(name, ":*")
	return name, ok && name != "" && !strings.Contains(name, ":")
}

// Stream is a log stream. What it holds is said by the log store.
type Stream struct {
	Account, Region, Group, Name string
	ID                           StreamID
	CreatedAt                    time.Time
}

// ARN is the stream's Amazon Resource Name.
func (s *Stream) ARN() string {
	return GroupARN(s.Account, s.Region, s.Group) + ":log-stream:" + s.Name
}
