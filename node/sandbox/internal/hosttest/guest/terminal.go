package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"unsafe"

	"neargate/node/sandbox/internal/hosttest/view"
)

// reads reads its standard input to the end, or until SIGTERM.
func reads() error {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGTERM)
	end := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, os.Stdin)
		end <- err
	}()
	fmt.Println("ready")
	select {
	case <-c:
		return nil
	case err := <-end:
		return err
	}
}

// terminal tells of the terminal it has, and writes to it in all ways there are.
func terminal() error {
	var v view.Terminal
	for fd := range v.Is {
		var attributes [64]byte // struct termios
		v.Is[fd] = ioctl(fd, syscall.TCGETS, unsafe.Pointer(&attributes)) == nil
	}
	var size struct{ rows, columns, width, height uint16 }
	if err := ioctl(0, syscall.TIOCGWINSZ, unsafe.Pointer(&size)); err == nil {
		v.Size = [2]int{int(size.rows), int(size.columns)}
	}
	var group int32
	if err := ioctl(0, syscall.TIOCGPGRP, unsafe.Pointer(&group)); err == nil {
		v.Foreground = int(group) == syscall.Getpgrp()
	}
	v.Term = os.Getenv("TERM")
	if err := json.NewEncoder(os.Stdout).Encode(v); err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "to error output")
	tty, err := os.OpenFile("/dev/tty", os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(tty, "to the terminal")
	return errors.Join(err, tty.Close())
}

func ioctl(fd int, request uintptr, arg unsafe.Pointer) error {
	if _, _, e := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), request, uintptr(arg)); e != 0 {
		return e
	}
	return nil
}
