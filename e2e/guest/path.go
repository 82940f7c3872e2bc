package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// Kinds of connections to an answer, by their first byte.
const (
	kindLines = 'l' // lines, each of which is answered with itself
	kindBytes = 'b' // their number, and they, of which the last is answered
	kindNone  = 'n' // nothing
)

// answer accepts connections at an address, for measure.
func answer(args []string) error {
	l, err := net.Listen("tcp", args[0])
	if err != nil {
		return err
	}
	fmt.Println("answering", args[0])
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			in := bufio.NewReader(c)
			switch kind, _ := in.ReadByte(); kind {
			case kindLines:
				for {
					line, err := in.ReadSlice('\n')
					if err != nil {
						return
					}
					if _, err := c.Write(line); err != nil {
						return
					}
				}
			case kindBytes:
				var n int64
				if binary.Read(in, binary.BigEndian, &n) == nil {
					if got, _ := io.CopyN(io.Discard, in, n); got == n {
						c.Write([]byte{1})
					}
				}
			}
		}()
	}
}

// measure prints what the way to an answer can: microseconds of a round trip, connections
// a second, or megabytes a second.
func measure(args []string) error {
	n, err := strconv.Atoi(args[2])
	if err != nil || n < 1 {
		return fmt.Errorf("measure %s", args[2])
	}
	var figure float64
	switch args[0] {
	case "round-trip":
		figure, err = roundTrip(args[1], n)
	case "connections":
		figure, err = connections(args[1], n)
	case "throughput":
		figure, err = throughput(args[1], n)
	default:
		err = fmt.Errorf("measure what? %s", args[0])
	}
	if err == nil {
		fmt.Println(figure)
	}
	return err
}

// open is a connection of a kind.
func open(address string, kind byte) (net.Conn, error) {
	c, err := net.DialTimeout("tcp", address, 10*time.Second)
	if err != nil {
		return nil, err
	}
	if _, err := c.Write([]byte{kind}); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, c.SetDeadline(time.Now().Add(time.Minute))
}

func roundTrip(address string, n int) (float64, error) {
	c, err := open(address, kindLines)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	in, begin := bufio.NewReader(c), time.Now()
	for range n {
		if _, err := c.Write([]byte("\n")); err != nil {
			return 0, err
		}
		if _, err := in.ReadByte(); err != nil {
			return 0, err
		}
	}
	return time.Since(begin).Seconds() * 1e6 / float64(n), nil
}

func connections(address string, n int) (float64, error) {
	begin := time.Now()
	for range n {
		c, err := open(address, kindNone)
		if err != nil {
			return 0, err
		}
		if _, err := c.Read(make([]byte, 1)); err != io.EOF {
			return 0, errors.Join(fmt.Errorf("no end: %w", err), c.Close())
		}
		c.Close()
	}
	return float64(n) / time.Since(begin).Seconds(), nil
}

// throughput sends n MiB.
func throughput(address string, n int) (float64, error) {
	c, err := open(address, kindBytes)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	begin, block := time.Now(), make([]byte, 1<<20)
	if err := binary.Write(c, binary.BigEndian, int64(n)<<20); err != nil {
		return 0, err
	}
	for range n {
		if _, err := c.Write(block); err != nil {
			return 0, err
		}
	}
	if _, err := c.Read(block[:1]); err != nil {
		return 0, err
	}
	return float64(n<<20) / 1e6 / time.Since(begin).Seconds(), nil
}
