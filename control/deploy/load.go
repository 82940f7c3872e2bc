package deploy

import (
	"cmp"
	"slices"
	"time"

	"neargate/arn"
	"neargate/resource/compute"
	"neargate/resource/compute/launch"
	"neargate/resource/compute/taskdef"
	"neargate/store"
	"neargate/store/tables"
)

// loader gathers the state of one service. It counts tasks in the index and
// reads the records only of those a plan may stop.
type loader struct {
	store.Tx
	now time.Time
	ids *arn.Source
	key Key
	State
}

func (l *loader) load(key Key) (State, error) {
	l.key = key
	svc, ok, err := tables.Services.Find(l, key.Account, key.Region, key.Cluster, key.Service)
	if err != nil || !ok || svc.Status == compute.Inactive || len(svc.Deployments) == 0 {
		return State{Gone: true}, err
	}
	l.Service = svc
	l.loadGroups()
	for _, step := range []func() error{l.loadInstances, l.loadCandidates, l.loadFailures, l.loadRecord, l.loadTemplate} {
		if err := step(); err != nil {
			return State{}, err
		}
	}
	for range 3*Batch + 4 {
		l.EventIDs = append(l.EventIDs, l.ids.UUID())
	}
	return l.State, nil
}

func (l *loader) primary() *compute.Deployment { return &l.Service.Deployments[0] }

func (l *loader) segments(more ...string) []string {
	return append([]string{l.key.Account, l.key.Region, l.key.Cluster, l.key.Service}, more...)
}

// segments are those of the group's index keys behind the service's.
func (g *Group) segments() []string {
	return []string{g.Deployment, string(g.Phase), g.Provider, g.Zone}
}

// loadGroups counts the service's tasks, leaping from group to group.
func (l *loader) loadGroups() {
	prefix, after := store.Prefix(tables.TasksByService, l.segments()...), ""
	for {
		first := ""
		for k := range l.List(prefix, after, 1) {
			first = k
		}
		if first == "" {
			return
		}
		_, s := store.Segments(first)
		g := Group{Deployment: s[4], Phase: compute.Phase(s[5]), Provider: s[6], Zone: s[7]}
		group := store.Prefix(tables.TasksByService, s[:8]...)
		g.Count = l.Count(group)
		if g.Phase == compute.PhaseRunning && l.needsYoung() {
			for _, shield := range []string{"", tables.Protected} {
				l.countYoung(&g, group+shield+store.Sep)
			}
		}
		l.Groups = append(l.Groups, g)
		after = past(group)
	}
}

// past sorts after every key with the prefix, which ends with Sep, and before
// whatever follows those.
func past(prefix string) string { return prefix[:len(prefix)-1] + "\x01" }

// needsYoung reports whether a plan asks how long tasks have been running: to
// replace deployments, and to end a back-off.
func (l *loader) needsYoung() bool {
	return len(l.Service.Deployments) > 1 || l.Service.Backoff.Failures > 0
}

// countYoung counts the tasks under the prefix that have not settled, in the
// order in which they started.
func (l *loader) countYoung(g *Group, prefix string) {
	for k := range l.List(prefix, prefix+tables.Stamp(l.now.Add(-Settle))+"\x01", 0) {
		_, s := store.Segments(k)
		at, err := tables.Time(s[9])
		if err != nil {
			continue
		}
		g.Young++
		if g.OldestYoung.IsZero() || at.Before(g.OldestYoung) {
			g.OldestYoung = at
		}
		if at.After(g.NewestYoung) {
			g.NewestYoung = at
		}
	}
}

// mayStop reports whether a plan may want to stop tasks of the group.
func (l *loader) mayStop(g *Group, surplus bool) bool {
	switch {
	case g.Phase == compute.PhaseStopping:
		return false
	case l.Service.Status == compute.Draining, l.Service.Scheduling == "DAEMON":
		return true
	}
	return g.Deployment != l.primary().ID || surplus || g.Phase == compute.PhaseUnhealthy
}

func (l *loader) loadCandidates() error {
	have := 0
	for i := range l.Groups {
		if g := &l.Groups[i]; g.Deployment == l.primary().ID && live(*g) {
			have += g.Count
		}
	}
	wanted := false
	for i := range l.Groups {
		g := &l.Groups[i]
		if !l.mayStop(g, have > l.Service.Desired) {
			continue
		}
		wanted = true
		l.Protected += l.countShielded(g)
		if err := l.addCandidates(g); err != nil {
			return err
		}
	}
	if l.Protected > 0 && wanted {
		if err := l.loadExpired(); err != nil {
			return err
		}
	}
	slices.SortStableFunc(l.Candidates, func(a, b Candidate) int { return cmp.Compare(a.Phase, b.Phase) })
	return nil
}

// countShielded counts the group's tasks with protection, in force or not.
func (l *loader) countShielded(g *Group) int {
	return l.Count(store.Prefix(tables.TasksByService, l.segments(append(g.segments(), tables.Protected)...)...))
}

// loadExpired adds tasks whose protection is over, and finds when the next one ends.
func (l *loader) loadExpired() error {
	prefix := store.Prefix(tables.TasksByProtection, l.segments()...)
	n := 0
	for k, v := range l.List(prefix, "", Batch+1) {
		_, s := store.Segments(k)
		until, err := tables.Time(s[4])
		if err != nil {
			return err
		}
		if until.After(l.now) {
			l.NextExpiry = until
			break
		}
		if n++; n > Batch {
			break
		}
		_, key := store.Segments(string(v.Bytes()))
		t, err := tables.Tasks.Get(l, key...)
		if err != nil {
			return err
		}
		if compute.PhaseOf(&t) != compute.PhaseStopping {
			l.Candidates = append(l.Candidates, l.candidate(&t))
			l.Protected--
		}
	}
	return nil
}

// addCandidates adds the oldest unprotected tasks of the group.
func (l *loader) addCandidates(g *Group) error {
	segments := l.segments(append(g.segments(), "")...)
	for t, err := range tables.Tasks.ByPage(l, tables.TasksByService, segments, "", Batch) {
		if err != nil {
			return err
		}
		l.Candidates = append(l.Candidates, l.candidate(&t))
	}
	return nil
}

func (l *loader) candidate(t *compute.Task) Candidate {
	phase := compute.PhaseOf(t)
	return Candidate{
		ID: t.ID, Deployment: t.Spec.Deployment, Phase: phase, Zone: t.Zone, Instance: t.Spec.Instance,
		Young: phase == compute.PhaseRunning && l.now.Sub(t.State.StartedAt) < Settle,
	}
}

// failureLimit bounds how many failures one plan counts.
const failureLimit = 50

func (l *loader) loadFailures() error {
	segments := l.segments(l.primary().ID)
	after := store.Prefix(tables.TasksByFailure, segments...) + tables.Stamp(l.Service.Backoff.Seen) + "\x01"
	for t, err := range tables.Tasks.ByPage(l, tables.TasksByFailure, segments, after, failureLimit) {
		if err != nil {
			return err
		}
		l.Failures = append(l.Failures, Failure{At: t.State.StoppedAt, Reason: t.Intent.StopReason, Zone: t.Zone})
	}
	return nil
}

// loadInstances lists the container instances that take tasks, for a service
// that runs on them.
func (l *loader) loadInstances() error {
	if d := l.primary(); d.LaunchType == compute.Fargate || len(d.Strategy) > 0 {
		return nil
	}
	for in, err := range tables.Instances.List(l, l.key.Account, l.key.Region, l.key.Cluster) {
		if err != nil {
			return err
		}
		external := l.primary().LaunchType == "EXTERNAL"
		if in.Status != compute.Active || !in.AgentConnected || in.External != external {
			continue
		}
		instance := Instance{ID: in.ID}
		tasks := tables.Tasks.By(l, tables.TasksByOrigin, l.key.Account, l.key.Region, l.key.Cluster, tables.ByInstance, in.ID, string(compute.Running))
		for t, err := range tasks {
			if err != nil {
				return err
			}
			if t.Spec.Service == l.key.Service {
				instance.Deployment = t.Spec.Deployment
				instance.Tasks++
			}
		}
		l.Instances = append(l.Instances, instance)
	}
	return nil
}

func (l *loader) loadRecord() error {
	d := l.primary()
	if d.Rollout != compute.InProgress || d.RecordID == "" {
		return nil
	}
	r, ok, err := tables.ServiceDeployments.Find(l, l.segments(d.RecordID)...)
	if ok {
		l.Record = &r
	}
	return err
}

// loadTemplate finds what tasks of the primary deployment are made from.
func (l *loader) loadTemplate() error {
	d := l.primary()
	family, revision, ok := definitionKey(d.Definition)
	if !ok {
		return nil
	}
	def, ok, err := tables.TaskDefinitions.Find(l, l.key.Account, l.key.Region, family, tables.Number(revision))
	if err != nil || !ok {
		return err
	}
	if d.Network != nil {
		for _, id := range d.Network.Subnets {
			s, ok, err := tables.Subnets.Find(l, l.key.Account, l.key.Region, id)
			if err != nil {
				return err
			}
			if ok {
				l.Subnets = append(l.Subnets, launch.Subnet{ID: s.ID, Zone: s.Zone})
			}
		}
	}
	l.Template = template(l.Service, *d, def)
	for range Batch {
		l.IDs = append(l.IDs, l.mint(len(def.ContainerDefinitions)))
	}
	return nil
}

// template makes tasks of a service's deployment.
func template(s compute.Service, d compute.Deployment, def taskdef.Definition) Template {
	return func(now time.Time, ids IDs, at Spot) compute.Task {
		return launch.Task(launch.Order{
			Definition: &def, Account: s.Account, Region: s.Region, Cluster: s.Cluster,
			ID: ids.Task, AttachmentID: ids.Attachment, ContainerIDs: ids.Containers, Now: now,
			Group: "service:" + s.Name, StartedBy: d.ID, Service: s.Name, Deployment: d.ID,
			Instance: at.Instance, LaunchType: d.LaunchType, CapacityProvider: at.Provider,
			PlatformVersion: d.PlatformVersion, Network: d.Network, Zone: at.Subnet.Zone, Subnet: at.Subnet.ID,
			EnableExec: s.EnableExec, ManagedTags: s.ManagedTags, PropagateTags: s.PropagateTags,
			ServiceTags: s.Tags, CreatedBy: s.CreatedBy,
		})
	}
}

// mint makes the ids of one task with so many containers.
func (l *loader) mint(containers int) IDs {
	ids := IDs{Task: l.ids.Hex(32), Attachment: l.ids.UUID()}
	for range containers {
		ids.Containers = append(ids.Containers, l.ids.UUID())
	}
	return ids
}
