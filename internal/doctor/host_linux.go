package doctor

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"unsafe"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Here describes this host for a data directory, a listening address and a
// kind of runtime. serving says that the daemon of that data directory already listens
// there.
func Here(dataDir, address, kind string, serving bool) Host {
	h := Host{Root: os.DirFS("/"), UID: os.Geteuid(), Address: address, Runtime: kind}
	h.LookPath = func(name string) error { _, err := exec.LookPath(name); return err }
	h.Beside = beside
	h.FreeBytes = freeBytes(dataDir)
	if kind != fake {
		h.NFTables, h.Network = probeNFTables(), probeNetwork()
	}
	if !serving {
		l, err := net.Listen("tcp", address)
		if err == nil {
			l.Close()
		}
		h.Listen = err
	}
	return h
}

// beside looks for a program in the folder of this one.
func beside(name string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	_, err = exec.LookPath(filepath.Join(filepath.Dir(self), name))
	return err
}

// probeNetwork makes a pair of interfaces in a network namespace that goes with
// its thread, and forwards from one.
func probeNetwork() error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		done <- func() error {
			if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
				return os.NewSyscallError("unshare", err)
			}
			attrs := netlink.NewLinkAttrs()
			attrs.Name = "probe0"
			if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: "probe1"}); err != nil {
				return fmt.Errorf("veth: %w", err)
			}
			return os.WriteFile("/proc/sys/net/ipv4/conf/"+attrs.Name+"/forwarding", []byte("1"), 0)
		}()
	}()
	return <-done
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
