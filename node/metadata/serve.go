package metadata

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"neargate/internal/perhost"
)

// Bounds of a connection. Source: amazon-ecs-agent, task metadata server (the
// timeouts).
const (
	readWithin    = 5 * time.Second
	writeWithin   = 5 * time.Second
	idleFor       = time.Minute
	closeWithin   = 2 * time.Second
	maxHeader     = 16 << 10
	connsPerHost  = 64
	headersWithin = 5 * time.Second
)

// Serve serves a VPC's tasks on l until ctx ends, which returns nil, or l fails.
// l is closed when it returns.
func Serve(ctx context.Context, l net.Listener, h http.Handler) error {
	s := &http.Server{
		Handler: h, ReadTimeout: readWithin, ReadHeaderTimeout: headersWithin, WriteTimeout: writeWithin, IdleTimeout: idleFor,
		MaxHeaderBytes: maxHeader, ErrorLog: log.New(io.Discard, "", 0), // tasks must not fill the host's log
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(done)
		end, cancel := context.WithTimeout(context.Background(), closeWithin)
		defer cancel()
		if s.Shutdown(end) != nil {
			s.Close()
		}
	})
	err := s.Serve(perhost.Limit(l, connsPerHost))
	if !stop() {
		<-done
		if errors.Is(err, http.ErrServerClosed) {
			return nil
		}
	}
	s.Close()
	return err
}
