// Package expire removes what is kept for a while only: stopped tasks, old service
// events, what is INACTIVE, and expired credentials. Every pass removes a bounded
// batch.
package expire

import (
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
	// EventsKept is how many events of a service are kept. Source: Amazon ECS
	// service event messages.
	EventsKept = 100
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
// removed waits for that.
func PlanTasks(now time.Time, s Stopped) (do []compute.Task, wake time.Time) {
	for _, t := range s.Tasks {
		until := t.State.StoppedAt.Add(StoppedFor)
		if now.Before(until) {
			return do, until
		}
		if !t.HasSpareInterface() {
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

// Service is the key of a service's events.
type Service struct{ Account, Region, Cluster, Name string }

// Events is the controller that keeps the newest events of each service.
func Events() loop.Runner {
	return loop.Controller[Service, []string, string]{
		Name: "expire-events",
		Inputs: []loop.Input[Service]{{Prefix: store.Prefix(tables.ServiceEvents.Name), Keys: func(_ store.Tx, e store.Event) ([]Service, error) {
			if e.Val == nil {
				return nil, nil
			}
			_, s := store.Segments(e.Key)
			return []Service{{s[0], s[1], s[2], s[3]}}, nil
		}}},
		Outputs: tables.ServiceEvents.Prefixes(),
		Load: func(tx store.Tx, s Service) ([]string, error) {
			prefix := store.Prefix(tables.ServiceEvents.Name, s.Account, s.Region, s.Cluster, s.Name)
			spare := min(tx.Count(prefix)-EventsKept, batch+1)
			if spare <= 0 {
				return nil, nil
			}
			return keysOf(tx, prefix, spare), nil
		},
		Plan:  PlanEvents,
		Write: remove,
	}
}

// PlanEvents takes a batch of the keys of spare events.
func PlanEvents(now time.Time, spare []string) ([]string, time.Time) { return cut(now, spare) }

// Inactive is an INACTIVE service or cluster with all that goes with it.
type Inactive struct {
	Since time.Time // zero: there is none
	Keys  []string  // of the record and what belongs to it
}

// Services is the controller that removes INACTIVE services with their events,
// deployments and revisions.
func Services() loop.Runner {
	return loop.Controller[Service, Inactive, string]{
		Name:    "expire-services",
		Inputs:  []loop.Input[Service]{{Prefix: store.Prefix(tables.Services.Name), Keys: primary}},
		Outputs: slices.Concat(tables.Services.Prefixes(), tables.ServiceEvents.Prefixes(), tables.ServiceDeployments.Prefixes(), tables.ServiceRevisions.Prefixes()),
		Load: func(tx store.Tx, k Service) (in Inactive, err error) {
			s, ok, err := tables.Services.Find(tx, k.Account, k.Region, k.Cluster, k.Name)
			if err != nil || !ok || s.Status != compute.Inactive {
				return in, err
			}
			in.Since = s.DeletedAt
			for _, table := range []string{tables.ServiceEvents.Name, tables.ServiceDeployments.Name, tables.ServiceRevisions.Name} {
				in.Keys = append(in.Keys, keysOf(tx, store.Prefix(table, k.Account, k.Region, k.Cluster, k.Name), batch)...)
			}
			in.Keys = append(in.Keys, store.Key(tables.Services.Name, k.Account, k.Region, k.Cluster, k.Name))
			return in, nil
		},
		Plan:  PlanInactive,
		Write: remove,
	}
}

// Clusters is the controller that removes INACTIVE clusters.
func Clusters() loop.Runner {
	return loop.Controller[Service, Inactive, string]{
		Name:    "expire-clusters",
		Inputs:  []loop.Input[Service]{{Prefix: store.Prefix(tables.Clusters.Name), Keys: primary}},
		Outputs: tables.Clusters.Prefixes(),
		Load: func(tx store.Tx, k Service) (in Inactive, err error) {
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

func primary(_ store.Tx, e store.Event) ([]Service, error) {
	if e.Val == nil {
		return nil, nil
	}
	_, s := store.Segments(e.Key)
	s = append(s, "", "")
	return []Service{{s[0], s[1], s[2], s[3]}}, nil
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

// remove deletes a key; the records removed here have no index entries, services
// being INACTIVE.
func remove(tx store.Tx, key string) error {
	tx.Delete(key)
	return nil
}
