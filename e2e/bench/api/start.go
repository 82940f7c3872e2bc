package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// quiet is how long a daemon is left alone before its memory is read again.
const quiet = 20 * time.Second

// measureStart prints the time from running neargate up to the first answered
// signed call, on new data and on existing data, and the memory when idle.
func measureStart(dir string) error {
	data := filepath.Join(dir, "data")
	bin, err := filepath.Abs(*neargate)
	if err != nil {
		return err
	}
	down := func() error { return exec.Command(bin, "down", "--data-dir", data).Run() }
	first := func() (*server, time.Duration, error) {
		begin := time.Now()
		if out, err := exec.Command(bin, "up", "-d", "--runtime", "fake", "--data-dir", data, "--listen", "127.0.0.1:0").CombinedOutput(); err != nil {
			return nil, 0, fmt.Errorf("%w: %s", err, out)
		}
		s, err := running(data)
		if err != nil {
			return nil, 0, err
		}
		_, err = s.send(s.request("ListClusters", map[string]any{}))
		return s, time.Since(begin), err
	}
	s, took, err := first()
	if err != nil {
		return err
	}
	defer down()
	fmt.Printf("new data: %.0f ms from neargate up to the first answered signed call\n", ms(took))
	var again []time.Duration
	for range *rounds {
		if err := down(); err != nil {
			return err
		}
		if s, took, err = first(); err != nil {
			return err
		}
		again = append(again, took)
	}
	slices.Sort(again)
	fmt.Printf("existing data: %.0f ms, median of %d (%.0f–%.0f)\n", ms(again[len(again)/2]), len(again), ms(again[0]), ms(again[len(again)-1]))
	at, err := residentMiB(s.pid)
	if err != nil {
		return err
	}
	before := cpuTime(s.pid)
	time.Sleep(quiet)
	idle, err := residentMiB(s.pid)
	fmt.Printf("idle: %d MiB resident, %d MiB after %v, in which it used %.1f %% of a processor\n",
		at, idle, quiet, 100*(cpuTime(s.pid)-before).Seconds()/quiet.Seconds())
	return err
}

// residentMiB is the resident memory of a process, from /proc.
func residentMiB(pid int) (int, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(b), "VmRSS:")
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	return kib / 1024, err
}
