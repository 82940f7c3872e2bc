package node

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"neargate/e2e/story"
)

// TestLimits plays the stories of tasks that want more than they have, one after
// the other, beside a neighbour on the same host that must not notice.
func TestLimits(t *testing.T) {
	for _, runtime := range runtimes(gvisor, runc) {
		t.Run(runtime, func(t *testing.T) {
			c := newWorld(t, runtime).tenant(t)
			for _, s := range []struct {
				name string
				tell func(*testing.T, *tenant)
			}{{"CPU", cpuLimit}, {"TaskMemory", taskMemory}, {"ContainerMemory", containerMemory}, {"Disk", diskLimit}, {"Processes", processLimit}} {
				t.Run(s.name, func(t *testing.T) { s.tell(t, c) })
				t.Run(s.name+"BesideNeighbour", func(t *testing.T) {
					neighbour, _, public := c.server(t, definition{Cpu: aws.String("512"), Memory: aws.String("1024")})
					quiet := watch(t, public)
					s.tell(t, c)
					quiet(t)
					if x := c.task(t, neighbour); *x.LastStatus != "RUNNING" {
						t.Error("the neighbour:", told(x))
					}
				})
			}
		})
	}
}

// watch asks a neighbour for its page all the time. The function it returns ends
// that and complains about every answer that failed or took long.
func watch(t *testing.T, public string) func(*testing.T) {
	var w sync.WaitGroup
	over := make(chan struct{})
	var asked, failed int
	var slowest time.Duration
	w.Go(func() {
		for {
			select {
			case <-over:
				return
			case <-time.After(50 * time.Millisecond):
			}
			begin := time.Now()
			_, err := story.Fetch("http://" + public + "/")
			asked++
			if err != nil {
				failed++
			}
			slowest = max(slowest, time.Since(begin))
		}
	})
	return func(t *testing.T) {
		close(over)
		w.Wait()
		if failed > 0 || asked == 0 || slowest > 3*time.Second {
			t.Errorf("the neighbour was asked %d times, failed %d times, needed up to %v", asked, failed, slowest)
		}
		t.Logf("the neighbour answered %d times, the slowest took %v", asked, slowest)
	}
}

// cpuLimit: a quarter of a vCPU is a quarter, however many threads want more. The
// host measures it: a kernel of its own does not know what it did not get.
func cpuLimit(t *testing.T, c *tenant) {
	arn, _, public := c.server(t, definition{})
	before, begin := c.cpuTime(t, arn), time.Now()
	ask(t, public, "spin", "4", "4s")
	got := (c.cpuTime(t, arn) - before).Seconds() / time.Since(begin).Seconds()
	if got > 0.30 || got < 0.05 {
		t.Errorf("of a quarter of a vCPU, the task used %.3f", got)
	}
	t.Logf("%.3f vCPU of 0.25", got)
}

// cpuTime is the CPU time of a task's cgroup.
func (w *world) cpuTime(t *testing.T, arn string) time.Duration {
	t.Helper()
	group := w.state(t, arn).Cgroup
	if b, err := os.ReadFile(filepath.Join("/sys/fs/cgroup/cpuacct", group, "cpuacct.usage")); err == nil {
		n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
		ok(t, err)
		return time.Duration(n)
	}
	b, err := os.ReadFile(filepath.Join("/sys/fs/cgroup", group, "cpu.stat"))
	ok(t, err)
	var microseconds int64
	_, err = fmt.Sscanf(string(b), "usage_usec %d", &microseconds)
	ok(t, err)
	return time.Duration(microseconds) * time.Microsecond
}

const outOfMemory = "OutOfMemoryError: Container killed due to memory usage"

// taskMemory: a task that takes more memory than it has is killed.
func taskMemory(t *testing.T, c *tenant) {
	arn := c.guests(t, guestContainer("main", "alloc", "2000"))
	x := c.stopped(t, arn)
	if x.StopCode != types.TaskStopCodeEssentialContainerExited || !exited(t, x, "main", 137) || aws.ToString(container(t, x, "main").Reason) != outOfMemory {
		t.Error(told(x))
	}
}

// containerMemory: a container over its own limit is killed, the others are not.
func containerMemory(t *testing.T, c *tenant) {
	hog := guestContainer("hog", "alloc", "400")
	hog.Memory, hog.Essential = aws.Int32(64), aws.Bool(false)
	arn, _, public := c.server(t, definition{Cpu: aws.String("256"), Memory: aws.String("1024"),
		ContainerDefinitions: []types.ContainerDefinition{guestContainer("main", "serve", ":80"), hog}})
	x := c.until(t, arn, "without the hog", func(x types.Task) bool { return container(t, x, "hog").ExitCode != nil })
	if k := container(t, x, "hog"); !exited(t, x, "hog", 137) || aws.ToString(k.Reason) != outOfMemory {
		t.Error(told(x))
	}
	answers(t, public)
	if x = c.task(t, arn); *x.LastStatus != "RUNNING" {
		t.Error(told(x))
	}
}

// diskLimit: what a task writes ends at its ephemeral storage.
func diskLimit(t *testing.T, c *tenant) {
	_, _, public := c.server(t, definition{Memory: aws.String("2048"), Cpu: aws.String("1024")})
	said := ask(t, public, "reserve", "/big", "40960")
	if !strings.Contains(said, "no space left on device") {
		t.Fatalf("%s", said)
	}
	got, err := strconv.Atoi(strings.TrimPrefix(lines(said)[0], "reserved "))
	ok(t, err)
	if got < 19<<10 || got > 21<<10 {
		t.Errorf("%d MiB were there, not 20 GiB", got)
	}
	// The disk is full, the task goes on, and what is freed can be used again.
	if said, err := story.Ask(public, "fill", "/small", "600"); err != nil || !strings.Contains(said, "no space left on device") {
		t.Errorf("on a full disk: %s %v", said, err)
	}
	ask(t, public, "remove", "/big")
	ask(t, public, "write", "/note", "it goes on")
}

// processLimit: what starts threads without end gets no more at the task's limit,
// or is killed for their memory. The task goes on or ends by it, nobody else.
func processLimit(t *testing.T, c *tenant) {
	arn, _, public := c.server(t, definition{Memory: aws.String("2048"), Cpu: aws.String("1024")})
	said, err := story.Ask(public, "threads", "20000")
	if err == nil {
		t.Errorf("no end: %.300s", said)
	}
	t.Logf("%.100s", said)
	x := c.until(t, arn, "in order or over", func(x types.Task) bool {
		_, err := story.Fetch("http://" + public + "/")
		return err == nil || *x.LastStatus == "STOPPED"
	})
	if *x.LastStatus == "STOPPED" && !exited(t, x, "main", 137) && !exited(t, x, "main", 2) {
		t.Error(told(x))
	}
}
