// Package gofer makes gVisor's gofers, the processes that serve a container's files to
// its sandbox, before their containers: most of a gofer's start does not depend on what
// it will serve.
//
// Such a gofer is this program, in the namespaces that gVisor gives its gofers, and waits
// at a socket; what it is told then is the command line, with files, that gVisor would
// have executed. It sees what its maker mounts meanwhile where that is a shared mount.
package gofer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/runsc/sandbox"
	"gvisor.dev/gvisor/runsc/specutils"

	"neargate/shim/internal/garbage"
)

// Command is the argument that makes this program a gofer that waits.
const Command = "gofer-await"

// Name is what a list of processes calls a gofer.
const Name = "runsc-gofer"

// socketFD is where a waiting gofer's socket is.
const socketFD = 3

// Gofer is a process that waits for what to serve, or serves.
type Gofer struct {
	pid    int
	socket *os.File
	ended  chan struct{}
}

// message is what a waiting gofer is told.
type message struct {
	Args  []string // before the files'
	Files []string // the flags that name the files sent along
	ID    string
}

// Make makes a gofer that waits.
func Make() (*Gofer, error) {
	if err := sandbox.SetCloExeOnAllFDs(); err != nil {
		return nil, err
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	near, far := os.NewFile(uintptr(fds[0]), "gofer"), os.NewFile(uintptr(fds[1]), "gofer")
	defer far.Close()
	cmd := exec.Command(specutils.ExePath, Command)
	cmd.Args[0] = Name
	cmd.ExtraFiles = []*os.File{far}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setsid:     true,
		Cloneflags: unix.CLONE_NEWIPC | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWUTS | unix.CLONE_NEWNET,
	}
	if err := startNarrow(cmd); err != nil {
		near.Close()
		return nil, fmt.Errorf("gofer: %w", err)
	}
	g := &Gofer{pid: cmd.Process.Pid, socket: near, ended: make(chan struct{})}
	go func() {
		_ = cmd.Wait()
		close(g.ended)
	}()
	return g, nil
}

// PID is the process.
func (g *Gofer) PID() int { return g.pid }

// Ended is closed when the process is over and reaped.
func (g *Gofer) Ended() <-chan struct{} { return g.ended }

// Close ends a gofer that still waits, and leaves one that serves alone.
func (g *Gofer) Close() { g.socket.Close() }

// Run makes a waiting gofer one with the command line args, the flags, each of which
// names the file of the same index, and a container's id. Called once.
func (g *Gofer) Run(args, flags []string, files []*os.File, id string) error {
	defer g.socket.Close()
	b, err := json.Marshal(message{Args: args, Files: flags, ID: id})
	if err != nil {
		return err
	}
	var fds []int
	for _, f := range files {
		fds = append(fds, int(f.Fd()))
	}
	if err := unix.Sendmsg(int(g.socket.Fd()), b, unix.UnixRights(fds...), nil, unix.MSG_NOSIGNAL); err != nil {
		return fmt.Errorf("gofer: %w", err)
	}
	return nil
}

// percent is when a gofer collects garbage, as gVisor has it.
const percent = 100

// Limits of a message: those of the kernel for files, and more than arguments take.
const (
	maxFiles   = 253
	maxMessage = 128 << 10
)

// Await is the waiting: it returns the command line that this process is to go on with,
// or io.EOF when nobody needs it any more.
func Await() ([]string, error) {
	if err := unix.Mount("", "/", "", unix.MS_SLAVE|unix.MS_REC, ""); err != nil {
		return nil, fmt.Errorf("mounts: %w", err)
	}
	garbage.Defer(percent)
	_, _ = json.Marshal(specs.Spec{}) // what JSON has to know of a type it finds out once
	b, oob := make([]byte, maxMessage), make([]byte, unix.CmsgSpace(maxFiles*4))
	n, oobn, flags, _, err := unix.Recvmsg(socketFD, b, oob, unix.MSG_CMSG_CLOEXEC)
	for err == unix.EINTR {
		n, oobn, flags, _, err = unix.Recvmsg(socketFD, b, oob, unix.MSG_CMSG_CLOEXEC)
	}
	garbage.Defer(percent) // again, when somebody waits
	switch {
	case err != nil:
		return nil, err
	case n == 0:
		return nil, io.EOF
	case flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0:
		return nil, errors.New("gofer: a message was cut")
	}
	fds, err := files(oob[:oobn])
	if err != nil {
		return nil, err
	}
	var m message
	if err := json.Unmarshal(b[:n], &m); err != nil {
		return nil, err
	}
	if len(fds) != len(m.Files) {
		return nil, fmt.Errorf("gofer: %d files for %d flags", len(fds), len(m.Files))
	}
	for i, f := range m.Files {
		m.Args = append(m.Args, "--"+f+"="+strconv.Itoa(fds[i]))
	}
	return append(m.Args, m.ID), unix.Close(socketFD)
}

func files(oob []byte) (fds []int, err error) {
	list, err := unix.ParseSocketControlMessage(oob)
	for _, c := range list {
		more, e := unix.ParseUnixRights(&c)
		fds, err = append(fds, more...), errors.Join(err, e)
	}
	return fds, err
}
