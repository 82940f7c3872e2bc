// Package neargate_test holds the rules of the architecture as tests: who may
// import whom, how large things may grow, what is forbidden where. It parses
// files itself, so that a violation is never hidden by the test cache.
package neargate_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "neargate/"

// layers says what the packages under a folder may import from this module. The
// longest matching folder decides; a folder without an entry fails. "." means
// the folder's own subtree. Source: docs/ARCHITECTURE.md.
var layers = map[string][]string{
	"internal":               {"internal"},
	"arn":                    {},
	"wire/shape":             {},
	"aws":                    {"wire/shape"},
	"wire":                   {"wire", "arn", "internal"},
	"resource":               {"arn", "resource"},
	"store":                  {"store", "internal"},
	"store/tables":           {"store", "resource", "arn", "internal"},
	"auth":                   {"auth", "resource/identity", "resource/key", "resource/param", "resource/secret", "resource/signing", "resource/zone", "store", "arn", "internal"},
	"service":                {"service", "aws", "wire/shape", "resource", "store", "auth", "arn", "internal"},
	"control/loop":           {"store", "arn", "internal"},
	"control":                {".", "control/loop", "resource", "store", "arn", "internal"},
	"node":                   {".", "shim/api", "resource", "arn", "internal"},
	"node/network":           {".", "node/firewall", "resource", "arn", "internal"},
	"node/metadata":          {".", "node/usage", "resource", "arn", "internal"},
	"node/vpc":               {".", "node/network", "node/firewall", "resource", "store", "arn", "internal"},
	"node/flow":              {".", "node/vpc", "node/network", "node/firewall", "resource", "arn", "internal"},
	"node/trust":             {".", "node/image/layered", "internal"},
	"node/container":         {"node/sandbox", "resource", "arn", "internal"},
	"node/inspect":           {".", "node", "resource", "store", "arn", "internal"},
	"node/agent.go":          {"node", "resource", "store", "arn", "internal"},
	"dataplane":              {".", "resource", "arn", "internal"},
	"audit":                  {"wire", "auth", "resource", "store", "arn", "internal"},
	"billing":                {"billing", "resource", "arn", "internal"},
	"node/sandbox":           {".", "shim/api", "internal"},
	"node/image":             {".", "node/sandbox", "shim/api", "internal"},
	"node/logdriver":         {".", "shim/api", "resource", "arn", "internal"},
	"sim":                    {"control", "node", "resource", "service", "aws", "auth", "store", "arn", "internal"},
	"bench":                  {""},
	"cmd":                    {""},
	"cmd/neargate":           {""},
	"service/ecs":            {"service/ecs", "service/internal", "service", "aws/ecs", "wire/shape", "resource", "store", "auth", "arn", "internal"},
	"service/ec2":            {"service/ec2", "service/internal", "service", "aws/ec2", "wire/shape", "resource", "store", "auth", "arn", "internal"},
	"service/iam":            {"service/iam", "service/internal", "service", "aws/iam", "wire/shape", "resource", "store", "auth", "arn", "internal"},
	"service/sts":            {"service/sts", "service/internal", "service", "aws/sts", "wire/shape", "resource", "store", "auth", "arn", "internal"},
	"service/logs":           {"service/logs", "service/internal", "service", "aws/logs", "wire/shape", "resource", "store", "auth", "arn", "internal"},
	"service/cloudtrail":     {"service/cloudtrail", "service/internal", "service", "aws/cloudtrail", "wire/shape", "resource", "store", "auth", "arn", "internal"},
	"service/ecr":            {"service/ecr", "service/internal", "service", "aws/ecr", "wire/shape", "wire/sigv4", "resource", "store", "auth", "arn", "internal"},
	"service/kms":            {"service/kms", "service/internal", "service", "aws/kms", "wire/shape", "resource", "store", "auth", "arn", "internal"},
	"service/signer":         {"service/signer", "service/internal", "service", "aws/signer", "wire/shape", "resource", "store", "auth", "arn", "internal"},
	"service/ssm":            {"service/ssm", "service/internal", "service", "aws/ssm", "wire/shape", "resource", "store", "auth", "arn", "internal"},
	"service/secretsmanager": {"service/secretsmanager", "service/internal", "service", "aws/secretsmanager", "wire/shape", "resource", "store", "auth", "arn", "internal"},
	"service/route53":        {"service/route53", "service/internal", "service", "aws/route53", "wire/shape", "resource", "store", "auth", "arn", "internal"},
	"service/internal":       {"service", "wire/shape", "resource", "store", "auth", "arn", "internal"},

	"resource/objects":            {"arn", "resource", "internal/checksum"},
	"service/s3":                  {"service/s3", "service/internal", "service", "wire/sigv4", "wire/shape", "resource", "store", "auth", "arn", "internal"},
	"dataplane/objects/sweep.go":  {"dataplane/objects", "resource", "store", "arn", "internal"},
	"dataplane/trails":            {"resource", "store", "arn", "internal"},
	"dataplane/zones":             {"dataplane/zones", "resource", "store", "arn", "internal"},
	"dataplane/logstore/sweep.go": {"dataplane/logstore", "resource", "store", "arn", "internal"},
	"dataplane/logstore/meter.go": {"dataplane/logstore", "resource", "store", "arn", "internal"},
	"billing/ledger/drain.go":     {"billing/ledger", "resource", "store", "arn", "internal"},
	"billing/book":                {"billing", "resource", "store", "arn", "internal"},
}

// separate are the folders of other Go modules in this repository.
var separate = []string{"tools", "e2e", "shim"}

// Budgets: lines of a file, of a function, of a package; exported names of a
// package; methods of an interface; imports of this module in one package.
const (
	maxFile, maxFunc, maxPackage        = 700, 100, 2500
	maxExported, maxMethods, maxImports = 50, 8, 16
)

// dependencies are the direct requirements of go.mod, each with its reason.
var dependencies = map[string]string{
	"github.com/vishvananda/netlink":                                  "interfaces, addresses, routes and rules of task networks",
	"github.com/google/nftables":                                      "security groups as rulesets in the kernel",
	"github.com/mdlayher/netlink":                                     "the transport of nftables",
	"github.com/containerd/containerd/v2":                             "asking registries, with their authentication, and unpacking layers",
	"github.com/containerd/errdefs":                                   "telling containerd's errors apart",
	"github.com/containerd/log":                                       "keeping containerd from writing to standard error",
	"github.com/distribution/reference":                               "names of images as Docker reads them",
	"github.com/google/go-containerregistry":                          "OCI images for tests",
	"github.com/klauspost/compress":                                   "gzip and zstd of layers",
	"github.com/opencontainers/image-spec":                            "what indexes, manifests and configurations hold",
	"github.com/miekg/dns":                                            "the messages and servers of the resolver in a VPC",
	"github.com/beevik/etree":                                         "the elements of SAML responses, as goxmldsig has them",
	"github.com/russellhaering/goxmldsig":                             "the signatures of SAML responses",
	"rsc.io/qr":                                                       "the QR codes of virtual MFA devices",
	"golang.org/x/sys":                                                "namespaces and mounts",
	"github.com/cockroachdb/pebble/v2":                                "ordered key-value files with a write-ahead log, where log events are kept",
	"github.com/tidwall/btree":                                        "ordered tree with cheap snapshots, the state of the store",
	"go.etcd.io/etcd/server/v3":                                       "the store's log, embedded",
	"go.etcd.io/etcd/client/v3":                                       "the store's log, over the network",
	"go.etcd.io/etcd/api/v3":                                          "etcd's types and error codes",
	"go.etcd.io/etcd/client/pkg/v3":                                   "etcd's file locks and types",
	"go.etcd.io/bbolt":                                                "the embedded etcd's database file",
	"go.yaml.in/yaml/v3":                                              "CloudFormation templates as people write them",
	"go.uber.org/zap":                                                 "etcd's logger, bridged to slog",
	"github.com/prometheus/client_golang":                             "metrics of the daemon itself",
	"go.opentelemetry.io/otel":                                        "traces of the daemon itself",
	"go.opentelemetry.io/otel/sdk":                                    "traces of the daemon itself",
	"go.opentelemetry.io/otel/trace":                                  "traces of the daemon itself",
	"neargate/shim/api":                                               "what the daemon and a task's shim say to each other, in this repository",
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp": "traces to any collector",
}

type goFile struct {
	path, dir string
	lines     int
	test, gen bool
	fset      *token.FileSet
	ast       *ast.File
	src       []byte
}

func parseTree(t *testing.T) []goFile {
	t.Helper()
	var files []goFile
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		p = filepath.ToSlash(p)
		if d.IsDir() {
			if p != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "node_modules" || d.Name() == "bin" || slices.Contains(separate, p)) {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(p, ".go") {
			return nil
		}
		src, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, p, src, parser.ParseComments)
		if err != nil {
			return err
		}
		files = append(files, goFile{
			path: p, dir: path.Dir(p), lines: strings.Count(string(src), "\n"), src: src,
			test: strings.HasSuffix(p, "_test.go"), gen: ast.IsGenerated(f), fset: fset, ast: f,
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestLayers(t *testing.T) {
	for _, f := range parseTree(t) {
		if f.test || f.dir == "." {
			continue
		}
		may, ok := layerOf(f)
		if !ok {
			t.Errorf("%s: folder %s has no layer; add it to the table or move it", f.path, f.dir)
			continue
		}
		for _, im := range f.ast.Imports {
			dep, in := strings.CutPrefix(strings.Trim(im.Path.Value, `"`), module)
			if in && !allowed(may, own(f.dir), dep) {
				t.Errorf("%s may not import %s", f.path, dep)
			}
		}
	}
}

func layerOf(f goFile) (may []string, ok bool) {
	for p := f.path; p != "."; p = path.Dir(p) {
		if may, ok := layers[p]; ok {
			return may, true
		}
	}
	return nil, false
}

func own(dir string) string {
	p := strings.SplitN(dir, "/", 3)
	return strings.Join(p[:min(len(p), 2)], "/")
}

// allowed reports whether dep is under one of the folders in may; own is the
// importing file's top two folders, which "." stands for.
func allowed(may []string, own, dep string) bool {
	for _, m := range may {
		if m == "." {
			m = own
		}
		if m == "" || dep == m || strings.HasPrefix(dep, m+"/") {
			return true
		}
	}
	return false
}

func TestBudgets(t *testing.T) {
	lines, exported := map[string]int{}, map[string]int{}
	imports := map[string]map[string]bool{}
	for _, f := range parseTree(t) {
		if f.test || f.gen {
			continue
		}
		if f.lines > maxFile {
			t.Errorf("%s has %d lines, more than %d", f.path, f.lines, maxFile)
		}
		lines[f.dir] += f.lines
		exported[f.dir] += exportedNames(f.ast)
		if imports[f.dir] == nil {
			imports[f.dir] = map[string]bool{}
		}
		for _, im := range f.ast.Imports {
			if dep, in := strings.CutPrefix(strings.Trim(im.Path.Value, `"`), module); in {
				imports[f.dir][dep] = true
			}
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if l := f.fset.Position(n.End()).Line - f.fset.Position(n.Pos()).Line + 1; l > maxFunc {
					t.Errorf("%s: %s has %d lines, more than %d", f.path, n.Name.Name, l, maxFunc)
				}
				if n.Name.Name == "init" && n.Recv == nil {
					t.Errorf("%s: init registers behind the reader's back; wire it in cmd", f.path)
				}
			case *ast.InterfaceType:
				if l := n.Methods.NumFields(); l > maxMethods {
					t.Errorf("%s: an interface has %d methods, more than %d", f.path, l, maxMethods)
				}
			}
			return true
		})
	}
	for dir, n := range lines {
		if n > maxPackage {
			t.Errorf("package %s has %d lines, more than %d", dir, n, maxPackage)
		}
		if exported[dir] > maxExported {
			t.Errorf("package %s exports %d names, more than %d", dir, exported[dir], maxExported)
		}
		if l := len(imports[dir]); l > maxImports && !strings.HasPrefix(dir, "cmd/") {
			t.Errorf("package %s imports %d packages of this module, more than %d", dir, l, maxImports)
		}
	}
}

// exportedNames counts exported package-level names; methods and constants of a
// group do not count beyond their type.
func exportedNames(f *ast.File) int {
	n := 0
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil && d.Name.IsExported() {
				n++
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.TypeSpec:
					if s.Name.IsExported() {
						n++
					}
				case *ast.ValueSpec:
					if d.Tok == token.VAR && s.Names[0].IsExported() {
						n++
					}
				}
			}
		}
	}
	return n
}

func TestDocumented(t *testing.T) {
	hasDoc := map[string]bool{}
	for _, f := range parseTree(t) {
		if f.test && f.dir != "." {
			continue
		}
		hasDoc[f.dir] = hasDoc[f.dir] || f.ast.Doc != nil
		if f.gen || f.test {
			continue
		}
		for _, d := range f.ast.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && d.Doc == nil && exportedRecv(d) {
					t.Errorf("%s: %s has no doc comment", f.path, d.Name.Name)
				}
			case *ast.GenDecl:
				for _, s := range d.Specs {
					if ts, ok := s.(*ast.TypeSpec); ok && ts.Name.IsExported() && d.Doc == nil && ts.Doc == nil {
						t.Errorf("%s: type %s has no doc comment", f.path, ts.Name.Name)
					}
					if vs, ok := s.(*ast.ValueSpec); ok && vs.Names[0].IsExported() && d.Doc == nil && vs.Doc == nil && vs.Comment == nil {
						t.Errorf("%s: %s has no doc comment", f.path, vs.Names[0].Name)
					}
				}
			}
		}
	}
	for dir, ok := range hasDoc {
		if !ok {
			t.Errorf("package %s has no package comment", dir)
		}
	}
}

func exportedRecv(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	typ := d.Recv.List[0].Type
	if s, ok := typ.(*ast.StarExpr); ok {
		typ = s.X
	}
	if ix, ok := typ.(*ast.IndexExpr); ok {
		typ = ix.X
	}
	id, ok := typ.(*ast.Ident)
	return ok && id.IsExported()
}

// pure folders take time, chance and ids as arguments.
var pure = []string{"resource", "control", "node/task", "node/firewall"}

// impure are the calls they may not make.
var impure = map[string][]string{
	"time":                   {"Now", "Since", "Until", "Sleep", "After", "Tick", "NewTimer", "NewTicker", "AfterFunc"},
	"math/rand":              {"*"},
	"math/rand/v2":           {"*"},
	"crypto/rand":            {"*"},
	"github.com/google/uuid": {"*"},
}

func TestPure(t *testing.T) {
	for _, f := range parseTree(t) {
		if f.test || strings.HasPrefix(f.dir, "control/loop") || !under(f.dir, pure) {
			continue
		}
		names := map[string][]string{}
		for _, im := range f.ast.Imports {
			p := strings.Trim(im.Path.Value, `"`)
			if banned, ok := impure[p]; ok {
				name := path.Base(p)
				if im.Name != nil {
					name = im.Name.Name
				}
				if banned[0] == "*" {
					t.Errorf("%s: %s is an argument here, not an import", f.path, p)
				}
				names[name] = banned
			}
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if id, ok := s.X.(*ast.Ident); ok && slices.Contains(names[id.Name], s.Sel.Name) {
				t.Errorf("%s: %s.%s is an argument here, not a call", f.path, id.Name, s.Sel.Name)
			}
			return true
		})
	}
}

func TestNoGoroutinesInServices(t *testing.T) {
	for _, f := range parseTree(t) {
		if f.test || !under(f.dir, []string{"service", "resource", "auth"}) {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if g, ok := n.(*ast.GoStmt); ok {
				t.Errorf("%s: a service answers in the caller's goroutine", f.fset.Position(g.Pos()))
			}
			return true
		})
	}
}

// TestNoMutableGlobals allows package variables that nothing in the package
// assigns to, takes the address of, or calls a pointer method on by design:
// tables, sentinels, compiled expressions.
func TestNoMutableGlobals(t *testing.T) {
	globals := map[string]map[string]bool{}
	files := parseTree(t)
	for _, f := range files {
		if f.test || f.gen {
			continue
		}
		if globals[f.dir] == nil {
			globals[f.dir] = map[string]bool{}
		}
		for _, d := range f.ast.Decls {
			if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.VAR {
				for _, s := range g.Specs {
					vs := s.(*ast.ValueSpec)
					for _, n := range vs.Names {
						globals[f.dir][n.Name] = true
					}
					if len(vs.Values) == 0 && vs.Names[0].Name != "_" && !embedded(g, vs) {
						t.Errorf("%s: package variable %s is meant to change", f.path, vs.Names[0].Name)
					}
				}
			}
		}
	}
	for _, f := range files {
		if f.test || f.gen {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			a, ok := n.(*ast.AssignStmt)
			if !ok || a.Tok == token.DEFINE {
				return true
			}
			for _, l := range a.Lhs {
				if ix, ok := l.(*ast.IndexExpr); ok {
					l = ix.X
				}
				if id, ok := l.(*ast.Ident); ok && id.Name != "_" && globals[f.dir][id.Name] && id.Obj == nil {
					t.Errorf("%s: writes package variable %s", f.fset.Position(a.Pos()), id.Name)
				}
			}
			return true
		})
	}
}

// embedded reports whether the compiler fills the variable from files.
func embedded(g *ast.GenDecl, vs *ast.ValueSpec) bool {
	for _, doc := range []*ast.CommentGroup{g.Doc, vs.Doc} {
		if doc == nil {
			continue
		}
		for _, c := range doc.List {
			if strings.HasPrefix(c.Text, "//go:embed ") {
				return true
			}
		}
	}
	return false
}

func TestDependenciesAreListed(t *testing.T) {
	b, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "require"))
		f := strings.Fields(line)
		if len(f) < 2 || !strings.HasPrefix(f[1], "v") || strings.Contains(line, "// indirect") {
			continue
		}
		n++
		if dependencies[f[0]] == "" {
			t.Errorf("go.mod requires %s without a reason in arch_test.go", f[0])
		}
	}
	if n > 30 {
		t.Errorf("%d direct dependencies, more than 30", n)
	}
}

func under(dir string, roots []string) bool {
	for _, r := range roots {
		if dir == r || strings.HasPrefix(dir, r+"/") {
			return true
		}
	}
	return false
}

// TestThorough: tests that make check shortens are run whole by make thorough.
func TestThorough(t *testing.T) {
	b, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(b), "THOROUGH :=")
	list, _, _ = strings.Cut(list, "\n")
	var roots []string
	for pattern := range strings.FieldsSeq(list) {
		roots = append(roots, strings.TrimSuffix(strings.TrimPrefix(pattern, "./"), "/..."))
	}
	shortened := 0
	err = filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains([]string{".git", "bin", "e2e", "shim"}, p):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(p, ".go") || p == "arch_test.go":
			return nil
		}
		text, err := os.ReadFile(p)
		if err == nil && strings.Contains(string(text), "testing.Short()") {
			shortened++
			if !under(filepath.ToSlash(filepath.Dir(p)), roots) {
				t.Errorf("%s: make thorough does not run the tests of its package", p)
			}
		}
		return err
	})
	if err != nil || shortened == 0 {
		t.Errorf("%d shortened, %v", shortened, err)
	}
}
