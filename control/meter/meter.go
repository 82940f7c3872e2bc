// Package meter records what each task used, once it has stopped: one usage record
// for each dimension that has a price. The records and the mark that they are made
// are one transaction, and a task is not forgotten (control/expire) without the
// mark, so no usage is lost and none is recorded twice.
package meter

import (
	"slices"
	"time"

	"neargate/control/loop"
	"neargate/resource/billing"
	"neargate/resource/compute"
	"neargate/store"
	"neargate/store/tables"
	"neargate/store/tables/usages"
)

// Key is a task's primary key.
type Key struct{ Account, Region, Cluster, ID string }

// Action is a task that is over, with the usage it leaves.
type Action struct {
	Task    compute.Task
	Records []billing.Record
}

// New is the controller. terms say what counts as used.
func New(terms billing.Terms) loop.Runner {
	return loop.Controller[Key, *compute.Task, Action]{
		Name: "meter",
		Inputs: []loop.Input[Key]{{Prefix: store.Prefix(tables.TasksByStop), Keys: func(_ store.Tx, e store.Event) ([]Key, error) {
			if e.Val == nil {
				return nil, nil
			}
			_, s := store.Segments(string(e.Val))
			return []Key{{s[0], s[1], s[2], s[3]}}, nil
		}}},
		Outputs: slices.Concat(tables.Tasks.Prefixes(), usages.Pending.Prefixes()),
		Load: func(tx store.Tx, k Key) (*compute.Task, error) {
			return tables.Tasks.Shared(tx, k.Account, k.Region, k.Cluster, k.ID)
		},
		Plan:  func(_ time.Time, t *compute.Task) ([]Action, time.Time) { return Plan(t, &terms), time.Time{} },
		Write: write,
	}
}

// Plan decides for one task, nil if there is none. A task that is not on Fargate
// leaves no records, but is marked too.
func Plan(t *compute.Task, terms *billing.Terms) []Action {
	if t == nil || t.Metered || t.State.Last != compute.Stopped {
		return nil
	}
	return []Action{{*t, billing.Records(t, terms)}}
}

func write(tx store.Tx, a Action) error {
	for i := range a.Records {
		if err := usages.Pending.Put(tx, &a.Records[i]); err != nil {
			return err
		}
	}
	a.Task.Metered = true
	return tables.Tasks.Put(tx, &a.Task)
}
