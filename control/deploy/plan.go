package deploy

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"neargate/resource/compute"
	"neargate/resource/compute/launch"
)

// noCapacity begins the reason of a task no node had room for.
const noCapacity = "Capacity is unavailable"

// Times of the scheduler.
const (
	launchPause  = 1200 * time.Millisecond // Batch starts each: 500 a minute a service, the Fargate quota
	steadyRepeat = 6 * time.Hour
	firstBackoff = 10 * time.Second
	maxBackoff   = 15 * time.Minute
	impaired     = 3 // failures after which the service says so
)

// planner is one plan in the making: the service's new record and what is to be
// done, over the counts of the state.
type planner struct {
	State
	now     time.Time
	was     compute.Service
	do      []Action
	starts  []string // task ids
	stops   []string
	pending int // of stops: tasks that were not running
	wakes   []time.Time
	// balances is the zone where this plan starts or stops a task to even the
	// zones out.
	balances string
}

// Plan decides the next step of a service, and when to look again. Same state,
// same plan.
func Plan(now time.Time, s State) ([]Action, time.Time) {
	if s.Gone || s.Service.Status == compute.Inactive || len(s.Service.Deployments) == 0 {
		return nil, time.Time{}
	}
	p := &planner{State: s, now: now, was: s.Service}
	p.Service.Deployments = slices.Clone(s.Service.Deployments)
	if p.Record != nil && p.Record.Status == "PENDING" {
		p.record(compute.InProgress)
	}
	p.countFailures()
	switch {
	case p.Service.Status == compute.Draining:
		p.drain()
	case p.Service.Scheduling == "DAEMON":
		p.daemon()
	default:
		p.replica()
	}
	p.reportWork()
	p.retire()
	p.judge()
	return p.finish()
}

func (p *planner) primary() *compute.Deployment { return &p.Service.Deployments[0] }

// count adds up the groups for which in holds.
func (p *planner) count(in func(Group) bool) int {
	n := 0
	for _, g := range p.Groups {
		if in(g) {
			n += g.Count
		}
	}
	return n
}

func live(g Group) bool { return g.Phase != compute.PhaseStopping }

func (p *planner) isPrimary(g Group) bool { return g.Deployment == p.primary().ID }

// healthy counts tasks that count towards the minimum healthy percent.
func (p *planner) healthy() int {
	n := 0
	for _, g := range p.Groups {
		if g.Phase == compute.PhaseRunning {
			n += g.Count - p.young(g)
		}
	}
	return n
}

// young is how many of a group run without having settled; a health check
// settles at once.
func (p *planner) young(g Group) int {
	if p.checked(g.Deployment) {
		return 0
	}
	return g.Young
}

func (p *planner) checked(deployment string) bool {
	return slices.ContainsFunc(p.Service.Deployments, func(d compute.Deployment) bool { return d.ID == deployment && d.Checked })
}

// countFailures counts starts that failed since the last plan and backs off; a
// task that reached RUNNING after the last failure clears the slate.
func (p *planner) countFailures() {
	b := &p.Service.Backoff
	for _, g := range p.Groups {
		if p.isPrimary(g) && g.NewestYoung.After(b.Seen) {
			b.Failures, b.Full, b.Until = 0, nil, time.Time{}
		}
	}
	if len(p.Failures) == 0 {
		return
	}
	last := p.Failures[len(p.Failures)-1]
	p.primary().Failed += len(p.Failures)
	b.Failures += len(p.Failures)
	b.Seen = last.At
	b.Until = p.now.Add(Delay(b.Failures))
	for _, f := range p.Failures {
		if strings.HasPrefix(f.Reason, noCapacity) {
			p.avoid(f.Zone)
		}
	}
	if reason, ok := strings.CutPrefix(last.Reason, noCapacity); ok {
		p.repeat("(service %s) was unable to place a task. Reason: Capacity is unavailable%s", p.Service.Name, reason)
	} else if b.Failures >= impaired {
		p.repeat("(service %s) is unable to consistently start tasks successfully.", p.Service.Name)
	}
}

// avoid keeps starts away from a zone that lacked capacity. Once all zones have,
// what is known of the others is old: they are worth another try.
func (p *planner) avoid(zone string) {
	b := &p.Service.Backoff
	if !slices.Contains(b.Full, zone) {
		b.Full = append(slices.Clone(b.Full), zone)
	}
	if !slices.ContainsFunc(p.Subnets, func(s launch.Subnet) bool { return !slices.Contains(b.Full, s.Zone) }) {
		b.Full = []string{zone}
	}
}

// Delay is the pause after n consecutive failed starts.
func Delay(n int) time.Duration {
	d := firstBackoff
	for range min(n-1, 10) {
		d *= 2
	}
	return min(d, maxBackoff)
}

// drain ends every task of a deleted service; once none is left the service is
// INACTIVE.
func (p *planner) drain() {
	p.Service.Desired = 0
	p.stop(Batch, func(Candidate) bool { return true })
	if len(p.Groups) == 0 {
		p.Service.Status = compute.Inactive
		p.Service.DeletedAt = p.now
		p.complete(p.primary())
		p.Service.Deployments = p.Service.Deployments[:1]
	}
}

// replica moves a REPLICA service one step towards its desired count.
func (p *planner) replica() {
	p.primary().Desired = p.Service.Desired
	lower, upper := p.Service.Rolling.Bounds(p.Service.Desired)
	p.stopOld(lower)
	p.stopSurplus()
	p.stopUnhealthy(lower, upper)
	p.startMissing(upper)
	p.rebalance(upper)
}

// stopOld ends tasks of replaced deployments: those that do not run at once, the
// others while at least lower healthy tasks stay.
func (p *planner) stopOld(lower int) {
	old := func(c Candidate) bool { return c.Deployment != p.primary().ID }
	p.stop(Batch, func(c Candidate) bool {
		return old(c) && (c.Phase == compute.PhaseStarting || c.Phase == compute.PhaseUnhealthy)
	})
	spare := p.healthy() - lower
	if spare < 0 {
		return
	}
	p.stop(Batch, func(c Candidate) bool {
		return old(c) && (c.Phase == compute.PhaseWarming || c.Young && !p.checked(c.Deployment))
	})
	p.stop(spare, old)
}

// stopSurplus scales the primary deployment in, from the zone with most tasks.
func (p *planner) stopSurplus() {
	have := p.count(func(g Group) bool { return live(g) && p.isPrimary(g) })
	surplus := have - p.Service.Desired
	if surplus <= 0 {
		return
	}
	zones := p.zones()
	if surplus == 1 && p.balancing(zones) {
		return
	}
	for range min(surplus, Batch-len(p.stops)) {
		c := p.fullest(zones)
		if c == nil {
			break
		}
		zones[c.Zone]--
		p.stopOne(*c, scaling(c.Deployment))
		if surplus == 1 && p.rebalancing() {
			p.balances = c.Zone
		}
	}
	if p.Protected > 0 && len(p.stops) == 0 {
		p.repeat("(service %s) was unable to reach steady state because (taskSet %s) was unable to scale in due to (reason %d tasks under protection)",
			p.Service.Name, p.primary().ID, p.Protected)
	}
}

// fullest returns the candidate of the primary to stop next: by phase, then from
// the zone with most tasks.
func (p *planner) fullest(zones map[string]int) *Candidate {
	var best *Candidate
	for i := range p.Candidates {
		c := &p.Candidates[i]
		if c.Deployment != p.primary().ID || slices.Contains(p.stops, c.ID) {
			continue
		}
		if best == nil || c.Phase < best.Phase || c.Phase == best.Phase && zones[c.Zone] > zones[best.Zone] {
			best = c
		}
	}
	return best
}

// stopUnhealthy replaces tasks of the primary whose health check failed: after
// their replacements run, or one by one where there is no room to start first.
func (p *planner) stopUnhealthy(lower, upper int) {
	sick := p.count(func(g Group) bool { return p.isPrimary(g) && g.Phase == compute.PhaseUnhealthy })
	if sick == 0 {
		return
	}
	total := p.count(func(Group) bool { return true })
	well := p.count(func(g Group) bool { return p.isPrimary(g) && g.Phase == compute.PhaseRunning })
	n := 0
	switch {
	case well >= p.Service.Desired:
		n = sick
	case total >= upper && len(p.stops) == 0 && p.count(func(g Group) bool { return !live(g) }) == 0:
		n = 1
	}
	for _, c := range p.Candidates {
		if n == 0 || len(p.stops) >= Batch {
			return
		}
		if c.Deployment == p.primary().ID && c.Phase == compute.PhaseUnhealthy && !slices.Contains(p.stops, c.ID) {
			p.event("(service %s) (task %s) failed container health checks.", p.Service.Name, c.ID)
			p.stopOne(c, "Task failed container health checks")
			n--
		}
	}
}

// startMissing starts tasks of the primary deployment while the service may have
// more, the launch rate allows it and it is not backing off.
func (p *planner) startMissing(upper int) {
	well := p.count(func(g Group) bool { return p.isPrimary(g) && live(g) && g.Phase != compute.PhaseUnhealthy })
	missing := p.Service.Desired - well
	if missing <= 0 {
		return
	}
	room := upper - p.count(func(Group) bool { return true })
	if room <= 0 {
		p.reportStuck()
		return
	}
	if !p.mayStart() {
		return
	}
	n := min(missing, room, Batch, len(p.IDs))
	if n = p.startSome(n); n > 0 {
		p.paced(missing > n)
	}
}

// mayStart reports whether back-off and launch rate allow starts, and wakes the
// service when they will.
func (p *planner) mayStart() bool {
	if p.Template == nil {
		return false
	}
	for _, t := range []time.Time{p.Service.Backoff.Until, p.Service.NextStart} {
		if t.After(p.now) {
			p.wakes = append(p.wakes, t)
			return false
		}
	}
	return true
}

func (p *planner) paced(more bool) {
	p.Service.NextStart = time.Time{}
	if more {
		p.Service.NextStart = p.now.Add(launchPause)
		p.wakes = append(p.wakes, p.Service.NextStart)
	}
}

// reportStuck says so when the deployment configuration leaves no room to start
// or stop anything and nothing is on its way.
func (p *planner) reportStuck() {
	moving := p.count(func(g Group) bool {
		return g.Phase == compute.PhaseStopping || g.Phase == compute.PhaseStarting || g.Phase == compute.PhaseWarming || p.young(g) > 0
	})
	if moving == 0 && len(p.stops) == 0 && len(p.Service.Deployments) > 1 {
		p.repeat("(service %s) was unable to stop or start tasks during a deployment because of the service deployment configuration. Update the minimumHealthyPercent or maximumPercent value and try again.", p.Service.Name)
	}
}

// daemon keeps one task of the primary deployment on every instance; an older
// task there is stopped first.
func (p *planner) daemon() {
	p.Service.Desired = len(p.Instances)
	p.primary().Desired = len(p.Instances)
	placed := map[string]bool{}
	for _, in := range p.Instances {
		placed[in.ID] = in.Deployment == p.primary().ID
	}
	p.stop(Batch, func(c Candidate) bool {
		_, known := placed[c.Instance]
		return !known || c.Deployment != p.primary().ID || c.Phase == compute.PhaseUnhealthy
	})
	if !p.mayStart() {
		return
	}
	n := 0
	for _, in := range p.Instances {
		if in.Deployment == "" && n < min(Batch, len(p.IDs)) {
			p.start(Spot{Instance: in.ID})
			n++
		}
	}
	p.paced(n == Batch)
}

// start begins a task with the next fresh ids.
func (p *planner) start(at Spot) {
	t := p.Template(p.now, p.IDs[len(p.starts)], at)
	p.do = append(p.do, Action{Start: &t})
	p.starts = append(p.starts, t.ID)
}

// stop ends at most n candidates that match, in the scheduler's order.
func (p *planner) stop(n int, match func(Candidate) bool) {
	for _, c := range p.Candidates {
		if n <= 0 || len(p.stops) >= Batch {
			return
		}
		if match(c) && !slices.Contains(p.stops, c.ID) {
			p.stopOne(c, scaling(c.Deployment))
			n--
		}
	}
}

func (p *planner) key() Key {
	s := &p.Service
	return Key{s.Account, s.Region, s.Cluster, s.Name}
}

func scaling(deployment string) string {
	return fmt.Sprintf("Scaling activity initiated by (deployment %s)", deployment)
}

func (p *planner) stopOne(c Candidate, reason string) {
	p.do = append(p.do, Action{Stop: &Stop{Key: p.key(), ID: c.ID, Code: compute.ServiceSchedulerInitiated, Reason: reason}})
	p.stops = append(p.stops, c.ID)
	if c.Phase == compute.PhaseStarting {
		p.pending++
	}
}

// finish returns the actions with the service's record last, if it changed.
func (p *planner) finish() ([]Action, time.Time) {
	for i := range p.Service.Deployments {
		d := &p.Service.Deployments[i]
		at := slices.IndexFunc(p.was.Deployments, func(w compute.Deployment) bool { return w.ID == d.ID })
		if !reflect.DeepEqual(p.was.Deployments[at], *d) {
			d.UpdatedAt = p.now
		}
	}
	if !reflect.DeepEqual(p.was, p.Service) {
		svc := p.Service
		p.do = append(p.do, Action{Service: &svc})
	}
	var wake time.Time
	for _, t := range p.wakes {
		if wake.IsZero() || t.Before(wake) {
			wake = t
		}
	}
	return p.do, wake
}
