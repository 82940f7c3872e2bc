package container

import (
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// The real-time signals that are free for programs, as the C library counts them.
const rtMin, rtMax = 34, 64

// StopSignal is the signal an image wants to be stopped by, given as a name, with or
// without SIG, or as a number; SIGTERM where it says none, or nonsense.
func StopSignal(s string) syscall.Signal {
	s = strings.ToUpper(strings.TrimSpace(s))
	if n, err := strconv.Atoi(s); err == nil {
		return within(n, 1)
	}
	s = strings.TrimPrefix(s, "SIG")
	if n := unix.SignalNum("SIG" + s); n != 0 {
		return n
	}
	if n, ok := offset(s, "RTMIN", "+"); ok {
		return within(rtMin+n, rtMin)
	}
	if n, ok := offset(s, "RTMAX", "-"); ok {
		return within(rtMax-n, rtMin)
	}
	return syscall.SIGTERM
}

// offset reads the number after a name and a sign; the name alone is 0.
func offset(s, name, sign string) (n int, ok bool) {
	rest, ok := strings.CutPrefix(s, name)
	if !ok || rest == "" {
		return 0, ok
	}
	digits, ok := strings.CutPrefix(rest, sign)
	n, err := strconv.Atoi(digits)
	return n, ok && err == nil && n >= 0
}

func within(n, low int) syscall.Signal {
	if n < low || n > rtMax {
		return syscall.SIGTERM
	}
	return syscall.Signal(n)
}
