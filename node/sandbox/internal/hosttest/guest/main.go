// Command guest is what the containers of the tests run.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"neargate/node/sandbox/internal/hosttest/view"
)

func main() {
	args := os.Args[1:]
	if filepath.Base(os.Args[0]) == "true" {
		return
	}
	code, err := run(args[0], args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(does string, args []string) (int, error) {
	switch does {
	case "polite":
		return 0, untilTerm()
	case "deaf":
		signal.Ignore(syscall.SIGTERM)
		fmt.Println("ready")
		time.Sleep(time.Hour)
		return 0, nil
	case "exit":
		return strconv.Atoi(args[0])
	case "greet":
		fmt.Println("ready")
		return 0, nil
	case "say":
		fmt.Println("to output")
		fmt.Fprintln(os.Stderr, "to error output")
		fmt.Print(strings.Repeat("x", 100_000), "\nno line feed")
		return 0, nil
	case "lines":
		return 0, lines(args[0])
	case "facts":
		return 0, json.NewEncoder(os.Stdout).Encode(facts())
	case "alloc":
		return 0, alloc(args[0])
	case "hold":
		if err := alloc(args[0]); err != nil {
			return 0, err
		}
		return 0, untilTerm()
	case "share":
		return 0, share(args[0])
	case "touch":
		return 0, touch(args[0])
	case "signals":
		return 0, signals()
	case "reads":
		return 0, reads()
	case "limits":
		return 0, json.NewEncoder(os.Stdout).Encode(limits())
	case "limited":
		return 0, errors.Join(untilTerm(), json.NewEncoder(os.Stdout).Encode(limits()))
	case "orphan":
		return 0, orphan()
	case "parent":
		return 0, exec.Command("/proc/self/exe", "child", strconv.Itoa(os.Getpid())).Start()
	case "child":
		for args[0] == strconv.Itoa(os.Getppid()) {
			time.Sleep(time.Millisecond)
		}
		return 0, nil
	case "terminal":
		return 0, terminal()
	case "default":
		return 0, byDefault()
	case "ps":
		return 0, ps()
	case "trace":
		return 0, trace(args[0])
	case "append":
		return 0, appendTo(args[0])
	case "put":
		return 0, put(args[0], args[1])
	case "bomb":
		return 0, bomb()
	case "spin":
		for begin := time.Now(); time.Since(begin) < time.Minute; {
		}
		return 0, nil
	case "fork":
		return 0, fork(args[0])
	case "fill":
		return 0, fill(args[0])
	case "write":
		return 0, os.WriteFile(args[0], []byte(args[1]), 0o644)
	case "read":
		b, err := os.ReadFile(args[0])
		fmt.Print(string(b))
		return 0, err
	case "serve":
		return 0, serve(args[0], strings.Join(args[1:], " "))
	case "dial":
		return 0, dial(args[0])
	case "sleep":
		time.Sleep(time.Hour)
	}
	return 0, errors.New("what is " + does + "?")
}

// lines writes numbered lines.
func lines(n string) error {
	count, err := strconv.Atoi(n)
	w := bufio.NewWriter(os.Stdout)
	for i := 0; i < count && err == nil; i++ {
		_, err = fmt.Fprintln(w, "line", i)
	}
	return errors.Join(err, w.Flush())
}

// untilTerm waits for SIGTERM.
func untilTerm() error {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGTERM)
	fmt.Println("ready")
	<-c
	return nil
}

func facts() view.Facts {
	f := view.Facts{PID: os.Getpid(), UID: os.Getuid(), GID: os.Getgid(), Env: os.Environ()}
	f.Groups, _ = os.Getgroups()
	f.Cwd, _ = os.Getwd()
	f.Hostname, _ = os.Hostname()
	var l syscall.Rlimit
	_ = syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l)
	f.NoFile = l.Max
	b, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, "CapEff:"); ok {
			f.CapEff = strings.TrimSpace(v)
		}
	}
	b, _ = os.ReadFile("/proc/meminfo")
	_, _ = fmt.Sscanf(string(b), "MemTotal: %d", &f.MemTotal)
	b, _ = os.ReadFile("/sys/fs/cgroup/memory/memory.limit_in_bytes")
	f.MemLimit, _ = strconv.Atoi(strings.TrimSpace(string(b)))
	f.CPUs = runtime.NumCPU()
	f.Links, f.Routes = network()
	f.RootWritable = os.WriteFile("/probe", nil, 0o600) == nil
	return f
}

// network is the network as the process sees it.
func network() (links, routes string) {
	all, err := net.Interfaces()
	for _, l := range all {
		addresses, _ := l.Addrs()
		links += fmt.Sprintln(l, addresses)
	}
	b, _ := os.ReadFile("/proc/net/route")
	if err != nil {
		links = err.Error()
	}
	return links, string(b)
}

// alloc touches so many MiB.
func alloc(mib string) error {
	n, err := strconv.Atoi(mib)
	var all [][]byte
	for range n {
		b := make([]byte, 1<<20)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		all = append(all, b)
	}
	fmt.Println("allocated", len(all))
	return err
}

// fork starts so many processes and says how many it got.
func fork(count string) error {
	n, err := strconv.Atoi(count)
	got := 0
	for range n {
		c := exec.Command("/proc/self/exe", "sleep")
		if c.Start() != nil {
			break
		}
		got++
	}
	fmt.Println("forked", got)
	return errors.Join(err, untilTerm())
}

// fill writes to a file until that fails, and exits well if the disk is full.
func fill(file string) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer os.Remove(file)
	block := []byte(strings.Repeat("0123456789abcdef", 1<<16))
	for i := range 512 {
		if _, err = f.Write(block); err == nil {
			err = f.Sync()
		}
		if err != nil {
			fmt.Println("wrote", i)
			break
		}
	}
	if errors.Is(err, syscall.ENOSPC) {
		return nil
	}
	return fmt.Errorf("the disk did not get full: %w", err)
}

// serve says hello, and more, to whoever connects.
func serve(addr, more string) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		_, _ = io.WriteString(c, "hello"+more)
		c.Close()
	}
}

func dial(addr string) error {
	var c net.Conn
	var err error
	for range 100 {
		if c, err = net.Dial("tcp", addr); err == nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if err != nil {
		return err
	}
	b, err := io.ReadAll(c)
	fmt.Println(string(b))
	return err
}
