package node

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"neargate/e2e/story"
)

// kill kills a process with SIGKILL and waits until it has gone.
func kill(t *testing.T, pid int) {
	t.Helper()
	ok(t, syscall.Kill(pid, syscall.SIGKILL))
	eventually(t, fmt.Sprint("process ", pid, " ends"), func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		threads, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
		return err != nil || strings.Contains(string(stat), ") Z ") && len(threads) <= 1
	})
}

// daemon is the process of the world's daemon.
func (w *world) daemon(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(w.Dir, "run.json"))
	ok(t, err)
	var run struct{ PID int }
	ok(t, json.Unmarshal(b, &run))
	return run.PID
}

// crash kills the daemon, and start starts it again on the same port.
func (w *world) crash(t *testing.T) { t.Helper(); kill(t, w.daemon(t)) }

func (w *world) start(t *testing.T, c *tenant) {
	t.Helper()
	address := strings.TrimPrefix(c.env["AWS_ENDPOINT_URL"], "http://")
	_, err := w.Run(append([]string{"up", "-d", "--listen", address}, w.flags...)...)
	ok(t, err)
}

// taskState is what a task's shim keeps of it.
type taskState struct {
	Cgroup        string
	Shim, Sandbox struct{ PID int }
	Containers    []struct{ Process struct{ PID int } }
}

func (w *world) state(t *testing.T, arn string) (s taskState) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(w.Dir, "tasks", arn[strings.LastIndex(arn, "/")+1:], "state.json"))
	ok(t, err)
	ok(t, json.Unmarshal(b, &s))
	return s
}

// processes are those of a task: its shim, and the sandbox's first.
func (w *world) processes(t *testing.T, arn string) (shim, sandbox int) {
	t.Helper()
	s := w.state(t, arn)
	if sandbox = s.Sandbox.PID; sandbox == 0 && len(s.Containers) > 0 {
		sandbox = s.Containers[0].Process.PID
	}
	if s.Shim.PID == 0 || sandbox == 0 {
		t.Fatalf("%+v", s)
	}
	return s.Shim.PID, sandbox
}

// TestCrashes kills every process of the node in turn. What ran still runs or is
// reported as stopped; services start replacements; nothing is left.
func TestCrashes(t *testing.T) {
	for _, runtime := range runtimes(gvisor, runc) {
		t.Run(runtime, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, runtime)
			for _, s := range []struct {
				name string
				tell func(*testing.T, *world, *tenant)
			}{{"Daemon", daemonCrash}, {"DaemonWhileTasksEnd", endsUnseen}, {"Shim", shimCrash}, {"Sandbox", sandboxCrash}, {"DaemonWhileTasksStart", startsUnseen}, {"Reboot", rebooted}} {
				t.Run(s.name, func(t *testing.T) { s.tell(t, w, w.tenant(t)) })
			}
		})
	}
}

// daemonCrash: tasks and their network outlive the daemon, their log has no gap.
func daemonCrash(t *testing.T, w *world, c *tenant) {
	group := c.logged(t)
	k := guestContainer("talk", "lines", "600", "100", "line")
	k.LogConfiguration, k.Essential = c.awslogs(t, group, nil), aws.Bool(false)
	arn, _, public := c.server(t, definition{ExecutionRoleArn: aws.String(c.role), ContainerDefinitions: []types.ContainerDefinition{guestContainer("main", "serve", ":80"), k}})
	before := c.task(t, arn)
	shim, _ := w.processes(t, arn)
	for range 2 {
		said := len(c.events(t, group, "talk", arn))
		eventually(t, "more lines", func() bool { return len(c.events(t, group, "talk", arn)) > said+20 })
		w.crash(t)
		if _, err := story.Fetch("http://" + public + "/"); err != nil {
			t.Errorf("without the daemon: %v", err)
		}
		w.start(t, c)
	}
	answers(t, public)
	after := c.running(t, arn)
	if again, _ := w.processes(t, arn); again != shim || !after.StartedAt.Equal(*before.StartedAt) {
		t.Errorf("process %d became %d; %s", shim, again, told(after))
	}
	c.until(t, arn, "done talking", func(x types.Task) bool { return container(t, x, "talk").ExitCode != nil })
	sameLines(t, func() []string { return c.events(t, group, "talk", arn) }, numbered("line", 600))
	// And it can be asked and stopped as before.
	ask(t, public, "print", "x")
	if x := c.stop(t, arn); x.StopCode != types.TaskStopCodeUserInitiated {
		t.Error(told(x))
	}
}

// endsUnseen: what ends while there is no daemon is told by the next one.
func endsUnseen(t *testing.T, w *world, c *tenant) {
	arn := c.guests(t, guestContainer("main", "forever"))
	short := c.guests(t, guestContainer("main", "sleep", "3s", "then", "exit", "9"))
	c.running(t, arn)
	c.running(t, short)
	w.crash(t)
	time.Sleep(4 * time.Second) // the container's own time; nobody could tell its end
	w.start(t, c)
	x := c.stopped(t, short)
	if !exited(t, x, "main", 9) || x.StopCode != types.TaskStopCodeEssentialContainerExited {
		t.Error(told(x))
	}
	c.running(t, arn)
}

// service runs one task of a definition all the time and returns it.
func (c *tenant) service(t *testing.T, name string, d definition) string {
	t.Helper()
	_, err := c.ecs.CreateService(t.Context(), &ecs.CreateServiceInput{ServiceName: aws.String(name), TaskDefinition: aws.String(c.define(t, d)),
		DesiredCount: aws.Int32(1), LaunchType: types.LaunchTypeFargate, NetworkConfiguration: c.place()})
	ok(t, err)
	t.Cleanup(func() {
		if _, err := c.ecs.DeleteService(cleanup(), &ecs.DeleteServiceInput{Service: aws.String(name), Force: aws.Bool(true)}); err != nil {
			t.Error(err)
		}
	})
	return c.replacement(t, name, "")
}

// replacement waits until a service runs a task other than one.
func (c *tenant) replacement(t *testing.T, name, than string) string {
	t.Helper()
	found := ""
	eventually(t, "a task of "+name, func() bool {
		out, err := c.ecs.ListTasks(t.Context(), &ecs.ListTasksInput{ServiceName: aws.String(name)})
		ok(t, err)
		for _, arn := range out.TaskArns {
			if x := c.task(t, arn); arn != than && *x.LastStatus == "RUNNING" {
				found = arn
			}
		}
		return found != ""
	})
	return found
}

// shimCrash: a task without its shim has ended; its service replaces it.
func shimCrash(t *testing.T, w *world, c *tenant) {
	arn := c.service(t, "shim", definition{ContainerDefinitions: []types.ContainerDefinition{guestContainer("main", "serve", ":80")}})
	shim, _ := w.processes(t, arn)
	kill(t, shim)
	begin := time.Now()
	x := c.stopped(t, arn)
	if took := time.Since(begin); took > 20*time.Second {
		t.Errorf("stopped after %v", took)
	}
	if k := container(t, x, "main"); k.ExitCode != nil && *k.ExitCode != 137 {
		t.Error(told(x))
	}
	t.Log(told(x))
	_, public := c.addresses(t, c.task(t, c.replacement(t, "shim", arn)))
	answers(t, public)
}

// sandboxCrash: a task whose kernel or process was killed has ended with 137.
func sandboxCrash(t *testing.T, w *world, c *tenant) {
	arn := c.service(t, "sandbox", definition{ContainerDefinitions: []types.ContainerDefinition{guestContainer("main", "serve", ":80")}})
	_, sandbox := w.processes(t, arn)
	kill(t, sandbox)
	x := c.stopped(t, arn)
	if !exited(t, x, "main", 137) || x.StopCode != types.TaskStopCodeEssentialContainerExited {
		t.Error(told(x))
	}
	_, public := c.addresses(t, c.task(t, c.replacement(t, "sandbox", arn)))
	answers(t, public)
}

// startsUnseen: a daemon killed while it starts tasks leaves none between.
func startsUnseen(t *testing.T, w *world, c *tenant) {
	def := c.define(t, definition{ContainerDefinitions: []types.ContainerDefinition{guestContainer("main", "serve", ":80")}})
	var arns []string
	for i := range 6 {
		arns = append(arns, c.start(t, ecs.RunTaskInput{TaskDefinition: aws.String(def)}))
		if i%3 == 2 {
			time.Sleep(time.Duration(i*40) * time.Millisecond) // somewhere in the middle of their starts
			w.crash(t)
			w.start(t, c)
		}
	}
	for _, arn := range arns {
		x := c.until(t, arn, "running or stopped", func(x types.Task) bool { return *x.LastStatus == "RUNNING" || *x.LastStatus == "STOPPED" })
		if *x.LastStatus == "RUNNING" {
			_, public := c.addresses(t, x)
			answers(t, public)
		} else if x.StoppedReason == nil {
			t.Error("stopped without a reason:", told(x))
		}
		c.stop(t, arn)
	}
}
