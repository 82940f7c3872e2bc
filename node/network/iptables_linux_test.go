package network

import (
	"os/exec"
	"strings"
	"testing"

	"neargate/internal/netns"
)

// TestIptables looks at what tasks reach where rules by iptables forward nothing: those of
// Docker, with its chain for others, and those of a firewall.
func TestIptables(t *testing.T) {
	for chain, rules := range map[string]string{
		"DOCKER-USER": `
table ip filter {
	chain DOCKER-USER {
		return
	}
	chain FORWARD {
		type filter hook forward priority filter; policy drop;
		jump DOCKER-USER
	}
}
table ip6 filter {
	chain DOCKER-USER {
		return
	}
}`,
		"FORWARD": `
table ip filter {
	chain FORWARD {
		type filter hook forward priority filter; policy drop;
		return
	}
}
table ip6 filter {
	chain FORWARD {
		type filter hook forward priority filter; policy accept;
	}
}`,
	} {
		t.Run(chain, func(t *testing.T) { forwardsNothing(t, chain, rules) })
	}
}

func forwardsNothing(t *testing.T, chain, rules string) {
	w := newWorld(t)
	nft := func(input string, args ...string) string {
		t.Helper()
		cmd := exec.Command("nft", args...)
		cmd.Stdin = strings.NewReader(input)
		var out strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &out
		w.must(netns.Do(w.host, cmd.Start))
		if err := cmd.Wait(); err != nil {
			t.Fatalf("%v: %s", err, out.String())
		}
		return out.String()
	}
	nft(rules, "-f", "-")
	before := nft("", "list", "ruleset")
	m, v := w.manager(false), twoSubnets("1", 10)
	w.reconcile(m, v)
	w.settled(m, v)
	a, _, _ := w.tasks(m, v)
	w.serve(w.internet, "internet", 80)
	w.expect(a, "tcp", "203.0.113.9:80", "internet 192.0.2.1")
	first, _, _ := strings.Cut(nft("", "list", "chain", "ip", "filter", chain), "return")
	if strings.Count(first, " accept ") != 2 {
		t.Errorf("not two rules before the others: %s", first)
	}

	// The firewall sets up its rules anew.
	nft("", "flush", "chain", "ip", "filter", chain)
	nft("", "add", "rule", "ip", "filter", chain, "return")
	w.expect(a, "tcp", "203.0.113.9:80", "")
	if changed := w.reconcile(m, v); len(changed) != 1 {
		t.Errorf("changed %q", changed)
	}
	w.expect(a, "tcp", "203.0.113.9:80", "internet 192.0.2.1")
	w.must(m.Remove())
	if after := nft("", "list", "ruleset"); after != before {
		t.Errorf("the rules were\n%s\nand are\n%s", before, after)
	}
}
