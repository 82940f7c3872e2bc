package doctor

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"unsafe"
)

// Here describes this host for a data directory and a listening address.
// serving says that the daemon of that data directory already listens there.
func Here(dataDir, address string, serving bool) Host {
	h := Host{Root: os.DirFS("/"), UID: os.Geteuid(), Address: address, NFTables: probeNFTables()}
	h.LookPath = func(name string) error { _, err := exec.LookPath(name); return err }
	h.FreeBytes = freeBytes(dataDir)
	if !serving {
		l, err := net.Listen("tcp", address)
		if err == nil {
			l.Close()
		}
		h.Listen = err
	}
	return h
}

// freeBytes looks at the nearest existing parent of dir.
func freeBytes(dir string) uint64 {
	for {
		var s syscall.Statfs_t
		if err := syscall.Statfs(dir, &s); err == nil {
			return s.Bavail * uint64(s.Bsize)
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return 0
		}
		dir = parent
	}
}

// probeNFTables asks the kernel for the generation of its nftables ruleset; any
// error says why nftables cannot be used. Source: linux/netfilter/nf_tables.h.
func probeNFTables() error {
	const (
		subsystemNFTables = 10
		getGeneration     = 16
	)
	fd, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, syscall.NETLINK_NETFILTER)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	req := struct {
		head syscall.NlMsghdr
		body [4]byte // nfgenmsg: family, version, resource id
	}{head: syscall.NlMsghdr{Len: syscall.NLMSG_HDRLEN + 4, Type: subsystemNFTables<<8 | getGeneration, Flags: syscall.NLM_F_REQUEST}}
	msg := unsafe.Slice((*byte)(unsafe.Pointer(&req)), req.head.Len)
	if err := syscall.Sendto(fd, msg, 0, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK}); err != nil {
		return err
	}
	if err := syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &syscall.Timeval{Sec: 1}); err != nil {
		return err
	}
	buf := make([]byte, 4096)
	n, _, err := syscall.Recvfrom(fd, buf, 0)
	if err != nil {
		return err
	}
	answers, err := syscall.ParseNetlinkMessage(buf[:n])
	if err != nil || len(answers) == 0 {
		return errors.Join(errors.New("no answer"), err)
	}
	if a := answers[0]; a.Header.Type == syscall.NLMSG_ERROR && len(a.Data) >= 4 {
		if code := *(*int32)(unsafe.Pointer(&a.Data[0])); code != 0 {
			return fmt.Errorf("kernel answers: %w", syscall.Errno(-code))
		}
	}
	return nil
}
