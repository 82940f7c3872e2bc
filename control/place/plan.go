package place

import (
	"maps"
	"slices"
	"time"

	"neargate/resource/compute"
)

// Plan decides for the head of the queue: tasks that should stop are ended, the
// others get a node, wait, or fail for want of capacity.
func Plan(now time.Time, q Queue) (do []Change, wake time.Time) {
	p := planner{hosts: q.Hosts, count: q.Count, touched: map[int]bool{}}
	for i := range q.Tasks {
		t := &q.Tasks[i]
		if t.Intent.Desired != compute.Stopped && t.PlaceAfter.After(now) {
			wake = t.PlaceAfter
			break
		}
		next := p.decide(now, *t, q.Zones[t.ID])
		do = append(do, Change{Task: &next})
	}
	for _, i := range slices.Sorted(maps.Keys(p.touched)) {
		used := p.hosts[i].Used
		do = append(do, Change{Used: &used})
	}
	if wake.IsZero() && q.More {
		wake = now
	}
	return do, wake
}

// planner places tasks one after another on the same hosts.
type planner struct {
	hosts   []Host
	count   map[Group]map[Zone]int
	touched map[int]bool // hosts whose allocation changed
}

func (p *planner) decide(now time.Time, t compute.Task, zones []Zone) compute.Task {
	if t.Intent.Desired == compute.Stopped {
		return finish(now, t)
	}
	if host, zone, ok := p.choose(&t, zones); ok {
		h := &p.hosts[host]
		h.Used.CPU += t.Spec.CPU
		h.Used.Memory += t.Spec.Memory
		h.Used.Tasks++
		p.touched[host] = true
		p.count[groupOf(&t)][zone]++
		t.Node, t.Zone, t.PlaceAfter = h.Name, zone, time.Time{}
		return t
	}
	if now.Sub(t.CreatedAt) >= CapacityWait {
		t.Intent = compute.Intent{
			Desired: compute.Stopped, StopCode: compute.TaskFailedToStart,
			StopReason: noCapacity, StoppingAt: now,
		}
		return finish(now, t)
	}
	t.PlaceAfter = now.Add(retryEvery)
	return t
}

// finish takes a task that never had a node one state towards its end. As
// recorded from ECS, stoppedAt is set with DEPROVISIONING already.
func finish(now time.Time, t compute.Task) compute.Task {
	t.State.Version++
	if t.State.Last == compute.Deprovisioning {
		t.State.Last = compute.Stopped
		return t
	}
	t.State = t.State.End(now)
	t.State.Last = compute.Deprovisioning
	return t
}

// choose takes the zone with the fewest tasks of the task's group, and there the
// least loaded host; among equal zones the one with the less loaded host. Order
// breaks what ties remain, so that equal states give equal plans.
func (p *planner) choose(t *compute.Task, zones []Zone) (host int, zone Zone, ok bool) {
	count := p.count[groupOf(t)]
	var load float64
	for _, z := range zones {
		if ok && count[z] > count[zone] {
			continue
		}
		h, l, fits := p.leastLoaded(t, z)
		if fits && (!ok || count[z] < count[zone] || l < load) {
			host, zone, load, ok = h, z, l, true
		}
	}
	return host, zone, ok
}

func (p *planner) leastLoaded(t *compute.Task, zone Zone) (best int, load float64, ok bool) {
	for i := range p.hosts {
		h := &p.hosts[i]
		cpu, memory := h.Used.CPU+t.Spec.CPU, h.Used.Memory+t.Spec.Memory
		if cpu > h.CPU || memory > h.Memory || !matches(h.Architecture, t.Spec.Architecture) || !h.Serves(zone) {
			continue
		}
		l := max(float64(cpu)/float64(h.CPU), float64(memory)/float64(h.Memory))
		if !ok || l < load {
			best, load, ok = i, l, true
		}
	}
	return best, load, ok
}

func matches(host, task string) bool { return task == "" || host == task }
