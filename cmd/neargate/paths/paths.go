// Package paths is neargate path: it asks whether traffic passes between a network
// interface and an address of an installation's networks, and prints the answer hop
// by hop.
package paths

import (
	"context"
	"flag"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"neargate/resource/network/path"
	"neargate/store"
	"neargate/store/tables/networks"
)

// Request is a question, in words.
type Request struct {
	Source, Destination string // ids, or an address for Destination
	Port, FromPort      int    // 0: any
	Protocol            string // tcp, udp, icmp or a number
	From                string // address of the source; empty: its first, or any of the internet's
	JSON                bool   `json:"-"`
}

// Flags defines what the command line may say besides source and destination.
func (r *Request) Flags(fs *flag.FlagSet) {
	fs.StringVar(&r.Protocol, "protocol", "tcp", "tcp, udp, icmp or a number")
	fs.StringVar(&r.From, "from", "", "`ADDRESS` the packet comes from, of an internet gateway or an appliance")
	fs.IntVar(&r.FromPort, "from-port", 0, "`PORT` the packet comes from; any unless said")
	fs.BoolVar(&r.JSON, "json", false, "print JSON")
}

// Parse reads source and destination, the latter as ID, ADDRESS, ID:PORT or
// ADDRESS:PORT; one of IPv6 with a port is in brackets.
func (r *Request) Parse(source, destination string) error {
	r.Source = source
	host, port, ok := strings.Cut(destination, ":")
	if a, err := netip.ParseAddrPort(destination); err == nil {
		host, port, ok = a.Addr().String(), strconv.Itoa(int(a.Port())), true
	} else if a, err := netip.ParseAddr(destination); err == nil {
		host, port, ok = a.String(), "", false
	}
	r.Destination = host
	if ok {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return fmt.Errorf("%q is no port", port)
		}
		r.Port = int(n)
	}
	_, err := r.query()
	return err
}

// query is the request as package path reads it.
func (r *Request) query() (path.Query, error) {
	q := path.Query{Source: r.Source, Around: true}
	if r.Source == "" || r.Destination == "" {
		return q, fmt.Errorf("a source and a destination are wanted")
	}
	var err error
	if q.Protocol, err = protocol(r.Protocol); err != nil {
		return q, err
	}
	if a, err := netip.ParseAddr(r.Destination); err == nil && !a.Is4In6() && a.Zone() == "" {
		if q.To = a; a.Is6() && q.Protocol == path.ICMP {
			q.Protocol = path.ICMPv6
		}
	} else if strings.Contains(r.Destination, "-") {
		q.Target = r.Destination
	} else {
		return q, fmt.Errorf("%q is neither an id nor an address", r.Destination)
	}
	if r.From != "" {
		if q.From, err = netip.ParseAddr(r.From); err != nil || q.From.Is4In6() || q.To.IsValid() && q.From.Is4() != q.To.Is4() {
			return q, fmt.Errorf("%q is no address of the destination's family", r.From)
		}
	}
	for _, p := range []struct {
		n  int
		to *path.Range
	}{{r.Port, &q.Ports}, {r.FromPort, &q.FromPorts}} {
		if p.n < 0 || p.n > 65535 {
			return q, fmt.Errorf("%d is no port", p.n)
		}
		if p.n > 0 {
			*p.to = path.Range{From: p.n, To: p.n}
		}
	}
	if r.Port == 0 && (q.Protocol == path.TCP || q.Protocol == path.UDP) {
		return q, fmt.Errorf("%s wants a port: %s:PORT", r.Protocol, r.Destination)
	}
	return q, nil
}

func protocol(s string) (int, error) {
	switch strings.ToLower(s) {
	case "tcp":
		return path.TCP, nil
	case "udp":
		return path.UDP, nil
	case "icmp":
		return path.ICMP, nil
	}
	n, err := strconv.ParseUint(s, 10, 8)
	if err != nil {
		return 0, fmt.Errorf("%q is no protocol", s)
	}
	return int(n), nil
}

// Find answers a request about an installation whose public addresses are pool.
func Find(ctx context.Context, st store.Store, pool netip.Prefix, r Request) (path.Result, error) {
	q, err := r.query()
	if err != nil {
		return path.Result{}, err
	}
	var n path.Network
	err = st.View(ctx, func(tx store.Tx) error {
		n, err = networks.LoadAll(tx, pool)
		return err
	})
	if err != nil {
		return path.Result{}, err
	}
	return path.Find(&n, q), nil
}
