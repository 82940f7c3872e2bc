package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// held says how long to hold what was taken: for ever, if nothing is said.
func held(args []string) error {
	if len(args) == 0 {
		return forever()
	}
	return sleep(args)
}

// alloc takes so many MiB, one after the other, says so every 16, and holds them.
func alloc(args []string) error {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	var all [][]byte
	for i := range n {
		b := make([]byte, 1<<20)
		for at := 0; at < len(b); at += 4096 {
			b[at] = byte(i) + 1
		}
		all = append(all, b)
		if len(all)%16 == 0 {
			fmt.Println("holding", len(all))
		}
	}
	fmt.Println("allocated", len(all))
	defer runtime.KeepAlive(all)
	return held(args[1:])
}

// spin uses all the CPU it gets and says how much that was, as "cpu 0.250".
func spin(args []string) error {
	threads, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	d, err := time.ParseDuration(args[1])
	if err != nil {
		return err
	}
	before, begin := cpuTime(), time.Now()
	var all sync.WaitGroup
	for range threads {
		all.Go(func() {
			for i := 0; ; i++ {
				if i%1024 == 0 && time.Since(begin) > d {
					return
				}
			}
		})
	}
	all.Wait()
	fmt.Printf("cpu %.3f\n", (cpuTime()-before).Seconds()/time.Since(begin).Seconds())
	return nil
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// threads starts so many threads of the kernel. Go ends the program, and says how
// many it had, when it gets no more.
func threads(args []string) error {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	debug.SetMaxThreads(2 * n)
	over := make(chan struct{})
	for range n {
		ready := make(chan struct{})
		go func() {
			runtime.LockOSThread()
			close(ready)
			<-over
		}()
		<-ready
	}
	fmt.Println("threads", n)
	close(over)
	return nil
}

// fill writes to a file, says how much was possible and why not more, and removes
// the file.
func fill(args []string) error {
	most := 1 << 20
	if len(args) > 1 {
		n, err := strconv.Atoi(args[1])
		if err != nil {
			return err
		}
		most = n
	}
	f, err := os.Create(args[0])
	if err != nil {
		return err
	}
	defer os.Remove(args[0])
	defer f.Close()
	block := make([]byte, 1<<20)
	for i := range block {
		block[i] = byte(i * 7)
	}
	n := 0
	for ; n < most; n++ {
		if _, err = f.Write(block); err == nil && n%16 == 15 {
			err = f.Sync()
		}
		if err != nil {
			break
		}
	}
	fmt.Println("wrote", n)
	switch {
	case errors.Is(err, syscall.ENOSPC):
		fmt.Println("full: no space left on device")
		return nil
	}
	return err
}

// reserve takes so many MiB of disk in a file without writing them, as much as
// there is, and keeps the file.
func reserve(args []string) error {
	most, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	f, err := os.Create(args[0])
	if err != nil {
		return err
	}
	defer f.Close()
	const step = 64
	n := 0
	for ; n < most; n += step {
		if err = syscall.Fallocate(int(f.Fd()), 0, int64(n)<<20, step<<20); err != nil {
			break
		}
	}
	fmt.Println("reserved", n)
	if errors.Is(err, syscall.ENOSPC) {
		fmt.Println("full: no space left on device")
		return nil
	}
	return err
}
