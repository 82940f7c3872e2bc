package expire

import (
	"time"

	"neargate/control/loop"
	"neargate/resource/identity"
	"neargate/store"
	"neargate/store/tables"
)

// DeletionTaskFor is how long the outcome of deleting a service-linked role can
// be asked for. AWS names no time.
const DeletionTaskFor = 24 * time.Hour

// Sessions is the controller that forgets temporary credentials some time after
// they expired.
func Sessions() loop.Runner {
	return aged("expire-sessions", tables.Sessions, tables.SessionsByExpiry, (*identity.Session).SweepAt)
}

// DeletionTasks is the controller that forgets deletions of service-linked roles.
func DeletionTasks() loop.Runner {
	return aged("expire-deletiontasks", tables.DeletionTasks, tables.DeletionTasksByAge, func(t *identity.DeletionTask) time.Time {
		return t.CreatedAt.Add(DeletionTaskFor)
	})
}

// aged is a controller that removes records once a time of their own has come.
// The index has them in the order of that time.
func aged[T any](name string, table store.Table[T], index string, until func(*T) time.Time) loop.Runner {
	return loop.Controller[string, []T, T]{
		Name: name,
		Inputs: []loop.Input[string]{{Prefix: store.Prefix(index), Keys: func(_ store.Tx, e store.Event) ([]string, error) {
			if e.Val == nil {
				return nil, nil
			}
			return []string{"oldest"}, nil
		}}},
		Outputs: table.Prefixes(),
		Load: func(tx store.Tx, _ string) ([]T, error) {
			return store.Collect(table.ByPage(tx, index, nil, "", batch))
		},
		Plan:  func(now time.Time, oldest []T) ([]T, time.Time) { return planAged(now, oldest, until) },
		Write: func(tx store.Tx, r T) error { return table.Delete(tx, table.Key(&r)...) },
	}
}

// planAged takes the records whose time has come, out of a batch of the oldest.
func planAged[T any](now time.Time, oldest []T, until func(*T) time.Time) ([]T, time.Time) {
	for i := range oldest {
		if at := until(&oldest[i]); now.Before(at) {
			return oldest[:i], at
		}
	}
	if len(oldest) == batch {
		return oldest, now
	}
	return oldest, time.Time{}
}
