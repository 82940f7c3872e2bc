package node_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"neargate/node"
	"neargate/node/image"
	"neargate/node/sandbox"
	"neargate/node/sandbox/fake"
	"neargate/resource/compute"
	"neargate/resource/compute/taskdef"
	hosts "neargate/resource/node"
	"neargate/store"
	"neargate/store/mem"
	"neargate/store/tables"
)

// bench is a store and a sandbox that outlive agents.
type bench struct {
	t       *testing.T
	st      store.Store
	sandbox *fake.Sandbox
	stop    func()
}

// script gives containers the behaviour their image names.
func script(_ string, c sandbox.Container) fake.Behaviour {
	switch c.Image {
	case "exits":
		return fake.Behaviour{Life: time.Minute, Code: 7}
	case "deaf":
		return fake.Behaviour{Deaf: true}
	case "oom":
		return fake.Behaviour{Life: time.Minute, OOM: true}
	case "broken":
		return fake.Behaviour{StartError: errors.New("exec format error")}
	case "sick":
		return fake.Behaviour{Sick: true}
	}
	return fake.Behaviour{StartTakes: time.Second, StopTakes: 2 * time.Second}
}

// shelf has every image but "missing", each five seconds away.
type shelf struct{}

func (shelf) Pull(_ context.Context, r image.Request) (image.Image, error) {
	if r.Ref == "missing" {
		return image.Image{}, errors.New("not found")
	}
	time.Sleep(5 * time.Second)
	img, _, err := shelf{}.Find(r.Task, r.Ref)
	return img, err
}

func (shelf) Find(_, ref string) (image.Image, bool, error) {
	return image.Image{Digest: "sha256:" + ref, Config: ocispec.ImageConfig{Cmd: []string{"/app"}}}, true, nil
}

func (shelf) Release(string) error  { return nil }
func (shelf) Retain([]string) error { return nil }

func newBench(t *testing.T) *bench {
	return &bench{t: t, st: mem.New(mem.Paranoid()), sandbox: fake.New(script)}
}

// agent starts an agent, in place of the one before.
func (b *bench) agent() {
	b.kill()
	ctx, cancel := context.WithCancel(b.t.Context())
	host := node.NewHost(ctx, node.Parts{Sandbox: b.sandbox, Images: shelf{}})
	a := node.NewAgent(hosts.Node{Name: "n", CPU: 4096, Memory: 8192}, b.st, host, nil)
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx, host.Reports()) }()
	b.stop = func() { cancel(); <-ended }
}

func (b *bench) kill() {
	if b.stop != nil {
		b.stop()
		b.stop = nil
	}
}

func (b *bench) update(f func(tx store.Tx) error) {
	b.t.Helper()
	if err := b.st.Update(b.t.Context(), f); err != nil {
		b.t.Fatal(err)
	}
}

// place records a task that has its node and interface.
func (b *bench) place(id string, cs ...taskdef.Container) {
	b.t.Helper()
	def := taskdef.Definition{Account: "1", Region: "r", Family: id, Revision: 1, ContainerDefinitions: cs}
	t := compute.Task{
		Account: "1", Region: "r", Cluster: "c", ID: id, CreatedAt: time.Now(), Node: "n",
		Spec:       compute.TaskSpec{Family: id, Revision: 1, CPU: 256, Memory: 512},
		Intent:     compute.Intent{Desired: compute.Running},
		Attachment: compute.Attachment{Status: compute.Attached, ENI: "eni-1"},
		State:      compute.TaskState{Last: compute.Provisioning, Version: 1, Health: "UNKNOWN"},
	}
	for _, c := range cs {
		t.Spec.Containers = append(t.Spec.Containers, compute.ContainerSpec{Name: c.Name, Image: c.Image, Essential: c.Essential, HealthCheck: c.HealthCheck != nil})
		t.State.Containers = append(t.State.Containers, compute.ContainerState{Name: c.Name, Last: compute.Pending, Health: "UNKNOWN"})
	}
	b.update(func(tx store.Tx) error {
		return errors.Join(tables.TaskDefinitions.Put(tx, &def), tables.Tasks.Put(tx, &t))
	})
}

func (b *bench) change(id string, f func(*compute.Task)) {
	b.t.Helper()
	b.update(func(tx store.Tx) error {
		t, err := tables.Tasks.Get(tx, "1", "r", "c", id)
		if err != nil {
			return err
		}
		f(&t)
		return tables.Tasks.Put(tx, &t)
	})
}

func (b *bench) task(id string) (t compute.Task) {
	b.t.Helper()
	err := b.st.View(b.t.Context(), func(tx store.Tx) (err error) {
		t, err = tables.Tasks.Get(tx, "1", "r", "c", id)
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return t
}

// is waits a while and expects a status.
func (b *bench) is(id string, after time.Duration, want compute.Status) compute.Task {
	b.t.Helper()
	time.Sleep(after)
	synctest.Wait()
	t := b.task(id)
	if t.State.Last != want {
		b.t.Fatalf("task is %s, want %s: %+v", t.State.Last, want, t)
	}
	return t
}

// release does what control/attach does with a task that is over.
func (b *bench) release(id string) {
	b.t.Helper()
	b.change(id, func(t *compute.Task) { t.Attachment.Status = compute.Deleted })
}

func (b *bench) stopTask(id string) {
	b.t.Helper()
	b.change(id, func(t *compute.Task) {
		t.Intent = compute.Intent{Desired: compute.Stopped, StopCode: compute.UserInitiated, StopReason: "bye", StoppingAt: time.Now()}
		t.State.Version++
	})
}

func (b *bench) sandboxes() int {
	l, err := b.sandbox.List(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	return len(l)
}

func essential(image string) taskdef.Container {
	return taskdef.Container{Name: "main", Image: image, Essential: true}
}

func TestTaskRunsAndStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.kill()
		b.agent()
		b.place("t", essential("app"))
		b.is("t", time.Second, compute.Pending)
		got := b.is("t", 10*time.Second, compute.Running)
		if c := got.State.Containers[0]; got.State.Version != 3 || c.ImageDigest != "sha256:app" || c.RuntimeID != "t-3935363592" {
			t.Errorf("running %+v", got.State)
		}
		b.stopTask("t")
		got = b.is("t", 10*time.Second, compute.Deprovisioning)
		if code := got.State.Containers[0].ExitCode; code == nil || *code != 0 || b.sandboxes() != 0 {
			t.Errorf("deprovisioning %+v, %d sandboxes", got.State, b.sandboxes())
		}
		b.release("t")
		got = b.is("t", time.Second, compute.Stopped)
		if got.State.Version != 7 || got.Intent.StopReason != "bye" {
			t.Errorf("stopped %+v %+v", got.State, got.Intent)
		}
	})
}

func TestEnds(t *testing.T) {
	for _, c := range []struct {
		image  string
		code   compute.StopCode
		reason string
		exit   int32 // -1: none
		why    string
	}{
		{"exits", compute.EssentialContainerExited, "Essential container in task exited", 7, ""},
		{"oom", compute.EssentialContainerExited, "Essential container in task exited", 137, "OutOfMemoryError: Container killed due to memory usage"},
		{"broken", compute.TaskFailedToStart, "Task failed to start", -1, "CannotStartContainerError: ResourceInitializationError: failed to create new container runtime task: failed to create shim task: " +
			"OCI runtime create failed: runc create failed: unable to start container process: exec format error: unknown"},
		{"missing", compute.TaskFailedToStart, "CannotPullContainerError: not found", -1, ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t)
			defer b.kill()
			b.agent()
			b.place("t", essential(c.image))
			got := b.is("t", 2*time.Minute, compute.Deprovisioning)
			box := got.State.Containers[0]
			code := int32(-1)
			if box.ExitCode != nil {
				code = *box.ExitCode
			}
			if got.Intent.StopCode != c.code || got.Intent.StopReason != c.reason || code != c.exit || box.Reason != c.why {
				t.Errorf("%s: %+v %+v", c.image, got.Intent, box)
			}
		})
	}
}

func TestDeafContainerIsKilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.kill()
		b.agent()
		c := essential("deaf")
		c.StopTimeout = new(int32(20))
		b.place("t", c)
		b.is("t", 10*time.Second, compute.Running)
		b.stopTask("t")
		b.is("t", 19*time.Second, compute.Running)
		got := b.is("t", 2*time.Second, compute.Deprovisioning)
		if code := got.State.Containers[0].ExitCode; code == nil || *code != 137 {
			t.Errorf("containers %+v", got.State.Containers)
		}
	})
}

func TestHealthChecks(t *testing.T) {
	for image, want := range map[string]string{"app": "HEALTHY", "sick": "UNHEALTHY"} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t)
			defer b.kill()
			b.agent()
			c := essential(image)
			c.HealthCheck = &taskdef.HealthCheck{Command: []string{"CMD-SHELL", "true"}, Interval: new(int32(10)), Retries: new(int32(2))}
			b.place("t", c)
			got := b.is("t", 18*time.Second, compute.Running)
			if image == "sick" && got.State.Health != "UNKNOWN" {
				t.Errorf("%s after one attempt", got.State.Health)
			}
			got = b.is("t", 10*time.Second, compute.Running)
			if got.State.Health != want || got.State.Containers[0].Health != want {
				t.Errorf("%s: %s, want %s", image, got.State.Health, want)
			}
		})
	}
}

func TestAgentRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.kill()
		b.agent()
		b.place("stays", essential("app"))
		b.place("exits", essential("exits"))
		b.place("late", essential("app"))
		before := b.is("stays", 10*time.Second, compute.Running)
		b.is("exits", 0, compute.Running)
		b.kill()
		b.place("placed", essential("app"))
		b.stopTask("late")
		time.Sleep(2 * time.Minute)
		b.agent()
		got := b.is("stays", 10*time.Second, compute.Running)
		if !got.State.StartedAt.Equal(before.State.StartedAt) || got.State.Version != 3 {
			t.Errorf("adopted as %+v", got.State)
		}
		b.is("placed", 0, compute.Running)
		b.is("late", 0, compute.Deprovisioning)
		got = b.is("exits", 0, compute.Deprovisioning)
		if code := got.State.Containers[0].ExitCode; *code != 7 || got.Intent.StopCode != compute.EssentialContainerExited {
			t.Errorf("exited while the agent was away: %+v %+v", got.State, got.Intent)
		}
		b.stopTask("stays") // what was adopted can be stopped
		b.is("stays", 10*time.Second, compute.Deprovisioning)
		b.kill()
		b.sandbox = fake.New(script) // the host boots
		b.agent()
		got = b.is("placed", time.Second, compute.Deprovisioning)
		if got.Intent.StopCode != compute.EssentialContainerExited || got.State.Containers[0].ExitCode != nil {
			t.Errorf("vanished: %+v %+v", got.State, got.Intent)
		}
	})
}

func TestForeignTasksAreRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.kill()
		if err := b.sandbox.Open(t.Context(), sandbox.Spec{Task: "stray"}); err != nil {
			t.Fatal(err)
		}
		b.agent()
		b.place("t", essential("app"))
		b.is("t", 10*time.Second, compute.Running)
		if n := b.sandboxes(); n != 1 {
			t.Errorf("%d sandboxes, want the stray one removed", n)
		}
		b.change("t", func(t *compute.Task) { // given up by the control plane
			t.Intent = compute.Intent{Desired: compute.Stopped, StopCode: compute.InfrastructureHealth, StopReason: "lost"}
			t.State.Last, t.State.StoppedAt = compute.Stopped, time.Now()
		})
		got := b.is("t", 10*time.Second, compute.Stopped)
		if b.sandboxes() != 0 || !strings.Contains(got.Intent.StopReason, "lost") {
			t.Errorf("%d sandboxes left of %+v", b.sandboxes(), got.Intent)
		}
	})
}

// TestStopMeetsReport has the stop arrive with the task, and between two reports.
func TestStopMeetsReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.kill()
		b.agent()
		b.place("t", essential("app"))
		b.stopTask("t")
		b.is("t", 10*time.Second, compute.Deprovisioning)
		for i := range 20 {
			id := fmt.Sprint("t", i)
			b.place(id, essential("app"))
			time.Sleep(time.Duration(i) * 400 * time.Millisecond)
			b.stopTask(id)
			b.is(id, 10*time.Second, compute.Deprovisioning)
		}
	})
}

func TestHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.kill()
		b.agent()
		for range 5 {
			time.Sleep(17 * time.Second)
			synctest.Wait()
			err := b.st.View(t.Context(), func(tx store.Tx) error {
				h, err := tables.Heartbeats.Get(tx, "n")
				if age := time.Since(h.SeenAt); age > hosts.HeartbeatEvery {
					t.Errorf("last heartbeat %v ago", age)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	})
}
