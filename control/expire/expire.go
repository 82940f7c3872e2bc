// Package expire removes what is kept for a while only: stopped tasks, what is
// INACTIVE, and expired credentials. Every pass removes a bounded batch.
package expire

import (
	"fmt"
	"slices"
	"time"

	"neargate/control/loop"
	"neargate/resource/compute"
	"neargate/store"
	"neargate/store/tables"
)

const (
	// StoppedFor is how long a stopped task is kept. Source: Amazon ECS task
	// lifecycle (at least one hour).
	StoppedFor = time.Hour
	// InactiveFor is how long INACTIVE services and clusters are kept. AWS says
	// "for a period of time"; this is as long as the tasks they had.
	InactiveFor = time.Hour
	// batch is how many records one pass removes.
	batch = 200
)

// Stopped is the head of the stopped tasks, the longest stopped first.
type Stopped struct {
	Tasks []compute.Task
	More  bool
}

// Tasks is the controller that removes tasks an hour after they stopped.
func Tasks() loop.Runner {
	return loop.Controller[string, Stopped, compute.Task]{
		Name: "expire-tasks",
		Inputs: []loop.Input[string]{{Prefix: store.Prefix(tables.TasksByStop), Keys: func(_ store.Tx, e store.Event) ([]string, error) {
			if e.Val == nil {
				return nil, nil
			}
			return []string{"stopped"}, nil
		}}},
		Outputs: tables.Tasks.Prefixes(),
		Load: func(tx store.Tx, _ string) (Stopped, error) {
			ts, err := store.Collect(tables.Tasks.ByPage(tx, tables.TasksByStop, nil, "", batch))
			return Stopped{ts, len(ts) == batch}, err
		},
		Plan: PlanTasks,
		Write: func(tx store.Tx, t compute.Task) error {
			return tables.Tasks.Delete(tx, t.Account, t.Region, t.Cluster, t.ID)
		},
	}
}

// PlanTasks takes the tasks whose time is over. One whose interface is not yet
// removed, or whose usage is not yet recorded, waits for that.
func PlanTasks(now time.Time, s Stopped) (do []compute.Task, wake time.Time) {
	for _, t := range s.Tasks {
		until := t.State.StoppedAt.Add(StoppedFor)
		if now.Before(until) {
			return do, until
		}
		if t.Metered && !t.HasSpareInterface() {
			do = append(do, t)
		}
	}
	switch {
	case len(do) > 0 && s.More:
		return do, now
	case len(do) < len(s.Tasks):
		return do, now.Add(time.Minute)
	}
	return do, time.Time{}
}

// Key names a service, or a cluster where Service is empty.
type Key struct{ Account, Region, Cluster, Service string }

// Inactive is an INACTIVE service or cluster with all that goes with it.
type Inactive struct {
	Since time.Time // zero: there is none
	Keys  []string  // of the record and what belongs to it
}

// Services is the controller that removes INACTIVE services with their events,
// deployments and revisions.
func Services() loop.Runner {
	return loop.Controller[Key, Inactive, string]{
		Name:    "expire-services",
		Inputs:  []loop.Input[Key]{{Prefix: store.Prefix(tables.Services.Name), Keys: primary}},
		Outputs: slices.Concat(tables.Services.Prefixes(), tables.ServiceEvents.Prefixes(), tables.ServiceDeployments.Prefixes(), tables.ServiceRevisions.Prefixes()),
		Load: func(tx store.Tx, k Key) (in Inactive, err error) {
			s, ok, err := tables.Services.Find(tx, k.Account, k.Region, k.Cluster, k.Service)
			if err != nil || !ok || s.Status != compute.Inactive {
				return in, err
			}
			in.Since = s.DeletedAt
			for _, table := range []string{tables.ServiceEvents.Name, tables.ServiceDeployments.Name, tables.ServiceRevisions.Name} {
				in.Keys = append(in.Keys, keysOf(tx, store.Prefix(table, k.Account, k.Region, k.Cluster, k.Service), batch)...)
			}
			in.Keys = append(in.Keys, store.Key(tables.Services.Name, k.Account, k.Region, k.Cluster, k.Service))
			return in, nil
		},
		Plan:  PlanInactive,
		Write: remove,
	}
}

// Clusters is the controller that removes INACTIVE clusters.
func Clusters() loop.Runner {
	return loop.Controller[Key, Inactive, string]{
		Name:    "expire-clusters",
		Inputs:  []loop.Input[Key]{{Prefix: store.Prefix(tables.Clusters.Name), Keys: primary}},
		Outputs: tables.Clusters.Prefixes(),
		Load: func(tx store.Tx, k Key) (in Inactive, err error) {
			c, ok, err := tables.Clusters.Find(tx, k.Account, k.Region, k.Cluster)
			if err != nil || !ok || c.Status != compute.Inactive {
				return in, err
			}
			return Inactive{c.DeletedAt, []string{store.Key(tables.Clusters.Name, k.Account, k.Region, k.Cluster)}}, nil
		},
		Plan:  PlanInactive,
		Write: remove,
	}
}

// PlanInactive takes everything once the time is over.
func PlanInactive(now time.Time, in Inactive) ([]string, time.Time) {
	if in.Since.IsZero() {
		return nil, time.Time{}
	}
	if until := in.Since.Add(InactiveFor); now.Before(until) {
		return nil, until
	}
	return cut(now, in.Keys)
}

func primary(_ store.Tx, e store.Event) ([]Key, error) {
	if e.Val == nil {
		return nil, nil
	}
	_, s := store.Segments(e.Key)
	s = append(s, "", "")
	return []Key{{s[0], s[1], s[2], s[3]}}, nil
}

// cut takes a batch, and another look at once if something is left. The last key
// goes last, and on its own if the batch was full.
func cut(now time.Time, keys []string) ([]string, time.Time) {
	if len(keys) > batch {
		return keys[:batch], now
	}
	return keys, time.Time{}
}

func keysOf(tx store.Tx, prefix string, limit int) (keys []string) {
	for k := range tx.List(prefix, "", limit) {
		keys = append(keys, k)
	}
	return keys
}

// remove deletes the record under a primary key, with its index entries.
func remove(tx store.Tx, key string) error {
	table, segments := store.Segments(key)
	for name, del := range map[string]func(store.Tx, ...string) error{
		tables.Clusters.Name:           tables.Clusters.Delete,
		tables.Services.Name:           tables.Services.Delete,
		tables.ServiceEvents.Name:      tables.ServiceEvents.Delete,
		tables.ServiceDeployments.Name: tables.ServiceDeployments.Delete,
		tables.ServiceRevisions.Name:   tables.ServiceRevisions.Delete,
	} {
		if name == table {
			return del(tx, segments...)
		}
	}
	return fmt.Errorf("expire: %q is of no table that expires", key)
}
