package netns

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// FreeBind is a net.ListenConfig's Control: it lets a socket have an address that its
// namespace does not have yet.
func FreeBind(_, _ string, c syscall.RawConn) error {
	var failed error
	err := c.Control(func(fd uintptr) { failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_FREEBIND, 1) })
	return errors.Join(err, failed)
}
