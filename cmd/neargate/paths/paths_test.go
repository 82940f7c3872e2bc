package paths

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"

	"neargate/resource/network"
	"neargate/resource/network/path"
	"neargate/store"
	"neargate/store/mem"
	"neargate/store/tables"
)

func TestParse(t *testing.T) {
	for _, c := range []struct{ source, destination, protocol, from, err string }{
		{"eni-1", "10.0.0.1:80", "tcp", "", ""},
		{"eni-1", "eni-2:80", "udp", "10.0.0.9", ""},
		{"eni-1", "10.0.0.1", "icmp", "", ""},
		{"eni-1", "[3fff::1]:80", "tcp", "3fff::2", ""},
		{"eni-1", "3fff::1", "icmp", "", ""},
		{"eni-1", "10.0.0.1", "50", "", ""},
		{"eni-1", "10.0.0.1", "tcp", "", "tcp wants a port: 10.0.0.1:PORT"},
		{"eni-1", "10.0.0.1:0", "tcp", "", `"0" is no port`},
		{"eni-1", "10.0.0.1:65536", "tcp", "", `"65536" is no port`},
		{"eni-1", "example:80", "tcp", "", `"example" is neither an id nor an address`},
		{"eni-1", "10.0.0.1:80", "xyz", "", `"xyz" is no protocol`},
		{"eni-1", "10.0.0.1:80", "256", "", `"256" is no protocol`},
		{"eni-1", "10.0.0.1:80", "tcp", "::1", `"::1" is no address of the destination's family`},
		{"", "10.0.0.1:80", "tcp", "", "a source and a destination are wanted"},
	} {
		r := Request{Protocol: c.protocol, From: c.from}
		err := r.Parse(c.source, c.destination)
		if c.err == "" && err != nil || c.err != "" && (err == nil || err.Error() != c.err) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// TestPrint asks about an interface in a default VPC and looks at what is printed.
func TestPrint(t *testing.T) {
	const account, region = "123456789012", "us-east-1"
	st := mem.New()
	t.Cleanup(func() { st.Close() })
	err := st.Update(t.Context(), func(tx store.Tx) error {
		if err := tables.EnsureDefaultNetwork(tx, account, region); err != nil {
			return err
		}
		f := network.Defaults(account, region)
		return tables.NetworkInterfaces.Put(tx, &network.NetworkInterface{Account: account, Region: region, ID: "eni-1", Vpc: f.Vpc.ID, Subnet: f.Subnets[0].ID,
			Addresses: []string{"172.31.0.9"}, PublicIP: "198.18.9.9", Groups: []string{f.SecurityGroup.ID}, SourceDestCheck: true,
			Attachment: &network.InterfaceAttachment{}, Tags: []network.Tag{{Key: "Name", Value: "web"}}})
	})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(destination string) (path.Result, string) {
		t.Helper()
		r := Request{Protocol: "tcp"}
		if err := r.Parse("eni-1", destination); err != nil {
			t.Fatal(err)
		}
		res, err := Find(t.Context(), st, netip.MustParsePrefix("198.18.0.0/20"), r)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := Print(&b, &r, &res); err != nil {
			t.Fatal(err)
		}
		return res, b.String()
	}
	res, out := ask("203.0.113.9:443")
	if !res.Found {
		t.Fatal(out)
	}
	for _, want := range []string{"THERE ", "eni-1 (web)", ": out all to 0.0.0.0/0", "entry 100: allow out all to 0.0.0.0/0", "0.0.0.0/0 to igw-",
		"from 172.31.0.9 as 198.18.9.9", "BACK ", "not asked: an answer", "203.0.113.9:443 is reachable from eni-1 over tcp.\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	res, out = ask("192.168.1.1:443")
	if res.Found || !strings.Contains(out, "DROPPED") || !strings.Contains(out, path.PrivateDestination+": 192.168.1.1 is a private address") ||
		!strings.HasSuffix(out, "192.168.1.1:443 is not reachable from eni-1 over tcp.\n") {
		t.Error(out)
	}
}
