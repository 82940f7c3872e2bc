package billing

import (
	"time"

	"neargate/resource/compute"
)

// Record is what one task used of one dimension, once it is over. What Records
// makes of a task is the same whenever it is asked, so writing a record under its
// key a second time changes nothing.
type Record struct {
	Account, Region, Cluster, Task string
	Dimension                      Dimension
	Family                         string
	Revision                       int
	Service                        string        `json:",omitempty"`
	Tags                           []compute.Tag `json:",omitempty"`
	Start                          time.Time     // of the image pull
	Seconds                        int64         // as charged for
	Units                          int64         // CPU units, MiB, or GiB
}

// Key tells a record from every other of its installation.
func (r *Record) Key() []string {
	return []string{r.Account, r.Region, r.Cluster, r.Task, string(r.Dimension)}
}

// Use is what the record's task used in each of its seconds.
func (r *Record) Use() Use {
	if r.Dimension == Storage {
		return Use{r.Dimension, Int(r.Units)}
	}
	return Use{r.Dimension, Ratio(r.Units, 1024)}
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
// none while it runs, of one that never came to pull an image, and of one that
// is not on Fargate.
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

func records(t *compute.Task, terms *Terms, end time.Time) []Record {
	size, ok := SizeOf(&t.Spec)
	if !ok || t.State.PullStartedAt.IsZero() {
		return nil
	}
	base := Record{
		Account: t.Account, Region: t.Region, Cluster: t.Cluster, Task: t.ID, Family: t.Spec.Family, Revision: t.Spec.Revision,
		Service: t.Spec.Service, Tags: t.Tags, Start: t.State.PullStartedAt,
		Seconds: terms.Billable(elapsed(t.State.PullStartedAt, end), size.Windows()),
	}
	var out []Record
	for _, u := range size.Uses(terms) {
		r := base
		r.Dimension, r.Units = u.Dimension, u.units()
		out = append(out, r)
	}
	return out
}

// units is the amount in CPU units, MiB or GiB, of which it is a whole number.
func (u Use) units() int64 {
	n := u.Amount
	if u.Dimension != Storage {
		n = n.Mul(Int(1024))
	}
	return n.value().Num().Int64()
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
