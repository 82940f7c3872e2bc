package node

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"neargate/e2e/story"
)

// TestAttack lets a task try what it must not reach: another task's metadata and
// credentials, the host, its daemon's files and sockets, other tasks' addresses. Each
// means is shown to work where it may, so that no attack fails for another reason.
func TestAttack(t *testing.T) {
	for _, runtime := range runtimes(gvisor, runc) {
		t.Run(runtime, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, runtime)
			c := w.tenant(t)
			role, err := c.iam.CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: aws.String("app"), AssumeRolePolicyDocument: aws.String(
				`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"}]}`)})
			ok(t, err)
			serve := []types.ContainerDefinition{guestContainer("main", "serve", ":80")}
			a := attack{tenant: c}
			_, a.private, a.public = c.server(t, definition{ContainerDefinitions: serve})
			_, a.victim, a.victimPublic = c.server(t, definition{ContainerDefinitions: serve, TaskRoleArn: role.Role.Arn})
			for name, f := range map[string]func(*testing.T){"Metadata": a.metadata, "Host": a.host, "Files": a.files, "Packets": a.packets} {
				t.Run(name, f)
			}
			t.Run("OtherAccount", func(t *testing.T) { a.otherAccount(t, w.tenant(t)) })
		})
	}
}

// attack is a task that attacks, at its addresses, and one that is attacked.
type attack struct {
	*tenant
	private, public      string
	victim, victimPublic string
}

// try has the attacker do something, whatever becomes of it.
func (a attack) try(command ...string) string {
	said, err := story.Ask(a.public, command...)
	if err != nil {
		said += err.Error()
	}
	return strings.TrimRight(said, "\n")
}

// metadata asks for what the endpoint tells the victim: with its paths, in its name and
// from its address.
func (a attack) metadata(t *testing.T) {
	env := factsOf(t, ask(t, a.victimPublic, "facts")).Env
	about, credentials := env["ECS_CONTAINER_METADATA_URI_V4"], "http://169.254.170.2"+env["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"]
	for _, url := range []string{about, about + "/task", credentials} {
		if said := ask(t, a.victimPublic, "get", url); !strings.HasPrefix(said, "200\n") {
			t.Errorf("the victim itself gets %s from %s", said, url)
		}
		for _, headers := range [][]string{nil, {"X-Forwarded-For:" + a.victim}, {"X-Real-IP:" + a.victim}, {"Forwarded:for=" + a.victim}, {"Host:" + a.victim}} {
			if said := a.try(append([]string{"get", url}, headers...)...); strings.HasPrefix(said, "200\n") || strings.Contains(said, "SecretAccessKey") {
				t.Errorf("with %v the attacker gets %s", headers, said)
			}
		}
	}
	own := factsOf(t, ask(t, a.public, "facts")).Env["ECS_CONTAINER_METADATA_URI_V4"]
	id := own[strings.LastIndex(own, "/")+1:]
	for _, path := range []string{"/v2/credentials", "/v2/credentials/", "/v2/credentials/" + id, "/v2/credentials/..%2f", "/v2/metadata", "/v3/", "/v4/",
		"/v4/" + id + "/../" + about[strings.LastIndex(about, "/")+1:] + "/task", "/latest/meta-data/iam/security-credentials/", "/debug/pprof/", "/_neargate/metrics"} {
		if said := a.try("get", "http://169.254.170.2"+path); strings.HasPrefix(said, "200\n") {
			t.Errorf("guessing %s gives %s", path, said)
		}
	}
	if said := a.try("dialfrom", a.private, "169.254.170.2:80"); !strings.HasPrefix(said, "open ") {
		t.Errorf("from its own address the attacker finds the endpoint %s", said)
	}
	for _, from := range []string{a.victim, "169.254.170.2", "127.0.0.1", "172.31.0.2"} {
		if said := a.try("dialfrom", from, "169.254.170.2:80"); strings.HasPrefix(said, "open ") {
			t.Errorf("from %s the attacker finds the endpoint %s", from, said)
		}
	}
}

// host dials the host at all its addresses, where a server and the front door are,
// and what the VPC itself answers at.
func (a attack) host(t *testing.T) {
	l, err := net.Listen("tcp", ":0")
	ok(t, err)
	defer l.Close()
	go func() {
		for c, err := l.Accept(); err == nil; c, err = l.Accept() {
			c.Close()
		}
	}()
	_, own, err := net.SplitHostPort(l.Addr().String())
	ok(t, err)
	_, front, err := net.SplitHostPort(strings.TrimPrefix(a.env["AWS_ENDPOINT_URL"], "http://"))
	ok(t, err)
	list, err := net.InterfaceAddrs()
	ok(t, err)
	if said := ask(t, a.public, "dial", a.victim+":80"); !strings.HasPrefix(said, "open ") {
		t.Errorf("the attacker finds its neighbour %s", said)
	}
	tried := 0
	for _, address := range list {
		ip := address.(*net.IPNet).IP
		if ip.To4() == nil {
			continue
		}
		there, err := net.Dial("tcp", net.JoinHostPort(ip.String(), own))
		if err != nil {
			t.Errorf("the host cannot reach itself at %s: %v", ip, err)
			continue
		}
		there.Close()
		for _, port := range []string{own, front} {
			tried++
			if said := a.try("dial", net.JoinHostPort(ip.String(), port), "300ms"); strings.HasPrefix(said, "open ") {
				t.Errorf("%s:%s of the host is %s", ip, port, said)
			}
		}
	}
	if tried < 4 {
		t.Errorf("the host was tried at %d places", tried)
	}
	may := map[string]bool{"172.31.0.2:53": true, "169.254.169.253:53": true, "169.254.170.2:80": true}
	for _, ip := range []string{"172.31.0.1", "172.31.0.2", "169.254.169.253", "169.254.170.2", "169.254.169.254"} {
		for _, port := range []string{"22", "53", "80", "443", "2379", "2380", "4566", "8080", own, front} {
			if said := a.try("dial", ip+":"+port, "200ms"); strings.HasPrefix(said, "open ") != may[ip+":"+port] {
				t.Errorf("%s:%s is %s", ip, port, said)
			}
		}
	}
}

// files looks for the daemon's files, its sockets and its processes, and for the disk.
func (a attack) files(t *testing.T) {
	if said := ask(t, a.public, "read", "/etc/hosts"); !strings.Contains(said, a.private) {
		t.Errorf("the attacker reads %q", said)
	}
	run, err := os.ReadFile(filepath.Join(a.Dir, "run.json"))
	ok(t, err)
	var daemon struct{ PID int }
	ok(t, json.Unmarshal(run, &daemon))
	pid := daemon.PID
	for _, name := range []string{"root.json", "run.json", "objects.key", "neargate.log", "tasks", "store"} {
		for _, path := range []string{filepath.Join(a.Dir, name), "/proc/1/root" + filepath.Join(a.Dir, name), fmt.Sprintf("/proc/%d/root%s", pid, filepath.Join(a.Dir, name))} {
			for _, verb := range []string{"read", "list"} {
				if said := a.try(verb, path); !strings.Contains(said, "no such file or directory") && !strings.Contains(said, "permission denied") {
					t.Errorf("%s %s: %.200s", verb, path, said)
				}
			}
		}
	}
	if said := a.try("read", fmt.Sprintf("/proc/%d/cmdline", pid)); strings.Contains(said, "--runtime") {
		t.Errorf("the attacker sees the daemon: %q", said)
	}
	if f := factsOf(t, ask(t, a.public, "facts")); f.Processes > 8 {
		t.Errorf("the attacker sees %d processes", f.Processes)
	}
	abstract := fmt.Sprintf("@neargate-story-%d", pid)
	l, err := net.Listen("unix", abstract)
	ok(t, err)
	defer l.Close()
	there, err := net.Dial("unix", abstract)
	ok(t, err)
	there.Close()
	for _, socket := range []string{abstract, filepath.Join(a.Dir, "admin.sock"), "/run/docker.sock", "/run/containerd/containerd.sock"} {
		if said := a.try("dialunix", socket); said == "open" {
			t.Errorf("the attacker dials %s", socket)
		}
	}
	var s syscall.Stat_t
	ok(t, syscall.Stat(a.Dir, &s))
	if said := a.try("device", "/disk", fmt.Sprint(s.Dev>>8&0xfff), fmt.Sprint(s.Dev&0xff|s.Dev>>12&^0xff)); strings.HasPrefix(said, "read 4096") {
		t.Errorf("the attacker reads the host's disk: %s", said)
	}
	if said := a.try("write", "/tmp-probe", "x", "then", "remove", "/tmp-probe"); said != "" {
		t.Errorf("the attacker cannot write at all: %s", said)
	}
	for _, path := range []string{"/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/proc/sys/net/ipv4/ip_forward", "/sys/kernel/uevent_helper",
		"/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/devices/devices.allow", "/sys/fs/cgroup/memory.max"} {
		if _, err := story.Ask(a.public, "read", path); err != nil && strings.Contains(err.Error(), "no such file") {
			continue // nor is there anything to write
		}
		before, _ := os.ReadFile(path)
		if said := a.try("write", path, "0"); said == "" && a.runtime == runc { // gVisor's are its own, not the host's
			t.Errorf("the attacker writes %s", path)
		}
		if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
			t.Errorf("%s was %q and is %q", path, before, after)
		}
	}
}

// packets sends what says it is from others.
func (a attack) packets(t *testing.T) {
	forged := func(from, text string) string {
		var heard string
		var wg sync.WaitGroup
		wg.Go(func() { heard, _ = story.Ask(a.victimPublic, "hear", ":5000", "3s") })
		said := ""
		for range 8 { // the listener may come later than the first ones
			said = a.try("forge", from, a.victim+":5000", text, "then", "sleep", "200ms")
		}
		wg.Wait()
		return said + "\n" + heard
	}
	own := forged(a.private, "honest")
	other := forged("172.31.0.2", "from the resolver") + forged("169.254.170.2", "from the endpoint")
	if strings.Contains(other, "172.31.0.2: ") || strings.Contains(other, "169.254.170.2: ") {
		t.Errorf("the victim heard %q", other)
	}
	switch {
	case strings.Contains(own, a.private+": honest"): // so others' would have come too
	case strings.HasPrefix(own, "no raw socket") || strings.HasPrefix(own, "not sent"):
		t.Logf("the runtime gives none: %q", own)
	default:
		t.Errorf("from its own address the attacker's packets do not come: %q", own)
	}

	// Whoever claims an address gets nothing that is sent to it.
	said := a.try("claim", "eth0", a.victim)
	if !strings.HasPrefix(said, "sent") && !strings.HasPrefix(said, "no packet socket") && !strings.HasPrefix(said, "not sent") {
		t.Errorf("claiming: %s", said)
	}
	_, public := a.peer(t)
	answers(t, public+":8080")
	for range 5 {
		if said := ask(t, public+":8080", "get", "http://"+a.victim+"/from"); !strings.HasPrefix(said, "200\n") {
			t.Errorf("the victim's neighbour gets %s", said)
		}
	}
}

// otherAccount dials a task of another account by its private address.
func (a attack) otherAccount(t *testing.T, other *tenant) {
	private, public := other.peer(t, other.open)
	_, neighbour := other.peer(t, other.open)
	reachable(t, neighbour+":8080", private+":80", "open")
	if private != a.victim && private != a.private {
		if said := a.try("dial", private+":80", "700ms"); strings.HasPrefix(said, "open ") {
			t.Errorf("another account's task is %s at %s", said, private)
		}
	}
	group := other.group(t, "closed")
	_, closed := other.peer(t, group)
	reachable(t, a.public, public+":80", "open")
	reachable(t, a.public, closed+":80", "silent")
}
