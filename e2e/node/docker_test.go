package node

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"golang.org/x/sys/unix"

	"neargate/e2e/images"
	"neargate/e2e/leak"
)

// docker is a dockerd of a story's own, in mount and process namespaces of its own, so
// that nothing of it outlives them. It makes no bridge and no rules, and reaches the
// installation at its address on loopback, which is all that it is for.
type docker struct {
	dir string // its files, and its clients' configuration
	log bytes.Buffer
}

// newDocker starts a dockerd, which is ended with the test.
func newDocker(t *testing.T) *docker {
	t.Helper()
	if _, err := exec.LookPath("dockerd"); err != nil {
		t.Skip("needs dockerd; scripts/need.sh docker installs it")
	}
	dir, err := os.MkdirTemp("", "ngd")
	ok(t, err)
	d := &docker{dir: dir}
	scope := leak.Scope{Words: []string{dir}}
	before, err := leak.Take(scope)
	ok(t, err)
	ok(t, os.WriteFile(filepath.Join(dir, "daemon.json"), []byte("{}"), 0o600))
	cmd := exec.Command("unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc",
		"sh", "-c", `mount -t tmpfs tmpfs /run && cd "$0" && exec dockerd --config-file daemon.json --data-root "$0/data" --exec-root "$0/exec" --pidfile "$0/pid" \
			-H "unix://$0/socket" --storage-driver vfs --bridge none --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false`, dir)
	cmd.Stdout, cmd.Stderr = &d.log, &d.log
	ok(t, cmd.Start())
	over := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(over)
	}()
	t.Cleanup(func() {
		select {
		case <-over:
		default:
			end(cmd.Process)
			<-over
		}
		if t.Failed() {
			t.Logf("dockerd: %s", d.log.Bytes()[max(0, d.log.Len()-10_000):])
		}
		ok(t, os.RemoveAll(dir))
		left, err := leak.Left(scope, before, 15*time.Second)
		ok(t, err)
		if len(left) > 0 {
			t.Errorf("left behind by docker:\n\t%s", strings.Join(left, "\n\t"))
		}
	})
	eventually(t, "dockerd answers", func() bool {
		select {
		case <-over: // it needs more of the machine than neargate does
			t.Skipf("dockerd does not run here: %s", d.log.Bytes()[max(0, d.log.Len()-300):])
		default:
		}
		_, err := d.try("", "version")
		return err == nil
	})
	return d
}

// end kills the first process of the namespaces, and with it all others; unshare, which
// waits for it, ends then.
func end(unshare *os.Process) {
	id := strconv.Itoa(unshare.Pid)
	children, _ := os.ReadFile(filepath.Join("/proc", id, "task", id, "children"))
	if first, err := strconv.Atoi(strings.TrimSpace(string(children))); err == nil {
		_ = unix.Kill(first, unix.SIGKILL)
	} else {
		_ = unshare.Kill()
	}
}

// try runs the docker command with an input.
func (d *docker) try(input string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "docker", append([]string{"--config", filepath.Join(d.dir, "config"), "-H", "unix://" + filepath.Join(d.dir, "socket")}, args...)...)
	cmd.Env = append(os.Environ(), "DOCKER_BUILDKIT=0") // Debian has no BuildKit client
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (d *docker) run(t *testing.T, input string, args ...string) string {
	t.Helper()
	out, err := d.try(input, args...)
	if err != nil {
		t.Fatalf("docker %q: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(out)
}

// refused is what docker says when it should not succeed.
func (d *docker) refused(t *testing.T, want, input string, args ...string) {
	t.Helper()
	if out, err := d.try(input, args...); err == nil || !strings.Contains(out, want) {
		t.Errorf("docker %q: %v, want %q\n%s", args, err, want, out)
	}
}

// TestDocker builds an image with docker, pushes it to Amazon ECR with the password
// that the AWS CLI gets, and runs it as a task; docker itself pulls the same.
func TestDocker(t *testing.T) {
	for _, runtime := range runtimes(gvisor) {
		t.Run(runtime, func(t *testing.T) {
			t.Parallel()
			d := newDocker(t)
			c := newWorld(t, runtime).tenant(t)
			host := strings.TrimPrefix(c.env["AWS_ENDPOINT_URL"], "http://")
			uri := c.aws(t, "ecr", "create-repository", "--repository-name", "team/app", "--query", "repository.repositoryUri", "--output", "text")
			local := host + "/team/app:v1"

			guest, err := images.Program(e2e, "./guest", goruntime.GOARCH)
			ok(t, err)
			files := filepath.Join(d.dir, "files")
			ok(t, os.Mkdir(files, 0o700))
			ok(t, os.WriteFile(filepath.Join(files, "guest"), guest, 0o755))
			ok(t, os.WriteFile(filepath.Join(files, "Dockerfile"), []byte("FROM scratch\nCOPY guest /guest\nENV FROM=docker\nENTRYPOINT [\"/guest\"]\nCMD [\"exit\", \"9\"]\n"), 0o600))
			d.run(t, "", "build", "-t", local, files)

			// Nobody without a password, nobody with a wrong one.
			d.refused(t, "no basic auth credentials", "", "push", local)
			d.refused(t, "400 Bad Request", "wrong", "login", "--username", "AWS", "--password-stdin", host)
			if said := d.run(t, c.aws(t, "ecr", "get-login-password"), "login", "--username", "AWS", "--password-stdin", host); !strings.Contains(said, "Login Succeeded") {
				t.Error(said)
			}
			d.run(t, "", "push", local)
			d.run(t, "", "tag", local, host+"/none:v1")
			d.refused(t, "name unknown: The repository with name 'none' does not exist in the registry with id '"+c.account+"'", "", "push", host+"/none:v1")

			// The same image for the API, for docker, for a task.
			digest := c.aws(t, "ecr", "describe-images", "--repository-name", "team/app", "--image-ids", "imageTag=v1", "--query", "imageDetails[0].imageDigest", "--output", "text")
			d.run(t, "", "rmi", local, host+"/none:v1")
			if said := d.run(t, "", "pull", local); !strings.Contains(said, "Digest: "+digest) {
				t.Errorf("pulled, want %s: %s", digest, said)
			}
			d.refused(t, "not found", "", "pull", host+"/team/app:none")
			x := c.stopped(t, c.run(t, definition{ExecutionRoleArn: &c.role, ContainerDefinitions: []types.ContainerDefinition{{Name: aws.String("main"), Image: aws.String(uri + ":v1")}}}))
			if !exited(t, x, "main", 9) || aws.ToString(container(t, x, "main").ImageDigest) != digest {
				t.Error(told(x))
			}
		})
	}
}
