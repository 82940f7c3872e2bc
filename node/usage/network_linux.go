package usage

import (
	"errors"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"neargate/internal/netns"
)

// ReadNetwork counts what passed the interfaces of the network namespace named by
// a file, loopback left out, as the task in it sees them.
func ReadNetwork(namespace string) (map[string]Traffic, error) {
	if namespace == "" {
		return nil, errors.New("usage: no network namespace")
	}
	var links []netlink.Link
	err := netns.Do(namespace, func() error {
		k, err := netlink.NewHandle(unix.NETLINK_ROUTE)
		if err != nil {
			return err
		}
		defer k.Close()
		return netns.Steady(func() (err error) {
			links, err = k.LinkList()
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	networks := map[string]Traffic{}
	for _, l := range links {
		a := l.Attrs()
		if a.RawFlags&unix.IFF_LOOPBACK != 0 || a.Statistics == nil {
			continue
		}
		networks[a.Name] = Traffic{
			ReceivedBytes: a.Statistics.RxBytes, ReceivedPackets: a.Statistics.RxPackets,
			ReceivedErrors: a.Statistics.RxErrors, ReceivedDropped: a.Statistics.RxDropped,
			SentBytes: a.Statistics.TxBytes, SentPackets: a.Statistics.TxPackets,
			SentErrors: a.Statistics.TxErrors, SentDropped: a.Statistics.TxDropped,
		}
	}
	return networks, nil
}
