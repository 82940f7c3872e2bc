package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"syscall"
	"time"
)

// stream sends requests over one connection, one after the other, and polls for
// the answers: a generator that never sleeps costs no server the waking of it,
// and one this bare leaves the processor it runs on to nothing else.
type stream struct {
	address string
	next    func() []byte // the bytes of the next request

	conn net.Conn
	raw  syscall.RawConn
	buf  []byte
	have int // bytes of the answer so far
	sent time.Time
}

// replay keeps requests in flight on n connections until the deadline, tells
// took how long each answer took, and counts the answers.
func replay(address string, n int, deadline time.Time, next func() []byte, took func(time.Duration)) (answers int64, err error) {
	streams := make([]*stream, n)
	for i := range streams {
		streams[i] = &stream{address: address, next: next, buf: make([]byte, 1<<20)}
		if err := streams[i].dial(); err != nil {
			return 0, err
		}
		defer func() { streams[i].conn.Close() }()
		if err := streams[i].send(); err != nil {
			return 0, err
		}
	}
	for time.Now().Before(deadline) {
		for _, s := range streams {
			done, err := s.poll()
			if err != nil {
				return answers, err
			}
			if done {
				took(time.Since(s.sent))
				answers++
				if err := s.send(); err != nil {
					return answers, err
				}
			}
		}
	}
	return answers, nil
}

func (s *stream) dial() (err error) {
	if s.conn, err = net.Dial("tcp", s.address); err != nil {
		return err
	}
	s.raw, err = s.conn.(*net.TCPConn).SyscallConn()
	return err
}

func (s *stream) send() error {
	s.have, s.sent = 0, time.Now()
	_, err := s.conn.Write(s.next())
	return err
}

// poll reads what has come; done reports that the answer is complete.
func (s *stream) poll() (done bool, err error) {
	var n int
	if e := s.raw.Read(func(fd uintptr) bool {
		n, err = syscall.Read(int(fd), s.buf[s.have:])
		return true
	}); e != nil {
		return false, e
	}
	switch {
	case err == syscall.EAGAIN || err == syscall.EINTR:
		return false, nil
	case err != nil:
		return false, err
	case n == 0:
		return false, io.ErrUnexpectedEOF
	}
	s.have += n
	return s.complete()
}

// complete reports whether the whole answer is there. One that is not 200 is an
// error; after one that ends the connection there is a new connection.
func (s *stream) complete() (bool, error) {
	head, body, ok := bytes.Cut(s.buf[:s.have], []byte("\r\n\r\n"))
	if !ok {
		return false, nil
	}
	_, rest, ok := bytes.Cut(head, []byte("\r\nContent-Length: "))
	if !ok {
		return false, fmt.Errorf("no length: %s", head)
	}
	length, _, _ := bytes.Cut(rest, []byte("\r\n"))
	if want, err := strconv.Atoi(string(length)); err != nil || len(body) < want {
		return false, err
	}
	if !bytes.HasPrefix(head[len("HTTP/1.1"):], []byte(" 200 ")) {
		return false, errors.New(string(s.buf[:s.have]))
	}
	if bytes.Contains(head, []byte("\r\nConnection: close")) {
		s.conn.Close()
		return true, s.dial()
	}
	return true, nil
}
