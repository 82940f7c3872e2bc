package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// share lets three processes map one file in shared memory of so many MiB.
func share(mib string) error {
	n, err := strconv.Atoi(mib)
	if err != nil {
		return err
	}
	const file = "/dev/shm/shared"
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	if err := f.Truncate(int64(n) << 20); err != nil {
		return err
	}
	for range 3 {
		c := exec.Command("/proc/self/exe", "touch", file)
		c.Stderr = os.Stderr
		out, err := c.StdoutPipe()
		if err != nil {
			return err
		}
		if err := c.Start(); err != nil {
			return err
		}
		if _, err := out.Read(make([]byte, 16)); err != nil {
			return err
		}
	}
	fmt.Println("shared")
	return untilTerm()
}

// touch maps a file and writes to every page of it.
func touch(file string) error {
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	b, err := syscall.Mmap(int(f.Fd()), 0, int(info.Size()), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return err
	}
	for i := 0; i < len(b); i += 4096 {
		b[i]++
	}
	fmt.Println("touched")
	time.Sleep(time.Hour)
	return nil
}

// signals says which signals come, until SIGTERM.
func signals() error {
	c := make(chan os.Signal, 64)
	signal.Notify(c)
	fmt.Println("ready")
	for s := range c {
		if s == syscall.SIGURG || s == syscall.SIGCHLD { // Go's own, and of children
			continue
		}
		fmt.Printf("<%d>\n", s)
		if s == syscall.SIGTERM {
			return nil
		}
	}
	return nil
}

// byDefault has the kernel's own handling of SIGTERM, which Go replaces.
func byDefault() error {
	var act [4]uintptr
	if _, _, e := syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(syscall.SIGTERM), uintptr(unsafe.Pointer(&act)), 0, 8, 0, 0); e != 0 {
		return e
	}
	fmt.Println("ready")
	time.Sleep(time.Hour)
	return nil
}

// ps lists the command lines of the processes it sees.
func ps() error {
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, p := range all {
		b, _ := os.ReadFile(p)
		fmt.Println(strings.TrimSpace(string(bytes.ReplaceAll(b, []byte{0}, []byte{' '}))))
	}
	return err
}

// trace attaches to the process whose command line ends so.
func trace(command string) error {
	runtime.LockOSThread()
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return err
	}
	for _, p := range all {
		b, _ := os.ReadFile(p)
		if !bytes.HasSuffix(b, []byte("\x00"+command+"\x00")) || bytes.Contains(b, []byte("\x00trace\x00")) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(p)))
		if err != nil {
			return err
		}
		if err := syscall.PtraceAttach(pid); err != nil {
			return err
		}
		_, err = syscall.Wait4(pid, nil, syscall.WALL, nil)
		fmt.Println("traced")
		return errors.Join(err, syscall.PtraceDetach(pid))
	}
	return errors.New("no " + command)
}

// appendTo appends a line to a file and says how many it has.
func appendTo(file string) error {
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	if _, err := f.WriteString("line\n"); err != nil {
		return err
	}
	b, err := os.ReadFile(file)
	fmt.Println(bytes.Count(b, []byte("\n")))
	return errors.Join(err, f.Close())
}

// put writes so many MiB to a file.
func put(file, mib string) error {
	n, err := strconv.Atoi(mib)
	if err != nil {
		return err
	}
	f, err := os.Create(file)
	for range n {
		if err == nil {
			_, err = f.Write(make([]byte, 1<<20))
		}
	}
	return errors.Join(err, f.Sync(), f.Close())
}

// bomb starts as many processes as it can, each of which does the same.
func bomb() error {
	fmt.Println("ready")
	for {
		if exec.Command("/proc/self/exe", "bomb").Start() != nil {
			time.Sleep(10 * time.Millisecond)
		}
	}
}

// limits are all resource limits, soft and hard, by their numbers.
func limits() (all [16][2]uint64) {
	for i := range all {
		var l syscall.Rlimit
		if syscall.Getrlimit(i, &l) == nil {
			all[i] = [2]uint64{l.Cur, l.Max}
		}
	}
	return all
}

// orphan makes a process whose parent ends before it does, and waits until nothing
// is left of it.
func orphan() error {
	if err := exec.Command("/proc/self/exe", "parent").Run(); err != nil {
		return err
	}
	var left []string
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		all, err := filepath.Glob("/proc/[0-9]*")
		if err != nil {
			return err
		}
		left = left[:0]
		for _, p := range all {
			stat, _ := os.ReadFile(p + "/stat")
			command, _ := os.ReadFile(p + "/cmdline")
			if bytes.Contains(stat, []byte(") Z ")) || bytes.Contains(command, []byte("\x00child\x00")) {
				left = append(left, string(stat))
			}
		}
		if len(left) == 0 {
			return nil
		}
	}
	return fmt.Errorf("left: %q", left)
}
