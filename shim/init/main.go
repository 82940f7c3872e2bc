// Command neargate-init is process 1 of a container that wants one
// (initProcessEnabled): it runs a command, forwards signals to it, reaps orphans,
// and exits as the command does.
//
//	neargate-init -- COMMAND [ARG]...
package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
)

func main() {
	if len(os.Args) < 3 || os.Args[1] != "--" {
		fmt.Fprintln(os.Stderr, "usage: neargate-init -- COMMAND [ARG]...")
		os.Exit(2)
	}
	signals := make(chan os.Signal, 64)
	signal.Notify(signals)
	path, err := exec.LookPath(os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, "neargate-init:", err)
		os.Exit(127)
	}
	p, err := os.StartProcess(path, os.Args[2:], &os.ProcAttr{Files: []*os.File{os.Stdin, os.Stdout, os.Stderr}, Env: os.Environ()})
	if err != nil {
		fmt.Fprintln(os.Stderr, "neargate-init:", err)
		os.Exit(126)
	}
	for s := range signals {
		switch s {
		case syscall.SIGCHLD:
			reap(p.Pid)
		case syscall.SIGURG: // Go's own
		default:
			_ = p.Signal(s)
		}
	}
}

// reap waits for whoever has ended; the command's end is the init's.
func reap(command int) {
	for {
		var ws syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &ws, syscall.WNOHANG, nil)
		switch {
		case err == syscall.EINTR:
		case err != nil || pid <= 0:
			return
		case pid == command && ws.Signaled():
			os.Exit(128 + int(ws.Signal()))
		case pid == command && ws.Exited():
			os.Exit(ws.ExitStatus())
		}
	}
}
