package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

var signals = map[string]syscall.Signal{
	"HUP": syscall.SIGHUP, "INT": syscall.SIGINT, "QUIT": syscall.SIGQUIT, "TERM": syscall.SIGTERM, "USR1": syscall.SIGUSR1,
	"USR2": syscall.SIGUSR2, "WINCH": syscall.SIGWINCH, "KILL": syscall.SIGKILL, "ABRT": syscall.SIGABRT, "SEGV": syscall.SIGSEGV,
}

func named(names []string) ([]os.Signal, error) {
	var list []os.Signal
	for _, n := range names {
		s, ok := signals[strings.TrimPrefix(n, "SIG")]
		if !ok {
			return nil, fmt.Errorf("which signal is %s?", n)
		}
		list = append(list, s)
	}
	return list, nil
}

func nameOf(s os.Signal) string {
	for n, v := range signals {
		if v == s {
			return "SIG" + n
		}
	}
	return s.String()
}

// forever blocks in a way that Go's runtime does not take for a deadlock.
func forever() error {
	for {
		time.Sleep(time.Hour)
	}
}

// raw prints a string as Go quotes it, without a line feed of its own.
func raw(args []string) error {
	s, err := strconv.Unquote(`"` + args[0] + `"`)
	if err != nil {
		return err
	}
	_, err = os.Stdout.WriteString(s)
	return err
}

// lines prints numbered lines at a rate a second; a rate of 0 is as fast as it goes.
func lines(args []string) error {
	count, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	rate, err := strconv.ParseFloat(args[1], 64)
	if err != nil {
		return err
	}
	padding := ""
	if len(args) > 3 {
		n, err := strconv.Atoi(args[3])
		if err != nil {
			return err
		}
		padding = " " + strings.Repeat("x", n)
	}
	begin := time.Now()
	for i := range count {
		if rate > 0 {
			time.Sleep(time.Until(begin.Add(time.Duration(float64(i) / rate * float64(time.Second)))))
		}
		if _, err := fmt.Printf("%s %d%s\n", args[2], i, padding); err != nil {
			return err
		}
	}
	return nil
}

func sleep(args []string) error {
	d, err := time.ParseDuration(args[0])
	time.Sleep(d)
	return err
}

func exit(args []string) error {
	code, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	os.Exit(code)
	return nil
}

func suicide(args []string) error {
	list, err := named(args)
	if err != nil {
		return err
	}
	if err := syscall.Kill(os.Getpid(), list[0].(syscall.Signal)); err != nil {
		return err
	}
	return forever()
}

func trap(args []string) error {
	list, err := named(args[1:])
	if err != nil {
		return err
	}
	c := make(chan os.Signal, 1)
	signal.Notify(c, list...)
	fmt.Println("waiting for", strings.Join(args[1:], " "))
	fmt.Println("got", nameOf(<-c))
	return exit(args)
}

func deaf(args []string) error {
	list, err := named(args)
	if err != nil {
		return err
	}
	signal.Ignore(list...)
	fmt.Println("deaf to", strings.Join(args, " "))
	return forever()
}

func wait(args []string) error {
	for {
		if _, err := os.Stat(args[0]); err == nil {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func appendTo(args []string) error {
	f, err := os.OpenFile(args[0], os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = fmt.Fprintln(f, args[1])
	return err
}

func read(args []string) error {
	b, err := os.ReadFile(args[0])
	fmt.Print(string(b))
	return err
}

func list(args []string) error {
	entries, err := os.ReadDir(args[0])
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			return err
		}
		s := info.Sys().(*syscall.Stat_t)
		fmt.Printf("%s %d:%d %d %s\n", info.Mode(), s.Uid, s.Gid, info.Size(), e.Name())
	}
	return err
}

// facts prints what the process sees of itself, as one line of JSON.
func facts([]string) error {
	f := map[string]any{"pid": os.Getpid(), "uid": os.Getuid(), "gid": os.Getgid(), "args": os.Args}
	env := map[string]string{}
	for _, e := range os.Environ() {
		k, v, _ := strings.Cut(e, "=")
		env[k] = v
	}
	f["env"] = env
	f["groups"], _ = os.Getgroups()
	f["cwd"], _ = os.Getwd()
	f["hostname"], _ = os.Hostname()
	limits := map[string][2]uint64{}
	for name, n := range map[string]int{"nofile": syscall.RLIMIT_NOFILE, "core": syscall.RLIMIT_CORE, "nproc": 6, "stack": syscall.RLIMIT_STACK, "memlock": 8} {
		var l syscall.Rlimit
		if err := syscall.Getrlimit(n, &l); err == nil {
			limits[name] = [2]uint64{l.Cur, l.Max}
		}
	}
	f["limits"] = limits
	f["capabilities"] = statusOf("CapEff")
	f["threads"] = statusOf("Threads")
	if m, err := os.ReadFile("/proc/self/mounts"); err == nil {
		f["mounts"] = strings.Split(strings.TrimSpace(string(m)), "\n")
	}
	f["rootWritable"] = os.WriteFile("/.probe", nil, 0o600) == nil
	if procs, err := os.ReadDir("/proc"); err == nil {
		n := 0
		for _, p := range procs {
			if _, err := strconv.Atoi(p.Name()); err == nil {
				n++
			}
		}
		f["processes"] = n
	}
	return json.NewEncoder(os.Stdout).Encode(f)
}

// terminal says which of the standard files are terminals, and of what kind.
func terminal() {
	for fd, name := range []string{"input", "output", "error"} {
		is := "is no terminal"
		var attributes [64]byte // struct termios
		if _, _, e := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), syscall.TCGETS, uintptr(unsafe.Pointer(&attributes))); e == 0 {
			is = "is a terminal"
		}
		fmt.Println(name, is)
	}
	fmt.Printf("TERM=%s\n", os.Getenv("TERM"))
}

func input(args []string) error {
	fmt.Println(strings.Join(args, " "))
	_, err := io.Copy(io.Discard, os.Stdin)
	fmt.Println("end of input")
	return err
}

func statusOf(key string) string {
	b, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, key+":"); ok {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

func sysctl(args []string) error {
	return read([]string{"/proc/sys/" + strings.ReplaceAll(args[0], ".", "/")})
}
