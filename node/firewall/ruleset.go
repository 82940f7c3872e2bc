package firewall

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Ruleset is one nftables table of the family ip or ip6, as data. It has a text (String,
// in the syntax of nft(8)) and a form the kernel takes (package nft).
type Ruleset struct {
	IPv6   bool
	Table  string
	Sets   []Set
	Chains []Chain
}

// Set is a named set or map.
type Set struct {
	Name     string
	Kind     Kind
	Elements []Element // sorted, without duplicates
}

// Kind is the type of a set's elements.
type Kind int

// The kinds of sets and the fields of Element each uses.
const (
	Addresses          Kind = iota // Address
	InterfaceAddresses             // Interface, Address
	Verdicts                       // Interface -> Verdict
	Translations                   // Address -> To
	Flows                          // filled by packets; see FlowKey
	Choices                        // Number -> To
)

// Element is a member of a set.
type Element struct {
	Interface   string
	Address, To netip.Addr
	Number      int
	Verdict     Verdict
}

// Chain is a list of rules; with a Hook it is where packets come in.
type Chain struct {
	Name  string
	Hook  *Hook
	Rules []Rule
}

// Hook says which packets a base chain sees, when, and what becomes of those
// that its rules leave undecided. Accepting ends this chain only: the packet
// goes on to the hook's next chain.
type Hook struct {
	Type, Name string // filter or nat; prerouting, input, forward, postrouting
	Priority   int
	Policy     Code // Accept or Drop
}

// Rule does Do with packets that meet every match.
type Rule struct {
	Matches []Match
	Do      Statement
}

// Match is one condition. Which of the other fields count depends on Field.
type Match struct {
	Field    Field
	Not      bool
	Name     string       // Input, Output; "x*" is every name that begins with x
	Prefix   netip.Prefix // Source, Destination, unless Set
	Set      string       // Source, Destination, InputSource
	Min, Max int          // numbers, both inclusive
}

// Field is what a Match looks at.
type Field int

// The fields.
const (
	Established     Field = iota // belongs to a connection, or is an error about one
	Input                        // interface the packet came in by
	Output                       // interface it leaves by
	InputSource                  // Input and Source together
	Source                       // address
	Destination                  // address
	LocalSource                  // source is an address of this host
	Protocol                     // number
	DestinationPort              // TCP, UDP
	ICMPType
	ICMPCode
	Syn   // opens a TCP connection, or answers such a packet
	Reply // goes against the direction in which its connection was opened
	// Invalid is a packet that neither belongs to a connection nor may open one, which
	// no translation applies to.
	Invalid
)

// Statement is what a rule does.
type Statement struct {
	Op      Op
	Verdict Verdict    // Decide
	Set     string     // the map of Lookup…, SNAT…, DNAT; the set of Count…
	Ports   bool       // Count…: by ports
	Flags   bool       // Count…: by FlowFlags, with TCP
	To      netip.Addr // SNATTo
	Size    int        // ClampMSS; SNATSpread: how many numbers Set has, from 0
}

// Op is the kind of a Statement.
type Op int

// The kinds.
const (
	Decide       Op = iota
	LookupInput     // verdict by the interface the packet came in by, if it is in Set
	LookupOutput    // verdict by the interface it leaves by
	SNAT            // new source by Set
	DNAT            // new destination by Set
	SNATTo          // new source To
	SNATSpread      // new source by Set, each number in its turn
	Masquerade      // new source: the address of the interface it leaves by
	CountInput      // count in a set of Flows, by the interface the packet came in by
	CountOutput     // … it leaves by
	ClampMSS        // lower the TCP segment size that is asked for to Size
)

// Verdict is what becomes of a packet.
type Verdict struct {
	Code  Code
	Chain string // of Jump and Goto
}

// Code is the kind of a Verdict; Undecided is none.
type Code int

// The codes.
const (
	Undecided Code = iota
	Accept
	Drop
	Return
	Jump
	Goto // Jump without coming back: who returns from Chain returns to the caller of this one
)

// String is the verdict in nft(8).
func (c Code) String() string {
	return [...]string{"", "accept", "drop", "return", "jump", "goto"}[c]
}

// String is the verdict in nft(8).
func (v Verdict) String() string {
	if v.Chain != "" {
		return v.Code.String() + " " + v.Chain
	}
	return v.Code.String()
}

// compareElements orders elements for sets.
func compareElements(a, b Element) int {
	if c := a.Address.Compare(b.Address); c != 0 {
		return c
	}
	if c := strings.Compare(a.Interface, b.Interface); c != 0 {
		return c
	}
	return cmp.Or(cmp.Compare(a.Number, b.Number), a.To.Compare(b.To), cmp.Compare(a.Verdict.Code, b.Verdict.Code), cmp.Compare(a.Verdict.Chain, b.Verdict.Chain))
}

func newSet(name string, kind Kind, elements []Element) Set {
	slices.SortFunc(elements, compareElements)
	return Set{name, kind, slices.Compact(elements)}
}

// String is the ruleset as nft(8) reads it.
func (r Ruleset) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "table ip %s {\n", r.Table)
	for _, s := range r.Sets {
		b.WriteString(s.text())
	}
	for _, c := range r.Chains {
		fmt.Fprintf(&b, "\tchain %s {\n", c.Name)
		if h := c.Hook; h != nil {
			fmt.Fprintf(&b, "\t\ttype %s hook %s priority %d; policy %s;\n", h.Type, h.Name, h.Priority, h.Policy)
		}
		for _, rule := range c.Rules {
			fmt.Fprintf(&b, "\t\t%s\n", rule)
		}
		b.WriteString("\t}\n")
	}
	b.WriteString("}\n")
	if r.IPv6 {
		return words6.Replace(b.String())
	}
	return b.String()
}

// words6 are the words of nft(8) for IPv6 in place of those for IPv4.
var words6 = strings.NewReplacer("table ip ", "table ip6 ", "ipv4_addr", "ipv6_addr", "ip saddr", "ip6 saddr", "ip daddr", "ip6 daddr",
	"icmp type", "icmpv6 type", "icmp code", "icmpv6 code")

func (s Set) text() string {
	var b strings.Builder
	head := [...]string{"set %s {\n\t\ttype ipv4_addr\n", "set %s {\n\t\ttype ifname . ipv4_addr\n",
		"map %s {\n\t\ttype ifname : verdict\n", "map %s {\n\t\ttype ipv4_addr : ipv4_addr\n",
		"set %s {\n\t\ttypeof iifname . ip saddr . ip daddr . meta l4proto . @th,0,32\n\t\tflags dynamic,timeout\n",
		"map %s {\n\t\ttypeof numgen inc mod 2 : ip saddr\n"}[s.Kind]
	fmt.Fprintf(&b, "\t"+head, s.Name)
	var list []string
	for _, e := range s.Elements {
		list = append(list, [...]func(Element) string{
			func(e Element) string { return e.Address.String() },
			func(e Element) string { return fmt.Sprintf("%q . %s", e.Interface, e.Address) },
			func(e Element) string { return fmt.Sprintf("%q : %s", e.Interface, e.Verdict) },
			func(e Element) string { return fmt.Sprintf("%s : %s", e.Address, e.To) },
			nil,
			func(e Element) string { return fmt.Sprintf("%d : %s", e.Number, e.To) },
		}[s.Kind](e))
	}
	if list != nil {
		fmt.Fprintf(&b, "\t\telements = { %s }\n", strings.Join(list, ",\n\t\t\t     "))
	}
	b.WriteString("\t}\n")
	return b.String()
}

// String is the rule in nft(8).
func (r Rule) String() string {
	var words []string
	for _, m := range r.Matches {
		words = append(words, m.String())
	}
	return strings.Join(append(words, r.Do.String()), " ")
}

// String is the condition in nft(8).
func (m Match) String() string {
	not := ""
	if m.Not {
		not = "!= "
	}
	operand := "@" + m.Set
	if m.Set == "" {
		operand = m.Prefix.String()
	}
	switch m.Field {
	case Established:
		return "ct state established,related"
	case Input:
		return fmt.Sprintf("iifname %s%q", not, m.Name)
	case Output:
		return fmt.Sprintf("oifname %s%q", not, m.Name)
	case InputSource:
		return "iifname . ip saddr " + not + operand
	case Source:
		return "ip saddr " + not + operand
	case Destination:
		return "ip daddr " + not + operand
	case LocalSource:
		return "fib saddr type local"
	case Protocol:
		return "meta l4proto " + m.span()
	case DestinationPort:
		return "th dport " + m.span()
	case ICMPType:
		return "icmp type " + m.span()
	case ICMPCode:
		return "icmp code " + m.span()
	case Reply:
		return "ct direction reply"
	case Invalid:
		return "ct state invalid"
	default:
		return "tcp flags & syn == syn"
	}
}

func (m Match) span() string {
	if m.Min == m.Max {
		return fmt.Sprint(m.Min)
	}
	return fmt.Sprintf("%d-%d", m.Min, m.Max)
}

// String is the statement in nft(8).
func (s Statement) String() string {
	switch s.Op {
	case LookupInput:
		return "iifname vmap @" + s.Set
	case LookupOutput:
		return "oifname vmap @" + s.Set
	case SNAT:
		return "snat to ip saddr map @" + s.Set
	case DNAT:
		return "dnat to ip daddr map @" + s.Set
	case SNATTo:
		return "snat to " + s.To.String()
	case SNATSpread:
		return fmt.Sprintf("snat to numgen inc mod %d map @%s", s.Size, s.Set)
	case Masquerade:
		return "masquerade"
	case CountInput:
		return s.count("iifname")
	case CountOutput:
		return s.count("oifname")
	case ClampMSS:
		return fmt.Sprintf("tcp option maxseg size set %d", s.Size)
	default:
		return s.Verdict.String()
	}
}

func (s Statement) count(device string) string {
	protocol, ports := "meta l4proto", "0"
	if s.Ports {
		ports = "@th,0,32"
	}
	if s.Flags { // after the protocol, which is TCP
		protocol = fmt.Sprintf("@th,96,16 & %#x ^ %#x", FlowFlags, protocolTCP<<8)
	}
	return fmt.Sprintf("update @%s { %s . ip saddr . ip daddr . %s . %s counter }", s.Set, device, protocol, ports)
}
