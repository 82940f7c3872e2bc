package nft

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"neargate/node/firewall"
)

const (
	// flowTimeout is how long a flow without packets is kept: longer than anyone
	// waits between two looks.
	flowTimeout = 4 * time.Minute
	// flowsAtMost bounds a set; what has no room is not counted.
	flowsAtMost = 1 << 17
)

// Offsets in the key of a set of flows, whose parts fill registers of 4 bytes: a name,
// two addresses, and from these on the rest.
const (
	restFlags      = 1
	restSourcePort = 4
	restPort       = restSourcePort + 2
	restSize       = restPort + 2
)

// absence is ENOENT if there is no such table.
func (t Table) absence(c *nftables.Conn) error {
	tables, err := c.ListTablesOfFamily(t.family)
	if err == nil && !slices.ContainsFunc(tables, func(x *nftables.Table) bool { return x.Name == t.name }) {
		return unix.ENOENT
	}
	return err
}

// Flows are the counts in a set of flows. full says that there was no room for more.
// The error is ENOENT when there is no such table.
func (t Table) Flows(set string) (flows map[firewall.FlowKey]firewall.FlowCount, full bool, err error) {
	flows = map[firewall.FlowKey]firewall.FlowCount{}
	err = t.do(func(c *nftables.Conn) error {
		table := &nftables.Table{Name: t.name, Family: t.family}
		size := int(headersOf(firewall.Ruleset{IPv6: t.family == nftables.TableFamilyIPv6}).size)
		list, err := c.GetSetElements(newSet(table, firewall.Set{Name: set, Kind: firewall.Flows}))
		if err != nil {
			return errors.Join(err, t.absence(c)) // which the library's error does not tell
		}
		for _, e := range list {
			if len(e.Key) != nameSize+2*size+restSize || e.Counter == nil {
				continue
			}
			device, addresses, rest := e.Key[:nameSize], e.Key[nameSize:nameSize+2*size], e.Key[nameSize+2*size:]
			source, _ := netip.AddrFromSlice(addresses[:size])
			destination, _ := netip.AddrFromSlice(addresses[size:])
			port := func(at int) int { return int(binary.BigEndian.Uint16(rest[at:])) }
			flags := int(rest[restFlags])
			if flags&firewall.FlagSYN == 0 {
				flags &^= firewall.FlagACK
			}
			k := firewall.FlowKey{
				Interface: strings.TrimRight(string(device), "\x00"), Source: source, Destination: destination,
				Protocol: int(rest[0]), SourcePort: port(restSourcePort), DestinationPort: port(restPort),
			}
			flows[k] = flows[k].And(firewall.FlowCount{Packets: e.Counter.Packets, Bytes: e.Counter.Bytes, Flags: flags})
		}
		full = len(list) >= flowsAtMost
		return nil
	}, nil)
	return flows, full, err
}

// count counts a packet under the key of its flow.
func (h header) count(device expr.MetaKey, s firewall.Statement) []expr.Any {
	at := func(load *expr.Payload, register uint32) *expr.Payload {
		load.DestRegister = register
		return load
	}
	words := h.size / 4 // an address fills so many registers
	protocol := unix.NFT_REG32_04 + 2*words
	list := []expr.Any{&expr.Meta{Key: device, Register: unix.NFT_REG32_00},
		at(h.address(h.source), unix.NFT_REG32_04), at(h.address(h.destination), unix.NFT_REG32_04+words)}
	if s.Flags { // behind the protocol's number
		list = append(list, at(transport(offsetFlags-1, 2), protocol),
			&expr.Bitwise{SourceRegister: protocol, DestRegister: protocol, Len: 2,
				Mask: []byte{0, firewall.FlowFlags}, Xor: []byte{unix.IPPROTO_TCP, 0}})
	} else {
		list = append(list, &expr.Meta{Key: expr.MetaKeyL4PROTO, Register: protocol})
	}
	if s.Ports {
		list = append(list, at(transport(0, 4), protocol+1))
	} else {
		list = append(list, &expr.Immediate{Register: protocol + 1, Data: make([]byte, 4)})
	}
	return append(list, &expr.Dynset{SrcRegKey: unix.NFT_REG32_00, SetName: s.Set, Operation: unix.NFT_DYNSET_OP_UPDATE,
		Timeout: flowTimeout, Exprs: []expr.Any{&expr.Counter{}}})
}
