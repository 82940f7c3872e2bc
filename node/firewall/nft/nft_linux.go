// Package nft puts rulesets into the kernel's nftables, each time in one
// transaction: a packet meets the old rules or the new ones.
package nft

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"neargate/node/firewall"
)

const (
	// bufferSize of the netlink socket: a transaction is one message, and
	// each of its parts is acknowledged.
	bufferSize = 32 << 20
	// elementsPerPart keeps an attribute below netlink's 64 KiB.
	elementsPerPart = 1000
	nameSize        = 16 // of a device, padded (IFNAMSIZ)
)

// Table is a table of the family ip or ip6 in the namespace named by a file.
type Table struct {
	path, name string
	family     nftables.TableFamily
}

// Open returns the table name of the family ip in the namespace that the file path
// names; an empty path is the namespace of the process.
func Open(path, name string) Table { return Table{path, name, nftables.TableFamilyIPv4} }

// OpenIPv6 is Open for the family ip6.
func OpenIPv6(path, name string) Table { return Table{path, name, nftables.TableFamilyIPv6} }

// Generation is a number that every change of nftables in the namespace changes.
func (t Table) Generation() (uint32, error) {
	var id uint32
	err := t.do(func(*nftables.Conn) error { return nil }, func(fd int) (err error) {
		id, err = generation(fd)
		return err
	})
	return id, err
}

// Replace makes r the whole content of the table.
func (t Table) Replace(r firewall.Ruleset) error {
	return t.do(func(c *nftables.Conn) error {
		table := &nftables.Table{Name: t.name, Family: t.family}
		c.AddTable(table) // so that deleting it never fails
		c.DelTable(table)
		c.AddTable(table)
		return add(c, table, r)
	}, nil)
}

// Change applies changes of sets.
func (t Table) Change(changes []firewall.Change) error {
	return t.do(func(c *nftables.Conn) error {
		table := &nftables.Table{Name: t.name, Family: t.family}
		for _, change := range changes {
			set := newSet(table, change.Set)
			for part := range slices.Chunk(elements(change.Set.Kind, change.Remove), elementsPerPart) {
				if err := c.SetDeleteElements(set, part); err != nil {
					return err
				}
			}
			for part := range slices.Chunk(elements(change.Set.Kind, change.Add), elementsPerPart) {
				if err := c.SetAddElements(set, part); err != nil {
					return err
				}
			}
		}
		return nil
	}, nil)
}

// Delete removes the table. A table that is not there is fine.
func (t Table) Delete() error {
	return t.do(func(c *nftables.Conn) error {
		table := &nftables.Table{Name: t.name, Family: t.family}
		c.AddTable(table)
		c.DelTable(table)
		return nil
	}, nil)
}

// Interfaces returns the devices in the set of verdicts named set; ok is false
// when there is no such table.
func (t Table) Interfaces(set string) (names []string, ok bool, err error) {
	err = t.do(func(c *nftables.Conn) error {
		tables, err := c.ListTablesOfFamily(t.family)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(tables, func(x *nftables.Table) bool { return x.Name == t.name })
		if i < 0 {
			return nil
		}
		ok = true
		s := newSet(tables[i], firewall.Set{Name: set, Kind: firewall.Verdicts})
		list, err := c.GetSetElements(s)
		for _, e := range list {
			names = append(names, strings.TrimRight(string(e.Key), "\x00"))
		}
		return err
	}, nil)
	return names, ok, err
}

// Handles are the numbers of the table's rules, which no later rule has again.
func (t Table) Handles() (handles []uint64, err error) {
	err = t.do(func(c *nftables.Conn) error {
		chains, err := c.ListChainsOfTableFamily(t.family)
		if err != nil {
			return err
		}
		for _, chain := range chains {
			if chain.Table.Name != t.name {
				continue
			}
			rules, err := c.GetRules(chain.Table, chain)
			if err != nil {
				return err
			}
			for _, r := range rules {
				handles = append(handles, r.Handle)
			}
		}
		return nil
	}, nil)
	return handles, err
}

// Tables lists the names of tables in the namespace.
func (t Table) Tables() (names []string, err error) {
	err = t.do(func(c *nftables.Conn) error {
		tables, err := c.ListTablesOfFamily(t.family)
		for _, x := range tables {
			names = append(names, x.Name)
		}
		return err
	}, nil)
	return names, err
}

// do runs fn with a connection to the namespace and sends what it queued; raw,
// if there is one, gets a descriptor of the namespace.
func (t Table) do(fn func(*nftables.Conn) error, raw func(fd int) error) error {
	path := t.path
	if path == "" {
		path = "/proc/self/ns/net"
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if raw != nil {
		return raw(int(f.Fd()))
	}
	c, err := nftables.New(nftables.AsLasting(), nftables.WithNetNSFd(int(f.Fd())), nftables.WithSockOptions(func(n *netlink.Conn) error {
		return errors.Join(n.SetWriteBuffer(bufferSize), n.SetReadBuffer(bufferSize))
	}))
	if err != nil {
		return err
	}
	// Closing waits until the kernel has freed what was removed, milliseconds
	// after it stopped to count.
	defer func() { go c.CloseLasting() }()
	if err := fn(c); err != nil {
		return err
	}
	if err := c.Flush(); err != nil {
		return fmt.Errorf("nftables %s: %w", t.name, err)
	}
	return nil
}

func generation(fd int) (uint32, error) {
	c, err := netlink.Dial(unix.NETLINK_NETFILTER, &netlink.Config{NetNS: fd})
	if err != nil {
		return 0, err
	}
	defer func() { go c.Close() }() // see Table.do
	reply, err := c.Execute(netlink.Message{
		Header: netlink.Header{Type: unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_GETGEN, Flags: netlink.Request},
		Data:   []byte{unix.AF_UNSPEC, unix.NFNETLINK_V0, 0, 0},
	})
	if err != nil {
		return 0, err
	}
	for _, m := range reply {
		d, err := netlink.NewAttributeDecoder(m.Data[4:])
		if err != nil {
			return 0, err
		}
		d.ByteOrder = binary.BigEndian
		for d.Next() {
			if d.Type() == unix.NFTA_GEN_ID {
				return d.Uint32(), nil
			}
		}
	}
	return 0, errors.New("nftables: no generation in the answer")
}

func add(c *nftables.Conn, table *nftables.Table, r firewall.Ruleset) error {
	for _, chain := range r.Chains {
		c.AddChain(newChain(table, chain))
	}
	for _, s := range r.Sets {
		set := newSet(table, s)
		if err := c.AddSet(set, nil); err != nil {
			return err
		}
		for part := range slices.Chunk(elements(s.Kind, s.Elements), elementsPerPart) {
			if err := c.SetAddElements(set, part); err != nil {
				return err
			}
		}
	}
	for _, chain := range r.Chains {
		for _, rule := range chain.Rules {
			c.AddRule(&nftables.Rule{Table: table, Chain: &nftables.Chain{Name: chain.Name, Table: table}, Exprs: headersOf(r).expressions(rule)})
		}
	}
	return nil
}

func newChain(table *nftables.Table, c firewall.Chain) *nftables.Chain {
	chain := &nftables.Chain{Name: c.Name, Table: table}
	if c.Hook == nil {
		return chain
	}
	hooks := map[string]*nftables.ChainHook{
		"prerouting": nftables.ChainHookPrerouting, "input": nftables.ChainHookInput,
		"forward": nftables.ChainHookForward, "postrouting": nftables.ChainHookPostrouting,
	}
	policy := nftables.ChainPolicyAccept
	if c.Hook.Policy == firewall.Drop {
		policy = nftables.ChainPolicyDrop
	}
	chain.Type, chain.Policy, chain.Hooknum = nftables.ChainType(c.Hook.Type), &policy, hooks[c.Hook.Name]
	chain.Priority = nftables.ChainPriorityRef(nftables.ChainPriority(c.Hook.Priority))
	return chain
}

func newSet(table *nftables.Table, s firewall.Set) *nftables.Set {
	addr := nftables.TypeIPAddr
	if table.Family == nftables.TableFamilyIPv6 {
		addr = nftables.TypeIP6Addr
	}
	set := &nftables.Set{Table: table, Name: s.Name, KeyType: addr}
	switch s.Kind {
	case firewall.InterfaceAddresses:
		set.KeyType, set.Concatenation = nftables.MustConcatSetType(nftables.TypeIFName, addr), true
	case firewall.Verdicts:
		set.KeyType, set.IsMap, set.DataType = nftables.TypeIFName, true, nftables.TypeVerdict
	case firewall.Translations:
		set.IsMap, set.DataType = true, addr
	case firewall.Choices:
		set.KeyType, set.IsMap, set.DataType = nftables.TypeMark, true, addr // a number of four bytes
	case firewall.Flows:
		set.KeyType, set.Concatenation = nftables.MustConcatSetType(nftables.TypeIFName, addr, addr,
			nftables.TypeInetProto, nftables.TypeMark), true // both ports are one number
		set.Dynamic, set.HasTimeout, set.Timeout, set.Size = true, true, flowTimeout, flowsAtMost
	}
	return set
}

func elements(kind firewall.Kind, list []firewall.Element) []nftables.SetElement {
	out := make([]nftables.SetElement, len(list))
	for i, e := range list {
		switch kind {
		case firewall.Addresses:
			out[i].Key = e.Address.AsSlice()
		case firewall.InterfaceAddresses:
			out[i].Key = append(name(e.Interface), e.Address.AsSlice()...)
		case firewall.Verdicts:
			out[i].Key, out[i].VerdictData = name(e.Interface), verdict(e.Verdict)
		case firewall.Translations:
			out[i].Key, out[i].Val = e.Address.AsSlice(), e.To.AsSlice()
		case firewall.Choices:
			out[i].Key, out[i].Val = binaryutil.NativeEndian.PutUint32(uint32(e.Number)), e.To.AsSlice()
		}
	}
	return out
}

func name(s string) []byte {
	b := make([]byte, nameSize)
	copy(b[:nameSize-1], s)
	return b
}

func verdict(v firewall.Verdict) *expr.Verdict {
	kinds := map[firewall.Code]expr.VerdictKind{
		firewall.Accept: expr.VerdictAccept, firewall.Drop: expr.VerdictDrop,
		firewall.Return: expr.VerdictReturn, firewall.Jump: expr.VerdictJump,
		firewall.Goto: expr.VerdictGoto,
	}
	return &expr.Verdict{Kind: kinds[v.Code], Chain: v.Chain}
}

// header is where addresses are in the header of IPv4 or IPv6, and how long they are.
type header struct{ source, destination, size uint32 }

func headersOf(r firewall.Ruleset) header {
	if r.IPv6 {
		return header{source: 8, destination: 24, size: 16}
	}
	return header{source: 12, destination: 16, size: 4}
}

// Offsets in the headers of TCP and UDP, and ICMP.
const (
	offsetPort, offsetType, offsetIC = 2, 0, 1
	offsetFlags, flagSyn             = 13, 0x02
	optionMSS, offsetMSS             = 2, 2
)

func (h header) expressions(r firewall.Rule) []expr.Any {
	var list []expr.Any
	for _, m := range r.Matches {
		list = append(list, h.match(m)...)
	}
	return append(list, h.statement(r.Do)...)
}

func (h header) match(m firewall.Match) []expr.Any {
	switch m.Field {
	case firewall.Established:
		return state(expr.CtStateBitESTABLISHED | expr.CtStateBitRELATED)
	case firewall.Invalid:
		return state(expr.CtStateBitINVALID)
	case firewall.Input:
		return []expr.Any{&expr.Meta{Key: expr.MetaKeyIIFNAME, Register: 1}, compareName(m)}
	case firewall.Output:
		return []expr.Any{&expr.Meta{Key: expr.MetaKeyOIFNAME, Register: 1}, compareName(m)}
	case firewall.InputSource: // the name fills four registers of 4 bytes
		source := h.address(h.source)
		source.DestRegister = unix.NFT_REG32_04
		return []expr.Any{&expr.Meta{Key: expr.MetaKeyIIFNAME, Register: unix.NFT_REG32_00}, source,
			&expr.Lookup{SourceRegister: unix.NFT_REG32_00, SetName: m.Set, Invert: m.Not}}
	case firewall.Source:
		return h.peer(h.address(h.source), m)
	case firewall.Destination:
		return h.peer(h.address(h.destination), m)
	case firewall.LocalSource:
		return []expr.Any{&expr.Fib{Register: 1, FlagSADDR: true, ResultADDRTYPE: true},
			&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binaryutil.NativeEndian.PutUint32(unix.RTN_LOCAL)}}
	case firewall.Protocol:
		return append([]expr.Any{&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1}}, span(m, 1)...)
	case firewall.DestinationPort:
		return append([]expr.Any{transport(offsetPort, 2)}, span(m, 2)...)
	case firewall.ICMPType:
		return append([]expr.Any{transport(offsetType, 1)}, span(m, 1)...)
	case firewall.ICMPCode:
		return append([]expr.Any{transport(offsetIC, 1)}, span(m, 1)...)
	case firewall.Reply:
		return []expr.Any{&expr.Ct{Register: 1, Key: expr.CtKeyDIRECTION},
			&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{directionReply}}}
	default: // Syn
		return []expr.Any{transport(offsetFlags, 1),
			&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 1, Mask: []byte{flagSyn}, Xor: []byte{0}},
			&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: []byte{0}}}
	}
}

// state matches packets of which connection tracking says one of bits.
func state(bits uint32) []expr.Any {
	return []expr.Any{&expr.Ct{Register: 1, Key: expr.CtKeySTATE},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Xor: make([]byte, 4), Mask: binaryutil.NativeEndian.PutUint32(bits)},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: make([]byte, 4)}}
}

func compareName(m firewall.Match) expr.Any {
	data := name(m.Name)
	if prefix, ok := strings.CutSuffix(m.Name, "*"); ok {
		data = []byte(prefix)
	}
	return &expr.Cmp{Op: operator(m), Register: 1, Data: data}
}

func operator(m firewall.Match) expr.CmpOp {
	if m.Not {
		return expr.CmpOpNeq
	}
	return expr.CmpOpEq
}

// directionReply is the direction of packets against that of a connection's first
// (IP_CT_DIR_REPLY).
const directionReply = 1

func (h header) address(offset uint32) *expr.Payload {
	return &expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: h.size}
}

func transport(offset, length uint32) *expr.Payload {
	return &expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: offset, Len: length}
}

func (h header) peer(load *expr.Payload, m firewall.Match) []expr.Any {
	if m.Set != "" {
		return []expr.Any{load, &expr.Lookup{SourceRegister: 1, SetName: m.Set, Invert: m.Not}}
	}
	return []expr.Any{load,
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: h.size, Mask: mask(m.Prefix), Xor: make([]byte, h.size)},
		&expr.Cmp{Op: operator(m), Register: 1, Data: m.Prefix.Masked().Addr().AsSlice()}}
}

func mask(p netip.Prefix) []byte {
	return net.CIDRMask(p.Bits(), p.Addr().BitLen())
}

// span compares register 1, a big-endian number of size bytes, with m's bounds.
func span(m firewall.Match, size int) []expr.Any {
	low, high := binary.BigEndian.AppendUint16(nil, uint16(m.Min))[2-size:], binary.BigEndian.AppendUint16(nil, uint16(m.Max))[2-size:]
	if m.Min == m.Max {
		return []expr.Any{&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: low}}
	}
	return []expr.Any{&expr.Range{Op: expr.CmpOpEq, Register: 1, FromData: low, ToData: high}}
}

func (h header) statement(s firewall.Statement) []expr.Any {
	switch s.Op {
	case firewall.LookupInput:
		return vmap(expr.MetaKeyIIFNAME, s.Set)
	case firewall.LookupOutput:
		return vmap(expr.MetaKeyOIFNAME, s.Set)
	case firewall.SNAT:
		return h.translate(expr.NATTypeSourceNAT, h.source, s.Set)
	case firewall.DNAT:
		return h.translate(expr.NATTypeDestNAT, h.destination, s.Set)
	case firewall.SNATTo:
		return []expr.Any{&expr.Immediate{Register: 1, Data: s.To.AsSlice()},
			&expr.NAT{Type: expr.NATTypeSourceNAT, Family: unix.NFPROTO_IPV4, RegAddrMin: 1}}
	case firewall.SNATSpread:
		return []expr.Any{&expr.Numgen{Register: 1, Modulus: uint32(s.Size), Type: unix.NFT_NG_INCREMENTAL},
			&expr.Lookup{SourceRegister: 1, DestRegister: 1, IsDestRegSet: true, SetName: s.Set},
			&expr.NAT{Type: expr.NATTypeSourceNAT, Family: unix.NFPROTO_IPV4, RegAddrMin: 1}}
	case firewall.Masquerade:
		return []expr.Any{&expr.Masq{}}
	case firewall.CountInput:
		return h.count(expr.MetaKeyIIFNAME, s)
	case firewall.CountOutput:
		return h.count(expr.MetaKeyOIFNAME, s)
	case firewall.ClampMSS:
		return []expr.Any{&expr.Immediate{Register: 1, Data: binary.BigEndian.AppendUint16(nil, uint16(s.Size))},
			&expr.Exthdr{SourceRegister: 1, Type: optionMSS, Offset: offsetMSS, Len: 2, Op: expr.ExthdrOpTcpopt}}
	default:
		return []expr.Any{verdict(s.Verdict)}
	}
}

func vmap(key expr.MetaKey, set string) []expr.Any {
	return []expr.Any{&expr.Meta{Key: key, Register: 1},
		&expr.Lookup{SourceRegister: 1, DestRegister: 0, IsDestRegSet: true, SetName: set}}
}

func (h header) translate(kind expr.NATType, offset uint32, set string) []expr.Any {
	return []expr.Any{h.address(offset),
		&expr.Lookup{SourceRegister: 1, DestRegister: 1, IsDestRegSet: true, SetName: set},
		&expr.NAT{Type: kind, Family: unix.NFPROTO_IPV4, RegAddrMin: 1}}
}
