package sim

import (
	"container/heap"
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"syscall"
	"time"

	agent "neargate/node"
	"neargate/node/sandbox"
	"neargate/node/sandbox/fake"
	"neargate/node/task"
	"neargate/resource/node"
	"neargate/store"
)

// Size of a simulated host: 16 vCPU, 64 GiB.
const (
	hostCPU    = 16 * 1024
	hostMemory = 64 * 1024
)

// host is a simulated machine with its agent.
type host struct {
	diary
	w       *World
	node    node.Node
	agent   *agent.Agent // nil while the agent is not running
	store   *faulty
	worker  *worker
	inbox   []store.Event
	startAt time.Time // when the agent starts next
	healAt  time.Time // when a partition ends, zero: none
}

func (w *World) addHost(name string) {
	h := &host{
		w: w, store: w.client(), startAt: w.Now,
		node: node.Node{Name: name, Architecture: "x86_64", CPU: hostCPU, Memory: hostMemory,
			Zones: []string{string(rune('a' + len(w.hosts)%3))}},
	}
	h.worker = newWorker(w.Seed, name, h)
	w.hosts = append(w.hosts, h)
	w.byName[name] = h
	w.plan(h, w.Now.Add(w.upTo(time.Second)))
}

func (h *host) act(now time.Time) time.Time {
	if !h.healAt.IsZero() && !now.Before(h.healAt) {
		h.healAt, h.store.offline = time.Time{}, false
	}
	if h.agent == nil {
		if now.Before(h.startAt) {
			return h.startAt
		}
		h.inbox = nil
		a := agent.NewAgent(h.node, h.store, h.worker, nil)
		if _, _, err := a.Start(h.w.ctx, now); err != nil {
			h.worker.forget()
			h.startAt = now.Add(time.Second)
			return h.startAt
		}
		h.agent = a
	}
	if !h.store.offline {
		h.agent.Notice(h.inbox...)
		h.inbox = nil
	}
	h.worker.due(now)
	next := h.agent.Step(h.w.ctx, now)
	if at := h.worker.next(); !at.IsZero() && at.Before(next) {
		next = at
	}
	if !h.healAt.IsZero() && h.healAt.Before(next) {
		next = h.healAt
	}
	return next
}

// crash ends the agent; what runs goes on. It starts again after a while.
func (h *host) crash(down time.Duration) {
	h.agent = nil
	h.worker.forget()
	h.startAt = h.w.Now.Add(down)
	h.w.plan(h, h.startAt)
}

// reboot ends everything on the host.
func (h *host) reboot(down time.Duration) {
	h.crash(down)
	h.worker.host = fake.NewHost(h.worker.script)
}

// cutOff keeps the host from the store for a while.
func (h *host) cutOff(d time.Duration) {
	h.store.offline = true
	h.healAt = h.w.Now.Add(d)
	h.w.plan(h, h.healAt)
}

// worker does an agent's jobs on a fake host, each after some time.
type worker struct {
	h     *host
	seed  uint64
	host  *fake.Host
	rand  *rand.Rand
	queue chores
	seq   uint64
	gone  map[string]uint64 // by task: chores up to this number are void, since it was unplugged
}

// chore is something the worker does later.
type chore struct {
	at   time.Time
	seq  uint64
	task string
	do   func(now time.Time)
}

func newWorker(seed uint64, name string, h *host) *worker {
	w := &worker{h: h, seed: seed, gone: map[string]uint64{}}
	w.rand = rand.New(rand.NewPCG(seed, w.hash(name)))
	w.host = fake.NewHost(w.script)
	return w
}

func (w *worker) hash(parts ...string) uint64 {
	f := fnv.New64a()
	fmt.Fprint(f, w.seed, parts)
	return f.Sum64()
}

// script gives every container a behaviour that depends on the seed and its name
// only.
func (w *worker) script(task string, c sandbox.Container) fake.Behaviour {
	r := rand.New(rand.NewPCG(w.hash(task, c.Name), 3))
	b := fake.Behaviour{
		StartTakes: time.Duration(r.IntN(2000)) * time.Millisecond,
		StopTakes:  time.Duration(r.IntN(3000)) * time.Millisecond,
	}
	switch c.Name {
	case "web":
		return b
	case "init":
		b.Life, b.Code = time.Duration(1+r.IntN(5000))*time.Millisecond, int32(r.IntN(8)/7)
		return b
	}
	switch n := r.IntN(100); {
	case n < 3:
		b.StartError = fmt.Errorf("exec: not found")
	case n < 6:
		b.CreateError = fmt.Errorf("no space left on device")
	case n < 10:
		b.Deaf = true
	case n < 14:
		b.OOM, b.Life = true, time.Duration(r.IntN(600))*time.Second
	case n < 40:
		b.Life, b.Code = time.Duration(1+r.IntN(3600))*time.Second, int32(r.IntN(3))
	}
	return b
}

// forget drops what the dead agent had begun.
func (w *worker) forget() { w.queue = nil }

func (w *worker) after(d time.Duration, task string, do func(now time.Time)) {
	w.seq++
	heap.Push(&w.queue, &chore{at: w.h.w.Now.Add(d), seq: w.seq, task: task, do: do})
}

func (w *worker) due(now time.Time) {
	for len(w.queue) > 0 && !w.queue[0].at.After(now) {
		c := heap.Pop(&w.queue).(*chore)
		if c.seq > w.gone[c.task] {
			c.do(now)
		}
	}
}

func (w *worker) next() time.Time {
	if len(w.queue) == 0 {
		return time.Time{}
	}
	return w.queue[0].at
}

// Found implements node.Worker.
func (w *worker) Found(context.Context) (map[string]map[string]task.Found, error) {
	found := map[string]map[string]task.Found{}
	for _, s := range w.host.List(w.h.w.Now) {
		found[s.Task] = map[string]task.Found{}
		for _, c := range s.Containers {
			if !c.Started {
				continue
			}
			f := task.Found{Running: c.Exit == nil}
			if c.Exit != nil {
				f.ExitCode = &c.Exit.Code
			}
			found[s.Task][c.Name] = f
		}
	}
	return found, nil
}

// Do implements node.Worker.
func (w *worker) Do(j agent.Job) {
	id, i := j.Task.ID, j.Action.Container
	var spec sandbox.Container
	if i < len(j.Task.Spec.Containers) {
		spec = sandbox.Container{Name: j.Task.Spec.Containers[i].Name, Image: j.Task.Spec.Containers[i].Image}
	}
	ms := func(n int) time.Duration { return time.Duration(w.rand.IntN(n)+1) * time.Millisecond }
	report := func(e task.Event) {
		e.Container = i
		w.h.agent.Report(agent.Report{Task: id, Event: e})
	}
	answer := func(ok, failed task.Kind, err error) {
		if err != nil {
			report(task.Event{Kind: failed, Reason: "CannotStartContainerError: " + err.Error()})
			return
		}
		report(task.Event{Kind: ok})
	}
	switch j.Action.Verb {
	case task.Plug:
		w.after(ms(200), id, func(time.Time) { w.host.Open(id); report(task.Event{Kind: task.Plugged}) })
	case task.Pull:
		w.after(ms(20000), id, func(time.Time) {
			if spec.Name != "web" && w.hash(id, spec.Name, "pull")%50 == 0 {
				report(task.Event{Kind: task.PullFailed, Reason: "CannotPullContainerError: not found"})
				return
			}
			report(task.Event{Kind: task.ImagePulled, Digest: "sha256:" + spec.Image})
		})
	case task.Create:
		w.after(ms(100), id, func(time.Time) { answer(task.MadeReady, task.CreateFailed, w.host.Create(id, spec)) })
	case task.Start:
		w.after(w.host.StartTakes(id, spec.Name)+ms(10), id, func(now time.Time) {
			err := w.host.Start(id, spec.Name, now)
			answer(task.Started, task.StartFailed, err)
			if err != nil {
				return
			}
			w.follow(id, spec.Name, report)
			if d := j.Definition.Container(spec.Name); d != nil && d.HealthCheck != nil {
				health := task.Healthy
				if w.hash(id, spec.Name, "health")%20 == 0 {
					health = task.Unhealthy
				}
				w.after(ms(5000), id, func(time.Time) { report(task.Event{Kind: task.HealthSeen, Health: health}) })
			}
		})
	case task.Follow:
		w.follow(id, spec.Name, report)
	case task.Signal, task.Kill:
		sig := syscall.SIGTERM
		if j.Action.Verb == task.Kill {
			sig = syscall.SIGKILL
		}
		w.after(ms(10), id, func(now time.Time) {
			if w.host.Signal(id, spec.Name, sig, now) == nil {
				w.follow(id, spec.Name, report)
			}
		})
	case task.Unplug:
		w.seq++
		w.gone[id] = w.seq
		w.after(ms(300), id, func(time.Time) {
			w.host.Close(id)
			report(task.Event{Kind: task.Unplugged})
		})
	}
}

// follow reports a container's exit when it comes, if it is known when. Life
// cycles ignore what they have heard before.
func (w *worker) follow(id, name string, report func(task.Event)) {
	ends := w.host.EndsAt(id, name)
	if ends.IsZero() {
		return
	}
	w.after(max(ends.Sub(w.h.w.Now), 0), id, func(now time.Time) {
		if exit, err := w.host.Exit(id, name, now); err == nil && exit != nil {
			report(task.Event{Kind: task.Exited, ExitCode: &exit.Code})
		}
	})
}

type chores []*chore

func (c chores) Len() int { return len(c) }
func (c chores) Less(i, j int) bool {
	if !c[i].at.Equal(c[j].at) {
		return c[i].at.Before(c[j].at)
	}
	return c[i].seq < c[j].seq
}
func (c chores) Swap(i, j int) { c[i], c[j] = c[j], c[i] }
func (c *chores) Push(x any)   { *c = append(*c, x.(*chore)) }
func (c *chores) Pop() any {
	old := *c
	e := old[len(old)-1]
	*c = old[:len(old)-1]
	return e
}
