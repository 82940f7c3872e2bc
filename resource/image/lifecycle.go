package image

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Selections of tags in lifecycle rules.
const (
	Tagged   = "tagged"
	Untagged = "untagged"
	Any      = "any"
)

// Ways of counting in lifecycle rules.
const (
	CountMoreThan = "imageCountMoreThan"
	SincePushed   = "sinceImagePushed"
	SincePulled   = "sinceImagePulled"
)

// Rule is a rule of a lifecycle policy.
type Rule struct {
	Priority  int32
	TagStatus string
	Patterns  []string // all of which an image's tags must match
	Prefixes  []string // likewise
	CountType string
	Count     int
}

// Bounds of lifecycle policies.
// Source: Amazon ECR User Guide, "Lifecycle policy properties", and its quotas.
const (
	mostRules     = 50
	mostWildcards = 4
)

// ParseLifecycle reads a lifecycle policy and returns its rules by priority and its
// text without blanks. The error is what ECR says after "Lifecycle policy validation
// failure: ".
func ParseLifecycle(text string) (rules []Rule, compact string, err error) {
	var b bytes.Buffer
	if json.Compact(&b, []byte(text)) != nil {
		return nil, "", failure("the policy is not valid JSON")
	}
	top, err := members([]byte(text), []string{"rules"}, []string{"rules"})
	if err != nil {
		return nil, "", err
	}
	var all []json.RawMessage
	if json.Unmarshal(top["rules"], &all) != nil {
		return nil, "", wrongType(top["rules"], "array")
	}
	switch {
	case len(all) == 0:
		return nil, "", failure("array is too short: must have at least 1 elements but instance has 0 elements")
	case len(all) > mostRules:
		return nil, "", failure(fmt.Sprintf("array is too long: must have at most %d elements but instance has %d elements", mostRules, len(all)))
	}
	for _, raw := range all {
		r, err := parseRule(raw)
		if err != nil {
			return nil, "", err
		}
		rules = append(rules, r)
	}
	slices.SortFunc(rules, func(a, b Rule) int { return cmp.Compare(a.Priority, b.Priority) })
	return rules, b.String(), consistent(rules)
}

// failure is what ECR says of a policy.
type failure string

// Error implements error.
func (f failure) Error() string { return string(f) }

// members are those of an object, none of which may be missing or unknown.
func members(raw json.RawMessage, required, allowed []string) (map[string]json.RawMessage, error) {
	var m map[string]json.RawMessage
	if json.Unmarshal(raw, &m) != nil || m == nil {
		return nil, wrongType(raw, "object")
	}
	var missing, unknown []string
	for _, r := range required {
		if _, ok := m[r]; !ok {
			missing = append(missing, `"`+r+`"`)
		}
	}
	for k := range m {
		if !slices.Contains(allowed, k) {
			unknown = append(unknown, `"`+k+`"`)
		}
	}
	slices.Sort(missing)
	slices.Sort(unknown)
	switch {
	case len(missing) > 0:
		return nil, failure("object has missing required properties ([" + strings.Join(missing, ",") + "])")
	case len(unknown) > 0:
		return nil, failure("object instance has properties which are not allowed by the schema: [" + strings.Join(unknown, ",") + "]")
	}
	return m, nil
}

// wrongType says that a value is of another type than the schema wants.
func wrongType(raw json.RawMessage, want string) error {
	got := "null"
	switch raw = bytes.TrimSpace(raw); {
	case len(raw) == 0:
	case raw[0] == '"':
		got = "string"
	case raw[0] == '{':
		got = "object"
	case raw[0] == '[':
		got = "array"
	case raw[0] == 't' || raw[0] == 'f':
		got = "boolean"
	case raw[0] != 'n':
		got = "number"
		if !bytes.ContainsAny(raw, ".eE") {
			got = "integer"
		}
	}
	return failure(fmt.Sprintf(`instance type (%s) does not match any allowed primitive type (allowed: ["%s"])`, got, want))
}

// positive reads a number of at least one.
func positive(raw json.RawMessage) (int, error) {
	var n int
	if json.Unmarshal(raw, &n) != nil {
		return 0, wrongType(raw, "integer")
	}
	if n < 1 {
		return 0, failure(fmt.Sprintf("numeric instance is lower than the required minimum (minimum: 1, found: %d)", n))
	}
	return n, nil
}

// one reads a text that must be one of some.
func one(raw json.RawMessage, of ...string) (string, error) {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return "", wrongType(raw, "string")
	}
	if !slices.Contains(of, s) {
		return "", failure(fmt.Sprintf(`instance value ("%s") not found in enum (possible values: ["%s"])`, s, strings.Join(of, `","`)))
	}
	return s, nil
}

func texts(raw json.RawMessage) ([]string, error) {
	var out []string
	switch {
	case raw == nil:
		return nil, nil
	case json.Unmarshal(raw, &out) != nil:
		return nil, wrongType(raw, "array")
	case len(out) == 0:
		return nil, failure("array is too short: must have at least 1 elements but instance has 0 elements")
	}
	return out, nil
}

func parseRule(raw json.RawMessage) (r Rule, err error) {
	m, err := members(raw, []string{"action", "rulePriority", "selection"}, []string{"rulePriority", "description", "selection", "action"})
	if err != nil {
		return r, err
	}
	n, err := positive(m["rulePriority"])
	if err != nil {
		return r, err
	}
	r.Priority = int32(n)
	if d, ok := m["description"]; ok {
		var s string
		if json.Unmarshal(d, &s) != nil {
			return r, wrongType(d, "string")
		}
	}
	action, err := members(m["action"], []string{"type"}, []string{"type"})
	if err != nil {
		return r, err
	}
	if _, err := one(action["type"], "expire"); err != nil {
		return r, err
	}
	return r, r.parseSelection(m["selection"])
}

func (r *Rule) parseSelection(raw json.RawMessage) error {
	m, err := members(raw, []string{"countNumber", "countType", "tagStatus"},
		[]string{"tagStatus", "tagPatternList", "tagPrefixList", "countType", "countUnit", "countNumber"})
	if err != nil {
		return err
	}
	if r.TagStatus, err = one(m["tagStatus"], Any, Tagged, Untagged); err != nil {
		return err
	}
	if r.CountType, err = one(m["countType"], CountMoreThan, SincePushed, SincePulled); err != nil {
		return err
	}
	if r.Count, err = positive(m["countNumber"]); err != nil {
		return err
	}
	if r.Patterns, err = texts(m["tagPatternList"]); err != nil {
		return err
	}
	if r.Prefixes, err = texts(m["tagPrefixList"]); err != nil {
		return err
	}
	unit, given := m["countUnit"]
	if given {
		if _, err := one(unit, "days"); err != nil {
			return err
		}
	}
	lists := len(r.Patterns) + len(r.Prefixes)
	switch {
	case r.TagStatus == Tagged && lists == 0:
		return failure("tagPatternList or tagPrefixList must be specified when tagStatus is tagged")
	case len(r.Patterns) > 0 && len(r.Prefixes) > 0:
		return failure("tagPatternList and tagPrefixList cannot be specified together")
	case r.TagStatus != Tagged && lists > 0:
		return failure("tagPatternList and tagPrefixList can only be specified when tagStatus is tagged")
	case r.CountType == CountMoreThan && given:
		return failure("countUnit cannot be specified when countType is " + r.CountType)
	case r.CountType != CountMoreThan && !given:
		return failure("countUnit must be specified when countType is " + r.CountType)
	}
	for _, p := range r.Patterns {
		if strings.Count(p, "*") > mostWildcards {
			return failure(fmt.Sprintf("tag patterns can have at most %d wildcards", mostWildcards))
		}
	}
	return nil
}

// consistent refuses rules that contradict each other; they come by priority.
func consistent(rules []Rule) error {
	for i := range rules[1:] {
		if rules[i].Priority == rules[i+1].Priority {
			return failure("rules have the same rulePriority: " + fmt.Sprint(rules[i].Priority))
		}
	}
	untagged := 0
	for i, r := range rules {
		if r.TagStatus == Any && i < len(rules)-1 {
			return failure("the rule with tagStatus any must have the lowest priority, which is the highest number")
		}
		if r.TagStatus == Untagged {
			if untagged++; untagged > 1 {
				return failure("only one rule can select untagged images")
			}
		}
	}
	return nil
}

// Candidate is an image as lifecycle rules see it.
type Candidate struct {
	Image
	Tags []string
	Kept bool // in a list of images or referring to an image: it goes with that
}

// selects reports whether a rule is about an image.
func (r *Rule) selects(c *Candidate) bool {
	switch r.TagStatus {
	case Any:
		return true
	case Untagged:
		return len(c.Tags) == 0
	}
	matches := func(match func(tag string) bool) bool { return slices.ContainsFunc(c.Tags, match) }
	for _, p := range r.Patterns {
		if !matches(func(tag string) bool { return wildcard(p, tag) }) {
			return false
		}
	}
	for _, p := range r.Prefixes {
		if !matches(func(tag string) bool { return strings.HasPrefix(tag, p) }) {
			return false
		}
	}
	return len(c.Tags) > 0
}

// Evaluate applies a lifecycle policy: it returns the images that expire, by rule
// and age, and when the next one will though nothing changes (zero: none). Each
// rule counts all images it is about, also those that a rule of higher priority
// expires, and expires none that such a rule is about.
func Evaluate(rules []Rule, images []Candidate, now time.Time) (doomed []Doomed, next time.Time) {
	images = slices.Clone(images)
	slices.SortFunc(images, func(a, b Candidate) int {
		return cmp.Or(b.PushedAt.Compare(a.PushedAt), strings.Compare(a.Digest, b.Digest))
	})
	taken := map[string]bool{}
	for _, r := range rules {
		var mine []*Candidate
		for i := range images {
			if !images[i].Kept && r.selects(&images[i]) {
				mine = append(mine, &images[i])
			}
		}
		var expired []Doomed
		for n, c := range mine {
			ends, over := r.over(c, n, now)
			switch {
			case taken[c.Digest]:
			case over:
				expired = append(expired, Doomed{c.Digest, c.Tags, c.PushedAt, r.Priority})
			case !ends.IsZero() && (next.IsZero() || ends.Before(next)):
				next = ends
			}
		}
		for _, c := range mine {
			taken[c.Digest] = true
		}
		slices.Reverse(expired) // the oldest first
		doomed = append(doomed, expired...)
	}
	return doomed, next
}

// over reports whether an image, the n-th newest that the rule is about, expires,
// and when it will if time alone decides.
func (r *Rule) over(c *Candidate, n int, now time.Time) (ends time.Time, over bool) {
	switch r.CountType {
	case CountMoreThan:
		return time.Time{}, n >= r.Count
	case SincePulled:
		from := c.PulledAt
		if from.IsZero() {
			from = c.PushedAt
		}
		ends = from.AddDate(0, 0, r.Count)
	default:
		ends = c.PushedAt.AddDate(0, 0, r.Count)
	}
	return ends, !now.Before(ends)
}
