package node

import (
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"golang.org/x/sys/unix"

	"neargate/e2e/story"
)

// smallDisk mounts a file system whose end is near, and has new worlds on it.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ngf")
	ok(t, err)
	image, mount := filepath.Join(dir, "img"), filepath.Join(dir, "fs")
	ok(t, os.Mkdir(mount, 0o755))
	f, err := os.Create(image)
	ok(t, err)
	ok(t, errors.Join(f.Truncate(2<<30), f.Close()))
	for _, c := range [][]string{{"mkfs.ext4", "-q", "-m", "0", image}, {"mount", "-o", "loop", image, mount}} {
		if out, err := exec.Command(c[0], c[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v: %s", c, err, out)
		}
	}
	t.Cleanup(func() {
		if err := errors.Join(unix.Unmount(mount, 0), os.RemoveAll(dir)); err != nil {
			t.Error(err)
		}
	})
	t.Setenv("TMPDIR", mount)
	return mount
}

// fill writes a file until its file system is full.
func fill(t *testing.T, name string) {
	t.Helper()
	f, err := os.Create(name)
	ok(t, err)
	defer f.Close()
	for size := 1 << 20; size > 0; {
		_, err := f.Write(make([]byte, size))
		if errors.Is(err, unix.ENOSPC) {
			size /= 2
			continue
		}
		ok(t, err)
	}
}

// TestFullDisk fills the disk under an installation: what runs goes on running,
// what ends is told, calls that change something are refused; with room again all
// is as before.
func TestFullDisk(t *testing.T) {
	for _, runtime := range runtimes(gvisor, runc) {
		t.Run(runtime, func(t *testing.T) {
			disk := smallDisk(t)
			w := newWorld(t, runtime)
			c := w.tenant(t)
			group := c.logged(t)
			talk := guestContainer("talk", "lines", "1000000", "50", "line")
			talk.LogConfiguration, talk.Essential = c.awslogs(t, group, nil), aws.Bool(false)
			serve := guestContainer("main", "serve", ":80")
			arn, _, public := c.server(t, definition{ExecutionRoleArn: aws.String(c.role), ContainerDefinitions: []types.ContainerDefinition{serve, talk}})
			lines := func() int { return len(c.events(t, group, "talk", arn)) }
			eventually(t, "lines", func() bool { return lines() > 10 })
			short := c.guests(t, guestContainer("main", "sleep", "8s", "then", "exit", "9"))
			c.running(t, short)
			filler := filepath.Join(disk, "filler")
			fill(t, filler)

			eventually(t, "calls are refused", func() bool { return c.refused(t) })
			if x := c.stopped(t, short); !exited(t, x, "main", 9) {
				t.Error(told(x))
			}
			fill(t, filler+"2") // what was in reserve, too
			for begin := time.Now(); time.Since(begin) < 2*time.Second; time.Sleep(100 * time.Millisecond) {
				if _, err := story.Fetch("http://" + public + "/"); err != nil {
					t.Fatalf("with a full disk: %v", err)
				}
				if !c.refused(t) {
					t.Fatal("a call that changes something was answered")
				}
			}
			c.running(t, arn)

			ok(t, errors.Join(os.Remove(filler), os.Remove(filler+"2")))
			eventually(t, "calls are answered", func() bool { return !c.refused(t) })
			said := lines()
			eventually(t, "more lines", func() bool { return lines() > said+10 })
			_, _, other := c.server(t, definition{ContainerDefinitions: []types.ContainerDefinition{serve}})
			answers(t, other)
			c.running(t, arn)
			if x := c.stop(t, arn); x.StopCode != types.TaskStopCodeUserInitiated {
				t.Error(told(x))
			}
		})
	}
}

// refused reports whether the installation has no room for a task definition. The
// definition is a large one.
func (c *tenant) refused(t *testing.T) bool {
	t.Helper()
	k := guestContainer("main", "forever")
	k.Environment = []types.KeyValuePair{{Name: aws.String("TEXT"), Value: aws.String(strings.Repeat("x", 30_000))}}
	_, err := c.ecs.RegisterTaskDefinition(t.Context(), &ecs.RegisterTaskDefinitionInput{
		Family: aws.String("large"), Cpu: aws.String("256"), Memory: aws.String("512"), NetworkMode: types.NetworkModeAwsvpc,
		RequiresCompatibilities: []types.Compatibility{types.CompatibilityFargate}, ContainerDefinitions: []types.ContainerDefinition{k},
	}, func(o *ecs.Options) { o.RetryMaxAttempts = 1 })
	if answer, is := errors.AsType[*smithyhttp.ResponseError](err); is && answer.HTTPStatusCode() == http.StatusInternalServerError {
		return true
	}
	ok(t, err)
	return false
}
