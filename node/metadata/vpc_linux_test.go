package metadata

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	messages "github.com/miekg/dns"

	"neargate/dataplane/dns"
	"neargate/internal/netns"
	"neargate/node/firewall"
	"neargate/node/network"
	"neargate/node/usage"
)

// Two VPCs with equal addresses on one host: from inside its own network, each
// task finds itself at 169.254.170.2 and its VPC's names at the resolver.
func TestInsideVPCs(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root: makes network namespaces")
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	dir, pool := t.TempDir(), netip.MustParsePrefix("198.19.250.0/24")
	host := filepath.Join(dir, "world", "host")
	must(netns.Prepare(filepath.Join(dir, "world")))
	t.Cleanup(func() {
		for _, d := range []string{"world", "ns"} {
			if err := netns.Discard(filepath.Join(dir, d)); err != nil {
				t.Error(err)
			}
		}
	})
	must(netns.Create(host))
	m, err := network.Open(filepath.Join(dir, "ns"), host, network.Host{Tag: "metadata-test", Pool: pool, Address: pool.Addr().Next()})
	must(err)
	t.Cleanup(func() {
		if err := m.Remove(); err != nil {
			t.Error(err)
		}
	})

	const resolver, metadata = "10.0.0.2", Address
	var vpcs []network.VPC
	tasks := hostTasks{}
	for _, vpc := range []string{"vpc-a", "vpc-b"} {
		v := network.VPC{ID: vpc, CIDRs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/16")},
			Subnets: []network.Subnet{{ID: "subnet-1", CIDR: netip.MustParsePrefix("10.0.1.0/24")}},
			Endpoints: []firewall.Endpoint{
				{Address: netip.MustParseAddr(resolver), Protocol: firewall.UDP, Port: 53},
				{Address: netip.MustParseAddr(resolver), Protocol: firewall.TCP, Port: 53},
				{Address: netip.MustParseAddr(metadata), Protocol: firewall.TCP, Port: 80},
			},
		}
		for _, ip := range []string{"10.0.1.10", "10.0.1.11"} {
			v.Interfaces = append(v.Interfaces, network.Interface{ID: vpc + ip, MAC: fmt.Sprintf("12:00:00:00:%02x:%02x", len(vpcs), len(v.Interfaces)),
				Addresses: []netip.Addr{netip.MustParseAddr(ip)}, Subnet: "subnet-1"})
			task := sample(strings.Repeat(fmt.Sprint(len(tasks)+1), 32), ip)
			task.Stats = usage.NewSampler(func(context.Context) (usage.Figures, error) {
				n, err := usage.ReadNetwork(m.Namespace(vpc + ip))
				return usage.Figures{Containers: map[string]usage.Container{"app": {}}, Networks: n}, err
			}).Pair
			tasks[vpc+" "+ip] = task
		}
		vpcs = append(vpcs, v)
	}
	_, err = m.Reconcile(vpcs)
	must(err)

	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	t.Cleanup(func() { cancel(); wg.Wait() })
	names := dns.New(dns.NewHost(filepath.Join(dir, "none")))
	for _, v := range vpcs {
		names.Set(v.ID, dns.Config{Region: "us-east-1", CIDRs: v.CIDRs, Support: true, Hostnames: true,
			Names: func(name string) ([]netip.Addr, bool) {
				return []netip.Addr{netip.MustParseAddr("10.0.9.9")}, name == "only."+v.ID
			}})
		var udp net.PacketConn
		var tcp, web net.Listener
		must(netns.Do(m.Space(v.ID), func() (err error) {
			if udp, err = net.ListenPacket("udp4", resolver+":53"); err != nil {
				return err
			}
			if tcp, err = net.Listen("tcp4", resolver+":53"); err != nil {
				return err
			}
			web, err = net.Listen("tcp4", metadata+":80")
			return err
		}))
		wg.Go(func() {
			if err := names.Serve(ctx, v.ID, udp, tcp); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() {
			if err := Serve(ctx, web, Handler(v.ID, tasks, nil, nil)); err != nil {
				t.Error(err)
			}
		})
	}

	for _, v := range vpcs {
		for _, i := range v.Interfaces {
			space, ip := m.Namespace(i.ID), i.Addresses[0]
			dial := func(network, address string) (c net.Conn, err error) {
				err = netns.Do(space, func() error {
					c, err = net.DialTimeout(network, address, 10*time.Second)
					return err
				})
				return c, err
			}
			own := tasks[v.ID+" "+ip.String()].Task.ID
			client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true,
				DialContext: func(_ context.Context, network, address string) (net.Conn, error) { return dial(network, address) }}}
			for _, task := range tasks {
				r, err := client.Get("http://" + metadata + "/v4/" + task.Task.ID + "-0000000001/stats")
				must(err)
				body, err := io.ReadAll(r.Body)
				r.Body.Close()
				must(err)
				if (r.StatusCode == http.StatusOK) != (task.Task.ID == own) {
					t.Errorf("%s asks for %s: %d %s", i.ID, task.Task.ID, r.StatusCode, body)
				}
				if r.StatusCode == http.StatusOK && (!strings.Contains(string(body), `"eth0":{"rx_bytes":`) || strings.Contains(string(body), `"rx_bytes":0`)) {
					t.Errorf("%s: %s", i.ID, body)
				}
			}
			for _, protocol := range []string{"udp", "tcp"} {
				for name, want := range map[string]int{"ip-10-0-1-10.ec2.internal.": 1, "only." + v.ID + ".": 1, "ip-10-9-1-10.ec2.internal.": 0} {
					c, err := dial(protocol, resolver+":53")
					must(err)
					q := new(messages.Msg)
					a, _, err := (&messages.Client{Net: protocol, Timeout: 10 * time.Second}).ExchangeWithConn(q.SetQuestion(name, messages.TypeA), &messages.Conn{Conn: c})
					c.Close()
					must(err)
					if len(a.Answer) != want {
						t.Errorf("%s %s %s: %v", i.ID, protocol, name, a)
					}
				}
			}
		}
	}
}
