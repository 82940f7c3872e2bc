// Package endpoint answers Amazon EC2's operations on VPC endpoints and the
// services that they lead to. An interface endpoint has its interfaces from the
// start and is pending until package control/edge has seen it; what is left of a
// deleted one, that package removes.
package endpoint

import (
	"context"
	"errors"
	"slices"

	wire "neargate/aws/ec2"
	"neargate/resource/network"
	"neargate/resource/network/edge"
	"neargate/service/ec2/internal/admit"
	"neargate/service/ec2/internal/call"
	"neargate/service/ec2/internal/tag"
	"neargate/store"
	"neargate/store/tables"
	"neargate/store/tables/address"
	"neargate/store/tables/edges"
	"neargate/wire/shape"
)

// Quotas. Source: AWS PrivateLink quotas.
const (
	maxInterface = 50 // interface endpoints of a VPC
	maxGateway   = 20 // gateway endpoints of a region
	maxGroups    = 5  // security groups of an interface
)

const ipv4 = "ipv4"

// Handler answers the operations.
type Handler struct{ *call.Env }

// New returns the handler.
func New(e *call.Env) *Handler { return &Handler{e} }

// order is a VPC endpoint asked for.
type order struct {
	service    edge.Service
	dns        *bool
	subnets    []string
	addresses  map[string]string // private address wanted, by subnet
	groups     []string
	tables     []string
	policy     *string
	token, key string
	hash       string
	tags       []network.Tag
}

// read checks what a request for an endpoint says by itself.
func read(in *wire.CreateVpcEndpointInput, region string) (o order, err error) {
	switch {
	case call.Val(in.VpcId) == "":
		return o, call.Missing("VpcId")
	case call.Val(in.ServiceName) == "":
		return o, call.Missing("ServiceName")
	case in.ServiceRegion != nil && *in.ServiceRegion != region:
		return o, shape.Errorf("UnsupportedOperation", "Endpoints for services in other regions are not supported.")
	case len(in.SecurityGroupIds) > maxGroups:
		return o, tooManyGroups()
	}
	kind := edge.GatewayEndpoint
	if in.VpcEndpointType != nil {
		kind = *in.VpcEndpointType
	}
	if o.service, err = find(region, *in.ServiceName, kind); err != nil {
		return o, err
	}
	if err := options(kind, in.IpAddressType, in.DnsOptions); err != nil {
		return o, err
	}
	if o.addresses, err = wanted(in.SubnetConfigurations); err != nil {
		return o, err
	}
	o.dns, o.groups, o.tables, o.policy = in.PrivateDnsEnabled, in.SecurityGroupIds, distinct(in.RouteTableIds), in.PolicyDocument
	o.subnets = distinct(append(slices.Clone(in.SubnetIds), keys(in.SubnetConfigurations)...))
	if err := o.suits(); err != nil {
		return o, err
	}
	if o.tags, err = tag.Specified(in.TagSpecifications, call.Endpoints.Type); err != nil {
		return o, err
	}
	if o.token, o.key, err = call.Token(in.ClientToken); err != nil {
		return o, err
	}
	o.hash, err = call.Hash(in.VpcId, o.service.Name, kind, o.dns, o.subnets, o.addresses, o.groups, o.tables, o.policy, o.tags)
	return o, err
}

// find is the service with the name for endpoints of the type.
func find(region, name, kind string) (edge.Service, error) {
	s, ok := edge.ServiceNamed(region, name, kind)
	if ok {
		return s, nil
	}
	var types []string
	for _, other := range edge.Services(region) {
		if other.Name == name {
			types = append(types, other.Type)
		}
	}
	if len(types) == 0 {
		return s, noService(name)
	}
	return s, shape.Errorf("InvalidParameter", "Endpoint type (%s) does not match available service types (%v).", kind, types)
}

func noService(name string) error {
	return shape.Errorf("InvalidServiceName", "The Vpc Endpoint Service '%s' does not exist", name)
}

func tooManyGroups() error {
	return shape.Errorf("SecurityGroupsPerInterfaceLimitExceeded", "The maximum number of security groups per interface has been reached.")
}

// suits refuses members that are for the other type of endpoint.
func (o *order) suits() error {
	gateway := o.service.Type == edge.GatewayEndpoint
	for _, bad := range []struct {
		given bool
		name  string
	}{
		{gateway && len(o.subnets) > 0, "SubnetIds"},
		{gateway && len(o.groups) > 0, "SecurityGroupIds"},
		{gateway && call.Val(o.dns), "PrivateDnsEnabled"},
		{!gateway && len(o.tables) > 0, "RouteTableIds"},
	} {
		if bad.given {
			return shape.Errorf("InvalidParameter", "The parameter %s is not supported for endpoints of type %s.", bad.name, o.service.Type)
		}
	}
	return nil
}

// options refuses kinds of addresses and names that are not built.
func options(kind string, addresses *string, dns *wire.DnsOptionsSpecification) error {
	if addresses != nil && *addresses != ipv4 {
		return shape.Errorf("UnsupportedOperation", "The IP address type %s is not supported.", *addresses)
	}
	if dns == nil {
		return nil
	}
	switch {
	case dns.DnsRecordIpType != nil && *dns.DnsRecordIpType != ipv4 && *dns.DnsRecordIpType != "service-defined":
		return shape.Errorf("UnsupportedOperation", "The DNS record IP type %s is not supported.", *dns.DnsRecordIpType)
	case call.Val(dns.PrivateDnsOnlyForInboundResolverEndpoint):
		return shape.Errorf("UnsupportedOperation", "Private DNS names only for inbound resolver endpoints are not supported.")
	}
	return nil
}

// wanted are the addresses that a request names, by subnet.
func wanted(configurations []wire.SubnetConfiguration) (map[string]string, error) {
	m := map[string]string{}
	for _, c := range configurations {
		if call.Val(c.SubnetId) == "" {
			return nil, call.Missing("SubnetConfiguration.SubnetId")
		}
		if _, twice := m[*c.SubnetId]; twice {
			return nil, shape.Errorf("InvalidParameter", "Duplicate subnet configuration for %s", *c.SubnetId)
		}
		m[*c.SubnetId] = call.Val(c.Ipv4)
	}
	return m, nil
}

func keys(configurations []wire.SubnetConfiguration) []string {
	var out []string
	for _, c := range configurations {
		out = append(out, call.Val(c.SubnetId))
	}
	return out
}

func distinct(ids []string) []string {
	var out []string
	for _, id := range ids {
		if !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out
}

// CreateVpcEndpoint makes a way from a VPC to a service.
func (s *Handler) CreateVpcEndpoint(ctx context.Context, in *wire.CreateVpcEndpointInput) (*wire.CreateVpcEndpointOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	id := s.Deps.IDs.EC2(call.Endpoints.Prefix)
	var out wire.VpcEndpoint
	var token string
	err := s.Update(ctx, func(sc call.Scope) error {
		account, region := sc.Tenant()
		o, err := read(in, region)
		if err != nil {
			return err
		}
		token = o.token
		vpc, err := call.Vpcs.Get(sc, *in.VpcId)
		if err != nil {
			return err
		}
		old, found, err := replayed(sc, &o)
		switch {
		case err != nil:
			return err
		case found:
			out, err = render(sc, &old)
			return err
		}
		e := edge.Endpoint{
			Account: account, Region: region, ID: id, Vpc: vpc.ID, Type: o.service.Type, Service: o.service.Name, State: edge.Available,
			CreatedAt: s.Deps.Now(), Tags: o.tags,
		}
		if o.key != "" {
			e.Token, e.TokenHash = o.key, o.hash
		}
		if e.Policy, err = policyOf(sc, &e, o.policy); err != nil {
			return err
		}
		if err := s.furnish(sc, &vpc, &e, &o); err != nil {
			return err
		}
		if err := edges.Endpoints.Put(sc.Tx, &e); err != nil {
			return err
		}
		out, err = render(sc, &e)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &wire.CreateVpcEndpointOutput{VpcEndpoint: &out, ClientToken: call.Optional(token)}, nil
}

// replayed finds the endpoint that an earlier request with the token made.
func replayed(sc call.Scope, o *order) (edge.Endpoint, bool, error) {
	var none edge.Endpoint
	if o.key == "" {
		return none, false, nil
	}
	account, region := sc.Tenant()
	for e, err := range edges.Endpoints.List(sc.Tx, account, region) {
		switch {
		case err != nil:
			return none, false, err
		case e.Token != o.key:
		case e.TokenHash != o.hash:
			return none, false, call.Mismatch(o.token)
		default:
			return e, true, nil
		}
	}
	return none, false, nil
}

// furnish gives a new endpoint what its type needs: routes, or interfaces and
// names.
func (s *Handler) furnish(sc call.Scope, vpc *network.Vpc, e *edge.Endpoint, o *order) error {
	if err := room(sc, e); err != nil {
		return err
	}
	if e.Type == edge.GatewayEndpoint {
		return s.addRoutes(sc, e, o.tables)
	}
	e.State, e.IPType, e.DNSRecordIPType = edge.Pending, ipv4, ipv4
	var err error
	if e.Groups, err = call.GroupsFor(sc, vpc.ID, o.groups); err != nil {
		return err
	}
	if err := s.addSubnets(sc, e, o.subnets, o.addresses); err != nil {
		return err
	}
	// Amazon S3's names lead to the endpoint only on request.
	e.PrivateDNS = o.dns == nil && !o.service.Wild || call.Val(o.dns)
	return checkDNS(sc, vpc, e, o.service)
}

// room refuses more endpoints than there may be.
func room(sc call.Scope, e *edge.Endpoint) error {
	n := 0
	for other, err := range edges.Endpoints.List(sc.Tx, e.Account, e.Region) {
		if err != nil {
			return err
		}
		if other.Type == e.Type && (e.Type == edge.GatewayEndpoint || other.Vpc == e.Vpc) {
			n++
		}
	}
	if e.Type == edge.GatewayEndpoint && n >= maxGateway || e.Type == edge.InterfaceEndpoint && n >= maxInterface {
		return shape.Errorf("VpcEndpointLimitExceeded", "The maximum number of VPC endpoints has been reached.")
	}
	return nil
}

// checkDNS refuses private names that the VPC cannot resolve or that lead
// elsewhere already.
func checkDNS(sc call.Scope, vpc *network.Vpc, e *edge.Endpoint, service edge.Service) error {
	if !e.PrivateDNS {
		return nil
	}
	if !vpc.DNSSupport || !vpc.DNSHostnames {
		return shape.Errorf("InvalidParameter",
			"Enabling private DNS requires both enableDnsSupport and enableDnsHostnames VPC attributes set to true for %s", vpc.ID)
	}
	for other, err := range edges.Endpoints.By(sc.Tx, edges.EndpointsByVpc, e.Account, e.Region, e.Vpc) {
		if err != nil {
			return err
		}
		if other.ID != e.ID && other.Service == e.Service && other.PrivateDNS && other.State != edge.Deleting {
			return shape.Errorf("InvalidParameter",
				"private-dns-enabled cannot be set because there is already a conflicting DNS domain for %s in the VPC %s", service.Private[0], vpc.ID)
		}
	}
	return nil
}

// DeleteVpcEndpoints orders the end of endpoints. Those that cannot be deleted are
// listed.
func (s *Handler) DeleteVpcEndpoints(ctx context.Context, in *wire.DeleteVpcEndpointsInput) (*wire.DeleteVpcEndpointsOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	if len(in.VpcEndpointIds) == 0 {
		return nil, call.Missing("VpcEndpointId")
	}
	out := &wire.DeleteVpcEndpointsOutput{}
	err := s.Update(ctx, func(sc call.Scope) error {
		out.Unsuccessful = []wire.UnsuccessfulItem{}
		for _, id := range distinct(in.VpcEndpointIds) {
			err := s.remove(sc, id)
			if e, ok := errors.AsType[*shape.Error](err); ok {
				out.Unsuccessful = append(out.Unsuccessful, wire.UnsuccessfulItem{
					ResourceId: new(id), Error: &wire.UnsuccessfulItemError{Code: new(e.Code), Message: new(e.Message)},
				})
			} else if err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}

func (s *Handler) remove(sc call.Scope, id string) error {
	e, err := call.Endpoints.Get(sc, id)
	if err != nil || e.State == edge.Deleting {
		return err
	}
	if err := dropRoutes(sc, &e, e.RouteTables); err != nil {
		return err
	}
	e.State, e.RouteTables, e.DeletedAt = edge.Deleting, nil, s.Deps.Now()
	return edges.Endpoints.Put(sc.Tx, &e)
}

// addSubnets gives the endpoint an interface in each of the subnets.
func (s *Handler) addSubnets(sc call.Scope, e *edge.Endpoint, ids []string, addresses map[string]string) error {
	zones := map[string]string{}
	for _, id := range e.Subnets {
		subnet, err := call.Subnets.Get(sc, id)
		if err != nil {
			return err
		}
		zones[subnet.Zone] = id
	}
	for _, id := range ids {
		if slices.Contains(e.Subnets, id) {
			continue
		}
		subnet, err := call.Subnets.Get(sc, id)
		switch {
		case err != nil:
			return err
		case subnet.Vpc != e.Vpc:
			return shape.Errorf("InvalidParameter", "Subnet %s does not belong to VPC %s", id, e.Vpc)
		case zones[subnet.Zone] != "":
			return shape.Errorf("DuplicateSubnetsInSameZone", "Found another VPC endpoint subnet in the availability zone of %s", id)
		}
		zones[subnet.Zone] = id
		eni := edge.Interface(&subnet, s.Deps.IDs.EC2(call.Interfaces.Prefix), s.Deps.IDs.EC2(edge.AttachmentPrefix), network.TypeEndpoint,
			e.ID, e.Groups, s.Deps.Now())
		ip, err := call.TakeAddress(sc, &subnet, eni.ID, addresses[id])
		if err != nil {
			return err
		}
		eni.Addresses = []string{ip}
		if err := tables.NetworkInterfaces.Put(sc.Tx, &eni); err != nil {
			return err
		}
		e.Subnets, e.ENIs = append(slices.Clip(e.Subnets), id), append(slices.Clip(e.ENIs), eni.ID)
	}
	return nil
}

// dropSubnets takes the endpoint's interfaces out of the subnets.
func dropSubnets(sc call.Scope, e *edge.Endpoint, ids []string) error {
	for _, id := range ids {
		i := slices.Index(e.Subnets, id)
		if i < 0 {
			return shape.Errorf("InvalidParameter", "Subnet %s is not associated with the endpoint %s", id, e.ID)
		}
		eni, found, err := tables.NetworkInterfaces.Find(sc.Tx, e.Account, e.Region, e.ENIs[i])
		if err != nil {
			return err
		}
		if found {
			if err := address.DeleteInterface(sc.Tx, &eni); err != nil {
				return err
			}
		}
		e.Subnets, e.ENIs = slices.Delete(slices.Clone(e.Subnets), i, i+1), slices.Delete(slices.Clone(e.ENIs), i, i+1)
	}
	return nil
}

// interfaces are the endpoint's.
func interfaces(tx store.Tx, e *edge.Endpoint) ([]network.NetworkInterface, error) {
	var out []network.NetworkInterface
	for _, id := range e.ENIs {
		eni, found, err := tables.NetworkInterfaces.Find(tx, e.Account, e.Region, id)
		if err != nil {
			return nil, err
		}
		if found {
			out = append(out, eni)
		}
	}
	return out, nil
}
