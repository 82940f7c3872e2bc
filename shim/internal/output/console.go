package output

import (
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// arrival bounds the wait for a terminal that has been sent.
const arrival = 5 * time.Second

// listen makes the socket where the terminal comes, in a directory that is nobody
// else's.
func (o *Output) listen(runDir string) error {
	name, err := os.CreateTemp(runDir, "t")
	if err != nil {
		return err
	}
	o.Stdio.Console = name.Name()
	if err := errors.Join(name.Close(), os.Remove(name.Name())); err != nil {
		return err
	}
	o.console, err = net.ListenUnix("unix", &net.UnixAddr{Name: name.Name(), Net: "unix"})
	return err
}

// Created takes the terminal, if there is to be one, which the runtime has sent.
func (o *Output) Created() error {
	if o.console == nil {
		return nil
	}
	defer o.console.Close() // and removes the socket
	if err := o.receive(); err != nil {
		return fmt.Errorf("terminal: %w", err)
	}
	return nil
}

func (o *Output) receive() error {
	deadline := time.Now().Add(arrival)
	if err := o.console.SetDeadline(deadline); err != nil {
		return err
	}
	conn, err := o.console.AcceptUnix()
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	name, rights := make([]byte, 4096), make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := conn.ReadMsgUnix(name, rights)
	if err != nil {
		return err
	}
	messages, err := unix.ParseSocketControlMessage(rights[:n])
	if err != nil {
		return err
	}
	if len(messages) != 1 {
		return fmt.Errorf("%d control messages", len(messages))
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		return err
	}
	if len(fds) != 1 {
		for _, fd := range fds {
			unix.Close(fd)
		}
		return fmt.Errorf("%d files", len(fds))
	}
	if err := unix.SetNonblock(fds[0], true); err != nil { // for deadlines
		return errors.Join(err, unix.Close(fds[0]))
	}
	o.readers = append(o.readers, os.NewFile(uintptr(fds[0]), "terminal"))
	return nil
}
