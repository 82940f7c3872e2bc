package node

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"neargate/e2e/leak"
)

// TestDataRemoved removes the data directory of a neargate that runs tasks. While
// its daemon lives nothing else touches them; then down removes them, and so does
// a start at the same path.
func TestDataRemoved(t *testing.T) {
	for _, runtime := range runtimes(gvisor, runc) {
		t.Run(runtime, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, runtime)
			w.loseData(t)
			ok(t, w.Down())
			left, err := leak.Left(w.scope, w.before, 15*time.Second)
			ok(t, err)
			if len(left) > 0 {
				t.Errorf("left behind by down:\n\t%s", strings.Join(left, "\n\t"))
			}
			ok(t, w.Up(w.flags...))
			pids := w.loseData(t)
			ok(t, w.Up(w.flags...))
			for _, pid := range pids {
				eventually(t, fmt.Sprint("process ", pid, " is gone"), func() bool {
					_, err := os.Stat(fmt.Sprint("/proc/", pid))
					return os.IsNotExist(err)
				})
			}
		})
	}
}

// loseData runs two tasks, removes the data directory, and then kills the daemon.
// It returns the tasks' processes.
func (w *world) loseData(t *testing.T) (pids []int) {
	t.Helper()
	c := w.tenant(t)
	def := c.define(t, definition{ContainerDefinitions: []types.ContainerDefinition{guestContainer("main", "serve", ":80")}})
	out, err := c.ecs.RunTask(t.Context(), &ecs.RunTaskInput{TaskDefinition: aws.String(def), Count: aws.Int32(2),
		LaunchType: types.LaunchTypeFargate, NetworkConfiguration: c.place()})
	ok(t, err)
	for _, x := range out.Tasks {
		c.running(t, *x.TaskArn)
		shim, sandbox := w.processes(t, *x.TaskArn)
		pids = append(pids, shim, sandbox)
	}
	if len(pids) != 4 {
		t.Fatalf("%+v", out.Failures)
	}
	daemon := w.daemon(t)
	eventually(t, "the data directory is removed", func() bool { // the daemon makes files in it meanwhile
		return os.RemoveAll(w.Dir) == nil
	})
	if err := w.Down(); err == nil || !strings.Contains(err.Error(), "still runs") {
		t.Errorf("down beside the daemon: %v", err)
	}
	for _, pid := range pids {
		if _, err := os.Stat(fmt.Sprint("/proc/", pid)); err != nil {
			t.Error(err)
		}
	}
	kill(t, daemon)
	return pids
}
