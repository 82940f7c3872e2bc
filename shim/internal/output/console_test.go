package output

import (
	"io/fs"
	"net"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"neargate/shim/api"
)

// pty makes a terminal as the kernel does, with the container's end open.
func pty(t *testing.T) (master int, slave *os.File) {
	t.Helper()
	master, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(master, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	fd, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(master), unix.TIOCGPTPEER, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)
	if errno != 0 {
		t.Fatal(errno)
	}
	return master, os.NewFile(fd, "slave")
}

// send sends files as a runtime does, and closes them.
func send(t *testing.T, socket string, fds ...int) {
	t.Helper()
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var rights []byte
	if len(fds) > 0 {
		rights = unix.UnixRights(fds...)
	}
	if _, _, err := conn.WriteMsgUnix([]byte("/dev/ptmx"), rights, nil); err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		unix.Close(fd)
	}
}

// files are the open files of the process, with those that Go keeps once it polls.
func files(t *testing.T) int {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	w.Close()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// opened is the output of a container with a terminal, and the container's end.
func opened(t *testing.T, dir string, l api.Log) (*Output, *os.File) {
	t.Helper()
	o, err := Open(api.Container{Terminal: true, Log: l}, dir, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	master, slave := pty(t)
	send(t, o.Stdio.Console, master)
	if err := o.Created(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(o.Stdio.Console); !os.IsNotExist(err) {
		t.Errorf("the socket is left: %v", err)
	}
	o.Started()
	return o, slave
}

// TestTerminal writes more than a terminal holds, and ends at once.
func TestTerminal(t *testing.T) {
	const count = 20_000
	for _, mode := range []string{api.Blocking, api.Discard} {
		dir, before := t.TempDir(), files(t)
		o, slave := opened(t, dir, api.Log{Mode: mode, Buffer: 8 << 20})
		if _, err := slave.WriteString(lines(0, count) + "no line feed"); err != nil {
			t.Fatal(err)
		}
		slave.Close()
		o.Ended()
		if after := files(t); after != before {
			t.Errorf("mode %q: %d open files, %d before", mode, after, before)
		}
		k := taker{t: t, dir: dir}
		if mode == api.Discard {
			if _, err := os.Stat(api.SegmentFile(dir, 1)); err == nil {
				t.Error("there is a log")
			}
			continue
		}
		k.take()
		got, want := strings.Join(k.lines[0], "\n"), strings.ReplaceAll(lines(0, count), "\n", "\r\n")+"no line feed"
		if got != want || len(k.lines[1]) > 0 {
			t.Errorf("%d bytes, want %d; %d lines of errors", len(got), len(want), len(k.lines[1]))
		}
	}
}

// TestNoTerminal has a runtime that does not send one.
func TestNoTerminal(t *testing.T) {
	null := func() int {
		fd, err := unix.Open(os.DevNull, unix.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		return fd
	}
	for name, do := range map[string]func(socket string){
		"nothing":   func(socket string) { send(t, socket) },
		"two files": func(socket string) { send(t, socket, null(), null()) },
		"hangs up": func(socket string) {
			c, err := net.Dial("unix", socket)
			if err != nil {
				t.Fatal(err)
			}
			c.Close()
		},
	} {
		dir, before := t.TempDir(), files(t)
		o, err := Open(api.Container{Terminal: true, Log: api.Log{Mode: api.Blocking}}, t.TempDir(), dir)
		if err != nil {
			t.Fatal(err)
		}
		do(o.Stdio.Console)
		if err := o.Created(); err == nil {
			t.Errorf("%s: a terminal came", name)
		}
		o.Close()
		if after := files(t); after != before {
			t.Errorf("%s: %d open files, %d before", name, after, before)
		}
		if left, err := fs.Glob(os.DirFS(dir), "*"); err != nil || len(left) > 0 {
			t.Errorf("%s: left %q, %v", name, left, err)
		}
	}
}

// TestInput reads the standard input that containers get.
func TestInput(t *testing.T) {
	for _, c := range []struct {
		interactive bool
		want        error
	}{{false, nil}, {true, unix.EAGAIN}} {
		o, err := Open(api.Container{Interactive: c.interactive}, t.TempDir(), t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		in, err := unix.Dup(int(o.Stdio.Files[0].Fd()))
		if err == nil {
			err = unix.SetNonblock(in, true)
		}
		if err != nil {
			t.Fatal(err)
		}
		o.Started()
		if n, err := unix.Read(in, make([]byte, 1)); err != c.want || n > 0 {
			t.Errorf("interactive %v: read %d bytes, %v", c.interactive, n, err)
		}
		o.Ended()
		if n, err := unix.Read(in, make([]byte, 1)); err != nil || n != 0 {
			t.Errorf("interactive %v: at the end %d bytes, %v", c.interactive, n, err)
		}
		unix.Close(in)
	}
}
