package deploy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"neargate/resource/compute"
)

// reportWork writes the events of this plan's starts and stops.
func (p *planner) reportWork() {
	name := p.Service.Name
	sick := p.count(func(g Group) bool { return p.isPrimary(g) && g.Phase == compute.PhaseUnhealthy })
	switch n := len(p.starts); {
	case n > 0 && p.balances != "":
		p.event("(service %s) has started %d tasks in %s to AZ Rebalance: %s.", name, n, p.balances, taskList(p.starts))
	case n > 0 && sick > 0:
		p.event("(service %s) has started %d tasks: %s. Amazon ECS replaced %d tasks due to an unhealthy status.", name, n, taskList(p.starts), min(n, sick))
	case n > 0:
		p.event("(service %s) has started %d tasks: %s.", name, n, taskList(p.starts))
	}
	if p.pending > 0 {
		p.event("(service %s) stopped %d pending tasks.", name, p.pending)
	}
	switch n := len(p.stops) - p.pending; {
	case n > 0 && p.balances != "":
		p.event("(service %s) has stopped %d running tasks in %s due to AZ rebalancing: %s.", name, n, p.balances, taskList(p.running()))
	case n > 0:
		p.event("(service %s) has stopped %d running tasks: %s.", name, n, taskList(p.running()))
	}
}

// running are the stopped candidates that ran.
func (p *planner) running() []string {
	var ids []string
	for _, c := range p.Candidates {
		if c.Phase != compute.PhaseStarting && slices.Contains(p.stops, c.ID) {
			ids = append(ids, c.ID)
		}
	}
	return ids
}

func taskList(ids []string) string {
	return "(task " + strings.Join(ids, ") (task ") + ")"
}

// event appends to the service's event list.
func (p *planner) event(format string, args ...any) {
	if len(p.EventIDs) == 0 {
		return
	}
	s := &p.Service
	// Events of one plan keep their order: a millisecond apart, as recorded.
	at := p.now
	for _, a := range p.do {
		if a.Event != nil {
			at = a.Event.At.Add(time.Millisecond)
		}
	}
	p.do = append(p.do, Action{Event: &compute.ServiceEvent{
		Account: s.Account, Region: s.Region, Cluster: s.Cluster, Service: s.Name,
		ID: p.EventIDs[0], At: at, Message: fmt.Sprintf(format, args...),
	}})
	p.EventIDs = p.EventIDs[1:]
}

// repeat is event for a message that lasts as long as its cause: the same one is
// written again only after six hours or after the service was steady.
// Source: Amazon ECS service event messages.
func (p *planner) repeat(format string, args ...any) {
	message := fmt.Sprintf(format, args...)
	s := &p.Service
	if s.LastEvent == message && p.now.Sub(s.LastEventAt) < steadyRepeat {
		return
	}
	s.LastEvent, s.LastEventAt = message, p.now
	p.event("%s", message)
}

// retire drops replaced deployments without tasks and keeps the desired count of
// the others at what is left of them.
func (p *planner) retire() {
	p.Service.Deployments = slices.DeleteFunc(p.Service.Deployments, func(d compute.Deployment) bool {
		return d.Status != compute.Primary && p.count(func(g Group) bool { return g.Deployment == d.ID }) == 0
	})
	for i := range p.Service.Deployments[1:] {
		d := &p.Service.Deployments[i+1]
		d.Desired = p.count(func(g Group) bool { return g.Deployment == d.ID && live(g) })
		for _, c := range p.Candidates {
			if c.Deployment == d.ID && slices.Contains(p.stops, c.ID) {
				d.Desired--
			}
		}
	}
}

// judge says whether the primary deployment is complete and the service steady,
// and when that may change by time alone.
func (p *planner) judge() {
	if p.Protected > 0 && !p.NextExpiry.IsZero() {
		p.wakes = append(p.wakes, p.NextExpiry)
	}
	for _, g := range p.Groups {
		if p.young(g) > 0 && len(p.Service.Deployments) > 1 {
			p.wakes = append(p.wakes, g.OldestYoung.Add(Settle))
		}
	}
	if p.Service.Status != compute.Active {
		return
	}
	d := p.primary()
	well := p.count(func(g Group) bool { return p.isPrimary(g) && g.Phase == compute.PhaseRunning })
	all := p.count(live)
	reached := len(p.starts) == 0 && len(p.stops) == 0 && well == p.Service.Desired && all == well && len(p.Service.Deployments) == 1
	if !reached {
		p.Service.SteadySince = time.Time{}
		return
	}
	if d.Rollout == compute.InProgress {
		p.complete(d)
		p.event("(service %s) (deployment %s) deployment completed.", p.Service.Name, d.ID)
	}
	s := &p.Service
	if s.SteadySince.IsZero() {
		if zones := p.zones(); p.rebalancing() && p.uneven(zones) < 2 {
			p.event("(service %s) is AZ balanced with %s.", s.Name, zoneList(p.Subnets, zones))
		}
		s.SteadySince = p.now
		s.LastEvent, s.LastEventAt = "", p.now
		p.event("(service %s) has reached a steady state.", s.Name)
	} else if !p.now.Before(s.LastEventAt.Add(steadyRepeat)) {
		s.LastEventAt = p.now
		p.event("(service %s) has reached a steady state.", s.Name)
	}
	p.wakes = append(p.wakes, s.LastEventAt.Add(steadyRepeat))
}

// complete finishes a deployment and its record.
func (p *planner) complete(d *compute.Deployment) {
	if d.Rollout != compute.InProgress {
		return
	}
	d.Rollout = compute.Completed
	d.RolloutReason = fmt.Sprintf("ECS deployment %s completed.", d.ID)
	d.FinishedAt = p.now
	p.record("SUCCESSFUL")
}

// record moves the primary deployment's record on.
func (p *planner) record(status string) {
	if p.Record == nil {
		return
	}
	r := *p.Record
	r.Status, r.UpdatedAt = status, p.now
	if status == compute.InProgress {
		r.StartedAt = p.now
	} else {
		r.FinishedAt = p.now
	}
	p.Record = &r
	p.do = append(p.do, Action{Record: &r})
}
