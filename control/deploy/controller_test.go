package deploy

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"neargate/arn"
	"neargate/resource/compute"
	"neargate/resource/compute/launch"
	"neargate/resource/compute/taskdef"
	"neargate/resource/network"
	"neargate/store"
	"neargate/store/mem"
	"neargate/store/tables"
)

// cluster is a store with one service, a clock and the controller.
type cluster struct {
	t    *testing.T
	st   *mem.Store
	now  time.Time
	ids  *arn.Source
	key  Key
	def  taskdef.Definition
	step func() bool
}

type chacha struct{ *rand.ChaCha8 }

func (c chacha) Read(b []byte) (int, error) { return c.ChaCha8.Read(b) }

func newCluster(t *testing.T, desired int) *cluster {
	c := &cluster{
		t: t, st: mem.New(mem.Paranoid()), now: time.Date(2026, 9, 16, 10, 0, 0, 0, time.UTC),
		ids: arn.NewSource(chacha{rand.NewChaCha8([32]byte{1})}),
		key: Key{arn.DefaultAccount, "us-east-1", "c", "web"},
	}
	t.Cleanup(func() { c.st.Close() })
	c.def = taskdef.Definition{
		Account: c.key.Account, Region: c.key.Region, Family: "web", Revision: 3, Status: compute.Active,
		Cpu: new("256"), Memory: new("512"), NetworkMode: new("awsvpc"),
		ContainerDefinitions: []taskdef.Container{{Name: "main", Image: "img", Essential: true}},
	}
	net := network.Defaults(c.key.Account, c.key.Region)
	svc := compute.Service{
		Account: c.key.Account, Region: c.key.Region, Cluster: "c", Name: "web", Status: compute.Active,
		Scheduling: "REPLICA", Desired: desired, Definition: c.def.ARN(), LaunchType: compute.Fargate,
		Rolling: compute.Rolling{MaximumPercent: 200, MinimumHealthyPercent: 100}, PropagateTags: "SERVICE",
		Tags: []compute.Tag{{Key: "team", Value: "a"}},
		Deployments: []compute.Deployment{{
			ID: "ecs-svc/1", Status: compute.Primary, Rollout: compute.InProgress, Definition: c.def.ARN(),
			LaunchType: compute.Fargate, PlatformVersion: "1.4.0", RecordID: "rec",
			Network: &compute.Network{Subnets: []string{net.Subnets[0].ID, net.Subnets[1].ID}},
		}},
	}
	rec := compute.ServiceDeployment{Account: c.key.Account, Region: c.key.Region, Cluster: "c", Service: "web", ID: "rec", Status: "PENDING", CreatedAt: c.now}
	c.update(func(tx store.Tx) {
		c.must(tables.EnsureDefaultNetwork(tx, c.key.Account, c.key.Region))
		c.must(tables.TaskDefinitions.Put(tx, &c.def))
		c.must(tables.Services.Put(tx, &svc))
		c.must(tables.ServiceDeployments.Put(tx, &rec))
	})
	s := New(func() time.Time { return c.now }, c.ids).Stepper(1)
	c.step = func() bool {
		c.must(s.List(t.Context(), c.st))
		ran, pass := s.Step(t.Context(), c.st, c.now)
		if !ran {
			t.Fatal("nothing to run")
		}
		c.must(pass.Err)
		return pass.Actions > 0
	}
	return c
}

func (c *cluster) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *cluster) update(fn func(store.Tx)) {
	c.t.Helper()
	c.must(c.st.Update(context.Background(), func(tx store.Tx) error { fn(tx); return nil }))
}

// settle runs passes until one changes nothing.
func (c *cluster) settle() {
	c.t.Helper()
	for range 50 {
		if !c.step() {
			return
		}
		c.now = c.now.Add(2 * time.Second)
	}
	c.t.Fatal("does not come to rest")
}

// each changes every live task of the service.
func (c *cluster) each(change func(*compute.Task)) {
	c.t.Helper()
	c.update(func(tx store.Tx) {
		tasks, err := store.Collect(tables.Tasks.By(tx, tables.TasksByService, c.key.Account, c.key.Region, c.key.Cluster, c.key.Service))
		c.must(err)
		for i := range tasks {
			change(&tasks[i])
			c.must(tables.Tasks.Put(tx, &tasks[i]))
		}
	})
}

func (c *cluster) run() {
	c.each(func(t *compute.Task) {
		if t.State.Last == compute.Provisioning {
			t.State.Last, t.State.StartedAt = compute.Running, c.now
		}
	})
}

func (c *cluster) tasks() (out []compute.Task) {
	c.update(func(tx store.Tx) {
		var err error
		out, err = store.Collect(tables.Tasks.List(tx, c.key.Account, c.key.Region, c.key.Cluster))
		c.must(err)
	})
	return out
}

func (c *cluster) service() (s compute.Service, rec compute.ServiceDeployment, events []compute.ServiceEvent) {
	c.update(func(tx store.Tx) {
		var err error
		s, err = tables.Services.Get(tx, c.key.Account, c.key.Region, c.key.Cluster, c.key.Service)
		c.must(err)
		rec, err = tables.ServiceDeployments.Get(tx, c.key.Account, c.key.Region, c.key.Cluster, c.key.Service, "rec")
		c.must(err)
		events, err = store.Collect(tables.ServiceEvents.List(tx, c.key.Account, c.key.Region, c.key.Cluster, c.key.Service))
		c.must(err)
	})
	return s, rec, events
}

func TestControllerBringsServiceUp(t *testing.T) {
	c := newCluster(t, 12)
	c.step()
	if _, rec, _ := c.service(); rec.Status != compute.InProgress || rec.StartedAt.IsZero() {
		t.Errorf("deployment record %+v", rec)
	}
	c.now = c.now.Add(launchPause)
	c.settle()
	tasks := c.tasks()
	zones := map[string]int{}
	for _, tk := range tasks {
		zones[tk.Zone]++
		if tk.Spec.Group != "service:web" || tk.Spec.StartedBy != "ecs-svc/1" || tk.Spec.CPU != 256 || tk.Spec.Memory != 512 ||
			tk.Attachment.Subnet == "" || len(tk.Tags) != 1 || len(tk.Spec.Containers) != 1 || tk.State.Last != compute.Provisioning {
			t.Fatalf("task %+v", tk)
		}
	}
	if len(tasks) != 12 || len(zones) != 2 || zones[tasks[0].Zone] != 6 {
		t.Fatalf("%d tasks in %v", len(tasks), zones)
	}
	c.run()
	c.settle()
	s, rec, events := c.service()
	if s.SteadySince.IsZero() || s.Deployments[0].Rollout != compute.Completed || rec.Status != "SUCCESSFUL" || rec.FinishedAt.IsZero() {
		t.Errorf("service %+v\nrecord %+v", s, rec)
	}
	if n := len(events); n != 4 || !strings.Contains(events[n-1].Message, "steady state") || !strings.Contains(events[n-2].Message, "completed") {
		t.Errorf("events %+v", events)
	}
}

func TestControllerScalesInAndDrains(t *testing.T) {
	c := newCluster(t, 4)
	c.settle()
	c.run()
	c.settle()
	c.update(func(tx store.Tx) {
		s, _ := tables.Services.Get(tx, c.key.Account, c.key.Region, "c", "web")
		s.Desired = 2
		c.must(tables.Services.Put(tx, &s))
	})
	c.step()
	stopping := func() (n int) {
		for _, tk := range c.tasks() {
			if tk.Intent.Desired == compute.Stopped {
				if tk.Intent.StopCode != compute.ServiceSchedulerInitiated || tk.Intent.StopReason != "Scaling activity initiated by (deployment ecs-svc/1)" || !tk.Intent.StoppingAt.Equal(c.now) {
					t.Errorf("intent %+v", tk.Intent)
				}
				n++
			}
		}
		return n
	}
	if n := stopping(); n != 2 {
		t.Fatalf("%d stopping", n)
	}
	end := func() {
		c.each(func(tk *compute.Task) {
			if tk.Intent.Desired == compute.Stopped {
				tk.State.Last, tk.State.StoppedAt = compute.Stopped, c.now
			}
		})
	}
	end()
	c.update(func(tx store.Tx) {
		s, _ := tables.Services.Get(tx, c.key.Account, c.key.Region, "c", "web")
		s.Status = compute.Draining
		c.must(tables.Services.Put(tx, &s))
	})
	c.step()
	end()
	c.step()
	if s, _, _ := c.service(); s.Status != compute.Inactive {
		t.Errorf("service is %s", s.Status)
	}
	if c.step() {
		t.Error("an INACTIVE service is acted upon")
	}
}

func TestControllerCountsFailuresOnce(t *testing.T) {
	c := newCluster(t, 2)
	c.step()
	c.each(func(tk *compute.Task) {
		tk.State.Last, tk.State.StoppedAt = compute.Stopped, c.now.Add(time.Second)
		tk.Intent = compute.Intent{Desired: compute.Stopped, StopCode: compute.TaskFailedToStart, StopReason: noCapacity + " at this time."}
	})
	c.now = c.now.Add(3 * time.Second)
	c.step()
	c.step()
	s, _, events := c.service()
	if s.Deployments[0].Failed != 2 || s.Backoff.Failures != 2 || len(s.Backoff.Full) != 1 || !s.Backoff.Until.Equal(c.now.Add(20*time.Second)) {
		t.Errorf("deployment %+v, back-off %+v", s.Deployments[0], s.Backoff)
	}
	if !slices.ContainsFunc(events, func(e compute.ServiceEvent) bool {
		return strings.Contains(e.Message, "was unable to place a task. Reason: Capacity is unavailable at this time.")
	}) {
		t.Errorf("events %+v", events)
	}
	if n := len(c.tasks()); n != 2 {
		t.Errorf("%d tasks during back-off", n)
	}
	c.now = s.Backoff.Until
	c.step()
	if n := len(c.tasks()); n != 4 {
		t.Errorf("%d tasks after back-off", n)
	}
}

func TestControllerKeepsHundredEvents(t *testing.T) {
	c := newCluster(t, 0)
	c.update(func(tx store.Tx) {
		for i := range 130 {
			e := compute.ServiceEvent{Account: c.key.Account, Region: c.key.Region, Cluster: "c", Service: "web",
				ID: fmt.Sprint(i), At: c.now.Add(time.Duration(i-200) * time.Second), Message: fmt.Sprint(i)}
			c.must(addEvent(tx, &e))
		}
	})
	_, _, events := c.service()
	if len(events) != KeptEvents || events[0].Message != "30" || events[99].Message != "129" {
		t.Errorf("%d events from %q to %q", len(events), events[0].Message, events[len(events)-1].Message)
	}
}

// Protected tasks are passed over while protection holds, and it wakes the
// service when it ends.
func TestControllerRespectsProtection(t *testing.T) {
	c := newCluster(t, 3)
	c.settle()
	c.run()
	until := c.now.Add(10 * time.Minute)
	free := ""
	c.each(func(tk *compute.Task) {
		if free == "" {
			free = tk.ID
			return
		}
		tk.Protection = compute.Protection{Enabled: true, Until: until}
	})
	c.settle()
	c.update(func(tx store.Tx) {
		s, _ := tables.Services.Get(tx, c.key.Account, c.key.Region, "c", "web")
		s.Desired = 0
		c.must(tables.Services.Put(tx, &s))
	})
	c.step()
	for _, tk := range c.tasks() {
		if stopped := tk.Intent.Desired == compute.Stopped; stopped != (tk.ID == free) {
			t.Errorf("task %s stopped: %v", tk.ID, stopped)
		}
	}
	var wake time.Time
	c.must(c.st.View(t.Context(), func(tx store.Tx) error {
		s, err := controller(func() time.Time { return c.now }, c.ids).Load(tx, c.key)
		_, wake = Plan(c.now, s)
		return err
	}))
	if !wake.Equal(until) {
		t.Errorf("wakes at %v, protection ends at %v", wake, until)
	}
	c.now = until
	c.step()
	for _, tk := range c.tasks() {
		if tk.Intent.Desired != compute.Stopped {
			t.Errorf("task %s outlives its protection", tk.ID)
		}
	}
}

// counting is a transaction that counts what is read through it.
type counting struct {
	store.Tx
	gets, listed int
}

func (c *counting) Get(key string) (store.Value, error) {
	c.gets++
	return c.Tx.Get(key)
}

func (c *counting) List(prefix, after string, limit int) iter.Seq2[string, store.Value] {
	return func(yield func(string, store.Value) bool) {
		for k, v := range c.Tx.List(prefix, after, limit) {
			c.listed++
			if !yield(k, v) {
				return
			}
		}
	}
}

// A service of 5,000 tasks is loaded by counting, steady or rolling out.
func TestLoadReadsFewRecords(t *testing.T) {
	c := newCluster(t, 5000)
	for from := 0; from < 5000; from += 250 {
		c.update(func(tx store.Tx) {
			for i := range 250 {
				o := launch.Order{Definition: &c.def, Account: c.key.Account, Region: c.key.Region, Cluster: "c", ID: c.ids.Hex(32),
					ContainerIDs: []string{"x"}, Now: c.now.Add(-time.Hour), Service: "web", Deployment: "ecs-svc/1",
					LaunchType: compute.Fargate, Network: &compute.Network{}, Zone: []string{"us-east-1a", "us-east-1b"}[i%2]}
				tk := launch.Task(o)
				tk.State.Last, tk.State.StartedAt = compute.Running, c.now.Add(-time.Minute*time.Duration(1+from+i))
				c.must(tables.Tasks.Put(tx, &tk))
			}
		})
	}
	load := func() (s State, n counting) {
		c.must(c.st.View(t.Context(), func(tx store.Tx) (err error) {
			n = counting{Tx: tx}
			s, err = controller(func() time.Time { return c.now }, c.ids).Load(&n, c.key)
			return err
		}))
		return s, n
	}
	s, n := load()
	if len(s.Groups) != 2 || s.Groups[0].Count+s.Groups[1].Count != 5000 {
		t.Fatalf("groups %+v", s.Groups)
	}
	if n.gets > 10 || n.listed > 10 {
		t.Errorf("a steady service takes %d gets, %d listed keys", n.gets, n.listed)
	}
	c.update(func(tx store.Tx) {
		svc, _ := tables.Services.Get(tx, c.key.Account, c.key.Region, "c", "web")
		old := svc.Deployments[0]
		old.Status = "ACTIVE"
		next := svc.Deployments[0]
		next.ID = "ecs-svc/2"
		svc.Deployments = []compute.Deployment{next, old}
		c.must(tables.Services.Put(tx, &svc))
	})
	s, n = load()
	if len(s.Candidates) != 2*Batch || n.gets > 4*Batch || n.listed > 4*Batch {
		t.Errorf("a rollout takes %d gets, %d listed keys for %d candidates", n.gets, n.listed, len(s.Candidates))
	}
}
