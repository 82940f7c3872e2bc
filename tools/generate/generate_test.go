package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"neargate/tools/internal/smithy"
)

var update = flag.Bool("update", false, "write the golden files")

// TestGolden generates five small services, one a protocol, that use every
// kind of shape, and compares each file with testdata/golden.
func TestGolden(t *testing.T) {
	files, err := generate("testdata/models")
	if err != nil {
		t.Fatal(err)
	}
	golden := map[string][]byte{}
	for name, data := range files {
		golden[name+".golden"] = data
	}
	root := filepath.Join("testdata", "golden")
	if *update {
		if err := os.RemoveAll(root); err != nil {
			t.Fatal(err)
		}
		if err := write(root, golden); err != nil {
			t.Fatal(err)
		}
	}
	compare(t, golden, root, ".")
}

// TestCommitted fails when aws/ or docs/coverage.md is not what the committed
// models generate.
func TestCommitted(t *testing.T) {
	root := filepath.Join("..", "..")
	files, err := generate(filepath.Join(root, "models"))
	if err != nil {
		t.Fatal(err)
	}
	compare(t, files, root, "aws", "docs/coverage.md")
}

// compare fails unless the files below the folders of root are the ones given.
func compare(t *testing.T, files map[string][]byte, root string, folders ...string) {
	t.Helper()
	want := map[string]bool{}
	for _, folder := range folders {
		err := fs.WalkDir(os.DirFS(root), folder, func(path string, d fs.DirEntry, err error) error {
			want[path] = err == nil && !d.IsDir()
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if want[name] && files[name] == nil {
			t.Errorf("%s is not generated", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		committed, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Error(err)
		} else if !bytes.Equal(committed, files[name]) {
			t.Errorf("%s differs from what is generated%s", name, firstDifference(committed, files[name]))
		}
	}
}

func firstDifference(committed, generated []byte) string {
	a, b := strings.Split(string(committed), "\n"), strings.Split(string(generated), "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return " at line " + strconv.Itoa(i+1) + ":\ncommitted: " + a[i] + "\ngenerated: " + b[i]
		}
	}
	return " in length"
}

// TestWriteRemovesOld checks that a service no longer listed leaves no package.
func TestWriteRemovesOld(t *testing.T) {
	root := t.TempDir()
	if err := write(root, map[string][]byte{"aws/old/api.gen.go": nil}); err != nil {
		t.Fatal(err)
	}
	if err := write(root, map[string][]byte{"aws/new/api.gen.go": nil}); err != nil {
		t.Fatal(err)
	}
	got, err := filepath.Glob(filepath.Join(root, "aws", "*", "*"))
	if want := []string{filepath.Join(root, "aws", "new", "api.gen.go")}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("left %v (%v), want %v", got, err, want)
	}
}

// TestQuote checks that any text survives the way into a struct tag and out.
func TestQuote(t *testing.T) {
	for _, text := range []string{"plain", `a"b`, "a`b", `a\b`, "a:b,c|d", "\t\n", "é"} {
		literal := quote([]tag{{"aws", "name"}, {"pattern", text}, {"each", ""}})
		unquoted, err := strconv.Unquote(literal)
		if err != nil {
			t.Fatalf("%q: %v in %s", text, err, literal)
		}
		got := reflect.StructTag(unquoted)
		if got.Get("pattern") != text || got.Get("aws") != "name" {
			t.Errorf("%q became %s", text, literal)
		}
		if _, ok := got.Lookup("each"); ok {
			t.Errorf("an empty tag is written: %s", literal)
		}
	}
}

// TestRefused lists what the generator must not pass over in silence.
func TestRefused(t *testing.T) {
	const ns = "example.toy#"
	for _, c := range []struct {
		name, want string
		change     func(*smithy.Model)
		operations []string
	}{
		{name: "unlisted operation", operations: []string{"Nothing"}, want: "no operation Nothing"},
		{name: "dangling target", want: "no shape " + ns + "Missing", change: func(m *smithy.Model) {
			m.Shapes[ns+"Part"].Members["x"] = &smithy.Member{Target: ns + "Missing"}
		}},
		{name: "two members of one name", want: "two members AString", change: func(m *smithy.Model) {
			m.Shapes[ns+"Thing"].Members["AString"] = &smithy.Member{Target: "smithy.api#String"}
		}},
		{name: "two shapes of one name", want: "type PutThingOutput stands for", change: func(m *smithy.Model) {
			m.Shapes[ns+"PutThingOutput"] = m.Shapes[ns+"Part"]
			m.Shapes[ns+"Thing"].Members["x"] = &smithy.Member{Target: ns + "PutThingOutput"}
		}},
		{name: "type named like an error", want: "type GoneException has the name", change: func(m *smithy.Model) {
			m.Shapes[ns+"Thing"].Members["x"] = &smithy.Member{Target: ns + "GoneException"}
		}},
		{name: "pattern that Go lacks", want: "invalid or unsupported Perl syntax", change: func(m *smithy.Model) {
			m.Shapes[ns+"Token"].Traits[smithy.Pattern] = json.RawMessage(`"a(?!b)"`)
		}},
		{name: "separator in an enum", want: "separator", change: func(m *smithy.Model) {
			m.Shapes[ns+"Color"].Members["RED"].Traits[smithy.EnumValue] = json.RawMessage(`"a|b"`)
		}},
		{name: "constraint out of reach", want: "constraints on its elements", change: func(m *smithy.Model) {
			m.Shapes[ns+"Row"].Member.Target = ns + "Limit"
		}},
		{name: "stream", want: "no Go type for a blob", change: func(m *smithy.Model) {
			m.Shapes[ns+"Blob"].Traits[smithy.Streaming] = json.RawMessage(`{}`)
		}},
		{name: "stream of events in a request", want: "requests cannot carry a stream", change: func(m *smithy.Model) {
			m.Shapes[ns+"PutThingRequest"].Members["x"] = &smithy.Member{Target: ns + "ThingEvents"}
		}},
		{name: "foreign protocol", want: "no protocol", change: func(m *smithy.Model) {
			s, _, _ := m.Service()
			delete(s.Traits, smithy.JSON11)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := smithy.Read("testdata/models/toy.json")
			if err != nil {
				t.Fatal(err)
			}
			if c.change != nil {
				c.change(m)
			}
			if c.operations == nil {
				c.operations = []string{"Ping", "PutThing"}
			}
			s, err := newService("toy", m, c.operations)
			if err == nil {
				_, err = s.files()
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

// TestRefusedBindings lists what has no place in HTTP here.
func TestRefusedBindings(t *testing.T) {
	const ns = "example.rest#"
	for _, c := range []struct {
		name, want string
		change     func(*smithy.Model)
	}{
		{"whole body", "PutThingInput.Thing is a whole body", func(m *smithy.Model) {
			m.Shapes[ns+"PutThingRequest"].Members["Thing"].Traits[smithy.HTTPPayload] = json.RawMessage(`{}`)
		}},
		{"list in a header", "PutThingInput.Thing is a list in a header", func(m *smithy.Model) {
			thing := m.Shapes[ns+"PutThingRequest"].Members["Thing"]
			thing.Target, thing.Traits[smithy.HTTPHeader] = ns+"Parts", json.RawMessage(`"X-Parts"`)
		}},
		{"foreign element", "example.rest#Other is not called GetThingRequest", func(m *smithy.Model) {
			m.Shapes[ns+"Other"] = m.Shapes[ns+"GetThingRequest"]
			m.Shapes[ns+"GetThing"].Input.Target = ns + "Other"
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := smithy.Read("testdata/models/rest.json")
			if err != nil {
				t.Fatal(err)
			}
			c.change(m)
			if _, err := newService("rest", m, []string{"GetThing", "PutThing"}); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}
