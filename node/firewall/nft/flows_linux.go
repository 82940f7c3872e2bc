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

// Offsets in the key of a set of flows, whose parts fill registers of 4 bytes.
const (
	keySource      = nameSize
	keyDestination = keySource + 4
	keyProtocol    = keyDestination + 4
	keyFlags       = keyProtocol + 1
	keySourcePort  = keyProtocol + 4
	keyPort        = keySourcePort + 2
	keySize        = keyPort + 2
)

// absence is ENOENT if there is no such table.
func absence(c *nftables.Conn, name string) error {
	tables, err := c.ListTablesOfFamily(nftables.TableFamilyIPv4)
	if err == nil && !slices.ContainsFunc(tables, func(t *nftables.Table) bool { return t.Name == name }) {
		return unix.ENOENT
	}
	return err
}

// Flows are the counts in a set of flows. full says that there was no room for more.
// The error is ENOENT when there is no such table.
func (t Table) Flows(set string) (flows map[firewall.FlowKey]firewall.FlowCount, full bool, err error) {
	flows = map[firewall.FlowKey]firewall.FlowCount{}
	err = t.do(func(c *nftables.Conn) error {
		table := &nftables.Table{Name: t.name, Family: nftables.TableFamilyIPv4}
		list, err := c.GetSetElements(newSet(table, firewall.Set{Name: set, Kind: firewall.Flows}))
		if err != nil {
			return errors.Join(err, absence(c, t.name)) // which the library's error does not tell
		}
		for _, e := range list {
			if len(e.Key) != keySize || e.Counter == nil {
				continue
			}
			port := func(at int) int { return int(binary.BigEndian.Uint16(e.Key[at:])) }
			flags := int(e.Key[keyFlags])
			if flags&firewall.FlagSYN == 0 {
				flags &^= firewall.FlagACK
			}
			k := firewall.FlowKey{
				Interface:   strings.TrimRight(string(e.Key[:nameSize]), "\x00"),
				Source:      netip.AddrFrom4([4]byte(e.Key[keySource:keyDestination])),
				Destination: netip.AddrFrom4([4]byte(e.Key[keyDestination:keyProtocol])),
				Protocol:    int(e.Key[keyProtocol]), SourcePort: port(keySourcePort), DestinationPort: port(keyPort),
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
	list := []expr.Any{&expr.Meta{Key: device, Register: unix.NFT_REG32_00},
		at(h.address(h.source), unix.NFT_REG32_04), at(h.address(h.destination), unix.NFT_REG32_05)}
	if s.Flags { // behind the protocol's number
		list = append(list, at(transport(offsetFlags-1, 2), unix.NFT_REG32_06),
			&expr.Bitwise{SourceRegister: unix.NFT_REG32_06, DestRegister: unix.NFT_REG32_06, Len: 2,
				Mask: []byte{0, firewall.FlowFlags}, Xor: []byte{unix.IPPROTO_TCP, 0}})
	} else {
		list = append(list, &expr.Meta{Key: expr.MetaKeyL4PROTO, Register: unix.NFT_REG32_06})
	}
	if s.Ports {
		list = append(list, at(transport(0, 4), unix.NFT_REG32_07))
	} else {
		list = append(list, &expr.Immediate{Register: unix.NFT_REG32_07, Data: make([]byte, 4)})
	}
	return append(list, &expr.Dynset{SrcRegKey: unix.NFT_REG32_00, SetName: s.Set, Operation: unix.NFT_DYNSET_OP_UPDATE,
		Timeout: flowTimeout, Exprs: []expr.Any{&expr.Counter{}}})
}
