package node_test

import (
	"testing"
	"testing/synctest"
	"time"

	"neargate/resource/compute"
	"neargate/resource/compute/taskdef"
)

// TestRestartPolicy has a container exit a minute after each start, across a crash
// of the agent; the image named exits lives so long.
func TestRestartPolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.kill()
		b.agent()
		c := essential("exits")
		c.RestartPolicy = &taskdef.RestartPolicy{Enabled: true, RestartAttemptPeriod: new(int32(60))}
		b.place("t", c)
		c.RestartPolicy.IgnoredExitCodes = []int32{7}
		b.place("ends", c)
		got := b.is("t", 3*time.Minute, compute.Running)
		if c := got.State.Containers[0]; c.Restarts != 2 || c.ExitCode != nil || got.State.Version != 3 {
			t.Errorf("after three minutes %+v", got.State)
		}
		if got := b.is("ends", 0, compute.Deprovisioning); *got.State.Containers[0].ExitCode != 7 {
			t.Errorf("ended %+v", got.State)
		}
		b.kill()
		time.Sleep(10 * time.Minute)
		b.agent()
		got = b.is("t", 10*time.Second, compute.Running)
		if c := got.State.Containers[0]; c.Restarts != 3 {
			t.Errorf("after the agent was away %+v", c)
		}
		b.stopTask("t")
		got = b.is("t", 10*time.Second, compute.Deprovisioning)
		if c := got.State.Containers[0]; c.ExitCode == nil || c.Restarts != 3 {
			t.Errorf("stopped %+v", c)
		}
	})
}
