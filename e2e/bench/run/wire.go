package main

import (
	"errors"
	"net"
	"os"
	"path/filepath"

	"github.com/vishvananda/netlink"

	"neargate/internal/netns"
	"neargate/node/network/kern"
)

// mtu is that of interfaces in a VPC.
const mtu = 9001

// spaces makes network namespaces.
func (w *wires) spaces(names ...string) (paths []string, err error) {
	dir := filepath.Join(w.dir, "netns")
	if len(w.undo) == 0 {
		if err := netns.Prepare(dir); err != nil {
			return nil, err
		}
		w.undo = append(w.undo, func() error { return netns.Discard(dir) })
	}
	for _, name := range names {
		path := filepath.Join(dir, name)
		if err := netns.Create(path); err != nil {
			return nil, err
		}
		paths = append(paths, path)
	}
	return paths, nil
}

// pair is two namespaces with an interface each, which are the ends of a veth pair.
func (w *wires) pair(near, far string) (pair [2]string, err error) {
	paths, err := w.spaces(name(near), name(far))
	if err != nil {
		return pair, err
	}
	if err := cable(paths[0], "eth0", paths[1]); err != nil {
		return pair, err
	}
	pair = [2]string{paths[0], paths[1]}
	return pair, errors.Join(address(paths[0], near), address(paths[1], far))
}

// bridge is two namespaces with an interface each at a bridge in a third.
func (w *wires) bridge(near, far string) (pair [2]string, err error) {
	paths, err := w.spaces(name(near), name(far), "bridge")
	if err != nil {
		return pair, err
	}
	err = kern.Inside(paths[2], func(k *netlink.Handle) error {
		return k.LinkAdd(&netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "br0", Flags: net.FlagUp, MTU: mtu, TxQLen: -1}})
	})
	if err != nil {
		return pair, err
	}
	for i, port := range []string{"port0", "port1"} {
		if err := cable(paths[2], port, paths[i]); err != nil {
			return pair, err
		}
		err := kern.Inside(paths[2], func(k *netlink.Handle) error {
			return kern.WithLink(k, "br0", func(bridge netlink.Link) error {
				return kern.WithLink(k, port, func(l netlink.Link) error {
					return errors.Join(k.LinkSetMaster(l, bridge), k.LinkSetUp(l))
				})
			})
		})
		if err != nil {
			return pair, err
		}
	}
	pair = [2]string{paths[0], paths[1]}
	return pair, errors.Join(address(paths[0], near), address(paths[1], far))
}

func name(prefix string) string {
	host, _, _ := net.ParseCIDR(prefix)
	return host.String()
}

// cable makes a veth pair of a device in a namespace and eth0 in another.
func cable(space, device, far string) error {
	f, err := os.Open(far)
	if err != nil {
		return err
	}
	defer f.Close()
	return kern.Inside(space, func(k *netlink.Handle) error {
		return k.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: device, MTU: mtu, TxQLen: -1},
			PeerName: "eth0", PeerNamespace: netlink.NsFd(int(f.Fd())), PeerMTU: mtu})
	})
}

// address gives eth0 of a namespace an address and sets it up, and lo.
func address(space, prefix string) error {
	a, err := netlink.ParseAddr(prefix)
	if err != nil {
		return err
	}
	return kern.Inside(space, func(k *netlink.Handle) error {
		return errors.Join(
			kern.WithLink(k, "lo", k.LinkSetUp),
			kern.WithLink(k, "eth0", func(l netlink.Link) error {
				return errors.Join(k.AddrAdd(l, a), k.LinkSetUp(l))
			}),
		)
	})
}
