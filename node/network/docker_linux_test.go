package network

import (
	"os/exec"
	"strings"
	"testing"

	"neargate/internal/netns"
)

// asDocker are the rules with which Docker drops what it does not know.
const asDocker = `
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
}`

// TestDocker looks at what tasks reach where Docker forwards nothing but for its own.
func TestDocker(t *testing.T) {
	w := newWorld(t)
	nft := func(input string, args ...string) string {
		t.Helper()
		cmd := exec.Command("nft", args...)
		cmd.Stdin = strings.NewReader(input)
		var out strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := netns.Do(w.host, cmd.Start); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Fatalf("%v: %s", err, out.String())
		}
		return out.String()
	}
	nft(asDocker, "-f", "-")
	before := nft("", "list", "ruleset")
	m, v := w.manager(false), twoSubnets("1", 10)
	w.reconcile(m, v)
	w.settled(m, v)
	a, _, _ := w.tasks(m, v)
	w.serve(w.internet, "internet", 80)
	w.expect(a, "tcp", "203.0.113.9:80", "internet 192.0.2.1")
	rules, _, _ := strings.Cut(nft("", "list", "chain", "ip", "filter", "DOCKER-USER"), "return")
	if strings.Count(rules, "accept") != 2 {
		t.Errorf("not two rules before the others: %s", rules)
	}

	// Docker sets up its rules anew.
	nft("", "flush", "chain", "ip", "filter", "DOCKER-USER")
	nft("", "add", "rule", "ip", "filter", "DOCKER-USER", "return")
	w.expect(a, "tcp", "203.0.113.9:80", "")
	if changed := w.reconcile(m, v); len(changed) != 1 {
		t.Errorf("changed %q", changed)
	}
	w.expect(a, "tcp", "203.0.113.9:80", "internet 192.0.2.1")
	w.must(m.Remove())
	if after := nft("", "list", "ruleset"); after != before {
		t.Errorf("Docker's rules were\n%s\nand are\n%s", before, after)
	}
}
