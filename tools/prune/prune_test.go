package main

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"neargate/tools/internal/smithy"
)

const full = `{"smithy": "2.0", "shapes": {
 "x#Toy": {"type": "service", "operations": [{"target": "x#Put"}, {"target": "x#Get"}],
  "traits": {"aws.auth#sigv4": {"name": "toy"}, "smithy.api#documentation": "words"}},
 "x#Put": {"type": "operation", "input": {"target": "x#PutRequest"}, "errors": [{"target": "x#Gone"}]},
 "x#Get": {"type": "operation", "output": {"target": "x#GetResponse"}},
 "x#PutRequest": {"type": "structure", "members": {
  "name": {"target": "x#Name", "traits": {"smithy.api#required": {}, "smithy.api#documentation": "words"}}}},
 "x#GetResponse": {"type": "structure"},
 "x#Name": {"type": "string", "traits": {"smithy.api#documentation": "words"}},
 "x#Gone": {"type": "structure", "traits": {"smithy.api#error": "client"}},
 "x#Spare": {"type": "structure"},
 "x#Unused": {"type": "structure"}}}`

// TestRun prunes a model and prunes the result again, which changes nothing
// but the list of all operations.
func TestRun(t *testing.T) {
	from, models := t.TempDir(), t.TempDir()
	for path, text := range map[string]string{
		filepath.Join(from, "some-name.json"):    full,
		filepath.Join(models, "operations.txt"):  "toy:Put\n",
		filepath.Join(models, "overlay.json"):    `{"toy": {"source": "invented", "errors": {"Put": ["Spare"]}}}`,
		filepath.Join(models, "leave-alone.txt"): "",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := run(from, models); err != nil {
		t.Fatal(err)
	}
	once, err := smithy.Read(filepath.Join(models, "toy.json"))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"x#Gone", "x#Name", "x#Put", "x#PutRequest", "x#Spare", "x#Toy"}
	if got := slices.Sorted(maps.Keys(once.Shapes)); !reflect.DeepEqual(got, want) {
		t.Errorf("kept %v, want %v", got, want)
	}
	if got, want := once.Metadata.Operations, []string{"Get", "Put"}; !reflect.DeepEqual(got, want) {
		t.Errorf("all operations %v, want %v", got, want)
	}
	if got := once.Shapes["x#PutRequest"].Members["name"].Traits; len(got) != 1 || !got.Has(smithy.Required) {
		t.Errorf("kept traits %v", got)
	}
	if got := once.Shapes["x#Name"].Traits; len(got) != 0 {
		t.Errorf("kept traits %v", got)
	}
	if err := run(models, models); err == nil {
		t.Error("overlay.json is taken for a model")
	}
	again := t.TempDir()
	if err := os.Rename(filepath.Join(models, "toy.json"), filepath.Join(again, "toy.json")); err != nil {
		t.Fatal(err)
	}
	if err := run(again, models); err != nil {
		t.Fatal(err)
	}
	twice, err := smithy.Read(filepath.Join(models, "toy.json"))
	if err != nil || !reflect.DeepEqual(once.Shapes, twice.Shapes) {
		t.Errorf("a second pruning changes shapes (%v)", err)
	}
}

func TestRunRefuses(t *testing.T) {
	for name, operations := range map[string]string{
		"unknown service":   "other:Put\n",
		"unknown operation": "toy:Lost\n",
		"not an operation":  "toy:Name\n",
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			from := t.TempDir()
			for path, text := range map[string]string{
				filepath.Join(from, "toy.json"):      full,
				filepath.Join(dir, "operations.txt"): operations,
				filepath.Join(dir, "overlay.json"):   "{}",
			} {
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := run(from, dir); err == nil {
				t.Error("accepted")
			}
		})
	}
}
