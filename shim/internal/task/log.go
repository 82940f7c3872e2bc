package task

import (
	"bufio"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"neargate/shim/api"
)

// chunk is the most bytes of a line in one record.
const chunk = 64 << 10

// drain is how long output is waited for after a container's end: a pipe that
// something else holds open must not hold up the exit.
const drain = time.Second

// output is where a container's standard output and error go: a pipe for each,
// copied into one log file.
type output struct {
	stdio   [3]*os.File // the container's ends
	readers [2]*os.File
	file    *os.File
	mu      sync.Mutex // orders the records of both streams
	done    sync.WaitGroup
}

func openOutput(dir, name string) (*output, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	o := &output{}
	var err error
	if o.file, err = os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600); err != nil {
		return nil, err
	}
	if o.stdio[0], err = os.Open(os.DevNull); err != nil {
		return nil, err
	}
	for i := range o.readers {
		var fds [2]int
		if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
			return nil, err
		}
		if err := unix.SetNonblock(fds[0], true); err != nil { // for deadlines; the container's end blocks
			return nil, err
		}
		o.readers[i], o.stdio[i+1] = os.NewFile(uintptr(fds[0]), "output"), os.NewFile(uintptr(fds[1]), "stdio")
	}
	return o, nil
}

// started closes the container's ends and begins to copy.
func (o *output) started() {
	for _, f := range o.stdio {
		f.Close()
	}
	for i, r := range o.readers {
		o.done.Go(func() { o.copy(r, i == 1) })
	}
}

// ended returns when everything the container wrote is in the file.
func (o *output) ended() {
	_ = o.readers[0].SetReadDeadline(time.Now().Add(drain))
	_ = o.readers[1].SetReadDeadline(time.Now().Add(drain))
	o.done.Wait()
	o.close()
}

// close closes everything.
func (o *output) close() {
	for _, f := range append(o.stdio[:], o.readers[0], o.readers[1], o.file) {
		f.Close()
	}
}

func (o *output) copy(from *os.File, isError bool) {
	r := bufio.NewReaderSize(from, chunk)
	var buf []byte
	for {
		line, err := r.ReadSlice('\n')
		if len(line) > 0 {
			full := line[len(line)-1] == '\n'
			if full {
				line = line[:len(line)-1]
			}
			o.mu.Lock()
			record := api.Record{At: time.Now(), Error: isError, Partial: !full && err == bufio.ErrBufferFull, Bytes: line}
			buf = record.Append(buf[:0])
			_, _ = o.file.Write(buf) // a full disk loses output, not the container
			o.mu.Unlock()
		}
		if err != nil && err != bufio.ErrBufferFull {
			return
		}
	}
}
