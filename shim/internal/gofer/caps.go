package gofer

import (
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"
)

// bounding are the capabilities that gVisor leaves its gofers.
const bounding = 1<<unix.CAP_CHOWN | 1<<unix.CAP_DAC_OVERRIDE | 1<<unix.CAP_DAC_READ_SEARCH | 1<<unix.CAP_FOWNER |
	1<<unix.CAP_FSETID | 1<<unix.CAP_SYS_CHROOT

// startNarrow starts a gofer without what takes longest when gVisor gives up capabilities:
// it takes all but a few out of the bounding set of every thread it has then, one by one,
// unless it has no CAP_SETPCAP. A thread's bounding set is its child's, and what is
// inheritable remains to be permitted there (capabilities(7)).
func startNarrow(cmd *exec.Cmd) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		narrow()
		done <- cmd.Start()
	}()
	return <-done
}

// narrow makes what the thread executes have the gofers' bounding set, and no CAP_SETPCAP.
// What fails is left to gVisor.
func narrow() {
	header := &unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	data := new([2]unix.CapUserData)
	if unix.Capget(header, &data[0]) != nil {
		return
	}
	for i := range data {
		data[i].Inheritable = data[i].Permitted
	}
	data[0].Inheritable &^= 1 << unix.CAP_SETPCAP
	if unix.Capset(header, &data[0]) != nil {
		return
	}
	for c := uintptr(0); c < 64; c++ {
		if bounding&(1<<c) == 0 && unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0) != nil {
			return // the kernel has no more
		}
	}
}
