// Package proc knows processes of the host by pid and start time.
package proc

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"

	"neargate/shim/api"
)

// Of is the process with a pid, zero when there is none.
func Of(pid int) api.Process {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return api.Process{}
	}
	// The command in field 2 may hold blanks; field 3 follows the last ')'.
	f := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	if len(f) < 20 || f[0][0] == 'Z' || f[0][0] == 'X' {
		return api.Process{}
	}
	start, _ := strconv.ParseUint(string(f[19]), 10, 64)
	return api.Process{PID: pid, Start: start}
}

// Alive reports whether the process has not ended.
func Alive(p api.Process) bool { return p.PID > 0 && Of(p.PID) == p }

// Kill kills the process if it is still the one.
func Kill(p api.Process) {
	if Alive(p) {
		_ = syscall.Kill(p.PID, syscall.SIGKILL)
	}
}

// Reap waits for every child that has ended.
func Reap() {
	for {
		if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); pid <= 0 || err != nil {
			return
		}
	}
}
