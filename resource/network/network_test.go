package network

import (
	"fmt"
	"net/netip"
	"reflect"
	"regexp"
	"testing"
	"testing/quick"
	"time"

	"neargate/arn"
)

func TestDefaults(t *testing.T) {
	f := Defaults("123456789012", "us-east-1")
	if !reflect.DeepEqual(f, Defaults("123456789012", "us-east-1")) {
		t.Fatal("not deterministic")
	}
	var cidrs []string
	for i, s := range f.Subnets {
		cidrs = append(cidrs, s.CIDR)
		if s.Zone != arn.Zones("us-east-1")[i].Name || s.Vpc != f.Vpc.ID || !s.DefaultForAZ || !s.MapPublicIP {
			t.Errorf("subnet %d: %+v", i, s)
		}
		if a := f.NetworkAcl.Associations[i]; a.Subnet != s.ID {
			t.Errorf("subnet %d has network ACL association %+v", i, a)
		}
	}
	want := []string{"172.31.0.0/20", "172.31.16.0/20", "172.31.32.0/20", "172.31.48.0/20", "172.31.64.0/20", "172.31.80.0/20"}
	if !reflect.DeepEqual(cidrs, want) {
		t.Errorf("subnets %v, want %v", cidrs, want)
	}
	if !f.RouteTable.Main() || f.RouteTable.Routes[0].Gateway != f.InternetGateway.ID {
		t.Errorf("route table %+v", f.RouteTable)
	}
	if in := f.Rules[0]; in.Egress || in.Peer != f.SecurityGroup.ID || in.Protocol != AllProtocols {
		t.Errorf("ingress rule %+v", in)
	}
	if out := f.Rules[1]; !out.Egress || out.IPv4 != AnyIPv4 {
		t.Errorf("egress rule %+v", out)
	}
}

func TestDefaultIDsNeverMeet(t *testing.T) {
	valid := regexp.MustCompile(`^[a-z-]+-0[0-9a-f]{16}$`)
	seen := map[string]string{}
	for _, account := range []string{"123456789012", "210987654321"} {
		for _, region := range arn.Regions() {
			f := Defaults(account, region)
			ids := []string{f.Vpc.ID, f.Vpc.CIDRAssociation, f.DhcpOptions.ID, f.InternetGateway.ID, f.RouteTable.ID,
				f.RouteTable.Associations[0].ID, f.NetworkAcl.ID, f.SecurityGroup.ID, f.Rules[0].ID, f.Rules[1].ID}
			for i, s := range f.Subnets {
				ids = append(ids, s.ID, f.NetworkAcl.Associations[i].ID)
			}
			for _, id := range ids {
				if where := account + " " + region; seen[id] != "" || !valid.MatchString(id) {
					t.Fatalf("%s in %s, before in %s", id, where, seen[id])
				} else {
					seen[id] = where
				}
			}
		}
	}
}

func TestCandidatesVisitEveryAddressOnce(t *testing.T) {
	prefix := netip.MustParsePrefix("10.0.3.0/24")
	property := func(seed string, low, high uint8) bool {
		p := newPool(prefix, int(low), int(high))
		seen := map[netip.Addr]bool{}
		for a := range p.Candidates(seed) {
			if seen[a] || !p.Contains(a) {
				return false
			}
			seen[a] = true
		}
		return len(seen) == p.Size()
	}
	if err := quick.Check(property, nil); err != nil {
		t.Error(err)
	}
}

func TestCandidatesSpread(t *testing.T) {
	p := SubnetPool(netip.MustParsePrefix("172.31.0.0/20"))
	first := map[netip.Addr]int{}
	for i := range 1000 {
		for a := range p.Candidates(fmt.Sprint("eni-", i)) {
			first[a]++
			break
		}
	}
	if len(first) < 800 {
		t.Errorf("1000 interfaces tried only %d different first addresses of %d", len(first), p.Size())
	}
}

func TestSubnetPool(t *testing.T) {
	for cidr, want := range map[string]int{"10.0.0.0/24": 251, "10.0.0.0/26": 59, "10.0.0.0/28": 11, "172.31.0.0/20": 4091} {
		if n := SubnetPool(netip.MustParsePrefix(cidr)).Size(); n != want {
			t.Errorf("%s has %d addresses, want %d", cidr, n, want)
		}
	}
	p := SubnetPool(netip.MustParsePrefix("10.0.0.16/28"))
	for addr, want := range map[string]bool{
		"10.0.0.15": false, "10.0.0.16": false, "10.0.0.19": false, "10.0.0.20": true,
		"10.0.0.30": true, "10.0.0.31": false, "10.0.0.32": false, "::1": false,
	} {
		if p.Contains(netip.MustParseAddr(addr)) != want {
			t.Errorf("Contains(%s) is not %v", addr, want)
		}
	}
}

func TestNames(t *testing.T) {
	for got, want := range map[string]string{
		PrivateDNSName("us-east-1", "172.31.0.5"): "ip-172-31-0-5.ec2.internal",
		PrivateDNSName("eu-west-1", "172.31.0.5"): "ip-172-31-0-5.eu-west-1.compute.internal",
		PublicDNSName("us-east-1", "198.18.4.1"):  "ec2-198-18-4-1.compute-1.amazonaws.com",
		PublicDNSName("eu-west-1", "198.18.4.1"):  "ec2-198-18-4-1.eu-west-1.compute.amazonaws.com",
		PublicDNSName("eu-west-1", ""):            "",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if m := MAC("eni-1"); m == MAC("eni-2") || !regexp.MustCompile(`^12(:[0-9a-f]{2}){5}$`).MatchString(m) {
		t.Errorf("MAC %q", m)
	}
}

func TestCanonical(t *testing.T) {
	for _, c := range []struct {
		in     string
		family int
		want   string
	}{
		{"10.237.19.7/20", 4, "10.237.16.0/20"}, {"0.0.0.0/0", 4, "0.0.0.0/0"}, {"10.0.0.0", 4, ""}, {"10.0.0.0/33", 4, ""},
		{"2001:db8::1/64", 6, "2001:db8::/64"}, {"2001:db8::/64", 4, ""}, {"10.0.0.0/8", 6, ""}, {"::ffff:10.0.0.1/128", 6, ""},
	} {
		p, ok := Canonical(c.in, c.family)
		if ok != (c.want != "") || ok && p.String() != c.want {
			t.Errorf("Canonical(%q, %d) = %v, %v; want %q", c.in, c.family, p, ok, c.want)
		}
	}
}

func TestFargateInterface(t *testing.T) {
	s := Defaults("123456789012", "eu-west-1").Subnets[1]
	at := time.Unix(1000, 0)
	e := FargateInterface(&s, "eni-0a", "eni-attach-0b", "arn:aws:ecs:eu-west-1:123456789012:attachment/x", []string{"sg-1"}, at)
	if e.Status() != "in-use" || !e.RequesterManaged || e.Zone != "eu-west-1b" || e.Primary() != "" || e.Attachment.DeviceIndex != 1 {
		t.Errorf("%+v", e)
	}
}

func TestMergeTags(t *testing.T) {
	got := MergeTags([]Tag{{"b", "1"}, {"a", "1"}}, []Tag{{"b", "2"}, {"C", ""}})
	if want := []Tag{{"C", ""}, {"a", "1"}, {"b", "2"}}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
