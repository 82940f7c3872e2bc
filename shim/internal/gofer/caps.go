package gofer

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// bounding are the capabilities that gVisor leaves its gofers.
const bounding = 1<<unix.CAP_CHOWN | 1<<unix.CAP_DAC_OVERRIDE | 1<<unix.CAP_DAC_READ_SEARCH | 1<<unix.CAP_FOWNER |
	1<<unix.CAP_FSETID | 1<<unix.CAP_SYS_CHROOT

// narrow does in advance what takes gVisor longest when it gives up capabilities: it
// takes all others out of every thread's bounding set, and then CAP_SETPCAP, by which
// gVisor knows whether it has to. What fails is left to gVisor.
func narrow() {
	for c := uintptr(0); c < 64; c++ {
		if bounding&(1<<c) != 0 {
			continue
		}
		if _, _, errno := syscall.AllThreadsSyscall6(unix.SYS_PRCTL, unix.PR_CAPBSET_DROP, c, 0, 0, 0, 0); errno == unix.EINVAL {
			break // the kernel has no more
		} else if errno != 0 {
			return
		}
	}
	header := &unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	data := new([2]unix.CapUserData)
	if unix.Capget(header, &data[0]) != nil {
		return
	}
	data[0].Effective &^= 1 << unix.CAP_SETPCAP
	data[0].Permitted &^= 1 << unix.CAP_SETPCAP
	_, _, _ = syscall.AllThreadsSyscall(unix.SYS_CAPSET, uintptr(unsafe.Pointer(header)), uintptr(unsafe.Pointer(data)), 0)
}
