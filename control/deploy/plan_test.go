package deploy

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"neargate/resource/compute"
	"neargate/resource/compute/launch"
)

// world is a service with its tasks, enough of a cluster to run plans against.
type world struct {
	t      *testing.T
	rng    *rand.Rand
	now    time.Time
	svc    compute.Service
	tasks  []*task
	events []string
	next   int
	fails  bool // new tasks fail to start
	checks bool // tasks have health checks
}

type task struct {
	id, deployment, provider, zone string
	phase                          compute.Phase
	since                          time.Time // when the phase began
	started                        time.Time
	failedAt                       time.Time
}

func newWorld(t *testing.T, seed uint64, desired, minimum, maximum int) *world {
	w := &world{t: t, rng: rand.New(rand.NewPCG(seed, 1)), now: time.Date(2026, 9, 16, 10, 0, 0, 0, time.UTC)}
	w.svc = compute.Service{
		Account: "123456789012", Region: "us-east-1", Cluster: "c", Name: "web", Status: compute.Active,
		Scheduling: "REPLICA", Desired: desired, Rolling: compute.Rolling{MaximumPercent: maximum, MinimumHealthyPercent: minimum},
	}
	w.deploy()
	return w
}

// deploy rolls out a new deployment as UpdateService records one.
func (w *world) deploy() {
	w.next++
	old := slices.Clone(w.svc.Deployments)
	for i := range old {
		old[i].Status = compute.Active
	}
	w.svc.Backoff = compute.Backoff{}
	w.svc.Deployments = append([]compute.Deployment{{
		ID: fmt.Sprintf("ecs-svc/%019d", w.next), Status: compute.Primary, Rollout: compute.InProgress, Checked: w.checks, LaunchType: compute.Fargate,
	}}, old...)
}

func (w *world) state() State {
	s := State{Service: w.svc, Subnets: []launch.Subnet{{ID: "subnet-a", Zone: "a"}, {ID: "subnet-b", Zone: "b"}, {ID: "subnet-c", Zone: "c"}}}
	for _, tk := range w.tasks {
		if tk.phase == compute.PhaseStopped {
			if !tk.failedAt.IsZero() && tk.failedAt.After(w.svc.Backoff.Seen) && tk.deployment == w.svc.Deployments[0].ID {
				s.Failures = append(s.Failures, Failure{At: tk.failedAt, Reason: "CannotPullContainerError"})
			}
			continue
		}
		at := slices.IndexFunc(s.Groups, func(g Group) bool {
			return g.Deployment == tk.deployment && g.Phase == tk.phase && g.Provider == tk.provider && g.Zone == tk.zone
		})
		if at < 0 {
			s.Groups = append(s.Groups, Group{Deployment: tk.deployment, Phase: tk.phase, Provider: tk.provider, Zone: tk.zone})
			at = len(s.Groups) - 1
		}
		g := &s.Groups[at]
		g.Count++
		young := tk.phase == compute.PhaseRunning && w.now.Sub(tk.started) < Settle
		if young {
			g.Young++
			if g.OldestYoung.IsZero() || tk.started.Before(g.OldestYoung) {
				g.OldestYoung = tk.started
			}
			if tk.started.After(g.NewestYoung) {
				g.NewestYoung = tk.started
			}
		}
		if tk.phase != compute.PhaseStopping {
			s.Candidates = append(s.Candidates, Candidate{ID: tk.id, Deployment: tk.deployment, Phase: tk.phase, Zone: tk.zone, Young: young})
		}
	}
	slices.SortStableFunc(s.Candidates, func(a, b Candidate) int { return strings.Compare(string(a.Phase), string(b.Phase)) })
	for i := range Batch {
		w.next++
		s.IDs = append(s.IDs, IDs{Task: fmt.Sprintf("%032d", w.next+i*1000000)})
		s.EventIDs = append(s.EventIDs, fmt.Sprint(i))
	}
	primary := w.svc.Deployments[0].ID
	s.Template = func(now time.Time, ids IDs, at Spot) compute.Task {
		return compute.Task{ID: ids.Task, CreatedAt: now, Spec: compute.TaskSpec{Deployment: primary, CapacityProvider: at.Provider}, Zone: at.Subnet.Zone}
	}
	return s
}

// step runs one plan and checks what must hold of every plan.
func (w *world) step() (wake time.Time, acted bool) {
	s := w.state()
	do, wake := Plan(w.now, s)
	lower, upper := w.svc.Rolling.Bounds(w.svc.Desired)
	healthyBefore, allBefore, started, stopped := w.healthy(), w.live(true), 0, 0
	for _, a := range do {
		switch {
		case a.Start != nil:
			started++
			w.tasks = append(w.tasks, &task{id: a.Start.ID, deployment: a.Start.Spec.Deployment, provider: a.Start.Spec.CapacityProvider,
				zone: a.Start.Zone, phase: compute.PhaseStarting, since: w.now})
		case a.Stop != nil:
			stopped++
			at := slices.IndexFunc(w.tasks, func(tk *task) bool { return tk.id == a.Stop.ID })
			if w.tasks[at].phase >= compute.PhaseStopping {
				w.t.Fatalf("stopped a task that is stopping: %+v", w.tasks[at])
			}
			w.tasks[at].phase, w.tasks[at].since = compute.PhaseStopping, w.now
		case a.Event != nil:
			w.events = append(w.events, a.Event.Message)
		case a.Service != nil:
			w.svc = *a.Service
		}
	}
	if started > 0 && allBefore+started > upper {
		w.t.Fatalf("started %d beside %d: more than %d", started, allBefore, upper)
	}
	rolling := len(s.Service.Deployments) > 1
	if rolling && w.healthy() < min(healthyBefore, lower) && !w.surplus(s) {
		w.t.Fatalf("a plan took healthy tasks from %d to %d, below %d", healthyBefore, w.healthy(), lower)
	}
	if started > Batch || stopped > Batch {
		w.t.Fatalf("%d starts and %d stops in one plan", started, stopped)
	}
	return wake, len(do) > 0
}

// surplus reports whether the primary alone had more than wanted, so that
// scaling in was right.
func (w *world) surplus(s State) bool {
	n := 0
	for _, g := range s.Groups {
		if g.Deployment == s.Service.Deployments[0].ID && g.Phase != compute.PhaseStopping {
			n += g.Count
		}
	}
	return n > w.svc.Desired
}

func (w *world) live(stopping bool) int {
	n := 0
	for _, tk := range w.tasks {
		if tk.phase < compute.PhaseStopping || stopping && tk.phase == compute.PhaseStopping {
			n++
		}
	}
	return n
}

func (w *world) healthy() int {
	n := 0
	for _, tk := range w.tasks {
		if tk.phase == compute.PhaseRunning && (w.checks || w.now.Sub(tk.started) >= Settle) {
			n++
		}
	}
	return n
}

// pass lets time go by: tasks start, fail and stop.
func (w *world) pass(d time.Duration) {
	w.now = w.now.Add(d)
	for _, tk := range w.tasks {
		age := w.now.Sub(tk.since)
		switch {
		case tk.phase == compute.PhaseStarting && w.fails && age > 5*time.Second:
			tk.phase, tk.failedAt, tk.since = compute.PhaseStopped, w.now, w.now
		case tk.phase == compute.PhaseStarting && age > 20*time.Second:
			tk.phase, tk.since, tk.started = compute.PhaseRunning, w.now, w.now
			if w.checks {
				tk.phase = compute.PhaseWarming
			}
		case tk.phase == compute.PhaseWarming && age > 10*time.Second:
			tk.phase, tk.since = compute.PhaseRunning, w.now
		case tk.phase == compute.PhaseStopping && age > 30*time.Second:
			tk.phase, tk.since = compute.PhaseStopped, w.now
		}
	}
}

func (w *world) settle(limit time.Duration) {
	w.t.Helper()
	for end := w.now.Add(limit); w.now.Before(end); w.pass(time.Second) {
		w.step()
		if !w.svc.SteadySince.IsZero() && w.live(true) == w.live(false) {
			return
		}
	}
	w.t.Fatalf("not steady after %v: %+v\nevents %q", limit, w.state().Groups, w.events)
}

func TestServiceReachesSteadyState(t *testing.T) {
	w := newWorld(t, 1, 2, 100, 200)
	w.settle(time.Minute)
	want := []string{
		"(service web) has started 2 tasks: (task ", "(service web) (deployment ecs-svc/0000000000000000001) deployment completed.",
		"(service web) has reached a steady state.",
	}
	if len(w.events) != len(want) {
		t.Fatalf("events %q", w.events)
	}
	for i := range want {
		if !strings.HasPrefix(w.events[i], want[i]) {
			t.Errorf("event %d is %q, want %q…", i, w.events[i], want[i])
		}
	}
	if d := w.svc.Deployments[0]; d.Rollout != compute.Completed || d.RolloutReason != "ECS deployment ecs-svc/0000000000000000001 completed." {
		t.Errorf("deployment %+v", d)
	}
}

func TestRollingUpdateStartsBeforeItStops(t *testing.T) {
	w := newWorld(t, 1, 3, 100, 150)
	w.settle(3 * time.Minute)
	w.deploy()
	w.settle(10 * time.Minute)
	if n := w.live(false); n != 3 || len(w.svc.Deployments) != 1 {
		t.Errorf("%d tasks in %d deployments", n, len(w.svc.Deployments))
	}
	for _, tk := range w.tasks {
		if tk.phase < compute.PhaseStopping && tk.deployment != w.svc.Deployments[0].ID {
			t.Errorf("task of the replaced deployment is left: %+v", tk)
		}
	}
}

// With no room above, the old tasks go first and new ones wait until they have
// stopped.
func TestRollingUpdateStopsFirstAtMaximum100(t *testing.T) {
	w := newWorld(t, 1, 2, 0, 100)
	w.settle(3 * time.Minute)
	w.pass(Settle)
	w.deploy()
	w.step()
	if n := w.live(false); n != 0 {
		t.Fatalf("%d old tasks left", n)
	}
	for range 20 {
		w.pass(time.Second)
		w.step()
		if n := w.live(true); n > 2 {
			t.Fatalf("%d tasks", n)
		}
	}
	w.settle(5 * time.Minute)
}

func TestStuckDeploymentSaysSo(t *testing.T) {
	w := newWorld(t, 1, 1, 100, 100)
	w.settle(3 * time.Minute)
	w.pass(Settle)
	w.deploy()
	w.step()
	w.step()
	n := 0
	for _, e := range w.events {
		if strings.HasPrefix(e, "(service web) was unable to stop or start tasks during a deployment because of the service deployment configuration.") {
			n++
		}
	}
	if n != 1 {
		t.Errorf("said %d times in %q", n, w.events)
	}
}

func TestFailingStartsBackOff(t *testing.T) {
	w := newWorld(t, 1, 1, 100, 200)
	w.fails = true
	for range 3600 {
		w.step()
		w.pass(time.Second)
	}
	n := len(w.tasks)
	if n < 6 || n > 12 {
		t.Errorf("%d starts in an hour of failures", n)
	}
	if !slices.Contains(w.events, "(service web) is unable to consistently start tasks successfully.") {
		t.Errorf("events %q", w.events)
	}
	if w.svc.Deployments[0].Failed == 0 {
		t.Error("failed tasks not counted")
	}
	w.fails = false
	w.settle(20 * time.Minute)
	if w.svc.Backoff.Failures != 0 {
		t.Errorf("still backing off: %+v", w.svc.Backoff)
	}
}

func TestDelayGrowsToAQuarterHour(t *testing.T) {
	last := time.Duration(0)
	for n := 1; n < 100; n++ {
		d := Delay(n)
		if d < last || d > 15*time.Minute {
			t.Fatalf("Delay(%d) = %v after %v", n, d, last)
		}
		last = d
	}
	if last != 15*time.Minute {
		t.Errorf("longest delay %v", last)
	}
}

func TestScaleInTakesPendingThenTheFullestZone(t *testing.T) {
	w := newWorld(t, 1, 4, 100, 200)
	d := w.svc.Deployments[0].ID
	run := func(id, zone string, p compute.Phase) {
		w.tasks = append(w.tasks, &task{id: id, deployment: d, zone: zone, phase: p, started: w.now.Add(-time.Hour), since: w.now})
	}
	run("a1", "a", compute.PhaseRunning)
	run("a2", "a", compute.PhaseRunning)
	run("b1", "b", compute.PhaseRunning)
	run("b2", "b", compute.PhaseStarting)
	w.svc.Desired = 2
	w.step()
	for _, tk := range w.tasks {
		if stopped := tk.phase == compute.PhaseStopping; stopped != (tk.id == "b2" || tk.id == "a1") {
			t.Errorf("task %s is %s", tk.id, tk.phase)
		}
	}
}

func TestDrainEndsInactive(t *testing.T) {
	w := newWorld(t, 1, 12, 100, 200)
	w.settle(3 * time.Minute)
	w.svc.Status = compute.Draining
	for range 120 {
		w.step()
		w.pass(time.Second)
	}
	if w.svc.Status != compute.Inactive || w.live(true) != 0 {
		t.Errorf("%s with %d tasks", w.svc.Status, w.live(true))
	}
}

// TestRandomHistories drives services through random updates, failures and
// sicknesses; step checks every plan, and once the faults stop the service must
// come to rest.
func TestRandomHistories(t *testing.T) {
	for seed := range uint64(150) {
		rng := rand.New(rand.NewPCG(seed, 2))
		minimum, maximum := rng.IntN(101), 100+rng.IntN(150)
		w := newWorld(t, seed, rng.IntN(25), minimum, maximum)
		w.checks = seed%2 == 0
		if seed%3 == 0 {
			w.svc.Rebalancing = "ENABLED"
		}
		if w.checks {
			w.svc.Deployments[0].Checked = true
		}
		for range 400 {
			switch rng.IntN(40) {
			case 0:
				w.svc.Desired = rng.IntN(25)
			case 1:
				w.deploy()
			case 2:
				w.fails = !w.fails
			case 3, 4:
				if len(w.tasks) > 0 {
					tk := w.tasks[rng.IntN(len(w.tasks))]
					if tk.phase == compute.PhaseRunning && w.checks {
						tk.phase = compute.PhaseUnhealthy
					} else if tk.phase == compute.PhaseRunning {
						tk.phase, tk.since = compute.PhaseStopping, w.now
					}
				}
			}
			w.step()
			w.pass(time.Duration(rng.IntN(5000)) * time.Millisecond)
		}
		w.fails = false
		// A deployment can only move where the configuration leaves room for one task.
		if w.svc.Desired = 10; w.svc.Rolling.MaximumPercent < 110 && w.svc.Rolling.MinimumHealthyPercent > 90 {
			w.svc.Rolling.MaximumPercent = 110
		}
		w.settle(2 * time.Hour)
		if n := w.live(false); n != 10 {
			t.Fatalf("seed %d: %d tasks at rest", seed, n)
		}
	}
}

func TestPlanIsPure(t *testing.T) {
	w := newWorld(t, 7, 9, 50, 150)
	w.settle(5 * time.Minute)
	w.deploy()
	s := w.state()
	before := fmt.Sprintf("%+v", s.Service)
	a, wa := Plan(w.now, s)
	b, wb := Plan(w.now, s)
	if fmt.Sprintf("%+v", s.Service) != before {
		t.Error("Plan changed its input")
	}
	if len(a) != len(b) || !wa.Equal(wb) {
		t.Errorf("two plans of one state differ: %d and %d actions", len(a), len(b))
	}
}

// A lopsided service gets a task in the empty zone first and gives one up in the
// full zone only once that runs.
func TestRebalanceEvensZones(t *testing.T) {
	w := newWorld(t, 1, 4, 100, 200)
	w.svc.Rebalancing = "ENABLED"
	d := w.svc.Deployments[0].ID
	for i, zone := range []string{"a", "a", "a", "b"} {
		w.tasks = append(w.tasks, &task{id: fmt.Sprint("old", i), deployment: d, zone: zone, phase: compute.PhaseRunning,
			started: w.now.Add(-time.Hour), since: w.now})
	}
	zones := func() map[string]int {
		n := map[string]int{}
		for _, tk := range w.tasks {
			if tk.phase < compute.PhaseStopping {
				n[tk.zone]++
			}
		}
		return n
	}
	for range 120 {
		w.step()
		if n := zones(); n["a"] < 2 || n["a"]+n["b"]+n["c"] < 4 {
			t.Fatalf("too few tasks: %v", n)
		}
		w.pass(time.Second)
	}
	if n := zones(); n["a"] != 2 || n["b"] != 1 || n["c"] != 1 {
		t.Errorf("zones %v, events %q", n, w.events)
	}
	last := 0
	for _, part := range []string{
		"is not AZ balanced with 3 tasks in a, 1 tasks in b, 0 tasks in c. AZ Rebalancing in progress.",
		"has started 1 tasks in c to AZ Rebalance: (task ", "has stopped 1 running tasks in a due to AZ rebalancing: (task ",
		"is AZ balanced with 2 tasks in a, 1 tasks in b, 1 tasks in c.", "has reached a steady state.",
	} {
		i := slices.IndexFunc(w.events[last:], func(e string) bool { return strings.Contains(e, part) })
		if i < 0 {
			t.Fatalf("no %q in %q", part, w.events)
		}
		last += i
	}
}

// A zone without capacity is left alone until a task runs again.
func TestStartsAvoidFullZones(t *testing.T) {
	w := newWorld(t, 1, 3, 100, 200)
	s := w.state()
	s.Failures = []Failure{{At: w.now, Reason: noCapacity + " at this time.", Zone: "b"}}
	do, _ := Plan(w.now, s)
	at := slices.IndexFunc(do, func(a Action) bool { return a.Service != nil })
	s.Service, s.Failures = *do[at].Service, nil
	do, _ = Plan(s.Service.Backoff.Until, s)
	started := 0
	for _, a := range do {
		if a.Start != nil {
			started++
			if a.Start.Zone == "b" {
				t.Error("started a task in the full zone")
			}
		}
	}
	if started != 3 {
		t.Errorf("%d starts", started)
	}
}

func TestEventsOfSickAndProtectedTasks(t *testing.T) {
	w := newWorld(t, 1, 2, 100, 200)
	w.checks = true
	w.svc.Deployments[0].Checked = true
	w.settle(3 * time.Minute)
	w.tasks[0].phase = compute.PhaseUnhealthy
	w.step()
	if e := w.events[len(w.events)-1]; !strings.HasPrefix(e, "(service web) has started 1 tasks: (task ") || !strings.HasSuffix(e, "). Amazon ECS replaced 1 tasks due to an unhealthy status.") {
		t.Errorf("event %q", e)
	}
	w.settle(5 * time.Minute)
	w.svc.Desired = 0
	s := w.state()
	s.Candidates, s.Protected, s.NextExpiry = nil, 2, w.now.Add(time.Hour)
	do, wake := Plan(w.now, s)
	if !wake.Equal(s.NextExpiry) {
		t.Errorf("wakes at %v", wake)
	}
	if at := slices.IndexFunc(do, func(a Action) bool { return a.Event != nil }); at < 0 ||
		do[at].Event.Message != "(service web) was unable to reach steady state because (taskSet ecs-svc/0000000000000000001) was unable to scale in due to (reason 2 tasks under protection)" {
		t.Errorf("actions %+v", do)
	}
}

// A service on container instances starts nothing without one, and says so once.
func TestStartsOnContainerInstances(t *testing.T) {
	w := newWorld(t, 1, 3, 100, 200)
	w.svc.Deployments[0].LaunchType = "EC2"
	w.step()
	w.step()
	if len(w.tasks) != 0 || len(w.events) != 1 || !strings.HasSuffix(w.events[0], "No Container Instances were found in your cluster.") {
		t.Errorf("%d tasks, events %q", len(w.tasks), w.events)
	}
	s := w.state()
	s.Instances = []Instance{{ID: "busy", Tasks: 2}, {ID: "idle"}}
	on := map[string]int{}
	s.Template = func(_ time.Time, ids IDs, at Spot) compute.Task {
		on[at.Instance]++
		return compute.Task{ID: ids.Task}
	}
	Plan(w.now, s)
	if on["busy"] != 1 || on["idle"] != 2 {
		t.Errorf("started on %v", on)
	}
}

func TestDaemonRunsOncePerInstance(t *testing.T) {
	w := newWorld(t, 1, 0, 0, 100)
	w.svc.Scheduling = "DAEMON"
	w.svc.Deployments[0].LaunchType = "EC2"
	s := w.state()
	s.Instances = []Instance{{ID: "new"}, {ID: "has", Deployment: w.svc.Deployments[0].ID, Tasks: 1}, {ID: "old", Deployment: "ecs-svc/old", Tasks: 1}}
	s.Candidates = []Candidate{
		{ID: "t1", Deployment: w.svc.Deployments[0].ID, Instance: "has", Phase: compute.PhaseRunning},
		{ID: "t2", Deployment: "ecs-svc/old", Instance: "old", Phase: compute.PhaseRunning},
		{ID: "t3", Deployment: w.svc.Deployments[0].ID, Instance: "gone", Phase: compute.PhaseRunning},
	}
	var started, stopped []string
	s.Template = func(_ time.Time, ids IDs, at Spot) compute.Task {
		started = append(started, at.Instance)
		return compute.Task{ID: ids.Task}
	}
	do, _ := Plan(w.now, s)
	for _, a := range do {
		if a.Stop != nil {
			stopped = append(stopped, a.Stop.ID)
		}
	}
	if !slices.Equal(started, []string{"new"}) || !slices.Equal(stopped, []string{"t2", "t3"}) {
		t.Errorf("started on %v, stopped %v", started, stopped)
	}
}

// A zone that lacked capacity is avoided, but not for ever: when all have, the
// others get another try.
func TestFullZonesAreTriedAgain(t *testing.T) {
	w := newWorld(t, 1, 1, 100, 200)
	s := w.state()
	s.Subnets = []launch.Subnet{{ID: "subnet-a", Zone: "a"}, {ID: "subnet-b", Zone: "b"}}
	for i, tt := range []struct {
		zone string
		full []string
	}{{"a", []string{"a"}}, {"b", []string{"b"}}, {"a", []string{"a"}}} {
		s.Failures = []Failure{{At: w.now.Add(time.Duration(i+1) * time.Minute), Reason: noCapacity + " at this time.", Zone: tt.zone}}
		do, _ := Plan(w.now.Add(time.Duration(i+1)*time.Minute), s)
		s.Service = *do[len(do)-1].Service
		if !slices.Equal(s.Service.Backoff.Full, tt.full) {
			t.Errorf("after zone %s: full %v, want %v", tt.zone, s.Service.Backoff.Full, tt.full)
		}
	}
}
