package ecs

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"math/rand"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"neargate/arn"
	"neargate/auth"
	api "neargate/aws/ecs"
	"neargate/service"
	"neargate/service/ecs/task"
	"neargate/store/mem"
	"neargate/wire/shape"
)

var ctx = auth.WithCaller(context.Background(), auth.Caller{Account: "123456789012", Region: "us-east-1", ARN: "arn:aws:iam::123456789012:root", UserID: "123456789012"})

func newService(t *testing.T) *Service {
	s := mem.New(mem.Paranoid())
	t.Cleanup(func() { s.Close() })
	return New(service.Deps{Store: s, Now: time.Now, IDs: arn.NewSource(rand.New(rand.NewSource(1)))}, task.FargateRate())
}

// operations yields the operations of the API that the service has.
func operations(s *Service) map[string]reflect.Value {
	found := map[string]reflect.Value{}
	t := reflect.TypeFor[api.API]()
	for i := range t.NumMethod() {
		if m := reflect.ValueOf(s).MethodByName(t.Method(i).Name); m.IsValid() {
			found[t.Method(i).Name] = m
		}
	}
	return found
}

// An operation without a member that its model requires is refused by ECS's error
// and changes nothing.
func TestRequiredMembersAreRequired(t *testing.T) {
	s := newService(t)
	if _, err := s.CreateCluster(ctx, &api.CreateClusterInput{}); err != nil {
		t.Fatal(err)
	}
	ops := operations(s)
	if len(ops) < 29 {
		t.Fatalf("only %d operations", len(ops))
	}
	for name, op := range ops {
		in := op.Type().In(1)
		required := false
		for i := range in.Elem().NumField() {
			required = required || strings.Contains(in.Elem().Field(i).Tag.Get("aws")+",", ",required,")
		}
		if !required {
			continue
		}
		out := op.Call([]reflect.Value{reflect.ValueOf(ctx), reflect.New(in.Elem())})
		err, _ := out[1].Interface().(error)
		if !shape.IsCode(err, "InvalidParameterException", "ClientException") {
			t.Errorf("%s without anything: %v", name, err)
		}
	}
	if out, err := s.DescribeClusters(ctx, &api.DescribeClustersInput{}); err != nil || *out.Clusters[0].Status != "ACTIVE" {
		t.Errorf("the default cluster is %+v, %v", out, err)
	}
}

// Every member of every request is read somewhere: by name, or by handing the
// whole request to a conversion whose completeness has a test of its own.
func TestEveryMemberIsRead(t *testing.T) {
	read := membersRead(t)
	for name, op := range operations(newService(t)) {
		in := op.Type().In(1).Elem()
		for i := range in.NumField() {
			member, members := in.Field(i).Name, read[in.Name()]
			if !members[member] && !members["*"] && !(members[asCreate] && read["CreateServiceInput"][member]) {
				t.Errorf("%s never reads %s", name, member)
			}
		}
	}
}

// asCreate is the conversion by which UpdateService is checked like CreateService.
const asCreate = "asCreate"

// membersRead finds, by request type, the members that any function with a
// parameter of that type reads; "*" when it hands the request to fromInput, and
// asCreate when to that.
func membersRead(t *testing.T) map[string]map[string]bool {
	read := map[string]map[string]bool{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok {
				functionReads(f, read)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return read
}

func functionReads(f *ast.FuncDecl, read map[string]map[string]bool) {
	for _, p := range f.Type.Params.List {
		star, ok := p.Type.(*ast.StarExpr)
		if !ok || len(p.Names) != 1 {
			continue
		}
		typ, ok := star.X.(*ast.SelectorExpr)
		if !ok || !strings.HasSuffix(typ.Sel.Name, "Input") {
			continue
		}
		members := read[typ.Sel.Name]
		if members == nil {
			members = map[string]bool{}
			read[typ.Sel.Name] = members
		}
		ast.Inspect(f.Body, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok && x.Name == p.Names[0].Name {
					members[n.Sel.Name] = true
				}
			case *ast.CallExpr:
				if fun, ok := n.Fun.(*ast.Ident); ok && fun.Name == "fromInput" {
					members["*"] = true
				} else if ok && fun.Name == asCreate {
					members[asCreate] = true
				}
			}
			return true
		})
	}
}
