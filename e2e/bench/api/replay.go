package main

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"time"
)

// replay sends the bytes of one request again and again over one connection
// until the deadline, and counts the answers. A generator this bare costs so
// little that what is measured is the server.
func replay(address string, request []byte, deadline time.Time) (n int64, err error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	r := bufio.NewReader(conn)
	for time.Now().Before(deadline) {
		if _, err := conn.Write(request); err != nil {
			return n, err
		}
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			return n, err
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			return n, err
		}
		if resp.StatusCode != http.StatusOK {
			return n, errors.New(resp.Status + ": " + string(body))
		}
		n++
		if resp.Close {
			conn.Close()
			if conn, err = net.Dial("tcp", address); err != nil {
				return n, err
			}
			r.Reset(conn)
		}
	}
	return n, nil
}
