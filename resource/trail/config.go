package trail

import (
	"slices"
	"time"

	"neargate/arn"
)

// Limits of trails. Source: Quotas in AWS CloudTrail.
const (
	MaxTrails = 5 // that log in a region
	MaxTags   = 50
)

// Tag is a key and a value attached to a trail.
type Tag struct{ Key, Value string }

// Trail delivers events to a bucket.
type Trail struct {
	Account, Region, Name string // Region is its home
	ID                    string // never used again
	Bucket                string
	Prefix                string `json:",omitempty"` // of keys
	Key                   string `json:",omitempty"` // ARN of the KMS key that encrypts files; "" for the bucket's encryption
	LogGroup              string `json:",omitempty"` // ARN of the log group that gets events too; "" for none
	LogRole               string `json:",omitempty"` // ARN of the role that writes there
	LogsSince             uint64 `json:",omitempty"` // position in the order of arrival from which it does
	MultiRegion           bool   `json:",omitempty"`
	Global                bool   `json:",omitempty"` // events of services without regions too
	Validate              bool   `json:",omitempty"` // digest files tell of its files
	Custom                bool   `json:",omitempty"` // selectors were put
	Selectors             []Selector
	Tags                  []Tag  `json:",omitempty"` // by key
	Logging               bool   `json:",omitempty"`
	Since                 uint64 `json:",omitempty"` // position in the order of arrival from which it logs
	DataSince             uint64 `json:",omitempty"` // likewise, from which it selects data events
	StartedAt, StoppedAt  time.Time
	Pauses                []Pause `json:",omitempty"` // between stops and starts, the last few
	Deleted               bool    `json:",omitempty"` // was deleted while it logged, and delivers what is left
}

// Slot is what a trail's deliveries and chains of digest files are kept under: its name, or
// for a deleted one, whose name may be another's, what no name is.
func (t *Trail) Slot() string {
	if t.Deleted {
		return t.Name + "/" + t.ID
	}
	return t.Name
}

// Pause is a time in which a trail did not log.
type Pause struct{ From, To time.Time }

// maxPauses is how many pauses are remembered: as many as events could wait through.
const maxPauses = 50

// Start makes the trail log from a time on.
func (t *Trail) Start(now time.Time) {
	if t.Logging {
		return
	}
	if t.Since == 0 {
		t.Since = uint64(now.UnixNano())
	} else if end := now.Add(-time.Second); end.After(t.StoppedAt) { // the call that starts it began a little before
		t.Pauses = append(t.Pauses[:len(t.Pauses):len(t.Pauses)], Pause{t.StoppedAt, end})
		t.Pauses = t.Pauses[max(0, len(t.Pauses)-maxPauses):]
	}
	t.Logging, t.StartedAt = true, now
}

// Stop ends logging.
func (t *Trail) Stop(now time.Time) {
	if t.Logging {
		t.Logging, t.StoppedAt = false, now
	}
}

// Lane is a way on which events are delivered: those of a category to files, or to a log
// group. Each comes as far as it comes.
type Lane struct {
	Name   string
	Data   bool // of data events, else of management events
	ToLogs bool // to a log group, else to files
}

// Lanes are all lanes; the first is that of files of management events.
func Lanes() []Lane {
	return []Lane{{}, {"data", true, false}, {"logs", false, true}, {"logs-data", true, true}}
}

// From is the position from which events of a lane are delivered.
func (t *Trail) From(l Lane) uint64 {
	from := t.Since
	if l.Data {
		from = max(from, t.DataSince)
	}
	if l.ToLogs {
		from = max(from, t.LogsSince)
	}
	return from
}

// Uses reports whether events of a lane may have to be delivered.
func (t *Trail) Uses(l Lane) bool {
	return t.Since != 0 && (!l.Data || t.SelectsData()) && (!l.ToLogs || t.LogGroup != "")
}

// ToLogs makes the trail's events go to a log group by a role, or with neither to none,
// from a time on.
func (t *Trail) ToLogs(group, role string, now time.Time) {
	if group != t.LogGroup {
		t.LogsSince = uint64(now.UnixNano())
	}
	t.LogGroup, t.LogRole = group, role
}

// LogStream is the name of the stream that events of a region go to.
// Source: AWS CloudTrail User Guide, "CloudWatch log group and log stream naming for
// CloudTrail".
func (t *Trail) LogStream(region string) string { return t.Account + "_CloudTrail_" + region }

// Delivery is how far a trail's files have come in a lane. Only the delivery writes it.
type Delivery struct {
	Account, Region, Name string // Name is the trail's slot
	Lane                  string `json:",omitempty"` // its name
	Trail                 string // id
	Position              uint64 // of the last event that is in a file, or is for none
	// Pending is what was to be written when the process ended, nil for nothing.
	Pending     *Batch `json:",omitempty"`
	AttemptedAt time.Time
	DeliveredAt time.Time
	Error       string `json:",omitempty"` // code of what the last attempt failed with
	DigestAt    time.Time
	DigestError string `json:",omitempty"` // likewise, of digest files
}

// Batch is a run of events in the order of arrival, and where its files go.
type Batch struct {
	To             uint64 // position of the last
	By             *Trail `json:",omitempty"` // as it was then: what it wants is in the files
	At             time.Time
	Bucket, Prefix string
	Key            string `json:",omitempty"`
}

// ARN is the trail's Amazon Resource Name.
func (t *Trail) ARN() string { return arn.New("cloudtrail", t.Region, t.Account, "trail/"+t.Name) }

// Covers reports whether the trail logs in a region.
func (t *Trail) Covers(region string) bool { return t.MultiRegion || t.Region == region }

// globals are the services whose events are in one region, whichever they were asked in.
var globals = []string{"iam.amazonaws.com", "sts.amazonaws.com", "route53.amazonaws.com", "cloudfront.amazonaws.com"}

// Wants reports whether an event goes to the trail's files.
func (t *Trail) Wants(e *Event) bool {
	switch {
	case e.Account != t.Account, !t.Covers(e.Region):
		return false
	case !t.Logging && e.Time.After(t.StoppedAt), slices.ContainsFunc(t.Pauses, func(p Pause) bool { return e.Time.After(p.From) && e.Time.Before(p.To) }):
		return false
	case !t.Global && !e.Data && e.Region == arn.DefaultRegion && slices.Contains(globals, e.Source):
		return false
	}
	return slices.ContainsFunc(t.Selectors, func(s Selector) bool { return s.matches(e) })
}

// Grace is how much later than it was made a call may arrive.
const Grace = 15 * time.Second

// GiveUp is how long after it was deleted a trail tries to deliver what is left.
const GiveUp = 24 * time.Hour

// Done reports whether a trail that has stopped gets no more events from what arrives
// after a position.
func (t *Trail) Done(position uint64) bool {
	return !t.Logging && (t.Since == 0 || position >= uint64(t.StoppedAt.Add(Grace).UnixNano()))
}

// Folder is what begins the keys of a trail's files, in the bucket with a prefix.
func Folder(prefix, account string) string {
	if prefix != "" {
		prefix += "/"
	}
	return prefix + "AWSLogs/" + account + "/CloudTrail/"
}

// FileKey is the key of a file of events of a region.
// Source: AWS CloudTrail User Guide, "CloudTrail log file name format".
func (b *Batch) FileKey(account, region, unique string) string {
	at := b.At.UTC()
	return Folder(b.Prefix, account) + region + at.Format("/2006/01/02/") +
		account + "_CloudTrail_" + region + "_" + at.Format("20060102T1504Z") + "_" + unique + ".json.gz"
}
