package kern

import (
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"neargate/internal/netns"
)

// ForgetConnections forgets the known connections that pick picks in the namespace that
// a file names, those of IPv6 if six.
func ForgetConnections(path string, six bool, pick netlink.CustomConntrackFilter) error {
	return netns.Do(path, func() error {
		k, err := netlink.NewHandle(unix.NETLINK_NETFILTER)
		if err != nil {
			return err
		}
		defer k.Close()
		for _, family := range Families(six) {
			err := netns.Steady(func() error {
				_, err := k.ConntrackDeleteFilters(netlink.ConntrackTable, netlink.InetFamily(family), pick)
				return err
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}
