package dns

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/miekg/dns"

	"neargate/internal/perhost"
)

// Bounds of connections.
const (
	maxMessage    = 4096 // of a UDP message we send
	connsPerHost  = 32
	idleTimeout   = 10 * time.Second
	closingWithin = 2 * time.Second
)

// Serve answers on sockets of a VPC until ctx ends, which returns nil, or one of
// them fails. Either may be nil. Both are closed when it returns.
func (r *Resolver) Serve(ctx context.Context, vpc string, udp net.PacketConn, tcp net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var servers []*dns.Server
	if udp != nil {
		defer udp.Close()
		servers = append(servers, &dns.Server{PacketConn: udp, UDPSize: maxMessage, Handler: r.handler(ctx, vpc, true)})
	}
	if tcp != nil {
		defer tcp.Close()
		servers = append(servers, &dns.Server{Listener: perhost.Limit(tcp, connsPerHost), Handler: r.handler(ctx, vpc, false),
			IdleTimeout: func() time.Duration { return idleTimeout }})
	}
	var wg sync.WaitGroup
	failed := make([]error, len(servers))
	for i, s := range servers {
		started := make(chan struct{})
		s.NotifyStartedFunc = func() { close(started) }
		wg.Go(func() {
			err := s.ActivateAndServe()
			if ctx.Err() == nil {
				failed[i] = err
			}
			cancel()
		})
		wg.Go(func() {
			<-ctx.Done()
			end, stop := context.WithTimeout(context.Background(), closingWithin)
			defer stop()
			select {
			case <-started:
				s.ShutdownContext(end)
			case <-end.Done():
			}
		})
	}
	<-ctx.Done()
	wg.Wait()
	return errors.Join(failed...)
}

func (r *Resolver) handler(ctx context.Context, vpc string, udp bool) dns.Handler {
	return dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := r.answer(ctx, client{vpc, perhost.Addr(w.RemoteAddr())}, q)
		switch {
		case m == nil && udp:
			return
		case m == nil:
			w.Close()
			return
		case udp:
			size := dns.MinMsgSize
			if opt := q.IsEdns0(); opt != nil {
				size = min(max(size, int(opt.UDPSize())), maxMessage)
			}
			m.Truncate(size)
		default:
			m.Truncate(dns.MaxMsgSize)
		}
		w.WriteMsg(m)
	})
}
