package ec2

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"neargate/arn"
	"neargate/auth"
	wire "neargate/aws/ec2"
	"neargate/resource/network"
	"neargate/service"
	"neargate/service/ec2/internal/admit"
	"neargate/store"
	"neargate/store/mem"
	"neargate/store/tables"
	"neargate/wire/shape"
)

const testAccount = "123456789012"

// bench is a service on an empty store and a caller.
type bench struct {
	*Service
	t   *testing.T
	ctx context.Context
}

func newBench(t *testing.T) bench {
	st := mem.New(mem.Paranoid())
	t.Cleanup(func() { st.Close() })
	seed := [32]byte{7}
	s := New(service.Deps{
		Store: st, IDs: arn.NewSource(rand.NewChaCha8(seed)),
		Now: func() time.Time { return time.Unix(1_790_000_000, 0) }, TokenKey: seed,
	})
	return bench{s, t, as(testAccount, "us-east-1")}
}

func as(account, region string) context.Context {
	return auth.WithCaller(context.Background(), auth.Caller{
		Account: account, Region: region, Partition: "aws", UserID: "AIDAEXAMPLE",
	})
}

// must calls an operation that has to succeed.
func must[I, O any](b bench, op func(context.Context, *I) (*O, error), in I) *O {
	b.t.Helper()
	out, err := op(b.ctx, &in)
	if err != nil {
		b.t.Fatalf("%T: %v", in, err)
	}
	return out
}

// fails calls an operation that has to answer the error code, and the text if
// one is given.
func fails[I, O any](b bench, op func(context.Context, *I) (*O, error), in I, code, message string) {
	b.t.Helper()
	_, err := op(b.ctx, &in)
	var e *shape.Error
	if !errors.As(err, &e) || e.Code != code || message != "" && e.Message != message {
		b.t.Errorf("%T: got %v, want %s: %s", in, err, code, message)
	}
}

// put stores records as another part of the system would.
func put[R any](b bench, table store.Table[R], records ...R) {
	b.t.Helper()
	err := b.Deps.Store.Update(b.ctx, func(tx store.Tx) error {
		for i := range records {
			if err := table.Put(tx, &records[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

// remove deletes a record as another part of the system would.
func remove[R any](b bench, table store.Table[R], r R) {
	b.t.Helper()
	if err := b.Deps.Store.Update(b.ctx, func(tx store.Tx) error { return table.Delete(tx, table.Key(&r)...) }); err != nil {
		b.t.Fatal(err)
	}
}

// get is the stored record.
func get[R any](b bench, table store.Table[R], key ...string) (r R) {
	b.t.Helper()
	err := b.Deps.Store.View(b.ctx, func(tx store.Tx) (err error) {
		r, err = table.Get(tx, key...)
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

func (b bench) group(name string) string {
	b.t.Helper()
	return *must(b, b.CreateSecurityGroup, wire.CreateSecurityGroupInput{GroupName: &name, Description: new("for tests")}).GroupId
}

// defaults are the records every region starts with.
func (b bench) defaults() network.Furniture {
	must(b, b.DescribeVpcs, wire.DescribeVpcsInput{})
	c := auth.CallerFrom(b.ctx)
	return network.Defaults(c.Account, c.Region)
}

func TestDryRunOfEveryOperation(t *testing.T) {
	b := newBench(t)
	for _, op := range wire.Describe(b.Service).Operations {
		in := reflect.New(op.Input)
		dry := in.Elem().FieldByName("DryRun")
		if !dry.IsValid() {
			continue
		}
		dry.Set(reflect.ValueOf(new(true)))
		_, err := op.Serve(b.ctx, in.Interface())
		var e *shape.Error
		if !errors.As(err, &e) || e.Code != "DryRunOperation" || e.Status != 412 {
			t.Errorf("%s: %v", op.Name, err)
		}
	}
}

// TestEveryMemberIsReadOrRefused walks the members of every request: the code
// must mention each by name, or refuse it.
func TestEveryMemberIsReadOrRefused(t *testing.T) {
	read := selectors(t)
	// What these would add does not exist, so both values mean the same.
	// What these say of a group in another VPC follows from the group. There are no
	// instances to which the last two could matter.
	for _, member := range []string{
		"Force", "NetworkCardIndex", "AllRegions", "AllAvailabilityZones", "IncludeManagedResources", "PeeringStatus", "VpcPeeringConnectionId",
	} {
		read[member] = true
	}
	b := newBench(t)
	for _, op := range wire.Describe(b.Service).Operations {
		no := admit.Refused(op.Input.Name())
		for _, path := range no {
			in := reflect.New(op.Input)
			fill(in.Elem(), strings.Split(path, "."))
			if _, err := op.Serve(b.ctx, in.Interface()); !shape.IsCode(err, "UnsupportedOperation") {
				t.Errorf("%s with %s: %v", op.Name, path, err)
			}
		}
		walk(op.Input, "", func(path, member string) bool {
			for _, p := range no {
				if path == p {
					return false
				}
			}
			if !read[member] {
				t.Errorf("%s neither reads nor refuses %s", op.Name, path)
			}
			return true
		})
	}
}

// selectors are the names after a dot in the code of this service.
func selectors(t *testing.T) map[string]bool {
	names := map[string]bool{"DryRun": true}
	err := filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err == nil {
			ast.Inspect(f, func(n ast.Node) bool {
				if s, ok := n.(*ast.SelectorExpr); ok {
					names[s.Sel.Name] = true
				}
				return true
			})
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func walk(typ reflect.Type, path string, visit func(path, member string) bool) {
	for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice {
		typ = typ.Elem()
	}
	if typ.Kind() != reflect.Struct || typ == reflect.TypeFor[time.Time]() {
		return
	}
	for i := range typ.NumField() {
		f := typ.Field(i)
		at := strings.TrimPrefix(path+"."+f.Name, ".")
		if visit(at, f.Name) {
			walk(f.Type, at, visit)
		}
	}
}

// fill gives the member at the path its zero value, present.
func fill(v reflect.Value, path []string) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), path)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), path)
	case reflect.Struct:
		if len(path) > 0 {
			fill(v.FieldByName(path[0]), path[1:])
		}
	}
}

// lister calls a Describe operation and returns what it listed as comparable
// values.
type lister struct {
	name    string
	list    func(b bench, ids []string, filters []wire.Filter, limit *int32, next *string) ([]string, *string, error)
	missing string // a well-formed id of nothing
	code    string
	message string
}

func listers() []lister {
	absent := func(prefix string) string { return prefix + "-0123456789abcdef0" }
	return []lister{
		{"vpcs", func(b bench, ids []string, f []wire.Filter, limit *int32, next *string) ([]string, *string, error) {
			out, err := b.DescribeVpcs(b.ctx, &wire.DescribeVpcsInput{VpcIds: ids, Filters: f, MaxResults: limit, NextToken: next})
			return idsOf(out.Vpcs, func(v wire.Vpc) string { return *v.VpcId }), out.NextToken, err
		}, absent("vpc"), "InvalidVpcID.NotFound", "The vpc ID 'vpc-0123456789abcdef0' does not exist"},
		{"subnets", func(b bench, ids []string, f []wire.Filter, limit *int32, next *string) ([]string, *string, error) {
			out, err := b.DescribeSubnets(b.ctx, &wire.DescribeSubnetsInput{SubnetIds: ids, Filters: f, MaxResults: limit, NextToken: next})
			return idsOf(out.Subnets, func(v wire.Subnet) string { return *v.SubnetId }), out.NextToken, err
		}, absent("subnet"), "InvalidSubnetID.NotFound", "The subnet ID 'subnet-0123456789abcdef0' does not exist"},
		{"gateways", func(b bench, ids []string, f []wire.Filter, limit *int32, next *string) ([]string, *string, error) {
			out, err := b.DescribeInternetGateways(b.ctx, &wire.DescribeInternetGatewaysInput{InternetGatewayIds: ids, Filters: f, MaxResults: limit, NextToken: next})
			return idsOf(out.InternetGateways, func(v wire.InternetGateway) string { return *v.InternetGatewayId }), out.NextToken, err
		}, absent("igw"), "InvalidInternetGatewayID.NotFound", "The internetGateway ID 'igw-0123456789abcdef0' does not exist"},
		{"route tables", func(b bench, ids []string, f []wire.Filter, limit *int32, next *string) ([]string, *string, error) {
			out, err := b.DescribeRouteTables(b.ctx, &wire.DescribeRouteTablesInput{RouteTableIds: ids, Filters: f, MaxResults: limit, NextToken: next})
			return idsOf(out.RouteTables, func(v wire.RouteTable) string { return *v.RouteTableId }), out.NextToken, err
		}, absent("rtb"), "InvalidRouteTableID.NotFound", "The routeTable ID 'rtb-0123456789abcdef0' does not exist"},
		{"ACLs", func(b bench, ids []string, f []wire.Filter, limit *int32, next *string) ([]string, *string, error) {
			out, err := b.DescribeNetworkAcls(b.ctx, &wire.DescribeNetworkAclsInput{NetworkAclIds: ids, Filters: f, MaxResults: limit, NextToken: next})
			return idsOf(out.NetworkAcls, func(v wire.NetworkAcl) string { return *v.NetworkAclId }), out.NextToken, err
		}, absent("acl"), "InvalidNetworkAclID.NotFound", "The networkAcl ID 'acl-0123456789abcdef0' does not exist"},
		{"DHCP options", func(b bench, ids []string, f []wire.Filter, limit *int32, next *string) ([]string, *string, error) {
			out, err := b.DescribeDhcpOptions(b.ctx, &wire.DescribeDhcpOptionsInput{DhcpOptionsIds: ids, Filters: f, MaxResults: limit, NextToken: next})
			return idsOf(out.DhcpOptions, func(v wire.DhcpOptions) string { return *v.DhcpOptionsId }), out.NextToken, err
		}, absent("dopt"), "InvalidDhcpOptionID.NotFound", "The dhcpOption ID 'dopt-0123456789abcdef0' does not exist"},
		{"groups", func(b bench, ids []string, f []wire.Filter, limit *int32, next *string) ([]string, *string, error) {
			out, err := b.DescribeSecurityGroups(b.ctx, &wire.DescribeSecurityGroupsInput{GroupIds: ids, Filters: f, MaxResults: limit, NextToken: next})
			return idsOf(out.SecurityGroups, func(v wire.SecurityGroup) string { return *v.GroupId }), out.NextToken, err
		}, absent("sg"), "InvalidGroup.NotFound", "The security group 'sg-0123456789abcdef0' does not exist"},
		{"rules", func(b bench, ids []string, f []wire.Filter, limit *int32, next *string) ([]string, *string, error) {
			out, err := b.DescribeSecurityGroupRules(b.ctx, &wire.DescribeSecurityGroupRulesInput{SecurityGroupRuleIds: ids, Filters: f, MaxResults: limit, NextToken: next})
			return idsOf(out.SecurityGroupRules, func(v wire.SecurityGroupRule) string { return *v.SecurityGroupRuleId }), out.NextToken, err
		}, absent("sgr"), "InvalidSecurityGroupRuleId.NotFound", ""},
		{"interfaces", func(b bench, ids []string, f []wire.Filter, limit *int32, next *string) ([]string, *string, error) {
			out, err := b.DescribeNetworkInterfaces(b.ctx, &wire.DescribeNetworkInterfacesInput{NetworkInterfaceIds: ids, Filters: f, MaxResults: limit, NextToken: next})
			return idsOf(out.NetworkInterfaces, func(v wire.NetworkInterface) string { return *v.NetworkInterfaceId }), out.NextToken, err
		}, absent("eni"), "InvalidNetworkInterfaceID.NotFound", "The networkInterface ID 'eni-0123456789abcdef0' does not exist"},
	}
}

func idsOf[W any](list []W, id func(W) string) []string {
	var ids []string
	for _, w := range list {
		ids = append(ids, id(w))
	}
	return ids
}

// populate makes seven or more of everything.
func populate(b bench) {
	f := b.defaults()
	for i := range 7 {
		id := fmt.Sprintf("-%017x", i+1)
		v, s, g, r, a, d := f.Vpc, f.Subnets[0], f.InternetGateway, f.RouteTable, f.NetworkAcl, f.DhcpOptions
		v.ID, s.ID, g.ID, r.ID, a.ID, d.ID = "vpc"+id, "subnet"+id, "igw"+id, "rtb"+id, "acl"+id, "dopt"+id
		v.Default, s.Vpc, g.Vpc, r.Vpc, a.Vpc = false, v.ID, "", v.ID, v.ID
		put(b, tables.Vpcs, v)
		put(b, tables.Subnets, s)
		put(b, tables.InternetGateways, g)
		put(b, tables.RouteTables, r)
		put(b, tables.NetworkAcls, a)
		put(b, tables.DhcpOptions, d)
		b.group(fmt.Sprint("group", i))
		must(b, b.CreateNetworkInterface, wire.CreateNetworkInterfaceInput{SubnetId: &f.Subnets[i%3].ID})
	}
}

func TestDescribe(t *testing.T) {
	b := newBench(t)
	populate(b)
	for _, l := range listers() {
		t.Run(l.name, func(t *testing.T) {
			all, next, err := l.list(b, nil, nil, nil, nil)
			if err != nil || next != nil || len(all) < 7 {
				t.Fatalf("listed %v, next %v, error %v", all, next, err)
			}
			var paged []string
			for pages := 0; ; pages++ {
				ids, n, err := l.list(b, nil, nil, new(int32(5)), next)
				if err != nil || len(ids) > 5 || pages > len(all) {
					t.Fatalf("page %d: %v, error %v", pages, ids, err)
				}
				paged = append(paged, ids...)
				if next = n; n == nil {
					break
				}
			}
			if !reflect.DeepEqual(paged, all) {
				t.Errorf("pages hold %v, all are %v", paged, all)
			}
			some, _, err := l.list(b, []string{all[3], all[1], all[3]}, nil, nil, nil)
			if err != nil || !reflect.DeepEqual(some, []string{all[3], all[1]}) {
				t.Errorf("by id: %v, error %v", some, err)
			}
			checkDescribeErrors(t, b, l, all)
		})
	}
}

func checkDescribeErrors(t *testing.T, b bench, l lister, all []string) {
	t.Helper()
	try := func(code, message string, ids []string, f []wire.Filter, limit *int32, next *string) {
		t.Helper()
		_, _, err := l.list(b, ids, f, limit, next)
		var e *shape.Error
		if !errors.As(err, &e) || e.Code != code || message != "" && e.Message != message {
			t.Errorf("got %v, want %s: %s", err, code, message)
		}
	}
	try(l.code, l.message, []string{all[0], l.missing}, nil, nil, nil)
	try("InvalidParameterCombination", "", all[:1], nil, new(int32(5)), nil)
	try("InvalidParameterCombination", "", all[:1], nil, nil, new("token"))
	try("InvalidParameterValue", "", nil, nil, new(int32(4)), nil)
	try("InvalidParameterValue", "", nil, nil, new(int32(1001)), nil)
	try("InvalidParameterValue", "Value ( made-up ) for parameter NextToken is invalid. The token is invalid.", nil, nil, nil, new("made-up"))
	try("InvalidParameterValue", "The filter 'unsupported-probe-filter' is invalid", nil,
		[]wire.Filter{{Name: new("unsupported-probe-filter"), Values: []string{"x"}}}, nil, nil)

	_, next, _ := l.list(b, nil, nil, new(int32(5)), nil)
	elsewhere := b
	elsewhere.ctx = as(testAccount, "eu-west-1")
	if _, _, err := l.list(elsewhere, nil, nil, nil, next); !shape.IsCode(err, "InvalidParameterValue") {
		t.Errorf("a token of another region: %v", err)
	}
	if _, _, err := l.list(elsewhere, all[:1], nil, nil, nil); !shape.IsCode(err, l.code) {
		t.Errorf("an id of another region: %v", err)
	}
}
