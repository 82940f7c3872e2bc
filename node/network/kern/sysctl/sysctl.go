// Package sysctl says how the kernel behaves in the namespaces of an installation:
// values by path below /proc/sys/net.
package sysctl

import "maps"

// Router makes a namespace a router that answers ARP for everyone and
// believes no one's redirects.
var Router = map[string]string{
	"ipv4/ip_forward":                  "1",
	"ipv4/conf/all/rp_filter":          "0", // package firewall knows who may send what
	"ipv4/conf/default/rp_filter":      "0",
	"ipv4/conf/all/proxy_arp":          "1",
	"ipv4/conf/all/send_redirects":     "0",
	"ipv4/conf/default/send_redirects": "0",
	"ipv4/conf/all/accept_redirects":   "0",
	"ipv6/conf/all/disable_ipv6":       "1",
	"ipv6/conf/default/disable_ipv6":   "1",
	// A connection that ended is not taken up again in the middle.
	"netfilter/nf_conntrack_tcp_loose": "0",
}

// NAT makes a namespace with one device forward from it to it. It forgets
// connections that are idle for 350 seconds. Source: Amazon VPC User Guide,
// Troubleshoot NAT gateways.
var NAT = map[string]string{
	"ipv4/ip_forward":                  "1",
	"ipv4/conf/all/rp_filter":          "0",
	"ipv4/conf/default/rp_filter":      "0",
	"ipv4/conf/all/send_redirects":     "0",
	"ipv4/conf/default/send_redirects": "0",
	"ipv4/conf/all/accept_redirects":   "0",
	"ipv6/conf/all/disable_ipv6":       "1",
	"ipv6/conf/default/disable_ipv6":   "1",

	"netfilter/nf_conntrack_tcp_loose":               "0",
	"netfilter/nf_conntrack_tcp_timeout_established": "350",
	"netfilter/nf_conntrack_udp_timeout_stream":      "350",
}

// Service leaves a namespace a host.
var Service = map[string]string{
	"ipv4/ip_forward":                "0",
	"ipv4/conf/all/accept_redirects": "0",
	"ipv6/conf/all/disable_ipv6":     "1",
	"ipv6/conf/default/disable_ipv6": "1",
}

// Dual are Router for a VPC with IPv6: nobody in its namespace has or makes
// addresses but those given, and nobody is asked for neighbours.
var Dual = dual(map[string]string{
	"ipv6/conf/all/disable_ipv6":      "0",
	"ipv6/conf/default/disable_ipv6":  "0",
	"ipv6/conf/all/addr_gen_mode":     "1", // no link-local addresses
	"ipv6/conf/default/addr_gen_mode": "1",
	"ipv6/conf/all/forwarding":        "1",
	"ipv6/conf/default/forwarding":    "1",
	"ipv6/conf/default/accept_dad":    "0",
})

func dual(six map[string]string) map[string]string {
	all := maps.Clone(Router)
	maps.Copy(all, six)
	return all
}
