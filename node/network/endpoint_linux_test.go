package network

import (
	"testing"

	"neargate/node/firewall"
)

// TestEndpoints asks what the VPC's own namespace serves: only its interfaces
// may, whatever their groups and routes are, and only for what is named.
func TestEndpoints(t *testing.T) {
	w := newWorld(t)
	m := w.manager(false)
	v := twoSubnets("1", 10)
	v.Endpoints = []firewall.Endpoint{
		{Address: addr("10.0.0.2"), Protocol: firewall.UDP, Port: 80},
		{Address: addr("10.0.0.2"), Protocol: firewall.TCP, Port: 80},
		{Address: addr("169.254.170.2"), Protocol: firewall.TCP, Port: 80},
	}
	w.reconcile(m, v)
	w.settled(m, v)
	a, b, c := w.tasks(m, v)
	for _, port := range []int{80, 81} {
		w.serve(m.Space(v.ID), "endpoint", port)
	}
	w.expect(a, "udp", "10.0.0.2:80", "endpoint 10.0.1.10")
	w.expect(b, "tcp", "10.0.0.2:80", "endpoint 10.0.1.11") // no group lets it
	w.expect(c, "tcp", "169.254.170.2:80", "endpoint 10.0.2.10")
	w.expect(a, "udp", "169.254.170.2:80", "")
	w.expect(a, "tcp", "10.0.0.2:81", "")
	w.expect(a, "tcp", "10.0.1.1:80", "")
	w.expect(w.host, "tcp", "10.0.0.2:80", "")
	w.expect(w.host, "tcp", "169.254.170.2:80", "")
	w.expect(w.internet, "tcp", "169.254.170.2:80", "")
	v.Endpoints = nil
	_, err := m.Update(clone(v))
	w.must(err)
	w.expect(a, "tcp", "10.0.0.2:80", "")
	w.settled(m, v)
	w.must(m.Remove())
	w.clean()
}
