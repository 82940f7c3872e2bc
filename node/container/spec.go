// Package container says what runs for a task: from the task, its definition and
// its images to the sandbox and the containers in it, by the rules of Amazon ECS on
// Fargate and, where those leave it to the runtime, of Docker. It is pure.
package container

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"neargate/node/sandbox"
	"neargate/resource/compute"
	"neargate/resource/compute/taskdef"
)

// Net is what a task's sandbox needs of its network. The address and the names are
// in the task's attachment.
type Net struct {
	NetNS     string   // path of the network namespace; empty: one of its own with only lo
	Resolvers []string // addresses of name servers
	Search    []string // domains in which names are completed
}

// Bounds of a task's processes and threads. A Fargate task is a machine of its own,
// whose kernel allows a thread for each 128 KiB of memory, and ids up to 32,768.
// Source: Linux, kernel/fork.c, set_max_threads; proc(5), pid_max.
const threadsPerMiB, minProcesses, maxProcesses = 8, 1024, 32768

// Spec is the sandbox of a task.
func Spec(t *compute.Task, def *taskdef.Definition, n Net) sandbox.Spec {
	s := sandbox.Spec{
		Task: t.ID, CPU: t.Spec.CPU, Memory: t.Spec.Memory, Disk: t.Spec.EphemeralGiB << 10,
		NetNS: n.NetNS, Hostname: Hostname(t), SharePID: value(def.PidMode) == "task",
		Files: files(t, n),
	}
	if s.Memory > 0 {
		s.Processes = min(max(s.Memory*threadsPerMiB, minProcesses), maxProcesses)
	}
	return s
}

// Hostname is the host name of a task's containers: its private DNS name where the
// VPC has DNS host names, else twelve hexadecimal digits that depend on the task.
// Source: Amazon ECS developer guide, Fargate task networking.
func Hostname(t *compute.Task) string {
	if t.Attachment.PrivateDNS != "" {
		return t.Attachment.PrivateDNS
	}
	sum := sha256.Sum256([]byte("host/" + t.ID))
	return hex.EncodeToString(sum[:6])
}

// files are the files of names that all containers share.
func files(t *compute.Task, n Net) map[string]string {
	name := Hostname(t)
	hosts := "127.0.0.1 localhost\n"
	if ip := t.Attachment.PrivateIP; ip != "" {
		hosts += ip + " " + name + "\n"
	}
	var resolv strings.Builder
	if len(n.Search) > 0 {
		resolv.WriteString("search " + strings.Join(n.Search, " ") + "\n")
	}
	for _, r := range n.Resolvers {
		resolv.WriteString("nameserver " + r + "\n")
	}
	return map[string]string{
		"/etc/hosts": hosts, "/etc/hostname": name + "\n", "/etc/resolv.conf": resolv.String(),
	}
}

func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
