package usage

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// ReadHost tells what the host's processors had done by now.
func ReadHost() (Host, error) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return Host{}, err
	}
	return parseStat(b)
}

// ticks is USER_HZ, the unit of /proc/stat, which is the same on every
// architecture that Go runs on.
const ticks = 100

// parseStat reads /proc/stat. Guest time is part of user time. Source: proc_stat(5).
func parseStat(b []byte) (Host, error) {
	var h Host
	for s := bufio.NewScanner(bytes.NewReader(b)); s.Scan(); {
		f := strings.Fields(s.Text())
		if len(f) == 0 || !strings.HasPrefix(f[0], "cpu") {
			continue
		}
		if f[0] != "cpu" {
			h.CPUs++
			continue
		}
		for _, n := range f[1:min(len(f), 9)] {
			v, err := strconv.ParseInt(n, 10, 64)
			if err != nil {
				return Host{}, fmt.Errorf("usage: /proc/stat: %w", err)
			}
			h.CPU += time.Duration(v) * (time.Second / ticks)
		}
	}
	if h.CPU == 0 || h.CPUs == 0 {
		return Host{}, errors.New("usage: /proc/stat tells of no processor")
	}
	return h, nil
}

// Clock is how well the host's clock is kept.
type Clock struct {
	At           time.Time
	Synchronized bool
	Error        time.Duration // the clock is off by no more; only if synchronized
}

// ReadClock asks the kernel about the clock.
func ReadClock() (Clock, error) {
	var x unix.Timex
	state, err := unix.Adjtimex(&x)
	if err != nil {
		return Clock{}, os.NewSyscallError("adjtimex", err)
	}
	c := Clock{At: time.Now(), Synchronized: state != unix.TIME_ERROR && x.Status&unix.STA_UNSYNC == 0}
	if c.Synchronized {
		c.Error = time.Duration(x.Maxerror) * time.Microsecond
	}
	return c, nil
}
