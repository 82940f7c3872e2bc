package task

import (
	"testing"
	"time"

	"neargate/resource/compute"
)

func restarting(ignored ...int32) Container {
	return Container{Name: "app", Essential: true, HealthCheck: true, Restart: Restart{Enabled: true, Ignored: ignored, Period: time.Minute}}
}

// started is a running task of one container, its log begun anew.
func started(t *testing.T, c Container) *story {
	y := begin(t, c).tell(attached, plugged, pulled(0), of(MadeReady, 0), of(Started, 0))
	y.log = nil
	return y
}

func TestRestart(t *testing.T) {
	t.Run("again and again", func(t *testing.T) {
		y := started(t, restarting())
		y.tell(Event{Kind: HealthSeen, Health: Healthy})
		for n := 1; n < 4; n++ {
			y.now = y.now.Add(time.Minute)
			y.tell(exit(0, 1)).did("restart app")
			c := y.s.Reported.Containers[0]
			if c.Last != compute.Running || c.ExitCode != nil || c.Restarts != n-1 || y.s.Reported.Health != Unknown {
				t.Errorf("while restarting %+v", y.s.Reported)
			}
			y.tell(of(Started, 0)).did("")
			if c := y.s.Reported.Containers[0]; c.Restarts != n || !c.StartedAt.Equal(y.now) {
				t.Errorf("restarted %+v", c)
			}
		}
		if y.s.Reported.Version != 3 || y.s.Reported.Last != compute.Running {
			t.Errorf("%+v", y.s.Reported)
		}
		y.tell(exit(0, 1)).did("unplug") // a second after its start
		y.ended(compute.EssentialContainerExited, "Essential container in task exited")
	})
	for name, c := range map[string]struct {
		spec Container
		ran  time.Duration
		exit Event
		did  string
	}{
		"too early":                    {restarting(), 58 * time.Second, exit(0, 1), "unplug"},
		"in time":                      {restarting(), 59 * time.Second, exit(0, 1), "restart app"}, // a second goes by
		"ignored":                      {restarting(3, 1), time.Hour, exit(0, 1), "unplug"},
		"not ignored":                  {restarting(3), time.Hour, exit(0, 1), "restart app"},
		"code 0":                       {restarting(), time.Hour, exit(0, 0), "restart app"},
		"killed for want of memory":    {restarting(), time.Hour, Event{Kind: Exited, ExitCode: new(int32(137)), Reason: "OutOfMemoryError: x"}, "restart app"},
		"vanished":                     {restarting(), time.Hour, Event{Kind: Exited, Reason: "ContainerVanishedError: x"}, "unplug"},
		"not enabled":                  {Container{Name: "app", Essential: true, Restart: Restart{}}, time.Hour, exit(0, 1), "unplug"},
		"exited early, heard of later": {restarting(), time.Hour, Event{Kind: Exited, ExitCode: new(int32(1)), At: t0.Add(30 * time.Second)}, "unplug"},
	} {
		t.Run(name, func(t *testing.T) {
			y := started(t, c.spec)
			y.now = y.now.Add(c.ran)
			y.tell(c.exit).did(c.did)
		})
	}
	t.Run("fails", func(t *testing.T) {
		y := started(t, restarting())
		y.now = y.now.Add(time.Hour)
		y.tell(exit(0, 9), Event{Kind: StartFailed, Reason: "CannotStartContainerError: x"}).did("restart app, unplug")
		y.ended(compute.EssentialContainerExited, "Essential container in task exited")
		if c := y.s.Reported.Containers[0]; *c.ExitCode != 9 || c.Reason != "CannotStartContainerError: x" || c.Restarts != 0 {
			t.Errorf("%+v", c)
		}
	})
	t.Run("stop meets it", func(t *testing.T) {
		y := started(t, restarting())
		y.now = y.now.Add(time.Hour)
		y.tell(exit(0, 9), userStop).did("restart app")
		y.tell(of(Started, 0), exit(0, 143), unplugged, detached).did("signal app, unplug, DEPROVISIONING/5, STOPPED/6")
	})
	t.Run("a stopped task is left alone", func(t *testing.T) {
		y := started(t, restarting())
		y.now = y.now.Add(time.Hour)
		y.tell(userStop, exit(0, 143)).did("signal app, unplug")
	})
	t.Run("of one that is not essential", func(t *testing.T) {
		side := restarting(7)
		side.Name, side.Essential = "side", false
		y := begin(t, app, side).tell(attached, plugged, pulled(0), pulled(1), of(MadeReady, 0), of(Started, 0), of(MadeReady, 1), of(Started, 1))
		y.log = nil
		y.now = y.now.Add(time.Hour)
		y.tell(exit(1, 1), of(Started, 1)).did("restart side")
		y.now = y.now.Add(time.Hour)
		y.tell(exit(1, 7)).did("")
		if c := y.s.Reported.Containers[1]; c.Last != compute.Stopped || *c.ExitCode != 7 || c.Restarts != 1 {
			t.Errorf("%+v", c)
		}
	})
	t.Run("while others start", func(t *testing.T) {
		side := restarting()
		side.Name, side.Essential, side.HealthCheck = "side", false, false
		y := begin(t, app, side).tell(attached, plugged, pulled(0), pulled(1), of(MadeReady, 1), of(Started, 1))
		y.log = nil
		y.now = y.now.Add(time.Hour)
		y.tell(exit(1, 1), of(MadeReady, 0), of(Started, 0)).did("restart side, start app, RUNNING/4")
	})
	t.Run("a dependency completes only when it is not restarted", func(t *testing.T) {
		first := restarting(0)
		first.Name, first.Essential, first.HealthCheck = "init", false, false
		y := begin(t, first, after("app", true, 0, OnSuccess)).tell(attached, plugged, pulled(0), pulled(1), of(MadeReady, 0), of(Started, 0))
		y.log = nil
		y.now = y.now.Add(time.Hour)
		y.tell(exit(0, 1), of(Started, 0)).did("restart init")
		y.tell(exit(0, 0)).did("create app")
	})
}

func TestAdoptRestarts(t *testing.T) {
	y := started(t, restarting())
	since := y.s.Reported.Containers[0].StartedAt
	later := since.Add(time.Hour)
	for name, c := range map[string]struct {
		found    Found
		did      Verb
		restarts int
		started  time.Time
	}{
		"runs": {Found{Running: true}, Follow, 0, since},
		"was restarted, and the report is behind": {Found{Running: true, StartedAt: later, Restarts: 1}, Follow, 1, later},
		"exited":            {Found{ExitCode: new(int32(1))}, StartAgain, 0, since},
		"exited long ago":   {Found{ExitCode: new(int32(1)), ExitedAt: since.Add(30 * time.Second)}, Unplug, 0, since},
		"exited by itself":  {Found{ExitCode: new(int32(1)), ExitedAt: since.Add(time.Minute)}, StartAgain, 0, since},
		"restarted, exited": {Found{ExitCode: new(int32(1)), StartedAt: later, ExitedAt: later, Restarts: 1}, Unplug, 1, later},
	} {
		s, do := Adopt(&y.spec, y.s.Reported, y.s.Intent, map[string]Found{"app": c.found}, later.Add(time.Second))
		got := s.Reported.Containers[0]
		if len(do) != 1 || do[0].Verb != c.did || got.Restarts != c.restarts || !got.StartedAt.Equal(c.started) {
			t.Errorf("%s: %v, %+v", name, do, got)
		}
	}
	_, do := Adopt(&y.spec, y.s.Reported, y.s.Intent, nil, later)
	if len(do) != 1 || do[0].Verb != Unplug {
		t.Errorf("gone: %v", do)
	}
	s, _ := Adopt(&y.spec, y.s.Reported, y.s.Intent, map[string]Found{"app": {ExitCode: new(int32(137)), Reason: "OutOfMemoryError: x", ExitedAt: since}}, later)
	if c := s.Reported.Containers[0]; c.Reason != "OutOfMemoryError: x" || *c.ExitCode != 137 {
		t.Errorf("the reason is lost: %+v", c)
	}
}
