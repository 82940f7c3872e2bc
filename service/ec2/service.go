// Package ec2 answers the Amazon EC2 API as far as networking for Fargate needs
// it: VPCs and their parts are described, security groups, network interfaces and
// tags are managed.
package ec2

import (
	"context"
	"net/http"
	"reflect"
	"strings"

	"neargate/arn"
	"neargate/auth"
	wire "neargate/aws/ec2"
	"neargate/service"
	"neargate/service/internal/page"
	"neargate/store"
	"neargate/store/tables"
	"neargate/wire/shape"
)

// Service answers the operations.
type Service struct {
	deps   service.Deps
	sealer *page.Sealer
}

var _ wire.API = (*Service)(nil)

// New returns the service.
func New(deps service.Deps) *Service {
	return &Service{deps: deps, sealer: page.NewSealer(deps.TokenKey)}
}

// scope is a transaction on behalf of a caller.
type scope struct {
	tx     store.Tx
	caller auth.Caller
}

// account and region are the first segments of every key the caller may see.
func (s scope) tenant() (account, region string) { return s.caller.Account, s.caller.Region }

// view runs fn on the caller's network, which exists from the first look on.
func (s *Service) view(ctx context.Context, fn func(scope) error) error {
	c := auth.CallerFrom(ctx)
	furnished := true
	err := s.deps.Store.View(ctx, func(tx store.Tx) error {
		_, found, err := tables.DefaultNetworks.Find(tx, c.Account, c.Region)
		if err != nil {
			return err
		}
		if furnished = found || !arn.KnownRegion(c.Region); !furnished {
			return nil
		}
		return fn(scope{tx, c})
	})
	if err != nil || furnished {
		return err
	}
	err = s.update(ctx, func(scope) error { return nil })
	if err != nil {
		return err
	}
	return s.deps.Store.View(ctx, func(tx store.Tx) error { return fn(scope{tx, c}) })
}

// update runs fn in a transaction that may write. fn may run more than once.
func (s *Service) update(ctx context.Context, fn func(scope) error) error {
	c := auth.CallerFrom(ctx)
	return s.deps.Store.Update(ctx, func(tx store.Tx) error {
		if err := tables.EnsureDefaultNetwork(tx, c.Account, c.Region); err != nil {
			return err
		}
		return fn(scope{tx, c})
	})
}

// peering are the members of a permission that speak of groups in other VPCs.
var peering = []string{
	"IpPermissions.UserIdGroupPairs.VpcPeeringConnectionId", "IpPermissions.UserIdGroupPairs.PeeringStatus",
	"IpPermissions.UserIdGroupPairs.VpcId",
}

// refused lists the request members that ask for something not built, by request
// type; a dotted path reaches into structures and list elements.
var refused = map[string][]string{
	"AuthorizeSecurityGroupIngressInput":              peering,
	"RevokeSecurityGroupIngressInput":                 peering,
	"UpdateSecurityGroupRuleDescriptionsEgressInput":  peering,
	"UpdateSecurityGroupRuleDescriptionsIngressInput": peering,
	"AuthorizeSecurityGroupEgressInput": append([]string{
		"CidrIp", "FromPort", "IpProtocol", "SourceSecurityGroupName", "SourceSecurityGroupOwnerId", "ToPort",
	}, peering...),
	"RevokeSecurityGroupEgressInput": append([]string{
		"CidrIp", "FromPort", "IpProtocol", "SourceSecurityGroupName", "SourceSecurityGroupOwnerId", "ToPort",
	}, peering...),
	"CreateNetworkInterfaceInput": {
		"ConnectionTrackingSpecification", "EnablePrimaryIpv6", "InterfaceType", "Ipv4PrefixCount", "Ipv4Prefixes",
		"Ipv6AddressCount", "Ipv6Addresses", "Ipv6PrefixCount", "Ipv6Prefixes", "Operator",
	},
	"ModifyNetworkInterfaceAttributeInput": {
		"AssociatePublicIpAddress", "AssociatedSubnetIds", "ConnectionTrackingSpecification", "EnaSrdSpecification",
		"EnablePrimaryIpv6", "Attachment.DefaultEnaQueueCount", "Attachment.EnaQueueCount",
	},
}

// admit is the first check of every operation: a dry run ends here, and members
// that ask for something not built are refused. in points to the request.
func admit(in any) error {
	v := reflect.ValueOf(in).Elem()
	if dry, ok := v.FieldByName("DryRun").Interface().(*bool); ok && dry != nil && *dry {
		return shape.NewError("DryRunOperation", http.StatusPreconditionFailed,
			"Request would have succeeded, but DryRun flag is set.")
	}
	for _, path := range refused[v.Type().Name()] {
		if given(v, strings.Split(path, ".")) {
			return shape.Errorf("UnsupportedOperation", "The parameter %s is not supported.", path)
		}
	}
	return nil
}

// given reports whether the member at the path has a value.
func given(v reflect.Value, path []string) bool {
	switch v.Kind() {
	case reflect.Pointer:
		return !v.IsNil() && (len(path) == 0 || given(v.Elem(), path))
	case reflect.Slice:
		for i := range v.Len() {
			if len(path) == 0 || given(v.Index(i), path) {
				return true
			}
		}
		return false
	}
	return given(v.FieldByName(path[0]), path[1:])
}

// missing is the error for an absent parameter.
func missing(name string) error {
	return shape.Errorf("MissingParameter", "The request must contain the parameter %s", name)
}

func invalid(format string, args ...any) error {
	return shape.Errorf("InvalidParameterValue", format, args...)
}

// val is what p points to, or the zero value.
func val[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// optional is nil for an empty string.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
