package container

import (
	"math"
	"strings"

	"neargate/node/sandbox"
	"neargate/resource/compute/taskdef"
)

// ulimits are resource limits under the kernel's names; a negative one is none.
func ulimits(list []taskdef.Ulimit) []sandbox.Ulimit {
	var out []sandbox.Ulimit
	for _, u := range list {
		out = append(out, sandbox.Ulimit{Name: "RLIMIT_" + strings.ToUpper(u.Name), Soft: limit(u.SoftLimit), Hard: limit(u.HardLimit)})
	}
	return out
}

func limit(n int32) uint64 {
	if n < 0 {
		return math.MaxUint64
	}
	return uint64(n)
}

// capabilities are capabilities under the kernel's names; ALL stays.
func capabilities(names []string) []string {
	var out []string
	for _, n := range names {
		n = strings.ToUpper(n)
		if n != "ALL" && !strings.HasPrefix(n, "CAP_") {
			n = "CAP_" + n
		}
		out = append(out, n)
	}
	return out
}

// ofIPC are the kernel parameters of an IPC namespace. Source: ipc_namespaces(7);
// those of a network namespace begin with net.
var ofIPC = map[string]bool{
	"kernel.msgmax": true, "kernel.msgmnb": true, "kernel.msgmni": true, "kernel.sem": true,
	"kernel.shmall": true, "kernel.shmmax": true, "kernel.shmmni": true, "kernel.shm_rmid_forced": true,
}

// sysctls are kernel parameters. Those that are not a namespace's own would reach
// beyond the task.
func sysctls(list []taskdef.SystemControl) (map[string]string, error) {
	var out map[string]string
	for _, s := range list {
		name := value(s.Namespace)
		if !ofIPC[name] && !strings.HasPrefix(name, "net.") && !strings.HasPrefix(name, "fs.mqueue.") || strings.ContainsAny(name, "/\x00") {
			return nil, notStarted(`sysctl "` + name + `" is not in a separate kernel namespace`)
		}
		if out == nil {
			out = map[string]string{}
		}
		out[name] = value(s.Value)
	}
	return out, nil
}
