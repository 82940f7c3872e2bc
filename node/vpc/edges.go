package vpc

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"syscall"

	"neargate/node/network"
	record "neargate/resource/network"
	"neargate/resource/network/edge"
	"neargate/store"
	"neargate/store/tables"
	"neargate/store/tables/edges"
)

// Listener is where a VPC endpoint is to be served on this host.
type Listener struct {
	Endpoint string     // its id
	Service  string     // com.amazonaws.REGION.NAME
	Space    string     // the file of the network namespace to listen in
	Address  netip.Addr // to listen at
	Inode    uint64     // of the namespace: one that was made anew has another
}

// readNATs finds the VPC's NAT gateways.
func (r *reader) readNATs() error {
	for g, err := range edges.NatGateways.By(r.tx, edges.NatGatewaysByVpc, r.account, r.region, r.id) {
		if err != nil {
			return err
		}
		if g.State != edge.Available || len(g.Addresses) == 0 {
			continue
		}
		e := r.interfaces[g.Addresses[0].ENI]
		if e == nil {
			continue
		}
		nat := *e
		nat.Groups, nat.IPv6 = nil, nil
		if nat.PublicIP = ""; !g.Private {
			nat.PublicIP = g.Addresses[0].PublicIP
		}
		if err := r.add(&nat, network.NAT, ""); err != nil {
			return err
		}
		own := &r.want.Interfaces[len(r.want.Interfaces)-1]
		for _, a := range g.Addresses {
			if ip, err := netip.ParseAddr(a.PrivateIP); err == nil && a.Goes() {
				own.Draining = append(own.Draining, ip)
			}
		}
	}
	return nil
}

// readEndpoints finds the VPC's endpoints and where to serve them.
func (r *reader) readEndpoints() (err error) {
	r.view.Endpoints, err = store.Collect(edges.Endpoints.By(r.tx, edges.EndpointsByVpc, r.account, r.region, r.id))
	if err != nil {
		return err
	}
	for _, e := range r.view.Endpoints {
		if e.State != edge.Available {
			continue
		}
		if e.Type == edge.GatewayEndpoint {
			r.readGatewayEndpoint(&e)
			continue
		}
		for _, id := range e.ENIs {
			i := r.interfaces[id]
			if i == nil || len(i.Addresses) == 0 {
				continue
			}
			if err := r.add(i, network.Service, ""); err != nil {
				return err
			}
			own := r.want.Interfaces[len(r.want.Interfaces)-1]
			r.listen(&e, id, own.Addresses[0])
		}
	}
	return nil
}

// readGatewayEndpoint adds an endpoint for the range that the prefix list of its
// service has.
func (r *reader) readGatewayEndpoint(e *edge.Endpoint) {
	for _, l := range edge.AmazonPrefixLists(r.region, r.pool) {
		if l.Name != e.Service || len(l.Entries) == 0 {
			continue
		}
		if p, ok := record.Canonical(l.Entries[0].CIDR, 4); ok {
			r.want.Gateways = append(r.want.Gateways, network.GatewayEndpoint{ID: e.ID, Range: p})
			r.listen(e, e.ID, p.Addr())
		}
	}
}

func (r *reader) listen(e *edge.Endpoint, id string, at netip.Addr) {
	r.view.Listen = append(r.view.Listen, Listener{Endpoint: e.ID, Service: e.Service, Space: r.space(id), Address: at})
}

// readPeers finds the VPC's active peering connections.
func (r *reader) readPeers() error {
	for p, err := range edges.Peerings.By(r.tx, edges.PeeringsByVpc, r.account, r.region, r.id) {
		if err != nil {
			return err
		}
		other := p.Accepter
		if other.Account == r.account && other.Region == r.region && other.Vpc == r.id {
			other = p.Requester
		}
		if p.State != edge.PeeringActive {
			continue
		}
		v, ok, err := tables.Vpcs.Find(r.tx, other.Account, other.Region, other.Vpc)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		cidrs, err := parse(v.CIDRs())
		if err != nil {
			return fmt.Errorf("%s: %w", v.ID, err)
		}
		six, err := blocks(v.IPv6)
		if err != nil {
			return fmt.Errorf("%s: %w", v.ID, err)
		}
		if len(r.want.IPv6) > 0 {
			cidrs = append(cidrs, six...)
		}
		r.peers = append(r.peers, peerVPC{scope{other.Account, other.Region}, v.ID})
		r.want.Peers = append(r.want.Peers, network.Peer{ID: p.ID, VPC: v.ID, CIDRs: cidrs})
		if !other.AllowRemoteDNS {
			continue
		}
		known, err := store.Collect(tables.NetworkInterfaces.By(r.tx, tables.InterfacesByVpc, other.Account, other.Region, other.Vpc))
		if err != nil {
			return err
		}
		r.view.Peers = append(r.view.Peers, known...)
	}
	return nil
}

// identify notes which namespaces the listeners' are.
func identify(listen []Listener) error {
	for i := range listen {
		n, err := inode(listen[i].Space)
		if err != nil {
			return err
		}
		listen[i].Inode = n
	}
	return nil
}

func inode(path string) (uint64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return info.Sys().(*syscall.Stat_t).Ino, nil
}

// concerned are the VPCs of this host that c may change.
func (k *Keeper) concerned(c change) (ids []string) {
	vpc := c.vpc
	for id, v := range k.vpcs {
		if c.eni != "" && slices.ContainsFunc(v.view.Interfaces, func(e record.NetworkInterface) bool { return e.ID == c.eni }) {
			vpc = id
		}
	}
	for id, v := range k.vpcs {
		near := v.scope == c.scope
		if vpc != "" {
			near = id == vpc
		}
		peer := slices.ContainsFunc(v.peers, func(p peerVPC) bool { return p.scope == c.scope && (vpc == "" || p.id == vpc) })
		if c.peering || near || peer {
			ids = append(ids, id)
		}
	}
	return ids
}
