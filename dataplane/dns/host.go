package dns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// How the host's resolvers are asked.
const (
	tryWithin  = 1500 * time.Millisecond
	tries      = 2 // of every server
	lookAgain  = time.Second
	maxServers = 3 // resolver(5), MAXNS
)

// Host asks the resolvers of the host, as /etc/resolv.conf names them at the time.
type Host struct {
	path, port string

	mu      sync.Mutex
	seen    string // of the file, to notice changes
	looked  time.Time
	servers []string
	first   string // the server that answered last
}

// NewHost returns the upstream of a resolv.conf file.
func NewHost(path string) *Host { return &Host{path: path, port: "53"} }

// Exchange implements [Upstream]: server after server, the one that answered last
// first, by UDP and, for an answer that is too large, by TCP.
func (h *Host) Exchange(ctx context.Context, query *dns.Msg) (*dns.Msg, error) {
	servers, err := h.list(time.Now())
	if err != nil {
		return nil, err
	}
	var last *dns.Msg
	var errs error
	for range tries {
		for _, s := range servers {
			m, err := one(ctx, query, s)
			switch {
			case err != nil:
				errs = errors.Join(errs, fmt.Errorf("%s: %w", s, err))
			case m.Rcode == dns.RcodeServerFailure, m.Rcode == dns.RcodeRefused, m.Rcode == dns.RcodeNotImplemented:
				last = m
			default:
				h.mu.Lock()
				h.first = s
				h.mu.Unlock()
				return m, nil
			}
			if ctx.Err() != nil {
				return last, orNil(last, errors.Join(errs, ctx.Err()))
			}
		}
		if last != nil {
			break // asking again changes nothing
		}
	}
	return last, orNil(last, errs)
}

func orNil(m *dns.Msg, err error) error {
	if m != nil {
		return nil
	}
	return err
}

func one(ctx context.Context, query *dns.Msg, server string) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, tryWithin)
	defer cancel()
	q := query.Copy()
	var m *dns.Msg
	for _, network := range []string{"udp", "tcp"} {
		q.Id = dns.Id()
		var err error
		m, _, err = (&dns.Client{Net: network, Timeout: tryWithin}).ExchangeContext(ctx, q, server)
		if err != nil {
			return nil, err
		}
		if !m.Response || len(m.Question) != 1 || !strings.EqualFold(m.Question[0].Name, q.Question[0].Name) ||
			m.Question[0].Qtype != q.Question[0].Qtype || m.Question[0].Qclass != q.Question[0].Qclass {
			return nil, errors.New("answers another question")
		}
		if !m.Truncated {
			break
		}
	}
	return m, nil
}

// list returns the servers in the order to ask them, looking at the file at most
// once a second. What was there before holds while it cannot be read.
func (h *Host) list(now time.Time) ([]string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.servers == nil || now.Sub(h.looked) >= lookAgain || now.Before(h.looked) {
		h.looked = now
		if err := h.look(); err != nil && h.servers == nil {
			return nil, err
		}
	}
	servers := slices.Clone(h.servers)
	if i := slices.Index(servers, h.first); i > 0 {
		servers = slices.Insert(slices.Delete(servers, i, i+1), 0, h.first)
	}
	return servers, nil
}

func (h *Host) look() error {
	st, err := os.Stat(h.path)
	if err != nil {
		return err
	}
	seen := fmt.Sprint(st.ModTime().UnixNano(), st.Size())
	if seen == h.seen {
		return nil
	}
	c, err := dns.ClientConfigFromFile(h.path)
	if err != nil {
		return err
	}
	if len(c.Servers) == 0 {
		c.Servers = []string{"127.0.0.1"} // resolver(5)
	}
	h.servers, h.seen = nil, seen
	for _, s := range c.Servers[:min(len(c.Servers), maxServers)] {
		h.servers = append(h.servers, net.JoinHostPort(s, h.port))
	}
	return nil
}
