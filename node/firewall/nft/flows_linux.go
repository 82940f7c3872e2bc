package nft

import (
	"encoding/binary"
	"net/netip"
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
	flowTimeout = 15 * time.Minute
	// flowsAtMost bounds a set; what has no room is not counted.
	flowsAtMost = 1 << 16
)

// Offsets in the key of a set of flows, whose parts fill registers of 4 bytes: the
// name of a device, two addresses of size bytes, a protocol, two ports.
func (h header) key() (destination, protocol, sourcePort, port, size int) {
	destination = nameSize + int(h.size)
	protocol = destination + int(h.size)
	return destination, protocol, protocol + 4, protocol + 6, protocol + 8
}

// Flows are the counts in a set of flows.
func (t Table) Flows(set string) (flows map[firewall.FlowKey]firewall.FlowCount, err error) {
	flows = map[firewall.FlowKey]firewall.FlowCount{}
	destination, protocol, sourcePort, destinationPort, size := headersOf(firewall.Ruleset{IPv6: t.family == nftables.TableFamilyIPv6}).key()
	err = t.do(func(c *nftables.Conn) error {
		table := &nftables.Table{Name: t.name, Family: t.family}
		list, err := c.GetSetElements(newSet(table, firewall.Set{Name: set, Kind: firewall.Flows}))
		for _, e := range list {
			if len(e.Key) != size || e.Counter == nil {
				continue
			}
			port := func(at int) int { return int(binary.BigEndian.Uint16(e.Key[at:])) }
			flows[firewall.FlowKey{
				Interface:   strings.TrimRight(string(e.Key[:nameSize]), "\x00"),
				Source:      addressOf(e.Key[nameSize:destination]),
				Destination: addressOf(e.Key[destination:protocol]),
				Protocol:    int(e.Key[protocol]), SourcePort: port(sourcePort), DestinationPort: port(destinationPort),
			}] = firewall.FlowCount{Packets: e.Counter.Packets, Bytes: e.Counter.Bytes}
		}
		return err
	}, nil)
	return flows, err
}

func addressOf(b []byte) netip.Addr {
	a, _ := netip.AddrFromSlice(b)
	return a
}

// count counts a packet under the key of its flow.
func (h header) count(device expr.MetaKey, s firewall.Statement) []expr.Any {
	at := func(load *expr.Payload, register uint32) *expr.Payload {
		load.DestRegister = register
		return load
	}
	source := uint32(unix.NFT_REG32_04)
	destination := source + h.size/4
	protocol := destination + h.size/4
	list := []expr.Any{&expr.Meta{Key: device, Register: unix.NFT_REG32_00},
		at(h.address(h.source), source), at(h.address(h.destination), destination),
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: protocol}}
	if s.Ports {
		list = append(list, at(transport(0, 4), protocol+1))
	} else {
		list = append(list, &expr.Immediate{Register: protocol + 1, Data: make([]byte, 4)})
	}
	return append(list, &expr.Dynset{SrcRegKey: unix.NFT_REG32_00, SetName: s.Set, Operation: unix.NFT_DYNSET_OP_UPDATE,
		Timeout: flowTimeout, Exprs: []expr.Any{&expr.Counter{}}})
}
