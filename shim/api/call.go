package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
)

// ErrGone says that nobody answers at a socket, or stopped doing so.
var ErrGone = errors.New("shim: nobody answers")

// Call sends a request to the shim at a socket and returns its answer. Where ctx
// ends before, the shim sees the caller hang up.
func Call(ctx context.Context, socket string, r Request) (Answer, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", socket)
	if err != nil {
		return Answer{}, lost(ctx, err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if err := json.NewEncoder(conn).Encode(r); err != nil {
		return Answer{}, lost(ctx, err)
	}
	var a Answer
	if err := json.NewDecoder(conn).Decode(&a); err != nil {
		return Answer{}, lost(ctx, err)
	}
	return a, nil
}

func lost(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("%w: %w", ErrGone, err)
}

// Serve answers requests, each in a goroutine of its own, until the listener is
// closed. The context of a request ends when its caller hangs up.
func Serve(l net.Listener, answer func(context.Context, Request) Answer) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go serve(conn, answer)
	}
}

func serve(conn net.Conn, answer func(context.Context, Request) Answer) {
	defer conn.Close()
	var r Request
	if json.NewDecoder(conn).Decode(&r) != nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, conn)
		cancel()
	}()
	_ = json.NewEncoder(conn).Encode(answer(ctx, r))
}
