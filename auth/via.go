package auth

import (
	"context"

	"neargate/auth/policy"
	"neargate/store"
	"neargate/store/tables/edges"
)

// Via is the VPC endpoint that a request came through: a private way, by which the
// caller's address is that of an interface in a VPC.
type Via struct {
	Account, Region string // of the endpoint
	Endpoint, Vpc   string // vpce-…, vpc-…
}

type viaKey struct{}

// WithVia returns ctx for requests that come through a VPC endpoint.
func WithVia(ctx context.Context, v Via) context.Context { return context.WithValue(ctx, viaKey{}, &v) }

// ViaOf is the VPC endpoint that a request with the context came through; nil: none.
func ViaOf(ctx context.Context) *Via {
	v, _ := ctx.Value(viaKey{}).(*Via)
	return v
}

// ByService is the caller as an AWS service shows them to another one that it asks
// in their name: where the request came from is not told.
// Source: Forward access sessions, IAM User Guide.
func (c Caller) ByService() Caller {
	if c.Via != nil {
		c.Via, c.SourceIP = nil, ""
	}
	return c
}

// forwarded sets the condition keys of a request that an AWS service makes in the
// caller's name. Source: Forward access sessions, IAM User Guide.
func forwarded(keys policy.Context, service string) {
	keys.Set("aws:ViaAWSService", "true")
	for _, name := range []string{"aws:CalledVia", "aws:CalledViaFirst", "aws:CalledViaLast"} {
		keys.Set(name, service)
	}
}

// cameFrom sets the condition keys that tell where a request came from.
// Source: AWS global condition context keys, IAM User Guide.
func (c Caller) cameFrom(keys policy.Context) {
	set := func(name, value string) {
		if value != "" {
			keys.Set(name, value)
		}
	}
	if c.Via == nil {
		set("aws:SourceIp", c.SourceIP)
		return
	}
	set("aws:VpcSourceIp", c.SourceIP)
	set("aws:SourceVpce", c.Via.Endpoint)
	set("aws:SourceVpc", c.Via.Vpc)
	set("aws:SourceVpcArn", "arn:aws:ec2:"+c.Via.Region+":"+c.Via.Account+":vpc/"+c.Via.Vpc)
	set("aws:VpceAccount", c.Via.Account)
}

// endpoint is the policy of the VPC endpoint that the caller's request came through;
// nil: it came through none. One that is gone lets nothing pass.
func (p *parser) endpoint(tx store.Tx, c Caller) ([]*policy.Document, error) {
	if c.Via == nil {
		return nil, nil
	}
	e, ok, err := edges.Endpoints.Find(tx, c.Via.Account, c.Via.Region, c.Via.Endpoint)
	switch {
	case err != nil:
		return nil, err
	case !ok:
		return []*policy.Document{}, nil
	case e.Policy == "":
		return everything, nil
	}
	return p.documents([]string{e.Policy})
}
