package task

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"neargate/resource/compute"
)

var t0 = time.Unix(1_000_000, 0).UTC()

// story drives one task through events, a second apart, and notes what it did.
type story struct {
	t    *testing.T
	spec Spec
	s    State
	now  time.Time
	log  []string
}

var verbs = map[Verb]string{Plug: "plug", Pull: "pull", Create: "create", Start: "start", Signal: "signal", Kill: "kill", Unplug: "unplug", Follow: "follow", StartAgain: "restart"}

func begin(t *testing.T, cs ...Container) *story {
	spec := Spec{ID: "t", Containers: cs}
	for i := range cs {
		if cs[i].StopTimeout == 0 {
			cs[i].StopTimeout = DefaultStopTimeout
		}
	}
	reported := compute.TaskState{Last: compute.Provisioning, Version: 1}
	return &story{t: t, spec: spec, s: New(&spec, reported), now: t0}
}

func (y *story) tell(events ...Event) *story {
	for _, e := range events {
		y.now = y.now.Add(time.Second)
		was := y.s.Reported
		var do []Action
		y.s, do = Next(&y.spec, y.s, e, y.now)
		if y.s.Reported.Last != was.Last {
			y.log = append(y.log, fmt.Sprintf("%s/%d", y.s.Reported.Last, y.s.Reported.Version))
		}
		for _, a := range do {
			word := verbs[a.Verb]
			if a.Verb != Plug && a.Verb != Unplug {
				word += " " + y.spec.Containers[a.Container].Name
			}
			y.log = append(y.log, word)
		}
	}
	return y
}

// did checks what has happened since the last did.
func (y *story) did(want string) *story {
	y.t.Helper()
	if got := strings.Join(y.log, ", "); got != want {
		y.t.Errorf("did  %s\nwant %s", got, want)
	}
	y.log = nil
	return y
}

func (y *story) ended(code compute.StopCode, reason string) {
	y.t.Helper()
	if in := y.s.Intent; in.Desired != compute.Stopped || in.StopCode != code || in.StopReason != reason || in.StoppingAt.IsZero() {
		y.t.Errorf("ended with %+v, want %s %q", in, code, reason)
	}
}

func of(k Kind, container int) Event { return Event{Kind: k, Container: container} }
func exit(container int, code int32) Event {
	return Event{Kind: Exited, Container: container, ExitCode: &code}
}

var (
	attached, plugged, unplugged, detached = Event{Kind: Attached}, Event{Kind: Plugged}, Event{Kind: Unplugged}, Event{Kind: Detached}
	userStop                               = Event{Kind: StopWanted, Intent: compute.Intent{
		Desired: compute.Stopped, StopCode: compute.UserInitiated, StopReason: "bye", StoppingAt: t0}}
)

func pulled(container int) Event {
	return Event{Kind: ImagePulled, Container: container, Digest: "sha256:1"}
}

var app = Container{Name: "app", Essential: true}

func after(name string, essential bool, i int, c Condition) Container {
	return Container{Name: name, Essential: essential, DependsOn: []Dependency{{i, c}}}
}

func running(t *testing.T) *story {
	return begin(t, app).tell(attached, plugged, pulled(0), of(MadeReady, 0), of(Started, 0))
}

func TestWholeLife(t *testing.T) {
	y := running(t).did("plug, PENDING/2, pull app, create app, start app, RUNNING/3")
	r := y.s.Reported
	if c := r.Containers[0]; c.Last != compute.Running || c.RuntimeID != RuntimeID("t", "app") || c.ImageDigest != "sha256:1" {
		t.Errorf("running container %+v", c)
	}
	if r.Connectivity != "CONNECTED" || !r.ConnectivityAt.Equal(t0.Add(2*time.Second)) || !r.PullStartedAt.Equal(t0.Add(2*time.Second)) ||
		!r.PullStoppedAt.Equal(t0.Add(3*time.Second)) || !r.StartedAt.Equal(t0.Add(5*time.Second)) {
		t.Errorf("times %+v", r)
	}
	y.tell(exit(0, 0), unplugged, detached).did("unplug, DEPROVISIONING/5, STOPPED/6")
	y.ended(compute.EssentialContainerExited, "Essential container in task exited")
	r = y.s.Reported
	if !r.ExecutionStoppedAt.Equal(t0.Add(6*time.Second)) || !r.StoppedAt.Equal(t0.Add(8*time.Second)) || *r.Containers[0].ExitCode != 0 {
		t.Errorf("at the end %+v", r)
	}
	y.tell(attached, plugged, pulled(0), of(Started, 0), userStop, exit(0, 9)).did("")
}

func TestStops(t *testing.T) {
	t.Run("running", func(t *testing.T) {
		y := running(t).did("plug, PENDING/2, pull app, create app, start app, RUNNING/3")
		y.tell(userStop, exit(0, 143), unplugged, detached).did("signal app, unplug, DEPROVISIONING/5, STOPPED/6")
		y.ended(compute.UserInitiated, "bye")
	})
	t.Run("deaf", func(t *testing.T) {
		y := running(t)
		y.log = nil
		y.tell(userStop)
		if at := Deadline(&y.spec, y.s); !at.Equal(y.now.Add(30 * time.Second)) {
			t.Errorf("deadline %v", at)
		}
		y.tell(of(Tick, 0)).did("signal app")
		y.now = y.now.Add(30 * time.Second)
		y.tell(of(Tick, 0), of(Tick, 0), exit(0, 137)).did("kill app, unplug")
		if code := y.s.Reported.Containers[0].ExitCode; code == nil || *code != 137 {
			t.Errorf("exit code %v", code)
		}
	})
	t.Run("before the interface", func(t *testing.T) {
		y := begin(t, app).tell(userStop).did("DEPROVISIONING/2")
		if y.s.Reported.StoppedAt.IsZero() || !y.s.Reported.ExecutionStoppedAt.IsZero() {
			t.Errorf("times %+v", y.s.Reported)
		}
		y.tell(attached, detached).did("STOPPED/3")
	})
	t.Run("while plugging", func(t *testing.T) {
		begin(t, app).tell(attached, userStop, plugged, unplugged, detached).did("plug, unplug, DEPROVISIONING/3, STOPPED/4")
	})
	t.Run("while pulling", func(t *testing.T) {
		y := begin(t, app).tell(attached, plugged, userStop, pulled(0), unplugged, detached)
		y.did("plug, PENDING/2, pull app, unplug, DEPROVISIONING/4, STOPPED/5")
		if r := y.s.Reported; !r.StartedAt.IsZero() || r.Containers[0].ExitCode != nil || r.ExecutionStoppedAt.IsZero() || r.Containers[0].RuntimeID == "" {
			t.Errorf("state %+v", r)
		}
	})
	t.Run("while starting", func(t *testing.T) {
		y := begin(t, app).tell(attached, plugged, pulled(0), of(MadeReady, 0))
		y.log = nil
		y.tell(userStop, of(Started, 0), exit(0, 0)).did("signal app, unplug")
	})
}

func TestFailures(t *testing.T) {
	for name, c := range map[string]struct {
		events []Event
		did    string
		reason string
		why    string // the container's reason
	}{
		"no interface": {[]Event{{Kind: AttachFailed, Reason: "RESOURCE:ENI"}}, "DEPROVISIONING/2", "RESOURCE:ENI", ""},
		"plug":         {[]Event{attached, {Kind: PlugFailed, Reason: "ResourceInitializationError: x"}}, "plug, unplug", "ResourceInitializationError: x", ""},
		"pull": {[]Event{attached, plugged, {Kind: PullFailed, Reason: "CannotPullContainerError: x"}, unplugged},
			"plug, PENDING/2, pull app, unplug, DEPROVISIONING/4", "CannotPullContainerError: x", ""},
		"create": {[]Event{attached, plugged, pulled(0), {Kind: CreateFailed, Reason: "CannotCreateContainerError: x"}, unplugged},
			"plug, PENDING/2, pull app, create app, unplug, DEPROVISIONING/4", "Task failed to start", "CannotCreateContainerError: x"},
		"logger": {[]Event{attached, plugged, pulled(0), {Kind: CreateFailed, Reason: "ResourceInitializationError: failed to validate logger args"}, unplugged},
			"plug, PENDING/2, pull app, create app, unplug, DEPROVISIONING/4", "ResourceInitializationError: failed to validate logger args", ""},
		"start": {[]Event{attached, plugged, pulled(0), of(MadeReady, 0), {Kind: StartFailed, Reason: "CannotStartContainerError: x"}, unplugged},
			"plug, PENDING/2, pull app, create app, start app, unplug, DEPROVISIONING/4", "Task failed to start", "CannotStartContainerError: x"},
	} {
		t.Run(name, func(t *testing.T) {
			y := begin(t, app).tell(c.events...).did(c.did)
			y.ended(compute.TaskFailedToStart, c.reason)
			if got := y.s.Reported.Containers[0]; got.Reason != c.why || got.ExitCode != nil || got.Last != compute.Stopped {
				t.Errorf("container %+v", got)
			}
		})
	}
}

func TestDependencies(t *testing.T) {
	ready := func(t *testing.T, cs ...Container) *story {
		y := begin(t, cs...).tell(attached, plugged)
		for i := range cs {
			y.tell(pulled(i))
		}
		y.log = y.log[len(cs)+2:] // plug, PENDING, pulls
		return y
	}
	t.Run("SUCCESS", func(t *testing.T) {
		y := ready(t, Container{Name: "init"}, after("app", true, 0, OnSuccess))
		y.tell(of(MadeReady, 0), of(Started, 0)).did("create init, start init")
		y.tell(exit(0, 0), of(MadeReady, 1), of(Started, 1)).did("create app, start app, RUNNING/5")
	})
	t.Run("SUCCESS fails", func(t *testing.T) {
		y := ready(t, Container{Name: "init"}, after("app", true, 0, OnSuccess))
		y.tell(of(MadeReady, 0), of(Started, 0), exit(0, 7)).did("create init, start init, unplug")
		y.ended(compute.TaskFailedToStart, "Task failed to start")
		if c := y.s.Reported.Containers[1]; c.ExitCode != nil || c.Reason != "" || c.Last != compute.Stopped {
			t.Errorf("dependent %+v", c)
		}
		y.tell(unplugged)
		if c := y.s.Reported.Containers[1]; c.RuntimeID == "" || c.ImageDigest == "" {
			t.Errorf("dependent %+v has no runtime id or digest", c)
		}
	})
	t.Run("COMPLETE", func(t *testing.T) {
		y := ready(t, Container{Name: "init"}, after("app", true, 0, OnComplete))
		y.tell(of(MadeReady, 0), of(Started, 0), exit(0, 7)).did("create init, start init, create app")
	})
	t.Run("HEALTHY", func(t *testing.T) {
		y := ready(t, Container{Name: "db", Essential: true, HealthCheck: true}, after("app", true, 0, OnHealthy))
		y.tell(of(MadeReady, 0), of(Started, 0), Event{Kind: HealthSeen, Health: Unhealthy}).did("create db, start db")
		y.tell(Event{Kind: HealthSeen, Health: Healthy}).did("create app")
	})
	t.Run("startTimeout", func(t *testing.T) {
		y := ready(t, Container{Name: "db", HealthCheck: true, StartTimeout: time.Minute}, after("app", true, 0, OnHealthy))
		y.tell(of(MadeReady, 0), of(Started, 0)).did("create db, start db")
		if at := Deadline(&y.spec, y.s); !at.Equal(y.now.Add(time.Minute)) {
			t.Errorf("deadline %v", at)
		}
		y.now = y.now.Add(time.Minute)
		y.tell(of(Tick, 0)).did("signal db")
		y.ended(compute.TaskFailedToStart, "Task failed to start")
	})
	t.Run("of a container that is not essential", func(t *testing.T) {
		y := ready(t, Container{Name: "init"}, after("side", false, 0, OnSuccess), app)
		y.tell(of(MadeReady, 0), of(Started, 0), of(MadeReady, 2), of(Started, 2), exit(0, 1))
		y.did("create init, create app, start init, start app, RUNNING/5")
		if y.s.Reported.Containers[1].Last != compute.Stopped {
			t.Errorf("containers %+v", y.s.Reported.Containers)
		}
	})
	t.Run("stop in reverse", func(t *testing.T) {
		y := ready(t, Container{Name: "db", Essential: true}, after("app", true, 0, OnStart), after("web", true, 1, OnStart))
		for i := range 3 {
			y.tell(of(MadeReady, i), of(Started, i))
		}
		y.log = nil
		y.tell(userStop, exit(2, 0), exit(1, 0), exit(0, 0)).did("signal web, signal app, signal db, unplug")
	})
	t.Run("others are stopped with an essential one", func(t *testing.T) {
		y := ready(t, app, Container{Name: "log"})
		y.tell(of(MadeReady, 0), of(MadeReady, 1), of(Started, 0), of(Started, 1))
		y.log = nil
		y.tell(exit(1, 1)).did("")
		if y.s.Reported.Version != 5 {
			t.Errorf("version %d after a container's exit, want 5", y.s.Reported.Version)
		}
		y.tell(exit(0, 3)).did("unplug")
	})
}

func TestHealth(t *testing.T) {
	y := begin(t, Container{Name: "a", Essential: true, HealthCheck: true}, Container{Name: "b", Essential: true, HealthCheck: true},
		Container{Name: "c", HealthCheck: true}, Container{Name: "d", Essential: true})
	y.tell(attached, plugged)
	for i := range 4 {
		y.tell(pulled(i))
	}
	for i := range 4 {
		y.tell(of(MadeReady, i), of(Started, i))
	}
	version := y.s.Reported.Version
	for _, c := range []struct {
		container int
		health    string
		want      string
	}{
		{0, Healthy, Unknown}, {1, Healthy, Healthy}, {2, Unhealthy, Healthy}, {0, Unhealthy, Unhealthy}, {0, Healthy, Healthy},
	} {
		y.tell(Event{Kind: HealthSeen, Container: c.container, Health: c.health})
		if y.s.Reported.Health != c.want {
			t.Errorf("container %d %s: task %s, want %s", c.container, c.health, y.s.Reported.Health, c.want)
		}
	}
	if y.s.Reported.Version != version || y.s.Reported.Last != compute.Running {
		t.Errorf("health changed the task: %+v", y.s.Reported)
	}
}

// TestRuntimeID has the value recorded from ECS for a container named main.
func TestRuntimeID(t *testing.T) {
	if got := RuntimeID("0123456789abcdef", "main"); got != "0123456789abcdef-3935363592" {
		t.Error(got)
	}
}

func TestAdopt(t *testing.T) {
	y := running(t)
	for name, c := range map[string]struct {
		found  map[string]Found
		intent compute.Intent
		want   string
		code   compute.StopCode
	}{
		"still runs":         {map[string]Found{"app": {Running: true}}, compute.Intent{}, "[{7 0 0}]", ""},
		"has exited":         {map[string]Found{"app": {ExitCode: new(int32(4))}}, compute.Intent{}, "[{6 0 0}]", compute.EssentialContainerExited},
		"is gone":            {nil, compute.Intent{}, "[{6 0 0}]", compute.EssentialContainerExited},
		"should stop":        {map[string]Found{"app": {Running: true}}, userStop.Intent, "[{7 0 0} {4 0 0}]", compute.UserInitiated},
		"should stop, empty": {map[string]Found{}, userStop.Intent, "[{6 0 0}]", compute.UserInitiated},
	} {
		s, do := Adopt(&y.spec, y.s.Reported, c.intent, c.found, y.now.Add(time.Hour))
		if fmt.Sprint(do) != c.want || s.Intent.StopCode != c.code {
			t.Errorf("%s: %v with %+v", name, do, s.Intent)
		}
		if want := c.found["app"].ExitCode; want != nil && *s.Reported.Containers[0].ExitCode != *want {
			t.Errorf("%s: exit code lost", name)
		}
	}
	fresh := begin(t, app)
	s, do := Adopt(&fresh.spec, fresh.s.Reported, fresh.s.Intent, nil, t0)
	if len(do) != 0 || s.Link != Unlinked {
		t.Errorf("a task that never began: %v %+v", do, s)
	}
}

// TestProperties tells random tasks random events, likely and unlikely ones.
func TestProperties(t *testing.T) {
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 0))
		spec := randomSpec(r)
		s := New(&spec, compute.TaskState{Last: compute.Provisioning, Version: 1})
		var pending []Event
		done := map[Action]int{}
		now := t0
		for range 400 {
			e := randomEvent(r, len(spec.Containers))
			if len(pending) > 0 && r.IntN(4) > 0 {
				i := r.IntN(len(pending))
				e = pending[i]
				pending = slices.Delete(pending, i, i+1)
			}
			now = now.Add(time.Duration(r.IntN(10)) * time.Second)
			before := s
			var do []Action
			s, do = Next(&spec, s, e, now)
			err := lawful(&spec, before, s, do, done)
			if err == nil {
				err = restartsByPolicy(&spec, before, s, e, do, now)
			}
			if err != nil {
				t.Fatalf("seed %d: %v after %+v\nspec %+v\nstate %+v", seed, err, e, spec, s)
			}
			for _, a := range do {
				pending = append(pending, answer(r, a)...)
			}
		}
		// Left alone, a task told to stop comes to its end.
		s, do := Next(&spec, s, userStop, now)
		for range 100 {
			for _, a := range do {
				pending = append(pending, answer(r, a)...)
			}
			e := Event{Kind: Tick}
			now = now.Add(time.Minute)
			if len(pending) > 0 {
				e, pending = pending[0], pending[1:]
			} else if s.Reported.Last == compute.Deprovisioning {
				e = detached
			}
			s, do = Next(&spec, s, e, now)
		}
		if s.Reported.Last != compute.Stopped {
			t.Fatalf("seed %d: ended %s\nspec %+v\nstate %+v", seed, s.Reported.Last, spec, s)
		}
	}
}

func randomSpec(r *rand.Rand) Spec {
	spec := Spec{ID: "t"}
	for i := range 1 + r.IntN(4) {
		c := Container{Name: fmt.Sprint("c", i), Essential: i == 0 || r.IntN(2) == 0, HealthCheck: r.IntN(2) == 0,
			StopTimeout: time.Duration(2+r.IntN(30)) * time.Second, StartTimeout: time.Duration(r.IntN(2)*r.IntN(60)) * time.Second}
		if r.IntN(3) == 0 {
			c.Restart = Restart{Enabled: r.IntN(4) > 0, Ignored: []int32{0}[:r.IntN(2)], Period: time.Duration(r.IntN(3)*60) * time.Second}
		}
		for j := range i {
			if r.IntN(3) == 0 {
				c.DependsOn = append(c.DependsOn, Dependency{j, []Condition{OnStart, OnComplete, OnSuccess, OnHealthy}[r.IntN(4)]})
			}
		}
		spec.Containers = append(spec.Containers, c)
	}
	return spec
}

// randomEvent is one that comes unasked, or out of the blue.
func randomEvent(r *rand.Rand, n int) Event {
	i := r.IntN(n)
	switch r.IntN(40) {
	case 0:
		return userStop
	case 1, 2, 3:
		return exit(i, int32(r.IntN(2)))
	case 4:
		return Event{Kind: Kind(r.IntN(int(pull))), Container: i}
	case 5, 6, 7, 8, 9, 10, 11:
		return Event{Kind: HealthSeen, Container: i, Health: []string{Healthy, Unhealthy}[r.IntN(2)]}
	case 12, 13, 14, 15:
		return attached
	}
	return Event{Kind: Tick}
}

// answer is what may come of an action.
func answer(r *rand.Rand, a Action) []Event {
	fails := r.IntN(12) == 0
	pick := func(ok, bad Kind) []Event {
		if fails {
			return []Event{{Kind: bad, Container: a.Container, Reason: "E: x"}}
		}
		return []Event{{Kind: ok, Container: a.Container}}
	}
	switch a.Verb {
	case Plug:
		return pick(Plugged, PlugFailed)
	case Pull:
		return pick(ImagePulled, PullFailed)
	case Create:
		return pick(MadeReady, CreateFailed)
	case Start, StartAgain:
		return pick(Started, StartFailed)
	case Signal:
		if fails {
			return nil
		}
		return []Event{exit(a.Container, 0)}
	case Kill:
		return []Event{exit(a.Container, 137)}
	}
	return []Event{unplugged}
}

// lawful checks one transition against the rules of the life cycle.
func lawful(spec *Spec, a, b State, do []Action, done map[Action]int) error {
	rank := map[compute.Status]int{compute.Provisioning: 0, compute.Pending: 1, compute.Running: 3, compute.Deprovisioning: 6, compute.Stopped: 7}
	if rank[b.Reported.Last] < rank[a.Reported.Last] {
		return fmt.Errorf("%s after %s", b.Reported.Last, a.Reported.Last)
	}
	if differ := statusesDiffer(&a.Reported, &b.Reported); differ != (b.Reported.Version == a.Reported.Version+1) {
		return fmt.Errorf("version %d after %d, changed: %v", b.Reported.Version, a.Reported.Version, differ)
	}
	if a.Intent.Desired == compute.Stopped && b.Intent != a.Intent {
		return fmt.Errorf("the reason to stop changed")
	}
	for i := range b.Boxes {
		if a.Boxes[i].Stage == Ended && b.Boxes[i].Stage != Ended {
			return fmt.Errorf("container %d runs again", i)
		}
		if code := a.Reported.Containers[i].ExitCode; code != nil && b.Reported.Containers[i].ExitCode != code {
			return fmt.Errorf("container %d lost its exit code", i)
		}
	}
	for _, x := range do {
		if done[x]++; done[x] > 1 {
			return fmt.Errorf("%s %d twice", verbs[x.Verb], x.Container)
		}
		if a.Intent.Desired == compute.Stopped && (x.Verb < Signal || x.Verb == StartAgain) {
			return fmt.Errorf("%s %d while stopping", verbs[x.Verb], x.Container)
		}
		if x.Verb == Create {
			for _, d := range spec.Containers[x.Container].DependsOn {
				if !b.met(d) {
					return fmt.Errorf("container %d is created before %+v", x.Container, d)
				}
			}
		}
		if x.Verb == Signal {
			for j, c := range spec.Containers {
				for _, d := range c.DependsOn {
					if d.Container == x.Container && b.Boxes[j].Stage != Ended {
						return fmt.Errorf("container %d is stopped before %d, which needs it", x.Container, j)
					}
				}
			}
		}
		if x.Verb == Unplug && slices.ContainsFunc(b.Boxes, func(b Box) bool { return b.Stage != Ended }) {
			return fmt.Errorf("unplugged before all containers ended")
		}
	}
	return nil
}

// restartsByPolicy checks that a container is started again when its policy says so,
// and only then.
func restartsByPolicy(spec *Spec, a, b State, e Event, do []Action, now time.Time) error {
	for i := range b.Boxes {
		policy, was := spec.Containers[i].Restart, a.Reported.Containers[i]
		due := e.Kind == Exited && e.Container == i && a.Boxes[i].Stage == Running && a.Intent.Desired != compute.Stopped &&
			policy.Enabled && e.ExitCode != nil && !slices.Contains(policy.Ignored, *e.ExitCode) && now.Sub(was.StartedAt) >= policy.Period
		if done := slices.Contains(do, Action{StartAgain, i, was.Restarts + 1}); done != due {
			return fmt.Errorf("container %d is started again: %v", i, done)
		}
		is := b.Reported.Containers[i]
		if due && (is.Last != compute.Running || is.ExitCode != nil) {
			return fmt.Errorf("container %d shows its restart: %+v", i, is)
		}
		again := 0
		if a.Boxes[i].Stage == Restarting && e.Kind == Started && e.Container == i {
			again = 1
		}
		if is.Restarts != was.Restarts+again {
			return fmt.Errorf("container %d: %d restarts after %d", i, is.Restarts, was.Restarts)
		}
	}
	return nil
}

// TestEssentialExitsWhileOthersStart has the task end before it ever ran: what is on
// its way is waited for, what is not is left.
func TestEssentialExitsWhileOthersStart(t *testing.T) {
	y := begin(t, app, Container{Name: "made"}, Container{Name: "starting"}, after("waits", false, 2, OnComplete)).tell(attached, plugged)
	for i := range 4 {
		y.tell(pulled(i))
	}
	y.tell(of(MadeReady, 0), of(MadeReady, 2), of(Started, 0))
	y.log = nil
	y.tell(exit(0, 3)).did("")
	y.ended(compute.EssentialContainerExited, "Essential container in task exited")
	y.tell(of(MadeReady, 1)).did("")
	y.tell(of(Started, 2)).did("signal starting")
	y.tell(exit(2, 143)).did("unplug")
	y.tell(unplugged, detached).did("DEPROVISIONING/8, STOPPED/9")
	r := y.s.Reported
	if !r.StartedAt.IsZero() || r.ExecutionStoppedAt.IsZero() || r.StoppedAt.IsZero() || r.Connectivity != "CONNECTED" {
		t.Errorf("%+v", r)
	}
	for i, code := range []int32{3, -1, 143, -1} {
		c := r.Containers[i]
		if c.Last != compute.Stopped || c.RuntimeID == "" || (code < 0) != (c.ExitCode == nil) || code >= 0 && *c.ExitCode != code {
			t.Errorf("container %+v", c)
		}
	}
}

// TestSidecarsMayFail has containers that are not essential fail in every way.
func TestSidecarsMayFail(t *testing.T) {
	for name, c := range map[string]struct {
		events []Event
		code   int32 // -1: none
		reason string
	}{
		"create":   {[]Event{{Kind: CreateFailed, Container: 1, Reason: "CannotCreateContainerError: x"}}, -1, "CannotCreateContainerError: x"},
		"start":    {[]Event{of(MadeReady, 1), {Kind: StartFailed, Container: 1, Reason: "CannotStartContainerError: x"}}, -1, "CannotStartContainerError: x"},
		"exit":     {[]Event{of(MadeReady, 1), of(Started, 1), exit(1, 9)}, 9, ""},
		"memory":   {[]Event{of(MadeReady, 1), of(Started, 1), {Kind: Exited, Container: 1, ExitCode: new(int32(137)), Reason: "OutOfMemoryError: x"}}, 137, "OutOfMemoryError: x"},
		"vanished": {[]Event{of(MadeReady, 1), of(Started, 1), {Kind: Exited, Container: 1, Reason: "ContainerVanishedError: x"}}, -1, "ContainerVanishedError: x"},
	} {
		y := begin(t, app, Container{Name: "side"}).tell(attached, plugged, pulled(0), pulled(1), of(MadeReady, 0)).tell(c.events...).tell(of(Started, 0))
		got := y.s.Reported.Containers[1]
		code := int32(-1)
		if got.ExitCode != nil {
			code = *got.ExitCode
		}
		if y.s.Reported.Last != compute.Running || got.Last != compute.Stopped || code != c.code || got.Reason != c.reason {
			t.Errorf("%s: task %s, %+v", name, y.s.Reported.Last, got)
		}
		y.log = nil
		y.tell(userStop, exit(0, 0)).did("signal app, unplug")
	}
}

// TestStartTimeout has the containers that wait give up for each condition that has
// to come about; START has when the container runs.
func TestStartTimeout(t *testing.T) {
	for _, c := range []struct {
		condition Condition
		gives     bool
	}{{OnComplete, true}, {OnSuccess, true}, {OnHealthy, true}, {OnStart, false}} {
		y := begin(t, Container{Name: "dep", HealthCheck: true, StartTimeout: 10 * time.Second}, after("app", true, 0, c.condition))
		y.tell(attached, plugged, pulled(0), pulled(1), of(MadeReady, 0), of(Started, 0))
		at := y.s.Reported.Containers[0].StartedAt.Add(10 * time.Second)
		if got := Deadline(&y.spec, y.s); got.Equal(at) != c.gives {
			t.Errorf("%s: deadline %v", c.condition, got)
		}
		y.now = at.Add(-2 * time.Second)
		if y.tell(of(Tick, 0)); y.s.Intent.Desired == compute.Stopped {
			t.Errorf("%s: gave up early", c.condition)
		}
		y.tell(of(Tick, 0))
		if (y.s.Intent.Desired == compute.Stopped) != c.gives {
			t.Errorf("%s: %+v", c.condition, y.s.Intent)
		}
	}
	// A dependency that does not start in time is not what it bounds.
	y := begin(t, Container{Name: "dep", StartTimeout: time.Second}, after("app", true, 0, OnComplete)).tell(attached, plugged, pulled(0), pulled(1))
	y.now = y.now.Add(time.Hour)
	if y.tell(of(Tick, 0)); y.s.Intent.Desired == compute.Stopped {
		t.Error("gave up on a container that was not started")
	}
}
