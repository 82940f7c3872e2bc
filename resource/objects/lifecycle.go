package objects

import (
	"strings"
	"time"
)

// Rule is a lifecycle rule.
type Rule struct {
	ID       string
	Disabled bool `json:",omitempty"`
	Filter   Filter
	Expire   *Expiration `json:",omitempty"`
	// NoncurrentDays is after how many days a version that was replaced goes; 0
	// for never. The Keep newest of them stay.
	NoncurrentDays int `json:",omitempty"`
	Keep           int `json:",omitempty"`
	AbortDays      int `json:",omitempty"` // after which an upload is aborted; 0 for never
}

// Filter says what a rule is about, and how it was written.
type Filter struct {
	Prefix    *string `json:",omitempty"`
	Tags      []Tag   `json:",omitempty"`
	Over      *int64  `json:",omitempty"` // bytes
	Under     *int64  `json:",omitempty"`
	And, Bare bool    `json:",omitempty"` // in an And; the prefix outside a Filter
}

// Expiration is when current versions expire: one of the three.
type Expiration struct {
	Days    int       `json:",omitempty"`
	Date    time.Time `json:",omitzero"`
	Markers *bool     `json:",omitempty"` // markers that are a key's only version
}

func (f *Filter) prefixed(key string) bool {
	return f.Prefix == nil || strings.HasPrefix(key, *f.Prefix)
}

// matches reports whether a version, not a marker, is among the rule's.
func (f *Filter) matches(v *Version) bool {
	if !f.prefixed(v.Key) || f.Over != nil && v.Size <= *f.Over || f.Under != nil && v.Size >= *f.Under {
		return false
	}
	for _, t := range f.Tags {
		found := false
		for _, has := range v.Tags {
			found = found || has == t
		}
		if !found {
			return false
		}
	}
	return true
}

// keysOnly reports whether the filter can be decided without a version's content.
func (f *Filter) keysOnly() bool { return len(f.Tags) == 0 && f.Over == nil && f.Under == nil }

// Midnight is the first midnight, UTC, after the days from t on have passed.
func Midnight(t time.Time, days int) time.Time {
	const day = 24 * time.Hour
	return t.UTC().Add(time.Duration(days) * day).Truncate(day).Add(day)
}

// ExpiresAt is when a current version will expire, by which rule; zero for never.
func ExpiresAt(rules []Rule, v *Version) (at time.Time, rule string) {
	for _, r := range rules {
		if r.Disabled || r.Expire == nil || !r.Filter.matches(v) {
			continue
		}
		due := r.Expire.Date
		if r.Expire.Days > 0 {
			due = Midnight(v.Modified, r.Expire.Days)
		}
		if !due.IsZero() && (at.IsZero() || due.Before(at)) {
			at, rule = due, r.ID
		}
	}
	return at, rule
}

// Stage is where a version is among those of its key.
type Stage struct {
	Alone    bool      // it is the key's only version
	Replaced time.Time // when a newer one came; zero for the latest
	Newer    int       // versions between it and the latest
}

// Due reports whether a version, current or not, or a marker is to go at now.
// A current version goes as a deletion of its object does.
func Due(rules []Rule, v *Version, s Stage, now time.Time) bool {
	for i := range rules {
		if r := &rules[i]; !r.Disabled && r.due(v, s, now) {
			return true
		}
	}
	return false
}

func (r *Rule) due(v *Version, s Stage, now time.Time) bool {
	switch {
	case !s.Replaced.IsZero():
		matches := v.Marker && r.Filter.keysOnly() && r.Filter.prefixed(v.Key) || !v.Marker && r.Filter.matches(v)
		return r.NoncurrentDays > 0 && matches && s.Newer >= r.Keep && !now.Before(Midnight(s.Replaced, r.NoncurrentDays))
	case r.Expire == nil:
		return false
	case v.Marker:
		if !s.Alone || !r.Filter.keysOnly() || !r.Filter.prefixed(v.Key) {
			return false
		}
		return r.Expire.Markers != nil && *r.Expire.Markers || r.Expire.Days > 0 && !now.Before(Midnight(v.Modified, r.Expire.Days))
	}
	at, _ := ExpiresAt([]Rule{*r}, v)
	return !at.IsZero() && !now.Before(at)
}

// Abandoned reports whether an upload is to be aborted at now.
func Abandoned(rules []Rule, u *Upload, now time.Time) bool {
	for _, r := range rules {
		if !r.Disabled && r.AbortDays > 0 && r.Filter.prefixed(u.Key) && !now.Before(Midnight(u.Initiated, r.AbortDays)) {
			return true
		}
	}
	return false
}
