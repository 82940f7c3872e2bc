package sentry

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/runsc/specutils"

	"neargate/shim/internal/bundle"
)

// high is a number for a file that is none of a process's first ones.
const high = 100

// umounter makes gVisor start a program of a page where it would start this one again,
// of 35 MB, to unmount /proc once the sandbox is where it needs none. What fails is left
// to this one. Only a sandbox that does not execute itself anew may ask for it.
func umounter() {
	program, err := bundle.UmountProgram()
	if err != nil {
		return
	}
	fd, err := unix.MemfdCreate("umount", unix.MFD_CLOEXEC|unix.MFD_EXEC)
	if err != nil { // a kernel without MFD_EXEC
		return
	}
	f := os.NewFile(uintptr(fd), "umount")
	defer f.Close()
	if _, err := f.Write(program); err != nil {
		return
	}
	// Read-only, as nobody may write to what is executed.
	path, err := os.Open(fmt.Sprintf("/proc/self/fd/%d", fd))
	if err != nil {
		return
	}
	defer path.Close()
	at, err := unix.FcntlInt(path.Fd(), unix.F_DUPFD_CLOEXEC, high)
	if err == nil {
		specutils.ExePath = fmt.Sprintf("/proc/self/fd/%d", at)
	}
}
