package paths

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
	"text/tabwriter"

	"neargate/resource/network"
	"neargate/resource/network/path"
)

// Print writes the answer to r, as a table for people or as JSON.
func Print(w io.Writer, r *Request, res *path.Result) error {
	if r.JSON {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(res)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(res.Forward) > 0 {
		printHops(t, "THERE", res.Forward)
	}
	if len(res.Return) > 0 {
		fmt.Fprintln(t)
		printHops(t, "BACK", res.Return)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if len(res.Forward) > 0 {
		fmt.Fprintln(w)
	}
	for _, e := range res.Explanations {
		fmt.Fprintf(w, "%s: %s\n", e.Code, e.Text)
	}
	to := r.Destination
	if r.Port > 0 {
		to = strings.TrimSuffix(net.JoinHostPort(to, ""), ":") + fmt.Sprintf(":%d", r.Port)
	}
	verdict := "not reachable"
	if res.Found {
		verdict = "reachable"
	}
	if _, err := fmt.Fprintf(w, "%s is %s from %s over %s.\n", to, verdict, r.Source, r.Protocol); err != nil {
		return err
	}
	if len(res.Ports) > 0 {
		_, err := fmt.Fprintf(w, "Answers come back to the source ports %s only.\n", ports(res.Ports))
		return err
	}
	return nil
}

func printHops(w io.Writer, title string, hops []path.Hop) {
	fmt.Fprintf(w, "%s\tWHAT\tBY\t\n", title)
	for _, h := range hops {
		id := h.ID
		if h.Name != "" {
			id += " (" + h.Name + ")"
		}
		verdict := ""
		if len(h.Explanations) > 0 {
			verdict = "DROPPED"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", strings.ReplaceAll(h.Kind, "-", " "), id, decided(&h), verdict)
	}
}

// decided says what of the component decided about the packet.
func decided(h *path.Hop) string {
	var words []string
	switch {
	case h.Rule != nil:
		words = append(words, h.Rule.ID+": "+permission(h.Rule.Permission))
	case h.Entry != nil:
		words = append(words, entry(h.Entry))
	case h.Route != nil:
		words = append(words, route(h.Route))
	case h.In != nil && h.Out != nil:
		words = append(words, translated(h.In, h.Out))
	}
	if h.Note != "" {
		words = append(words, h.Note)
	}
	return strings.Join(words, "; ")
}

func translated(in, out *path.Header) string {
	var words []string
	if in.Source != out.Source {
		words = append(words, fmt.Sprintf("from %s as %s", in.Source, out.Source))
	}
	if in.Destination != out.Destination {
		words = append(words, fmt.Sprintf("to %s as %s", in.Destination, out.Destination))
	}
	return strings.Join(words, ", ")
}

func permission(p network.Permission) string {
	direction, word := "in", "from"
	if p.Egress {
		direction, word = "out", "to"
	}
	peer := p.IPv4
	for _, s := range []string{p.Peer, p.PrefixList, p.IPv6} {
		if s != "" {
			peer = s
		}
	}
	return fmt.Sprintf("%s %s %s %s", direction, traffic(p.Protocol, p.From, p.To), word, peer)
}

func entry(e *network.NetworkAclEntry) string {
	direction, word := "in", "from"
	if e.Egress {
		direction, word = "out", "to"
	}
	number := fmt.Sprint(e.Number)
	if e.Number >= network.LastAclEntry {
		number = "*"
	}
	return fmt.Sprintf("entry %s: %s %s %s %s %s", number, e.Action, direction, traffic(e.Protocol, e.From, e.To), word, cmp.Or(e.CIDR, e.IPv6))
}

// traffic is what a rule is about, in words.
func traffic(protocol string, from, to int) string {
	name := protocol
	for n, s := range map[string]string{network.AllProtocols: "all", "6": "tcp", "17": "udp", "1": "icmp"} {
		if protocol == n {
			name = s
		}
	}
	if name != "tcp" && name != "udp" || from < 0 || from == 0 && to == 65535 {
		return name
	}
	return fmt.Sprintf("%s %s", name, path.Range{From: from, To: to})
}

func route(r *path.Route) string {
	to, target := cmp.Or(r.Destination, r.Destination6), r.Gateway
	if r.PrefixList != "" {
		to = r.PrefixList
	}
	for _, s := range []string{r.NatGateway, r.Peering, r.Interface, r.EgressOnly} {
		if s != "" {
			target = s
		}
	}
	if !r.Active {
		target += " (black hole)"
	}
	return to + " to " + target
}

func ports(list []path.Range) string {
	var words []string
	for _, r := range list {
		words = append(words, r.String())
	}
	return strings.Join(words, ", ")
}
