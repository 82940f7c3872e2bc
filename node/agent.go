// Package node is the agent of a host: it takes the tasks placed on the host
// through their life cycle and reports how they are.
//
// The agent decides nothing itself: package task says what follows from an event,
// a Worker does it and answers with another event, and every change of what is
// known is one commit. While the store cannot be reached the tasks go on; what was
// not reported is reported later. A task that somebody else has ended, because the
// host seemed lost, is removed from the host.
package node

import (
	"context"
	"errors"
	"log/slog"
	"reflect"
	"slices"
	"time"

	"neargate/internal/pause"
	"neargate/node/task"
	"neargate/resource/compute"
	"neargate/resource/compute/taskdef"
	"neargate/resource/node"
	"neargate/store"
	"neargate/store/tables"
)

// retryAfter is the pause after a call of the store that failed.
const retryAfter = time.Second

// Worker does what the life cycles of tasks ask for.
type Worker interface {
	// Do begins a job and returns at once. The answer is a Report; see package
	// task for which. After the answer to an Unplug there are no others.
	Do(j Job)
	// Found tells what is on the host at the agent's start: by task id and
	// container name, the containers that were started. A task whose sandbox
	// holds none has an empty map.
	Found(ctx context.Context) (map[string]map[string]task.Found, error)
}

// Job is an action with what is needed for it.
type Job struct {
	Task       compute.Task
	Definition taskdef.Definition
	Action     task.Action
}

// Report is an event of a task.
type Report struct {
	Task  string // id
	Event task.Event
}

// Agent takes care of the tasks of one host. It is driven by one goroutine: by
// Run, or by Start and Step in simulations.
type Agent struct {
	self   node.Node
	store  store.Store
	worker Worker
	log    *slog.Logger

	runs    []*run          // in the order of their arrival
	byID    map[string]*run // by task id
	reports []Report
	look    []key     // tasks whose records changed
	lookAt  time.Time // not before, after a failed read
	beatAt  time.Time
}

// key is a task's primary key.
type key struct{ account, region, cluster, id string }

// run is a task on this host.
type run struct {
	key        key
	task       compute.Task // as last read
	definition taskdef.Definition
	spec       task.Spec
	state      task.State
	saved      compute.TaskState // as last written or read
	retryAt    time.Time         // when to write again, zero: nothing to write
	disowned   bool              // its record is over, or somebody else's
}

// NewAgent is the agent of the host self.
func NewAgent(self node.Node, st store.Store, w Worker, log *slog.Logger) *Agent {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Agent{self: self, store: st, worker: w, log: log.With("node", self.Name), byID: map[string]*run{}}
}

// Start registers the host, adopts what runs on it, and removes what should not.
// It returns the prefix whose changes Notice must be told of, and the revision
// after which.
func (a *Agent) Start(ctx context.Context, now time.Time) (prefix string, at store.Rev, err error) {
	a.runs, a.byID = nil, map[string]*run{}
	found, err := a.worker.Found(ctx)
	if err != nil {
		return "", 0, err
	}
	if err := a.register(ctx, now); err != nil {
		return "", 0, err
	}
	keys, at, err := a.list(ctx)
	if err != nil {
		return "", 0, err
	}
	for _, k := range keys {
		if err := a.adopt(ctx, k, found[k.id], now); err != nil {
			return "", 0, err
		}
		delete(found, k.id)
	}
	for id := range found {
		a.worker.Do(Job{Task: compute.Task{ID: id}, Action: task.Action{Verb: task.Unplug}})
	}
	return a.prefix(), at, nil
}

func (a *Agent) prefix() string { return store.Prefix(tables.TasksByNode, a.self.Name) }

func (a *Agent) register(ctx context.Context, now time.Time) error {
	a.beatAt = now.Add(node.HeartbeatEvery)
	return a.store.Update(ctx, func(tx store.Tx) error {
		old, _, err := tables.Nodes.Find(tx, a.self.Name)
		if err != nil {
			return err
		}
		n := a.self
		n.RegisteredAt, n.Cordoned = now, old.Cordoned
		return errors.Join(
			tables.Nodes.Put(tx, &n),
			tables.Heartbeats.Put(tx, &node.Heartbeat{Name: n.Name, SeenAt: now}),
		)
	})
}

// list reads which tasks the host has.
func (a *Agent) list(ctx context.Context) (keys []key, at store.Rev, err error) {
	err = a.store.View(ctx, func(tx store.Tx) error {
		keys, at = nil, tx.Rev()
		for _, v := range tx.List(a.prefix(), "", 0) {
			keys = append(keys, keyOf(string(v.Bytes())))
		}
		return nil
	})
	return keys, at, err
}

func keyOf(primary string) key {
	_, s := store.Segments(primary)
	return key{s[0], s[1], s[2], s[3]}
}

// Notice takes changes under the prefix Start returned.
func (a *Agent) Notice(events ...store.Event) {
	for _, e := range events {
		_, s := store.Segments(e.Key)
		k := key{s[5], s[6], s[7], s[8]}
		if !slices.Contains(a.look, k) {
			a.look = append(a.look, k)
		}
	}
}

// Report takes an event of a task; Step acts on it.
func (a *Agent) Report(r Report) { a.reports = append(a.reports, r) }

// Step does everything there is to do at now and returns when there will be more
// without anything happening.
func (a *Agent) Step(ctx context.Context, now time.Time) time.Time {
	for len(a.reports) > 0 {
		r := a.reports[0]
		a.reports = a.reports[1:]
		if run := a.byID[r.Task]; run != nil {
			a.drive(ctx, run, now, r.Event)
		}
	}
	a.readChanged(ctx, now)
	next := a.beat(ctx, now)
	if len(a.look) > 0 && a.lookAt.Before(next) {
		next = a.lookAt
	}
	for _, r := range slices.Clone(a.runs) {
		if at := r.next(); !at.IsZero() && !now.Before(at) {
			a.drive(ctx, r, now, task.Event{Kind: task.Tick})
		}
		if at := r.next(); !at.IsZero() && at.Before(next) {
			next = at
		}
	}
	return next
}

// readChanged looks at the tasks whose records changed.
func (a *Agent) readChanged(ctx context.Context, now time.Time) {
	for len(a.look) > 0 && !now.Before(a.lookAt) {
		k := a.look[0]
		if err := a.read(ctx, k, now); err != nil {
			a.log.Warn("reading a task", "task", k.id, "error", err)
			a.lookAt = now.Add(retryAfter)
			return
		}
		a.look = a.look[1:]
	}
}

// next is when the task needs a Tick, or its state another attempt to be written.
func (r *run) next() time.Time {
	at := task.Deadline(&r.spec, r.state)
	if at.IsZero() || !r.retryAt.IsZero() && r.retryAt.Before(at) {
		return r.retryAt
	}
	return at
}

func (a *Agent) beat(ctx context.Context, now time.Time) (next time.Time) {
	if now.Before(a.beatAt) {
		return a.beatAt
	}
	a.beatAt = now.Add(node.HeartbeatEvery)
	err := a.store.Update(ctx, func(tx store.Tx) error {
		return tables.Heartbeats.Put(tx, &node.Heartbeat{Name: a.self.Name, SeenAt: now})
	})
	if err != nil {
		a.log.Warn("heartbeat", "error", err)
		a.beatAt = now.Add(retryAfter)
	}
	return a.beatAt
}

// record reads a task and the definition it was made from.
func (a *Agent) record(ctx context.Context, k key) (t compute.Task, def taskdef.Definition, mine bool, err error) {
	err = a.store.View(ctx, func(tx store.Tx) error {
		var err error
		var ok bool
		if t, ok, err = tables.Tasks.Find(tx, k.account, k.region, k.cluster, k.id); err != nil {
			return err
		}
		mine = ok && a.owns(&t)
		def, _, err = tables.TaskDefinitions.Find(tx, k.account, k.region, t.Spec.Family, tables.Number(t.Spec.Revision))
		return err
	})
	return t, def, mine, err
}

// owns reports whether the task is this host's to run and to write.
func (a *Agent) owns(t *compute.Task) bool {
	return t.Node == a.self.Name && t.State.Last != compute.Stopped
}

// adopt takes over a task the host had before the agent started.
func (a *Agent) adopt(ctx context.Context, k key, found map[string]task.Found, now time.Time) error {
	t, def, mine, err := a.record(ctx, k)
	if err != nil || !mine {
		return err
	}
	r := a.add(k, t, def)
	var do []task.Action
	r.state, do = task.Adopt(&r.spec, t.State, t.Intent, found, now)
	a.do(r, do)
	a.settle(ctx, r, now)
	return nil
}

// read takes notice of a task's record.
func (a *Agent) read(ctx context.Context, k key, now time.Time) error {
	t, def, mine, err := a.record(ctx, k)
	if err != nil {
		return err
	}
	r := a.byID[k.id]
	switch {
	case r == nil && !mine:
		return nil
	case r == nil:
		r = a.add(k, t, def)
		r.state = task.New(&r.spec, t.State)
	}
	r.task = t
	r.disowned = !mine
	a.settle(ctx, r, now)
	return nil
}

func (a *Agent) add(k key, t compute.Task, def taskdef.Definition) *run {
	r := &run{key: k, task: t, definition: def, spec: specOf(&t, &def), saved: t.State}
	a.runs = append(a.runs, r)
	a.byID[k.id] = r
	return r
}

// drive tells a task's life cycle of an event and does what follows.
func (a *Agent) drive(ctx context.Context, r *run, now time.Time, e task.Event) {
	var do []task.Action
	r.state, do = task.Next(&r.spec, r.state, e, now)
	a.do(r, do)
	a.settle(ctx, r, now)
}

// settle writes what is not written, and tells the life cycle what the record
// says, until both agree. Each state is a commit of its own.
func (a *Agent) settle(ctx context.Context, r *run, now time.Time) {
	for {
		if err := a.save(ctx, r); err != nil {
			a.log.Warn("reporting a task", "task", r.key.id, "error", err)
			r.retryAt = now.Add(retryAfter)
		} else {
			r.retryAt = time.Time{}
		}
		e, ok := r.heard()
		if !ok {
			break
		}
		var do []task.Action
		r.state, do = task.Next(&r.spec, r.state, e, now)
		a.do(r, do)
	}
	if r.saved.Last == compute.Stopped || r.disowned && r.state.Link == task.Gone {
		delete(a.byID, r.key.id)
		a.runs = slices.DeleteFunc(a.runs, func(x *run) bool { return x == r })
	}
}

func (a *Agent) do(r *run, actions []task.Action) {
	for _, x := range actions {
		a.worker.Do(Job{Task: r.task, Definition: r.definition, Action: x})
	}
}

// heard is what the task's record says that its life cycle has not heard of.
func (r *run) heard() (task.Event, bool) {
	t, s := &r.task, &r.state
	stopping := s.Intent.Desired == compute.Stopped
	att := t.Attachment.Status
	switch {
	case r.disowned && !stopping:
		return task.Event{Kind: task.StopWanted, Intent: compute.Intent{Desired: compute.Stopped}}, true
	case r.disowned:
	case t.Intent.Desired == compute.Stopped && !stopping:
		return task.Event{Kind: task.StopWanted, Intent: t.Intent}, true
	case s.Link == task.Unlinked && !stopping && t.Attachment.Failure != "":
		return task.Event{Kind: task.AttachFailed, Reason: t.Attachment.Failure}, true
	case s.Link == task.Unlinked && !stopping && att == compute.Attached:
		return task.Event{Kind: task.Attached}, true
	case r.saved.Last == compute.Deprovisioning && !s.Detached && att != compute.Attached && att != compute.Detaching:
		return task.Event{Kind: task.Detached}, true
	}
	return task.Event{}, false
}

// save writes the task's state if it is not written. The first intent to stop a
// task wins; the version counts on from the record's.
func (a *Agent) save(ctx context.Context, r *run) error {
	if r.disowned || reflect.DeepEqual(r.state.Reported, r.saved) {
		return nil
	}
	var t compute.Task
	var mine bool
	err := a.store.Update(ctx, func(tx store.Tx) error {
		var ok bool
		var err error
		t, ok, err = tables.Tasks.Find(tx, r.key.account, r.key.region, r.key.cluster, r.key.id)
		if mine = ok && a.owns(&t); err != nil || !mine {
			return err
		}
		if t.Intent.Desired != compute.Stopped {
			t.Intent = r.state.Intent
		}
		version := t.State.Version + r.state.Reported.Version - r.saved.Version
		t.State = r.state.Reported
		t.State.Version = version
		return tables.Tasks.Put(tx, &t)
	})
	if err != nil {
		return err
	}
	if r.disowned = !mine; mine {
		r.task, r.saved = t, t.State
		r.state.Reported.Version = t.State.Version
	}
	return nil
}

// Run takes care of the host's tasks until ctx ends. reports brings the worker's
// answers.
func (a *Agent) Run(ctx context.Context, reports <-chan Report) error {
	prefix, at, err := a.Start(ctx, time.Now())
	for err != nil {
		a.log.Warn("starting", "error", err)
		if !pause.For(ctx, retryAfter) {
			return ctx.Err()
		}
		prefix, at, err = a.Start(ctx, time.Now())
	}
	events := make(chan store.Event)
	relisted := make(chan []key)
	go a.follow(ctx, prefix, at, events, relisted)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case r := <-reports:
			a.Report(r)
		case e := <-events:
			a.Notice(e)
		case keys := <-relisted:
			a.lookAtAll(keys)
		case <-timer.C:
		}
		now := time.Now()
		timer.Reset(max(a.Step(ctx, now).Sub(now), 0))
	}
}

// lookAtAll makes the next Step read every task that is, or was, the host's.
func (a *Agent) lookAtAll(keys []key) {
	for _, r := range a.runs {
		keys = append(keys, r.key)
	}
	for _, k := range keys {
		if !slices.Contains(a.look, k) {
			a.look = append(a.look, k)
		}
	}
}

// follow watches the host's tasks; where the watch cannot go on it lists them
// again.
func (a *Agent) follow(ctx context.Context, prefix string, at store.Rev, events chan<- store.Event, relisted chan<- []key) {
	for ctx.Err() == nil {
		for e, err := range a.store.Watch(ctx, at, prefix) {
			if err != nil {
				break
			}
			select {
			case events <- e:
			case <-ctx.Done():
				return
			}
		}
		keys, now, err := a.list(ctx)
		if err != nil {
			pause.For(ctx, retryAfter)
			continue
		}
		at = now
		select {
		case relisted <- keys:
		case <-ctx.Done():
		}
	}
}
