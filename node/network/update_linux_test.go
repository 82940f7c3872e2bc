package network

import (
	"strings"
	"testing"
)

// TestUpdatesInTurn updates VPCs in turn, as new ones make the manager forget
// what it saw: none may be made again, under the tasks that use it.
func TestUpdatesInTurn(t *testing.T) {
	w := newWorld(t)
	m := w.manager(false)
	w.reconcile(m)
	update := func(v VPC) string {
		t.Helper()
		changed, err := m.Update(clone(v))
		w.must(err)
		return strings.Join(changed, "\n")
	}
	one, two := twoSubnets("1", 10), twoSubnets("2", 20)
	update(one)
	a, _, _ := w.tasks(m, one)
	w.serve(w.internet, "internet", 80)
	update(two)
	for n := range 3 {
		two.Groups[0].Permissions = two.Groups[0].Permissions[:n%2]
		changed := update(two)
		if changed += update(one); strings.Contains(changed, "add ") {
			t.Errorf("made again:\n%s", changed)
		}
	}
	w.expect(a, "tcp", "203.0.113.9:80", "internet 192.0.2.1")
	w.settled(m, one, two)
	// The last interface goes and comes, and the rules for it stay.
	all := one.Interfaces
	for _, i := range all {
		one.Kept = append(one.Kept, Use{i.Subnet, i.Groups})
	}
	update(one)
	for range 2 {
		one.Interfaces = nil
		changed := update(one)
		one.Interfaces = all
		if changed += "\n" + update(one); strings.Contains(changed, "replace rules") || !strings.Contains(changed, "change sets of rules") {
			t.Errorf("rules were made again:\n%s", changed)
		}
	}
	w.settled(m, one, two)
	w.must(m.Remove())
	w.clean()
}
