package main

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"sync"

	"neargate/cmd/neargate/awsdoor"
	"neargate/dataplane/dns"
	"neargate/dataplane/names"
	"neargate/dataplane/zones"
	"neargate/internal/netns"
	"neargate/node/metadata"
	"neargate/node/vpc"
	"neargate/store"
)

// endpoints serves what AWS offers inside every VPC: the resolver and the task
// metadata.
type endpoints struct {
	resolver *dns.Resolver
	metadata func(vpc string) http.Handler
	names    names.Config
	doors    *awsdoor.Doors
	store    store.Store
	log      *slog.Logger
}

// vpcServer serves the endpoints of one VPC.
type vpcServer struct {
	*endpoints
	id      string
	cancel  context.CancelFunc
	serving sync.WaitGroup
}

// serve opens the sockets of a VPC in its network namespace.
func (e *endpoints) serve(v vpc.View, space string) (vpc.Server, error) {
	cidr, err := netip.ParsePrefix(v.VPC.CIDR)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &vpcServer{endpoints: e, id: v.VPC.ID, cancel: cancel}
	var lc net.ListenConfig
	lc.Control = netns.FreeBind // an address may come and go with the VPC's attributes
	err = netns.Do(space, func() error {
		l, err := lc.Listen(ctx, "tcp4", port(vpc.Metadata(), vpc.MetadataPort))
		if err != nil {
			return err
		}
		s.run(func() error { return metadata.Serve(ctx, l, e.metadata(s.id)) })
		for _, a := range []netip.Addr{vpc.Resolver(cidr), vpc.LinkLocalResolver()} {
			udp, err := lc.ListenPacket(ctx, "udp4", port(a, vpc.DNSPort))
			if err != nil {
				return err
			}
			tcp, err := lc.Listen(ctx, "tcp4", port(a, vpc.DNSPort))
			if err != nil {
				udp.Close()
				return err
			}
			s.run(func() error { return e.resolver.Serve(ctx, s.id, udp, tcp) })
		}
		return nil
	})
	if err != nil {
		s.Close()
		return nil, err
	}
	s.Set(v)
	return s, nil
}

func port(a netip.Addr, p int) string { return net.JoinHostPort(a.String(), strconv.Itoa(p)) }

func (s *vpcServer) run(serve func() error) {
	s.serving.Go(func() {
		if err := serve(); err != nil {
			s.log.Error("an endpoint of a VPC", "vpc", s.id, "error", err)
		}
	})
}

// Set implements vpc.Server.
func (s *vpcServer) Set(v vpc.View) {
	own := names.VPC{Region: v.VPC.Region, Endpoints: v.Endpoints, Interfaces: v.Interfaces}
	c := dns.Config{
		Region: v.VPC.Region, Support: v.VPC.DNSSupport, Hostnames: v.VPC.DNSHostnames, Pool: s.names.Pool, Public: map[netip.Addr]netip.Addr{},
		Names: s.names.In(own), Hidden: s.names.Hidden(own),
		Zones: zones.Zones{Store: s.store, Account: v.VPC.Account, Region: v.VPC.Region, VPC: v.VPC.ID},
	}
	for _, text := range v.VPC.CIDRs() {
		if cidr, err := netip.ParsePrefix(text); err == nil {
			c.CIDRs = append(c.CIDRs, cidr)
		}
	}
	s.doors.Set(v)
	for _, i := range slices.Concat(v.Interfaces, v.Peers) {
		for _, m := range i.Mappings() {
			private, perr := netip.ParseAddr(m.PrivateIP)
			public, err := netip.ParseAddr(m.PublicIP)
			if perr == nil && err == nil {
				c.Public[public] = private
			}
		}
	}
	s.resolver.Set(s.id, c)
}

// Close implements vpc.Server.
func (s *vpcServer) Close() error {
	s.cancel()
	s.serving.Wait()
	s.doors.Remove(s.id)
	s.resolver.Remove(s.id)
	return nil
}
