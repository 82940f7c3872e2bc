package svc

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"neargate/aws/ecs"
	"neargate/internal/convert"
)

// Every member of UpdateService is read by a function that takes the request, or
// by those that take it as a CreateService request, which loses none of it.
func TestUpdateServiceReadsEveryMember(t *testing.T) {
	if lost := convert.Missing[ecs.CreateServiceInput, ecs.UpdateServiceInput](); !slices.Equal(lost, []string{"ForceNewDeployment", "Service"}) {
		t.Errorf("as a CreateService request it loses %v", lost)
	}
	typ := reflect.TypeFor[ecs.UpdateServiceInput]()
	read := map[string]bool{}
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), f.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && (takes(fn, typ.Name()) || fn.Name.Name == "features" || fn.Name.Name == "checkOptions") {
				ast.Inspect(fn, func(n ast.Node) bool {
					if s, ok := n.(*ast.SelectorExpr); ok {
						if x, ok := s.X.(*ast.Ident); ok && x.Name == "in" {
							read[s.Sel.Name] = true
						}
					}
					return true
				})
			}
		}
	}
	for i := range typ.NumField() {
		if name := typ.Field(i).Name; !read[name] {
			t.Errorf("%s is ignored", name)
		}
	}
}

func takes(fn *ast.FuncDecl, input string) bool {
	return slices.ContainsFunc(fn.Type.Params.List, func(f *ast.Field) bool {
		star, ok := f.Type.(*ast.StarExpr)
		if !ok {
			return false
		}
		sel, ok := star.X.(*ast.SelectorExpr)
		return ok && sel.Sel.Name == input
	})
}
