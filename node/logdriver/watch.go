package logdriver

import (
	"encoding/binary"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// watcher wakes followers when something is written to their directories.
type watcher struct {
	fd   int
	file *os.File // of fd, for the poller
	done chan struct{}

	mu        sync.Mutex
	closed    bool
	followers map[int]*follower // by watch descriptor
}

func newWatcher() (*watcher, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("inotify_init1", err)
	}
	w := &watcher{fd: fd, file: os.NewFile(uintptr(fd), "inotify"), done: make(chan struct{}), followers: map[int]*follower{}}
	go w.run()
	return w, nil
}

// add wakes a follower from now on; it reports false if the directory cannot be
// watched, as one that is not there yet.
func (w *watcher) add(f *follower) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return false
	}
	wd, err := unix.InotifyAddWatch(w.fd, f.dir, unix.IN_MODIFY|unix.IN_CREATE|unix.IN_ONLYDIR)
	if err != nil {
		return false
	}
	w.followers[wd] = f
	f.watched.Store(true)
	return true
}

func (w *watcher) close() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.file.Close()
	<-w.done
}

// run reads events until the watcher is closed.
func (w *watcher) run() {
	defer close(w.done)
	buf := make([]byte, 16<<10)
	for {
		n, err := w.file.Read(buf)
		if err != nil {
			return
		}
		w.mu.Lock()
		for b := buf[:n]; len(b) >= unix.SizeofInotifyEvent; {
			wd, mask := int(int32(binary.NativeEndian.Uint32(b))), binary.NativeEndian.Uint32(b[4:])
			b = b[unix.SizeofInotifyEvent+binary.NativeEndian.Uint32(b[12:]):]
			w.dispatch(wd, mask)
		}
		w.mu.Unlock()
	}
}

func (w *watcher) dispatch(wd int, mask uint32) {
	if mask&unix.IN_Q_OVERFLOW != 0 {
		for _, f := range w.followers {
			f.wakeUp()
		}
		return
	}
	f := w.followers[wd]
	if f == nil {
		return
	}
	if mask&unix.IN_IGNORED != 0 { // the directory is gone
		delete(w.followers, wd)
		f.watched.Store(false)
	}
	f.wakeUp()
}
