package place

import (
	"cmp"
	"container/heap"
	"maps"
	"slices"
	"time"

	"neargate/resource/compute"
)

// Plan decides for the head of the queue: tasks that should stop are ended, the
// others get a node, wait, or fail for want of capacity.
func Plan(now time.Time, q Queue) (do []Change, wake time.Time) {
	ended := false // some task has one more state to go
	p := planner{hosts: q.Hosts, count: q.Count, touched: map[int]bool{}, ranks: map[[2]string]*ranking{}}
	for i := range q.Tasks {
		t := &q.Tasks[i]
		if t.Intent.Desired != compute.Stopped && t.PlaceAfter.After(now) {
			wake = t.PlaceAfter
			break
		}
		next := p.decide(now, *t, q.Zones[t.ID])
		do = append(do, Change{Task: &next})
		ended = ended || next.State.Last == compute.Deprovisioning
	}
	for _, i := range slices.Sorted(maps.Keys(p.touched)) {
		used := p.hosts[i].Used
		do = append(do, Change{Used: &used})
	}
	if ended || wake.IsZero() && q.More {
		wake = now
	}
	return do, wake
}

// planner places tasks one after another on the same hosts.
type planner struct {
	hosts   []Host
	count   map[Group]map[Zone]int
	touched map[int]bool           // hosts whose allocation changed
	ranks   map[[2]string]*ranking // by zone and architecture
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

// choose takes the zone with the fewest tasks of the task's group, of equal ones
// the less loaded, and there the least loaded host. Order breaks what ties remain,
// so that equal states give equal plans.
func (p *planner) choose(t *compute.Task, zones []Zone) (host int, zone Zone, ok bool) {
	count := p.count[groupOf(t)]
	order := slices.Clone(zones)
	slices.SortStableFunc(order, func(a, b Zone) int {
		if c := cmp.Compare(count[a], count[b]); c != 0 {
			return c
		}
		return cmp.Compare(p.inZone(a, t).load, p.inZone(b, t).load)
	})
	for _, z := range order {
		if host, ok = p.inZone(z, t).find(p, t); ok {
			return host, z, true
		}
	}
	return 0, "", false
}

// inZone is the ranking of the hosts that may take the task in the zone.
func (p *planner) inZone(zone Zone, t *compute.Task) *ranking {
	key := [2]string{zone, t.Spec.Architecture}
	if r := p.ranks[key]; r != nil {
		return r
	}
	r := &ranking{}
	for i := range p.hosts {
		h := &p.hosts[i]
		if h.Serves(zone) && (t.Spec.Architecture == "" || h.Architecture == t.Spec.Architecture) {
			r.hosts = append(r.hosts, ranked{i, h.load()})
			r.load += h.load()
		}
	}
	r.load /= float64(max(len(r.hosts), 1))
	heap.Init(r)
	p.ranks[key] = r
	return r
}

// load is the fuller of a host's CPU and memory, 0 to 1.
func (h *Host) load() float64 {
	return max(float64(h.Used.CPU)/float64(h.CPU), float64(h.Used.Memory)/float64(h.Memory))
}

func (h *Host) fits(t *compute.Task) bool {
	return h.Used.CPU+t.Spec.CPU <= h.CPU && h.Used.Memory+t.Spec.Memory <= h.Memory
}

// ranking is a heap of hosts by their loads. Loads only grow while a plan is made,
// also through other zones, so one that is noted is never too high.
type ranking struct {
	hosts []ranked
	load  float64 // mean, at the beginning
}

type ranked struct {
	host int // index in planner.hosts
	load float64
}

// find is the least loaded host with room for the task.
func (r *ranking) find(p *planner, t *compute.Task) (host int, ok bool) {
	for len(r.hosts) > 0 {
		top := &r.hosts[0]
		now := p.hosts[top.host].load()
		if now == top.load {
			break
		}
		top.load = now
		heap.Fix(r, 0)
	}
	if len(r.hosts) > 0 && p.hosts[r.hosts[0].host].fits(t) {
		return r.hosts[0].host, true
	}
	var best float64
	for _, x := range r.hosts {
		h := &p.hosts[x.host]
		if l := h.load(); h.fits(t) && (!ok || l < best || l == best && x.host < host) {
			host, best, ok = x.host, l, true
		}
	}
	return host, ok
}

func (r *ranking) Len() int { return len(r.hosts) }
func (r *ranking) Less(i, j int) bool {
	a, b := r.hosts[i], r.hosts[j]
	return a.load < b.load || a.load == b.load && a.host < b.host
}
func (r *ranking) Swap(i, j int) { r.hosts[i], r.hosts[j] = r.hosts[j], r.hosts[i] }
func (r *ranking) Push(x any)    { r.hosts = append(r.hosts, x.(ranked)) }
func (r *ranking) Pop() any {
	last := r.hosts[len(r.hosts)-1]
	r.hosts = r.hosts[:len(r.hosts)-1]
	return last
}
