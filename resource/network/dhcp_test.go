package network

import (
	"fmt"
	"testing"
)

func TestNaming(t *testing.T) {
	v := &Vpc{CIDR: "10.9.0.0/20"}
	own := AmazonDhcpOptions("123456789012", "eu-west-1")
	for _, c := range []struct {
		d    DhcpOptions
		want string
	}{
		{own, "{[eu-west-1.compute.internal] [10.9.0.2]} <nil>"},
		{DhcpOptions{}, "{[] []} <nil>"},
		{DhcpOptions{Values: []DhcpOption{{OptionDomain, []string{"a.example b.example"}}, {OptionServers, []string{"192.0.2.1", AmazonDNS, "2001:db8::1"}}, {"ntp-servers", []string{"192.0.2.9"}}}},
			"{[a.example b.example] [192.0.2.1 10.9.0.2 2001:db8::1]} <nil>"},
	} {
		n, err := v.Naming(&c.d)
		if got := fmt.Sprint(n, err); got != c.want {
			t.Errorf("%v: got %s, want %s", c.d.Values, got, c.want)
		}
	}
	if _, err := v.Naming(&DhcpOptions{Values: []DhcpOption{{OptionServers, []string{"nonsense"}}}}); err == nil {
		t.Error("a name server without an address")
	}
}
