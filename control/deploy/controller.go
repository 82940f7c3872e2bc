package deploy

import (
	"slices"
	"strings"
	"time"

	"neargate/arn"
	"neargate/control/loop"
	"neargate/resource/compute"
	"neargate/store"
	"neargate/store/tables"
)

// KeptEvents is how many events a service keeps: DescribeServices shows no more.
const KeptEvents = 100

// New is the controller of services. clock tells the time by which tasks settle
// and protections end; ids mints the ids of tasks and events.
func New(clock func() time.Time, ids *arn.Source) loop.Runner {
	return controller(clock, ids)
}

func controller(clock func() time.Time, ids *arn.Source) loop.Controller[Key, State, Action] {
	return loop.Controller[Key, State, Action]{
		Name: "deploy",
		Inputs: []loop.Input[Key]{
			{Prefix: store.Prefix(tables.Services.Name), Keys: serviceOf},
			{Prefix: store.Prefix(tables.TasksByService), Keys: serviceOf},
			{Prefix: store.Prefix(tables.TasksByFailure), Keys: serviceOf},
			{Prefix: store.Prefix(tables.Instances.Name), Keys: servicesOfCluster},
		},
		Outputs: slices.Concat(tables.Services.Prefixes(), tables.Tasks.Prefixes(),
			tables.ServiceEvents.Prefixes(), tables.ServiceDeployments.Prefixes()),
		Load: func(tx store.Tx, key Key) (State, error) {
			return (&loader{Tx: tx, now: clock(), ids: ids}).load(key)
		},
		Plan:  Plan,
		Write: func(tx store.Tx, a Action) error { return write(tx, clock(), a) },
	}
}

// serviceOf wakes the service whose key begins the segments of e's key.
func serviceOf(_ store.Tx, e store.Event) ([]Key, error) {
	_, s := store.Segments(e.Key)
	return []Key{{s[0], s[1], s[2], s[3]}}, nil
}

// servicesOfCluster wakes the services that container instances concern.
func servicesOfCluster(tx store.Tx, e store.Event) ([]Key, error) {
	_, s := store.Segments(e.Key)
	var keys []Key
	for svc, err := range tables.Services.By(tx, tables.ServicesByActivity, s[0], s[1], s[2]) {
		if err != nil {
			return nil, err
		}
		if svc.LaunchType != compute.Fargate && len(svc.Strategy) == 0 {
			keys = append(keys, Key{svc.Account, svc.Region, svc.Cluster, svc.Name})
		}
	}
	return keys, nil
}

func write(tx store.Tx, now time.Time, a Action) error {
	switch {
	case a.Start != nil:
		return tables.Tasks.Put(tx, a.Start)
	case a.Stop != nil:
		return stop(tx, now, a.Stop)
	case a.Event != nil:
		return addEvent(tx, a.Event)
	case a.Record != nil:
		return tables.ServiceDeployments.Put(tx, a.Record)
	}
	return tables.Services.Put(tx, a.Service)
}

// stop asks a task to end, unless it does already.
func stop(tx store.Tx, now time.Time, s *Stop) error {
	t, ok, err := tables.Tasks.Find(tx, s.Key.Account, s.Key.Region, s.Key.Cluster, s.ID)
	if err != nil || !ok || t.Intent.Desired == compute.Stopped {
		return err
	}
	t.Intent = compute.Intent{Desired: compute.Stopped, StopCode: s.Code, StopReason: s.Reason, StoppingAt: now}
	t.State.Version++
	return tables.Tasks.Put(tx, &t)
}

// addEvent appends an event and drops the oldest beyond those kept.
func addEvent(tx store.Tx, e *compute.ServiceEvent) error {
	segments := []string{e.Account, e.Region, e.Cluster, e.Service}
	surplus := tx.Count(store.Prefix(tables.ServiceEvents.Name, segments...)) + 1 - KeptEvents
	if surplus > 0 {
		for old, err := range tables.ServiceEvents.Page(tx, segments, nil, surplus) {
			if err != nil {
				return err
			}
			if err := tables.ServiceEvents.Delete(tx, tables.ServiceEvents.Key(&old)...); err != nil {
				return err
			}
		}
	}
	return tables.ServiceEvents.Put(tx, e)
}

// definitionKey is the key of the task definition with the ARN.
func definitionKey(definition string) (family string, revision int, ok bool) {
	a, err := arn.Parse(definition)
	if err != nil {
		return "", 0, false
	}
	name, ok := strings.CutPrefix(a.Resource, "task-definition/")
	if !ok {
		return "", 0, false
	}
	at := strings.LastIndexByte(name, ':')
	if at < 0 {
		return "", 0, false
	}
	for _, c := range name[at+1:] {
		if c < '0' || c > '9' {
			return "", 0, false
		}
		revision = revision*10 + int(c-'0')
	}
	return name[:at], revision, true
}
