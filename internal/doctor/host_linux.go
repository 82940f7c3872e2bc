package doctor

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"unsafe"

	nft "github.com/google/nftables"
	"github.com/google/nftables/expr"
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
		h.Drops, _ = drops(&nft.Conn{}) // only a warning: not for those who cannot look, or while rules change
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

// gateways begins the names of the devices by which VPCs are connected to the host.
const gateways = "ng-"

// drops names a firewall that forwards by rules of its own and says nothing of VPCs'
// devices; empty for none. Those by iptables are not meant: what they drop, neargate lets
// pass. Source: nft(8).
func drops(c *nft.Conn) (name string, err error) {
	chains, err := c.ListChains()
	if err != nil {
		return "", err
	}
	for _, chain := range chains {
		t := chain.Table
		forwards := chain.Hooknum != nil && *chain.Hooknum == *nft.ChainHookForward
		byIptables := t.Name == "filter" && (t.Family == nft.TableFamilyIPv4 || t.Family == nft.TableFamilyIPv6)
		drops := t.Name == firewalld || chain.Policy != nil && *chain.Policy == nft.ChainPolicyDrop
		if !forwards || byIptables || !drops {
			continue
		}
		known, err := speaks(c, chains, t)
		if err != nil {
			return "", err
		}
		switch {
		case known:
		case t.Name == firewalld:
			return firewalld, nil
		default:
			name = "chain " + chain.Name + " of table " + t.Name
		}
	}
	return name, nil
}

// speaks reports whether a rule of a table names VPCs' devices.
func speaks(c *nft.Conn, chains []*nft.Chain, t *nft.Table) (bool, error) {
	for _, chain := range chains {
		if chain.Table.Name != t.Name || chain.Table.Family != t.Family {
			continue
		}
		rules, err := c.GetRules(t, chain)
		if err != nil {
			return false, err
		}
		for _, r := range rules {
			for _, e := range r.Exprs {
				if cmp, ok := e.(*expr.Cmp); ok && bytes.HasPrefix(cmp.Data, []byte(gateways)) {
					return true, nil
				}
			}
		}
	}
	return false, nil
}
