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
	"neargate/service/internal/guard"
	"neargate/store/tables"
	"neargate/store/tables/edges"
	"neargate/wire/shape"
)

// maxPolicy bounds an endpoint policy in characters. Source: AWS PrivateLink
// quotas.
const maxPolicy = 20480

// Policies of endpoints made without one, which allow everything.
const (
	gatewayPolicy   = `{"Version":"2008-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}`
	interfacePolicy = "{\n  \"Statement\": [\n    {\n      \"Action\": \"*\", \n      \"Effect\": \"Allow\", \n      \"Principal\": \"*\", \n      \"Resource\": \"*\"\n    }\n  ]\n}"
)

// policyOf is the policy that a request gives the endpoint, or the one that allows
// everything.
func policyOf(sc call.Scope, e *edge.Endpoint, text *string) (string, error) {
	if call.Val(text) == "" {
		if e.Type == edge.GatewayEndpoint {
			return gatewayPolicy, nil
		}
		return interfacePolicy, nil
	}
	if len(*text) > maxPolicy {
		return "", shape.Errorf("InvalidPolicyDocument", "The policy document is larger than %d characters.", maxPolicy)
	}
	_, err := guard.Check(sc.Tx, *text)
	switch {
	case errors.Is(err, guard.ErrMalformed):
		err = shape.Errorf("InvalidPolicyDocument", "The specified policy document is not a valid JSON policy document.")
	case errors.Is(err, guard.ErrPrincipal):
		err = shape.Errorf("InvalidPolicyDocument", "The specified policy document has an invalid principal.")
	}
	return *text, err
}

// ModifyVpcEndpoint changes an endpoint.
func (s *Handler) ModifyVpcEndpoint(ctx context.Context, in *wire.ModifyVpcEndpointInput) (*wire.ModifyVpcEndpointOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	if in.VpcEndpointId == nil {
		return nil, call.Missing("VpcEndpointId")
	}
	addresses, err := wanted(in.SubnetConfigurations)
	if err != nil {
		return nil, err
	}
	err = s.Update(ctx, func(sc call.Scope) error {
		e, err := call.Endpoints.Get(sc, *in.VpcEndpointId)
		if err != nil {
			return err
		}
		if e.State == edge.Deleting {
			return shape.Errorf("IncorrectState", "The VPC endpoint %s is being deleted.", e.ID)
		}
		if err := fits(&e, in); err != nil {
			return err
		}
		if in.PolicyDocument != nil || call.Val(in.ResetPolicy) {
			if e.Policy, err = policyOf(sc, &e, in.PolicyDocument); err != nil {
				return err
			}
		}
		if e.Type == edge.GatewayEndpoint {
			err = s.modifyGateway(sc, &e, in)
		} else {
			err = s.modifyInterface(sc, &e, in, addresses)
		}
		if err != nil {
			return err
		}
		return edges.Endpoints.Put(sc.Tx, &e)
	})
	if err != nil {
		return nil, err
	}
	return &wire.ModifyVpcEndpointOutput{Return: new(true)}, nil
}

// fits refuses a request that says two things at once, or what the endpoint's type
// lacks.
func fits(e *edge.Endpoint, in *wire.ModifyVpcEndpointInput) error {
	if in.PolicyDocument != nil && call.Val(in.ResetPolicy) {
		return shape.Errorf("InvalidParameterCombination", "The parameter ResetPolicy cannot be used with the parameter PolicyDocument")
	}
	gateway := e.Type == edge.GatewayEndpoint
	for _, bad := range []struct {
		given bool
		name  string
	}{
		{gateway && len(in.AddSubnetIds)+len(in.RemoveSubnetIds)+len(in.SubnetConfigurations) > 0, "SubnetIds"},
		{gateway && len(in.AddSecurityGroupIds)+len(in.RemoveSecurityGroupIds) > 0, "SecurityGroupIds"},
		{gateway && call.Val(in.PrivateDnsEnabled), "PrivateDnsEnabled"},
		{!gateway && len(in.AddRouteTableIds)+len(in.RemoveRouteTableIds) > 0, "RouteTableIds"},
	} {
		if bad.given {
			return shape.Errorf("InvalidParameter", "The parameter %s is not supported for endpoints of type %s.", bad.name, e.Type)
		}
	}
	return options(e.Type, in.IpAddressType, in.DnsOptions)
}

func (s *Handler) modifyGateway(sc call.Scope, e *edge.Endpoint, in *wire.ModifyVpcEndpointInput) error {
	for _, id := range in.RemoveRouteTableIds {
		if !slices.Contains(e.RouteTables, id) {
			return shape.Errorf("InvalidParameter", "Route table %s is not associated with the endpoint %s", id, e.ID)
		}
	}
	if err := dropRoutes(sc, e, in.RemoveRouteTableIds); err != nil {
		return err
	}
	e.RouteTables = slices.DeleteFunc(slices.Clone(e.RouteTables), func(id string) bool { return slices.Contains(in.RemoveRouteTableIds, id) })
	return s.addRoutes(sc, e, distinct(in.AddRouteTableIds))
}

func (s *Handler) modifyInterface(sc call.Scope, e *edge.Endpoint, in *wire.ModifyVpcEndpointInput, addresses map[string]string) error {
	if err := regroup(sc, e, in.AddSecurityGroupIds, in.RemoveSecurityGroupIds); err != nil {
		return err
	}
	if err := dropSubnets(sc, e, distinct(in.RemoveSubnetIds)); err != nil {
		return err
	}
	add := distinct(append(slices.Clone(in.AddSubnetIds), keys(in.SubnetConfigurations)...))
	if err := s.addSubnets(sc, e, add, addresses); err != nil {
		return err
	}
	if in.PrivateDnsEnabled == nil || *in.PrivateDnsEnabled == e.PrivateDNS {
		return nil
	}
	e.PrivateDNS = *in.PrivateDnsEnabled
	vpc, err := tables.Vpcs.Get(sc.Tx, e.Account, e.Region, e.Vpc)
	if err != nil {
		return err
	}
	service, _ := edge.ServiceNamed(e.Region, e.Service, e.Type)
	return checkDNS(sc, &vpc, e, service)
}

// regroup changes the security groups of the endpoint and its interfaces.
func regroup(sc call.Scope, e *edge.Endpoint, add, remove []string) error {
	if len(add)+len(remove) == 0 {
		return nil
	}
	for _, id := range remove {
		if !slices.Contains(e.Groups, id) {
			return shape.Errorf("InvalidParameter", "Security group %s is not associated with the endpoint %s", id, e.ID)
		}
	}
	kept := slices.DeleteFunc(slices.Clone(e.Groups), func(id string) bool { return slices.Contains(remove, id) })
	wanted := append(kept, add...)
	if len(wanted) == 0 {
		return shape.Errorf("InvalidParameter", "An endpoint of type Interface must have at least one security group.")
	}
	groups, err := call.GroupsFor(sc, e.Vpc, wanted)
	switch {
	case err != nil:
		return err
	case len(groups) > maxGroups:
		return tooManyGroups()
	}
	e.Groups = groups
	enis, err := interfaces(sc.Tx, e)
	if err != nil {
		return err
	}
	for _, eni := range enis {
		eni.Groups = groups
		if err := tables.NetworkInterfaces.Put(sc.Tx, &eni); err != nil {
			return err
		}
	}
	return nil
}

// prefixList is the id of the prefix list that lists the addresses of the
// endpoint's service.
func (s *Handler) prefixList(e *edge.Endpoint) (string, error) {
	for _, l := range edge.AmazonPrefixLists(e.Region, s.PublicRange()) {
		if l.Name == e.Service {
			return l.ID, nil
		}
	}
	return "", noService(e.Service)
}

// addRoutes puts a route to the endpoint into the route tables.
func (s *Handler) addRoutes(sc call.Scope, e *edge.Endpoint, ids []string) error {
	list, err := s.prefixList(e)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if slices.Contains(e.RouteTables, id) {
			continue
		}
		t, err := call.RouteTables.Get(sc, id)
		switch {
		case err != nil:
			return err
		case t.Vpc != e.Vpc:
			return shape.Errorf("InvalidParameter", "Route table %s does not belong to VPC %s", id, e.Vpc)
		case slices.ContainsFunc(t.Routes, func(r network.Route) bool { return r.PrefixList == list }):
			return shape.Errorf("RouteAlreadyExists", "route table %s already has a route with destination-prefix-list-id %s", id, list)
		}
		t.Routes = append([]network.Route{{PrefixList: list, Gateway: e.ID, Origin: network.OriginCreateRoute}}, t.Routes...)
		if err := tables.RouteTables.Put(sc.Tx, &t); err != nil {
			return err
		}
		e.RouteTables = append(slices.Clip(e.RouteTables), id)
	}
	return nil
}

// dropRoutes takes the routes to the endpoint out of the route tables.
func dropRoutes(sc call.Scope, e *edge.Endpoint, ids []string) error {
	for _, id := range ids {
		t, found, err := tables.RouteTables.Find(sc.Tx, e.Account, e.Region, id)
		if err != nil {
			return err
		}
		if !found {
			continue
		}
		t.Routes = slices.DeleteFunc(slices.Clone(t.Routes), func(r network.Route) bool { return r.Gateway == e.ID })
		if err := tables.RouteTables.Put(sc.Tx, &t); err != nil {
			return err
		}
	}
	return nil
}
