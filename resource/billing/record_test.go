package billing

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"neargate/resource/compute"
	"neargate/resource/compute/taskdef"
)

// randomTask is a task on Fargate of a size that exists, with random times.
func randomTask(rnd *rand.Rand, id int) *compute.Task {
	t := &compute.Task{Account: "123456789012", Region: "us-east-1", Cluster: "web", ID: fmt.Sprint(id)}
	t.Spec = compute.TaskSpec{Family: "app", Revision: 1 + rnd.IntN(5), LaunchType: compute.Fargate, PlatformFamily: "Linux", Architecture: "x86_64"}
	for t.Spec.CPU == 0 || !taskdef.FargateSize(t.Spec.CPU, t.Spec.Memory, t.Spec.PlatformFamily) {
		t.Spec.CPU, t.Spec.Memory = 256<<rnd.IntN(8), 512*(1+rnd.IntN(240))
	}
	t.Spec.EphemeralGiB = 20 + rnd.IntN(3)*rnd.IntN(90)
	switch rnd.IntN(4) {
	case 0:
		t.Spec.CapacityProvider = compute.FargateSpot
	case 1:
		t.Spec.Architecture = "arm64"
	case 2:
		if taskdef.FargateSize(t.Spec.CPU, t.Spec.Memory, "WINDOWS") {
			t.Spec.PlatformFamily = "Windows Server 2022 Core"
		}
	}
	t.State.PullStartedAt = day("2026-07-01").Add(time.Duration(rnd.Int64N(int64(90 * 24 * time.Hour))))
	t.State.StoppedAt = t.State.PullStartedAt.Add(time.Duration(rnd.Int64N(int64(time.Hour) << rnd.IntN(8))))
	return t
}

// TestRecords checks of random tasks that each dimension has one record, that no
// time is lost or charged beyond the begun second and the minimum, and that the
// records cost exactly what the task does.
func TestRecords(t *testing.T) {
	rnd := rand.New(rand.NewPCG(2026, 11))
	l, terms := aws(t, "us-east-1"), DefaultTerms()
	for i := range 2000 {
		task := randomTask(rnd, i)
		size, _ := SizeOf(&task.Spec)
		if err := size.Check(); err != nil {
			t.Fatal(err)
		}
		took, least := task.State.StoppedAt.Sub(task.State.PullStartedAt), time.Minute
		if size.Windows() {
			least = 5 * time.Minute
		}
		seen := map[string]bool{}
		var cost Decimal
		records := Records(task, &terms)
		for _, r := range records {
			charged := time.Duration(r.Seconds) * time.Second
			if charged < took || charged < least || charged-took >= time.Second && charged != least {
				t.Fatalf("%s of a task that took %s is charged for %s", r.Dimension, took, charged)
			}
			key := strings.Join(r.Key(), "/")
			if seen[key] || r.Units <= 0 {
				t.Fatalf("%s: %d units, or a second record", key, r.Units)
			}
			seen[key] = true
			lines, err := l.ChargeUse(r.Use(), r.Start, r.Seconds)
			if size.Spot && size.arm() {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			cost = cost.Add(Total(lines))
		}
		if len(records) != len(size.Uses(&terms)) {
			t.Fatalf("%d records of %+v", len(records), size)
		}
		want, err := l.Charge(size, task.State.PullStartedAt, elapsed(task.State.PullStartedAt, task.State.StoppedAt), 1)
		if err != nil || cost.Cmp(Total(want)) != 0 {
			t.Fatalf("the records of %+v cost %s, the task %s (%v)", size, cost, Total(want), err)
		}
	}
}

// TestRunning grows with time, and ends with the records of the end.
func TestRunning(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 7))
	terms := DefaultTerms()
	for i := range 200 {
		task := randomTask(rnd, i)
		end := task.State.StoppedAt
		final := fmt.Sprint(Records(task, &terms))
		task.State.StoppedAt = time.Time{}
		if Records(task, &terms) != nil {
			t.Fatal("a running task has left records")
		}
		var last int64
		for at := task.State.PullStartedAt.Add(-time.Minute); at.Before(end); at = at.Add(end.Sub(at)/3 + time.Second) {
			now := Running(task, &terms, at)
			if now[0].Seconds < last {
				t.Fatalf("after %d s it is %d s", last, now[0].Seconds)
			}
			last = now[0].Seconds
		}
		if got := fmt.Sprint(Running(task, &terms, end)); got != final {
			t.Fatalf("at its end: %s, of the end: %s", got, final)
		}
		task.State.StoppedAt = end
		if got := fmt.Sprint(Running(task, &terms, end.Add(time.Hour))); got != final {
			t.Fatalf("an hour after its end: %s, of the end: %s", got, final)
		}
	}
}

// TestNoRecords is of tasks that cost nothing.
func TestNoRecords(t *testing.T) {
	terms := DefaultTerms()
	now := day("2026-10-01")
	state := compute.TaskState{PullStartedAt: now, StoppedAt: now.Add(time.Hour)}
	fargate := compute.TaskSpec{LaunchType: compute.Fargate, CPU: 256, Memory: 512}
	for name, task := range map[string]*compute.Task{
		"on an instance":  {Spec: compute.TaskSpec{LaunchType: "EC2", CPU: 256, Memory: 512}, State: state},
		"external":        {Spec: compute.TaskSpec{LaunchType: "EXTERNAL", CPU: 256, Memory: 512}, State: state},
		"never pulled":    {Spec: fargate, State: compute.TaskState{StoppedAt: now}},
		"not started yet": {Spec: fargate},
	} {
		if r := append(Records(task, &terms), Running(task, &terms, now)...); r != nil {
			t.Errorf("%s: %+v", name, r)
		}
	}
	back := &compute.Task{Spec: fargate, State: compute.TaskState{PullStartedAt: now, StoppedAt: now.Add(-time.Hour)}}
	if r := Records(back, &terms); len(r) != 2 || r[0].Seconds != 60 {
		t.Errorf("a clock that went back: %+v", r)
	}
}
