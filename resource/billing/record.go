package billing

import (
	"fmt"
	"iter"
	"time"

	"neargate/resource/compute"
)

// Labels say of whom, of what and where some usage is: all that a bill can be
// grouped by.
type Labels struct {
	Account, Region, Cluster string
	Service                  string `json:",omitempty"`
	Family                   string // "" of what is no task, which has no cluster either
	Revision                 int
	Tags                     []compute.Tag `json:",omitempty"`
	Dimension                Dimension
}

// Definition is the task definition, FAMILY:REVISION; "" of what is no task.
func (l *Labels) Definition() string {
	if l.Family == "" {
		return ""
	}
	return fmt.Sprintf("%s:%d", l.Family, l.Revision)
}

// Tag is the value of a tag, "" without one.
func (l *Labels) Tag(key string) string {
	for _, t := range l.Tags {
		if t.Key == key {
			return t.Value
		}
	}
	return ""
}

// Record is what one task, or one thing besides tasks, used of one dimension, once
// it is over. What Records makes of a task is the same whenever it is asked, so
// writing a record under its key a second time changes nothing.
type Record struct {
	Labels
	Task       string    // or the name of a thing: nat-…, vpce-…/subnet-…, eipalloc-…, a repository, a log group
	Start, End time.Time // as observed: of the image pull and of the task, or of the address or thing
	Seconds    int64     // as charged for; 1 of what is paid by the amount
	Units      int64     // CPU units, MiB, GiB, things, or KiB: see Dimension
}

// Key tells a record from every other of its installation.
func (r *Record) Key() []string {
	return []string{r.Account, r.Region, r.Cluster, r.Task, string(r.Dimension)}
}

// Use is what the record's task used in each of its seconds.
func (r *Record) Use() Use { return Use{r.Dimension, Ratio(r.Units, r.Dimension.scale())} }

// UsageType is the usage type of the labels' dimension in their region.
func (l *Labels) UsageType() string {
	if code, ok := Code(l.Region); ok {
		return l.Dimension.UsageType(l.Region, code)
	}
	return l.Dimension.Usage()
}

// Row is what was used within an hour, or a longer time over which no price of
// the dimension changes.
type Row struct {
	*Labels
	At      time.Time // when that time begins
	Amount  int64     // seconds times units
	Records int64     // how many records began in it
}

// On is the record on other terms: with the seconds that these charge for.
func (r Record) On(t *Terms) *Record {
	if r.Dimension.Service() == "AmazonECS" {
		r.Seconds = t.Billable(elapsed(r.Start, r.End), r.Dimension.windows())
	}
	return &r
}

func (d Dimension) windows() bool { return d == WinVCPU || d == WinMemory || d == WinLicence }

// Rows split a record by the hours its seconds begin in.
func (r *Record) Rows() iter.Seq[Row] {
	return func(yield func(Row) bool) {
		at, left := r.Start, r.Seconds
		for first := int64(1); left > 0; first = 0 {
			hour := at.Truncate(time.Hour)
			n := min(left, elapsed(at, hour.Add(time.Hour)))
			if !yield(Row{&r.Labels, hour, n * r.Units, first}) {
				return
			}
			at, left = at.Add(time.Duration(n)*time.Second), left-n
		}
	}
}

// SizeOf is the size of a task on Fargate; ok is false for one elsewhere.
func SizeOf(t *compute.TaskSpec) (s Size, ok bool) {
	if t.LaunchType != compute.Fargate {
		return s, false
	}
	return Size{
		CPU: t.CPU, Memory: t.Memory, StorageGiB: t.EphemeralGiB, Architecture: t.Architecture, OSFamily: t.PlatformFamily,
		Spot: t.CapacityProvider == compute.FargateSpot,
	}, true
}

// Records are the usage records of a task, by the times it recorded. There are
// none while it runs, of one that never came to pull an image or to have a public
// address, and of one that is not on Fargate.
func Records(t *compute.Task, terms *Terms) []Record {
	if t.State.StoppedAt.IsZero() {
		return nil
	}
	return records(t, terms, t.State.StoppedAt)
}

// Running are the records the task would leave if it stopped at a time, which is
// what it has cost so far.
func Running(t *compute.Task, terms *Terms, at time.Time) []Record {
	if !t.State.StoppedAt.IsZero() {
		at = t.State.StoppedAt
	}
	return records(t, terms, at)
}

// addressMinimum is the least a public address is charged for. Source: AWS public
// IPv4 address charge.
const addressMinimum = 60

func records(t *compute.Task, terms *Terms, end time.Time) []Record {
	size, ok := SizeOf(&t.Spec)
	if !ok {
		return nil
	}
	base := Record{Task: t.ID, End: end, Labels: Labels{
		Account: t.Account, Region: t.Region, Cluster: t.Cluster, Service: t.Spec.Service,
		Family: t.Spec.Family, Revision: t.Spec.Revision, Tags: t.Tags,
	}}
	var out []Record
	if base.Start = t.State.PullStartedAt; !base.Start.IsZero() {
		base.Seconds = terms.Billable(elapsed(base.Start, end), size.Windows())
		for _, u := range size.Uses(terms) {
			r := base
			r.Dimension, r.Units = u.Dimension, u.units()
			out = append(out, r)
		}
	}
	if a := t.Attachment; a.PublicIP != "" && !a.AttachedAt.IsZero() {
		r := base
		r.Dimension, r.Units, r.Start = PublicIPv4, 1, a.AttachedAt
		r.Seconds = max(addressMinimum, elapsed(r.Start, end))
		out = append(out, r)
	}
	return out
}

// units is the amount in CPU units, MiB or GiB, of which it is a whole number.
func (u Use) units() int64 {
	return u.Amount.Mul(Int(u.Dimension.scale())).value().Num().Int64()
}

// elapsed is the seconds between two times, begun ones counted; none where a
// clock went back.
func elapsed(from, to time.Time) int64 {
	d := to.Sub(from)
	if d <= 0 {
		return 0
	}
	return int64((d-1)/time.Second) + 1
}
